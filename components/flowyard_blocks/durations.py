"""Durations in settings, written as Go writes them: `20s`, `1h30m`, `1.5ms`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_MICROSECONDS = {
    "ns": 0.001,
    "us": 1.0,
    "µs": 1.0,
    "μs": 1.0,  # Go takes both letters
    "ms": 1e3,
    "s": 1e6,
    "m": 60e6,
    "h": 3600e6,
}
_PART = re.compile(rf"([0-9]+\.?[0-9]*|\.[0-9]+)({'|'.join(_MICROSECONDS)})")
_WHOLE = re.compile(rf"[+-]?(?:{_PART.pattern})+")
_NUMBER = re.compile(r"[+-]?[0-9]+")


def parse_duration(value: object, unit: str) -> object:
    """Return the duration that a text means; what is not text is left to pydantic.

    Args:
        value: What the setting says.
        unit: What a bare number counts: `s` or `ms`.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _NUMBER.fullmatch(text):
        text += unit
    if not _WHOLE.fullmatch(text):
        raise ValueError("must be a duration such as 500ms, 20s or 1h30m")
    sum_ = sum(float(number) * _MICROSECONDS[of] for number, of in _PART.findall(text))
    try:
        return timedelta(microseconds=-sum_ if text.startswith("-") else sum_)
    except OverflowError:
        raise ValueError("is too long") from None


def _text(duration: timedelta) -> str:
    """Return a duration as Go reads it."""
    seconds = duration.total_seconds()
    return f"{seconds:g}s" if seconds >= 1 or not seconds else f"{seconds * 1000:g}ms"


_SERIALIZER = PlainSerializer(_text, return_type=str, when_used="json")

Seconds = Annotated[
    timedelta, BeforeValidator(lambda value: parse_duration(value, "s")), _SERIALIZER
]
"""A duration whose bare number counts seconds."""

Milliseconds = Annotated[
    timedelta, BeforeValidator(lambda value: parse_duration(value, "ms")), _SERIALIZER
]
"""A duration whose bare number counts milliseconds."""
