"""Several runtimes on one backend: what one starts, the others see, steer and go on with."""

from __future__ import annotations

import asyncio

from flowyard.backend.component import Capability
from flowyard.errors import InstanceAlreadyExists
from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import OpenSubject, Subject, requires


class Sharing:
    """Where the backend is shared, every verb works from every runtime."""

    @requires(Capability.SHARED)
    async def test_what_one_starts_another_sees_and_steers(
        self, subject: Subject, open_subject: OpenSubject
    ) -> None:
        async with open_subject(subject.probe) as other:
            instance_id = await subject.start("waiter")
            assert (await other.runtime.get(instance_id)).instance_id == instance_id
            assert await other.runtime.raise_event(instance_id, "go", "from the other") is True
            assert (await subject.finish(instance_id)).result() == "from the other"
            assert (await other.finish(instance_id)).result() == "from the other"

    @requires(Capability.SHARED)
    async def test_either_may_start(self, subject: Subject, open_subject: OpenSubject) -> None:
        async with open_subject(subject.probe) as other:
            instance_id = await other.start("echo", 1)
            assert (await subject.finish(instance_id)).result() == 1

    @requires(Capability.SHARED, Capability.PAUSE)
    async def test_what_one_pauses_another_resumes(
        self, subject: Subject, open_subject: OpenSubject
    ) -> None:
        async with open_subject(subject.probe) as other:
            instance_id = await subject.start("waiter")
            assert await other.runtime.pause(instance_id) is True
            assert (await subject.runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
            assert await subject.runtime.pause(instance_id) is False
            assert await subject.runtime.resume(instance_id) is True
            await other.runtime.raise_event(instance_id, "go", "on")
            assert (await other.finish(instance_id)).result() == "on"

    @requires(Capability.SHARED)
    async def test_what_one_starts_another_terminates(
        self, subject: Subject, open_subject: OpenSubject
    ) -> None:
        async with open_subject(subject.probe) as other:
            instance_id = await subject.start("waiter")
            assert await other.runtime.terminate(instance_id) is True
            assert (await subject.finish(instance_id)).status is WorkflowStatus.TERMINATED

    @requires(Capability.SHARED)
    async def test_of_starts_with_one_id_from_two_exactly_one_wins(
        self, subject: Subject, open_subject: OpenSubject
    ) -> None:
        async with open_subject(subject.probe) as other:
            instance_id = subject.new_id()
            outcomes = await asyncio.gather(
                *(
                    process.start("waiter", instance_id=instance_id)
                    for process in (subject, other) * 5
                ),
                return_exceptions=True,
            )
            refused = [
                outcome for outcome in outcomes if isinstance(outcome, InstanceAlreadyExists)
            ]
            assert outcomes.count(instance_id) == 1
            assert len(refused) == 9
            await other.runtime.raise_event(instance_id, "go", 1)
            assert (await subject.finish(instance_id)).result() == 1

    @requires(Capability.SHARED)
    async def test_events_from_two_all_arrive_once(
        self, subject: Subject, open_subject: OpenSubject
    ) -> None:
        async with open_subject(subject.probe) as other:
            instance_id = await subject.start("collector", 20)
            await asyncio.gather(
                *(
                    (subject, other)[number % 2].runtime.raise_event(instance_id, "item", number)
                    for number in range(20)
                )
            )
            received = (await subject.finish(instance_id)).result(list[int])
            assert sorted(received) == list(range(20))

    @requires(Capability.SHARED, Capability.HOSTING)
    async def test_two_run_many_instances_each_step_once(
        self, subject: Subject, open_subject: OpenSubject
    ) -> None:
        async with open_subject(subject.probe) as other:
            started = [await process.start("countdown", 2) for process in (subject, other) * 5]
            for instance_id in started:
                assert (await subject.finish(instance_id)).result() == ["done", 0]
                assert subject.probe.records(instance_id) == [2, 1, 0]
