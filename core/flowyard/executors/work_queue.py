"""The queue of what workers are to run, and what comes of it."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flowyard.backend.executor import ActivityTask, Turn
from flowyard.clock import Clock
from flowyard.executors.acknowledgements import Acknowledgements
from flowyard.executors.assignments import Assignments
from flowyard.executors.connections import Connection, Connections
from flowyard.executors.deadlines import Deadlines, MonotonicClock
from flowyard.executors.unserved import Unserved
from flowyard.executors.watchers import Watchers
from flowyard.executors.work import ACTIVITY, TURN, Answer, Key, Work
from flowyard.executors.worker_streams import CREDIT, Delivery, WorkerStream
from flowyard.machine import SYSTEM, Machine

logger = logging.getLogger(__name__)

TURN_SECONDS = 60.0
ACKNOWLEDGE_SECONDS = 30.0


class WorkQueue:
    """Work in the order in which it came, and the workers that are to run it.

    A turn that is not answered within `turn_seconds` goes to another worker. `acknowledge_seconds`
    is how long a worker that has delivered a result waits for the host to make it durable.
    """

    def __init__(
        self,
        component: str,
        *,
        turn_seconds: float = TURN_SECONDS,
        acknowledge_seconds: float = ACKNOWLEDGE_SECONDS,
        clock: Clock | None = None,
        machine: Machine = SYSTEM,
    ) -> None:
        clock = MonotonicClock() if clock is None else clock
        self._component = component
        self._turn_seconds = turn_seconds
        # Names of another run of the server shall not fit.
        self._run = machine.new_uuid().hex[:16]
        self._numbers = itertools.count(1)
        self._by_name: dict[str, Work] = {}
        self._activities: dict[str, dict[str, Work]] = {}
        self._assignments = Assignments()
        self._connections = Connections()
        self._turns_out: Deadlines[Delivery] = Deadlines(turn_seconds, self._timed_out, clock)
        self._unserved = Unserved(component, clock)
        self._watchers = Watchers()
        self._is_draining = False
        self._drained = asyncio.Event()
        self.acknowledgements = Acknowledgements(
            component, acknowledge_seconds, clock, self._look_if_drained
        )

    @property
    def connected(self) -> int:
        """How many workers are connected."""
        return len(self._assignments.streams)

    # What a host asks for.

    def put(self, request: Turn | ActivityTask) -> Answer:
        """Queue work and return where its answer comes."""
        answer = Answer(loop=asyncio.get_running_loop())
        number = next(self._numbers)
        work = Work(request, number, f"{self._run}-{number}", answer)
        self._by_name[work.name] = work
        if isinstance(request, ActivityTask):
            self._activities.setdefault(request.instance_id, {})[work.name] = work
            if self.acknowledgements:
                self.acknowledgements.asked_again(request)
        answer.add_done_callback(lambda _: self._forget(work))
        if not self.connected and self._assignments.is_empty:
            logger.info("component '%s': work waits for a worker to connect", self._component)
        self.offer(work)
        if self._is_draining:
            self._give_up(work)
        return answer

    def offer(self, work: Work, *, first: bool = False) -> None:
        """Have a worker run it, the next that is free and can."""
        if not self._assignments.offer(work, first=first) and not work.answer.done():
            self._unserved.add(work)

    def closed(self, instance_id: str, execution_id: str) -> None:
        """Withdraw the activities of an execution that has ended, also those that workers have."""
        for work in list(self._activities.get(instance_id, {}).values()):
            if work.request.execution_id == execution_id and not work.answer.done():
                work.answer.cancel()
        self.acknowledgements.closed(instance_id, execution_id)

    def obstacle(self, instance_id: str, task_id: int | None = None) -> str | None:
        """Return why an activity of the instance waits for another worker, if one does."""
        for work in self._activities.get(instance_id, {}).values():
            if task_id is not None and work.key[1] != task_id:
                continue
            if work.obstacle is not None and not work.stream:
                return work.obstacle
        return None

    def watch(self, on_connected: Callable[[], None]) -> Callable[[], None]:
        """Have it called when workers have connected; returns what ends that."""
        return self._watchers.add(on_connected)

    # What workers do.

    @contextmanager
    def stream(self, address: str = "", credit: tuple[int, int] = CREDIT) -> Iterator[WorkerStream]:
        """Connect a worker. What it has not answered at the end goes to another.

        `credit` says how many turns and how many activities it is given at once.
        """
        name = f"{self._run}-{next(self._numbers)}"
        stream = WorkerStream(self, name, address, credit)
        # Who has no address has a connection to itself.
        stream.connection = self._connections.open(address or name, stream)
        self._assignments.connect(stream)
        self._watchers.tell()
        try:
            yield stream
        finally:
            self._assignments.disconnect(stream)
            for delivery in reversed(stream.outstanding.values()):
                self._turns_out.remove(delivery)
                stream.connection.give_up(delivery, is_overdue=False)
                self.offer(delivery.work, first=True)
            self._connections.close(address or name, stream)
            self._assignments.offer_aside()
            self._look_if_drained()

    async def take(self, stream: WorkerStream, seconds: float | None) -> Delivery | None:
        """Return the oldest work that the worker may take; None if none comes for so long."""
        work = await self._assignments.next(stream, seconds)
        if work is None:
            return None
        delivery = Delivery(self, work, stream.name, stream.connection)
        work.stream = stream.name
        work.answer.is_taken = True
        self._unserved.remove(work)
        stream.outstanding[work.name] = delivery
        stream.held[work.kind] += 1
        if work.kind == TURN:
            self._turns_out.add(delivery)
        return delivery

    def find(self, token: str, key: Key, address: str = "") -> Delivery | None:
        """Return the delivery that an answer is for; None if there was none, or it is forgotten.

        Without a token it is what the connection has had for the longest without an answer.
        """
        if not token:
            connection = self._connections.get(address)
            return connection.oldest(key) if connection is not None else None
        name, _, stream_name = token.rpartition(".")
        stream = self._assignments.streams.get(stream_name)
        delivery = stream.outstanding.get(name) if stream is not None else None
        if delivery is None:
            work = self._by_name.get(name) or self.acknowledgements.find(name)
            if work is None:
                return None
            delivery = Delivery(self, work, stream_name)
        if delivery.work.key != key:
            return None
        if stream is not None and not stream.connection.sends_tokens:
            self._trust(stream.connection)
        return delivery

    def answered(self, delivery: Delivery) -> bool:
        """Note that a worker has answered; false if it was not, or not any more, its turn to."""
        stream = self._assignments.streams.get(delivery.stream)
        held = stream.outstanding.pop(delivery.work.name, None) if stream is not None else None
        if stream is None or held is None:
            connection = delivery.connection
            if connection is not None and connection.answered(delivery):
                self._assignments.offer_aside()
            return False
        kind = held.work.kind
        stream.held[kind] -= 1
        if kind == TURN:
            self._turns_out.remove(held)
            stream.credit[TURN] = min(stream.credit[TURN] * 2, stream.announced[TURN])
        self._assignments.fill(stream, kind)
        self._look_if_drained()
        return True

    def _timed_out(self, delivery: Delivery) -> None:
        """Give a turn to another worker; this one gets fewer until it answers in time again."""
        work, stream = delivery.work, self._assignments.streams.get(delivery.stream)
        if stream is None or stream.outstanding.pop(work.name, None) is None:
            return
        stream.held[TURN] -= 1
        stream.credit[TURN] = max(1, stream.credit[TURN] // 2)
        stream.connection.give_up(delivery, is_overdue=True)
        if not work.answer.done():
            logger.warning(
                "instance '%s': the worker at %s did not answer a turn within %g s; the turn is "
                "given to another worker",
                work.request.instance_id,
                stream.address or "(this process)",
                self._turn_seconds,
            )
            work.late_with |= {stream.name}
            self.offer(work, first=True)
        self._assignments.fill(stream, TURN)
        self._look_if_drained()

    def _trust(self, connection: Connection) -> None:
        """A worker sends tokens, so no answer of it can be taken for another one."""
        was_overdue = bool(connection.overdue)
        connection.trust()
        if was_overdue:
            self._assignments.offer_aside()

    def _forget(self, work: Work) -> None:
        del self._by_name[work.name]
        self._unserved.remove(work)
        self._assignments.remove(work)
        if work.kind == ACTIVITY:
            of_instance = self._activities[work.request.instance_id]
            del of_instance[work.name]
            if not of_instance:
                del self._activities[work.request.instance_id]
        self._look_if_drained()

    # The end.

    async def drain(self) -> None:
        """Hand out no more work; return once what was handed out is answered and kept.

        Activities that no worker has are given up: who waits for all that run need not wait for
        them, and whoever has their instances next begins them again.
        """
        self._is_draining = True
        self._assignments.stop()
        for work in list(self._by_name.values()):
            self._give_up(work)
        while self._is_busy():
            self._drained.clear()
            await self._drained.wait()

    def _give_up(self, work: Work) -> None:
        if work.kind == ACTIVITY and not work.answer.is_taken and not work.answer.done():
            work.answer.cancel()

    def close(self) -> None:
        """Tell all workers that there will be no more work, and that no more is kept."""
        self._assignments.close()
        self.acknowledgements.close()

    def _is_busy(self) -> bool:
        return bool(self.acknowledgements) or any(
            not delivery.is_settled
            for stream in self._assignments.streams.values()
            for delivery in stream.outstanding.values()
        )

    def _look_if_drained(self) -> None:
        if self._is_draining and not self._is_busy():
            self._drained.set()
