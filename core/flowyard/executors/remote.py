"""The remote executor: turns and activities that connected workers of any SDK run.

It knows no wire. A face opens a `WorkerStream` for each connected worker, takes work from it, and
answers with what the worker has said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta

from flowyard.backend.executor import (
    ActivityResult,
    ActivityTask,
    LocalCode,
    RegisteredExecutor,
    Turn,
    TurnResult,
    awaited,
)
from flowyard.backend.history import ExecutionStarted
from flowyard.clock import Clock
from flowyard.executors.work_queue import TURN_SECONDS, WorkQueue
from flowyard.machine import SYSTEM, Machine


class RemoteExecutor:
    """Runs what the app has in this process, and has workers run everything else."""

    def __init__(
        self,
        component: str,
        local: RegisteredExecutor | None = None,
        *,
        queue: WorkQueue | None = None,
    ) -> None:
        self.queue = WorkQueue(component) if queue is None else queue
        self._local = local
        self._workflows: Collection[str] = () if local is None else local.workflows()
        self._activities: Collection[str] = () if local is None else local.activities()

    def check_workflow(self, name: str) -> None:
        """A worker that knows the name may connect at any time."""

    def local_code(self, workflow: str) -> LocalCode | None:
        return self._local.local_code(workflow) if self._local is not None else None

    def run_turn(self, turn: Turn) -> TurnResult | Awaitable[TurnResult]:
        local = self._local
        if local is not None and started_of(turn).workflow in self._workflows:
            return local.run_turn(turn)
        return self.queue.put(turn)

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        local = self._local
        if local is not None and task.name in self._activities:
            return await local.run_activity(task)
        result: ActivityResult = await self.queue.put(task)
        return result

    def forget(self, instance_id: str) -> None:
        if self._local is not None:
            self._local.forget(instance_id)

    def recorded(self, instance_id: str, execution_id: str, task_id: int) -> None:
        """Tell the worker that has delivered the result of an activity that it is kept."""
        self.queue.acknowledgements.recorded(instance_id, execution_id, task_id)

    def closed(self, instance_id: str, execution_id: str) -> None:
        """Withdraw the activities of an execution that has ended."""
        self.queue.closed(instance_id, execution_id)

    def obstacle(self, instance_id: str, task_id: int | None = None) -> str | None:
        """Return why an activity of the instance waits for another worker, if one does."""
        return self.queue.obstacle(instance_id, task_id)

    def awaited(self, instance_id: str) -> Sequence[int]:
        """Return what the app's own code waits for; workers do not tell."""
        return awaited(self._local, instance_id) if self._local is not None else ()

    def watch(self, on_more: Callable[[], None]) -> Callable[[], None]:
        """Have it called whenever a worker has connected; returns what ends that."""
        return self.queue.watch(on_more)


class RemoteExecutors:
    """The remote executor of each component; `make` is what `Runtime.open` takes as `executor`.

    Args:
        turn_timeout: How long a worker may take to answer a turn, which then goes to another
            worker; 60 s by default. An activity may take as long as it likes.
        clock: The clock of that time; the event loop's by default.
        machine: Where names come from that no other run of the server has; the system by default.
    """

    def __init__(
        self,
        *,
        turn_timeout: timedelta = timedelta(seconds=TURN_SECONDS),
        clock: Clock | None = None,
        machine: Machine = SYSTEM,
    ) -> None:
        self._executors: dict[str, RemoteExecutor] = {}
        self._turn_seconds = turn_timeout.total_seconds()
        self._clock = clock
        self._machine = machine

    def make(self, component: str, local: RegisteredExecutor | None) -> RemoteExecutor:
        """Make the executor of a component that is being opened.

        Args:
            component: The name of the component.
            local: The app's own executor, which runs what the app has; None without an app.
        """
        queue = WorkQueue(
            component,
            turn_seconds=self._turn_seconds,
            clock=self._clock,
            machine=self._machine,
        )
        executor = self._executors[component] = RemoteExecutor(component, local, queue=queue)
        return executor

    def queue(self, component: str) -> WorkQueue:
        """Return what the workers of a component take their work from.

        Args:
            component: The name of a component for which `make` was called.
        """
        return self._executors[component].queue


def started_of(turn: Turn) -> ExecutionStarted:
    """Return how the execution of a turn that runs code began."""
    for events in (turn.past, turn.new):
        for event in events:
            if isinstance(event, ExecutionStarted):
                return event
    raise AssertionError("a turn that runs code has been started")
