"""Faults of hosting: of children, timers, executions, and of what a host takes up again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from conformance.mutants.mutant import ChangesActions, Mutant, hosted_by, run_by
from flowyard.backend import (
    Action,
    ChildCreated,
    ChildFailed,
    EventSent,
    ExecutionCompleted,
    FailureDetails,
    HistoryEvent,
    Host,
    HostedInstance,
    InstanceAlreadyExists,
    TaskScheduled,
    TimerFired,
    Turn,
    Unsent,
    WorkflowStatus,
)

_DAY = 24 * 60 * 60 * 1_000_000


class RunsNothingAgain(Host):
    """Waits for activities that nobody runs any more."""

    async def recover(self, instance: HostedInstance) -> None:
        open_tasks = dict(instance.journal.tasks)
        instance.journal.tasks.clear()
        await super().recover(instance)
        instance.journal.tasks.update(open_tasks)


class RunsEverythingAgain(Host):
    """Runs again what is recorded already."""

    async def recover(self, instance: HostedInstance) -> None:
        await super().recover(instance)
        for event in instance.journal.history:
            if isinstance(event, TaskScheduled):
                self._background.run(
                    self._run_activity(instance, instance.started.execution_id, event)
                )


class ForgetsTimers(Host):
    """Sets no alarms for what it takes up again."""

    _recovers = False

    async def recover(self, instance: HostedInstance) -> None:
        self._recovers = True
        await super().recover(instance)
        self._recovers = False

    def _set_alarm(self, instance: HostedInstance) -> None:
        if not self._recovers:
            super()._set_alarm(instance)


class KnowsNoTimeBefore1970(Host):
    """Takes a time before the epoch for none."""

    def _set_alarm(self, instance: HostedInstance) -> None:
        when = instance.journal.next_timer()
        if when is None or when >= 0:
            super()._set_alarm(instance)


class FiresFarTimers(Host):
    """Takes a time that is too far away for a timer of its own for now."""

    def _set_alarm(self, instance: HostedInstance) -> None:
        super()._set_alarm(instance)
        for timer in instance.journal.timers.values():
            if timer.fire_at > self._clock.now() + 365 * _DAY:
                self._tell(instance, TimerFired(timer.id, timer.fire_at))


class FiresEarly(Host):
    def _set_alarm(self, instance: HostedInstance) -> None:
        for timer in instance.journal.timers.values():
            self._tell(instance, TimerFired(timer.id, timer.fire_at))


class AnswersAnyExecution(Host):
    """Does not look for which execution a result is."""

    async def _deliver(
        self, instance: HostedInstance, *events: HistoryEvent, execution_id: str | None = None
    ) -> bool:
        return await super()._deliver(instance, *events)


class RefusesBothTwins(Host):
    """Refuses by ID, not by action, a child whose ID is taken."""

    def _act(self, instance: HostedInstance, action: Action) -> None:
        super()._act(instance, action)
        if isinstance(action, ChildCreated):
            open_children = instance.journal.children.values()
            twins = [child for child in open_children if child.instance_id == action.instance_id]
            for twin in twins if len(twins) > 1 else ():
                taken = InstanceAlreadyExists(twin.instance_id, WorkflowStatus.RUNNING)
                self._tell(instance, ChildFailed(twin.id, FailureDetails.of(taken)))


class StartsItselfAsItsChild(Host):
    """Lets a child have the ID of its parent, which has ended."""

    def _outgoing(self, instance: HostedInstance, action: Action) -> Unsent | None:
        if isinstance(action, ChildCreated) and action.instance_id == instance.id:
            action = msgspec.structs.replace(action, refused=None)
        return super()._outgoing(instance, action)

    def _answer_refused(self, instance: HostedInstance) -> None:
        """It is not refused."""

    async def _make_room(
        self, instance: HostedInstance, closed: HostedInstance, batch: Any
    ) -> None:
        if closed is not instance:
            await super()._make_room(instance, closed, batch)


class TellsNoParentOfATermination(Host):
    async def _close(self, instance: HostedInstance, completion: ExecutionCompleted) -> None:
        parent = instance.parent
        if completion.status is WorkflowStatus.TERMINATED:
            instance.parent = None
        await super()._close(instance, completion)
        instance.parent = parent


class SendsNoEvents(Host):
    def _outgoing(self, instance: HostedInstance, action: Action) -> Unsent | None:
        return None if isinstance(action, EventSent) else super()._outgoing(instance, action)


class GivesChildrenTheIdsOfBefore(ChangesActions):
    """Makes the IDs of children the same in every execution."""

    def changed(self, turn: Turn, action: Action) -> Action:
        if isinstance(action, ChildCreated) and action.instance_id.startswith(turn.instance_id):
            return msgspec.structs.replace(action, instance_id=f"{turn.instance_id}.{action.id}")
        return action


_EARLY = "test_a_timer_does_not_fire_early"
_GONE_BY = "test_a_timer_for_a_time_that_has_gone_by_fires_at_once"

MUTANTS: Mapping[str, Mutant] = {
    "runs nothing again": hosted_by(
        RunsNothingAgain,
        "test_an_activity_that_was_cut_off_runs_again",
        "test_an_event_for_which_nobody_waited_yet_outlives_the_killed_process",
    ),
    "runs everything again": hosted_by(
        RunsEverythingAgain, "test_an_activity_whose_result_was_recorded_does_not_run_again"
    ),
    "forgets timers": hosted_by(
        ForgetsTimers,
        "test_a_timer_fires_though_the_component_was_closed_meanwhile",
        "test_a_timer_fires_though_the_process_was_killed_meanwhile",
    ),
    "knows no time before 1970": hosted_by(
        KnowsNoTimeBefore1970,
        f"{_GONE_BY}[1969-12-31T23:59:59.999999]",
        f"{_GONE_BY}[0001-01-01T00:00:00]",
    ),
    "fires far timers": hosted_by(
        FiresFarTimers, "test_a_timer_may_lie_in_any_future[2999-01-01T00:00:00]"
    ),
    "fires early": hosted_by(FiresEarly, f"{_EARLY}[30]", "test_no_timer_fires_before_its_time"),
    "answers any execution": hosted_by(
        AnswersAnyExecution, "test_a_task_left_behind_does_not_answer_the_new_execution"
    ),
    "refuses both twins": hosted_by(
        RefusesBothTwins, "test_of_two_children_with_one_id_the_first_runs_and_the_second_fails"
    ),
    "starts itself as its child": hosted_by(
        StartsItselfAsItsChild, "test_an_instance_is_not_its_own_child"
    ),
    "tells no parent of a termination": hosted_by(
        TellsNoParentOfATermination,
        "test_the_parent_of_a_terminated_child_learns_that_it_failed",
    ),
    "sends no events": hosted_by(
        SendsNoEvents,
        "test_an_event_of_one_instance_reaches_another",
        "test_an_event_of_an_instance_to_itself_arrives",
    ),
    "gives children the ids of before": run_by(
        GivesChildrenTheIdsOfBefore, "test_a_child_left_behind_keeps_its_id_to_itself"
    ),
}
