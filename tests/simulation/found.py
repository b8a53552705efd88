"""What a seed has come to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from simulation.disk import ENDLESS, is_refusal

LOGGED = "error in the log"


@dataclass(slots=True)
class Found:
    """What was done in a seed, and what was wrong."""

    seed: int
    violations: list[tuple[str, str]] = field(default_factory=list)
    kills: int = 0
    stops: int = 0
    instances: int = 0
    commits: int = 0
    digest: str = ""
    trace: str = ""


class Errors(logging.Handler):
    """Tells each error in the log as a violation, except for what the disk has refused."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        super().__init__(logging.ERROR)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        cause = f" {record.exc_info[1]!r}" if record.exc_info else ""
        text = f"{record.name}: {record.getMessage()}{cause}"
        if not is_refusal(text):
            self._tell(ENDLESS if ENDLESS in text else LOGGED, text)
