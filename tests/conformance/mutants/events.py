"""Faults of events."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

import msgspec

from conformance.mutants.mutant import ChangesActions, Mutant, in_front, run_by
from flowyard.backend import (
    Action,
    ContinuedAsNew,
    InstanceNotFound,
    Journal,
    Turn,
    WorkflowComponent,
    WorkflowStatus,
)
from flowyard.testing.delegate import DelegatingComponent


class DropsAnEvent(DelegatingComponent):
    """Acknowledges the third event of an instance, and loses it."""

    def __init__(self, name: str, inner: WorkflowComponent) -> None:
        super().__init__(name, inner)
        self._raised: Counter[str] = Counter()

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        self._raised[instance_id] += 1
        if self._raised[instance_id] == 3:
            return True
        return await super().raise_event(instance_id, name, data)


class DoublesAnEvent(DelegatingComponent):
    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        await super().raise_event(instance_id, name, data)
        return await super().raise_event(instance_id, name, data)


class SwapsEvents(DelegatingComponent):
    """Lets the second event of each pair go first."""

    def __init__(self, name: str, inner: WorkflowComponent) -> None:
        super().__init__(name, inner)
        self._held: dict[str, tuple[str, str | None]] = {}

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        held = self._held.pop(instance_id, None)
        if held is None:
            self._held[instance_id] = (name, data)
            return True
        await super().raise_event(instance_id, name, data)
        return await super().raise_event(instance_id, *held)


class DropsEarlyEvents(DelegatingComponent):
    """Loses an event that comes while the instance does something else than wait for it."""

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        if Journal(instance_id, await self.inner.history(instance_id)).tasks:
            return True
        return await super().raise_event(instance_id, name, data)


class DropsEventsOfThePaused(DelegatingComponent):
    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        if (await self.inner.get(instance_id)).status is WorkflowStatus.SUSPENDED:
            return True
        return await super().raise_event(instance_id, name, data)


class ResumesWithAnEvent(DelegatingComponent):
    """Takes an event for a reason to go on."""

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        is_raised = await super().raise_event(instance_id, name, data)
        await self.inner.resume(instance_id)
        return is_raised


class KnowsCase(DelegatingComponent):
    """Tells `GO` from `go`."""

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        return await super().raise_event(instance_id, name if name.islower() else "?", data)


class ShortensNames(DelegatingComponent):
    """Looks at the beginning of a name only."""

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        return await super().raise_event(instance_id, name[:2], data)


class DropsData(DelegatingComponent):
    """Takes what is false for nothing."""

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        return await super().raise_event(
            instance_id, name, data if data and json.loads(data) else None
        )


class RaisesToTheClosed(DelegatingComponent):
    """Says that an event was raised to an instance that has ended."""

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        await super().raise_event(instance_id, name, data)
        return True


class AnswersForTheUnknown(DelegatingComponent):
    """Says that nothing was to be done where there is no such instance."""

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        try:
            return await super().raise_event(instance_id, name, data)
        except InstanceNotFound:
            return False


class DropsEventsWithTheExecution(ChangesActions):
    """Continues as new without the events that were to be kept."""

    def changed(self, turn: Turn, action: Action) -> Action:
        if isinstance(action, ContinuedAsNew):
            return msgspec.structs.replace(action, carryover=())
        return action


MUTANTS: Mapping[str, Mutant] = {
    "drops an event": in_front(
        DropsAnEvent,
        "test_events_arrive_in_order_none_lost_none_doubled",
        "test_events_raised_at_once_all_arrive",
    ),
    "doubles an event": in_front(
        DoublesAnEvent,
        "test_an_event_raised_once_counts_once",
        "test_events_arrive_in_order_none_lost_none_doubled",
    ),
    "swaps events": in_front(SwapsEvents, "test_events_arrive_in_order_none_lost_none_doubled"),
    "drops early events": in_front(
        DropsEarlyEvents, "test_an_event_raised_before_anybody_waits_is_kept"
    ),
    "drops events of the paused": in_front(
        DropsEventsOfThePaused,
        "test_an_event_raised_while_paused_is_kept",
        "test_events_raised_before_while_and_after_a_pause_keep_their_order",
    ),
    "resumes with an event": in_front(
        ResumesWithAnEvent, "test_an_event_raised_while_paused_is_kept"
    ),
    "knows case": in_front(KnowsCase, "test_names_match_without_case[GO]"),
    "shortens names": in_front(ShortensNames, "test_an_event_of_another_name_is_not_taken_for_it"),
    "drops data": in_front(DropsData, "test_the_data_of_an_event_arrives_as_it_was[0]"),
    "raises to the closed": in_front(
        RaisesToTheClosed, "test_a_closed_instance_is_changed_by_no_verb[completed]"
    ),
    "answers for the unknown": in_front(
        AnswersForTheUnknown, "test_an_unknown_instance_is_not_found_by_any_verb[raise_event]"
    ),
    "drops events with the execution": run_by(
        DropsEventsWithTheExecution,
        "test_events_that_were_raised_before_are_kept_in_their_order",
    ),
}
