"""States: what `get` tells of an instance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flowyard.backend.component import Capability
from flowyard.errors import InstanceNotFound
from flowyard.models import WorkflowFailed, WorkflowStatus
from flowyard.testing.conformance.subject import ACTIVE, Subject, requires

# Clocks of a backend elsewhere may differ from ours.
_SKEW = timedelta(minutes=5)


class States:
    """`get` returns the status, the name, the times, the payloads, and the failure."""

    async def test_the_state_of_a_completed_instance_is_complete(self, subject: Subject) -> None:
        earliest = datetime.now(UTC) - _SKEW
        instance_id = await subject.start("echo", {"x": 1})
        state = await subject.finish(instance_id)
        assert state == await subject.runtime.get(instance_id)
        assert state.instance_id == instance_id
        assert state.workflow == subject.named("echo")
        assert state.status is WorkflowStatus.COMPLETED
        assert earliest <= state.created_at <= state.last_updated_at <= datetime.now(UTC) + _SKEW
        assert state.input == '{"x":1}'
        assert state.result() == {"x": 1}
        assert state.failure is None
        assert state.parent_instance_id is None

    async def test_an_instance_that_waits_is_running_and_has_no_output(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("waiter")
        state = await subject.runtime.get(instance_id)
        assert state.status in ACTIVE
        assert state.output is None
        with pytest.raises(WorkflowFailed, match=instance_id):
            state.result()

    async def test_payloads_are_left_out_on_request(self, subject: Subject) -> None:
        instance_id = await subject.start("echo", "a payload")
        await subject.finish(instance_id)
        state = await subject.runtime.get(instance_id, payloads=False)
        assert state.status is WorkflowStatus.COMPLETED
        assert (state.input, state.output) == (None, None)

    async def test_an_unknown_instance_is_not_found(self, subject: Subject) -> None:
        unknown = subject.new_id()
        with pytest.raises(InstanceNotFound, match=f"no such instance exists.*{unknown}"):
            await subject.runtime.get(unknown)

    async def test_waiting_for_an_unknown_instance_is_refused(self, subject: Subject) -> None:
        with pytest.raises(InstanceNotFound):
            await subject.finish(subject.new_id())

    async def test_waiting_ends_with_the_timeout_and_leaves_the_instance_alone(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("waiter")
        with pytest.raises(TimeoutError):
            await subject.runtime.wait(instance_id, timeout=timedelta(milliseconds=1))
        await subject.runtime.raise_event(instance_id, "go", 1)
        assert (await subject.finish(instance_id)).result() == 1

    async def test_the_custom_status_is_seen_while_the_instance_runs_and_afterwards(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start_at_gate("statuses", "first")
        assert (await subject.runtime.get(instance_id)).custom_status == "half way"
        subject.probe.open_gate(instance_id, "first")
        await subject.probe.reached(instance_id, "second")
        assert (await subject.runtime.get(instance_id)).custom_status == '{"percent":75}'
        subject.probe.open_gate(instance_id, "second")
        assert (await subject.finish(instance_id)).custom_status == '{"percent":75}'

    async def test_creation_stays_while_updates_move_on(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        before = await subject.runtime.get(instance_id)
        await subject.runtime.raise_event(instance_id, "go")
        after = await subject.finish(instance_id)
        assert after.created_at == before.created_at
        assert after.last_updated_at >= before.last_updated_at

    async def test_a_failure_has_type_message_stack_and_cause(self, subject: Subject) -> None:
        state = await subject.run("failing", "what went wrong: ünïcode")
        assert state.status is WorkflowStatus.FAILED
        assert state.output is None
        assert state.failure is not None
        assert state.failure.error_type == "ValueError"
        assert state.failure.message == "what went wrong: ünïcode"
        assert "ValueError: what went wrong" in (state.failure.stack_trace or "")
        assert state.failure.cause is not None
        assert state.failure.cause.error_type == "KeyError"
        with pytest.raises(WorkflowFailed, match="ValueError: what went wrong"):
            state.result()

    @requires(Capability.HOSTING)
    async def test_a_failed_activity_that_nobody_catches_fails_the_instance(
        self, subject: Subject
    ) -> None:
        state = await subject.run("uncaught", "no stock")
        assert state.status is WorkflowStatus.FAILED
        assert state.failure is not None
        assert state.failure.error_type == "TaskFailedError"
        assert "no stock" in state.failure.message
        activity = state.failure.cause
        assert activity is not None
        assert (activity.error_type, activity.message) == ("BrokenStep", "no stock")
        assert "BrokenStep" in (activity.stack_trace or "")
        assert activity.cause is not None
        assert activity.cause.error_type == "KeyError"
