"""The local executor: the app's own Python functions, in this process."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any

from flowyard.app import App
from flowyard.context import ActivityContext
from flowyard.errors import ActivityNotRegistered, WorkflowNotRegistered
from flowyard.execution import Execution
from flowyard.executor import ActivityResult, ActivityTask, LocalCode, Turn, TurnResult
from flowyard.models import FailureDetails
from flowyard.registry import Function
from flowyard.task import FAILURES


class LocalExecutor:
    """Runs turns at once and activities as coroutines or in threads.

    The live coroutine of each instance is kept, so that a turn costs only its new events.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.registry = app.registry
        self._executions: dict[str, tuple[str, Execution]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for instance_id in list(self._executions):
            self.forget(instance_id)
        if self._threads is not None:
            # A thread cannot be stopped; what it still returns is not recorded, so it runs again.
            self._threads.shutdown(wait=False, cancel_futures=True)

    def check_workflow(self, name: str) -> None:
        if name not in self.registry.workflows:
            raise WorkflowNotRegistered(name, self.registry.workflows)

    def local_code(self, workflow: str) -> LocalCode | None:
        definition = self.registry.workflow(workflow, None)
        return LocalCode(definition.version if definition is not None else None)

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
        result = execution.run(turn)
        if result.stalled is not None or execution.is_ended:
            self.forget(instance_id)
        return result

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        try:
            return ActivityResult(await self._call(task))
        except FAILURES as error:
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            return ActivityResult(failure=FailureDetails.of(error))

    def forget(self, instance_id: str) -> None:
        kept = self._executions.pop(instance_id, None)
        if kept is not None:
            kept[1].close()

    def awaited(self, instance_id: str) -> list[int]:
        kept = self._executions.get(instance_id)
        return kept[1].awaited() if kept is not None else []

    async def _call(self, task: ActivityTask) -> str:
        definition = self.registry.activities.get(task.name)
        if definition is None:
            raise ActivityNotRegistered(task.name, self.registry.activities)
        context = ActivityContext(task.instance_id, task.task_id, task.task_execution_id)
        what = f"input of activity '{task.name}'"
        arguments = definition.arguments(context, task.input, what)
        if definition.is_async:
            result = await definition.function(*arguments)
        else:
            call = partial(copy_context().run, _call_in_thread, definition.function, arguments)
            result, error = await asyncio.get_running_loop().run_in_executor(self._pool(), call)
            if error is not None:
                raise error
            if inspect.isawaitable(result):
                # A decorator that is itself no coroutine function hides that the activity is one.
                result = await result
        return definition.output.encode(result, f"result of activity '{task.name}'")

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
        return function(*arguments), None
    except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
        return None, error


def _is_cancelled() -> bool:
    """Whether it is the host that has cancelled the activity."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
