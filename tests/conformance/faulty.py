"""Components that are deliberately wrong, each in one way. Run by test_faults.py, in a process."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flowyard.component import Capability, ComponentType, WorkflowComponent
from flowyard.config import ComponentSpec
from flowyard.errors import InstanceAlreadyExists, InstanceNotFound
from flowyard.executor import ActivityResult, ActivityTask, Executor, LocalCode, Turn, TurnResult
from flowyard.history import HistoryEvent, TaskCompleted
from flowyard.models import InstancePage, InstanceQuery, StartRequest, WorkflowState
from flowyard.plugins import component_type
from flowyard.testing.conformance import ComponentConformance
from flowyard.testing.delegate import DelegatingComponent, in_front_of
from flowyard.testing.probe import PATIENCE

ENGINE = component_type("workflow.engine")
_FAULT = os.environ.get("FLOWYARD_TEST_FAULT", "none")


class DropsAnEvent(DelegatingComponent):
    """Acknowledges the third event of an instance, and loses it."""

    def __init__(self, name: str, inner: WorkflowComponent) -> None:
        super().__init__(name, inner)
        self._raised: Counter[str] = Counter()

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        self._raised[instance_id] += 1
        if self._raised[instance_id] == 3:
            return True
        return await super().raise_event(instance_id, name, data)


class DoublesAnEvent(DelegatingComponent):
    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        await super().raise_event(instance_id, name, data)
        return await super().raise_event(instance_id, name, data)


class DoublesAResult(DelegatingComponent):
    """Records the result of an activity twice."""

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        doubled: list[HistoryEvent] = []
        for event in await super().history(instance_id):
            doubled += [event, event] if isinstance(event, TaskCompleted) else [event]
        return doubled


class ForgetsAPause(DelegatingComponent):
    """Acknowledges a pause, and lets the instance go on."""

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        await self.get(instance_id)
        return True


class PretendsToPause(DelegatingComponent):
    """Shows a paused instance as suspended, and lets it go on."""

    def __init__(self, name: str, inner: WorkflowComponent) -> None:
        super().__init__(name, inner)
        self._paused: set[str] = set()

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        state = await super().get(instance_id, payloads=payloads)
        if instance_id in self._paused and not state.status.is_closed:
            return replace(state, status=type(state.status).SUSPENDED)
        return state

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        changes = instance_id not in self._paused and not (
            (await self.get(instance_id)).status.is_closed
        )
        self._paused.add(instance_id)
        return changes

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        changes = instance_id in self._paused
        self._paused.discard(instance_id)
        return changes


class PretendsToPurge(DelegatingComponent):
    """Acknowledges a purge, and leaves everything where it is (as the old Dapr ones did)."""

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        await self.get(instance_id)
        return 1


class ForgetsAnOutput(DelegatingComponent):
    """Terminates without the output that was given."""

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        return await super().terminate(instance_id, recursive=recursive)


class ForgetsChildren(DelegatingComponent):
    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        return await super().terminate(instance_id, output=output, recursive=False)


class SwallowsDuplicates(DelegatingComponent):
    """Acknowledges a start that its backend has refused."""

    async def start(self, request: StartRequest) -> None:
        try:
            await super().start(request)
        except InstanceAlreadyExists:
            return


class KnowsCase(DelegatingComponent):
    """Tells `GO` from `go`."""

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        return await super().raise_event(instance_id, name if name.islower() else "?", data)


class ShortensPages(DelegatingComponent):
    """Leaves the last instance of a full page out."""

    async def list(self, query: InstanceQuery) -> InstancePage:
        page = await super().list(query)
        if len(page.instances) < query.page_size:
            return page
        return replace(page, instances=page.instances[:-1])


class AnswersForTheUnknown(DelegatingComponent):
    """Says that nothing was to be done where there is no such instance."""

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        try:
            return await super().raise_event(instance_id, name, data)
        except InstanceNotFound:
            return False


class RepairsText(DelegatingComponent):
    """Stores empty text as none."""

    async def start(self, request: StartRequest) -> None:
        await super().start(replace(request, input=request.input or None))


class DoesNotPurge(DelegatingComponent):
    """Leaves out an operation that its type declares."""

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        return await WorkflowComponent.purge(self, instance_id, recursive=recursive)


class _RunsTwice:
    """Runs each activity twice, and takes the second result."""

    def __init__(self, inner: Executor) -> None:
        self._inner = inner

    def check_workflow(self, name: str) -> None:
        self._inner.check_workflow(name)

    def local_code(self, workflow: str) -> LocalCode | None:
        return self._inner.local_code(workflow)

    def run_turn(self, turn: Turn) -> TurnResult | Any:
        return self._inner.run_turn(turn)

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        await self._inner.run_activity(task)
        return await self._inner.run_activity(task)

    def forget(self, instance_id: str) -> None:
        self._inner.forget(instance_id)


def _faulty(
    component: Callable[[str, WorkflowComponent], WorkflowComponent] = DelegatingComponent,
    *,
    executor: Callable[[Executor], Executor] | None = None,
    undeclared: frozenset[Capability] = frozenset(),
) -> ComponentType[Any]:
    return in_front_of(
        ENGINE,
        "workflow.faulty",
        component,
        executor=executor,
        capabilities=ENGINE.capabilities - undeclared,
    )


FAULTS: Mapping[str, ComponentType[Any]] = {
    "none": _faulty(),
    "drops an event": _faulty(DropsAnEvent),
    "doubles an event": _faulty(DoublesAnEvent),
    "doubles a result": _faulty(DoublesAResult),
    "runs activities twice": _faulty(executor=_RunsTwice),
    "forgets a pause": _faulty(ForgetsAPause),
    "pretends to pause": _faulty(PretendsToPause),
    "pretends to purge": _faulty(PretendsToPurge),
    "forgets an output": _faulty(ForgetsAnOutput),
    "forgets children": _faulty(ForgetsChildren),
    "swallows duplicates": _faulty(SwallowsDuplicates),
    "knows case": _faulty(KnowsCase),
    "shortens pages": _faulty(ShortensPages),
    "answers for the unknown": _faulty(AnswersForTheUnknown),
    "repairs text": _faulty(RepairsText),
    "does what it does not declare": _faulty(undeclared=frozenset({Capability.HISTORY})),
    "declares what it does not do": _faulty(DoesNotPurge),
}


class TestFaulty(ComponentConformance):
    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        return [FAULTS[_FAULT]]

    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
        return ComponentSpec(name="faulty", type="workflow.faulty", metadata=metadata)

    @pytest.fixture
    def patience(self) -> timedelta:
        # What a fault makes the suite wait for never comes.
        return PATIENCE if _FAULT == "none" else timedelta(seconds=2)
