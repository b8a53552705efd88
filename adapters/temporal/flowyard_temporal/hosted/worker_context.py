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

from flowyard.backend import (
    Action,
    BackgroundTasks,
    ExecutionCompleted,
    ExecutionStarted,
    Executor,
    FailureDetails,
    HistoryEvent,
    QueuedTurn,
    StartRequest,
    Turn,
    TurnResult,
    TurnStarted,
    WorkflowStatus,
    new_uuid,
    to_microseconds,
)
from flowyard_temporal.hosted.decisions import Decisions
from flowyard_temporal.hosted.hosted_input import Beginning
from flowyard_temporal.hosted.limits import Limits
from flowyard_temporal.hosted.raw import raw

TURN = "flowyard.turn"
"""The local activity in which a worker's code runs a turn."""
RECORD = "flowyard.record"
"""The local activity that puts into the history what no command of Temporal's leaves there."""
WAKE = "flowyard.wake"
"""The signal that more code has come."""
UNSERVED = "Unserved"
WAITS = "a turn waits for a worker that serves it"

_PATIENCE_SECONDS = 5.0
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
        self._decisions = Decisions()
        self._draining = asyncio.Event()
        self._ending = asyncio.Event()
        self._waiting: set[str] = set()
        self._background = BackgroundTasks()

    def beginning(self, request: StartRequest) -> Beginning:
        """Return how a hosted instance begins; raises `WorkflowNotRegistered`."""
        self.executor.check_workflow(request.workflow)
        start_at = to_microseconds(request.start_at) if request.start_at is not None else None
        started = ExecutionStarted(
            request.workflow, request.input, new_uuid().hex, start_at=start_at
        )
        return Beginning.of([started], request.workflow, self.executor)

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
        turns = [place for place, event in enumerate(history) if isinstance(event, TurnStarted)]
        if not turns:
            return None
        past: list[HistoryEvent] = [*history]
        new: list[HistoryEvent] = [TurnStarted(0)]
        if not any(isinstance(event, Action) for event in history[turns[-1] :]):
            # It is the one that has failed, for whatever reason.
            past, new = [*history[: turns[-1]]], [*history[turns[-1] :]]
        (execution_id,) = (
            event.execution_id for event in history if isinstance(event, ExecutionStarted)
        )
        try:
            result = self.run_inline(Turn(instance_id, execution_id, past, new))
        finally:
            self.executor.forget(instance_id)
        return result.stalled

    def run_inline(self, turn: Turn) -> TurnResult:
        """Run a turn by the code of this process; whatever the code raises fails the instance."""
        try:
            result = self.executor.run_turn(turn)
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - it is the result
            failure = FailureDetails.of(error)
            return TurnResult([ExecutionCompleted(WorkflowStatus.FAILED, failure=failure)])
        assert isinstance(result, TurnResult)  # noqa: S101 - it is local code
        return result

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
            self._background.run(self._wake(instance_id))

    async def _wake(self, instance_id: str) -> None:
        try:
            await self._client.get_workflow_handle(instance_id).signal(WAKE)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                self.settled(instance_id)
                return
            # It looks again by itself, later.
            self._logger.warning("instance '%s' was not woken: %s", instance_id, error.message)

    def drain(self) -> None:
        """Let turns go that no worker has taken, now and from now on."""
        self._draining.set()

    def interrupt(self) -> None:
        """Let all turns go: the process does not wait for workers any longer."""
        self._draining.set()
        self._ending.set()

    @activity.defn(name=RECORD)
    async def record(self, events: RawValue) -> RawValue:
        """Return events, which Temporal records as the result."""
        return events

    @activity.defn(name=TURN)
    async def run_turn(self, key: str) -> RawValue:
        """Run a turn by a connected worker; say so if none takes it."""
        turn = self._turns[key]
        self._waiting.discard(turn.instance_id)
        if (decided := self._decisions.find(key, turn)) is not None:
            return raw(decided)
        result = self.executor.run_turn(turn)
        if not isinstance(result, TurnResult):
            result = await self._answer(asyncio.ensure_future(result))
        if result.stalled is not None:
            self._waiting.add(turn.instance_id)
        data = msgspec.json.encode(result)
        fitting = self.limits.recorded(result, data)
        if fitting is not result:
            data = msgspec.json.encode(fitting)
        self._decisions.keep(key, turn, fitting, data)
        return raw(data)

    async def _answer(self, answer: asyncio.Future[TurnResult]) -> TurnResult:
        """Return what the worker says that has taken a turn, or that none has it."""
        try:
            while not answer.done():
                await self._wait_for(answer)
                # A worker that had taken it may have gone meanwhile.
                is_with_nobody = isinstance(answer, QueuedTurn) and not answer.is_taken
                if not answer.done() and (is_with_nobody or self._ending.is_set()):
                    return TurnResult(stalled=FailureDetails(UNSERVED, WAITS))
            return await answer
        finally:
            answer.cancel()

    async def _wait_for(self, answer: asyncio.Future[TurnResult]) -> None:
        """Wait for an answer, but only until it is time to see whether a worker is at it."""
        changes = self._ending if self._draining.is_set() else self._draining
        changed = asyncio.ensure_future(changes.wait())
        either: set[asyncio.Future[Any]] = {answer, changed}
        try:
            await asyncio.wait(
                either, timeout=_PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            changed.cancel()
