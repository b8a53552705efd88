"""Starts: IDs, duplicates, reuse, start times."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from flowyard.backend.component import Capability
from flowyard.errors import InstanceAlreadyExists, InvalidRequest, WorkflowNotRegistered
from flowyard.models import ReusePolicy, WorkflowStatus
from flowyard.testing.conformance.subject import ACTIVE, Subject, requires

INVALID_IDS = ["", " ", "a b", "a/b", "a\n", "ü", "a" * 256, "a\x00b"]


class Starting:
    """`start` is durable when acknowledged; an active instance is never replaced."""

    async def test_a_started_instance_completes_with_its_output(self, subject: Subject) -> None:
        state = await subject.run("echo", {"a": [1, "two", None]})
        assert state.status is WorkflowStatus.COMPLETED
        assert state.result() == {"a": [1, "two", None]}

    async def test_the_caller_chooses_the_instance_id(self, subject: Subject) -> None:
        chosen = subject.new_id()
        assert await subject.start("echo", 1, instance_id=chosen) == chosen
        assert (await subject.finish(chosen)).instance_id == chosen

    async def test_without_an_id_each_start_gets_its_own(self, subject: Subject) -> None:
        name = subject.named("echo")
        first = await subject.runtime.start(name, input=1)
        second = await subject.runtime.start(name, input=2)
        assert first != second
        assert (await subject.finish(first)).result() == 1
        assert (await subject.finish(second)).result() == 2

    async def test_an_acknowledged_start_is_seen_at_once(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        state = await subject.runtime.get(instance_id)
        assert state.instance_id == instance_id
        assert state.status in ACTIVE

    @pytest.mark.parametrize("alphabet", ["abcXYZ-019_.:", "x" * 255, "-", "..", "0"])
    async def test_every_allowed_id_names_an_instance(
        self, subject: Subject, alphabet: str
    ) -> None:
        # Nearly every: one that is longer or shorter needs something of its own in a shared store.
        unique = subject.new_id()
        instance_id = (alphabet + unique)[:255] if len(alphabet) < 255 else unique.ljust(255, "x")
        assert (await subject.run("echo", 7, instance_id=instance_id)).result() == 7

    @pytest.mark.parametrize("instance_id", INVALID_IDS)
    async def test_an_invalid_id_is_refused(self, subject: Subject, instance_id: str) -> None:
        with pytest.raises(InvalidRequest):
            await subject.runtime.start(subject.named("echo"), input=1, instance_id=instance_id)

    @requires(Capability.HOSTING)
    async def test_a_workflow_that_is_not_registered_is_refused(self, subject: Subject) -> None:
        with pytest.raises(WorkflowNotRegistered, match=r"eccho.*Did you mean 'echo'"):
            await subject.runtime.start("eccho", input=1)

    async def test_a_second_start_of_an_active_id_is_refused_and_changes_nothing(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("waiter")
        before = await subject.runtime.get(instance_id)
        with pytest.raises(InstanceAlreadyExists, match=instance_id):
            await subject.start("echo", "other", instance_id=instance_id)
        after = await subject.runtime.get(instance_id)
        assert (after.workflow, after.input, after.created_at) == (
            before.workflow,
            before.input,
            before.created_at,
        )
        await subject.runtime.raise_event(instance_id, "go", "first")
        assert (await subject.finish(instance_id)).result() == "first"

    async def test_of_many_starts_at_once_with_one_id_exactly_one_wins(
        self, subject: Subject
    ) -> None:
        instance_id = subject.new_id()
        outcomes = await asyncio.gather(
            *(subject.start("waiter", instance_id=instance_id) for _ in range(20)),
            return_exceptions=True,
        )
        refused = [outcome for outcome in outcomes if isinstance(outcome, InstanceAlreadyExists)]
        assert outcomes.count(instance_id) == 1
        assert len(refused) == 19
        await subject.runtime.raise_event(instance_id, "go", 1)
        assert (await subject.finish(instance_id)).result() == 1

    async def test_the_id_of_a_completed_instance_is_replaced(self, subject: Subject) -> None:
        instance_id = await subject.start("echo", "old")
        await subject.finish(instance_id)
        await subject.start("echo", "new", instance_id=instance_id)
        state = await subject.finish(instance_id)
        assert (state.input, state.result()) == ('"new"', "new")

    async def test_the_id_of_a_failed_instance_is_replaced_with_nothing_left_of_it(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("failing", "old")
        assert (await subject.finish(instance_id)).status is WorkflowStatus.FAILED
        state = await subject.run("echo", "new", instance_id=instance_id)
        assert state.result() == "new"
        assert state.failure is None

    async def test_the_id_of_a_terminated_instance_is_replaced(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.terminate(instance_id)
        await subject.finish(instance_id)
        assert (await subject.run("echo", "new", instance_id=instance_id)).result() == "new"

    async def test_a_termination_right_after_a_start_is_of_the_new_instance(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("echo", "old")
        await subject.finish(instance_id)
        await subject.start("waiter", instance_id=instance_id)
        assert await subject.runtime.terminate(instance_id) is True
        state = await subject.finish(instance_id)
        assert (state.workflow, state.status) == (
            subject.named("waiter"),
            WorkflowStatus.TERMINATED,
        )

    async def test_the_id_of_a_closed_instance_is_kept_where_reuse_is_refused(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("echo", "old")
        before = await subject.finish(instance_id)
        with pytest.raises(InstanceAlreadyExists, match=instance_id):
            await subject.start("echo", "new", instance_id=instance_id, reuse=ReusePolicy.REJECT)
        assert await subject.runtime.get(instance_id) == before

    async def test_a_new_id_is_started_where_reuse_is_refused(self, subject: Subject) -> None:
        instance_id = await subject.start("echo", "new", reuse=ReusePolicy.REJECT)
        assert (await subject.finish(instance_id)).result() == "new"

    async def test_an_event_of_the_old_instance_does_not_reach_the_new_one(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.raise_event(instance_id, "go", "old")
        await subject.finish(instance_id)
        await subject.start("waiter", instance_id=instance_id)
        await subject.runtime.raise_event(instance_id, "go", "new")
        assert (await subject.finish(instance_id)).result() == "new"

    async def test_a_late_result_of_the_old_instance_does_not_reach_the_new_one(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start_at_gate("gated")
        await subject.runtime.terminate(instance_id)
        await subject.finish(instance_id)
        await subject.start("chain", 1, instance_id=instance_id)
        subject.probe.open_gate(instance_id, "gate")
        assert (await subject.finish(instance_id)).result() == [2, 4, 8]

    @requires(Capability.START_AT)
    async def test_a_delayed_start_is_pending_until_its_time(self, subject: Subject) -> None:
        start_at = datetime.now(UTC) + timedelta(hours=1)
        instance_id = await subject.start("echo", 1, start_at=start_at)
        assert (await subject.runtime.get(instance_id)).status is WorkflowStatus.PENDING
        await subject.runtime.terminate(instance_id)
        assert (await subject.finish(instance_id)).status is WorkflowStatus.TERMINATED

    @requires(Capability.START_AT, Capability.HOSTING)
    async def test_a_delayed_start_runs_at_its_time_and_not_before(self, subject: Subject) -> None:
        start_at = datetime.now(UTC) + timedelta(milliseconds=60)
        instance_id = await subject.start("started_at", start_at=start_at)
        began = datetime.fromisoformat(str((await subject.finish(instance_id)).result()))
        assert began.replace(tzinfo=UTC) >= start_at

    @requires(Capability.START_AT)
    async def test_a_start_time_in_the_past_means_now(self, subject: Subject) -> None:
        start_at = datetime(2020, 1, 1, tzinfo=UTC)
        instance_id = await subject.start("echo", 1, start_at=start_at)
        assert (await subject.finish(instance_id)).result() == 1

    @requires(Capability.START_AT)
    async def test_an_event_raised_before_a_delayed_start_is_kept(self, subject: Subject) -> None:
        start_at = datetime.now(UTC) + timedelta(milliseconds=60)
        instance_id = await subject.start("waiter", start_at=start_at)
        assert await subject.runtime.raise_event(instance_id, "go", "early")
        assert (await subject.finish(instance_id)).result() == "early"

    @requires(Capability.START_AT)
    async def test_an_event_of_a_start_that_was_called_off_does_not_reach_the_next_instance(
        self, subject: Subject
    ) -> None:
        start_at = datetime.now(UTC) + timedelta(hours=1)
        instance_id = await subject.start("waiter", start_at=start_at)
        await subject.runtime.raise_event(instance_id, "go", "old")
        await subject.runtime.terminate(instance_id)
        await subject.finish(instance_id)
        await subject.start("waiter", instance_id=instance_id)
        await subject.runtime.raise_event(instance_id, "go", "new")
        assert (await subject.finish(instance_id)).result() == "new"

    @requires(Capability.START_AT)
    async def test_the_id_of_a_pending_instance_is_refused(self, subject: Subject) -> None:
        start_at = datetime.now(UTC) + timedelta(hours=1)
        instance_id = await subject.start("echo", 1, start_at=start_at)
        with pytest.raises(InstanceAlreadyExists):
            await subject.start("echo", 2, instance_id=instance_id)
        await subject.runtime.terminate(instance_id)
