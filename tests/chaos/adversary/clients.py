"""Clients that do as the seed has it, one for each instance ID; they note it in the model."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import grpc
import grpc.aio

from chaos import hub
from chaos.adversary.model import Model
from chaos.adversary.records import Event

_ASKING = {
    "child_workflow_instance_created",
    "detached_workflow_instance_created",
    "event_sent",
}
"""Events by which others were asked for something."""
_GONE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
_REFUSALS = {
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
}


class Client:
    """The only client of one ID: what it is told holds until it asks for something else."""

    def __init__(
        self,
        instance_id: str,
        model: Model,
        choices: random.Random,
        connect: Callable[[], Awaitable[hub.Hub]],
        *,
        is_alone: bool,
    ) -> None:
        self.instance_id = instance_id
        self._model = model
        self._choices = choices
        self._connect = connect
        self._is_alone = is_alone
        """Whether no child is ever given this ID."""
        self.started = ""
        """The word of the last start that was acknowledged."""
        self.is_certain = True
        """Whether nothing was called since whose outcome nobody knows."""

    async def work(self) -> None:
        """Do one thing after the other, until it is cancelled."""
        task = asyncio.current_task()
        assert task is not None
        # Where one of several calls has failed in that moment, it hides the cancellation.
        while not task.cancelling():
            await asyncio.sleep(self._choices.choice((0.0, 0.002, 0.01, 0.03)))
            server = await self._connect()
            kinds = (self.start, self.raise_some, self.raise_some, self.look, self.pause)
            more = (self.terminate, self.purge, self.start_and_terminate, self.rerun)
            weights = (4, 6, 6, 3, 2, 1, 1, 0.5, 0.3)
            (act,) = self._choices.choices((*kinds, *more), weights)
            try:
                await act(server)
            except grpc.aio.AioRpcError as error:
                if error.code() in _GONE:
                    self.is_certain = False
                elif error.code() not in _REFUSALS:
                    text = f"{act.__name__}: {error.code().name} {error.details()}"
                    self._model.tell("call failed", f"{self.instance_id}: {text}")

    async def start(self, server: hub.Hub) -> None:
        """Start it, unless it is active."""
        word = self._model.begin("s", self.instance_id)
        try:
            await server.start(self._workflow, self.instance_id, json.dumps(word))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.ALREADY_EXISTS:
                self._model.beginnings[word].was_refused = True
            raise
        self.started, self.is_certain = word, True
        if self._choices.random() < 0.3:
            await self.look(server)

    @property
    def _workflow(self) -> str:
        return self._choices.choice(self._model.workflows)

    async def look(self, server: hub.Hub) -> str:
        """Compare the state with what is known; return the birth that is there."""
        state = await server.state(self.instance_id)
        if state is None:
            if self.started and self._is_alone and self.is_certain:
                text = f"{self.instance_id}: {self.started} was acknowledged, and is not there"
                self._model.tell("start lost", text)
            return ""
        origin = self._model.see_state(state)
        is_known = self._is_alone and self.is_certain and self.started and origin
        if is_known and origin != self.started:
            text = f"{self.instance_id}: {self.started} was acknowledged, and {origin} is there"
            self._model.tell("start undone", text)
        return origin

    async def raise_some(self, server: hub.Hub) -> None:
        """Raise an event, or several at once."""
        origin = await self.look(server) if self._choices.random() < 0.3 else ""
        count = self._choices.choice((1, 1, 1, 4))
        payloads = [self._model.word("p") for _ in range(count)]
        for payload in payloads:
            self._model.events[payload] = Event(self.instance_id)
        raising = [
            server.raise_event(self.instance_id, "e", json.dumps(payload)) for payload in payloads
        ]
        outcomes = await asyncio.gather(*raising, return_exceptions=True)
        for payload, outcome in zip(payloads, outcomes, strict=True):
            event = self._model.events[payload]
            event.is_acknowledged = outcome is None
            if not isinstance(outcome, BaseException):
                self._model.ended(event)
            event.origin = origin or (self.started if self._is_alone and self.is_certain else "")
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def pause(self, server: hub.Hub) -> None:
        """Pause it, and most often resume it."""
        await server.pause(self.instance_id)
        await asyncio.sleep(self._choices.choice((0.0, 0.03)))
        if self._choices.random() < 0.8:
            await server.resume(self.instance_id)

    async def terminate(self, server: hub.Hub) -> None:
        """Terminate it: what was there is closed then."""
        origin = await self.look(server)
        termination = self._model.terminating(self.instance_id)
        await server.terminate(self.instance_id, recursive=self._choices.random() < 0.8)
        self._model.ended(termination)
        if origin:
            await self._see_closed(server, self.instance_id, origin)

    async def _see_closed(self, server: hub.Hub, instance_id: str, origin: str) -> None:
        try:
            state = await server.closed(instance_id)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
            state = await server.state(instance_id)
            if state is not None and self._model.see_state(state) == origin:
                status = hub.status_of(state)
                text = f"{instance_id}: {origin} was terminated, and is {status}"
                self._model.tell("termination lost", text)
            return
        if state is not None:
            self._model.see_state(state)

    async def start_and_terminate(self, server: hub.Hub) -> None:
        """Start an ID that nobody has had, and terminate it at the same time."""
        instance_id = self._model.word("f")
        word = self._model.begin("s", instance_id)
        termination = self._model.terminating(instance_id)

        async def terminate() -> bool:
            await asyncio.sleep(self._choices.uniform(0.0, 0.02))
            with suppress(grpc.aio.AioRpcError):
                await server.terminate(instance_id)
                return True
            return False

        is_terminated, _ = await asyncio.gather(
            terminate(), server.start(self._workflow, instance_id, json.dumps(word))
        )
        self._model.ended(termination)
        state = await server.state(instance_id)
        if state is None:
            text = f"{instance_id}: {word} was acknowledged (terminated: {is_terminated})"
            self._model.tell("start lost", text)
        elif is_terminated:
            await self._see_closed(server, instance_id, word)

    async def purge(self, server: hub.Hub) -> None:
        """Purge it, if it has closed."""
        await self.look(server)
        self.started = ""
        count = await server.purge(self.instance_id)
        if count and self._is_alone and await server.state(self.instance_id) is not None:
            self._model.tell("purge undone", f"{self.instance_id}: {count} were purged")

    async def rerun(self, server: hub.Hub) -> None:
        """Make a copy of it, if it has closed.

        What a copy asks of others again would have the words of the first time.
        """
        history = await server.history(self.instance_id)
        kinds = {event.WhichOneof("event_type") for event in history}
        if not self._is_alone or kinds & _ASKING:
            return
        copy = self._model.word("copy")
        self._model.copies[copy] = self._model.source_of(self.instance_id)
        self._model.known.add(copy)
        await server.rerun(self.instance_id, self._choices.choice((1, 2, 3)), copy)
