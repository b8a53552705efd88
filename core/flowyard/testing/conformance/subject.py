"""What the suite tests: an open runtime with one component, and how its tests ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import uuid4

import pytest

from flowyard.backend.component import Capability, ComponentType, WorkflowComponent
from flowyard.config import ComponentSpec
from flowyard.config.plugins import component_type
from flowyard.models import ReusePolicy, WorkflowState, WorkflowStatus
from flowyard.payload import ABSENT
from flowyard.runtime import Runtime
from flowyard.testing.portable import portable_app
from flowyard.testing.probe import PATIENCE, Probe
from flowyard.workflow.app import App

_SHORT_WHILE = 0.02
ACTIVE = frozenset({WorkflowStatus.PENDING, WorkflowStatus.RUNNING})


def requires(*capabilities: StrEnum) -> pytest.MarkDecorator:
    """Skip a test where the component does not declare these."""
    return pytest.mark.flowyard_requires(*capabilities)


def lasting() -> pytest.MarkDecorator:
    """Skip a test where the component declares that nothing outlives it."""
    return pytest.mark.flowyard_lasting


@dataclass(frozen=True, slots=True)
class Subject:
    """One open component under test."""

    runtime: Runtime
    component: WorkflowComponent
    capabilities: frozenset[Capability]
    probe: Probe
    native_workflows: Mapping[str, str]

    def new_id(self) -> str:
        """Return an ID that no instance has; also backends that tests share stay apart."""
        return f"conformance-{uuid4().hex}"

    def named(self, workflow: str) -> str:
        """Return what a portable workflow is called here, or skip the test."""
        if Capability.HOSTING in self.capabilities:
            return workflow
        if workflow not in self.native_workflows:
            pytest.skip(
                f"component '{self.component.name}' declares no {Capability.HOSTING}, and "
                f"`native_workflows` names no '{workflow}'"
            )
        return self.native_workflows[workflow]

    async def start(
        self,
        workflow: str,
        input: object = ABSENT,
        *,
        instance_id: str | None = None,
        start_at: datetime | None = None,
        reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED,
    ) -> str:
        """Start a portable workflow and return its instance ID."""
        return await self.runtime.start(
            self.named(workflow),
            input=input,
            instance_id=instance_id or self.new_id(),
            start_at=start_at,
            reuse=reuse,
        )

    async def finish(self, instance_id: str) -> WorkflowState:
        """Return the state of an instance once it is closed."""
        return await self.runtime.wait(instance_id, timeout=self.probe.patience)

    async def run(
        self, workflow: str, input: object = ABSENT, *, instance_id: str | None = None
    ) -> WorkflowState:
        """Start a workflow and return its state once it is closed."""
        return await self.finish(await self.start(workflow, input, instance_id=instance_id))

    async def result(self, workflow: str, input: object = ABSENT) -> Any:
        """Start a workflow and return its result."""
        return (await self.run(workflow, input)).result()

    async def start_at_gate(self, workflow: str, gate: str = "gate") -> str:
        """Start a workflow and return once it stands at its gate."""
        instance_id = await self.start(workflow)
        await self.probe.reached(instance_id, gate)
        return instance_id

    async def becomes(self, instance_id: str, status: WorkflowStatus) -> WorkflowState:
        """Return the state of an instance once it has this status."""
        async with asyncio.timeout(self.probe.patience.total_seconds()):
            while (  # noqa: ASYNC110 - it becomes so elsewhere
                state := await self.runtime.get(instance_id)
            ).status is not status:
                await asyncio.sleep(_SHORT_WHILE)
        return state

    async def let_others_pass(self) -> None:
        """Run another instance with a timer to its end: time for a fault to show itself."""
        await self.result("timer", 40)


OpenSubject: TypeAlias = Callable[..., AbstractAsyncContextManager[Subject]]


class ConformanceFixtures:
    """The fixtures of the suite. Override `component_spec`, and the others if need be."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def component_spec(self) -> ComponentSpec:
        """The component to test, as components.yaml would have it."""
        raise NotImplementedError(
            "override the fixture `component_spec`: return "
            "ComponentSpec(name='mine', type='workflow.mine', metadata={…})"
        )

    @pytest.fixture
    def component_types(self) -> Sequence[ComponentType[Any]]:
        """Component types that no entry point offers."""
        return ()

    @pytest.fixture
    def importable_types(self) -> Sequence[str]:
        """Where another process imports `component_types`, each as `package.module:NAME`.

        The suite has a process killed that has the component open. It finds by itself what an
        entry point offers.
        """
        return ()

    @pytest.fixture
    def native_workflows(self) -> Mapping[str, str]:
        """The engine's own workflows that do what the suite's `echo`, `waiter`, `failing` do.

        Asked only where the component does not declare `Capability.HOSTING`.
        """
        return {}

    @pytest.fixture
    def patience(self) -> timedelta:
        """How long to wait for anything before the test fails."""
        return PATIENCE

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def capabilities(
        self, component_spec: ComponentSpec, component_types: Sequence[ComponentType[Any]]
    ) -> frozenset[Capability]:
        """What the component type declares, read without a connection."""
        declared = component_type(component_spec.type, extra=component_types).capabilities
        return frozenset(verb for verb in declared if isinstance(verb, Capability))

    @pytest.fixture(autouse=True)
    def _skip_what_is_not_declared(
        self, request: pytest.FixtureRequest, capabilities: frozenset[Capability]
    ) -> None:
        for mark in request.node.iter_markers("flowyard_requires"):
            missing = sorted(set(mark.args) - capabilities)
            if missing:
                pytest.skip(f"the component does not declare {', '.join(missing)}")
        is_lasting = request.node.get_closest_marker("flowyard_lasting") is not None
        if is_lasting and Capability.VOLATILE in capabilities:
            pytest.skip(f"the component declares {Capability.VOLATILE}")

    @pytest.fixture
    def open_subject(
        self,
        component_spec: ComponentSpec,
        component_types: Sequence[ComponentType[Any]],
        capabilities: frozenset[Capability],
        native_workflows: Mapping[str, str],
        patience: timedelta,
    ) -> OpenSubject:
        """Open the component once more: `async with open_subject() as subject`."""

        @asynccontextmanager
        async def open_once_more(
            probe: Probe | None = None,
            changed: Mapping[str, Callable[..., Any]] | None = None,
            *,
            cuts_off: bool = False,
        ) -> AsyncIterator[Subject]:
            probe = probe or Probe(patience)
            app: App = portable_app(probe, changed)
            async with Runtime.open(
                [component_spec], app, component_types=component_types
            ) as runtime:
                try:
                    component = runtime.component(component_spec.name)
                    yield Subject(runtime, component, capabilities, probe, native_workflows)
                finally:
                    # A backend may wait for running activities when it closes.
                    if not cuts_off:
                        probe.close()

        return open_once_more

    @pytest.fixture
    async def subject(self, open_subject: OpenSubject) -> AsyncIterator[Subject]:
        """The open component that most tests need."""
        async with open_subject() as subject:
            yield subject
