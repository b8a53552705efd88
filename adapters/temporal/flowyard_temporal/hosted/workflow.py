"""The one workflow of Temporal's that every hosted instance is: a host for the interpreter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

import msgspec
from temporalio import workflow
from temporalio.common import RawValue

from flowyard.backend import (
    CHILD_IDS,
    EventRaised,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    HistoryEvent,
    Journal,
    Turn,
    TurnResult,
    suspended_after,
    to_microseconds,
)
from flowyard_temporal.hosted.application_errors import error_of
from flowyard_temporal.hosted.commands import AGAIN, NO_LIMIT, Commands
from flowyard_temporal.hosted.decisions import RecordedTurn
from flowyard_temporal.hosted.hosted_input import Beginning, read_beginning, runs_inline
from flowyard_temporal.hosted.raw import raw, text_of
from flowyard_temporal.hosted.worker_context import TURN, UNSERVED, WAKE, Environment
from flowyard_temporal.native.states import CREATED_AT, CUSTOM_STATUS, PAUSED, STALLED

IDS_IN_ORDER = "flowyard.ids-in-order"
"""Marks histories in which of children with one ID the first one gets it."""
SENDS_IN_ORDER = "flowyard.sends-in-order"
"""Marks histories in which an event for a child that is being started is sent after its start."""
PAUSE = "flowyard.pause"
RESUME = "flowyard.resume"

_FIRST_LOOK = timedelta(seconds=10)
_RAREST_LOOK = timedelta(minutes=10)

_decoder = msgspec.json.Decoder(RecordedTurn)


class UnfitCode(RuntimeError):
    """Fails the workflow task: Temporal tries it again until fitting code is there."""

    def __init__(self, instance_id: str, message: str) -> None:
        super().__init__(message)
        self.instance_id = instance_id


@workflow.defn(dynamic=True, sandboxed=False)
class HostedWorkflow:
    """Brings what Temporal delivers to the instance's turns, and carries out what they decide."""

    environment: Environment
    """Given by the worker, whose executor runs the turns."""

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        # Signals and updates may come before `run` does.
        info = workflow.info()
        self._journal = Journal(info.workflow_id)
        self._has_beginning = len(args) > 1
        # A run that was reset goes on from what the original has recorded.
        run_id = info.original_execution_run_id
        self._beginning = read_beginning(args, info.workflow_type, run_id)
        self._inbox: list[HistoryEvent] = list(self._beginning.events)
        self._backlog: list[HistoryEvent] = []
        self._is_paused = suspended_after(self._inbox, suspended=False)
        self._custom_status: str | None = None
        self._wakes = 0
        self._turns = 0

    @workflow.signal(dynamic=True)
    def signalled(self, name: str, args: Sequence[RawValue]) -> None:
        """Take an event, in the order of arrival."""
        if name == WAKE:
            self._wakes += 1
        else:
            self._inbox.append(EventRaised(name, text_of(args)))

    @workflow.update(name=PAUSE)
    def pause(self, reason: str | None) -> bool:
        """Take no turn from now on; False if that is so already."""
        return self._switch(ExecutionSuspended(reason), paused=True)

    @workflow.update(name=RESUME)
    def resume(self, reason: str | None) -> bool:
        """Take turns again; False if that is so already."""
        return self._switch(ExecutionResumed(reason), paused=False)

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> RawValue:
        """Run the instance to the end of its execution."""
        environment = self.environment
        executor = environment.executor
        info = workflow.info()
        if not self._has_beginning:
            # Begun by Temporal's own means, which do not know where its code is.
            self._beginning = Beginning.of(self._beginning.events, info.workflow_type, executor)
        events = self._beginning.events
        started = next(event for event in events if isinstance(event, ExecutionStarted))
        self._loop = asyncio.get_running_loop()
        commands = Commands(
            started,
            self._journal,
            environment,
            self._inbox.append,
            partial(self._has, 2, IDS_IN_ORDER),
            partial(self._has, 3, SENDS_IN_ORDER),
        )
        try:
            while not self._is_ended:
                await workflow.wait_condition(lambda: bool(self._inbox))
                await self._take_turn(commands)
            await commands.sent()
        except asyncio.CancelledError:
            # Evicted, and built again when something happens.
            executor.forget(info.workflow_id)
            raise
        completion = self._journal.completion
        if completion is None:
            return self._continue_as_new()
        executor.forget(info.workflow_id)
        return self._end(completion)

    @property
    def _is_ended(self) -> bool:
        return self._journal.is_closed or self._journal.continuation is not None

    async def _take_turn(self, commands: Commands) -> None:
        journal = self._journal
        self._backlog += [event for event in self._inbox if journal.admit(event)]
        # The list itself stays: it is where the commands deliver to.
        self._inbox.clear()
        if not self._backlog:
            return
        turn = journal.turn(workflow.time_ns() // 1000, self._backlog)
        if not journal.history:
            first = msgspec.structs.replace(turn.new[0], version=self._beginning.version)
            turn.new = [first, *turn.new[1:]]
        result = await self._run(turn) if turn.runs_code else TurnResult()
        result = self.environment.limits.turn_result(result)
        journal.commit(turn, result)
        # What has come after a turn that ends the execution is for `_continue_as_new`.
        self._inbox[:0] = self._backlog[len(turn.new) - 1 :]
        self._backlog = []
        if result.custom_status is not None and result.custom_status != self._custom_status:
            self._custom_status = result.custom_status
            self._note(CUSTOM_STATUS, result.custom_status or None)
        for action in result.actions:
            commands.give(action)

    async def _run(self, turn: Turn) -> TurnResult:
        if not self._beginning.inline:
            return await self._run_by_worker(turn)
        name = workflow.info().workflow_type
        if not runs_inline(self.environment.executor, name):
            raise UnfitCode(
                turn.instance_id,
                f"workflow '{name}' was started by code of the application that is not there any "
                "more. Register it again.",
            )
        turn.replaying = workflow.unsafe.is_replaying()
        turn.patched = self._patched
        result = self.environment.run_inline(turn)
        if result.stalled is not None:
            raise UnfitCode(turn.instance_id, result.stalled.message)
        return result

    async def _run_by_worker(self, turn: Turn) -> TurnResult:
        look = _FIRST_LOOK
        is_stalled = False
        while True:
            self._turns += 1
            key = f"{workflow.info().run_id}/{self._turns}"
            wakes = self._wakes
            with self.environment.offer(key, turn):
                answer: RawValue = await workflow.execute_local_activity(
                    TURN,
                    key,
                    result_type=RawValue,
                    start_to_close_timeout=NO_LIMIT,
                    retry_policy=AGAIN,
                )
            result = _decoder.decode(answer.payload.data)
            stalled = result.stalled
            if stalled is None:
                if is_stalled:
                    self._note(STALLED, None)
                if result.covered is not None:
                    turn.new = turn.new[: 1 + result.covered]
                return result
            if stalled.error_type != UNSERVED and not is_stalled:
                is_stalled = True
                self._note(STALLED, msgspec.json.encode(stalled).decode())
            await self._wait_for_code(wakes, look)
            await workflow.wait_condition(lambda: not self._is_paused)
            look = min(2 * look, _RAREST_LOOK)

    async def _wait_for_code(self, wakes: int, look: timedelta) -> None:
        """Wait until another worker has connected; at times look without being told."""
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._wakes > wakes, timeout=look)

    def _switch(self, event: HistoryEvent, *, paused: bool) -> bool:
        if self._is_paused is paused:
            return False
        self._is_paused = paused
        self._inbox.append(event)
        self._note(PAUSED, "true" if paused else None)
        return True

    def _note(self, key: str, text: str | None) -> None:
        workflow.upsert_memo({key: None if text is None else raw(text)})

    def _patched(self, patch: str) -> bool:
        if patch == CHILD_IDS and self._has_beginning:
            # A patch of Temporal's would be two more events in the history of every parent.
            return self._beginning.format >= 1
        # The interpreter hides the event loop from workflow code; Temporal finds its state by it.
        hidden = asyncio._get_running_loop()  # noqa: SLF001
        asyncio._set_running_loop(self._loop)  # noqa: SLF001
        try:
            return workflow.patched(patch)
        finally:
            asyncio._set_running_loop(hidden)  # noqa: SLF001

    def _has(self, since: int, patch: str) -> bool:
        """Whether the execution began with a format as late as this, or has the patch."""
        if self._has_beginning:
            return self._beginning.format >= since
        return workflow.patched(patch)

    def _end(self, completion: ExecutionCompleted) -> RawValue:
        if completion.failure is not None:
            raise error_of(completion.failure)
        return raw(completion.output)

    def _continue_as_new(self) -> RawValue:
        # A pause or a resume among what has come meanwhile is the successor's, too.
        came = [event for event in self._inbox if self._journal.admit(event)]
        late = [event for event in came if isinstance(event, EventRaised)]
        events = [*self._journal.successor(workflow.uuid4().hex), *late]
        info = workflow.info()
        created_at = self._beginning.created_at
        if created_at is None:
            created_at = to_microseconds(info.workflow_start_time)
        executor = self.environment.executor
        arguments = Beginning.of(events, info.workflow_type, executor, created_at).arguments()
        if (refusal := self.environment.limits.carried_refusal(arguments)) is not None:
            raise error_of(refusal)
        memo = {key: RawValue(payload) for key, payload in info.raw_memo.items()}
        memo[CREATED_AT] = raw(str(created_at))
        workflow.continue_as_new(args=arguments, memo=memo)
