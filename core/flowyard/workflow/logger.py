"""The logger of workflow code."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from flowyard.workflow.commands import Schedule


class ReplayAwareLogger(logging.LoggerAdapter[logging.Logger]):
    """Says nothing while history is replayed, so that each line appears once."""

    def __init__(self, logger: logging.Logger, schedule: Schedule) -> None:
        super().__init__(logger)
        self._schedule = schedule

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        return not self._schedule.replaying and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        extra = {**(kwargs.get("extra") or {}), "instance_id": self._schedule.instance_id}
        return f"[{self._schedule.instance_id}] {msg}", {**kwargs, "extra": extra}
