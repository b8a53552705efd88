"""Retries: exactly as many attempts as the policy says."""

from __future__ import annotations

import pytest

from flowyard.testing.conformance.subject import Subject


class Retrying:
    """A retry policy decides after each failure whether there is another attempt."""

    @pytest.mark.parametrize("failures", [0, 1, 4])
    async def test_an_activity_is_retried_as_often_as_it_fails(
        self, subject: Subject, failures: int
    ) -> None:
        instance_id = await subject.start("retries", failures)
        assert (await subject.finish(instance_id)).result() == failures + 1
        assert subject.probe.calls(instance_id, "flaky") == failures + 1

    async def test_after_the_last_attempt_the_last_failure_is_raised(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("retries", 99)
        result = (await subject.finish(instance_id)).result(dict[str, object])
        assert result["type"] == "BrokenStep"
        assert result["message"] == "attempt 5"
        assert subject.probe.calls(instance_id, "flaky") == 5

    async def test_all_attempts_of_a_call_share_one_key(self, subject: Subject) -> None:
        instance_id = await subject.start("retries", 2)
        await subject.finish(instance_id)
        keys = subject.probe.records(instance_id)
        assert len(keys) == 3
        assert len(set(keys)) == 1

    async def test_an_error_that_rules_out_retries_is_not_retried(self, subject: Subject) -> None:
        instance_id = await subject.start("hopeless")
        assert (await subject.finish(instance_id)).result() == "HopelessStep"
        assert subject.probe.calls(instance_id, "hopeless") == 1

    async def test_an_error_that_the_policy_rules_out_is_not_retried(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("hopeless_by_name")
        assert (await subject.finish(instance_id)).result() == "BrokenStep"
        assert subject.probe.calls(instance_id, "broken") == 1

    async def test_retries_end_with_their_total_time(self, subject: Subject) -> None:
        instance_id = await subject.start("timed_out_retries")
        assert (await subject.finish(instance_id)).result() == "attempt 1"
        assert subject.probe.calls(instance_id, "flaky") == 1

    async def test_without_a_policy_there_is_one_attempt(self, subject: Subject) -> None:
        instance_id = await subject.start("details", "once")
        await subject.finish(instance_id)
        assert subject.probe.calls(instance_id, "broken") == 1
