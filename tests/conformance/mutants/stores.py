"""Faults of keeping: what was acknowledged is not there, or too much of it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from conformance.filed import Folder, Stored, folder_type
from conformance.mutants.mutant import ENGINE, Mutant, stored_in
from flowyard.backend import (
    Capability,
    ComponentContext,
    ComponentType,
    EventRaised,
    ExecutionResumed,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    HostedInstance,
    ReusePolicy,
    TurnStarted,
    WorkflowComponent,
)
from flowyard.testing.delegate import DelegatingComponent, in_front_of


class StoresNothing(Folder):
    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        pass


class StoresLate(Folder):
    """Answers before it has written, and writes soon afterwards, or when it is closed."""

    late: dict[Path, tuple[Folder, Stored]] = {}  # noqa: RUF012 - until it is closed

    def write(self, stored: Stored) -> None:
        file = self._file(stored.id)
        self.late[file] = (self, stored)
        asyncio.get_running_loop().call_later(0.2, self.write_late, file)

    @classmethod
    def write_late(cls, file: Path) -> None:
        folder, stored = cls.late.pop(file, (None, None))
        if folder is not None and stored is not None:
            Folder.write(folder, stored)


class KeepsEventsInMemory(Folder):
    """Stores an event only with what follows from it."""

    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        if not events or {type(event) for event in events} != {TurnStarted, EventRaised}:
            await super().save(instance, events)


class KeepsTerminationsInMemory(Folder):
    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        if not any(isinstance(event, ExecutionTerminated) for event in events):
            await super().save(instance, events)


class KeepsTheBacklogInMemory(Folder):
    """Stores nothing of what an instance has received that no code fits."""

    async def save(self, instance: HostedInstance, events: Sequence[HistoryEvent]) -> None:
        if events:
            await super().save(instance, events)


class KeepsRemovalsInMemory(Folder):
    async def remove(self, instance: HostedInstance) -> None:
        del self.instances[instance.id]


class StoresTakenEvents(Folder):
    """Stores the events of the last turn once more, as if no turn had taken them."""

    def stored(self, instance: HostedInstance) -> Stored:
        stored = super().stored(instance)
        history = stored.history
        turns = [at for at, event in enumerate(history) if isinstance(event, TurnStarted)]
        taken = history[turns[-1] :] if turns else []
        raised = [event for event in taken if isinstance(event, EventRaised)]
        return msgspec.structs.replace(stored, backlog=[*raised, *stored.backlog])


class ForgetsPauses(Folder):
    """Reads a history without its pauses."""

    def restored(self, stored: Stored) -> HostedInstance:
        pauses = (ExecutionSuspended, ExecutionResumed)
        history = [event for event in stored.history if not isinstance(event, pauses)]
        return super().restored(msgspec.structs.replace(stored, history=history))


class ForgetsParents(Folder):
    """Does not know any more whose child an instance is."""

    def restored(self, stored: Stored) -> HostedInstance:
        instance = super().restored(stored)
        instance.parent = None
        return instance


class ForgetsTheCreation(Folder):
    """Takes the time of its opening for that of the creation."""

    def restored(self, stored: Stored) -> HostedInstance:
        now = time.time_ns() // 1000
        return super().restored(msgspec.structs.replace(stored, created_at=now))


class LooksBeforeItAdds(Folder):
    """Lets others add an instance between its look and its own."""

    async def add(self, instance: HostedInstance, reuse: ReusePolicy) -> None:
        if instance.id in self.instances:
            await super().add(instance, reuse)
        await asyncio.sleep(0)
        await self.save(instance, ())
        self.instances[instance.id] = instance


def _written_at_the_end(inner: ComponentType[Any]) -> ComponentType[Any]:
    """Return a type whose stores have written everything once it is closed."""

    @asynccontextmanager
    async def open_inner(
        settings: Any, context: ComponentContext
    ) -> AsyncIterator[WorkflowComponent]:
        async with inner.open(settings, context) as component:
            yield component
        for file in list(StoresLate.late):
            StoresLate.write_late(file)

    return ComponentType(inner.name, inner.settings, open_inner, inner.capabilities)


_CUT_OFF = "test_an_activity_that_was_cut_off_runs_again"
_EARLY = "test_an_event_for_which_nobody_waited_yet_outlives_the_killed_process"
_ONCE = "test_each_event_arrives_once_though_the_component_was_closed_meanwhile"
_ONCE_AFTER_A_KILL = "test_each_event_arrives_once_though_the_process_was_killed"
_PAUSED = "test_a_pause_and_what_came_during_it_hold_when_the_component_is_opened_again"

MUTANTS: Mapping[str, Mutant] = {
    "stores nothing": stored_in(
        StoresNothing,
        "test_a_result_is_there_when_the_component_is_opened_again",
        "test_a_termination_holds_when_the_component_is_opened_again",
        "test_a_start_outlives_the_killed_process",
        "test_an_instance_that_had_ended_is_as_it_was_before_the_process_was_killed",
    ),
    "recovers nothing": Mutant(
        folder_type(recovers=False),
        (
            _CUT_OFF,
            "test_a_timer_fires_though_the_component_was_closed_meanwhile",
            "test_a_timer_fires_though_the_process_was_killed_meanwhile",
        ),
    ),
    "stores late": Mutant(
        _written_at_the_end(folder_type(StoresLate)),
        (
            "test_a_start_outlives_the_killed_process",
            "test_a_termination_outlives_the_killed_process_and_reaches_the_children",
            _EARLY,
        ),
    ),
    "keeps events in memory": stored_in(KeepsEventsInMemory, _CUT_OFF, _PAUSED, _ONCE, _EARLY),
    "keeps terminations in memory": stored_in(
        KeepsTerminationsInMemory,
        "test_a_termination_holds_when_the_component_is_opened_again",
        "test_a_termination_outlives_the_killed_process_and_reaches_the_children",
    ),
    "keeps the backlog in memory": stored_in(
        KeepsTheBacklogInMemory,
        "test_code_that_does_not_fit_stalls_the_instance_until_fitting_code_is_back",
    ),
    "keeps removals in memory": stored_in(
        KeepsRemovalsInMemory,
        "test_a_purged_instance_stays_away",
        "test_what_was_purged_stays_away_after_the_process_was_killed",
    ),
    "stores taken events": stored_in(StoresTakenEvents, _ONCE, _ONCE_AFTER_A_KILL),
    "forgets pauses": stored_in(ForgetsPauses, _PAUSED, "test_a_pause_outlives_the_killed_process"),
    "forgets parents": stored_in(
        ForgetsParents,
        "test_a_parent_learns_how_its_child_ended_though_the_component_was_closed_meanwhile",
        "test_a_parent_learns_how_its_children_ended_before_and_after_the_process_was_killed",
    ),
    "forgets the creation": stored_in(
        ForgetsTheCreation,
        "test_an_instance_that_had_ended_is_as_it_was_before_the_process_was_killed",
    ),
    "looks before it adds": stored_in(
        LooksBeforeItAdds, "test_of_many_starts_at_once_with_one_id_exactly_one_wins"
    ),
    "declares that it is volatile": Mutant(
        in_front_of(
            ENGINE,
            "workflow.mutant",
            DelegatingComponent,
            capabilities=ENGINE.capabilities | {Capability.VOLATILE},
        ),
        ("test_what_says_that_it_is_volatile_is",),
    ),
}
