"""Faults of pausing, terminating and purging."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from conformance.mutants.mutant import Mutant, in_front
from flowyard.backend import (
    ChildCreated,
    InstanceNotClosed,
    InstanceNotFound,
    WorkflowComponent,
    WorkflowState,
    WorkflowStatus,
)
from flowyard.testing.delegate import DelegatingComponent

_REFUSAL = "test_an_operation_is_refused_by_name_exactly_where_it_is_not_declared"


class ForgetsAPause(DelegatingComponent):
    """Acknowledges a pause, and lets the instance go on."""

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        await self.get(instance_id)
        return True


class PretendsToPause(DelegatingComponent):
    """Shows a paused instance as suspended, and lets it go on."""

    def __init__(self, name: str, inner: WorkflowComponent) -> None:
        super().__init__(name, inner)
        self._paused: set[str] = set()

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        state = await super().get(instance_id, payloads=payloads)
        if instance_id in self._paused and not state.status.is_closed:
            return replace(state, status=WorkflowStatus.SUSPENDED)
        return state

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        changes = instance_id not in self._paused and not (
            (await self.get(instance_id)).status.is_closed
        )
        self._paused.add(instance_id)
        return changes

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        changes = instance_id in self._paused
        self._paused.discard(instance_id)
        return changes


class PausesAgain(DelegatingComponent):
    """Says of a repeated pause that it has changed something."""

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        await super().pause(instance_id, reason=reason)
        return True


class ForgetsAnOutput(DelegatingComponent):
    """Terminates without the output that was given."""

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        return await super().terminate(instance_id, recursive=recursive)


class ForgetsChildren(DelegatingComponent):
    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        return await super().terminate(instance_id, output=output, recursive=False)


class TerminatesChildrenUnasked(DelegatingComponent):
    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        return await super().terminate(instance_id, output=output, recursive=True)


class TerminatesWhoHasTheId(DelegatingComponent):
    """Takes whoever has the ID of a child for the child."""

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        for event in await self.inner.history(instance_id):
            if isinstance(event, ChildCreated):
                with suppress(InstanceNotFound):
                    await self.inner.terminate(event.instance_id)
        return await super().terminate(instance_id, output=output, recursive=recursive)


class TerminatesTheClosed(DelegatingComponent):
    """Says that it has terminated what had ended."""

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        await super().terminate(instance_id, output=output, recursive=recursive)
        return True


class PretendsToPurge(DelegatingComponent):
    """Acknowledges a purge, and leaves everything where it is (as the old Dapr ones did)."""

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        await self.get(instance_id)
        return 1


class DoesNotPurge(DelegatingComponent):
    """Leaves out an operation that its type declares."""

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        return await WorkflowComponent.purge(self, instance_id, recursive=recursive)


class LeavesChildrenBehind(DelegatingComponent):
    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        return await super().purge(instance_id, recursive=False)


class PurgesChildrenUnasked(DelegatingComponent):
    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        return await super().purge(instance_id, recursive=True)


class PurgesTheActive(DelegatingComponent):
    """Ends an active instance to be able to purge it."""

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        try:
            return await super().purge(instance_id, recursive=recursive)
        except InstanceNotClosed:
            await self.inner.terminate(instance_id)
            await self.inner.wait(instance_id)
            return await super().purge(instance_id, recursive=recursive)


class PurgesAgain(DelegatingComponent):
    """Says of what is not there that there was nothing to purge."""

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        try:
            return await super().purge(instance_id, recursive=recursive)
        except InstanceNotFound:
            return 0


class LooksForTheRoot(DelegatingComponent):
    """Goes from parent to parent before it purges, without an end where they are a circle."""

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        parent: str | None = instance_id
        while parent is not None:
            parent = (await self.inner.get(parent)).parent_instance_id
        return await super().purge(instance_id, recursive=recursive)


class CountsOnePurge(DelegatingComponent):
    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        await super().purge(instance_id, recursive=recursive)
        return 1


MUTANTS: Mapping[str, Mutant] = {
    "forgets a pause": in_front(
        ForgetsAPause,
        "test_a_paused_instance_is_suspended_and_goes_on_when_resumed",
        "test_a_paused_instance_takes_no_turn_whatever_happens",
        "test_a_repeated_pause_and_a_repeated_resume_change_nothing",
    ),
    "pretends to pause": in_front(
        PretendsToPause,
        "test_a_paused_instance_takes_no_turn_whatever_happens",
        "test_pauses_are_recorded_once_each",
    ),
    "pauses again": in_front(
        PausesAgain,
        "test_a_repeated_pause_and_a_repeated_resume_change_nothing",
        "test_of_many_pauses_at_once_exactly_one_changes_something",
    ),
    "forgets an output": in_front(ForgetsAnOutput, "test_the_output_given_is_the_instances_output"),
    "forgets children": in_front(ForgetsChildren, "test_children_are_terminated_too"),
    "terminates children unasked": in_front(
        TerminatesChildrenUnasked, "test_children_go_on_where_termination_is_not_recursive"
    ),
    "terminates who has the id": in_front(
        TerminatesWhoHasTheId,
        "test_an_instance_is_not_terminated_with_one_that_claimed_its_id_in_vain",
    ),
    "terminates the closed": in_front(
        TerminatesTheClosed, "test_a_closed_instance_is_changed_by_no_verb[failed]"
    ),
    "pretends to purge": in_front(
        PretendsToPurge,
        "test_a_purged_instance_is_gone",
        "test_an_active_instance_is_not_purged",
        "test_children_are_purged_too",
    ),
    "declares what it does not do": in_front(
        DoesNotPurge, f"{_REFUSAL}[purge]", "test_a_purged_instance_is_gone"
    ),
    "leaves children behind": in_front(
        LeavesChildrenBehind,
        "test_children_are_purged_too",
        "test_children_from_before_continue_as_new_are_purged_too",
        "test_nothing_is_purged_while_a_child_is_active",
    ),
    "purges children unasked": in_front(
        PurgesChildrenUnasked, "test_children_stay_where_the_purge_is_not_recursive"
    ),
    "purges the active": in_front(
        PurgesTheActive,
        "test_an_active_instance_is_not_purged",
        "test_a_paused_instance_is_not_purged",
    ),
    "purges again": in_front(PurgesAgain, "test_an_unknown_or_purged_instance_is_not_found"),
    "looks for the root": in_front(
        LooksForTheRoot, "test_instances_that_are_each_others_parents_are_purged"
    ),
    "counts one purge": in_front(CountsOnePurge, "test_children_are_purged_too"),
}
