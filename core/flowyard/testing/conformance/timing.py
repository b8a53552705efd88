"""Timers: of any length, on the workflow's own clock, each fired once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import ACTIVE, Subject


class Timing:
    """`create_timer` fires no earlier than it should; the sentinel for never does not fire."""

    @pytest.mark.parametrize("milliseconds", [0, 1, 30])
    async def test_a_timer_does_not_fire_early(self, subject: Subject, milliseconds: int) -> None:
        assert await subject.result("timer", milliseconds) >= milliseconds

    async def test_timers_fire_in_the_order_of_their_times(self, subject: Subject) -> None:
        assert await subject.result("timers", [90, 1, 45]) == [1, 45, 90]

    async def test_timers_of_one_time_all_fire(self, subject: Subject) -> None:
        assert await subject.result("timers", [20] * 10) == [20] * 10

    async def test_a_timer_for_a_time_waits_until_then(self, subject: Subject) -> None:
        at = datetime.now(UTC) + timedelta(milliseconds=40)
        over = datetime.fromisoformat(await subject.result("deadline", at.isoformat()))
        assert over.replace(tzinfo=UTC) >= at

    @pytest.mark.parametrize(
        "at",
        [
            "2001-01-01T00:00:00",
            "1970-01-01T00:00:00",
            "1969-12-31T23:59:59.999999",
            "0001-01-01T00:00:00",  # "no deadline" in much code
        ],
    )
    async def test_a_timer_for_a_time_that_has_gone_by_fires_at_once(
        self, subject: Subject, at: str
    ) -> None:
        over = await subject.result("deadline", at)
        assert datetime.fromisoformat(over).year > 2001
        assert await subject.result("timer", 1) >= 1  # no other timer is kept from firing

    @pytest.mark.parametrize(
        "at",
        [
            "9999-12-31T23:59:59.999999",  # Dapr's word for never
            "2999-01-01T00:00:00",
        ],
    )
    async def test_a_timer_may_lie_in_any_future(self, subject: Subject, at: str) -> None:
        instance_id = await subject.start("never_or_event", at)
        await subject.let_others_pass()
        assert (await subject.runtime.get(instance_id)).status in ACTIVE
        await subject.runtime.raise_event(instance_id, "go", "event")
        assert (await subject.finish(instance_id)).result() == "event"

    async def test_an_instance_that_waits_for_a_far_timer_can_be_terminated(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("never_or_event", "2999-01-01T00:00:00")
        assert await subject.runtime.terminate(instance_id) is True
        assert (await subject.finish(instance_id)).status is WorkflowStatus.TERMINATED
