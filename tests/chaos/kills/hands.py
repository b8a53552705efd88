"""What the process that is killed does to its instances, drawn by the seed of its life."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from chaos.kills.ledger import Entry, Ledger, is_collector
from chaos.kills.shapes import (
    END,
    ENDLESS,
    SHAPES,
    TARGETED,
    UNORDERED,
    again_of,
    cleared_of,
)
from chaos.kills.verdict import digest_of_state
from chaos.lines import report
from flowyard import (
    BackendUnavailable,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    ReusePolicy,
    Runtime,
)
from flowyard.clock import Clock

MOST_OPEN = 24
_GENERATIONS = 3
_DOOMED = 0.08
_TERMINATED_AT_ONCE = 0.5
_LONGEST_DELAY = 1.0
_MOST_READS = 25
_LOOK_INTERVAL = 0.1
"""In seconds: how long the first event that another process stores may be overtaken (deviation
56, order across processes). An owner that stands still keeps its instances for no longer than
`_LONGEST_OVERSIGHT`."""
_LONGEST_OVERSIGHT = 4.0
_MOST_CARRIED = 40
"""Each execution carries all that have come: their work grows with the square of the number."""
_SHARE_OF_GLANCES = 0.1
_LONGEST_GLANCE = 0.02
_SHARE_OF_PAUSES = 0.1
_SHARE_OF_LAST_RESUMES = 0.05
_MOST_AMID = 10
_LONGEST_SPREAD = 0.008
_SHORTEST_PAUSE = 0.004
_LONGEST_PAUSE = 0.04
Operation = Callable[[Entry], Awaitable[None]]


class Hands:
    """Starts instances, raises events, pauses, resumes, terminates and purges."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        ledger: Ledger,
        choices: random.Random,
        most_open: int,
        via: str,
        shapes: Sequence[str],
        mark: str,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._ledger = ledger
        self._choices = choices
        self._most_open = most_open
        self._via = via
        self._shapes = shapes
        self._mark = mark
        self.is_finishing = False
        """Whether nothing new is begun, and all that is open is brought to its end."""

    async def work(self) -> None:
        """Do one thing after the other, for ever."""
        pause = _SHORTEST_PAUSE
        while True:
            if not self.is_finishing and len(self._ledger.open) < self._most_open:
                self._plan()
            waiting = [
                (entry, operation)
                for entry in self._ledger.open.values()
                if not entry.hand.locked() and (operation := self._operation_for(entry)) is not None
            ]
            if waiting:
                entry, operation = self._choices.choice(waiting)
                async with entry.hand:
                    # Who has waited for it before may have settled it.
                    if self._ledger.open.get(entry.instance_id) is entry:
                        await operation(entry)
            # Who has nothing to do looks less and less often.
            pause = _SHORTEST_PAUSE if waiting else min(pause * 1.5, _LONGEST_PAUSE)
            await asyncio.sleep(self._choices.random() * pause)

    def _plan(self) -> None:
        ledger, choices = self._ledger, self._choices
        shape = choices.choice(self._shapes)
        instance_id = f"{shape}-{ledger.numbers}{self._mark}"
        target, start_at = "", 0.0
        if shape in TARGETED:
            targets = [
                entry.instance_id
                for entry in ledger.open.values()
                if is_collector(entry) and entry.is_started and END not in entry.raised
                if not entry.is_doomed
            ]
            if not targets:
                return
            target = choices.choice(targets)
        if shape == "delayed":
            start_at = self._clock.now() / 1e6 + choices.random() * _LONGEST_DELAY
        is_doomed = choices.random() < _DOOMED and shape not in {"reborn", "circling"}
        is_doomed = is_doomed or shape in ENDLESS
        report("planned", instance_id, shape, target, start_at, is_doomed)

    def _operation_for(self, entry: Entry) -> Operation | None:
        """Return what is to be done with an instance now, if anything."""
        if not entry.is_started:
            return self._start
        if entry.shape == "reborn":
            return self._operation_for_reborn(entry)
        if entry.done:
            return None
        if entry.is_doomed and entry.termination is None:
            hurry = 1.0 if self.is_finishing else 0.15
            if self._choices.random() < hurry:
                return self._terminate
        if entry.termination is not None:
            return None if entry.termination.is_acknowledged else self._terminate
        if entry.pause is not None:
            is_time = self.is_finishing or self._choices.random() < 0.1
            return self._resume if is_time else None
        is_last = self.is_finishing and entry.may_be_paused
        if is_last and self._choices.random() < _SHARE_OF_LAST_RESUMES:
            return self._resume
        if entry.shape == "paused" and not self.is_finishing and self._choices.random() < 0.1:
            return self._pause
        if self._ledger.is_impatient and self._choices.random() < _SHARE_OF_GLANCES:
            return self._glance
        if is_collector(entry) and not entry.has_ended:
            is_time = self._ledger.pauses_collectors and self._choices.random() < _SHARE_OF_PAUSES
            if is_time and not self.is_finishing and END not in entry.raised:
                return self._pause_amid
            is_burst = (
                self._ledger.burst and entry.shape == "collecting" and END not in entry.raised
            )
            return self._raise_many if is_burst else self._raise_to
        if entry.shape == "clearing":
            return self._clear
        # Once a life: whatever reads an instance that was forgotten takes it up again.
        is_time = not entry.is_disturbed and self._choices.random() < 0.2
        return self._disturb if entry.shape == "reusing" and is_time else None

    def _operation_for_reborn(self, entry: Entry) -> Operation | None:
        if entry.tried > entry.generation:
            return self._start_again
        if entry.done < entry.generation:
            return None
        if entry.generation >= _GENERATIONS:
            return self._settle
        if not entry.is_purged and self._choices.random() < 0.5:
            return self._purge
        return self._start_again

    async def _start(self, entry: Entry) -> None:
        if entry.is_doomed and self._choices.random() < _TERMINATED_AT_ONCE:
            await asyncio.gather(self._begin(entry), self._terminate_at_once(entry))
        else:
            await self._begin(entry)

    async def _terminate_at_once(self, entry: Entry) -> None:
        """Terminate an instance whose start is under way."""
        await asyncio.sleep(self._choices.random() * 0.02)
        try:
            await self._terminate(entry)
        except InstanceNotFound:
            report("ack", entry.instance_id, "terminate", None, None)

    async def _begin(self, entry: Entry) -> None:
        shape = SHAPES[entry.shape]
        value: object = shape.input
        if entry.shape in TARGETED:
            value = entry.target
        elif entry.shape == "reborn":
            value = 1
        start_at = datetime.fromtimestamp(entry.start_at, UTC) if entry.start_at else None
        report("try", entry.instance_id, "start", 1)
        with self._may_be_refused(entry, "start", 1):
            try:
                await self._runtime.start(
                    shape.workflow,
                    value,
                    instance_id=entry.instance_id,
                    start_at=start_at,
                    reuse=ReusePolicy.REJECT,
                )
            except InstanceAlreadyExists:
                report("found", entry.instance_id, 1)
            else:
                report("ack", entry.instance_id, "start", 1, True)

    async def _start_again(self, entry: Entry) -> None:
        generation = max(entry.tried, entry.generation + 1)
        report("try", entry.instance_id, "start", generation)
        with self._may_be_refused(entry, "start", generation):
            try:
                await self._runtime.start(
                    SHAPES["reborn"].workflow, generation, instance_id=entry.instance_id
                )
            except InstanceAlreadyExists as error:
                text = f"{entry.instance_id}: {error} Generation {entry.done} had ended."
                report("violation", "ended and active", text)
            report("ack", entry.instance_id, "start", generation, True)

    async def _raise_to(self, entry: Entry) -> None:
        known = len([name for name in entry.raised if name != END])
        may_end = not self._ledger.senders_to(entry.instance_id)
        is_time = self.is_finishing or self._choices.random() < known / 200
        item = f"item-{known}-{self._choices.getrandbits(32):08x}@{self._via}"
        if END in entry.raised or (is_time and may_end):
            item = END  # and nothing after it, for it may have come
        elif self.is_finishing or (entry.shape == "carrying" and known >= _MOST_CARRIED):
            return
        if item == END:
            await self._let_others_arrive(entry)
            if self._ledger.senders_to(entry.instance_id):
                return
        await self._raise(entry, item)

    async def _let_others_arrive(self, entry: Entry) -> None:
        """Wait until what others have stored or sent has come: the end could overtake that."""
        while self._ledger.is_under_way(entry.instance_id):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_SHORTEST_PAUSE)
        loop = asyncio.get_running_loop()
        since = loop.time() - _LONGEST_OVERSIGHT
        while any(via != self._via and at > since for via, at in entry.shared.items()):
            since = loop.time()
            # Not at once: a process that stands still meanwhile has seen nothing afterwards.
            for _ in range(4):
                await asyncio.sleep(_LOOK_INTERVAL / 2)

    async def _raise_many(self, entry: Entry) -> None:
        """Raise thousands of events at once; they come in any order."""
        count, self._ledger.burst = self._ledger.burst, 0
        numbers = (self._choices.getrandbits(32) for _ in range(count))
        items = [f"item-{number:08x}@{UNORDERED}" for number in numbers]
        await asyncio.gather(*(self._raise(entry, item) for item in items))

    async def _raise(self, entry: Entry, item: str) -> None:
        outcome = None
        report("try", entry.instance_id, "raise", item)
        with self._may_be_refused(entry, "raise", item):
            outcome = await self._runtime.raise_event(entry.instance_id, "item", item)
            report("ack", entry.instance_id, "raise", item, outcome)
            if self._ledger.is_shared:
                entry.shared[self._via] = asyncio.get_running_loop().time()
        if outcome is False and END not in entry.raised and entry.termination is None:
            text = f"{entry.instance_id}: an event was refused, and nobody has ended it"
            report("violation", "event refused", text)

    async def _pause(self, entry: Entry) -> None:
        await self._call(entry, "pause", self._runtime.pause)

    async def _pause_amid(self, entry: Entry) -> None:
        """Pause a collector while events are raised to it: a turn may take some with the pause."""

        async def later(operation: Awaitable[None]) -> None:
            await asyncio.sleep(self._choices.random() * _LONGEST_SPREAD)
            await operation

        count = self._choices.randint(2, _MOST_AMID)
        items = [f"item-{self._choices.getrandbits(32):08x}@{UNORDERED}" for _ in range(count)]
        await asyncio.gather(
            later(self._pause(entry)), *(later(self._raise(entry, item)) for item in items)
        )

    async def _glance(self, entry: Entry) -> None:
        """Wait for the end, but not for long."""
        timeout = timedelta(seconds=self._choices.random() * _LONGEST_GLANCE)
        try:
            await self._runtime.wait(entry.instance_id, timeout=timeout)
        except TimeoutError:
            report("gave_up", entry.instance_id)

    async def _resume(self, entry: Entry) -> None:
        await self._call(entry, "resume", self._runtime.resume)

    async def _terminate(self, entry: Entry) -> None:
        await self._call(entry, "terminate", self._runtime.terminate)

    async def _purge(self, entry: Entry) -> None:
        report("try", entry.instance_id, "purge")
        with self._may_be_refused(entry, "purge"):
            try:
                count = await self._runtime.purge(entry.instance_id)
            except InstanceNotFound:
                count = 0  # one that was cut short has been done
            report("ack", entry.instance_id, "purge", None, count)

    async def _disturb(self, entry: Entry) -> None:
        """Have the ID of the children be read, again and again for a while."""
        entry.is_disturbed = True
        for _ in range(self._choices.randint(1, _MOST_READS)):
            with suppress(InstanceNotFound), self._may_be_refused(entry, "raise"):
                await self._runtime.raise_event(again_of(entry.instance_id), "never")

    async def _clear(self, entry: Entry) -> None:
        """Purge the children that have ended."""
        for child in cleared_of(entry.instance_id):
            refusals = self._may_be_refused(entry, "purge")
            with suppress(InstanceNotFound, InstanceNotClosed), refusals:
                await self._runtime.purge(child)

    async def _settle(self, entry: Entry) -> None:
        state = await self._runtime.get(entry.instance_id)
        report("settled", entry.instance_id, state.status.value, digest_of_state(state))

    async def _call(
        self, entry: Entry, verb: str, method: Callable[[str], Awaitable[bool]]
    ) -> None:
        report("try", entry.instance_id, verb)
        with self._may_be_refused(entry, verb):
            outcome = await method(entry.instance_id)
            report("ack", entry.instance_id, verb, None, outcome)

    @contextmanager
    def _may_be_refused(self, entry: Entry, verb: str, argument: object = None) -> Iterator[None]:
        """Take note where the disk has refused a call, if it may."""
        try:
            yield
        except BackendUnavailable as error:
            if not self._ledger.has_refusals or "could not be written" not in str(error):
                raise
            report("refused", entry.instance_id, verb, argument)
