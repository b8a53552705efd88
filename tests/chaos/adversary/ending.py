"""The end of a seed: a worker that behaves, and everything has to come to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import grpc.aio

from chaos import hub
from chaos.adversary.answers import DETACHED
from chaos.adversary.model import Model
from chaos.adversary.records import Event
from chaos.adversary.worker import FINISH
from flowyard.wire.v1 import taskhub_pb2 as wire


class Ending:
    """Waits for what has to come, and tells what does not."""

    def __init__(self, model: Model, server: hub.Hub, patience: float) -> None:
        self._model = model
        self._server = server
        self._patience = patience

    async def closed_births(self) -> set[str]:
        """Return the births that have closed already."""
        closed = set()
        for instance_id in sorted(self._model.known):
            state = await self._server.state(instance_id)
            if state is not None and hub.status_of(state) in hub.CLOSED:
                closed.add(self._model.see_state(state))
        return closed - {""}

    async def run(self) -> None:
        """Resume, wait until nothing is under way, finish children, then everybody."""
        for instance_id in await self._active():
            with _purged_meanwhile():
                await self._server.resume(instance_id)
        await self._until_nothing_is_missing()
        active = await self._active()
        await self._finish([one for one, origin in active.items() if self._is_child(origin)])
        await self._until_nothing_is_missing()
        await self._finish(None)

    async def _active(self, among: Collection[str] | None = None) -> dict[str, str]:
        """Return the active instances with their births, as far as these can be told."""
        found = {}
        for instance_id in sorted(self._model.known if among is None else among):
            state = await self._server.state(instance_id)
            if state is not None:
                origin = self._model.see_state(state)
                if hub.status_of(state) not in hub.CLOSED:
                    found[instance_id] = origin
        return found

    def _is_child(self, origin: str) -> bool:
        return bool(origin) and self._model.beginnings[origin].parent is not None

    async def _finish(self, instance_ids: list[str] | None) -> None:
        """Finish these, or everybody, and also what comes late or is given one of their IDs."""
        until, pause = asyncio.get_running_loop().time() + self._patience, 0.02
        told: set[tuple[str, str]] = set()
        while active := await self._active(instance_ids):
            for instance_id, origin in active.items():
                if (instance_id, origin) not in told:
                    told.add((instance_id, origin))
                    await self._tell_to_finish(instance_id)
            if asyncio.get_running_loop().time() > until:
                for instance_id in active:
                    await self._tell(instance_id, "it was told to finish")
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    async def _tell_to_finish(self, instance_id: str) -> None:
        payload = self._model.word("p")
        self._model.events[payload] = Event(instance_id)
        with _purged_meanwhile():
            await self._server.raise_event(instance_id, FINISH, json.dumps(payload))

    async def _until_nothing_is_missing(self) -> None:
        until, pause = asyncio.get_running_loop().time() + self._patience, 0.02
        while True:
            missing = {}
            for instance_id in await self._active():
                if lacking := await self._missing_in(instance_id):
                    missing[instance_id] = lacking
            if not missing:
                return
            if asyncio.get_running_loop().time() > until:
                for instance_id, lacking in missing.items():
                    await self._tell(instance_id, f"it lacks {lacking}")
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    async def _missing_in(self, instance_id: str) -> list[str]:
        """Return what has to come to an active instance and has not."""
        try:
            history = await self._server.history(instance_id)
        except grpc.aio.AioRpcError:
            return ["its history"]
        state = await self._server.state(instance_id)
        if state is None or hub.status_of(state) in hub.CLOSED:
            return []  # it has closed meanwhile
        missing = []
        if (status := hub.status_of(state)) != "RUNNING":
            missing.append(f"its turn: it is {status}")
        word = self._model.see_history(instance_id, history, [])
        missing += await self._missing_results(history)
        if instance_id not in self._model.copies:
            missing += self._missing_events(instance_id, self._model.origin_of(word))
        return missing

    async def _missing_results(self, history: Sequence[wire.HistoryEvent]) -> list[str]:
        told = {
            getattr(event, kind).task_scheduled_id
            for event in history
            for kind in (
                "task_completed",
                "task_failed",
                "child_workflow_instance_completed",
                "child_workflow_instance_failed",
            )
            if event.HasField(kind)
        }
        missing = []
        for event in history:
            if event.event_id in told:
                continue
            if event.HasField("task_scheduled"):
                missing.append(f"the result of #{event.event_id}")
            elif event.HasField("child_workflow_instance_created"):
                created = event.child_workflow_instance_created
                if not await self._is_running(created):
                    missing.append(f"what became of child {created.instance_id}")
            elif event.HasField("detached_workflow_instance_created"):
                detached = event.detached_workflow_instance_created.instance_id
                if detached.startswith(DETACHED) and await self._server.state(detached) is None:
                    missing.append(f"the detached {detached}")
        return missing

    async def _is_running(self, created: wire.ChildWorkflowInstanceCreated) -> bool:
        state = await self._server.state(created.instance_id)
        if state is None or hub.status_of(state) in hub.CLOSED:
            return False
        word = str(json.loads(created.input.value))
        return self._model.see_state(state) == word

    def _missing_events(self, instance_id: str, origin: str) -> list[str]:
        model = self._model
        wanted = [
            payload
            for payload, event in model.events.items()
            if event.is_acknowledged and event.origin == origin and event.instance_id == instance_id
        ]
        for beginning in model.beginnings.values():
            if beginning.is_seen and beginning.origin == origin:
                wanted += beginning.carried
        had = model.committed.keys() | model.consumed
        return [f"event {payload}" for payload in wanted if payload not in had]

    async def _tell(self, instance_id: str, text: str) -> None:
        state = await self._server.state(instance_id)
        status = "gone" if state is None else hub.status_of(state)
        word = "" if state is None else state.input.value
        tail = []
        if state is not None:
            history = await self._server.history(instance_id)
            tail = [f"{event.WhichOneof('event_type')}#{event.event_id}" for event in history[-8:]]
        self._model.tell(
            "stuck", f"{instance_id} ({word}) is {status}; {text}; its history ends with {tail}"
        )


@contextmanager
def _purged_meanwhile() -> Iterator[None]:
    """Let an instance be gone: who had asked for its purge was cut off, and it was still done."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
