"""Turns: what has come for an instance goes through its code, and becomes a record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence, Set
from dataclasses import dataclass, field, replace

from flowyard.backend import (
    ChildCreated,
    Clock,
    EventSent,
    ExecutionStarted,
    ExecutionSuspended,
    Executor,
    HistoryEvent,
    QueuedTurn,
    TaskScheduled,
    Turn,
    TurnResult,
    awaited,
    new_uuid,
)
from flowyard_conductor.hosted.inbox import Inbox, Message, is_terminated_by
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.hosted.records import Record, new_record_id
from flowyard_conductor.hosted.side_workflows import SideWorkflows

_LEFT_MILLISECONDS = 5000
# How often the messages are looked at while a worker has a turn, in seconds.
_LOOK_SECONDS = 2.0
# After so many steps, a record has all that was: the server forgets the oldest.
_STEPS_PER_BASE = 20
# Once an execution ends, these still have to be done.
_OUTGOING = (TaskScheduled, ChildCreated, EventSent)


@dataclass(slots=True)
class News:
    """What has come for an instance, in order, and the messages among it."""

    events: list[HistoryEvent] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    has_looked: bool = False
    """Whether the messages were looked through."""


class Turns:
    """Gathers news, and takes turns over it."""

    def __init__(
        self,
        executor: Executor,
        clock: Clock,
        inbox: Inbox,
        side_workflows: SideWorkflows,
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._inbox = inbox
        self._side_workflows = side_workflows

    async def gather(self, instance: HostedInstance, known: Sequence[HistoryEvent] = ()) -> News:
        """Return all that has come, with what this process knows already."""
        instance.look(messages=True)
        now = self._clock.now()
        timed: list[tuple[float, HistoryEvent]] = [(0, event) for event in instance.kept]
        begins = instance.started
        is_due = begins.start_at is None or begins.start_at <= now
        if instance.journal.started is None and not instance.backlog and is_due:
            timed.insert(0, (0, begins))
        messages = await self.unread(instance)
        if instance.journal.started is None and not timed and is_terminated_by(messages):
            # What is ended before its time has begun: its history then says what it was.
            timed.insert(0, (0, begins))
        current = instance.execution_id
        timed += [
            (message.at, message.event)
            for message in messages
            if message.execution_id in (None, current)
        ]
        timed += await self._results(instance)
        timed += [(timer.fire_at / 1000, timer) for timer in instance.journal.due_timers(now)]
        timed += [(now / 1000, event) for event in known]
        timed.sort(key=lambda pair: pair[0])
        return News([event for _, event in timed], list(messages), has_looked=True)

    async def unread(self, instance: HostedInstance) -> list[Message]:
        """Return messages that no turn has taken."""
        messages = await self._inbox.messages(instance.workflow_id)
        unread = instance.unread(messages)
        taken = set(instance.messages)
        # Who has taken it removes it, unless it died; then its watchdog would wake for ever.
        now = self._clock.now() // 1000
        await self._inbox.remove(
            message
            for message in messages
            if message.key in taken and now - message.at > _LEFT_MILLISECONDS
        )
        return unread

    async def is_ended(self, instance: HostedInstance) -> bool:
        """Whether a message is there that ends the instance."""
        return is_terminated_by(await self.unread(instance))

    async def has_results(self, instance: HostedInstance) -> bool:
        """Whether an activity has ended that no turn has seen."""
        return bool(await self._results(instance))

    async def take(
        self, instance: HostedInstance, news: News, iteration: int, *, patience: float | None = None
    ) -> Record | None:
        """Take a turn, if anything of the news counts, and return its record.

        Its journal is then ahead of what is committed. None if the instance has to be read again,
        which is so too where a worker has not answered for so many seconds (`patience`).
        """
        news, later = _paused_first(instance, news)
        consumed = [message.key for message in news.messages]
        admitted = [event for event in news.events if instance.journal.admit(event)]
        events = [*instance.backlog, *admitted]
        if instance.backlog and [type(event) for event in admitted] == [ExecutionSuspended]:
            # It was acknowledged while the execution before ran: the code of this one shall not.
            events = [*admitted, *instance.backlog]
        if not events:
            return self._parked(instance, consumed)
        if instance.closed.is_set():
            # Another step has taken its place; the executor must not see this one's past.
            return None
        turn = instance.journal.turn(self._clock.now(), events)
        result = TurnResult()
        if turn.runs_code:
            answer = self._executor.run_turn(turn)
            if isinstance(answer, TurnResult):
                result = answer
            else:
                awaited_result = await self._answer(instance, answer, set(consumed), patience)
                if awaited_result is None:
                    return None
                result = awaited_result
        if result.stalled is not None:
            posted = {id(message.event) for message in news.messages}
            kept = [
                event
                for event in (*admitted, *later)
                if id(event) not in posted and not isinstance(event, ExecutionStarted)
            ]
            return Record(
                record_id=new_record_id(),
                next="wait",
                custom_status=instance.custom_status,
                stalled=result.stalled,
                kept=kept,
                side_workflows=instance.side_workflows,
            )
        record = self._record(
            instance, turn, result, iteration, consumed, has_looked=news.has_looked
        )
        return replace(record, kept=later) if later else record

    def first(self, instance: HostedInstance, started: ExecutionStarted) -> Record | None:
        """Take the first turn of an instance that is yet to be started, if its code is here."""
        if started.start_at is not None or self._executor.local_code(started.workflow) is None:
            return None
        instance.journal.admit(started)
        turn = instance.journal.turn(self._clock.now(), [started])
        result = self._executor.run_turn(turn)
        assert isinstance(result, TurnResult)  # noqa: S101  # the code is local
        if result.stalled is not None:
            return None
        return self._record(instance, turn, result, 0)

    def _record(
        self,
        instance: HostedInstance,
        turn: Turn,
        result: TurnResult,
        iteration: int,
        messages: Sequence[str] = (),
        *,
        has_looked: bool = False,
    ) -> Record:
        """Commit a turn to the journal, and return what the step is to put out."""
        journal = instance.journal
        added = instance.take(turn, result)
        is_base = iteration - instance.base >= _STEPS_PER_BASE
        known = set(instance.children)
        new = [
            action
            for action in result.actions
            if isinstance(action, ChildCreated) and action.is_awaited
        ]
        children = [
            *instance.children,
            *(event.instance_id for event in new if event.instance_id not in known),
        ]
        record = Record(
            record_id=new_record_id(),
            events=journal.history if is_base else added,
            is_base=is_base,
            messages=[*instance.messages, *messages] if is_base else messages,
            custom_status=instance.custom_status,
            children=children if is_base or new or journal.continuation is not None else None,
            side_workflows=instance.side_workflows,
        )
        outgoing = [action for action in result.actions if isinstance(action, _OUTGOING)]
        if journal.completion is not None:
            if outgoing:
                return record
            return replace(record, outcome=instance.to_outcome())
        if journal.continuation is not None:
            return replace(record, backlog=journal.successor(new_uuid().hex), side_workflows={})
        if journal.suspended:
            return replace(record, next="wait" if has_looked and not result.actions else "turn")
        only = result.actions[0] if len(result.actions) == 1 else None
        if isinstance(only, TaskScheduled) and (
            list(awaited(self._executor, instance.instance_id)) == [only.id]
        ):
            return replace(
                record, next="activity", fused=only.id, activity=only.name, input=only.input
            )
        if not result.actions and has_looked and not instance.has_arrival:
            return replace(record, next="wait", side_workflows=instance.side_workflows)
        return record

    def _parked(self, instance: HostedInstance, consumed: Sequence[str]) -> Record:
        """Return the record of a step after which only news can move the instance on."""
        return Record(
            record_id=new_record_id(),
            next="wait",
            messages=consumed,
            custom_status=instance.custom_status,
            stalled=instance.stalled,
            kept=instance.kept,
            side_workflows=instance.side_workflows,
        )

    async def _answer(
        self,
        instance: HostedInstance,
        answer: Awaitable[TurnResult],
        seen: Set[str],
        patience: float | None,
    ) -> TurnResult | None:
        """Wait for a worker's answer; None to take the turn again with more messages.

        That is so once the instance is terminated, and after any message until a worker has it.
        """
        waiting = asyncio.ensure_future(answer)
        has_arrival = False
        limit = _LOOK_SECONDS if patience is None else patience
        try:
            while not waiting.done():
                has_arrival = instance.look() or has_arrival
                arrival = asyncio.ensure_future(instance.arrival())
                await asyncio.wait(
                    {waiting, arrival}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
                )
                is_over = patience is not None and not arrival.done()
                arrival.cancel()
                if waiting.done():
                    break
                if is_over:
                    return None
                messages = [
                    message for message in await self.unread(instance) if message.key not in seen
                ]
                is_taken = not isinstance(answer, QueuedTurn) or answer.is_taken
                if is_terminated_by(messages) or (messages and not is_taken):
                    return None
            return waiting.result()
        finally:
            waiting.cancel()
            if has_arrival:
                instance.arrived()

    async def _results(self, instance: HostedInstance) -> list[tuple[float, HistoryEvent]]:
        """Return the results of activities that no turn has seen."""
        results = {
            task: instance.results[task]
            for task in instance.journal.tasks
            if task in instance.results
        }
        for side, ids in instance.side_workflows.items():
            if any(
                action_id in instance.journal.tasks and action_id not in results
                for action_id in ids
            ):
                found = await self._side_workflows.results(side)
                results.update(
                    (action_id, found[action_id]) for action_id in ids if action_id in found
                )
        return [(at, event) for at, event in results.values()]


def _paused_first(instance: HostedInstance, news: News) -> tuple[News, list[HistoryEvent]]:
    """Let a pause be a turn of its own: what came with it shall run no code any more.

    Also returns what came with it and is nowhere else.
    """
    pause = next(
        (message for message in news.messages if isinstance(message.event, ExecutionSuspended)),
        None,
    )
    journal = instance.journal
    if pause is None or journal.suspended or journal.started is None or len(news.events) == 1:
        return news, []
    posted = {id(message.event) for message in news.messages}
    later = [event for event in news.events if id(event) not in posted]
    return News([pause.event], [pause]), later
