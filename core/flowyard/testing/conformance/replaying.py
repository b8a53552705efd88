"""Determinism: replay finds what was, and code that no longer fits harms nothing."""

from __future__ import annotations

from flowyard.backend.component import Capability
from flowyard.models import WorkflowStatus
from flowyard.testing.conformance.subject import OpenSubject, Subject, lasting, requires
from flowyard.testing.workflows.lives import evolving_broken, evolving_patched


class Replaying:
    """The history decides; a change of the code is guarded, or the instance waits as STALLED."""

    async def test_ids_and_times_are_fixed_by_the_history(self, subject: Subject) -> None:
        instance_id = await subject.start("deterministic")
        await subject.probe.reached(instance_id, "ready")
        await subject.runtime.raise_event(instance_id, "go")
        *before, after = (await subject.finish(instance_id)).result(list[str])
        assert subject.probe.records(instance_id)[0] == "|".join(before)
        assert len({before[0], before[1], after}) == 3

    async def test_ids_are_of_one_execution_only(self, subject: Subject) -> None:
        found: list[str] = []
        instance_id = subject.new_id()
        for rerun_id in (instance_id, instance_id, subject.new_id()):
            await subject.start("deterministic", instance_id=rerun_id)
            await subject.runtime.raise_event(rerun_id, "go")
            first, second, _time, third = (await subject.finish(rerun_id)).result(list[str])
            found += [first, second, third]
        assert len(set(found)) == 9

    @requires(Capability.HOSTING)
    @lasting()
    async def test_another_process_finds_the_same_ids_and_times(
        self, open_subject: OpenSubject
    ) -> None:
        async with open_subject() as first:
            instance_id = await first.start("deterministic")
            await first.probe.reached(instance_id, "ready")
        async with open_subject() as second:
            await second.runtime.raise_event(instance_id, "go")
            *before, _after = (await second.finish(instance_id)).result(list[str])
        assert first.probe.records(instance_id)[0] == "|".join(before)

    @requires(Capability.HOSTING)
    @lasting()
    async def test_a_patch_leaves_older_instances_on_the_old_path(
        self, open_subject: OpenSubject
    ) -> None:
        async with open_subject() as old_code:
            older = await old_code.start("evolving")
            await old_code.probe.reached(older, "started")
        async with open_subject(changed={"evolving": evolving_patched}) as new_code:
            newer = await new_code.start("evolving")
            await new_code.probe.reached(newer, "started")
            for instance_id in (older, newer):
                await new_code.runtime.raise_event(instance_id, "go")
            assert (await new_code.finish(older)).result() == "email"
            assert (await new_code.finish(newer)).result() == "text"

    @requires(Capability.HOSTING)
    @lasting()
    async def test_a_patched_instance_stays_patched_in_another_process(
        self, open_subject: OpenSubject
    ) -> None:
        patched = {"evolving": evolving_patched}
        async with open_subject(changed=patched) as first:
            instance_id = await first.start("evolving")
            await first.probe.reached(instance_id, "started")
        async with open_subject(changed=patched) as second:
            await second.runtime.raise_event(instance_id, "go")
            assert (await second.finish(instance_id)).result() == "text"

    @requires(Capability.HOSTING)
    @lasting()
    async def test_code_that_does_not_fit_stalls_the_instance_until_fitting_code_is_back(
        self, open_subject: OpenSubject
    ) -> None:
        async with open_subject() as fitting:
            instance_id = await fitting.start("evolving")
            await fitting.probe.reached(instance_id, "started")
        async with open_subject(changed={"evolving": evolving_broken}) as unfitting:
            await unfitting.runtime.raise_event(instance_id, "go")
            state = await unfitting.becomes(instance_id, WorkflowStatus.STALLED)
            assert "record" in (state.detail or "")
            assert "double" in (state.detail or "")
        async with open_subject() as restored:
            assert (await restored.finish(instance_id)).result() == "email"
