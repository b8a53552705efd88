"""The lines that refused calls leave in the log."""

from __future__ import annotations

import logging

import pytest

from flowyard.printable import printable
from flowyard.server.refusals import Refusals

_LOGGER = logging.getLogger("flowyard.refused")


class _Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_names_method_peer_and_reason(caplog: pytest.LogCaptureFixture) -> None:
    Refusals(_LOGGER).tell("UNIMPLEMENTED", "GET /x", "127.0.0.1:4", "not\nserved\x1b[2J here")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        r"refused GET /x from 127.0.0.1:4: UNIMPLEMENTED: not served\x1b[2J here"
    )


def test_lines_are_bounded_by_kind_and_the_rest_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = _Clock()
    refusals = Refusals(_LOGGER, clock=clock)
    for _ in range(1000):
        refusals.tell("A", "m", "p", "r")
    refusals.tell("B", "m", "p", "r")
    assert [record.getMessage().split()[4] for record in caplog.records] == ["A:"] * 10 + ["B:"]
    assert "only counted" in caplog.records[9].getMessage()
    clock.now = 60.0
    caplog.clear()
    refusals.tell("A", "m", "p", "r")
    assert "990 more of A were not logged" in caplog.text


def test_text_is_printable_afterwards() -> None:
    assert printable("a\x1b[31mb\nc\u202e") == r"a\x1b[31mb\nc\u202e"
    assert printable("a\nb", keep="\n") == "a\nb"
    assert printable("größe") == "größe"
    assert printable("\udc80") == r"\udc80"
