"""What the driver knows: what was tried, what was acknowledged, what was seen.

Driver and process apply the same lines, so a process that begins knows all that its predecessors
have told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chaos.kills.shapes import COLLECTORS, END, payloads_of
from chaos.lines import Line


@dataclass(slots=True)
class Attempt:
    """The last call of one verb: acknowledged, or nobody knows."""

    is_acknowledged: bool = False
    outcome: Any = None
    is_undone: bool = False
    """Whether a resume was called."""


@dataclass(slots=True)
class Entry:
    """One instance that has been started, or was to be."""

    instance_id: str
    shape: str
    target: str = ""
    """The collector that an instance of `sending` sends to."""
    start_at: float = 0.0
    is_doomed: bool = False
    """Whether it is to be terminated before its end."""
    generation: int = 0
    """The last start that is acknowledged or was seen; `tried` is the last that was called."""
    tried: int = 0
    done: int = 0
    """The last generation that was seen to have ended as it has to."""
    is_purged: bool = False
    raised: dict[str, bool] = field(default_factory=dict)
    """Payloads of events, and whether they are acknowledged."""
    raised_again: set[str] = field(default_factory=set)
    """Payloads of which nobody knows what an earlier call has come to."""
    sent: list[str] = field(default_factory=list)
    """Payloads that instances of `sending` have sent, and completed."""
    pause: Attempt | None = None
    """Cleared when a resume is acknowledged."""
    may_be_paused: bool = False
    """Whether a pause was cut off: by another process than the owner it may come after a resume."""
    termination: Attempt | None = None
    seen: tuple[str, int, str] | None = None
    """An execution, how many events it had, and a digest of them."""
    tokens: dict[str, str] = field(default_factory=dict)
    """What its activities have returned, as they said themselves, and for which call."""
    runs: dict[str, str] = field(default_factory=dict)
    """Which execution of each of its children was seen to run; a child has one only."""
    shared: dict[str, float] = field(default_factory=dict)
    """When a process has raised something last beside another one, in its loop's seconds."""
    is_disturbed: bool = False
    """Whether this process has read the ID of its children in vain."""
    hand: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the operation of this process that is under way."""

    @property
    def is_started(self) -> bool:
        """Whether it has to exist."""
        return self.generation > 0

    @property
    def has_ended(self) -> bool:
        """Whether a collector was told, for certain, that nothing follows."""
        return self.raised.get(END, False)

    @property
    def is_paused(self) -> bool:
        """Whether it has to stand still."""
        pause = self.pause
        if pause is None or self.termination is not None:
            return False
        return pause.is_acknowledged and not pause.is_undone


@dataclass(slots=True)
class Ledger:
    """All instances that are not settled yet, and how the settled ones have ended."""

    open: dict[str, Entry] = field(default_factory=dict)
    settled: dict[str, str] = field(default_factory=dict)
    """A digest of the state, empty for what was purged afterwards."""
    violations: list[tuple[str, str]] = field(default_factory=list)
    numbers: int = 0
    burst: int = 0
    """How many events are still to be raised at once."""
    looks_only: bool = False
    """Whether ends are looked for in states: who waits for an instance has the engine take it up,
    also if it was forgotten."""
    is_impatient: bool = False
    """Whether some who wait for an end give up while others go on."""
    pauses_collectors: bool = False
    """Whether collectors are paused while events are raised to them."""
    is_shared: bool = False
    """Whether two processes have the file open."""
    has_refusals: bool = False
    """Whether the disk may refuse a call; then it was not done."""
    is_under_way: Callable[[str], bool] = field(default=lambda _: False)
    """Whether what an instance has sent to this ID, or started under it, may come a moment later.

    It does where `flowyard.backend.host.Host` runs both: their turns are not stored together.
    """
    has_slow_turns: bool = False
    """Whether a turn that was out when a pause came may have ended its instance."""

    def apply(self, line: Line) -> None:
        """Take note of a line."""
        getattr(self, f"_{line[0]}")(*line[1:])

    def senders_to(self, target: str) -> list[Entry]:
        """Return who may still send to a collector."""
        return [entry for entry in self.open.values() if entry.target == target]

    def _opened(self) -> None:
        for entry in self.open.values():
            entry.hand = asyncio.Lock()
            entry.is_disturbed = False

    def _gave_up(self, instance_id: str) -> None:
        """Somebody has waited for its end, and does not any more."""

    def _calm(self) -> None:
        """The process has nothing left to do."""

    def _planned(
        self, instance_id: str, shape: str, target: str, start_at: float, is_doomed: bool
    ) -> None:
        self.numbers += 1
        self.open[instance_id] = Entry(instance_id, shape, target, start_at, is_doomed)

    def _ran(self, instance_id: str, call: str, token: str) -> None:
        root = self.open.get(root_of(instance_id))
        if root is None:
            return
        root.tokens[token] = call
        # The other children with that ID are other instances.
        if instance_id != root.instance_id and root.shape != "reusing":
            execution = call.rpartition(":")[0]
            if root.runs.setdefault(instance_id, execution) != execution:
                text = f"{instance_id} ran as {root.runs[instance_id]} and as {execution}"
                self.violations.append(("child ran twice", text))

    def _try(self, instance_id: str, verb: str, argument: Any = None) -> None:
        entry = self.open[instance_id]
        tries: dict[str, Callable[[], None]] = {
            "start": lambda: self._set(entry, tried=argument),
            "raise": lambda: self._note_raise(entry, argument),
            "pause": lambda: self._set(entry, pause=Attempt()),
            "resume": lambda: self._note_resume(entry),
            "terminate": lambda: self._set(entry, termination=entry.termination or Attempt()),
            "purge": lambda: None,
        }
        tries[verb]()

    def _note_resume(self, entry: Entry) -> None:
        if entry.pause is not None and not (entry.pause.is_acknowledged or entry.pause.is_undone):
            entry.may_be_paused = True
        entry.pause = Attempt(is_undone=True)

    def _note_raise(self, entry: Entry, payload: str) -> None:
        if payload in entry.raised:
            entry.raised_again.add(payload)
        entry.raised[payload] = False

    def _ack(self, instance_id: str, verb: str, argument: Any, outcome: Any) -> None:
        entry = self.open.get(instance_id)
        if entry is None:  # it has settled meanwhile
            return
        if verb == "start":
            self._set(entry, generation=argument, is_purged=False, seen=None)
        elif verb == "raise":
            # An end that is refused has come before: the call that nobody answered was heard.
            entry.raised[argument] = bool(outcome) or argument == END
            if not entry.raised[argument]:
                del entry.raised[argument]
        elif verb == "terminate" and outcome is None:
            entry.termination = None  # it came before the start
        elif verb in {"pause", "terminate"}:
            name = "pause" if verb == "pause" else "termination"
            if outcome or verb == "terminate":
                setattr(entry, name, Attempt(True, outcome))
            else:
                entry.pause = None
        elif verb == "resume":
            entry.pause = None
        elif verb == "purge":
            self._set(entry, is_purged=True)

    def _refused(self, instance_id: str, verb: str, argument: Any = None) -> None:
        """A call was refused, and told so."""
        entry = self.open.get(instance_id)
        if entry is None or verb != "raise" or argument in entry.raised_again:
            return
        if not entry.raised.get(argument, True):
            del entry.raised[argument]

    def _found(self, instance_id: str, generation: int) -> None:
        """It exists though its start was never acknowledged."""
        self._set(self.open[instance_id], generation=generation, is_purged=False)

    def _seen(self, instance_id: str, execution: str, count: int, digest: str) -> None:
        if instance_id in self.open:
            self.open[instance_id].seen = execution, count, digest

    def _done(self, instance_id: str, generation: int) -> None:
        self.open[instance_id].done = generation

    def _settled(self, instance_id: str, status: str, digest: str) -> None:
        entry = self.open.pop(instance_id)
        entry.done = entry.generation
        self.settled[instance_id] = digest
        if entry.target in self.open and status == "COMPLETED":
            self.open[entry.target].sent += payloads_of(instance_id)

    def _removed(self, instance_id: str) -> None:
        self.settled[instance_id] = ""

    def _dropped(self, instance_id: str) -> None:
        """It is stuck, which was told: nothing more is expected of it."""
        self.open.pop(instance_id, None)

    def _violation(self, kind: str, text: str) -> None:
        self.violations.append((kind, text))

    @staticmethod
    def _set(entry: Entry, **values: Any) -> None:
        for name, value in values.items():
            setattr(entry, name, value)


def root_of(instance_id: str) -> str:
    """Return the instance whose descendant this is; our own IDs have no `.` and no `:`."""
    return instance_id.partition(":")[0].partition(".")[0]


def is_collector(entry: Entry) -> bool:
    """Whether events are raised to it."""
    return entry.shape in COLLECTORS
