"""What a turn has decided, done: activities and children started, events sent, timers watched.

It is done after the turn is committed and before the next one is, by the step in between. A step
that is lost is taken again, so everything here may be done twice and must then do nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from flowyard.clock import Clock
from flowyard.errors import InstanceAlreadyExists, InvalidRequest
from flowyard.executor import Executor, awaited
from flowyard.history import (
    NEVER,
    ChildCreated,
    ChildFailed,
    EventRaised,
    EventSent,
    ExecutionTerminated,
    HistoryEvent,
    Parent,
    TaskScheduled,
    TimerCreated,
)
from flowyard.journal import result_of
from flowyard.models import FailureDetails
from flowyard_conductor.live import Live
from flowyard_conductor.records import LARGEST_INPUT
from flowyard_conductor.sides import START, Sides

# A timer that is due sooner is waited for by the step itself.
HOLD_MICROSECONDS = 1_000_000

BeginChild: TypeAlias = Callable[[Live, Parent, ChildCreated], Awaitable[None]]
Send: TypeAlias = Callable[[str, HistoryEvent, str], Awaitable[None]]
Tell: TypeAlias = Callable[[str, HistoryEvent, str, str], Awaitable[None]]


class Outbox:
    """Does what turns have decided."""

    def __init__(
        self,
        sides: Sides,
        executor: Executor,
        clock: Clock,
        begin_child: BeginChild,
        send: Send,
        tell: Tell,
    ) -> None:
        self._sides = sides
        self._executor = executor
        self._clock = clock
        self._begin_child = begin_child
        self._send = send
        self._tell = tell

    async def perform(self, live: Live) -> list[HistoryEvent]:
        """Do what is pending; return what came of it at once."""
        pending, live.pending = live.pending, []
        try:
            return await self._perform(live, pending)
        except BaseException:
            live.pending = pending
            live.is_redone = True
            raise

    async def _perform(self, live: Live, pending: Sequence[HistoryEvent]) -> list[HistoryEvent]:
        started = live.journal.started
        execution_id = live.pending_execution or (started.execution_id if started else "")
        failures: list[HistoryEvent] = []
        activities = [one for one in pending if isinstance(one, TaskScheduled)]
        children = [one for one in pending if isinstance(one, ChildCreated)]
        if live.is_redone and (activities or children):
            known = await self._sides.started(live.workflow_id, execution_id)
            if not live.pending_execution:
                live.sides |= known
            covered = {one for ids in known.values() for one in ids}
            activities = [one for one in activities if one.id not in covered]
        for action in pending:
            if isinstance(action, EventSent):
                key = f"{live.workflow_id}:{execution_id}:{action.id}"
                await self._send(action.instance_id, EventRaised(action.name, action.input), key)
        for child in children:
            link = Parent(live.instance_id, execution_id, live.started.workflow, child.id)
            try:
                await self._begin_child(live, link, child)
            except (InstanceAlreadyExists, InvalidRequest) as error:
                failures.append(ChildFailed(child.id, FailureDetails.of(error)))
        await self._start_side(live, execution_id, activities, pending)
        return failures

    async def _start_side(
        self,
        live: Live,
        execution_id: str,
        activities: Sequence[TaskScheduled],
        pending: Sequence[HistoryEvent],
    ) -> None:
        now = self._clock.now()
        others = [
            action.id
            for action in pending
            if isinstance(action, ChildCreated)
            or (
                isinstance(action, TimerCreated)
                and now + HOLD_MICROSECONDS < action.fire_at < NEVER
            )
        ]
        if not activities and not others:
            return
        due = live.journal.next_timer()
        delay = _LONGEST_DELAY if due is None else max((due - now) // 1_000_000, 1)
        if activities or any(isinstance(one, ChildCreated) for one in pending):
            delay = min(delay, _FIRST_LOOK)
        needed = [] if live.pending_execution else awaited(self._executor, live.instance_id)
        for few in _in_portions(activities) or [[]]:
            side = await self._sides.start(
                live, execution_id, few, others, min(delay, _LONGEST_DELAY), needed
            )
            if not live.pending_execution:
                live.sides[side] = [*(one.id for one in few), *others]
            others = []

    async def await_start(self, live: Live) -> None:
        """Have a watch begin an instance whose start time is far."""
        start_at = live.started.start_at
        now = self._clock.now()
        if live.journal.started is not None or live.backlog or live.sides or start_at is None:
            return
        if start_at - now > HOLD_MICROSECONDS:
            delay = min((start_at - now) // 1_000_000, _LONGEST_DELAY)
            side = await self._sides.start(live, live.started.execution_id, [], [START], delay, [])
            live.sides[side] = [START]

    async def end_side(self, side_id: str) -> None:
        """End what an instance that is over has left beside it."""
        await self._sides.end(side_id)

    async def end_children(self, live: Live, terminated: ExecutionTerminated) -> None:
        """End the open children of an instance that is terminated with them."""
        for child in live.journal.children.values() if terminated.recursive else ():
            key = f"{live.workflow_id}:end:{child.id}"
            await self._send(child.instance_id, ExecutionTerminated(), key)

    async def tell_parent(self, live: Live) -> None:
        """Tell the parent how its child has ended."""
        link, completion = live.started.parent, live.journal.completion
        if link is None or live.parent_workflow_id is None or completion is None:
            return
        created = ChildCreated(link.task_id, "", live.instance_id, None)
        result = result_of(created, completion)
        await self._tell(live.parent_workflow_id, result, live.workflow_id, link.execution_id)


# How long a watch sleeps at most, and how long at first where activities may end, in seconds.
_LONGEST_DELAY = 3600
_FIRST_LOOK = 5
_LARGEST_PORTION = LARGEST_INPUT // 2


def _in_portions(activities: Sequence[TaskScheduled]) -> list[list[TaskScheduled]]:
    """Divide activities among side workflows, whose inputs the server limits."""
    portions: list[list[TaskScheduled]] = []
    size = 0
    for one in activities:
        size += len(one.input or "")
        if not portions or size > _LARGEST_PORTION:
            portions.append([])
            size = len(one.input or "")
        portions[-1].append(one)
    return portions
