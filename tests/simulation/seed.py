"""One seed: processes that come, are killed, stop and stand still, and what is left at the end."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import Any

from chaos.kills.ledger import Ledger
from chaos.kills.life import Life, Plan
from chaos.kills.shapes import CHANCE, COLLECTORS, SHAPES, app
from chaos.lines import report_to
from flowyard import BackendUnavailable, Runtime
from simulation.disk import Disk, Storage, is_refusal
from simulation.found import Errors, Found
from simulation.loop import SimulatedLoop
from simulation.machine import SimulatedMachine
from simulation.process import LEASE_SECONDS, Options, Process, Surroundings
from simulation.trace import Trace
from simulation.world import World

_SECOND = 1_000_000
_MOST_INTERRUPTIONS = 60
_LONGEST_LIFE = _SECOND // 12
_LONGEST_OPENING = 60 * _SECOND
_LONGEST_END = 60 * _SECOND
_LONGEST_CALM = 1200 * _SECOND
_LONGEST_LAST_WORK = _SECOND // 3
_SHARE_OF_ALL = 0.4
_SHARE_OF_LONG_WAITS = 0.2
_SHARE_OF_BURSTS = 0.02
_BURST = (300, 2000)
_SELDOM = ("namesake",)
"""Shapes that few seeds have."""
_MOST_HABITS = 8
_SHARES_OF_REFUSALS = (0.0, 0.0, 0.0, 0.002, 0.02)
_LONGEST_TRACEBACK = 1500
_PATIENCE = 120.0
"""In seconds: how long nothing may be settled when all is calm."""


class Simulation:
    """The world of one seed."""

    process: type[Process] = Process
    most_processes = 2

    def __init__(self, seed: int) -> None:
        self._found = Found(seed)
        self._world = World(seed)
        self._ledger = Ledger()
        self._trace = Trace(self._world)
        self._disk = self._make_disk()
        self._surroundings = Surroundings(self._world, self._disk, self._trace, self._tell)
        self._processes: list[Process] = []
        self._most_open = self._world.choices.choice((2, 3, 3, 5, 5, 8, 24))
        self._shapes = self._draw_shapes()
        self._disk.share_of_refusals = self._world.choices.choice(_SHARES_OF_REFUSALS)
        if self._world.choices.random() < _SHARE_OF_BURSTS:
            self._ledger.burst = self._world.choices.randint(*_BURST)
        self._ledger.has_refusals = bool(self._disk.share_of_refusals)
        self._draw_habits(seed)
        CHANCE.seed(seed)
        report_to(self._report)

    def run(self) -> Found:
        """Let it happen, and judge it."""
        choices, found = self._world.choices, self._found
        logging.getLogger().addHandler(handler := Errors(self._tell))
        try:
            active = self._begin()
            for _ in range(choices.randint(1, _MOST_INTERRUPTIONS)):
                if choices.random() < 0.2 and len(self._alive()) < self.most_processes:
                    self._begin()
                active = self._interrupt(active)
                self._tell_failures()
                if found.violations or self._ledger.violations:
                    break
            else:
                self._calm(active)
                self._tell_failures()
        finally:
            logging.getLogger().removeHandler(handler)
            for process in self._processes:
                process.loop.kill()
            self._disk.close()
        found.violations += self._ledger.violations
        found.instances, found.commits = self._ledger.numbers, self._disk.commits
        found.digest = self._trace.digest
        if found.violations:
            found.trace = self._trace.shown(found.violations[0][1])
        return found

    def _make_disk(self) -> Storage:
        nobody = SimulatedMachine(self._world, SimulatedLoop(self._world, print), "nobody")
        return Disk(self._world, nobody, self._trace)

    def _draw_shapes(self) -> list[str]:
        """Draw what is started: all shapes, or a few that meet each other the more often."""
        choices = self._world.choices
        shapes = [shape for shape in SHAPES if shape not in _SELDOM]
        if choices.random() < _SHARE_OF_ALL:
            return shapes
        # Some wait until there is a collector.
        return [choices.choice(COLLECTORS), *choices.sample(shapes, choices.randint(1, 4))]

    def _draw_habits(self, seed: int) -> None:
        """Draw what is done in few seeds only; apart, so that all others stay as they were."""
        match World(f"habits of {seed}").choices.randrange(_MOST_HABITS):
            case 0:
                self._ledger.looks_only = True
                self._shapes += _SELDOM
            case 1:
                self._ledger.is_impatient = True
            case 2 | 3:
                self._ledger.pauses_collectors = True

    def _alive(self) -> list[Process]:
        return [process for process in self._processes if process.is_alive]

    def _begin(self) -> Process:
        choices = self._world.choices
        options = Options(
            cached_instances=choices.choice((0, 4, 1000)),
            drain=choices.choice((0.0, 1.0)),
            slow=choices.choice((0.0, 0.0, 0.1, 0.5)),
        )
        self._ledger.has_slow_turns |= bool(options.slow)
        name = f"p{len(self._processes) + 1}"
        process = self.process(self._surroundings, name, options, app, self._live)
        self._trace.note(name, f"begins: {options}")
        self._processes.append(process)
        self._ledger.is_shared = len(self._alive()) > 1
        return process

    async def _live(self, process: Process, runtime: Runtime) -> None:
        await process.works.wait()
        if process.stopped.is_set():
            return
        plan = Plan(
            seed=f"{process.name}/{self._world.choices.getrandbits(32)}",
            patience=_PATIENCE,
            most_open=self._most_open,
            shapes=self._shapes,
            via=process.name,
        )
        life = Life(plan, self._ledger)
        await life.live(runtime, process.machine, process.stopped, process.calmed)

    def _interrupt(self, active: Process) -> Process:
        """Let a process work for a while, and then have something happen to one."""
        choices, found = self._world.choices, self._found
        if choices.random() < 0.9:
            self._opens(active)
        active.work()
        self._pass(int(choices.random() ** 12 * _LONGEST_LIFE))
        what = choices.random()
        if what < 0.6:
            found.kills += 1
            active.kill()
        elif what < 0.75:
            found.stops += 1
            active.stop()
            self._await(active, lambda: False, _LONGEST_END, "does not stop")
        elif what < 0.85:
            self._freeze(active)
        elif others := [process for process in self._alive() if process is not active]:
            found.kills += 1
            choices.choice(others).kill()
        else:
            ahead = choices.randint(-2 * _SECOND, 2 * _SECOND)
            self._trace.note(active.name, f"its clock is set by {ahead / 1e6:g} s")
            active.machine.ahead += ahead
        self._ledger.is_shared = len(self._alive()) > 1
        if active.is_alive:
            return active
        return next(iter(self._alive()), None) or self._begin()

    def _freeze(self, active: Process) -> None:
        """Have a process stand still; what follows is mostly when another has just taken over."""
        choices, world = self._world.choices, self._world
        active.freeze(int(choices.random() * 3 * LEASE_SECONDS * _SECOND))
        others = [process for process in self._alive() if process is not active]
        until = world.now + int(choices.random() * 3 * LEASE_SECONDS * _SECOND)
        is_long = choices.random() < _SHARE_OF_LONG_WAITS
        if not is_long:
            until = min(until, active.loop.frozen_until)
        world.run(lambda: not is_long and any(other.is_owner for other in others), until)
        self._pass(int(choices.random() ** 12 * _LONGEST_LIFE))

    def _calm(self, active: Process) -> None:
        self._disk.share_of_refusals = 0.0
        if not self._opens(active):
            active = self._begin()
            self._opens(active)
        active.work()
        if self._world.choices.random() < 0.5:
            self._pass(int(self._world.choices.random() * _LONGEST_LAST_WORK))
        active.calm()
        self._await(active, lambda: False, _LONGEST_CALM, "does not calm down")

    def _tell_failures(self) -> None:
        for process in self._processes:
            failure = process.failure
            # The opening of one may be refused; none that is open ends by that.
            is_expected = isinstance(failure, BackendUnavailable) and is_refusal(str(failure))
            if failure is not None and (process.is_open or not is_expected):
                where = "".join(traceback.format_exception(failure))[-_LONGEST_TRACEBACK:]
                self._tell("process failed", f"{process.name}: {failure!r}\n{where}")

    def _opens(self, process: Process) -> bool:
        self._await(process, lambda: process.is_open, _LONGEST_OPENING, "does not open")
        return process.is_open

    def _pass(self, microseconds: int) -> None:
        self._world.run(lambda: False, self._world.now + microseconds)

    def _await(
        self, process: Process, is_reached: Callable[[], bool], most: int, kind: str
    ) -> None:
        world, violations = self._world, self._found.violations

        def is_over() -> bool:
            return is_reached() or not process.is_alive or bool(violations)

        if not world.run(is_over, world.now + most):
            self._tell(kind, f"{process.name}: not within {most / 1e6:g} s")

    def _report(self, *line: Any) -> None:
        loop = asyncio._get_running_loop()
        names = [process.name for process in self._processes if process.loop is loop]
        self._trace.report(names[0] if names else "", list(line))
        self._ledger.apply(list(line))

    def _tell(self, kind: str, text: str) -> None:
        self._trace.violation("", kind, text)
        self._found.violations.append((kind, text))
