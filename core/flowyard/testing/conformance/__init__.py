"""The conformance suites: inherit one class, say which component to open, run pytest.

::

    class TestMine(ComponentConformance):
        @pytest.fixture
        def component_spec(self, tmp_path: Path) -> ComponentSpec:
            return ComponentSpec(name="mine", type="workflow.mine", metadata={"file": tmp_path})

`ComponentConformance` is for a workflow component, `StateConformance` for a state store. What the
component type declares must work, what it does not declare must raise `UnsupportedOperation`;
nothing else is skipped.
"""

from __future__ import annotations

from flowyard.testing.conformance.binding import BindingConformance
from flowyard.testing.conformance.calling import Calling
from flowyard.testing.conformance.carrying import Carrying
from flowyard.testing.conformance.events import Events
from flowyard.testing.conformance.listing import Listing
from flowyard.testing.conformance.nesting import Nesting
from flowyard.testing.conformance.pausing import Pausing
from flowyard.testing.conformance.pubsub import PubSubConformance, PubSubFixtures
from flowyard.testing.conformance.purging import Purging
from flowyard.testing.conformance.recording import Recording
from flowyard.testing.conformance.refusing import Refusing
from flowyard.testing.conformance.renewing import Renewing
from flowyard.testing.conformance.reopening import Reopening
from flowyard.testing.conformance.replaying import Replaying
from flowyard.testing.conformance.rerunning import Rerunning
from flowyard.testing.conformance.retrying import Retrying
from flowyard.testing.conformance.sharing import Sharing
from flowyard.testing.conformance.starting import Starting
from flowyard.testing.conformance.state import StateConformance, StateFixtures, StateSubject
from flowyard.testing.conformance.states import States
from flowyard.testing.conformance.subject import ConformanceFixtures, Subject, requires
from flowyard.testing.conformance.surviving import Surviving
from flowyard.testing.conformance.terminating import Terminating
from flowyard.testing.conformance.timing import Timing

__all__ = [
    "BindingConformance",
    "ComponentConformance",
    "ConformanceFixtures",
    "PubSubConformance",
    "PubSubFixtures",
    "StateConformance",
    "StateFixtures",
    "StateSubject",
    "Subject",
    "requires",
]


class ComponentConformance(
    ConformanceFixtures,
    Starting,
    States,
    Events,
    Pausing,
    Terminating,
    Purging,
    Listing,
    Recording,
    Timing,
    Calling,
    Nesting,
    Retrying,
    Renewing,
    Carrying,
    Sharing,
    Reopening,
    Surviving,
    Replaying,
    Rerunning,
    Refusing,
):
    """Every rule of the seam as a test. Override the fixture `component_spec`."""
