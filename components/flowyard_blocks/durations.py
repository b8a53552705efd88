"""Durations in settings: as Go writes them, such as `1h30m`, or a bare number."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from flowyard.backend import parse_duration

_NUMBER = re.compile(r"[+-]?[0-9]+")


def read_duration(value: object, unit: str) -> object:
    """Return the duration that a text means; what is not text is left to pydantic.

    Args:
        value: What the setting says.
        unit: What a bare number counts: `s` or `ms`.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    return parse_duration(text + unit if _NUMBER.fullmatch(text) else text)


def _text(duration: timedelta) -> str:
    """Return a duration as Go reads it."""
    seconds = duration.total_seconds()
    return f"{seconds:g}s" if seconds >= 1 or not seconds else f"{seconds * 1000:g}ms"


_SERIALIZER = PlainSerializer(_text, return_type=str, when_used="json")

Seconds = Annotated[
    timedelta, BeforeValidator(lambda value: read_duration(value, "s")), _SERIALIZER
]
"""A duration whose bare number counts seconds."""

Milliseconds = Annotated[
    timedelta, BeforeValidator(lambda value: read_duration(value, "ms")), _SERIALIZER
]
"""A duration whose bare number counts milliseconds."""
