"""What a turn has decided, done: activities and children started, events sent, timers watched.

It is done after the turn is committed and before the next one is, by the step in between. A step
that is lost is taken again, so everything here may be done twice and must then do nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from hashlib import blake2s

from flowyard.backend import (
    ChildCreated,
    ChildFailed,
    Clock,
    EventSent,
    ExecutionStarted,
    Executor,
    FailureDetails,
    HistoryEvent,
    InstanceAlreadyExists,
    InvalidRequest,
    Parent,
    TaskScheduled,
    TimerCreated,
    awaited,
    child_started,
    propagated,
)
from flowyard_conductor.hosted.children import Children
from flowyard_conductor.hosted.delivery import Delivery
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.hosted.records import LARGEST_INPUT
from flowyard_conductor.hosted.side_workflows import START, SideWorkflows

logger = logging.getLogger(__name__)

# A timer that is due sooner is waited for by the step itself.
HOLD_MICROSECONDS = 1_000_000
_HAS_SIDE = (TaskScheduled, ChildCreated)


class Outbox:
    """Does what turns have decided."""

    def __init__(
        self,
        children: Children,
        delivery: Delivery,
        side_workflows: SideWorkflows,
        executor: Executor,
        clock: Clock,
    ) -> None:
        self._children = children
        self._delivery = delivery
        self._side_workflows = side_workflows
        self._executor = executor
        self._clock = clock

    async def perform(self, instance: HostedInstance) -> list[HistoryEvent]:
        """Do what is pending; return what came of it at once."""
        with instance.performing() as pending:
            return await self._perform(instance, pending)

    async def _perform(
        self, instance: HostedInstance, pending: Sequence[HistoryEvent]
    ) -> list[HistoryEvent]:
        execution_id = instance.pending_execution or instance.execution_id
        failures: list[HistoryEvent] = []
        activities = [action for action in pending if isinstance(action, TaskScheduled)]
        if instance.is_redone and any(isinstance(action, _HAS_SIDE) for action in pending):
            known = await self._side_workflows.started(instance.workflow_id, execution_id)
            if not instance.pending_execution:
                instance.add_side_workflows(known)
            covered = {action_id for ids in known.values() for action_id in ids}
            activities = [activity for activity in activities if activity.id not in covered]
        taken: set[str] = set()
        # In their order: an event may be for a child that the same turn starts.
        for action in pending:
            if isinstance(action, EventSent):
                key = f"{instance.workflow_id}:{execution_id}:{action.id}"
                await self._delivery.send(action.instance_id, action.raised, key)
            elif isinstance(action, ChildCreated) and action.refused is None:
                failures += await self._begin(instance, execution_id, action, taken)
        failures += instance.journal.refused.values()
        await self._start_side(instance, execution_id, activities, pending)
        return failures

    async def _begin(
        self, instance: HostedInstance, execution_id: str, child: ChildCreated, taken: set[str]
    ) -> list[ChildFailed]:
        """Begin a child; return how it fails, if it cannot be started."""
        try:
            await self._start(instance, execution_id, child, taken)
        except (InstanceAlreadyExists, InvalidRequest) as error:
            if child.detached:
                logger.warning(
                    "instance '%s': detached workflow '%s' was not started: %s",
                    *(instance.instance_id, child.name, error),
                )
            elif not instance.pending_execution:
                # The execution after continue-as-new may have another child of this number.
                return [ChildFailed(child.id, FailureDetails.of(error))]
        return []

    async def _start(
        self, instance: HostedInstance, execution_id: str, child: ChildCreated, taken: set[str]
    ) -> None:
        """Start a child, unless another one of the same turn has got its ID."""
        # When this is done again, that one may have ended meanwhile.
        if child.instance_id in taken:
            raise InstanceAlreadyExists(child.instance_id, "active")
        await self._children.start(instance, _begun(instance, execution_id, child), child)
        taken.add(child.instance_id)

    async def _start_side(
        self,
        instance: HostedInstance,
        execution_id: str,
        activities: Sequence[TaskScheduled],
        pending: Sequence[HistoryEvent],
    ) -> None:
        now = self._clock.now()
        children = [
            action.id
            for action in pending
            if isinstance(action, ChildCreated) and action.is_awaited
        ]
        others = children + [
            action.id
            for action in pending
            if isinstance(action, TimerCreated)
            and action.fires
            and action.fire_at > now + HOLD_MICROSECONDS
        ]
        if not activities and not others:
            return
        due = instance.journal.next_timer()
        delay = _LONGEST_DELAY_SECONDS if due is None else max((due - now) // 1_000_000, 1)
        if activities or children:
            delay = min(delay, _FIRST_LOOK_SECONDS)
        needed = [] if instance.pending_execution else awaited(self._executor, instance.instance_id)
        for few in _in_portions(activities) or [[]]:
            side = await self._side_workflows.start(
                instance, execution_id, few, others, min(delay, _LONGEST_DELAY_SECONDS), needed
            )
            if not instance.pending_execution:
                instance.add_side_workflows({side: [*(activity.id for activity in few), *others]})
            others = []

    async def await_start(self, instance: HostedInstance) -> None:
        """Have a watchdog begin an instance whose start time is far."""
        start_at = instance.started.start_at
        now = self._clock.now()
        if (
            instance.journal.started is not None
            or instance.backlog
            or instance.side_workflows
            or start_at is None
        ):
            return
        if start_at - now > HOLD_MICROSECONDS:
            delay = min((start_at - now) // 1_000_000, _LONGEST_DELAY_SECONDS)
            side = await self._side_workflows.start(
                instance, instance.started.execution_id, [], [START], delay, []
            )
            instance.add_side_workflows({side: [START]})


def _begun(instance: HostedInstance, execution_id: str, child: ChildCreated) -> ExecutionStarted:
    """Return what begins a child, or a detached instance: the same one if it is done again."""
    link = Parent(instance.instance_id, execution_id, instance.started.workflow, child.id)
    told = None
    if child.propagation and not instance.pending_execution:
        told = propagated(instance.instance_id, instance.journal.history, child.propagation, child)
    name = f"{instance.workflow_id}:{execution_id}:{child.id}"
    begins = blake2s(name.encode(), digest_size=16).hexdigest()
    return child_started(link, child, begins, told)


# How long a watchdog sleeps at most, and how long at first where activities may end, in seconds.
_LONGEST_DELAY_SECONDS = 3600
_FIRST_LOOK_SECONDS = 5
_LARGEST_PORTION = LARGEST_INPUT // 2


def _in_portions(activities: Sequence[TaskScheduled]) -> list[list[TaskScheduled]]:
    """Divide activities among side workflows, whose inputs the server limits."""
    portions: list[list[TaskScheduled]] = []
    size = 0
    for activity in activities:
        size += len(activity.input or "")
        if not portions or size > _LARGEST_PORTION:
            portions.append([])
            size = len(activity.input or "")
        portions[-1].append(activity)
    return portions
