"""Durations as Go writes them, which Dapr's documents have: `5s`, `1m30s`, `1.5h`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # the micro sign
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART = r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"\+?(?:(?:{_PART})+|0)")


def parse_duration(text: str) -> timedelta:
    """Return the duration; raise `ValueError` if it is none, or negative."""
    if _DURATION.fullmatch(text) is None:
        raise ValueError("not a duration such as 5s, 500ms or 1m30s")
    seconds = 0.0
    for part in re.finditer(_PART, text):
        number = part[0].rstrip("nuµμmsh")
        seconds += float(number) * _UNITS[part[0][len(number) :]]
    try:
        return timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError("longer than any duration can be") from error
