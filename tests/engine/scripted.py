"""An executor whose turns and activities a test answers by hand, as slow workers would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from flowyard import Runtime, WorkflowStatus
from flowyard.backend.executor import ActivityResult, ActivityTask, Turn, TurnResult
from flowyard.backend.history import (
    Action,
    ChildCreated,
    ContinuedAsNew,
    ExecutionCompleted,
    HistoryEvent,
    TaskScheduled,
)
from flowyard.config import ComponentSpec
from flowyard.failure import FailureDetails

PATIENCE_SECONDS = 30


@dataclass
class TurnInHand:
    """A turn that a worker has and has not answered."""

    turn: Turn
    answer: asyncio.Future[TurnResult]

    @property
    def new(self) -> list[str]:
        """What kinds of events are new to it, after its beginning."""
        return [type(event).__name__ for event in self.turn.new[1:]]

    def decide(self, *actions: Action) -> None:
        """Answer with what is to be done."""
        self.answer.set_result(TurnResult(actions))

    def stall(self) -> None:
        """Answer that the code does not fit."""
        failure = FailureDetails("VersionNotAvailable", "no version fits")
        self.answer.set_result(TurnResult(stalled=failure))


@dataclass
class ActivityInHand:
    """An activity that a worker has and has not answered."""

    task: ActivityTask
    answer: asyncio.Future[ActivityResult]

    def returns(self, output: str) -> None:
        """Answer with a result."""
        self.answer.set_result(ActivityResult(output))


@dataclass
class ScriptedExecutor:
    """Implements `Executor`, and notes what it is told."""

    turns: dict[str, asyncio.Queue[TurnInHand]] = field(default_factory=dict)
    activities: asyncio.Queue[ActivityInHand] = field(default_factory=asyncio.Queue)
    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    acknowledgement: asyncio.Event = field(default_factory=asyncio.Event)
    on_more: Callable[[], None] = lambda: None

    def check_workflow(self, name: str) -> None:
        pass

    def local_code(self, workflow: str) -> None:
        pass

    def run_turn(self, turn: Turn) -> asyncio.Future[TurnResult]:
        answer: asyncio.Future[TurnResult] = asyncio.get_running_loop().create_future()
        self._turns_of(turn.instance_id).put_nowait(TurnInHand(turn, answer))
        return answer

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        answer: asyncio.Future[ActivityResult] = asyncio.get_running_loop().create_future()
        self.activities.put_nowait(ActivityInHand(task, answer))
        return await answer

    def forget(self, instance_id: str) -> None:
        pass

    def recorded(self, instance_id: str, execution_id: str, task_id: int) -> None:
        self.acknowledged.append((instance_id, task_id))
        self.acknowledgement.set()

    def watch(self, on_more: Callable[[], None]) -> Callable[[], None]:
        self.on_more = on_more
        return lambda: None

    async def turn(self, instance_id: str) -> TurnInHand:
        """Return the next turn of an instance that has not been withdrawn."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                turn = await self._turns_of(instance_id).get()
                if not turn.answer.done():
                    return turn

    async def activity(self) -> ActivityInHand:
        """Return the next activity."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.activities.get()

    def has_turn(self, instance_id: str) -> bool:
        """Whether a turn of the instance waits for its answer, besides those that were taken."""
        return not self._turns_of(instance_id).empty()

    def _turns_of(self, instance_id: str) -> asyncio.Queue[TurnInHand]:
        return self.turns.setdefault(instance_id, asyncio.Queue())


def open_scripted(
    database: Path, executor: ScriptedExecutor, **metadata: str
) -> AbstractAsyncContextManager[Runtime]:
    """Open a runtime on the file whose code is what the test answers."""
    items = {"connectionString": f"sqlite:///{database}", **metadata}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=items)
    return Runtime.open([spec], executor=lambda _name, _local: executor)


async def begin(runtime: Runtime, executor: ScriptedExecutor, instance_id: str) -> TurnInHand:
    """Start an instance and return its first turn."""
    await runtime.start("any", instance_id=instance_id)
    return await executor.turn(instance_id)


def complete(output: str | None = None) -> ExecutionCompleted:
    """Return the action that ends an instance."""
    return ExecutionCompleted(WorkflowStatus.COMPLETED, output)


def call(task_id: int) -> TaskScheduled:
    """Return the action that calls an activity."""
    return TaskScheduled(task_id, "step", None, task_id)


def begin_child(task_id: int, instance_id: str) -> ChildCreated:
    """Return the action that starts a child."""
    return ChildCreated(task_id, "child", instance_id, None)


def renew() -> ContinuedAsNew:
    """Return the action that continues as new."""
    return ContinuedAsNew(None)


def inputs_of(history: Sequence[HistoryEvent], kind: type) -> list[str | None]:
    """Return what the events of a kind carry."""
    return [getattr(event, "input", None) for event in history if type(event) is kind]


async def wait_until_started(runtime: Runtime, first: str, *others: str) -> None:
    """Return once the first turns are written."""
    for instance_id in (first, *others):
        while (await runtime.get(instance_id)).status is WorkflowStatus.PENDING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def closes(runtime: Runtime, instance_id: str) -> str | None:
    """Return the output that an instance closes with."""
    async with asyncio.timeout(30):
        return (await runtime.wait(instance_id)).output
