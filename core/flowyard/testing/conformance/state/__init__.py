"""The conformance suite of state stores."""

from __future__ import annotations

from flowyard.testing.conformance.state.carrying import Carrying
from flowyard.testing.conformance.state.expiring import Expiring
from flowyard.testing.conformance.state.keeping import Keeping
from flowyard.testing.conformance.state.reopening import Reopening
from flowyard.testing.conformance.state.subject import StateFixtures, StateSubject
from flowyard.testing.conformance.state.transacting import Transacting
from flowyard.testing.conformance.state.versions import Versions

__all__ = ["StateConformance", "StateFixtures", "StateSubject"]


class StateConformance(
    StateFixtures, Keeping, Carrying, Versions, Expiring, Transacting, Reopening
):
    """Every rule of `flowyard.backend.StateStore` as a test. Override `component_spec`."""
