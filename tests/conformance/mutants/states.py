"""State stores that work but for one thing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from flowyard.backend import (
    Capability,
    ComponentContext,
    ComponentType,
    DeleteState,
    EtagMismatch,
    SetState,
    StateCapability,
    StateOptions,
    StateValue,
    UnsupportedOperation,
)
from flowyard_blocks.state.database import Database
from flowyard_blocks.state.in_memory import IN_MEMORY, InMemorySettings, InMemoryState
from flowyard_blocks.state.sqlite import SQLITE, SqliteState
from flowyard_blocks.state.sqlite_settings import SqliteSettings

Operations = Sequence[SetState | DeleteState]


@dataclass(frozen=True, slots=True)
class StateMutant:
    """A component type with one fault."""

    type: ComponentType[Any, Any]
    caught_by: tuple[str, ...]
    """The names of tests that have to fail."""


def in_memory(
    store: type[InMemoryState],
    *caught_by: str,
    without: frozenset[StrEnum] = frozenset(),
) -> StateMutant:
    """Return the store in memory with this class."""

    @asynccontextmanager
    async def open_it(
        settings: InMemorySettings, context: ComponentContext
    ) -> AsyncIterator[InMemoryState]:
        yield store(context.name, context.clock, context.machine)

    declared = IN_MEMORY.capabilities - without
    kind: ComponentType[Any, Any] = ComponentType(
        "state.mutant", InMemorySettings, open_it, declared
    )
    return StateMutant(kind, caught_by)


def on_a_file(store: type[SqliteState], *caught_by: str) -> StateMutant:
    """Return the store on a SQLite file with this class."""

    @asynccontextmanager
    async def open_it(
        settings: SqliteSettings, context: ComponentContext
    ) -> AsyncIterator[SqliteState]:
        async with Database.open(settings) as database:
            yield store(context.name, database, context.clock, context.machine)

    kind: ComponentType[Any, Any] = ComponentType(
        "state.mutant", SqliteSettings, open_it, SQLITE.capabilities
    )
    return StateMutant(kind, caught_by)


class IgnoresVersions(InMemoryState):
    def _check(self, request: SetState | DeleteState) -> None:
        super()._check(replace(request, etag=None))


class ChecksTooEarly(InMemoryState):
    """Lets others write between the look at the version and the write."""

    async def set(self, request: SetState) -> None:
        self._check(request)
        await asyncio.sleep(0)
        self._apply(request)


class DeletesAnyVersion(InMemoryState):
    async def delete(self, request: DeleteState) -> None:
        await super().delete(replace(request, etag=None))


class OverwritesFirstWrites(InMemoryState):
    def _check(self, request: SetState | DeleteState) -> None:
        super()._check(replace(request, options=StateOptions()))


class NamesVersionsByContent(InMemoryState):
    def _apply(self, request: SetState | DeleteState) -> None:
        super()._apply(request)
        if isinstance(request, SetState):
            value = self._values[request.key]
            self._values[request.key] = replace(value, etag=str(hash(request.value)))


class ThrowsWhereItShouldRefuse(InMemoryState):
    """Takes only ETags that look like its own, and knows no error for others."""

    def _check(self, request: SetState | DeleteState) -> None:
        if request.etag and len(request.etag) != 36:
            raise ValueError(request.etag)
        super()._check(request)


class TransactsInPart(InMemoryState):
    async def transact(
        self, operations: Operations, *, metadata: Mapping[str, str] | None = None
    ) -> None:
        for operation in operations:
            self._check(operation)
            self._apply(operation)


class TransactsInAnyOrder(InMemoryState):
    async def transact(
        self, operations: Operations, *, metadata: Mapping[str, str] | None = None
    ) -> None:
        deletions = [one for one in operations if isinstance(one, DeleteState)]
        others = [one for one in operations if not isinstance(one, DeleteState)]
        await super().transact([*deletions, *others])


class NeverExpires(InMemoryState):
    def _apply(self, request: SetState | DeleteState) -> None:
        super()._apply(replace(request, metadata={}))


class KeepsTheFormerEnd(InMemoryState):
    def _apply(self, request: SetState | DeleteState) -> None:
        former = self._alarms.pop(request.key, None)
        super()._apply(request)
        if former is not None:
            self._alarms[request.key] = former


class TakesAnyTimeToLive(InMemoryState):
    async def set(self, request: SetState) -> None:
        metadata = {key: text for key, text in request.metadata.items() if text.isdecimal()}
        await super().set(replace(request, metadata=metadata))


class WritesJsonAnew(InMemoryState):
    async def set(self, request: SetState) -> None:
        if request.is_json:
            request = replace(request, value=json.dumps(json.loads(request.value)).encode())
        await super().set(request)


class ComparesKeysWithoutCase(InMemoryState):
    def _apply(self, request: SetState | DeleteState) -> None:
        super()._apply(replace(request, key=request.key.lower()))

    def _find(self, key: str) -> StateValue | None:
        return super()._find(key.lower())


class TakesAnEmptyValueForNone(InMemoryState):
    def _find(self, key: str) -> StateValue | None:
        found = super()._find(key)
        return found if found is not None and found.data else None


class LeavesOutWhatIsMissing(InMemoryState):
    async def get_many(
        self,
        keys: Sequence[str],
        *,
        metadata: Mapping[str, str] | None = None,
        parallelism: int | None = None,
    ) -> Sequence[StateValue | Exception | None]:
        return [value for value in await super().get_many(keys) if value is not None]


class HasNoTransactions(InMemoryState):
    async def transact(
        self, operations: Operations, *, metadata: Mapping[str, str] | None = None
    ) -> None:
        raise UnsupportedOperation(self.name, "transact")


class HidesWhatItDeletes(SqliteState):
    """Remembers only in memory what was deleted."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._hidden: set[str] = set()

    async def get(self, key: str, **more: Any) -> StateValue | None:
        return None if key in self._hidden else await super().get(key, **more)

    async def delete(self, request: DeleteState) -> None:
        self._hidden.add(request.key)


class RemembersWhatItHasRead(SqliteState):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._read_before: dict[str, StateValue] = {}

    async def get(self, key: str, **more: Any) -> StateValue | None:
        if key not in self._read_before and (found := await super().get(key, **more)) is not None:
            self._read_before[key] = found
        return self._read_before.get(key)

    async def transact(self, operations: Operations, **more: Any) -> None:
        for operation in operations:
            self._read_before.pop(operation.key, None)
        await super().transact(operations, **more)


class LooksAtVersionsByItself(SqliteState):
    """Reads and writes in two transactions."""

    async def set(self, request: SetState) -> None:
        found = await self.get(request.key)
        if request.etag and (found is None or found.etag != request.etag):
            raise EtagMismatch(request.key)
        await super().set(replace(request, etag=None))


_UNDONE = "test_one_version_that_is_not_there_undoes_all"

MUTANTS: Mapping[str, StateMutant] = {
    "ignores versions": in_memory(
        IgnoresVersions,
        "test_a_write_that_knows_a_former_version_changes_nothing",
        "test_a_deletion_that_knows_a_former_version_changes_nothing",
        "test_of_many_who_know_one_version_one_writes",
        "test_an_etag_that_was_never_given_changes_nothing[number]",
    ),
    "checks too early": in_memory(ChecksTooEarly, "test_of_many_who_know_one_version_one_writes"),
    "deletes any version": in_memory(
        DeletesAnyVersion, "test_a_deletion_that_knows_a_former_version_changes_nothing"
    ),
    "overwrites first writes": in_memory(
        OverwritesFirstWrites,
        "test_the_first_write_is_not_overwritten_by_another_first_write",
        "test_of_many_first_writes_one_is_the_first",
        "test_a_first_write_that_comes_too_late_undoes_all",
    ),
    "names versions by content": in_memory(
        NamesVersionsByContent, "test_every_write_gives_a_value_another_etag"
    ),
    "throws where it should refuse": in_memory(
        ThrowsWhereItShouldRefuse, "test_an_etag_that_was_never_given_changes_nothing[number]"
    ),
    "transacts in part": in_memory(
        TransactsInPart,
        f"{_UNDONE}[set-1]",
        f"{_UNDONE}[delete-2]",
        "test_a_first_write_that_comes_too_late_undoes_all",
        "test_one_setting_that_cannot_be_used_undoes_all",
        "test_a_version_counts_once_in_a_transaction",
    ),
    "transacts in any order": in_memory(
        TransactsInAnyOrder, "test_what_a_transaction_does_to_one_key_is_done_in_order"
    ),
    "never expires": in_memory(
        NeverExpires,
        "test_a_value_goes_away_after_its_time",
        "test_a_time_to_live_holds_in_a_transaction",
    ),
    "keeps the former end": in_memory(
        KeepsTheFormerEnd,
        "test_another_time_to_live_takes_the_place_of_the_former_one[1000]",
        "test_another_time_to_live_takes_the_place_of_the_former_one[0]",
    ),
    "takes any time to live": in_memory(
        TakesAnyTimeToLive,
        "test_a_time_to_live_that_is_no_number_of_seconds_changes_nothing[soon]",
    ),
    "writes JSON anew": in_memory(WritesJsonAnew, "test_json_stays_the_text_that_was_sent[1e2]"),
    "compares keys without case": in_memory(
        ComparesKeysWithoutCase, "test_keys_that_resemble_each_other_are_told_apart"
    ),
    "takes an empty value for none": in_memory(
        TakesAnEmptyValueForNone, "test_a_value_may_be_empty"
    ),
    "leaves out what is missing": in_memory(
        LeavesOutWhatIsMissing, "test_several_values_come_in_the_order_of_their_keys"
    ),
    "has no transactions": in_memory(
        HasNoTransactions,
        "test_a_transaction_is_refused_exactly_where_it_is_not_declared",
        "test_a_transaction_sets_and_deletes",
    ),
    "declares no transactions": in_memory(
        InMemoryState,
        "test_a_transaction_is_refused_exactly_where_it_is_not_declared",
        without=frozenset({StateCapability.TRANSACTIONAL}),
    ),
    "declares no etags": in_memory(
        InMemoryState,
        "test_an_etag_is_refused_exactly_where_it_is_not_declared",
        without=frozenset({StateCapability.ETAG}),
    ),
    "declares no time to live": in_memory(
        InMemoryState,
        "test_a_time_to_live_is_refused_exactly_where_it_is_not_declared",
        without=frozenset({StateCapability.TTL}),
    ),
    "keeps nothing": in_memory(
        InMemoryState,
        "test_a_value_outlives_the_component",
        "test_a_transaction_outlives_the_component",
        "test_a_version_is_known_after_the_component_was_opened_again",
        without=frozenset({Capability.VOLATILE}),
    ),
    "hides what it deletes": on_a_file(
        HidesWhatItDeletes, "test_a_deletion_outlives_the_component"
    ),
    "remembers what it has read": on_a_file(
        RemembersWhatItHasRead, "test_a_store_that_is_open_twice_is_one"
    ),
    "looks at versions by itself": on_a_file(
        LooksAtVersionsByItself,
        "test_of_many_who_know_one_version_one_writes",
        "test_of_many_who_know_one_version_through_two_components_one_writes",
    ),
}
