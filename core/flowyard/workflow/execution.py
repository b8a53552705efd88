"""The deterministic interpreter: feed it the events of an execution, it returns actions."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from flowyard.backend.executor import Turn, TurnResult
from flowyard.backend.history import (
    Action,
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ContinuedAsNew,
    EventRaised,
    EventSent,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
)
from flowyard.errors import NonDeterminismError, WorkflowCodeError, nearest
from flowyard.failure import FailureDetails
from flowyard.models import WorkflowStatus
from flowyard.payload import UNTYPED
from flowyard.workflow.commands import Schedule
from flowyard.workflow.context import WorkflowContext
from flowyard.workflow.definition import Definition
from flowyard.workflow.registry import Registry
from flowyard.workflow.task import STRANDS, Strand, Strands, Task, check_interrupt

logger = logging.getLogger(__name__)


class _NoEventLoop:
    """Stands in for the running event loop while workflow code runs, and explains itself."""

    def __getattr__(self, name: str) -> NoReturn:
        raise WorkflowCodeError(
            f"workflow code used asyncio's event loop ({name}). Deterministic code waits only for "
            "tasks of its context: use ctx.create_timer() instead of asyncio.sleep(), when_all() "
            "instead of asyncio.gather(), and ctx.call_activity() for I/O."
        )

    def __hash__(self) -> int:
        # asyncio looks up the current task by its loop: asyncio.timeout() and HTTP clients do.
        self.__getattr__("the current task")


_NO_EVENT_LOOP: Any = _NoEventLoop()


class Execution:
    """One execution of a workflow, kept between turns so that a turn costs its new events only."""

    __slots__ = (
        "_context",
        "_definition",
        "_held",
        "_late",
        "_pinned",
        "_registry",
        "_result",
        "_root",
        "_schedule",
        "_strands",
        "_suspended",
        "_version",
        "_workflow",
        "position",
    )

    def __init__(self, instance_id: str, registry: Registry) -> None:
        self._registry = registry
        self._schedule = Schedule(instance_id)
        self._context: WorkflowContext | None = None
        self._strands = Strands()
        self._root: Task[Any] | None = None
        self._result: ExecutionCompleted | ContinuedAsNew | None = None
        self._suspended = False
        self._held: list[HistoryEvent] = []
        self._late: list[EventRaised] = []
        self._workflow = ""
        self._definition: Definition | None = None
        self._pinned: str | None = None
        """The version that history says the code ran in."""
        self._version: str | None = None
        """The version that this turn has chosen."""
        self.position = 0
        """How many events of the history it has seen."""

    def run(self, turn: Turn) -> TurnResult:
        """Catch up with the past if need be, then run the new events."""
        schedule = self._schedule
        # Workflow code must not meet the loop that it runs on.
        loop = asyncio._get_running_loop()  # noqa: SLF001 - as loops themselves do
        asyncio._set_running_loop(_NO_EVENT_LOOP)  # noqa: SLF001
        token = STRANDS.set(self._strands)
        try:
            if self.position < len(turn.past):
                schedule.replaying = True
                for event in turn.past[self.position :]:
                    self._apply(event)
                self._expect_nothing("ends")
                self._version = None
            schedule.replaying = turn.replaying
            schedule.patched = turn.patched
            for event in turn.new:
                self._apply(event)
            return self._decide(turn)
        except NonDeterminismError as error:
            return TurnResult(stalled=FailureDetails.of(error))
        finally:
            STRANDS.reset(token)
            asyncio._set_running_loop(loop)  # noqa: SLF001

    @property
    def is_ended(self) -> bool:
        """True once the code has returned, failed or continued as new."""
        return self._result is not None

    def awaited(self) -> list[int]:
        """Return the IDs of the actions that all have to end before the code can go on.

        Empty where it waits for something else too: an event, the first of several, or in several
        coroutines.
        """
        return self._schedule.ids_of(self._strands.awaited())

    def close(self) -> None:
        """Abandon the code."""
        self._schedule.refusal = (
            "the workflow's context was used after the workflow had ended: "
            "calls from `finally` blocks and callbacks then have no effect"
        )
        self._strands.close()

    def _decide(self, turn: Turn) -> TurnResult:
        schedule = self._schedule
        actions: list[Action] = list(schedule.actions.values())
        schedule.actions.clear()
        if schedule.continuation is not None and self._result is None:
            self._result = schedule.continuation
        result = self._result
        if isinstance(result, ContinuedAsNew):
            # Events that this execution never saw belong to the next one.
            late = (event for event in self._held if type(event) is EventRaised)
            result = ContinuedAsNew(result.input, (*result.carryover, *self._late, *late))
        if result is not None:
            actions.append(result)
        self.position = len(turn.past) + len(turn.new) + len(actions)
        patches = tuple(schedule.turn_patches)
        schedule.turn_patches.clear()
        version, self._version = self._version, None
        return TurnResult(actions, schedule.custom_status, version, patches)

    def _apply(self, event: HistoryEvent) -> None:
        if self._suspended and type(event) in _HELD_WHILE_SUSPENDED:
            self._held.append(event)
            return
        self._HANDLERS[type(event)](self, event)
        self._strands.run()
        if self._root is not None and self._root.is_complete and self._result is None:
            self._end(self._root)

    def _turn_started(self, event: TurnStarted) -> None:
        schedule = self._schedule
        if schedule.replaying:
            self._expect_nothing("goes on to the next turn")
        schedule.now = event.at
        if event.version is not None:
            self._pinned = event.version
        for patch in event.patches:
            schedule.patches[patch] = True

    def _started(self, event: ExecutionStarted) -> None:
        schedule = self._schedule
        schedule.execution_id = event.execution_id
        schedule.seed = event.seed or event.execution_id
        self._workflow = event.workflow
        definition = self._definition = self._find(event.workflow)
        self._version = definition.version
        self._context = context = WorkflowContext(schedule, self._registry, event.workflow)
        self._root = root = Task[Any]()
        what = f"input of workflow '{event.workflow}'"
        try:
            code = definition.function(*definition.arguments(context, event.input, what))
        except BaseException as error:  # noqa: BLE001 - see check_interrupt
            check_interrupt(error)
            root.fail(error)
            return
        if inspect.iscoroutine(code) or inspect.isgenerator(code):
            self._root = Strand(code, self._strands)
        else:
            root.complete(code)

    def _find(self, name: str) -> Definition:
        version = self._pinned
        definition = self._registry.workflow(name, version)
        if definition is not None:
            return definition
        if version is None:
            raise NonDeterminismError(
                f"the history is of workflow '{name}', which is not registered. "
                f"{nearest(name, self._registry.workflows)}"
            )
        raise NonDeterminismError(
            f"the history is of version '{version}' of workflow '{name}', which is not registered. "
            f"{nearest(version, self._registry.versions(name))}"
        )

    def _settle(self, event: Any) -> None:
        entry = self._schedule.open.pop(
            event.timer_id if type(event) is TimerFired else event.task_id, None
        )
        # Once the code has ended, results of what it did not wait for still arrive.
        is_over = self._result is not None or self._schedule.continuation is not None
        if entry is not None and not is_over:
            entry.settle(event)

    def _raised(self, event: EventRaised) -> None:
        if self._result is None and self._schedule.continuation is None:
            self._schedule.raise_event(event)
        else:
            self._late.append(event)

    def _suspend(self, _event: ExecutionSuspended) -> None:
        self._suspended = True

    def _resume(self, _event: ExecutionResumed) -> None:
        self._suspended = False
        held, self._held = self._held, []
        for event in held:
            self._apply(event)

    def _ignore(self, _event: ExecutionTerminated) -> None:
        """The host ends a terminated instance without the code."""

    def _match(self, event: Any) -> None:
        """Compare an action of the history with what the code has asked for."""
        action = self._schedule.actions.pop(event.id, None)
        if action is None or type(action) is not type(event) or not _same(action, event):
            code = _describe(action) if action is not None else self._now_doing()
            raise NonDeterminismError(
                f"history says that workflow '{self._workflow}' {_describe(event)}, "
                f"but the code {code}. Restore the code, or guard the change with ctx.is_patched()."
            )

    def _ended(self, event: ExecutionCompleted | ContinuedAsNew) -> None:
        result = self._result or self._schedule.continuation
        if type(result) is not type(event):
            raise NonDeterminismError(
                f"history says that workflow '{self._workflow}' ended, but the code goes on"
            )

    def _expect_nothing(self, history: str) -> None:
        """After a replayed turn, the code must have asked for nothing that history lacks."""
        if self._schedule.actions:
            code = _describe(next(iter(self._schedule.actions.values())))
        elif self._result is not None:
            code = self._now_doing()
        else:
            return
        raise NonDeterminismError(
            f"history of workflow '{self._workflow}' {history}, but the code {code}. "
            "Restore the code, or guard the change with ctx.is_patched()."
        )

    def _now_doing(self) -> str:
        if isinstance(self._result, ExecutionCompleted):
            if self._result.failure is not None:
                failure = self._result.failure
                return f"failed there with {failure.error_type}: {failure.message}"
            return "returned there"
        if self._result is not None:
            return "continued as new there"
        return "asked for nothing there"

    def _end(self, root: Task[Any]) -> None:
        schedule = self._schedule
        if schedule.continuation is not None:
            self._continue(root)
            return
        try:
            text = self._output(root.get_result())
            self._result = ExecutionCompleted(WorkflowStatus.COMPLETED, text)
        except BaseException as error:  # noqa: BLE001 - see check_interrupt
            check_interrupt(error)
            self._result = ExecutionCompleted(
                WorkflowStatus.FAILED, failure=FailureDetails.of(error)
            )
        schedule.refusal = (
            "the workflow has ended: its context can be used only while it runs. "
            "Do not keep the context for callbacks or other threads."
        )

    def _output(self, value: object) -> str:
        if isinstance(value, Task):
            raise WorkflowCodeError(
                "the workflow returned a task instead of its result: "
                "await it first (in a generator, `return (yield task)`)"
            )
        output = self._definition.output if self._definition is not None else UNTYPED
        return output.encode(value, f"result of workflow '{self._workflow}'")

    def _continue(self, root: Task[Any]) -> None:
        """End as continued as new, whatever the code has done since it asked for that."""
        schedule = self._schedule
        self._result = schedule.continuation
        if root.is_failed and not schedule.replaying:
            error = root.get_exception()
            logger.warning(
                "workflow '%s' of instance '%s' raised %s after continue_as_new, which takes "
                "effect all the same: %s",
                self._workflow,
                schedule.instance_id,
                type(error).__name__,
                error,
                exc_info=error,
            )

    _HANDLERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        TurnStarted: _turn_started,
        ExecutionStarted: _started,
        TaskCompleted: _settle,
        TaskFailed: _settle,
        TimerFired: _settle,
        ChildCompleted: _settle,
        ChildFailed: _settle,
        EventRaised: _raised,
        ExecutionSuspended: _suspend,
        ExecutionResumed: _resume,
        ExecutionTerminated: _ignore,
        TaskScheduled: _match,
        ChildCreated: _match,
        TimerCreated: _match,
        EventSent: _match,
        ExecutionCompleted: _ended,
        ContinuedAsNew: _ended,
    }


_DESCRIPTIONS: dict[type, Callable[[Any], str]] = {
    TaskScheduled: lambda it: f"called activity '{it.name}' (#{it.id})",
    ChildCreated: lambda it: f"called child workflow '{it.name}' (#{it.id})",
    TimerCreated: lambda it: f"{_TIMERS[it.origin].format(it.name)} (#{it.id})",
    EventSent: lambda it: f"sent event '{it.name}' to '{it.instance_id}' (#{it.id})",
}


_TIMERS: dict[str, str] = {
    "timer": "created a timer",
    "event": "waited for event '{}' with a timeout",
    "activity-retry": "was to retry activity '{}'",
    "child-retry": "was to retry child workflow '{}'",
}


def _describe(action: Any) -> str:
    return _DESCRIPTIONS[type(action)](action)


def _same(action: Any, event: Any) -> bool:
    if type(event) is TimerCreated:
        # The name of an event may change its case.
        same_name = _fold(action.name) == _fold(event.name)
        return bool(same_name and action.origin == event.origin)
    return bool(action.name == event.name)


def _fold(name: str | None) -> str:
    return (name or "").casefold()


_HELD_WHILE_SUSPENDED = frozenset(
    {
        ExecutionStarted,
        TaskCompleted,
        TaskFailed,
        TimerFired,
        ChildCompleted,
        ChildFailed,
        EventRaised,
    }
)
