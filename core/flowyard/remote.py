"""The remote executor: turns and activities that connected workers of any SDK run.

It knows no wire. A face opens a `WorkerStream` for each connected worker, takes work from it, and
answers with what the worker has said.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections import deque
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

    work: Work

    @property
    def is_taken(self) -> bool:
        """Whether a worker has the work now."""
        return self.work.stream is not None


@dataclass(eq=False, slots=True)
class Work:
    """A turn or an activity that a worker is to run. Its token stays when it is sent again."""

    request: Turn | ActivityTask
    token: str
    answer: Answer
    queue: WorkQueue
    stream: WorkerStream | None = None
    refused_by: set[WorkerStream] = field(default_factory=set)
    """Whose code does not fit; `refusal` is what the last of them has said."""
    refusal: TurnResult | None = None

    @property
    def key(self) -> Key:
        """What a worker that sends no token answers to."""
        request = self.request
        return request.instance_id, request.task_id if isinstance(request, ActivityTask) else None

    def conclude(self, result: TurnResult | ActivityResult) -> None:
        """Hand the answer to who waits for it; the first one counts.

        A turn that the worker's code does not fit is stalled only if no other worker's does.
        """
        if self.answer.done():
            return
        if isinstance(result, TurnResult) and result.stalled is not None:
            self.queue.pass_on(self, result)
        else:
            self.answer.set_result(result)

    def refuse(self, failure: FailureDetails) -> None:
        """Say that no worker can run this: the activity fails, or the instance."""
        if isinstance(self.request, ActivityTask):
            self.conclude(ActivityResult(failure=failure))
        else:
            self.conclude(TurnResult([ExecutionCompleted(WorkflowStatus.FAILED, failure=failure)]))


@dataclass(eq=False, slots=True)
class WorkerStream:
    """One connected worker, and what it has been given and not answered."""

    queue: WorkQueue
    outstanding: dict[str, Work] = field(default_factory=dict)

    async def take(self) -> Work:
        """Return the next work for this worker, once there is some."""
        work = await self.queue.take(self)
        work.stream = self
        self.outstanding[work.token] = work
        return work


class WorkQueue:
    """Work in the order in which it came, and the workers that wait for some."""

    def __init__(self, component: str) -> None:
        self._component = component
        self._tokens = (f"{os.urandom(8).hex()}-{number}" for number in itertools.count(1))
        self._queued: deque[Work] = deque()
        self._idle: deque[tuple[WorkerStream, asyncio.Future[Work]]] = deque()
        self._by_token: dict[str, Work] = {}
        self._by_key: dict[Key, Work] = {}
        self._streams: set[WorkerStream] = set()
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
        work = answer.work = Work(request, next(self._tokens), answer, self)
        self._by_token[work.token] = self._by_key[work.key] = work
        work.answer.add_done_callback(lambda _: self._forget(work))
        if not self._streams and not any(not one.answer.done() for one in self._queued):
            logger.info("component '%s': work waits for a worker to connect", self._component)
        self._offer(work)
        return work.answer

    async def take(self, stream: WorkerStream) -> Work:
        """Return the oldest work that the worker has not refused, once there is some."""
        if not self._is_draining and (work := self._oldest_for(stream)) is not None:
            return work
        idle: asyncio.Future[Work] = asyncio.get_running_loop().create_future()
        self._idle.append((stream, idle))
        try:
            return await idle
        except asyncio.CancelledError:
            if idle.done() and not idle.cancelled():
                self._offer(idle.result(), first=True)
            raise

    @contextmanager
    def stream(self) -> Iterator[WorkerStream]:
        """Connect a worker. What it has not answered at the end goes to another."""
        stream = WorkerStream(self)
        self._streams.add(stream)
        for on_more in list(self._watchers):
            on_more()
        try:
            yield stream
        finally:
            self._streams.discard(stream)
            for work in reversed(stream.outstanding.values()):
                self._offer(work, first=True)
            self._stall_refused()
            self._look_if_drained()

    def watch(self, on_connected: Callable[[], None]) -> Callable[[], None]:
        """Have it called whenever a worker has connected; returns what ends that."""
        self._watchers.append(on_connected)
        return lambda: self._watchers.remove(on_connected)

    def pass_on(self, work: Work, refusal: TurnResult) -> None:
        """Offer a turn that its worker's code does not fit to the others; stall it at the last."""
        stream = work.stream
        if stream is None:
            # A late word of a worker that has gone: the turn is offered to others already.
            return
        stream.outstanding.pop(work.token, None)
        work.refused_by.add(stream)
        work.refusal = refusal
        if self._streams <= work.refused_by:
            work.answer.set_result(refusal)
        else:
            self._offer(work)
            self._look_if_drained()

    async def drain(self) -> None:
        """Hand out no more work, and return once all that was handed out is answered."""
        self._is_draining = True
        self._look_if_drained()
        await self._drained.wait()

    def find(self, token: str, key: Key) -> Work | None:
        """Return the work that an answer is for; None if it is settled or was withdrawn."""
        work = self._by_token.get(token) if token else self._by_key.get(key)
        return work if work is not None and work.key == key else None

    def _offer(self, work: Work, *, first: bool = False) -> None:
        if work.answer.done():
            return
        work.stream = None
        if not self._is_draining and (idle := self._idle_for(work)) is not None:
            idle.set_result(work)
        elif first:
            self._queued.appendleft(work)
        else:
            self._queued.append(work)

    def _oldest_for(self, stream: WorkerStream) -> Work | None:
        refused: list[Work] = []
        found: Work | None = None
        while self._queued and found is None:
            work = self._queued.popleft()
            if stream in work.refused_by:
                refused.append(work)
            elif not work.answer.done():
                found = work
        self._queued.extendleft(reversed(refused))
        return found

    def _idle_for(self, work: Work) -> asyncio.Future[Work] | None:
        refused: list[tuple[WorkerStream, asyncio.Future[Work]]] = []
        found: asyncio.Future[Work] | None = None
        while self._idle and found is None:
            stream, idle = self._idle.popleft()
            if idle.done():
                continue
            if stream in work.refused_by:
                refused.append((stream, idle))
            else:
                found = idle
        self._idle.extendleft(reversed(refused))
        return found

    def _stall_refused(self) -> None:
        """Stall what waits for another worker than is left."""
        if self._is_draining:
            return
        for work in self._queued:
            refusal = work.refusal if self._streams <= work.refused_by else None
            if refusal is not None and not work.answer.done():
                work.answer.set_result(refusal)

    def _forget(self, work: Work) -> None:
        del self._by_token[work.token]
        if self._by_key.get(work.key) is work:
            del self._by_key[work.key]
        if work.stream is not None:
            work.stream.outstanding.pop(work.token, None)
        self._look_if_drained()

    def _look_if_drained(self) -> None:
        if self._is_draining and not any(stream.outstanding for stream in self._streams):
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
