"""What runs turns and activities: the app's own functions, or a connected SDK worker."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, cast, runtime_checkable

import msgspec

from flowyard.backend.history import (
    Action,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
)
from flowyard.failure import FailureDetails

logger = logging.getLogger(__name__)


class Turn(msgspec.Struct):
    """One deterministic step: the history of an instance, and its new events.

    Attributes:
        instance_id: The ID of the instance.
        execution_id: The ID of its current execution; empty before it has one.
        past: The committed history, the host's own growing list: an executor only reads it.
        new: The new events; the first one is TurnStarted.
        runs_code: False where the events are recorded and that is all, as the instance is paused,
            terminated or not started; True by default.
        replaying: Whether the engine repeats this turn instead of keeping it; False by default.
        patched: Answers, for an engine that repeats turns, whether a patch that the code asks for
            is in what it has recorded; None by default, where the history tells.
    """

    instance_id: str
    execution_id: str
    past: Sequence[HistoryEvent]
    new: Sequence[HistoryEvent]
    runs_code: bool = True
    replaying: bool = False
    patched: Callable[[str], bool] | None = None


class TurnResult(msgspec.Struct):
    """What a turn decided.

    Attributes:
        actions: The actions, in order; none by default.
        custom_status: The status that the code has set; empty where it was cleared, and None, the
            default, where this execution has set none: what the instance has stays.
        version: The workflow's version, for the turn's TurnStarted; None by default.
        patches: The patches that the code has come to, for the turn's TurnStarted.
        stalled: The reason why no code fits. Then nothing was decided and nothing may be
            committed: the instance waits until fitting code runs it again. None by default.
    """

    actions: Sequence[Action] = ()
    custom_status: str | None = None
    version: str | None = None
    patches: tuple[str, ...] = ()
    stalled: FailureDetails | None = None


class ActivityTask(msgspec.Struct, frozen=True, gc=False):
    """One attempt of an activity.

    Attributes:
        instance_id: The ID of the instance that has called it.
        task_id: The ID of the TaskScheduled, another for every attempt: with the execution's ID it
            names what is answered.
        name: The name of the activity.
        input: JSON text; None for no input.
        task_execution_id: The same for all attempts of one call.
        execution_id: The ID of the execution that has called it; empty by default.
        attempt: The number of the attempt, from 1.
        propagation: How much history it is told, as in `TaskScheduled`; 0 by default.
    """

    instance_id: str
    task_id: int
    name: str
    input: str | None
    task_execution_id: str
    execution_id: str = ""
    attempt: int = 1
    propagation: int = 0


class ActivityResult(msgspec.Struct, frozen=True, gc=False):
    """How an attempt of an activity ended.

    Attributes:
        output: The result, as JSON text; None, the default, for none.
        failure: The error with which it failed; None, the default, if it did not.
    """

    output: str | None = None
    failure: FailureDetails | None = None


@dataclass(frozen=True, slots=True)
class LocalCode:
    """Code of this process that runs a workflow.

    Attributes:
        version: The version that a new execution gets; None where the workflow has none.
    """

    version: str | None


class Executor(Protocol):
    """Runs workflow code for any host. Each call is made from the host's event loop."""

    def check_workflow(self, name: str) -> None:
        """Refuse a start that nobody could ever run.

        Args:
            name: The name of the workflow.

        Raises:
            WorkflowNotRegistered: If no workflow of this name can ever run here.
        """

    def local_code(self, workflow: str) -> LocalCode | None:
        """Return the code whose turns `run_turn` runs at once; None where a worker runs them.

        Args:
            workflow: The name of the workflow.
        """

    def run_turn(self, turn: Turn) -> TurnResult | Awaitable[TurnResult]:
        """Run one turn.

        Args:
            turn: The turn; those of one instance come one after the other.

        Returns:
            The result at once where the code is local, else something to await.
        """

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        """Run an activity to its end.

        Args:
            task: The attempt.

        Returns:
            How it ended: a failure is a result, not an exception.
        """
        ...

    def forget(self, instance_id: str) -> None:
        """Drop what is cached of an instance; the next turn rebuilds it from history.

        Args:
            instance_id: The ID of the instance, known or not.
        """


@runtime_checkable
class RegisteredExecutor(Executor, Protocol):
    """An executor that runs what is registered with it, and nothing else."""

    def workflows(self) -> Collection[str]:
        """Return the names of the registered workflows; it changes as more are registered."""
        ...

    def activities(self) -> Collection[str]:
        """Return the names of the registered activities; it changes as more are registered."""
        ...

    def leave_missing(self) -> None:
        """End the calls of activities that it lacks, without a result, as before a drain."""


@runtime_checkable
class QueuedTurn(Protocol):
    """What the answer of `run_turn` is besides, where a worker has to take the turn first."""

    is_taken: bool
    """Whether a worker has the turn now. One that none has can be withdrawn by `cancel`."""


@cache
def _implements(kind: type, protocol: Any) -> bool:
    # Unlike `isinstance`, which looks at the methods of a protocol each time, it costs nothing.
    return issubclass(kind, protocol)


@runtime_checkable
class ChangingExecutor(Protocol):
    """What an executor is besides, if code may come to it while the host is open."""

    def watch(self, on_more: Callable[[], None]) -> Callable[[], None]:
        """Have a host called whenever more code has come.

        Args:
            on_more: Runs the turns again that no code has fitted.

        Returns:
            What ends that.
        """
        ...


def watch(executor: Executor, on_more: Callable[[], None]) -> Callable[[], None]:
    """Be called whenever more code has come to an executor, if that can be.

    Args:
        executor: The executor, also one to which no code can come.
        on_more: Called without arguments; a host then runs the turns again that no code has fitted.

    Returns:
        What ends that.
    """
    if isinstance(executor, ChangingExecutor):
        return executor.watch(on_more)
    return lambda: None


@runtime_checkable
class TellingExecutor(Protocol):
    """What an executor is besides, if it can tell what the code of an instance waits for."""

    def awaited(self, instance_id: str) -> Sequence[int]:
        """Return the IDs of the actions that all have to end, or one to fail, for it to go on.

        Empty where the code waits for something else too, or nobody knows.
        """
        ...


def awaited(executor: Executor, instance_id: str) -> Sequence[int]:
    """Return what the code that has just run a turn waits for, if that can be told.

    Args:
        executor: The executor that has run it.
        instance_id: The ID of the instance.

    Returns:
        The IDs of the actions that all have to end, or one to fail, for the code to go on: a host
        may leave it alone until then. Empty where it waits for something else too.
    """
    if not _implements(type(executor), TellingExecutor):
        return ()
    return cast("TellingExecutor", executor).awaited(instance_id)


@runtime_checkable
class AcknowledgingExecutor(Protocol):
    """What an executor is besides, if whoever ran an activity is told when its result is kept."""

    def recorded(self, instance_id: str, execution_id: str, task_id: int) -> None:
        """Note that the result is durable, or that nothing waits for it any more.

        Args:
            instance_id: The ID of the instance that has called the activity.
            execution_id: The ID of the execution that has called it.
            task_id: The ID of the attempt.
        """
        ...


def recorded(executor: Executor, instance_id: str, execution_id: str, task_id: int) -> None:
    """Tell the executor that the result of an activity is durable, or is not wanted any more.

    Every host calls this after the commit that holds the result. Until then a worker that has
    delivered the result is not answered.

    Args:
        executor: The executor that has run the activity.
        instance_id: The ID of the instance that has called it.
        execution_id: The ID of the execution that has called it.
        task_id: The ID of the attempt.
    """
    if _implements(type(executor), AcknowledgingExecutor):
        cast("AcknowledgingExecutor", executor).recorded(instance_id, execution_id, task_id)


@runtime_checkable
class DroppingExecutor(Protocol):
    """What an executor is besides, if it holds work of executions that may have ended meanwhile."""

    def closed(self, instance_id: str, execution_id: str) -> None:
        """Note that the execution has ended: nobody wants the results of its activities."""
        ...


def closed(executor: Executor, instance_id: str, execution_id: str) -> None:
    """Tell the executor that an execution has ended for good.

    Every host calls this after the commit that ends it (completed, failed, terminated or
    continued as new). Activities of it that no worker has begun are then not begun any more, and
    none is handed out again because its worker has gone. `forget` is another thing: an instance
    may leave the memory of its host and go on later.

    Args:
        executor: The executor that has run it.
        instance_id: The ID of the instance.
        execution_id: The ID of the execution.
    """
    if _implements(type(executor), DroppingExecutor):
        cast("DroppingExecutor", executor).closed(instance_id, execution_id)


@runtime_checkable
class ExplainingExecutor(Protocol):
    """What an executor is besides, if it can tell why work of an instance does not begin."""

    def obstacle(self, instance_id: str, task_id: int | None = None) -> str | None:
        """Return in words why an activity waits that could begin otherwise; None if none does.

        With a task ID it is about that attempt alone.
        """
        ...


def obstacle(executor: Executor, instance_id: str, task_id: int | None = None) -> str | None:
    """Return what keeps an activity of the instance from beginning, if there is something.

    Args:
        executor: The executor that is to run it.
        instance_id: The ID of the instance.
        task_id: The ID of one attempt, to ask about that alone; by default, any of the instance.

    Returns:
        The reason in words, for the `detail` of a state; None where there is none.
    """
    if not _implements(type(executor), ExplainingExecutor):
        return None
    return cast("ExplainingExecutor", executor).obstacle(instance_id, task_id)


async def perform(executor: Executor, task: ActivityTask) -> ActivityResult:
    """Have an attempt of an activity run, and tell in the log if it fails.

    Args:
        executor: The executor that runs it.
        task: The attempt.

    Returns:
        How it ended.
    """
    result = await executor.run_activity(task)
    if result.failure is not None:
        _tell_failure(task, result.failure)
    return result


def _tell_failure(task: ActivityTask, failure: FailureDetails) -> None:
    logger.warning(
        "activity '%s' of instance '%s' failed (task %d, attempt %d): %s: %s\n%s",
        task.name,
        task.instance_id,
        task.task_id,
        task.attempt,
        failure.error_type,
        failure.message,
        failure.trace,
    )


async def run_scheduled(
    executor: Executor, instance_id: str, execution_id: str, scheduled: TaskScheduled
) -> TaskCompleted | TaskFailed:
    """Run a scheduled activity, unless it is refused, and tell in the log if it fails.

    Args:
        executor: The executor that runs it.
        instance_id: The ID of the instance that has called it.
        execution_id: The ID of the execution that has called it.
        scheduled: The action.

    Returns:
        The event that tells how it ended.
    """
    if scheduled.refused is not None:
        return TaskFailed(scheduled.id, scheduled.refused)
    task = ActivityTask(
        instance_id,
        scheduled.id,
        scheduled.name,
        scheduled.input,
        scheduled.task_execution_id(execution_id),
        execution_id,
        scheduled.attempt,
        scheduled.propagation,
    )
    # Not by `perform`: a coroutine less for each activity.
    result = await executor.run_activity(task)
    if result.failure is None:
        return TaskCompleted(scheduled.id, result.output)
    _tell_failure(task, result.failure)
    return TaskFailed(scheduled.id, result.failure)
