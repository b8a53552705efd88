"""What the hosted workflows of one worker share with the process around them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec
from temporalio import activity
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from flowyard.executor import ActivityResult, Executor, QueuedTurn, Turn, TurnResult
from flowyard.history import (
    Action,
    ExecutionStarted,
    HistoryEvent,
    TurnStarted,
    to_microseconds,
)
from flowyard.identifier import new_uuid
from flowyard.models import FailureDetails, StartRequest
from flowyard_temporal.hosting.beginning import Beginning, read_call
from flowyard_temporal.hosting.failures import error_of
from flowyard_temporal.hosting.limits import Limits
from flowyard_temporal.hosting.raw import raw

TURN = "flowyard.turn"
"""The local activity in which a worker's code runs a turn."""
WAKE = "flowyard.wake"
"""The signal that more code has come."""
UNSERVED = "Unserved"
WAITS = "a turn waits for a worker that serves it"

_PATIENCE = 5.0
"""How many seconds a turn waits for a worker to take it before the workflow task is let go."""


class Environment:
    """Runs the turns and activities that Temporal hands to this process."""

    def __init__(
        self,
        client: Client,
        executor: Executor,
        limits: Limits,
        heartbeat_timeout: timedelta,
        logger: logging.Logger,
    ) -> None:
        self._client = client
        self.executor = executor
        self.limits = limits
        self.heartbeat_timeout = heartbeat_timeout
        self._logger = logger
        self._turns: dict[str, Turn] = {}
        self._waiting: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def beginning(self, request: StartRequest) -> Beginning:
        """Return how a hosted instance begins; raises `WorkflowNotRegistered`."""
        self.executor.check_workflow(request.workflow)
        start_at = to_microseconds(request.start_at) if request.start_at is not None else None
        started = ExecutionStarted(
            request.workflow, request.input, new_uuid().hex, start_at=start_at
        )
        return Beginning.of([started], self.executor.local_code(request.workflow))

    def is_waiting(self, instance_id: str) -> bool:
        """Whether a turn of the instance waits for a worker that serves it."""
        return instance_id in self._waiting

    def settled(self, instance_id: str) -> None:
        """Forget that a turn of an instance waits: it is over."""
        self._waiting.discard(instance_id)

    def misfit(self, instance_id: str, history: Sequence[HistoryEvent]) -> FailureDetails | None:
        """Return how the code of this process does not fit a history; None if it does.

        Temporal, which compares what it has recorded, says so in words of its own.
        """
        turns = [place for place, one in enumerate(history) if isinstance(one, TurnStarted)]
        if not turns:
            return None
        past: list[HistoryEvent] = [*history]
        new: list[HistoryEvent] = [TurnStarted(0)]
        if not any(isinstance(one, Action) for one in history[turns[-1] :]):
            # It is the one that has failed, for whatever reason.
            past, new = [*history[: turns[-1]]], [*history[turns[-1] :]]
        (execution_id,) = (one.execution_id for one in history if isinstance(one, ExecutionStarted))
        try:
            result = self.executor.run_turn(Turn(instance_id, execution_id, past, new))
        finally:
            self.executor.forget(instance_id)
        return result.stalled if isinstance(result, TurnResult) else None

    @contextmanager
    def offer(self, key: str, turn: Turn) -> Iterator[None]:
        """Lend a turn to the local activity that is given its key: history need not hold it."""
        self._turns[key] = turn
        try:
            yield
        finally:
            del self._turns[key]

    def wake(self) -> None:
        """Have the turns run again that no worker's code has fitted or taken."""
        for instance_id in self._waiting:
            task = asyncio.ensure_future(self._wake(instance_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _wake(self, instance_id: str) -> None:
        try:
            await self._client.get_workflow_handle(instance_id).signal(WAKE)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                self.settled(instance_id)
                return
            # It looks again by itself, later.
            self._logger.warning("instance '%s' was not woken: %s", instance_id, error.message)

    @activity.defn(name=TURN)
    async def run_turn(self, key: str) -> RawValue:
        """Run a turn by a connected worker; say so if none takes it."""
        turn = self._turns[key]
        self._waiting.discard(turn.instance_id)
        result = self.executor.run_turn(turn)
        if not isinstance(result, TurnResult):
            result = await self._answer(asyncio.ensure_future(result))
        if result.stalled is not None:
            self._waiting.add(turn.instance_id)
        data = msgspec.json.encode(result)
        fitting = self.limits.recorded(result, data)
        return raw(data if fitting is result else msgspec.json.encode(fitting))

    async def _answer(self, answer: asyncio.Future[TurnResult]) -> TurnResult:
        """Return what the worker says that has taken a turn, or that none has taken it."""
        try:
            await asyncio.wait({answer}, timeout=_PATIENCE)
            if not answer.done() and isinstance(answer, QueuedTurn) and not answer.is_taken:
                return TurnResult(stalled=FailureDetails(UNSERVED, WAITS))
            return await answer
        finally:
            answer.cancel()

    @activity.defn(dynamic=True)
    async def run_activity(self, args: Sequence[RawValue]) -> RawValue:
        """Run an activity. Its failure is final for Temporal: retries are the interpreter's."""
        info = activity.info()
        task = read_call(
            args,
            info.workflow_id or "",
            info.workflow_run_id or "",
            info.activity_id,
            info.activity_type,
        )
        with _beating(info.heartbeat_timeout):
            result = await _to_its_end(asyncio.ensure_future(self.executor.run_activity(task)))
        result = self.limits.activity_result(task.name, result)
        if result.failure is not None:
            raise error_of(result.failure)
        return raw(result.output)


async def _to_its_end(running: asyncio.Future[ActivityResult]) -> ActivityResult:
    """Return the result, also where the instance was terminated: only the worker's end ends it."""
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:
        ending = asyncio.ensure_future(activity.wait_for_worker_shutdown())
        either: set[asyncio.Future[Any]] = {running, ending}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not running.done():
            running.cancel()
            await asyncio.wait({running})
            raise
    return running.result()


@contextmanager
def _beating(limit: timedelta | None) -> Iterator[None]:
    """Tell Temporal that the activity is alive, from time to time: a short one need not."""
    if not limit:
        yield
        return
    next_beat: asyncio.TimerHandle
    loop, interval = asyncio.get_running_loop(), limit.total_seconds() / 3

    def beat() -> None:
        nonlocal next_beat
        activity.heartbeat()
        next_beat = loop.call_later(interval, beat)

    next_beat = loop.call_later(interval, beat)
    try:
        yield
    finally:
        next_beat.cancel()
