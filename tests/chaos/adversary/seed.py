"""One seed: a server, clients and workers that misbehave for a moment, and then the end."""

from __future__ import annotations

import asyncio
import random
from argparse import Namespace
from collections.abc import Callable

import grpc.aio

from chaos import hub
from chaos.adversary.answers import Answers
from chaos.adversary.clients import Client
from chaos.adversary.ending import Ending
from chaos.adversary.model import Model
from chaos.adversary.server import Serving
from chaos.adversary.worker import Connection, Delivery
from flowyard.clock import Clock

_ALONE = ("alone-1", "alone-2", "alone-3")
_SHARED = ("shared-1", "shared-2")


class Seed:
    """What is drawn from one number."""

    def __init__(
        self,
        number: int,
        serve: Callable[[random.Random], Serving],
        tell: Callable[[str, str], None],
        options: Namespace,
        clock: Clock,
    ) -> None:
        self.number = number
        self._choices = random.Random(number)  # noqa: S311 - not for secrets
        self._options = options
        self.model = Model(tell, clock)
        """What was done, and what it may come to."""
        self.tell = self.model.tell
        self._server = serve(self._choices)
        self._answers = Answers(self.model, self._choices, list(_SHARED), clock)
        self._is_up = asyncio.Event()
        self._hubs: list[hub.Hub] = []
        self._connections: list[Connection] = []
        self._late: list[Delivery] = []

    async def run(self) -> None:
        """Run it to its end; what happened is in `trace`."""
        try:
            await self._open()
            clients = [self._client(kind, is_alone=True) for kind in _ALONE]
            clients += [self._client(kind, is_alone=False) for kind in _SHARED]
            working = [asyncio.create_task(client.work()) for client in clients]
            try:
                await self._misbehave()
            finally:
                for task in working:
                    task.cancel()
                ended = await asyncio.gather(*working, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception):
                    raise error
            await self._leave_all()
            await self._end()
        finally:
            await self._leave_all()
            await self._close()
            for connection in self._hubs:
                await connection.close()

    async def _misbehave(self) -> None:
        self._connections = [self._connect_worker() for _ in range(2)]
        for _ in range(self._options.steps):
            await asyncio.sleep(self._choices.uniform(0.03, 0.15))
            kind = self._choices.random()
            restarts = self._options.restarts
            if kind < restarts:
                await self._restart()
            elif kind < restarts + 0.35 and self._connections:
                await self._leave(self._choices.choice(self._connections))
            elif kind < restarts + 0.55:
                await self._tell_late()
            while len(self._connections) < 2 and self._choices.random() < 0.8:
                self._connections.append(self._connect_worker())

    async def _tell_late(self) -> None:
        for connection in self._connections:
            try:
                await connection.tell_late()
            except grpc.aio.AioRpcError as error:
                if self._server.may_refuse and error.code() is grpc.StatusCode.UNAVAILABLE:
                    continue  # what it has brought could not be written: it runs again
                self.model.tell("answer refused", f"{error.code().name}: {error.details()}")

    async def _end(self) -> None:
        self._server.calm()
        server = hub.Hub(self._server.channel(), 10)
        self._hubs.append(server)
        ending = Ending(self.model, server, self._options.patience)
        good = self._connect_worker(is_good=True, closed=await ending.closed_births())
        self._connections.append(good)
        try:
            await ending.run()
        finally:
            await self._leave(good)

    # The server, and who is connected.

    async def _open(self) -> None:
        await self._server.start()
        self._hubs.append(hub.Hub(self._server.channel(), 10, self.model.tracer("client")))
        self._is_up.set()

    async def _close(self) -> None:
        self._is_up.clear()
        try:
            await self._server.stop()
        except TimeoutError:
            self.model.tell("server does not stop", "within half a minute")

    @property
    def noted(self) -> list[tuple[float, tuple[object, ...]]]:
        """What was called and handed out, in its order."""
        return self.model.noted

    @property
    def trace(self) -> list[str]:
        """The same for people."""
        return self.model.trace

    async def _restart(self) -> None:
        self.model.tracer("server")("restarts")
        self._is_up.clear()
        await self._close()
        await self._leave_all()
        await self._open()

    async def _connect(self) -> hub.Hub:
        await self._is_up.wait()
        return self._hubs[-1]

    def _client(self, instance_id: str, *, is_alone: bool) -> Client:
        return Client(instance_id, self.model, self._choices, self._connect, is_alone=is_alone)

    def _connect_worker(
        self, *, is_good: bool = False, closed: set[str] | None = None
    ) -> Connection:
        return Connection(
            self._server,
            self.model,
            self._answers,
            self._choices,
            sends_tokens=is_good or self._choices.random() < self._options.tokens,
            is_good=is_good,
            late=list(self._late),
            terminate=self._terminate,
            closed=closed or set(),
            share_of_later_versions=self._options.versions,
        )

    async def _terminate(self, instance_id: str) -> None:
        server = await self._connect()
        termination = self.model.terminating(instance_id)
        await asyncio.sleep(self._choices.uniform(0.0, 0.005))
        try:
            await server.terminate(instance_id)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
        self.model.ended(termination)

    async def _leave(self, connection: Connection) -> None:
        self._connections.remove(connection)
        self._late += await connection.leave()

    async def _leave_all(self) -> None:
        for connection in list(self._connections):
            await self._leave(connection)
