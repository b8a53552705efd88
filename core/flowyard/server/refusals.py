"""One line in the log for a call that was refused, however often it is made."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from flowyard.machine import SYSTEM
from flowyard.printable import printable

_LINES = 10
_SECONDS = 60.0
_LONGEST = 500


@dataclass(slots=True)
class _Period:
    """What was told, and what was only counted, since a point in time."""

    began: float
    told: int = 0
    left_out: int = 0


class Refusals:
    """Tells of refused calls as WARNING, at most ten a minute of each kind.

    What is left out is counted, and told with the next line of its kind. `clock` gives seconds.
    """

    def __init__(
        self, logger: logging.Logger, *, clock: Callable[[], float] = SYSTEM.monotonic
    ) -> None:
        self._logger = logger
        self._clock = clock
        self._periods: dict[str, _Period] = {}

    def tell(self, kind: str, method: str, peer: str, reason: str) -> None:
        """Write the line, unless there were too many of this kind.

        `kind` is one of a few words (an error code or the name of a status), never text of the
        caller: each has a budget of its own, so that a flood of one does not hide another.
        `method` is what was called, `peer` who called, `reason` what the caller was told. A reason
        must not hold secrets; control characters are escaped here.
        """
        now = self._clock()
        period = self._periods.get(kind)
        left_out = 0
        if period is None or now - period.began >= _SECONDS:
            left_out = 0 if period is None else period.left_out
            period = self._periods[kind] = _Period(now)
        if period.told >= _LINES:
            period.left_out += 1
            return
        period.told += 1
        notes = []
        if left_out:
            notes.append(f" ({left_out} more of {kind} were not logged before)")
        if period.told == _LINES:
            notes.append(f" (more of {kind} are only counted for the next {_SECONDS:g} s)")
        self._logger.warning(
            "refused %s from %s: %s: %s%s",
            _shown(method),
            _shown(peer),
            kind,
            _shown(reason),
            "".join(notes),
        )


def _shown(text: str) -> str:
    return printable(" ".join(text[:_LONGEST].split()))
