"""The test kit: a runtime of its own on a fresh file, whose time only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from flowyard.config import ComponentSpec
from flowyard.errors import FlowyardError
from flowyard.models import WorkflowState
from flowyard.runtime import Runtime
from flowyard.testing.clock import VirtualClock
from flowyard.testing.waits import open_waits
from flowyard.workflow.app import App

_LONGEST_WAIT = timedelta(days=36_500)


class NothingScheduled(FlowyardError):
    """An instance waits, and neither work nor an alarm is left that could wake it.

    Args:
        why: The part of the message that says what is missing.
        waits: The things that the instance waits for, in words, for the message.

    Attributes:
        state: The state of the instance.
    """

    def __init__(self, state: WorkflowState, why: str, waits: Sequence[str]) -> None:
        waits_for = f" It waits for {', '.join(waits)}." if waits else ""
        detail = f" {state.detail}" if state.detail else ""
        super().__init__(
            f"instance '{state.instance_id}' of workflow '{state.workflow}' is {state.status}, "
            f"and {why}.{detail}{waits_for} Raise the event (or resume the instance) before "
            "kit.wait()."
        )
        self.state = state


@runtime_checkable
class SupportsIdle(Protocol):
    """A component that can tell when it has nothing left to do at the present time."""

    async def idle(self) -> None:
        """Return once no turn is being committed, no activity runs and nothing is queued."""


class WorkflowKit:
    """A runtime under a virtual clock. Time passes in `wait` and `advance`, and only there.

    `open_kit` opens one, and so does the pytest fixture `workflow_kit`.

    Args:
        app: The app that the runtime runs.
        runtime: Opened with the clock; kept as `runtime`, to start instances and raise events.
        clock: The virtual clock; kept as `clock`.

    Raises:
        FlowyardError: If the default component cannot tell when it is idle, as only the built-in
            engine does.
    """

    def __init__(self, app: App, runtime: Runtime, clock: VirtualClock) -> None:
        component = runtime.component()
        if not isinstance(component, SupportsIdle):
            raise FlowyardError(
                f"component '{component.name}' cannot tell when it is idle, so its time cannot "
                "be skipped. Use the built-in engine (workflow.engine) with the test kit."
            )
        self.runtime = runtime
        self.clock = clock
        self._component: SupportsIdle = component
        self._registry = app.registry

    async def wait(self, instance_id: str, *, within: timedelta = _LONGEST_WAIT) -> WorkflowState:
        """Return the state of an instance once it is closed, skipping the time until then.

        It runs what is due; when nothing is, it jumps to the next alarm.

        Args:
            instance_id: The ID of the instance, as `runtime.start` returned it.
            within: The most virtual time that may be skipped; 36,500 days by default.

        Raises:
            NothingScheduled: If no alarm is left, or none within that time.
            InstanceNotFound: If there is no such instance.
        """
        last = self.clock.now() + within // timedelta(microseconds=1)
        closed = asyncio.ensure_future(self.runtime.wait(instance_id))
        try:
            while not await self._settled_before(closed):
                state = await self.runtime.get(instance_id)
                if state.status.is_closed:
                    break
                upcoming = self.clock.next_alarm
                if upcoming is None:
                    raise await self._nothing("nothing is scheduled", state)
                if upcoming > last:
                    raise await self._nothing(f"nothing is scheduled within {within}", state)
                self.clock.advance_to(upcoming)
            return await closed
        finally:
            closed.cancel()

    async def settle(self) -> None:
        """Run everything that is due at the present time."""
        await self._component.idle()
        while self.clock.is_due:
            # An alarm set for the past rings on the loop's next round.
            await asyncio.sleep(0)
            await self._component.idle()

    async def advance(self, by: timedelta) -> None:
        """Let time pass; everything that falls due on the way runs at its own time.

        Args:
            by: The virtual time that passes.
        """
        target = self.clock.now() + by // timedelta(microseconds=1)
        await self.settle()
        while (upcoming := self.clock.next_alarm) is not None and upcoming <= target:
            self.clock.advance_to(upcoming)
            await self.settle()
        self.clock.advance_to(target)

    async def _nothing(self, why: str, state: WorkflowState) -> NothingScheduled:
        history = await self.runtime.history(state.instance_id)
        return NothingScheduled(state, why, open_waits(self._registry, state.instance_id, history))

    async def _settled_before(self, closed: asyncio.Future[WorkflowState]) -> bool:
        """Run what is due, or stop as soon as the instance is closed; say whether it is."""
        # An activity may run for as long as the test likes: idleness alone is not waited for.
        settled = asyncio.ensure_future(self.settle())
        try:
            either: set[asyncio.Future[Any]] = {settled, closed}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not closed.done():
                settled.result()
            return closed.done()
        finally:
            settled.cancel()


@asynccontextmanager
async def open_kit(
    app: App, path: Path, *, activities: Mapping[str, Callable[..., object]] | None = None
) -> AsyncIterator[WorkflowKit]:
    """Open a kit with the built-in engine on a SQLite file.

    An activity that the app lacks fails at once.

    Args:
        app: The app under test, of which the kit runs a copy.
        path: The file, which is made if there is none. What it holds goes on.
        activities: Functions that replace the app's activities, by the names of these; none by
            default.

    Yields:
        The kit, which is closed at the end of the block.

    Raises:
        RegistrationError: If the app has no activity of a name that is given.
        BackendUnavailable: If the file cannot be used.

    Example:
        ```python
        async with open_kit(app, tmp_path / "kit.db", activities={"remind": pretend}) as kit:
            instance_id = await kit.runtime.start(approve)
            state = await kit.wait(instance_id)
            assert state.result() == "reminded"
        ```
    """
    clock = VirtualClock()
    spec = ComponentSpec(
        name="kit", type="workflow.engine", metadata={"connectionString": f"sqlite:///{path}"}
    )
    staged = app.with_activities(activities) if activities else copy(app)
    # No other process will bring what the app lacks.
    staged.unknown_activities = "fail"
    async with Runtime.open([spec], staged, clock=clock) as runtime:
        yield WorkflowKit(staged, runtime, clock)


class OpenWorkflowKit(Protocol):
    """The type of the pytest fixture `workflow_kit`, which comes with Flowyard.

    Example:
        ```python
        async def test_nobody_answers(workflow_kit: OpenWorkflowKit) -> None:
            async with workflow_kit(app, activities={"remind": lambda ctx: None}) as kit:
                state = await kit.wait(await kit.runtime.start(approve))
                assert state.result() == "reminded"
        ```
    """

    def __call__(
        self, app: App, *, activities: Mapping[str, Callable[..., object]] | None = None
    ) -> AbstractAsyncContextManager[WorkflowKit]:
        """Open a kit on a fresh file; a later kit of the same test has a file of its own.

        Args:
            app: The app under test, of which the kit runs a copy.
            activities: Functions that replace the app's activities, by the names of these; none by
                default.
        """
        ...
