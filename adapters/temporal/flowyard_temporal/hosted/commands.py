"""What a turn decides, as commands of the Temporal workflow that hosts the instance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError

from flowyard.backend import (
    Action,
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    EventSent,
    ExecutionStarted,
    FailureDetails,
    HistoryEvent,
    Journal,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    encode_events,
)
from flowyard_temporal.hosted.application_errors import failure_of, refusal_of
from flowyard_temporal.hosted.detached import START
from flowyard_temporal.hosted.hosted_input import Beginning, Call
from flowyard_temporal.hosted.raw import raw, text_of
from flowyard_temporal.hosted.summaries import summary_of
from flowyard_temporal.hosted.worker_context import RECORD, Environment

# What an activity ends with is its result; all else (a worker that died) is tried again for ever.
AGAIN = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10))
NO_LIMIT = timedelta(days=3650)
# One of no duration would not be recorded.
_SHORTEST_TIMER = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)


async def _locally(activity: str, events: Sequence[HistoryEvent]) -> None:
    """Run a local activity, whose marker tells of the events."""
    await workflow.execute_local_activity(
        activity,
        raw(encode_events(events).decode()),
        result_type=RawValue,
        start_to_close_timeout=NO_LIMIT,
        retry_policy=AGAIN,
    )


class Commands:
    """Carries out the actions of one execution, and delivers the events that answer them."""

    def __init__(
        self,
        started: ExecutionStarted,
        journal: Journal,
        environment: Environment,
        deliver: Callable[[HistoryEvent], None],
        gives_ids_in_order: Callable[[], bool],
        sends_in_order: Callable[[], bool],
    ) -> None:
        self._started = started
        self._journal = journal
        self._environment = environment
        self._deliver = deliver
        self._gives_ids_in_order = gives_ids_in_order
        self._sends_in_order = sends_in_order
        self._begun: dict[str, asyncio.Event] = {}
        """Of the last child with an ID, whether the server has told of its start."""
        self._waiting_sends: dict[str, asyncio.Task[None]] = {}
        """The last event for a child that was sent to it while it was being started."""
        self._running: set[asyncio.Task[None]] = set()
        self._outgoing: set[asyncio.Task[None]] = set()

    def give(self, action: Action) -> None:
        """Begin what a turn has decided, unless it ends the execution."""
        limits = self._environment.limits
        if isinstance(action, TaskScheduled):
            if (refusal := limits.call_refusal(action)) is not None:
                self._deliver(TaskFailed(action.id, refusal))
            else:
                self._call(action)
        elif isinstance(action, TimerCreated):
            if action.fires:
                self._keep(self._running, self._wait(action))
        elif isinstance(action, ChildCreated):
            if (refusal := limits.call_refusal(action)) is not None:
                self._refuse(action, refusal)
            elif self._is_starting(action.instance_id) and self._gives_ids_in_order():
                # The server starts children side by side, and so the second could be the first.
                kept = self._outgoing if action.detached else self._running
                self._keep(kept, self._refuse_twin(action, self._begun[action.instance_id]))
            else:
                begun = self._begun[action.instance_id] = asyncio.Event()
                start = self._start_detached if action.detached else self._start
                self._keep(self._running, start(action, begun))
                self._keep(self._outgoing, begun.wait())
        elif isinstance(action, EventSent):
            if action.instance_id == workflow.info().workflow_id:
                # The server refuses a signal to oneself.
                self._deliver(action.raised)
            elif action.instance_id and action.name:
                self._send_in_order(action)

    async def sent(self) -> None:
        """Return once everything has left that the server drops when its sender ends."""
        await asyncio.gather(*self._outgoing)

    def _is_starting(self, instance_id: str) -> bool:
        begun = self._begun.get(instance_id)
        return begun is not None and not begun.is_set()

    def _keep(
        self, kept: set[asyncio.Task[Any]], coroutine: Coroutine[Any, Any, Any]
    ) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(coroutine)
        kept.add(task)
        task.add_done_callback(kept.discard)
        return task

    def _call(self, scheduled: TaskScheduled) -> None:
        handle = workflow.start_activity(
            scheduled.name,
            args=Call.arguments(scheduled, self._started.execution_id),
            activity_id=str(scheduled.id),
            result_type=RawValue,
            start_to_close_timeout=NO_LIMIT,
            heartbeat_timeout=self._environment.heartbeat_timeout,
            retry_policy=AGAIN,
        )
        handle.add_done_callback(partial(self._called, scheduled.id))

    def _called(self, task_id: int, handle: asyncio.Task[RawValue]) -> None:
        if handle.cancelled():
            return  # the execution is being evicted
        error = handle.exception()
        if error is None:
            self._deliver(TaskCompleted(task_id, text_of([handle.result()])))
        else:
            self._deliver(TaskFailed(task_id, failure_of(error)))

    async def _wait(self, timer: TimerCreated) -> None:
        due = timedelta(microseconds=timer.fire_at - workflow.time_ns() // 1000)
        summary = summary_of(timer)
        while due > NO_LIMIT:
            await workflow.sleep(NO_LIMIT)
            due -= NO_LIMIT
        await workflow.sleep(max(due, _SHORTEST_TIMER), summary=summary)
        self._deliver(TimerFired(timer.id, timer.fire_at))

    async def _start(self, created: ChildCreated, begun: asyncio.Event) -> None:
        child = self._journal.child_started(created, workflow.uuid4().hex)
        beginning = Beginning.of([child], created.name, self._environment.executor)
        told = text_of(beginning.arguments(), 1) if child.propagated is not None else None
        what = f"history that child workflow '{created.name}' is told of"
        if (refusal := self._environment.limits.refusal(told, what)) is not None:
            self._refuse(created, refusal)
            begun.set()
            return
        try:
            handle = await workflow.start_child_workflow(
                created.name,
                args=beginning.arguments(),
                id=created.instance_id,
                result_type=RawValue,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                memo=beginning.memo(),
            )
            begun.set()
            output = text_of([await handle])
        except WorkflowAlreadyStartedError:
            self._refuse(created, refusal_of(created.instance_id))
        except FailureError as error:
            self._deliver(ChildFailed(created.id, failure_of(error, created.instance_id)))
        else:
            self._deliver(ChildCompleted(created.id, output))
        finally:
            begun.set()

    async def _refuse_twin(self, created: ChildCreated, begun: asyncio.Event) -> None:
        """Refuse a child whose ID one before it is about to get, once that one has it."""
        await _locally(RECORD, [created])
        await begun.wait()
        refusal = refusal_of(created.instance_id)
        if not created.detached:
            await _locally(RECORD, [ChildFailed(created.id, refusal)])
        self._refuse(created, refusal)

    async def _start_detached(self, created: ChildCreated, begun: asyncio.Event) -> None:
        """Start an instance that is no child for Temporal either."""
        started = self._journal.child_started(created, workflow.uuid4().hex)
        await _locally(START, [created, started])
        begun.set()

    def _refuse(self, created: ChildCreated, refusal: FailureDetails) -> None:
        """Say why a child is not started; of a detached one nobody waits for an answer."""
        if created.detached:
            workflow.logger.warning(
                "detached workflow '%s' was not started: %s", created.name, refusal.message
            )
        else:
            self._deliver(ChildFailed(created.id, refusal))

    def _send_in_order(self, sent: EventSent) -> None:
        """Send an event; what is for a child that is being started waits until it is there."""
        before = self._waiting_sends.get(sent.instance_id)
        is_behind = before is not None and not before.done()
        if is_behind or (self._is_starting(sent.instance_id) and self._sends_in_order()):
            sending = self._keep(self._outgoing, self._send_after(sent, before))
            self._waiting_sends[sent.instance_id] = sending
        else:
            self._keep(self._outgoing, self._send(sent))

    async def _send_after(self, sent: EventSent, before: asyncio.Task[None] | None) -> None:
        """Send an event after the one before it, and after the start of the child it is for."""
        begun = self._begun[sent.instance_id]
        await _locally(RECORD, [sent])
        if before is not None:
            await before
        await begun.wait()
        await self._send(sent)

    async def _send(self, sent: EventSent) -> None:
        target = workflow.get_external_workflow_handle(sent.instance_id)
        try:
            await target.signal(sent.name, raw(sent.input))
        except FailureError:
            # An instance that does not exist or is closed drops it, as everywhere.
            workflow.logger.info(
                "event '%s' was dropped: there is no instance '%s'", sent.name, sent.instance_id
            )
