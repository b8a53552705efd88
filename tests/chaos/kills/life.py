"""One life of the process that is killed: it checks what others left, and goes on with the work.

SIGTERM ends it in order, SIGUSR1 has it finish what is open, judge it, and end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chaos.kills.hands import MOST_OPEN, Hands
from chaos.kills.ledger import Entry, Ledger
from chaos.kills.shapes import CHANCE, LIVES_OF_CIRCLING, SHAPES, app, back_of
from chaos.kills.verdict import (
    digest_of,
    digest_of_state,
    execution_of,
    faults_of_end,
    faults_of_past,
    faults_of_state,
    taken_up,
)
from chaos.lines import report
from chaos.violations import ErrorLog
from flowyard import InstanceNotFound, Runtime, WorkflowState
from flowyard.clock import Clock, SystemClock
from flowyard.config import ComponentSpec

_CHECKED_HISTORIES = 6
_CHECKED_SETTLED = 10
_HANDS = 4
_LOOK_INTERVAL = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """What the driver has drawn for a life."""

    seed: str
    patience: float
    """How many seconds may pass, when all is calm, without anything being settled."""
    most_open: int = MOST_OPEN
    shapes: Sequence[str] = tuple(SHAPES)
    """What is started."""
    via: str = ""
    """What tells the events of a process from those of another that is there at the same time."""
    mark: str = ""
    """What the IDs of instances end with."""
    are_turns_shown_early: bool = False
    """Whether a history shows a turn that has not taken place yet.

    See deviation 58, events before their turn.
    """


@dataclass(frozen=True, slots=True)
class Setup:
    """What a process is begun with."""

    plan: Plan
    spec: ComponentSpec
    drain: float


class Life:
    """What one process does until it is killed."""

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._plan = plan
        self._ledger = ledger
        self._choices = random.Random(plan.seed)  # noqa: S311 - not for secrets
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._working: list[asyncio.Task[None]] = []

    async def run(self, setup: Setup) -> None:
        """Live until a signal comes."""
        loop = asyncio.get_running_loop()
        stopped, calmed = asyncio.Event(), asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        loop.add_signal_handler(signal.SIGUSR1, calmed.set)
        # A commit that has no drain can be tried too.
        options: dict[str, Any] = {"drain": timedelta(seconds=setup.drain)} if setup.drain else {}
        async with Runtime.open([setup.spec], app, **options) as runtime:
            await self.live(runtime, SystemClock(), stopped, calmed)

    async def live(
        self, runtime: Runtime, clock: Clock, stopped: asyncio.Event, calmed: asyncio.Event
    ) -> None:
        """Work until it is to stop; when it is to calm down, finish what is open and judge it."""
        report("opened")
        working: asyncio.Task[Any] = asyncio.create_task(self._work(runtime, clock, calmed))
        stopping: asyncio.Task[Any] = asyncio.create_task(stopped.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        ending = [working, stopping, *self._watches.values()]
        if working.done():
            await working
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _work(self, runtime: Runtime, clock: Clock, calmed: asyncio.Event) -> None:
        for entry in list(self._ledger.open.values()):
            await self._check(runtime, entry)
        await self._check_settled(runtime)
        plan = self._plan
        hands = Hands(
            runtime,
            clock,
            self._ledger,
            self._choices,
            plan.most_open,
            plan.via,
            [shape for shape in plan.shapes if SHAPES[shape].needs <= runtime.capabilities()],
            plan.mark,
        )
        calming = asyncio.create_task(calmed.wait())
        self._working = [asyncio.create_task(hands.work()) for _ in range(_HANDS)]
        try:
            await asyncio.gather(*(self._check_past(runtime) for _ in range(_CHECKED_HISTORIES)))
            while not calming.done():
                self._watch(runtime)
                await asyncio.wait([calming], timeout=0.01)
            hands.is_finishing = True
            await self._finish(runtime)
        finally:
            ending: list[asyncio.Task[Any]] = [*self._working, calming]
            for ended in ending:
                ended.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    async def _finish(self, runtime: Runtime) -> None:
        """Return once nothing is open; what does not end is told, and given up."""
        plan, ledger = self._plan, self._ledger
        loop = asyncio.get_running_loop()
        last, since = -1, loop.time()
        while ledger.open:
            self._watch(runtime)
            progress = len(ledger.open) * 100 - sum(entry.done for entry in ledger.open.values())
            if progress != last:
                last, since = progress, loop.time()
            elif loop.time() - since > plan.patience:
                for entry in list(ledger.open.values()):
                    await self._give_up(runtime, entry)
                return
            await asyncio.sleep(0.02)
        for instance_id, digest in list(ledger.settled.items()):
            if digest and self._choices.random() < 0.7:
                with contextlib.suppress(InstanceNotFound):
                    await runtime.purge(instance_id)
                report("removed", instance_id)
        report("calm")

    async def _give_up(self, runtime: Runtime, entry: Entry) -> None:
        state = await self._state_of(runtime, entry.instance_id)
        text = "it does not exist"
        if state is not None:
            history = await runtime.history(entry.instance_id)
            tail = "; ".join(str(event)[:160] for event in history[-3:])
            text = f"{state.status} ({state.detail}), its history ends with {tail}"
        report("violation", f"stuck, {entry.shape}", f"{entry.instance_id}: {text}")
        report("dropped", entry.instance_id)

    async def _check(self, runtime: Runtime, entry: Entry) -> None:
        state = await self._state_of(runtime, entry.instance_id)
        self._tell(entry, faults_of_state(self._ledger, entry, state))
        if state is not None and entry.tried > entry.generation:
            reborn = entry.shape == "reborn"
            generation = int(state.input or 0) if reborn else entry.tried
            if generation > entry.generation:
                report("found", entry.instance_id, generation)
        elif state is None and entry.done == entry.generation > 0 and not entry.is_purged:
            report("ack", entry.instance_id, "purge", None, 1)

    async def _check_past(self, runtime: Runtime) -> None:
        """See that a history begins with what it was, and remember what it is."""
        started = [entry for entry in self._ledger.open.values() if entry.is_started]
        if not started:
            return
        entry = self._choices.choice(started)
        with contextlib.suppress(InstanceNotFound):
            history = await runtime.history(entry.instance_id)
            self._tell(entry, faults_of_past(entry, history))
            if (execution := execution_of(history)) and entry.shape != "reborn":
                if self._plan.are_turns_shown_early:
                    history = taken_up(history)
                digest = digest_of(history)
                report("seen", entry.instance_id, execution, len(history), digest)

    async def _check_settled(self, runtime: Runtime) -> None:
        """What has ended does not change any more, and what was purged does not come back."""
        settled = list(self._ledger.settled.items())
        count = min(_CHECKED_SETTLED, len(settled))
        for instance_id, digest in self._choices.sample(settled, count):
            state = await self._state_of(runtime, instance_id)
            now = "" if state is None else digest_of_state(state)
            # A purge that was cut short may have been done.
            if now not in {digest, ""}:
                report("violation", "changed after its end", f"{instance_id}: {state}")

    @staticmethod
    async def _state_of(runtime: Runtime, instance_id: str) -> WorkflowState | None:
        try:
            return await runtime.get(instance_id)
        except InstanceNotFound:
            return None

    @staticmethod
    def _tell(entry: Entry, faults: object) -> None:
        for kind, text in list(faults):  # type: ignore[call-overload]
            report("violation", f"{kind}, {entry.shape}", f"{entry.instance_id}: {text}")

    def _watch(self, runtime: Runtime) -> None:
        """Have each open instance judged when it ends; raise what a hand has met with."""
        for hand in self._working:
            if hand.done():
                hand.result()
        for entry in self._ledger.open.values():
            watch = self._watches.get(entry.instance_id)
            if watch is not None and watch.done() and not watch.cancelled():
                watch.result()
            is_due = entry.is_started and entry.done < entry.generation
            if is_due and (watch is None or watch.done()):
                task = asyncio.create_task(self._judge(runtime, entry))
                self._watches[entry.instance_id] = task

    async def _end_of(self, runtime: Runtime, instance_id: str) -> WorkflowState:
        if not self._ledger.looks_only:
            return await runtime.wait(instance_id)
        while True:
            state = await runtime.get(instance_id)
            if state.status.is_closed:
                return state
            await asyncio.sleep(_LOOK_INTERVAL)

    async def _judge(self, runtime: Runtime, entry: Entry) -> None:
        state = await self._end_of(runtime, entry.instance_id)
        async with entry.hand:  # what is under way would change what has to be
            if entry.shape == "reborn" and int(state.input or 0) != entry.generation:
                return
            if entry.shape == "circling":
                if int(state.input or 0) != LIVES_OF_CIRCLING:
                    return
                await runtime.wait(back_of(entry.instance_id))
            self._tell(entry, await faults_of_end(runtime, self._ledger, entry, state))
            if entry.shape == "reborn":
                report("done", entry.instance_id, entry.generation)
            else:
                report("settled", entry.instance_id, state.status.value, digest_of_state(state))


def live(setup: Setup, ledger: Ledger) -> None:
    """Live one life, in a process of its own."""
    # Forked: without it each life would return the tokens of the one before.
    CHANCE.seed(setup.plan.seed)
    errors = ErrorLog(lambda kind, text: report("violation", kind, text))
    logging.getLogger().addHandler(errors)
    asyncio.run(Life(setup.plan, ledger).run(setup))
