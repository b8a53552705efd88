"""Spans of time as Go writes them, which Dapr's settings and documents have: `5s`, `1m30s`."""

from __future__ import annotations

import re
from datetime import timedelta

_MICROSECONDS = {
    "ns": 0.001,
    "us": 1.0,
    "µs": 1.0,  # the micro sign
    "μs": 1.0,  # the Greek letter: Go takes both
    "ms": 1e3,
    "s": 1e6,
    "m": 60e6,
    "h": 3600e6,
}
_PART = re.compile(rf"([0-9]+\.?[0-9]*|\.[0-9]+)({'|'.join(_MICROSECONDS)})")
_WHOLE = re.compile(rf"[+-]?((?:{_PART.pattern})+|0)")


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text means, as Go reads it.

    Args:
        text: One or more numbers with their units (`ns`, `us`, `ms`, `s`, `m`, `h`), or `0`; a sign
            may stand before them.

    Returns:
        The duration, rounded to the microsecond; what is shorter counts as one.

    Raises:
        ValueError: If it is no duration, or longer than any can be.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError("not a duration such as 500ms, 20s or 1h30m")
    microseconds = sum(float(number) * _MICROSECONDS[unit] for number, unit in _PART.findall(text))
    if 0 < microseconds < 1:
        microseconds = 1
    try:
        return timedelta(microseconds=-microseconds if text.startswith("-") else microseconds)
    except OverflowError:
        raise ValueError("a duration that is too long") from None
