"""Listings: what Conductor's search finds, newest first, in pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from flowyard.backend import (
    InstanceNotFound,
    InstancePage,
    InstanceQuery,
    InvalidRequest,
    WorkflowState,
    WorkflowStatus,
)
from flowyard_conductor.api.connection import Json
from flowyard_conductor.instances import Found, Instances, milliseconds
from flowyard_conductor.native.states import STATUSES

# How many instances are read at once.
_AT_ONCE = 8
# A hosted instance that is paused, pending or stalled runs, as far as Conductor knows.
_SEEN_AS_RUNNING = frozenset(
    {WorkflowStatus.SUSPENDED, WorkflowStatus.PENDING, WorkflowStatus.STALLED}
)

ReadState: TypeAlias = Callable[[Found], Awaitable[WorkflowState]]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page ended: the start time of its last instance, and who of that time was on it."""

    at: int
    seen: frozenset[str]

    @staticmethod
    def of(token: str | None) -> _Place | None:
        if token is None:
            return None
        try:
            at, seen = json.loads(token)
            return _Place(int(at), frozenset(map(str, seen)))
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidRequest(
                "the continuation token was not given by this component: pass the token of a page, "
                "or none"
            ) from error

    @property
    def token(self) -> str:
        return json.dumps([self.at, sorted(self.seen)])


class Queries:
    """Lists instances. `read` tells the state of one."""

    def __init__(self, instances: Instances, read: ReadState) -> None:
        self._instances = instances
        self._read = read

    async def page(self, query: InstanceQuery) -> InstancePage:
        """Return one page."""
        place = _Place.of(query.continuation_token)
        states: list[WorkflowState] = []
        waiting: list[Json] = []
        async for summary in self._summaries(query, place):
            waiting.append(summary)
            if len(waiting) < min(_AT_ONCE, query.page_size):
                continue
            place = await self._add(states, waiting, query, place)
            waiting = []
            if len(states) == query.page_size:
                return InstancePage(tuple(states), place.token if place is not None else None)
        place = await self._add(states, waiting, query, place)
        if place is None or not waiting or waiting[-1]["workflowId"] in place.seen:
            return InstancePage(tuple(states))
        return InstancePage(tuple(states), place.token)

    async def _add(
        self,
        states: list[WorkflowState],
        summaries: list[Json],
        query: InstanceQuery,
        place: _Place | None,
    ) -> _Place | None:
        """Add what the query admits until the page is full; return where that is."""
        read = await asyncio.gather(*(self._state(summary) for summary in summaries))
        for summary, state in zip(summaries, read, strict=True):
            if len(states) == query.page_size:
                break
            at, workflow_id = milliseconds(summary["startTime"]), summary["workflowId"]
            seen = place.seen if place is not None and place.at == at else frozenset[str]()
            place = _Place(at, seen | {workflow_id})
            if state is not None and (not query.status or state.status in query.status):
                states.append(state)
        return place

    async def _state(self, summary: Json) -> WorkflowState | None:
        # A summary does not tell what a hosted instance waits for, nor the variables of a native.
        try:
            return await self._read(self._instances.found(summary))
        except InstanceNotFound:
            return None

    async def _summaries(self, query: InstanceQuery, place: _Place | None) -> AsyncIterator[Json]:
        """Return what Conductor finds, as far as a summary can tell what the query admits."""
        at = place.at if place is not None else None
        seen = place.seen if place is not None else frozenset[str]()
        async for summary in self._instances.walk(partial(_search, query), at, seen):
            if self._is_wanted(summary, query):
                yield summary

    def _is_wanted(self, summary: Json, query: InstanceQuery) -> bool:
        definition = summary["workflowType"]
        if self._instances.names.is_own(definition):
            return False
        if query.workflow is not None and query.workflow != (
            self._instances.names.workflow(definition) or definition
        ):
            return False
        created = _time(summary["startTime"])
        if query.created_from is not None and created < _floor(query.created_from):
            return False
        if query.created_to is not None and created >= query.created_to:
            return False
        return self._instances.instance_id_of(summary).startswith(query.instance_id_prefix or "")


def _search(query: InstanceQuery, at: int | None) -> str:
    terms = []
    if query.status:
        wanted = query.status | (
            {WorkflowStatus.RUNNING} if query.status & _SEEN_AS_RUNNING else frozenset()
        )
        names = [name for name, status in STATUSES.items() if status in wanted]
        # No workflow has a status that Conductor lacks.
        terms.append(f"status IN ({','.join(names) or 'NONE'})")
    # The server compares strictly, and in milliseconds.
    if query.created_from is not None:
        terms.append(f"startTime>{_to_milliseconds(query.created_from) - 1}")
    ends = [at] if at is not None else []
    if query.created_to is not None:
        ends.append(_to_milliseconds(query.created_to))
    if ends:
        terms.append(f"startTime<{min(ends) + 1}")
    return " AND ".join(terms)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _to_milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _floor(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)
