"""What the code of one execution has asked for, and what of it is still open."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, NoReturn, Protocol

from flowyard.backend.history import (
    Action,
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ContinuedAsNew,
    EventRaised,
    EventSent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
)
from flowyard.backend.timestamps import NEVER
from flowyard.errors import TaskFailedError, WorkflowCodeError
from flowyard.failure import FailureDetails
from flowyard.identifier import CHILD_IDS, child_instance_id
from flowyard.payload import PayloadType, ResultType
from flowyard.workflow.retry import RetryPolicy
from flowyard.workflow.task import Task, check_interrupt

_MICROSECOND = timedelta(microseconds=1)


class _Open(Protocol):
    """Something that an event of the history settles."""

    def settle(self, event: Any) -> None: ...


class _Call(Task[Any]):
    """An activity or a child workflow with its attempts."""

    __slots__ = (
        "attempts",
        "child_id",
        "first_at",
        "first_id",
        "input",
        "is_child",
        "name",
        "retry",
        "schedule",
        "type",
    )

    def __init__(
        self,
        schedule: Schedule,
        name: str,
        input_text: str | None,
        payload_type: PayloadType | ResultType,
        retry: RetryPolicy | None,
    ) -> None:
        super().__init__()
        self.schedule = schedule
        self.name = name
        self.input = input_text
        self.type = payload_type
        self.retry = retry
        self.attempts = 0
        self.first_id = 0
        self.first_at = schedule.now
        self.is_child = False
        self.child_id: str | None = None

    def attempt(self) -> None:
        """Ask for the next attempt."""
        schedule = self.schedule
        action_id = schedule.next_id()
        self.attempts += 1
        self.first_id = self.first_id or action_id
        if self.is_child:
            child_id = self.child_id or schedule.id_of_child(action_id)
            action: Action = ChildCreated(action_id, self.name, child_id, self.input)
        else:
            action = TaskScheduled(
                action_id, self.name, self.input, self.first_id, None, self.attempts
            )
        schedule.actions[action_id] = action
        schedule.open[action_id] = self

    def settle(self, event: TaskCompleted | TaskFailed | ChildCompleted | ChildFailed) -> None:
        if isinstance(event, (TaskCompleted, ChildCompleted)):
            try:
                self.complete(self.type.decode(event.output, f"result of '{self.name}'"))
            except BaseException as error:  # noqa: BLE001 - it belongs to who awaits the result
                check_interrupt(error)
                self.fail(error)
            return
        failure = event.failure
        elapsed = timedelta(microseconds=self.schedule.now - self.first_at)
        retry = self.retry
        delay = retry.next_delay(self.attempts, elapsed, failure) if retry is not None else None
        if delay is None:
            self.fail(self._failed(failure))
            return
        origin = "child-retry" if self.is_child else "activity-retry"
        timer_id = self.schedule.next_id()
        self.schedule.actions[timer_id] = TimerCreated(
            timer_id,
            self.schedule.now + delay // _MICROSECOND,
            origin,  # type: ignore[arg-type]
            self.name,
            self.first_id,
        )
        self.schedule.open[timer_id] = _RetryTimer(self)

    def _failed(self, failure: FailureDetails) -> TaskFailedError:
        kind = "child workflow" if self.is_child else "activity"
        tries = f" after {self.attempts} attempts" if self.attempts > 1 else ""
        return TaskFailedError(
            f"{kind} '{self.name}' failed{tries}: {failure.error_type}: {failure.message}", failure
        )


class _RetryTimer:
    __slots__ = ("_call",)

    def __init__(self, call: _Call) -> None:
        self._call = call

    def settle(self, _event: object) -> None:
        self._call.attempt()


class _Timer(Task[None]):
    __slots__ = ()

    def settle(self, _event: object) -> None:
        self.complete(None)


class _EventWait(Task[Any]):
    """A wait that code has begun and left (it lost a race) takes an event only when asked again.

    Until then the event is kept, for whichever wait comes first.
    """

    __slots__ = ("name", "schedule", "timed_out_at", "type", "was_awaited")

    def __init__(self, schedule: Schedule, name: str, payload_type: PayloadType) -> None:
        super().__init__()
        self.schedule = schedule
        self.name = name
        self.type = payload_type
        self.was_awaited = False
        self.timed_out_at: int | None = None
        """How many events had been kept when its timeout fired, which code has yet to learn."""

    @property
    def is_complete(self) -> bool:
        """True once the event is there or the time is over; asking takes an event that was kept."""
        if not self._is_settled and self.was_awaited:
            self.schedule.hand_over(self)
        return self._is_settled

    def claim(self) -> None:
        """Take an event that was kept while nobody waited here."""
        self.was_awaited = True
        self.schedule.hand_over(self)

    def deliver(self, event: EventRaised) -> None:
        try:
            self.complete(self.type.decode(event.input, f"event '{event.name}'"))
        except BaseException as error:  # noqa: BLE001 - it belongs to who awaits the event
            check_interrupt(error)
            self.fail(error)

    def settle(self, _timeout: object) -> None:
        if not self._is_settled:
            self.schedule.time_out(self)


_SETTLED_BY_RESULT = (_Call, _Timer)


class Schedule:
    """Asked by the context, answered by the interpreter."""

    __slots__ = (
        "_buffered",
        "_last_id",
        "_raised",
        "actions",
        "continuation",
        "custom_status",
        "execution_id",
        "instance_id",
        "now",
        "open",
        "patched",
        "patches",
        "refusal",
        "replaying",
        "seed",
        "turn_patches",
        "uuids",
        "waiting",
    )

    def __init__(self, instance_id: str) -> None:
        self.instance_id = instance_id
        self.execution_id = ""
        self.seed = ""
        """What the IDs of `new_uuid` are made of."""
        self.now = 0
        self.replaying = False
        self.refusal: str | None = None
        """Why nothing may be asked for any more."""
        self.actions: dict[int, Action] = {}
        """Asked for and not yet seen in the history, by ID."""
        self.open: dict[int, _Open] = {}
        self.waiting: dict[str, deque[_EventWait]] = {}
        self.continuation: ContinuedAsNew | None = None
        self.custom_status: str | None = None
        self.patches: dict[str, bool] = {}
        self.patched: Callable[[str], bool] | None = None
        """Asks the host, where the history does not say it."""
        self.turn_patches: list[str] = []
        self.uuids = 0
        self._last_id = 0
        self._raised = 0
        self._buffered: dict[str, deque[tuple[int, EventRaised]]] = {}

    def next_id(self) -> int:
        """Return the ID of the next action; IDs are dense and start at 1, as in Dapr's SDK."""
        if self.refusal is not None:
            raise WorkflowCodeError(self.refusal)
        self._last_id += 1
        return self._last_id

    def id_of_child(self, action_id: int) -> str:
        """Return the ID of a child to which the code gives none."""
        if self.patched is None or self.patched(CHILD_IDS):
            return child_instance_id(self.instance_id, self.execution_id, action_id)
        # An engine that repeats turns compares the IDs, and has recorded one of before.
        return f"{self.instance_id}:{action_id:04x}"

    def call(
        self,
        name: str,
        input_text: str | None,
        payload_type: PayloadType | ResultType,
        retry: RetryPolicy | None,
    ) -> Task[Any]:
        call = _Call(self, name, input_text, payload_type, retry)
        call.attempt()
        return call

    def call_child(
        self,
        name: str,
        input_text: str | None,
        payload_type: PayloadType | ResultType,
        retry: RetryPolicy | None,
        child_id: str | None,
    ) -> Task[Any]:
        call = _Call(self, name, input_text, payload_type, retry)
        call.is_child = True
        call.child_id = child_id
        call.attempt()
        return call

    def timer(self, fire_at: int) -> Task[None]:
        timer = _Timer()
        timer_id = self.next_id()
        self.actions[timer_id] = TimerCreated(timer_id, min(fire_at, NEVER))
        self.open[timer_id] = timer
        return timer

    def wait_for_event(
        self, name: str, payload_type: PayloadType, fire_at: int | None
    ) -> Task[Any]:
        if self.refusal is not None:
            raise WorkflowCodeError(self.refusal)
        wait = _EventWait(self, name, payload_type)
        key = name.casefold()
        buffered = self._buffered.get(key)
        if buffered:
            wait.deliver(buffered.popleft()[1])
        elif fire_at is not None and fire_at <= self.now:
            wait.fail(TimeoutError(f"event '{name}' had not arrived"))
        else:
            self.waiting.setdefault(key, deque()).append(wait)
            if fire_at is not None:
                timer_id = self.next_id()
                self.actions[timer_id] = TimerCreated(timer_id, fire_at, "event", name)
                self.open[timer_id] = wait
        return wait

    def send_event(self, instance_id: str, name: str, input_text: str | None) -> None:
        action_id = self.next_id()
        self.actions[action_id] = EventSent(action_id, instance_id, name, input_text)

    def ids_of(self, tasks: Collection[Task[Any]]) -> list[int]:
        """Return the IDs of calls and timers that are open; empty if one is something else."""
        wanted = {id(task) for task in tasks if type(task) in _SETTLED_BY_RESULT}
        found = [id_ for id_, entry in self.open.items() if id(entry) in wanted]
        return found if len(found) == len(tasks) else []

    def raise_event(self, event: EventRaised) -> None:
        """Hand an event to who waits for it, or to a wait not yet awaited; else keep it."""
        key = event.name.casefold()
        waiting = self.waiting.get(key, ())
        wait = next((task for task in waiting if task.is_awaited), None)
        if wait is None:
            wait = next((task for task in waiting if not task.was_awaited), None)
        if wait is not None:
            self.waiting[key].remove(wait)
            wait.deliver(event)
            return
        self._raised += 1
        self._buffered.setdefault(key, deque()).append((self._raised, event))

    def hand_over(self, wait: _EventWait) -> None:
        """Settle a wait with an event that was kept, or with its timeout if that came before."""
        key = wait.name.casefold()
        kept = self._buffered.get(key)
        if kept and (wait.timed_out_at is None or kept[0][0] <= wait.timed_out_at):
            self.waiting[key].remove(wait)
            wait.deliver(kept.popleft()[1])
        elif wait.timed_out_at is not None:
            self._time_is_over(wait)

    def time_out(self, wait: _EventWait) -> None:
        """Fail a wait, unless an event that came in time is kept for whoever asks first."""
        if self._buffered.get(wait.name.casefold()):
            wait.timed_out_at = self._raised
        else:
            self._time_is_over(wait)

    def _time_is_over(self, wait: _EventWait) -> None:
        self.waiting[wait.name.casefold()].remove(wait)
        wait.fail(TimeoutError(f"event '{wait.name}' did not arrive in time"))

    def continue_as_new(self, input_text: str | None, *, save_events: bool) -> Task[NoReturn]:
        """Decide that the execution ends so; the task that code may wait for never completes."""
        if self.refusal is not None:
            raise WorkflowCodeError(self.refusal)
        kept = sorted(
            (entry for events in self._buffered.values() for entry in events) if save_events else ()
        )
        self.continuation = ContinuedAsNew(input_text, tuple(event for _, event in kept))
        self.refusal = (
            "the workflow has called continue_as_new: return from it without further calls"
        )
        return Task[NoReturn]()

    def is_patched(self, patch: str) -> bool:
        """True if code behind the patch runs: in histories that know it and in new ground."""
        if patch not in self.patches:
            is_new = not self.replaying if self.patched is None else self.patched(patch)
            self.patches[patch] = is_new
            if is_new:
                self.turn_patches.append(patch)
        return self.patches[patch]
