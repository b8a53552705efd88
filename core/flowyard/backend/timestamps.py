"""Times as histories have them: microseconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

NEVER = 253_402_300_799_999_999
"""Dapr's sentinel 9999-12-31T23:59:59.999999999Z: recorded, never fires (docs/protocol.md §9)."""


def to_datetime(microseconds: int) -> datetime:
    """Return a time as an aware datetime in UTC.

    Args:
        microseconds: The time since the Unix epoch.

    Raises:
        OverflowError: If the time is beyond the year 9999, after `NEVER`.
    """
    return _EPOCH + timedelta(microseconds=microseconds)


def to_microseconds(time: datetime) -> int:
    """Return a time as microseconds since the Unix epoch, rounded down.

    Args:
        time: The time; a naive one is UTC.
    """
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
