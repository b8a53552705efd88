"""Temporal conforms: as a host of code of this process and of workers, cached and replayed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from flowyard.backend.component import ComponentType
from flowyard.config import ComponentSpec
from flowyard.config.plugins import component_type
from flowyard.testing.conformance import ComponentConformance, ConformanceFixtures
from flowyard.testing.conformance.listing import Listing
from flowyard.testing.conformance.pausing import Pausing
from flowyard.testing.conformance.purging import Purging
from flowyard.testing.conformance.recording import Recording
from flowyard.testing.conformance.refusing import Refusing
from flowyard.testing.conformance.states import States
from flowyard.testing.conformance.terminating import Terminating
from remote_component import with_workers

REMOTE = with_workers(component_type("workflow.temporal"))
IMPORTABLE = ("temporal.test_hosted_conformance:REMOTE",)


def _spec(address: str, kind: str = "workflow.temporal", **settings: object) -> ComponentSpec:
    # An activity of a process that is killed need not wait for as long as in earnest.
    quick = {"heartbeatTimeout": 3}
    metadata = {"hostPort": address, "taskQueue": uuid4().hex, **quick, **settings}
    return ComponentSpec(name="orders", type=kind, metadata=metadata)


class TestTemporal(ComponentConformance):
    @pytest.fixture
    def component_spec(self, temporal_server: str) -> ComponentSpec:
        return _spec(temporal_server)


@pytest.mark.long
class TestTemporalThatKeepsNothingInMemory(ComponentConformance):
    """Each instance is replayed whenever something happens to it."""

    @pytest.fixture
    def component_spec(self, temporal_server: str) -> ComponentSpec:
        return _spec(temporal_server, maxCachedWorkflows=0)


# Who runs the code has no part in these.
@pytest.mark.second_way(Listing, Purging, Refusing)
class TestTemporalWithWorkers(ComponentConformance):
    """Turns are local activities, and their results are in Temporal's history."""

    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return (REMOTE,)

    @pytest.fixture
    def importable_types(self) -> Sequence[str]:
        return IMPORTABLE

    @pytest.fixture
    def component_spec(self, temporal_server: str) -> ComponentSpec:
        return _spec(temporal_server, REMOTE.name)


@pytest.mark.long
class TestTemporalWithWorkersThatKeepsNothingInMemory(ComponentConformance):
    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return (REMOTE,)

    @pytest.fixture
    def importable_types(self) -> Sequence[str]:
        return IMPORTABLE

    @pytest.fixture
    def component_spec(self, temporal_server: str) -> ComponentSpec:
        return _spec(temporal_server, REMOTE.name, maxCachedWorkflows=0)


class TestTemporalThatHasNoPause(
    ConformanceFixtures, States, Pausing, Terminating, Recording, Refusing
):
    """The server's pause is switched off, as it is unless somebody switches it on."""

    @pytest.fixture
    def component_spec(self, server_without_pause: str) -> ComponentSpec:
        return _spec(server_without_pause)
