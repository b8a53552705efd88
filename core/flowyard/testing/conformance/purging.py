"""Purge: only what is closed, completely, with its children."""

from __future__ import annotations

import asyncio

import pytest

from flowyard.backend.component import Capability
from flowyard.errors import InstanceNotClosed, InstanceNotFound
from flowyard.models import InstanceQuery, WorkflowStatus
from flowyard.payload import ABSENT
from flowyard.testing.conformance.subject import Subject, requires


class Purging:
    """After `purge`, the instance is not found and its ID is free."""

    @requires(Capability.PURGE)
    async def test_a_purged_instance_is_gone(self, subject: Subject) -> None:
        instance_id = await subject.start("echo", 1)
        await subject.finish(instance_id)
        assert await subject.runtime.purge(instance_id) == 1
        with pytest.raises(InstanceNotFound, match=instance_id):
            await subject.runtime.get(instance_id)

    @requires(Capability.PURGE)
    @pytest.mark.parametrize("workflow", ["failing", "waiter"])
    async def test_whatever_is_closed_can_be_purged(self, subject: Subject, workflow: str) -> None:
        instance_id = await subject.start(workflow, "x" if workflow == "failing" else ABSENT)
        if workflow == "waiter":
            await subject.runtime.terminate(instance_id)
        await subject.finish(instance_id)
        assert await subject.runtime.purge(instance_id) == 1
        with pytest.raises(InstanceNotFound):
            await subject.runtime.get(instance_id)

    @requires(Capability.PURGE)
    async def test_the_id_of_a_purged_instance_is_free(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.raise_event(instance_id, "other", "left over")
        await subject.runtime.raise_event(instance_id, "go", "old")
        await subject.finish(instance_id)
        await subject.runtime.purge(instance_id)
        await subject.start("two_events", instance_id=instance_id)
        await subject.runtime.raise_event(instance_id, "first", 1)
        await subject.runtime.raise_event(instance_id, "second", 2)
        assert (await subject.finish(instance_id)).result() == [1, 2]

    @requires(Capability.PURGE)
    async def test_an_active_instance_is_not_purged(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        with pytest.raises(InstanceNotClosed, match=instance_id):
            await subject.runtime.purge(instance_id)
        await subject.runtime.raise_event(instance_id, "go", "unharmed")
        assert (await subject.finish(instance_id)).result() == "unharmed"

    @requires(Capability.PURGE, Capability.PAUSE)
    async def test_a_paused_instance_is_not_purged(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.pause(instance_id)
        with pytest.raises(InstanceNotClosed):
            await subject.runtime.purge(instance_id)
        assert (await subject.runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED

    @requires(Capability.PURGE)
    async def test_an_unknown_or_purged_instance_is_not_found(self, subject: Subject) -> None:
        with pytest.raises(InstanceNotFound):
            await subject.runtime.purge(subject.new_id())
        instance_id = await subject.start("echo", 1)
        await subject.finish(instance_id)
        await subject.runtime.purge(instance_id)
        with pytest.raises(InstanceNotFound):
            await subject.runtime.purge(instance_id)

    @requires(Capability.PURGE)
    async def test_children_are_purged_too(self, subject: Subject) -> None:
        child, grandchild = subject.new_id(), subject.new_id()
        inner = {"child": "echo", "id": grandchild, "input": 1}
        parent = await subject.start("parent", {"child": "parent", "id": child, "input": inner})
        await subject.finish(parent)
        assert await subject.runtime.purge(parent) == 3
        for instance_id in (parent, child, grandchild):
            with pytest.raises(InstanceNotFound):
                await subject.runtime.get(instance_id)

    @requires(Capability.PURGE)
    async def test_children_from_before_continue_as_new_are_purged_too(
        self, subject: Subject
    ) -> None:
        child = subject.new_id()
        parent = await subject.start("renewed_parent", child)
        await subject.finish(parent)
        assert await subject.runtime.purge(parent) == 2
        with pytest.raises(InstanceNotFound):
            await subject.runtime.get(child)

    @requires(Capability.PURGE)
    async def test_instances_that_are_each_others_parents_are_purged(
        self, subject: Subject
    ) -> None:
        one, other = subject.new_id(), subject.new_id()
        call = {"child": "late_parent", "id": other, "input": {"child": "echo", "id": one}}
        await subject.start("parent", call, instance_id=one)
        await subject.probe.reached(other, "gate")
        await subject.runtime.terminate(one, recursive=False)
        await subject.finish(one)
        subject.probe.open_gate(other, "gate")
        await subject.finish(other)
        assert (await subject.runtime.get(one)).parent_instance_id == other
        async with asyncio.timeout(subject.probe.patience.total_seconds()):
            assert await subject.runtime.purge(other) == 2

    @requires(Capability.PURGE)
    async def test_children_stay_where_the_purge_is_not_recursive(self, subject: Subject) -> None:
        child = subject.new_id()
        parent = await subject.start("parent", {"child": "echo", "id": child, "input": 1})
        await subject.finish(parent)
        assert await subject.runtime.purge(parent, recursive=False) == 1
        with pytest.raises(InstanceNotFound):
            await subject.runtime.get(parent)
        assert (await subject.runtime.get(child)).result() == 1

    @requires(Capability.PURGE)
    async def test_nothing_is_purged_while_a_child_is_active(self, subject: Subject) -> None:
        child = subject.new_id()
        parent = await subject.start("parent", {"child": "late_waiter", "id": child})
        await subject.probe.reached(child, "gate")
        await subject.runtime.terminate(parent, recursive=False)
        before = await subject.finish(parent)
        with pytest.raises(InstanceNotClosed, match=child):
            await subject.runtime.purge(parent)
        assert await subject.runtime.get(parent) == before

    @requires(Capability.PURGE, Capability.LIST)
    async def test_a_purged_instance_is_not_listed(self, subject: Subject) -> None:
        instance_id = await subject.start("echo", 1)
        await subject.finish(instance_id)
        query = InstanceQuery(instance_id_prefix=instance_id)
        assert len((await subject.runtime.list(query)).instances) == 1
        await subject.runtime.purge(instance_id)
        assert (await subject.runtime.list(query)).instances == ()
