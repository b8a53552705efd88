"""The local executor: the app's own Python functions, in this process."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from flowyard.backend.executor import ActivityResult, ActivityTask, LocalCode, Turn, TurnResult
from flowyard.errors import ActivityNotRegistered, WorkflowNotRegistered
from flowyard.failure import FailureDetails
from flowyard.workflow.activity_context import ActivityContext
from flowyard.workflow.app import App
from flowyard.workflow.definition import Definition, Function
from flowyard.workflow.execution import Execution
from flowyard.workflow.task import check_interrupt

if TYPE_CHECKING:
    from flowyard.blocks.blocks import Blocks

logger = logging.getLogger(__name__)


class LocalExecutor:
    """Runs turns at once and activities as coroutines or in threads.

    The live coroutine of each instance is kept, so that a turn costs only its new events.
    """

    def __init__(self, app: App, blocks: Blocks | None = None) -> None:
        self._app = app
        self._blocks = blocks
        self.registry = app.registry
        self._executions: dict[str, tuple[str, Execution]] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._missing: dict[str, list[_Missing]] = {}
        self._leaves_missing = False
        self._unwatch: Callable[[], None] = _nothing

    def __enter__(self) -> LocalExecutor:
        self._unwatch = self.registry.watch(self._activity_added)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._unwatch()
        for instance_id in list(self._executions):
            self.forget(instance_id)
        if self._threads is not None:
            # A thread cannot be stopped; what it still returns is not recorded, so it runs again.
            self._threads.shutdown(wait=False, cancel_futures=True)

    def workflows(self) -> Collection[str]:
        return self.registry.workflows.keys()

    def activities(self) -> Collection[str]:
        return self.registry.activities.keys()

    def check_workflow(self, name: str) -> None:
        if name not in self.registry.workflows:
            raise WorkflowNotRegistered(name, self.registry.workflows)

    def local_code(self, workflow: str) -> LocalCode | None:
        definition = self.registry.workflow(workflow, None)
        return LocalCode(definition.version) if definition is not None else None

    def run_turn(self, turn: Turn) -> TurnResult:
        instance_id = turn.instance_id
        kept = self._executions.get(instance_id)
        if kept is not None and kept[0] == turn.execution_id and kept[1].position <= len(turn.past):
            execution = kept[1]
        else:
            if kept is not None:
                kept[1].close()
            execution = Execution(instance_id, self.registry)
            self._executions[instance_id] = (turn.execution_id, execution)
        try:
            result = execution.run(turn)
        except BaseException:
            # What it has done is not known: the next turn rebuilds it from history.
            self.forget(instance_id)
            raise
        if result.stalled is not None or execution.is_ended:
            self.forget(instance_id)
        return result

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        runner = asyncio.current_task()
        try:
            return await self._call(task)
        except BaseException as error:
            check_interrupt(error)
            if _is_ended_by_host(error, runner):
                raise
            return ActivityResult(failure=FailureDetails.of(error))

    def leave_missing(self) -> None:
        """End the calls of activities that the app lacks, without a result: a drain waits for all.

        Whoever has the instances next begins them again.
        """
        self._leaves_missing = True
        for calls in self._missing.values():
            for call in calls:
                call.registered.cancel()

    def obstacle(self, instance_id: str, task_id: int | None = None) -> str | None:
        """Return which activities the instance waits for because the app lacks them."""
        if not self._missing:
            return None
        names = [
            f"'{name}'"
            for name, calls in self._missing.items()
            if any(call.is_of(instance_id, task_id) for call in calls)
        ]
        return f"waits for activity {', '.join(names)}, which this process lacks" if names else None

    def forget(self, instance_id: str) -> None:
        kept = self._executions.pop(instance_id, None)
        if kept is not None:
            kept[1].close()

    def awaited(self, instance_id: str) -> list[int]:
        kept = self._executions.get(instance_id)
        return kept[1].awaited() if kept is not None else []

    async def _call(self, task: ActivityTask) -> ActivityResult:
        definition = self.registry.activities.get(task.name) or await self._registered(task)
        context = ActivityContext(
            task.instance_id, task.task_id, task.task_execution_id, task.attempt, self._blocks
        )
        what = f"input of activity '{task.name}'"
        arguments = definition.arguments(context, task.input, what)
        if definition.is_async:
            result = await definition.function(*arguments)
        else:
            call = partial(copy_context().run, _call_in_thread, definition.function, arguments)
            result, error = await asyncio.get_running_loop().run_in_executor(self._pool(), call)
            if error is not None:
                return ActivityResult(failure=FailureDetails.of(error))
            if inspect.isawaitable(result):
                # A decorator that is itself no coroutine function hides that the activity is one.
                result = await result
        return ActivityResult(definition.output.encode(result, f"result of activity '{task.name}'"))

    async def _registered(self, task: ActivityTask) -> Definition:
        """Wait until the app has the activity: a process of another release may have it already."""
        name = task.name
        missing = ActivityNotRegistered(name, self.registry.activities)
        if self._app.unknown_activities == "fail":
            raise missing
        logger.warning(
            "instance '%s' waits for activity '%s', which this process lacks: %s Until then, or "
            "until a process that has it takes over, the instance stays as it is; "
            'App(unknown_activities="fail") fails it instead.',
            task.instance_id,
            name,
            missing,
        )
        call = _Missing(task.instance_id, task.task_id, asyncio.get_running_loop().create_future())
        calls = self._missing.setdefault(name, [])
        calls.append(call)
        try:
            if self._leaves_missing:
                call.registered.cancel()
            await call.registered
        except asyncio.CancelledError as error:
            raise _NoResult from error
        finally:
            calls.remove(call)
            if not calls:
                self._missing.pop(name, None)
        return self.registry.activities[name]

    def _activity_added(self, name: str) -> None:
        # From whichever thread registers it.
        for call in list(self._missing.get(name, ())):
            call.registered.get_loop().call_soon_threadsafe(_wake, call.registered)

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(
                self._app.max_activity_threads, thread_name_prefix="flowyard-activity"
            )
        return self._threads


def _call_in_thread(
    function: Function, arguments: tuple[object, ...]
) -> tuple[Any, BaseException | None]:
    # Not through the future, which swaps a TimeoutError and never ends with a StopIteration.
    try:
        result = function(*arguments)
        # A lazy value does its work when it is read, which belongs here.
        return list(result) if isinstance(result, Iterator) else result, None
    except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
        return None, error


class _NoResult(asyncio.CancelledError):
    """The activity was not begun: it is as if the host had cancelled it."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """A call of an activity that the app lacks."""

    instance_id: str
    task_id: int
    registered: asyncio.Future[None]

    def is_of(self, instance_id: str, task_id: int | None) -> bool:
        return self.instance_id == instance_id and task_id in {None, self.task_id}


def _nothing() -> None:
    """Stand for what there is to end before anything has begun."""


def _wake(registered: asyncio.Future[None]) -> None:
    if not registered.done():
        registered.set_result(None)


def _is_ended_by_host(error: BaseException, runner: asyncio.Task[object] | None) -> bool:
    """Whether the host has cancelled the activity, or is gone: that is no result."""
    if isinstance(error, _NoResult):
        return True
    if isinstance(error, asyncio.CancelledError):
        return runner is not None and runner.cancelling() > 0
    # A coroutine that nobody runs any more is closed from outside.
    return isinstance(error, GeneratorExit) and _current_task() is not runner


def _current_task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
