"""A turn or an activity that waits for the answer of a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from flowyard.backend.executor import ActivityResult, ActivityTask, Turn, TurnResult

Key: TypeAlias = tuple[str, int | None]
"""Whose work: an instance, and the ID of its activity (None: its turn)."""

TURN, ACTIVITY = KINDS = (0, 1)
_NONE: frozenset[str] = frozenset()


class Answer(asyncio.Future[Any]):
    """Where the answer to a work comes. Cancel it to withdraw the work."""

    is_taken = False
    """Whether a worker has the work now."""


@dataclass(eq=False, slots=True)
class Work:
    """A turn or an activity that a worker is to run."""

    request: Turn | ActivityTask
    number: int
    name: str
    answer: Answer
    kind: int = field(init=False)
    key: Key = field(init=False)
    """What a worker that sends no token answers to."""
    stream: str = ""
    """Whose it is at present."""
    late_with: frozenset[str] = _NONE
    """The streams that have not answered it in time: another is asked first."""
    refused_by: frozenset[str] = _NONE
    """The streams that cannot run it; `refusal` is what it comes to if nobody can."""
    refusal: TurnResult | ActivityResult | None = None
    obstacle: str | None = None
    """Why it waits for another worker, however long that takes."""

    def __post_init__(self) -> None:
        request = self.request
        if isinstance(request, ActivityTask):
            self.kind, self.key = ACTIVITY, (request.instance_id, request.task_id)
        else:
            self.kind, self.key = TURN, (request.instance_id, None)

    def refuse(self, stream: str, otherwise: TurnResult | ActivityResult | None, why: str) -> None:
        """Note that a worker cannot run it, and what it comes to if no other can.

        To wait is better than to fail: a failure counts only if nobody has said anything else.
        """
        self.refused_by |= {stream}
        if otherwise is None:
            self.obstacle = why
        elif not is_stall(self.refusal) or is_stall(otherwise):
            self.refusal = otherwise


def is_stall(result: TurnResult | ActivityResult | None) -> bool:
    """Whether a turn has decided nothing, for its code does not fit the history."""
    return isinstance(result, TurnResult) and result.stalled is not None
