"""What the driver of the kills knows."""

from __future__ import annotations

from chaos.kills.ledger import Ledger
from chaos.kills.shapes import END


def test_an_end_may_have_come_though_it_was_refused_when_it_was_repeated() -> None:
    """The first call was cut off by a kill, so nobody knows whether it was heard."""
    ledger = Ledger()
    ledger.apply(["planned", "carrying-1", "carrying", "", 0.0, False])
    for line in (["try"], ["try"], ["refused"]):
        ledger.apply([*line, "carrying-1", "raise", END])
    assert ledger.open["carrying-1"].raised == {END: False}


def test_an_end_that_was_refused_the_first_time_has_not_come() -> None:
    ledger = Ledger()
    ledger.apply(["planned", "carrying-1", "carrying", "", 0.0, False])
    for line in (["try"], ["refused"], ["try"], ["refused"]):
        ledger.apply([*line, "carrying-1", "raise", END])
    assert ledger.open["carrying-1"].raised == {}
