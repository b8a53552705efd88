"""Faults of listing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from conformance.mutants.mutant import Mutant, in_front
from flowyard.backend import (
    InstanceNotFound,
    InstancePage,
    InstanceQuery,
    InvalidRequest,
    WorkflowComponent,
    WorkflowState,
)
from flowyard.testing.delegate import DelegatingComponent


class ShortensPages(DelegatingComponent):
    """Leaves the last instance of a full page out."""

    async def list(self, query: InstanceQuery) -> InstancePage:
        page = await super().list(query)
        if len(page.instances) < query.page_size:
            return page
        return replace(page, instances=page.instances[:-1])


class RepeatsAnInstance(DelegatingComponent):
    """Begins each page with the last instance of the page before."""

    def __init__(self, name: str, inner: WorkflowComponent) -> None:
        super().__init__(name, inner)
        self._last: dict[str, WorkflowState] = {}

    async def list(self, query: InstanceQuery) -> InstancePage:
        page = await super().list(query)
        found = page.instances
        if query.continuation_token in self._last:
            found = (self._last[query.continuation_token], *found)
        if page.continuation_token is not None:
            self._last[page.continuation_token] = page.instances[-1]
        return replace(page, instances=found)


class ListsOnePage(DelegatingComponent):
    """Says of a full page that nothing follows."""

    async def list(self, query: InstanceQuery) -> InstancePage:
        return replace(await super().list(query), continuation_token=None)


class TakesAnyToken(DelegatingComponent):
    """Begins again where it does not know the token."""

    async def list(self, query: InstanceQuery) -> InstancePage:
        try:
            return await super().list(query)
        except InvalidRequest:
            return await super().list(replace(query, continuation_token=None))


class ListsTheOldestFirst(DelegatingComponent):
    async def list(self, query: InstanceQuery) -> InstancePage:
        page = await super().list(query)
        return replace(page, instances=page.instances[::-1])


class ListsEveryStatus(DelegatingComponent):
    async def list(self, query: InstanceQuery) -> InstancePage:
        return await super().list(replace(query, status=frozenset()))


class ListsEveryWorkflow(DelegatingComponent):
    async def list(self, query: InstanceQuery) -> InstancePage:
        return await super().list(replace(query, workflow=None))


class ListsEveryTime(DelegatingComponent):
    async def list(self, query: InstanceQuery) -> InstancePage:
        return await super().list(replace(query, created_from=None, created_to=None))


class TakesAPrefixForAPattern(DelegatingComponent):
    """Lets `_` stand for any character, as SQL's LIKE does."""

    async def list(self, query: InstanceQuery) -> InstancePage:
        prefix = query.instance_id_prefix
        if prefix is not None and prefix.endswith("_"):
            query = replace(query, instance_id_prefix=prefix[:-1])
        return await super().list(query)


class ListsPayloads(DelegatingComponent):
    async def list(self, query: InstanceQuery) -> InstancePage:
        page = await super().list(query)
        full = [await self.inner.get(state.instance_id) for state in page.instances]
        return replace(page, instances=tuple(full))


class ListsThePurged(DelegatingComponent):
    """Goes by an index from which a purge removes nothing."""

    def __init__(self, name: str, inner: WorkflowComponent) -> None:
        super().__init__(name, inner)
        self._known: dict[str, WorkflowState] = {}

    async def list(self, query: InstanceQuery) -> InstancePage:
        page = await super().list(query)
        found = {state.instance_id: state for state in page.instances}
        gone = []
        for instance_id, state in self._known.items():
            try:
                await self.inner.get(instance_id)
            except InstanceNotFound:
                gone.append(state)
        self._known |= found
        return replace(page, instances=(*page.instances, *gone))


_PAGES = "test_pages_leave_nothing_out_and_repeat_nothing"

MUTANTS: Mapping[str, Mutant] = {
    "shortens pages": in_front(ShortensPages, f"{_PAGES}[3]", f"{_PAGES}[10]"),
    "repeats an instance": in_front(
        RepeatsAnInstance,
        f"{_PAGES}[3]",
        "test_what_starts_between_two_pages_does_not_disturb_the_second",
    ),
    "lists one page": in_front(ListsOnePage, f"{_PAGES}[3]", f"{_PAGES}[10]"),
    "takes any token": in_front(
        TakesAnyToken, "test_a_token_that_no_page_has_given_is_refused[99999999999999999999]"
    ),
    "lists the oldest first": in_front(ListsTheOldestFirst, "test_the_newest_comes_first"),
    "lists every status": in_front(
        ListsEveryStatus,
        "test_instances_are_listed_by_status",
        "test_paused_instances_are_listed_as_suspended",
    ),
    "lists every workflow": in_front(ListsEveryWorkflow, "test_instances_are_listed_by_workflow"),
    "lists every time": in_front(
        ListsEveryTime, "test_instances_are_listed_by_the_time_of_their_creation"
    ),
    "takes a prefix for a pattern": in_front(
        TakesAPrefixForAPattern, "test_a_prefix_is_taken_literally"
    ),
    "lists payloads": in_front(ListsPayloads, "test_a_listing_carries_no_payloads"),
    "lists the purged": in_front(ListsThePurged, "test_a_purged_instance_is_not_listed"),
}
