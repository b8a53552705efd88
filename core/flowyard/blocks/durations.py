"""Spans of time as Dapr's settings have them, such as `1m30s` or `250ms`."""

from __future__ import annotations

import math
import re

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"([+-]?)((?:{_PART.pattern})+|0)")


def parse_duration(text: str) -> float | None:
    """Return the seconds that a duration of Go's means, None where it is none.

    Args:
        text: One or more numbers with their units (`ns`, `us`, `ms`, `s`, `m`, `h`), or `0`.
    """
    found = _WHOLE.fullmatch(text.strip())
    if found is None:
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(found[2]))
    if not math.isfinite(seconds):
        return None
    return -seconds if found[1] == "-" else seconds
