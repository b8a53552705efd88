"""What the SDK logs of hosted instances: what the built-in engine logs of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from flowyard_temporal.hosted.activities import InterruptedActivity
from flowyard_temporal.hosted.application_errors import HostedError
from flowyard_temporal.hosted.workflow import UnfitCode

_LOGGERS = ("temporalio.activity", "temporalio.worker._workflow_instance")


@contextmanager
def plain_logs() -> Iterator[None]:
    """Log no traceback, within the block, of what is no fault of ours."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_news)
    try:
        yield
    finally:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, UnfitCode):
        record.msg, record.args = "'%s' is STALLED: %s", (error.instance_id, error)
        record.exc_info = None
    # How an activity failed is its result: the workflow decides what it means.
    return not isinstance(error, (HostedError, InterruptedActivity))
