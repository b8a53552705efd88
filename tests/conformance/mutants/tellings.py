"""Faults of what is told of instances: states, histories."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from conformance.mutants.mutant import ENGINE, DelegatingExecutor, Mutant, in_front, run_by
from flowyard.backend import (
    ActivityResult,
    ActivityTask,
    Capability,
    HistoryEvent,
    InstanceQuery,
    TaskCompleted,
    TurnStarted,
    WorkflowState,
    WorkflowStatus,
)
from flowyard.testing.delegate import DelegatingComponent, in_front_of


class TellsOtherwise(DelegatingComponent):
    """Tells the state in another way: derive from it and change the state."""

    def changed(self, state: WorkflowState) -> WorkflowState:
        return state

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        return self.changed(await super().get(instance_id, payloads=payloads))

    async def wait(self, instance_id: str) -> WorkflowState:
        return self.changed(await super().wait(instance_id))


class CallsFailedCompleted(TellsOtherwise):
    def changed(self, state: WorkflowState) -> WorkflowState:
        is_failed = state.status is WorkflowStatus.FAILED
        return replace(state, status=WorkflowStatus.COMPLETED) if is_failed else state


class CallsTerminatedCanceled(TellsOtherwise):
    def changed(self, state: WorkflowState) -> WorkflowState:
        is_terminated = state.status is WorkflowStatus.TERMINATED
        return replace(state, status=WorkflowStatus.CANCELED) if is_terminated else state


class ForgetsTheCause(TellsOtherwise):
    """Tells of a failure, and not what has caused it."""

    def changed(self, state: WorkflowState) -> WorkflowState:
        failure = state.failure and replace(state.failure, cause=None)
        return replace(state, failure=failure)


class MovesTheCreation(TellsOtherwise):
    """Takes the time of the last change for that of the creation."""

    def changed(self, state: WorkflowState) -> WorkflowState:
        return replace(state, created_at=state.last_updated_at)


class HidesTheParent(TellsOtherwise):
    def changed(self, state: WorkflowState) -> WorkflowState:
        return replace(state, parent_instance_id=None)


class HidesTheCustomStatus(TellsOtherwise):
    """Tells the custom status only while the instance is active."""

    def changed(self, state: WorkflowState) -> WorkflowState:
        return replace(state, custom_status=None) if state.status.is_closed else state


class TellsPayloadsUnasked(DelegatingComponent):
    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        return await super().get(instance_id, payloads=True)


class TakesPatterns(DelegatingComponent):
    """Looks for whatever fits a pattern (as a search of another engine may)."""

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        if instance_id.endswith("*"):
            query = InstanceQuery(instance_id_prefix=instance_id[:-1])
            for state in (await self.inner.list(query)).instances:
                return state
        return await super().get(instance_id, payloads=payloads)


class FoldsIds(DelegatingComponent):
    """Takes IDs that differ in case for one (as a column of a database may)."""

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        return await super().terminate(instance_id.lower(), output=output, recursive=recursive)


class DoublesAResult(DelegatingComponent):
    """Records the result of an activity twice."""

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        doubled: list[HistoryEvent] = []
        for event in await super().history(instance_id):
            doubled += [event, event] if isinstance(event, TaskCompleted) else [event]
        return doubled


class TakesAnotherResult(DelegatingComponent):
    """Records a second result of an activity, which is another one."""

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        events: list[HistoryEvent] = []
        for event in await super().history(instance_id):
            events.append(event)
            if isinstance(event, TaskCompleted):
                events.append(msgspec.structs.replace(event, output='"another"'))
        return events


class TellsAnotherHistory(DelegatingComponent):
    """Tells of each turn that it was now."""

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        now = time.time_ns() // 1000
        return [
            msgspec.structs.replace(event, at=now) if isinstance(event, TurnStarted) else event
            for event in await super().history(instance_id)
        ]


class TellsNoEnd(DelegatingComponent):
    """Leaves the last event out."""

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        return (await super().history(instance_id))[:-1]


class RunsTwice(DelegatingExecutor):
    """Runs each activity twice, and takes the second result."""

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        await self.inner.run_activity(task)
        return await self.inner.run_activity(task)


_LITERALLY = "test_an_id_is_taken_literally_by_every_verb"
_ONCE = "test_every_result_follows_its_cause_and_comes_once[fan_out-20]"
_REFUSAL = "test_an_operation_is_refused_by_name_exactly_where_it_is_not_declared"

MUTANTS: Mapping[str, Mutant] = {
    "calls failed completed": in_front(
        CallsFailedCompleted, "test_a_failure_has_type_message_stack_and_cause"
    ),
    "calls terminated canceled": in_front(
        CallsTerminatedCanceled,
        "test_a_terminated_instance_is_terminated",
        "test_children_are_terminated_too",
    ),
    "forgets the cause": in_front(
        ForgetsTheCause,
        "test_a_failure_has_type_message_stack_and_cause",
        "test_a_failed_activity_that_nobody_catches_fails_the_instance",
    ),
    "moves the creation": in_front(MovesTheCreation, "test_creation_stays_while_updates_move_on"),
    "hides the parent": in_front(
        HidesTheParent, "test_a_child_is_an_instance_under_the_id_it_was_given"
    ),
    "hides the custom status": in_front(
        HidesTheCustomStatus,
        "test_the_custom_status_is_seen_while_the_instance_runs_and_afterwards",
    ),
    "tells payloads unasked": in_front(
        TellsPayloadsUnasked, "test_payloads_are_left_out_on_request"
    ),
    "takes patterns": in_front(TakesPatterns, _LITERALLY),
    "folds ids": in_front(FoldsIds, _LITERALLY),
    "doubles a result": in_front(
        DoublesAResult, "test_each_activity_is_recorded_once_with_one_result", _ONCE
    ),
    "takes another result": in_front(
        TakesAnotherResult, "test_each_activity_is_recorded_once_with_one_result", _ONCE
    ),
    "tells another history": in_front(
        TellsAnotherHistory, "test_a_history_that_was_told_is_told_again"
    ),
    "tells no end": in_front(
        TellsNoEnd,
        "test_a_history_begins_with_the_start_and_ends_with_the_completion",
        "test_a_termination_is_recorded",
    ),
    "runs activities twice": run_by(
        RunsTwice,
        "test_each_activity_of_an_undisturbed_instance_runs_once",
        "test_an_error_that_rules_out_retries_is_not_retried",
    ),
    "does what it does not declare": Mutant(
        in_front_of(
            ENGINE,
            "workflow.mutant",
            DelegatingComponent,
            capabilities=ENGINE.capabilities - {Capability.HISTORY},
        ),
        (f"{_REFUSAL}[history]",),
    ),
}
