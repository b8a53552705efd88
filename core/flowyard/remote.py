"""The remote executor: turns and activities that connected workers of any SDK run.

It knows no wire. A face opens a `WorkerStream` for each connected worker, takes work from it, and
answers with what the worker has said.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flowyard.executor import ActivityResult, ActivityTask, LocalCode, Turn, TurnResult
from flowyard.history import ExecutionCompleted, ExecutionStarted
from flowyard.local import LocalExecutor
from flowyard.models import FailureDetails, WorkflowStatus

logger = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, int | None]
"""Whose work: an instance, and the ID of its activity (None: its turn)."""


class Answer(asyncio.Future[Any]):
    """Where the answer to a work comes. Cancel it to withdraw the work."""

    is_taken = False
    """Whether a worker has the work now."""


@dataclass(eq=False, slots=True)
class Work:
    """A turn or an activity that a worker is to run."""

    request: Turn | ActivityTask
    name: str
    answer: Answer
    stream: WorkerStream | None = None
    """Whose it is at present."""
    lost_at: str = ""
    """The address of the last worker that had it and has gone."""
    refused_by: set[str] = field(default_factory=set)
    """The streams whose code does not fit; `refusal` is what the last of them has said."""
    refusal: TurnResult | None = None

    @property
    def key(self) -> Key:
        """What a worker that sends no token answers to."""
        request = self.request
        return request.instance_id, request.task_id if isinstance(request, ActivityTask) else None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Work as it was handed to one worker, by whose stream an answer is known to be its own."""

    queue: WorkQueue
    work: Work
    stream: str

    @property
    def token(self) -> str:
        """What the worker is to answer with."""
        return f"{self.work.name}.{self.stream}"

    def conclude(self, result: TurnResult | ActivityResult) -> None:
        """Hand the answer to who waits for it; the first one counts, from whomever it is.

        A turn that the worker's code does not fit is stalled only if no other worker's does.
        """
        if self.work.answer.done():
            return
        if isinstance(result, TurnResult) and result.stalled is not None:
            self.queue.pass_on(self, result)
        else:
            self.work.answer.set_result(result)

    def refuse(self, failure: FailureDetails) -> None:
        """Say that no worker can run this: the activity fails, or the instance."""
        if isinstance(self.work.request, ActivityTask):
            self.conclude(ActivityResult(failure=failure))
        else:
            self.conclude(TurnResult([ExecutionCompleted(WorkflowStatus.FAILED, failure=failure)]))


@dataclass(eq=False, slots=True)
class WorkerStream:
    """One connected worker, and what it has been given and not answered."""

    queue: WorkQueue
    name: str
    address: str
    outstanding: dict[str, Work] = field(default_factory=dict)

    async def take(self) -> Delivery:
        """Return the next work for this worker, once there is some."""
        work = await self.queue.take(self)
        work.stream = self
        work.answer.is_taken = True
        self.outstanding[work.name] = work
        return Delivery(self.queue, work, self.name)


class WorkQueue:
    """Work in the order in which it came, and the workers that wait for some."""

    def __init__(self, component: str) -> None:
        self._component = component
        # Names of another run of the server shall not fit.
        run = os.urandom(8).hex()
        self._names = (f"{run}-{number}" for number in itertools.count(1))
        self._queued: OrderedDict[str, Work] = OrderedDict()
        self._idle: dict[WorkerStream, asyncio.Future[Work]] = {}
        self._by_name: dict[str, Work] = {}
        self._by_key: dict[Key, Work] = {}
        self._streams: dict[str, WorkerStream] = {}
        self._watchers: list[Callable[[], None]] = []
        self._is_draining = False
        self._drained = asyncio.Event()

    @property
    def connected(self) -> int:
        """How many workers are connected."""
        return len(self._streams)

    def put(self, request: Turn | ActivityTask) -> Answer:
        """Queue work and return where its answer comes."""
        answer = Answer(loop=asyncio.get_running_loop())
        work = Work(request, next(self._names), answer)
        self._by_name[work.name] = self._by_key[work.key] = work
        work.answer.add_done_callback(lambda _: self._forget(work))
        if not self._streams and not self._queued:
            logger.info("component '%s': work waits for a worker to connect", self._component)
        self._offer(work)
        return work.answer

    async def take(self, stream: WorkerStream) -> Work:
        """Return the oldest work that the worker has not refused, once there is some."""
        if not self._is_draining and (work := self._oldest_for(stream)) is not None:
            return work
        idle: asyncio.Future[Work] = asyncio.get_running_loop().create_future()
        self._idle[stream] = idle
        try:
            return await idle
        except asyncio.CancelledError:
            self._idle.pop(stream, None)
            if idle.done() and not idle.cancelled():
                self._offer(idle.result(), first=True)
            raise

    @contextmanager
    def stream(self, address: str = "") -> Iterator[WorkerStream]:
        """Connect a worker. What it has not answered at the end goes to another."""
        stream = WorkerStream(self, next(self._names), address)
        self._streams[stream.name] = stream
        for on_more in list(self._watchers):
            on_more()
        try:
            yield stream
        finally:
            del self._streams[stream.name]
            for work in reversed(stream.outstanding.values()):
                work.lost_at = address
                self._offer(work, first=True)
            self._stall_refused()
            self._look_if_drained()

    def watch(self, on_connected: Callable[[], None]) -> Callable[[], None]:
        """Have it called whenever a worker has connected; returns what ends that."""
        self._watchers.append(on_connected)
        return lambda: self._watchers.remove(on_connected)

    def pass_on(self, delivery: Delivery, refusal: TurnResult) -> None:
        """Offer a turn that its worker's code does not fit to the others; stall it at the last."""
        work, stream = delivery.work, self._streams.get(delivery.stream)
        if stream is None or stream.outstanding.pop(work.name, None) is None:
            # A late word of a worker that has gone, or one said twice: it says nothing of the
            # worker that has the turn now.
            return
        work.refused_by.add(stream.name)
        work.refusal = refusal
        if self._streams.keys() <= work.refused_by:
            work.answer.set_result(refusal)
        else:
            self._offer(work)
            self._look_if_drained()

    async def drain(self) -> None:
        """Hand out no more work, and return once all that was handed out is answered."""
        self._is_draining = True
        self._look_if_drained()
        await self._drained.wait()

    def find(self, token: str, key: Key, address: str = "") -> Delivery | None:
        """Return the work that an answer is for; None if it is settled or was withdrawn.

        Without a token it is taken for the answer of the worker that has the work now, unless it
        comes from the address of the one that had it before and has gone.
        """
        name, _, stream = token.rpartition(".")
        work = self._by_name.get(name) if token else self._by_key.get(key)
        if work is None or work.key != key:
            return None
        holder = work.stream
        if not token and holder is not None:
            is_late = address == work.lost_at != holder.address
            stream = "" if is_late else holder.name
        return Delivery(self, work, stream)

    def _offer(self, work: Work, *, first: bool = False) -> None:
        if work.answer.done():
            return
        work.stream = None
        work.answer.is_taken = False
        if not self._is_draining and (idle := self._idle_for(work)) is not None:
            idle.set_result(work)
            return
        self._queued[work.name] = work
        if first:
            self._queued.move_to_end(work.name, last=False)

    def _oldest_for(self, stream: WorkerStream) -> Work | None:
        for work in self._queued.values():
            if not work.answer.done() and stream.name not in work.refused_by:
                return self._queued.pop(work.name)
        return None

    def _idle_for(self, work: Work) -> asyncio.Future[Work] | None:
        for stream, idle in self._idle.items():
            if not idle.done() and stream.name not in work.refused_by:
                return self._idle.pop(stream)
        return None

    def _stall_refused(self) -> None:
        """Stall what waits for another worker than is left."""
        if self._is_draining:
            return
        for work in self._queued.values():
            refusal = work.refusal if self._streams.keys() <= work.refused_by else None
            if refusal is not None and not work.answer.done():
                work.answer.set_result(refusal)

    def _forget(self, work: Work) -> None:
        del self._by_name[work.name]
        self._queued.pop(work.name, None)
        if self._by_key.get(work.key) is work:
            del self._by_key[work.key]
        if work.stream is not None:
            work.stream.outstanding.pop(work.name, None)
        self._look_if_drained()

    def _look_if_drained(self) -> None:
        if self._is_draining and not any(one.outstanding for one in self._streams.values()):
            self._drained.set()


class RemoteExecutor:
    """Runs what the app has in this process, and has workers run everything else."""

    def __init__(self, component: str, local: LocalExecutor | None = None) -> None:
        self.queue = WorkQueue(component)
        self._local = local

    def check_workflow(self, name: str) -> None:
        """A worker that knows the name may connect at any time."""

    def local_code(self, workflow: str) -> LocalCode | None:
        local = self._local
        if local is None or workflow not in local.registry.workflows:
            return None
        return local.local_code(workflow)

    def run_turn(self, turn: Turn) -> TurnResult | Answer:
        local = self._local
        if local is not None and started_of(turn).workflow in local.registry.workflows:
            return local.run_turn(turn)
        return self.queue.put(turn)

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        local = self._local
        if local is not None and task.name in local.registry.activities:
            return await local.run_activity(task)
        result: ActivityResult = await self.queue.put(task)
        return result

    def forget(self, instance_id: str) -> None:
        if self._local is not None:
            self._local.forget(instance_id)

    def awaited(self, instance_id: str) -> list[int]:
        """Return what the app's own code waits for; workers do not tell."""
        return self._local.awaited(instance_id) if self._local is not None else []

    def watch(self, on_more: Callable[[], None]) -> Callable[[], None]:
        """Have it called whenever a worker has connected; returns what ends that."""
        return self.queue.watch(on_more)


class RemoteExecutors:
    """The remote executor of each component; `make` is what `Runtime.open` takes as `executor`."""

    def __init__(self) -> None:
        self._executors: dict[str, RemoteExecutor] = {}

    def make(self, component: str, local: LocalExecutor | None) -> RemoteExecutor:
        """Make the executor of a component that is being opened."""
        executor = self._executors[component] = RemoteExecutor(component, local)
        return executor

    def queue(self, component: str) -> WorkQueue:
        """Return what the workers of a component take their work from."""
        return self._executors[component].queue


def started_of(turn: Turn) -> ExecutionStarted:
    """Return how the execution of a turn that runs code began."""
    for events in (turn.past, turn.new):
        for event in events:
            if isinstance(event, ExecutionStarted):
                return event
    raise AssertionError("a turn that runs code has been started")
