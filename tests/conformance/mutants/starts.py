"""Faults of starting, and of what a start carries."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from conformance.mutants.mutant import Mutant, in_front
from flowyard.backend import (
    FlowyardError,
    InstanceAlreadyExists,
    ReusePolicy,
    StartRequest,
    WorkflowComponent,
)
from flowyard.testing.delegate import DelegatingComponent


class SwallowsDuplicates(DelegatingComponent):
    """Acknowledges a start that its backend has refused."""

    async def start(self, request: StartRequest) -> None:
        try:
            await super().start(request)
        except InstanceAlreadyExists:
            return


class IgnoresReject(DelegatingComponent):
    """Replaces a closed instance though the caller has ruled that out."""

    async def start(self, request: StartRequest) -> None:
        await super().start(replace(request, reuse=ReusePolicy.REPLACE_CLOSED))


class ReplacesNothing(DelegatingComponent):
    """Keeps the ID of a closed instance from being used again."""

    async def start(self, request: StartRequest) -> None:
        await super().start(replace(request, reuse=ReusePolicy.REJECT))


class ReplacesTheActive(DelegatingComponent):
    """Ends an active instance for the sake of a new one."""

    async def start(self, request: StartRequest) -> None:
        with suppress(FlowyardError):
            await self.inner.terminate(request.instance_id)
            await self.inner.wait(request.instance_id)
        await super().start(request)


class IgnoresStartTimes(DelegatingComponent):
    """Starts at once what is to start later."""

    async def start(self, request: StartRequest) -> None:
        await super().start(replace(request, start_at=None))


class AcknowledgesBeforeItStarts(DelegatingComponent):
    """Answers before it has done anything."""

    def __init__(self, name: str, inner: WorkflowComponent) -> None:
        super().__init__(name, inner)
        self._starts: set[asyncio.Task[None]] = set()

    async def start(self, request: StartRequest) -> None:
        task = asyncio.create_task(self._start_later(request))
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def _start_later(self, request: StartRequest) -> None:
        await asyncio.sleep(0.1)
        with suppress(FlowyardError):
            await super().start(request)


class RemembersOldEvents(DelegatingComponent):
    """Raises what it knows of an earlier instance to the next one of its ID."""

    def __init__(self, name: str, inner: WorkflowComponent) -> None:
        super().__init__(name, inner)
        self._raised: defaultdict[str, list[tuple[str, str | None]]] = defaultdict(list)

    async def start(self, request: StartRequest) -> None:
        await super().start(request)
        for name, data in self._raised[request.instance_id]:
            await super().raise_event(request.instance_id, name, data)

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        self._raised[instance_id].append((name, data))
        return await super().raise_event(instance_id, name, data)


class RepairsText(DelegatingComponent):
    """Stores empty text as none."""

    async def start(self, request: StartRequest) -> None:
        await super().start(replace(request, input=request.input or None))


class RoundsNumbers(DelegatingComponent):
    """Reads numbers as JavaScript does."""

    async def start(self, request: StartRequest) -> None:
        text = request.input
        if text:
            text = json.dumps(json.loads(text, parse_int=float))
        await super().start(replace(request, input=text))


class EndsTextAtZero(DelegatingComponent):
    """Takes the zero character for the end of a text, as C does."""

    async def start(self, request: StartRequest) -> None:
        text = request.input
        if text is not None and "\\u0000" in text:
            text = f'{text.partition(chr(92) + "u0000")[0]}"'
        await super().start(replace(request, input=text))


MUTANTS: Mapping[str, Mutant] = {
    "swallows duplicates": in_front(
        SwallowsDuplicates,
        "test_a_second_start_of_an_active_id_is_refused_and_changes_nothing",
        "test_of_many_starts_at_once_with_one_id_exactly_one_wins",
    ),
    "ignores reject": in_front(
        IgnoresReject, "test_the_id_of_a_closed_instance_is_kept_where_reuse_is_refused"
    ),
    "replaces nothing": in_front(
        ReplacesNothing,
        "test_the_id_of_a_completed_instance_is_replaced",
        "test_a_pause_ends_with_its_instance",
    ),
    "replaces the active": in_front(
        ReplacesTheActive,
        "test_a_second_start_of_an_active_id_is_refused_and_changes_nothing",
        "test_a_paused_instance_keeps_its_id",
    ),
    "ignores start times": in_front(
        IgnoresStartTimes, "test_a_delayed_start_is_pending_until_its_time"
    ),
    "acknowledges before it starts": in_front(
        AcknowledgesBeforeItStarts,
        "test_an_acknowledged_start_is_seen_at_once",
        "test_a_termination_right_after_a_start_is_of_the_new_instance",
    ),
    "remembers old events": in_front(
        RemembersOldEvents,
        "test_an_event_of_the_old_instance_does_not_reach_the_new_one",
    ),
    "repairs text": in_front(RepairsText, "test_the_seam_carries_the_text_itself[]"),
    "rounds numbers": in_front(
        RoundsNumbers,
        "test_a_payload_comes_back_as_it_was[numbers]",
        'test_the_seam_carries_the_text_itself[{"a" :  1}]',
    ),
    "ends text at zero": in_front(EndsTextAtZero, "test_a_payload_comes_back_as_it_was[texts]"),
}
