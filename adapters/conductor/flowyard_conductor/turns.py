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
    ExecutionTerminated,
    Executor,
    HistoryEvent,
    Journal,
    QueuedTurn,
    TaskScheduled,
    Turn,
    TurnResult,
    awaited,
    new_uuid,
)
from flowyard_conductor.live import Live
from flowyard_conductor.mailbox import Mail, Mailbox, is_terminated_by
from flowyard_conductor.outbox import Outbox
from flowyard_conductor.records import Outcome, Record, new_cid
from flowyard_conductor.sides import Sides

# How many letters of the past are known.
_MOST_GONE = 200
_LEFT_MILLISECONDS = 5000
# After so many steps, a record has all that was: the server forgets the oldest.
_STEPS_PER_BASE = 20
# Once an execution ends, these still have to be done.
_OUTGOING = (TaskScheduled, ChildCreated, EventSent)


@dataclass(slots=True)
class News:
    """What has come for an instance, in order, and the mail among it."""

    events: list[HistoryEvent] = field(default_factory=list)
    mail: list[Mail] = field(default_factory=list)
    has_looked: bool = False
    """Whether the mail was looked through."""


class Turns:
    """Gathers news, and takes turns over it."""

    def __init__(
        self, executor: Executor, clock: Clock, mailbox: Mailbox, sides: Sides, outbox: Outbox
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._mailbox = mailbox
        self._sides = sides
        self._outbox = outbox

    async def gather(self, live: Live, known: Sequence[HistoryEvent] = ()) -> News:
        """Return all that has come, with what this process knows already."""
        live.has_mail = False
        live.signal.clear()
        now = self._clock.now()
        timed: list[tuple[float, HistoryEvent]] = [(0, one) for one in live.kept]
        begins = live.started
        is_due = begins.start_at is None or begins.start_at <= now
        if live.journal.started is None and not live.backlog and is_due:
            timed.insert(0, (0, begins))
        mail = live.letters = await self.unread(live)
        if live.journal.started is None and not timed and is_terminated_by(mail):
            # What is ended before its time has begun: its history then says what it was.
            timed.insert(0, (0, begins))
        current = live.journal.started.execution_id if live.journal.started else None
        timed += [(one.at, one.event) for one in mail if one.execution_id in (None, current)]
        timed += await self._results(live)
        timed += [(one.fire_at / 1000, one) for one in live.journal.due_timers(now)]
        timed += [(now / 1000, one) for one in known]
        timed.sort(key=lambda one: one[0])
        return News([event for _, event in timed], list(mail), has_looked=True)

    async def unread(self, live: Live) -> list[Mail]:
        """Return mail that no turn has taken."""
        letters = await self._mailbox.letters(live.workflow_id)
        left = {one.key for one in letters}
        # Of what is gone, only the latest may be posted once more, by a step that is done again.
        live.mail = [
            *(key for key in live.mail[:-_MOST_GONE] if key in left),
            *live.mail[-_MOST_GONE:],
        ]
        taken = set(live.mail)
        unread: dict[str, Mail] = {}
        for one in letters:
            if one.key not in taken:
                unread.setdefault(one.key, one)
        # Who has taken it removes it, unless it died; then its watch would wake for ever.
        now = self._clock.now() // 1000
        await self._mailbox.remove(
            one for one in letters if one.key in taken and now - one.at > _LEFT_MILLISECONDS
        )
        return list(unread.values())

    async def is_ended(self, live: Live) -> bool:
        """Whether mail is there that ends the instance."""
        return is_terminated_by(await self.unread(live))

    async def has_results(self, live: Live) -> bool:
        """Whether an activity has ended that no turn has seen."""
        return bool(await self._results(live))

    async def take(
        self, live: Live, news: News, iteration: int, *, patience: float | None = None
    ) -> Record | None:
        """Take a turn, if anything of the news counts, and return its record.

        Its journal is then ahead of what is committed. None if the instance has to be read again,
        which is so too where a worker has not answered for so many seconds (`patience`).
        """
        news, later = _paused_first(live, news)
        consumed = [one.key for one in news.mail]
        admitted = [event for event in news.events if live.journal.admit(event)]
        events = [*live.backlog, *admitted]
        if not events:
            return self._parked(live, consumed)
        if live.closed.is_set():
            # Another step has taken its place; the executor must not see this one's past.
            return None
        turn = live.journal.turn(self._clock.now(), events)
        result = TurnResult()
        if turn.runs_code:
            answer = self._executor.run_turn(turn)
            if isinstance(answer, TurnResult):
                result = answer
            else:
                awaited_result = await self._answer(live, answer, set(consumed), patience)
                if awaited_result is None:
                    return None
                result = awaited_result
        if result.stalled is not None:
            mailed = {id(one.event) for one in news.mail}
            kept = [
                one
                for one in (*admitted, *later)
                if id(one) not in mailed and not isinstance(one, ExecutionStarted)
            ]
            return Record(
                cid=new_cid(),
                next="gate",
                custom_status=live.custom_status,
                stalled=result.stalled,
                kept=kept,
                sides=live.sides,
            )
        for event in admitted:
            if isinstance(event, ExecutionTerminated) and event.recursive:
                await self._outbox.end_children(live)
        record = self.record(live, turn, result, iteration, consumed, has_looked=news.has_looked)
        return replace(record, kept=later) if later else record

    def record(
        self,
        live: Live,
        turn: Turn,
        result: TurnResult,
        iteration: int,
        mail: Sequence[str] = (),
        *,
        has_looked: bool = False,
    ) -> Record:
        """Commit a turn to the journal, and return what the step is to put out."""
        journal = live.journal
        added = journal.commit(turn, result)
        live.backlog = []
        if result.custom_status is not None:
            live.custom_status = result.custom_status
        is_base = iteration - live.base >= _STEPS_PER_BASE
        known = set(live.children)
        new = [
            one
            for one in result.actions
            if isinstance(one, ChildCreated) and not one.detached and one.refused is None
        ]
        children = [
            *live.children,
            *(one.instance_id for one in new if one.instance_id not in known),
        ]
        live.sides = {
            side: ids
            for side, ids in live.sides.items()
            if any(_is_open(journal, one) for one in ids)
        }
        record = Record(
            cid=new_cid(),
            events=journal.history if is_base else added,
            is_base=is_base,
            mail=[*live.mail, *mail] if is_base else mail,
            custom_status=live.custom_status,
            children=children if is_base or new or journal.continuation is not None else None,
            sides=live.sides,
        )
        outgoing = [one for one in result.actions if isinstance(one, _OUTGOING)]
        if journal.completion is not None:
            if outgoing:
                return record
            return replace(record, outcome=outcome_of(live))
        if journal.continuation is not None:
            return replace(record, backlog=journal.successor(new_uuid().hex), sides={})
        if journal.suspended:
            return replace(record, next="gate" if has_looked and not result.actions else "turn")
        only = result.actions[0] if len(result.actions) == 1 else None
        if isinstance(only, TaskScheduled) and (
            list(awaited(self._executor, live.instance_id)) == [only.id]
        ):
            return replace(
                record, next="activity", fused=only.id, activity=only.name, input=only.input
            )
        if not result.actions and has_looked and not live.signal.is_set():
            return replace(record, next="gate", sides=live.sides)
        return record

    def _parked(self, live: Live, consumed: Sequence[str]) -> Record:
        """Return the record of a step after which only news can move the instance on."""
        return Record(
            cid=new_cid(),
            next="gate",
            mail=consumed,
            custom_status=live.custom_status,
            stalled=live.stalled,
            kept=live.kept,
            sides=live.sides,
        )

    async def _answer(
        self,
        live: Live,
        answer: Awaitable[TurnResult],
        seen: Set[str],
        patience: float | None,
    ) -> TurnResult | None:
        """Wait for a worker's answer; None if the turn has to be taken again, with more mail.

        That is so once the instance is terminated, and after any mail as long as no worker has it.
        """
        waiting = asyncio.ensure_future(answer)
        heard = False
        limit = _LOOK_SECONDS if patience is None else patience
        try:
            while not waiting.done():
                heard = heard or live.signal.is_set()
                live.signal.clear()
                signal = asyncio.ensure_future(live.signal.wait())
                await asyncio.wait(
                    {waiting, signal}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
                )
                is_over = patience is not None and not signal.done()
                signal.cancel()
                if waiting.done():
                    break
                if is_over:
                    return None
                mail = [one for one in await self.unread(live) if one.key not in seen]
                is_taken = not isinstance(answer, QueuedTurn) or answer.is_taken
                if is_terminated_by(mail) or (mail and not is_taken):
                    return None
            return waiting.result()
        finally:
            waiting.cancel()
            if heard:
                live.signal.set()

    async def _results(self, live: Live) -> list[tuple[float, HistoryEvent]]:
        """Return the results of activities that no turn has seen."""
        results = {one: live.results[one] for one in live.journal.tasks if one in live.results}
        for side, ids in live.sides.items():
            if any(one in live.journal.tasks and one not in results for one in ids):
                found = await self._sides.results(side)
                results.update((one, found[one]) for one in ids if one in found)
        return [(at, event) for at, event in results.values()]


def _paused_first(live: Live, news: News) -> tuple[News, list[HistoryEvent]]:
    """Let a pause be a turn of its own: what came with it shall run no code any more.

    Also returns what came with it and is nowhere else.
    """
    pause = next((one for one in news.mail if isinstance(one.event, ExecutionSuspended)), None)
    journal = live.journal
    if pause is None or journal.suspended or journal.started is None or len(news.events) == 1:
        return news, []
    mailed = {id(one.event) for one in news.mail}
    later = [one for one in news.events if id(one) not in mailed]
    return News([pause.event], [pause]), later


def outcome_of(live: Live) -> Outcome:
    """Return how an instance has ended."""
    completion, started = live.journal.completion, live.journal.started
    assert completion is not None  # noqa: S101
    given = started.input if started is not None else None
    return Outcome(
        completion.status,
        completion.output,
        completion.failure,
        live.custom_status,
        given,
        given != live.started.input,
    )


def _is_open(journal: Journal, action_id: int) -> bool:
    return (
        action_id in journal.tasks or action_id in journal.timers or action_id in journal.children
    )


# How often the mail is looked at while a worker has a turn, in seconds.
_LOOK_SECONDS = 2.0
