"""Listing: by name, status, time and ID prefix, newest first, in pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flowyard.backend.component import Capability
from flowyard.errors import InvalidRequest
from flowyard.models import InstanceQuery, WorkflowState, WorkflowStatus
from flowyard.testing.conformance.subject import Subject, requires


class Listing:
    """`list` finds what a query asks for, all of it and nothing else."""

    @requires(Capability.LIST)
    async def test_instances_are_listed_by_the_prefix_of_their_ids(self, subject: Subject) -> None:
        prefix = subject.new_id()
        inside = {await subject.start("echo", 1, instance_id=f"{prefix}-{n}") for n in range(3)}
        outside = await subject.start("echo", 1)
        listed = await _all(subject, InstanceQuery(instance_id_prefix=prefix))
        assert {state.instance_id for state in listed} == inside
        assert outside not in inside

    @requires(Capability.LIST)
    async def test_a_prefix_is_taken_literally(self, subject: Subject) -> None:
        # "_" matches anything in SQL's LIKE.
        unique = subject.new_id()
        await subject.run("echo", 1, instance_id=f"{unique}-x")
        await subject.run("echo", 1, instance_id=f"{unique}_X")
        listed = await _all(subject, InstanceQuery(instance_id_prefix=f"{unique}_"))
        assert [state.instance_id for state in listed] == [f"{unique}_X"]
        assert await _all(subject, InstanceQuery(instance_id_prefix=f"{unique}_x")) == []

    @requires(Capability.LIST)
    async def test_instances_are_listed_by_workflow(self, subject: Subject) -> None:
        prefix = subject.new_id()
        await subject.start("echo", 1, instance_id=f"{prefix}-echo")
        await subject.start("waiter", instance_id=f"{prefix}-waiter")
        query = InstanceQuery(instance_id_prefix=prefix, workflow=subject.named("waiter"))
        listed = await _all(subject, query)
        assert [state.instance_id for state in listed] == [f"{prefix}-waiter"]
        assert listed[0].workflow == subject.named("waiter")

    @requires(Capability.LIST)
    async def test_instances_are_listed_by_status(self, subject: Subject) -> None:
        prefix = subject.new_id()
        await subject.run("echo", 1, instance_id=f"{prefix}-completed")
        await subject.run("failing", "x", instance_id=f"{prefix}-failed")
        await subject.start("waiter", instance_id=f"{prefix}-terminated")
        await subject.runtime.terminate(f"{prefix}-terminated")
        await subject.finish(f"{prefix}-terminated")

        async def with_status(*status: WorkflowStatus) -> set[str]:
            query = InstanceQuery(instance_id_prefix=prefix, status=frozenset(status))
            return {state.instance_id for state in await _all(subject, query)}

        assert await with_status(WorkflowStatus.COMPLETED) == {f"{prefix}-completed"}
        assert await with_status(WorkflowStatus.FAILED) == {f"{prefix}-failed"}
        assert await with_status(WorkflowStatus.TERMINATED) == {f"{prefix}-terminated"}
        assert await with_status(WorkflowStatus.COMPLETED, WorkflowStatus.FAILED) == {
            f"{prefix}-completed",
            f"{prefix}-failed",
        }
        assert await with_status(WorkflowStatus.STALLED) == set()

    @requires(Capability.LIST, Capability.PAUSE)
    async def test_paused_instances_are_listed_as_suspended(self, subject: Subject) -> None:
        prefix = subject.new_id()
        await subject.start("waiter", instance_id=f"{prefix}-paused")
        await subject.start("waiter", instance_id=f"{prefix}-running")
        await subject.runtime.pause(f"{prefix}-paused")
        suspended = frozenset({WorkflowStatus.SUSPENDED})
        query = InstanceQuery(instance_id_prefix=prefix, status=suspended)
        listed = await _all(subject, query)
        assert [state.instance_id for state in listed] == [f"{prefix}-paused"]

    @requires(Capability.LIST)
    async def test_instances_are_listed_by_the_time_of_their_creation(
        self, subject: Subject
    ) -> None:
        prefix = subject.new_id()
        created = []
        for number in range(3):
            state = await subject.run("echo", number, instance_id=f"{prefix}-{number}")
            created.append(state.created_at)

        async def between(start: datetime | None, end: datetime | None) -> list[str]:
            query = InstanceQuery(instance_id_prefix=prefix, created_from=start, created_to=end)
            return sorted(state.instance_id for state in await _all(subject, query))

        everything = [f"{prefix}-{number}" for number in range(3)]
        assert await between(created[0], None) == everything
        assert await between(created[0].replace(tzinfo=None), None) == everything
        assert f"{prefix}-0" not in await between(None, created[0])
        assert await between(created[0] - timedelta(hours=1), created[-1] + timedelta(hours=1)) == (
            everything
        )
        assert await between(created[-1] + timedelta(hours=1), None) == []
        assert await between(None, created[0] - timedelta(hours=1)) == []
        assert f"{prefix}-0" in await between(None, created[0] + timedelta(milliseconds=1))

    @requires(Capability.LIST)
    async def test_the_newest_comes_first(self, subject: Subject) -> None:
        prefix = subject.new_id()
        for number in range(5):
            await subject.run("echo", number, instance_id=f"{prefix}-{number}")
        listed = await _all(subject, InstanceQuery(instance_id_prefix=prefix))
        times = [state.created_at for state in listed]
        assert times == sorted(times, reverse=True)
        assert len(listed) == 5

    @requires(Capability.LIST)
    @pytest.mark.parametrize("size", [3, 10])
    async def test_pages_leave_nothing_out_and_repeat_nothing(
        self, subject: Subject, size: int
    ) -> None:
        prefix = subject.new_id()
        started = [
            await subject.start("echo", number, instance_id=f"{prefix}-{number}")
            for number in range(13)
        ]
        token: str | None = None
        pages: list[list[str]] = []
        while True:
            query = InstanceQuery(
                instance_id_prefix=prefix, page_size=size, continuation_token=token
            )
            page = await subject.runtime.list(query)
            pages.append([state.instance_id for state in page.instances])
            token = page.continuation_token
            # A backend may say only with an empty page that nothing follows.
            if token is None or len(pages) > len(started):
                break
        listed = [instance_id for page in pages for instance_id in page]
        assert sorted(listed) == sorted(started)
        assert max(len(page) for page in pages) <= size

    @requires(Capability.LIST)
    async def test_what_starts_between_two_pages_does_not_disturb_the_second(
        self, subject: Subject
    ) -> None:
        prefix = subject.new_id()
        first_ones = {
            await subject.start("echo", number, instance_id=f"{prefix}-{number}")
            for number in range(4)
        }
        page = await subject.runtime.list(InstanceQuery(instance_id_prefix=prefix, page_size=2))
        await subject.start("echo", 1, instance_id=f"{prefix}-later")
        seen = [state.instance_id for state in page.instances]
        rest = InstanceQuery(instance_id_prefix=prefix, continuation_token=page.continuation_token)
        seen += [state.instance_id for state in (await subject.runtime.list(rest)).instances]
        assert len(seen) == len(set(seen))
        assert first_ones <= set(seen)

    @requires(Capability.LIST)
    @pytest.mark.parametrize("token", ["no token", "99999999999999999999", "-1"])
    async def test_a_token_that_no_page_has_given_is_refused(
        self, subject: Subject, token: str
    ) -> None:
        with pytest.raises(InvalidRequest):
            await subject.runtime.list(InstanceQuery(continuation_token=token))

    @requires(Capability.LIST)
    async def test_a_listing_carries_no_payloads(self, subject: Subject) -> None:
        instance_id = await subject.start("echo", "a payload")
        await subject.finish(instance_id)
        (state,) = await _all(subject, InstanceQuery(instance_id_prefix=instance_id))
        assert state.status is WorkflowStatus.COMPLETED
        assert (state.input, state.output) == (None, None)
        assert state.created_at.tzinfo is UTC

    @requires(Capability.LIST)
    async def test_nothing_found_is_an_empty_page(self, subject: Subject) -> None:
        page = await subject.runtime.list(InstanceQuery(instance_id_prefix=subject.new_id()))
        assert page.instances == ()
        assert page.continuation_token is None


async def _all(subject: Subject, query: InstanceQuery) -> list[WorkflowState]:
    return list((await subject.runtime.list(query)).instances)
