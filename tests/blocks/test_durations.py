"""Durations in settings are read as Go reads them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from flowyard.backend import parse_duration
from flowyard_blocks.durations import Milliseconds, Seconds

SECONDS: TypeAdapter[timedelta] = TypeAdapter(Seconds)
MILLISECONDS: TypeAdapter[timedelta] = TypeAdapter(Milliseconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20s", 20),
        ("1h30m", 5400),
        ("1.5ms", 0.0015),
        (".5s", 0.5),
        ("1m.5s", 60.5),
        ("100us", 0.0001),
        ("100µs", 0.0001),
        ("3000000ns", 0.003),
        ("-1s", -1),
        ("+2m", 120),
        (" 7s ", 7),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: float) -> None:
    assert SECONDS.validate_python(text) == timedelta(seconds=seconds)
    assert MILLISECONDS.validate_python(text) == timedelta(seconds=seconds)


def test_a_bare_number_counts_what_the_setting_says() -> None:
    assert SECONDS.validate_python("-1") == timedelta(seconds=-1)
    assert SECONDS.validate_python("20") == timedelta(seconds=20)
    assert MILLISECONDS.validate_python("20") == timedelta(milliseconds=20)


@pytest.mark.parametrize("text", ["", "soon", "20 s", "1d", "s", "1.2.3s", "PT20S", "9" * 30 + "h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        SECONDS.validate_python(text)


@pytest.mark.parametrize("text", ["20s", "500ms", "8ms", "0s", "1.5s"])
def test_a_duration_is_shown_as_it_may_be_written(text: str) -> None:
    assert SECONDS.dump_json(SECONDS.validate_python(text)) == f'"{text}"'.encode()


@pytest.mark.parametrize(
    ("text", "seconds"), [("1.5h", 5400), ("0", 0), ("2µs", 2e-6), ("2μs", 2e-6), ("-1s", -1)]
)
def test_a_duration_of_a_document_is_read_as_go_writes_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "1 s", " 1s", "1d", "5s5", "1e3s", "9" * 30 + "h"])
def test_what_is_no_duration_of_a_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration"):
        parse_duration(text)
