"""Events: durable when acknowledged, kept until somebody waits, each delivered once."""

from __future__ import annotations

import asyncio

import pytest

from flowyard.testing.conformance.subject import Subject


class Events:
    """`raise_event` loses nothing, doubles nothing, and matches names without case."""

    async def test_an_event_reaches_who_waits_for_it(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        assert await subject.runtime.raise_event(instance_id, "go", {"approved": True}) is True
        assert (await subject.finish(instance_id)).result() == {"approved": True}

    @pytest.mark.parametrize("data", [None, False, 0, "", [], "text"])
    async def test_the_data_of_an_event_arrives_as_it_was(
        self, subject: Subject, data: object
    ) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.raise_event(instance_id, "go", data)
        result = (await subject.finish(instance_id)).result()
        assert result == data
        assert type(result) is type(data)

    @pytest.mark.parametrize("name", ["GO", "Go", "gO"])
    async def test_names_match_without_case(self, subject: Subject, name: str) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.raise_event(instance_id, name, name)
        assert (await subject.finish(instance_id)).result() == name

    async def test_an_event_of_another_name_is_not_taken_for_it(self, subject: Subject) -> None:
        instance_id = await subject.start("waiter")
        await subject.runtime.raise_event(instance_id, "gone", "wrong")
        await subject.runtime.raise_event(instance_id, "go", "right")
        assert (await subject.finish(instance_id)).result() == "right"

    async def test_an_event_raised_before_anybody_waits_is_kept(self, subject: Subject) -> None:
        instance_id = await subject.start_at_gate("late_waiter")
        assert await subject.runtime.raise_event(instance_id, "Go", "early") is True
        subject.probe.open_gate(instance_id, "gate")
        assert (await subject.finish(instance_id)).result() == "early"

    async def test_events_keep_for_waits_in_another_order(self, subject: Subject) -> None:
        instance_id = await subject.start("two_events")
        await subject.runtime.raise_event(instance_id, "second", 2)
        await subject.runtime.raise_event(instance_id, "first", 1)
        assert (await subject.finish(instance_id)).result() == [1, 2]

    async def test_events_arrive_in_order_none_lost_none_doubled(self, subject: Subject) -> None:
        instance_id = await subject.start("collector", 30)
        for number in range(30):
            await subject.runtime.raise_event(instance_id, "item", number)
        assert (await subject.finish(instance_id)).result() == list(range(30))

    async def test_events_raised_at_once_all_arrive(self, subject: Subject) -> None:
        instance_id = await subject.start("collector", 30)
        await asyncio.gather(
            *(subject.runtime.raise_event(instance_id, "item", number) for number in range(30))
        )
        received = (await subject.finish(instance_id)).result(list[int])
        assert sorted(received) == list(range(30))

    async def test_the_same_event_raised_twice_counts_twice(self, subject: Subject) -> None:
        instance_id = await subject.start("collector", 2)
        await subject.runtime.raise_event(instance_id, "item", "same")
        await subject.runtime.raise_event(instance_id, "item", "same")
        assert (await subject.finish(instance_id)).result() == ["same", "same"]

    async def test_an_event_raised_once_counts_once(self, subject: Subject) -> None:
        instance_id = await subject.start("collector", 2)
        await subject.runtime.raise_event(instance_id, "item", "once")
        await subject.let_others_pass()
        await subject.runtime.raise_event(instance_id, "item", "other")
        assert (await subject.finish(instance_id)).result() == ["once", "other"]

    @pytest.mark.parametrize("text", [None, "null", ""])
    async def test_the_seam_takes_an_event_without_data(
        self, subject: Subject, text: str | None
    ) -> None:
        instance_id = await subject.start("waiter")
        assert await subject.component.raise_event(instance_id, "go", text) is True
        assert (await subject.finish(instance_id)).result() is None

    async def test_an_event_of_one_instance_reaches_another(self, subject: Subject) -> None:
        target = await subject.start("waiter")
        sender = await subject.start("messenger", target)
        assert (await subject.finish(target)).result() == {"from": sender}
        assert (await subject.finish(sender)).result() == "sent"

    async def test_an_event_of_an_instance_to_itself_arrives(self, subject: Subject) -> None:
        assert await subject.result("soliloquist", 7) == 7

    async def test_an_event_of_an_instance_to_nobody_is_dropped(self, subject: Subject) -> None:
        assert await subject.result("messenger", subject.new_id()) == "sent"

    async def test_an_event_that_does_not_come_in_time_raises_a_timeout(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("impatient", 10)
        await subject.probe.reached(instance_id, "timed out")
        await subject.runtime.raise_event(instance_id, "go", "after all")
        assert (await subject.finish(instance_id)).result() == ["late", "after all"]

    async def test_an_event_that_comes_in_time_is_taken(self, subject: Subject) -> None:
        instance_id = await subject.start("impatient", 3_600_000)
        await subject.runtime.raise_event(instance_id, "go", "now")
        assert (await subject.finish(instance_id)).result() == ["in time", "now"]

    async def test_the_timeout_of_an_event_that_came_does_nothing_any_more(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("outlived_timeout", 1000)
        await subject.runtime.raise_event(instance_id, "go", 1)
        await subject.runtime.raise_event(instance_id, "go", 2)
        assert (await subject.finish(instance_id)).result() == [1, 2]
