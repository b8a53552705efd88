"""Durations as Go writes them, such as `10s` and `1h30m`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}


def parse_duration(text: str) -> timedelta:
    """Return what the text says; raises `ValueError` if it is none."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if digits == "0":
        return timedelta(0)
    parts = _PART.findall(digits)
    if not parts or "".join(map("".join, parts)) != digits:
        raise ValueError("not a duration such as 10s or 1h30m")
    return sign * timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def _read(value: object) -> object:
    return parse_duration(value.strip()) if isinstance(value, str) else value


GoDuration = Annotated[timedelta, BeforeValidator(_read)]
"""A duration in the settings of a component."""
