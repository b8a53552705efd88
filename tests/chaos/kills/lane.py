"""The driver of one place: it forks a process, kills it, and forks the next one.

A fork begins in a few milliseconds, with the ledger as it is; the driver itself has no threads and
opens no file of SQLite.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos.kills.backend import Backend, Place
from chaos.kills.ledger import Ledger
from chaos.kills.life import Plan, Setup, live
from chaos.lines import Lines, Reporter, report_to
from chaos.violations import Violations
from flowyard.config import ComponentSpec

_SHARE_OF_STOPS = 0.15
_SHARE_OF_KILLS_WHILE_OPENING = 0.1


@dataclass(slots=True)
class Process:
    """A forked process and the pipe that it reports to."""

    pid: int
    pipe: int
    lines: Lines = field(default_factory=Lines)
    has_ended: bool = False


@dataclass(slots=True)
class Lane:
    """One place, the processes that work there one after the other, and what they have told."""

    seed: str
    folder: Path
    backend: Backend
    place: Place
    patience: float
    drain: float
    violations: Violations
    ledger: Ledger = field(default_factory=Ledger)
    kills: int = 0
    stops: int = 0
    is_open: bool = False
    is_calm: bool = False

    def run(self, rounds: int, each: int) -> None:
        """Kill or stop so many processes; after `each` of them, all has to come to its end."""
        done = epoch = 0
        while done < rounds:
            choices = random.Random(f"{self.seed}/{epoch}")  # noqa: S311 - not for secrets
            metadata = {**self.place.metadata, **self.backend.draw(choices)}
            spec = ComponentSpec("orders", self.backend.type, metadata=metadata)
            for number in range(each + 1):
                plan = Plan(
                    f"{self.seed}/{epoch}/{number}",
                    self.patience,
                    self.backend.pace.most_open,
                    mark=self.place.mark,
                    are_turns_shown_early=self.backend.are_turns_shown_early,
                )
                setup = Setup(plan, spec, choices.choice((0.0, self.drain)))
                if number == each:
                    self._calm(setup, choices)
                else:
                    self._interrupt(setup, choices)
            done += each
            epoch += 1

    def _interrupt(self, setup: Setup, choices: random.Random) -> None:
        pace = self.backend.pace
        while_opening = choices.random() < _SHARE_OF_KILLS_WHILE_OPENING
        is_stop = not while_opening and choices.random() < _SHARE_OF_STOPS
        delay = choices.uniform(0.001, pace.longest_life)
        process = self._fork(setup)
        if while_opening:
            delay /= 8
        else:
            self._await_opening(process, setup)
        self._read(process, delay, lambda: False)
        if is_stop:
            self.stops += 1
            os.kill(process.pid, signal.SIGTERM)
            self._await(process, lambda: False, pace.longest_end, "does not stop", setup)
        else:
            self.kills += 1
            os.kill(process.pid, signal.SIGKILL)
        self._end(process, setup, 0 if is_stop else -signal.SIGKILL)

    def _calm(self, setup: Setup, choices: random.Random) -> None:
        """Have a process bring all to its end, after it has done some work itself."""
        process = self._fork(setup)
        self._await_opening(process, setup)
        self._read(process, choices.choice((0.0, choices.uniform(0.0, 1.0))), lambda: False)
        os.kill(process.pid, signal.SIGUSR1)
        self._await(process, lambda: False, 20 * self.patience, "does not calm down", setup)
        self._end(process, setup, 0)

    def _fork(self, setup: Setup) -> Process:
        self.is_open = self.is_calm = False
        sys.stdout.flush()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writing)
            return Process(pid, reading)
        status = 1
        try:
            os.close(reading)
            with (self.folder / "log").open("wb") as log:
                os.dup2(log.fileno(), sys.stderr.fileno())
            report_to(Reporter(writing, self.ledger.apply))
            live(setup, self.ledger)
            status = 0
        except BaseException:  # noqa: BLE001 - the driver finds it in the log
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _await_opening(self, process: Process, setup: Setup) -> None:
        seconds = self.backend.pace.longest_opening
        self._await(process, lambda: self.is_open, seconds, "does not open", setup)

    def _await(
        self,
        process: Process,
        is_reached: Callable[[], bool],
        seconds: float,
        kind: str,
        setup: Setup,
    ) -> None:
        """Read until something is reached, or the end; beyond the limit it is a violation."""
        self._read(process, seconds, is_reached)
        if not process.has_ended and not is_reached():
            self._tell(setup, kind, f"not within {seconds:g} s")
            os.kill(process.pid, signal.SIGKILL)

    def _read(self, process: Process, seconds: float, is_reached: Callable[[], bool]) -> None:
        """Take lines for so many seconds, or until the end."""
        until = time.monotonic() + seconds
        while not process.has_ended and not is_reached():
            left = until - time.monotonic()
            ready, _, _ = select.select([process.pipe], [], [], max(left, 0))
            if not ready:
                return
            self._take(process)

    def _take(self, process: Process) -> None:
        data = os.read(process.pipe, 1 << 16)
        process.has_ended = not data
        for line in process.lines.feed(data):
            self.is_open |= line[0] == "opened"
            self.is_calm |= line[0] == "calm"
            self.ledger.apply(line)

    def _end(self, process: Process, setup: Setup, expected: int) -> None:
        while not process.has_ended:
            self._take(process)
        os.close(process.pipe)
        _, status = os.waitpid(process.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        log = (self.folder / "log").read_text(errors="replace") if code != -9 else ""
        if code not in {expected, -signal.SIGKILL}:
            self._tell(setup, "process failed", f"exit code {code}: {log[-1500:]}")
        elif "Traceback" in log:
            self._tell(setup, "traceback", log[-1500:])
        for kind, text in self.ledger.violations:
            self._tell(setup, kind, text)
        self.ledger.violations.clear()

    def _tell(self, setup: Setup, kind: str, text: str) -> None:
        settings = {**setup.spec.metadata}
        for name in self.place.metadata:
            del settings[name]
        self.violations.where = f"life {setup.plan.seed} ({settings})"
        self.violations.tell(kind, text)
