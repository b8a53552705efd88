"""What workers have decided to end executions with, until Temporal has it for certain."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from flowyard.backend import ContinuedAsNew, ExecutionCompleted, HistoryEvent, Turn, TurnResult

_ENDS = (ExecutionCompleted, ContinuedAsNew)
_MOST_BYTES = 32 * 1024 * 1024


class RecordedTurn(TurnResult):
    """The result of a worker's turn as Temporal records it.

    `covered` is how many of the turn's new events it answers, where later ones have come.
    """

    covered: int | None = None


@dataclass(frozen=True, slots=True)
class _Decision:
    """What a turn has decided: `data` is its result as JSON, and `size` what is kept of it."""

    past: bytes
    new: Sequence[HistoryEvent]
    result: TurnResult
    size: int


class Decisions:
    """Remembers by which turns executions end.

    Temporal refuses to end a workflow to which something has come meanwhile, and has forgotten
    the worker's answer then. A worker that is asked again would run the same code once more.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, _Decision] = OrderedDict()
        self._size = 0

    def keep(self, key: str, turn: Turn, result: TurnResult, data: bytes) -> None:
        """Remember a turn that ends its execution, and forget the oldest ones for it."""
        if not any(isinstance(action, _ENDS) for action in result.actions):
            return
        new = tuple(turn.new[1:])
        size = len(data) + len(msgspec.json.encode(new))
        self._forget(key)
        self._kept[key] = _Decision(_digest(turn), new, result, size)
        self._size += size
        while self._size > self._most_bytes:
            self._forget(next(iter(self._kept)))

    def find(self, key: str, turn: Turn) -> bytes | None:
        """Return what was decided before by a turn with the same events, or all but the last."""
        decision = self._kept.get(key)
        if decision is None or decision.past != _digest(turn):
            return None
        covered = len(decision.new)
        if tuple(turn.new[1 : 1 + covered]) != decision.new:
            return None
        result = decision.result
        return msgspec.json.encode(
            RecordedTurn(
                result.actions,
                result.custom_status,
                result.version,
                result.patches,
                result.stalled,
                covered,
            )
        )

    def _forget(self, key: str) -> None:
        if (decision := self._kept.pop(key, None)) is not None:
            self._size -= decision.size


def _digest(turn: Turn) -> bytes:
    return blake2b(msgspec.json.encode(turn.past)).digest()
