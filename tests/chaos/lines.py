"""What a process tells its driver: one JSON line for each thing, in one write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

Line = list[Any]
_LONGEST = 3_500  # a write of up to 4,096 bytes to a pipe is whole, whenever the process dies


class Reporter:
    """Writes lines; `apply` sees each of them first."""

    def __init__(self, descriptor: int, apply: Callable[[Line], None]) -> None:
        self._descriptor = descriptor
        self._apply = apply

    def __call__(self, *line: Any) -> None:
        """Tell the driver."""
        cut = [field[:_LONGEST] if isinstance(field, str) else field for field in line]
        self._apply(cut)
        os.write(self._descriptor, (json.dumps(cut) + "\n").encode())


_reporters: list[Callable[..., None]] = []


def report_to(reporter: Callable[..., None]) -> None:
    """Have this process report to somebody from now on."""
    _reporters[:] = [reporter]


def report(*line: Any) -> None:
    """Tell the driver of this process."""
    _reporters[0](*line)


class Lines:
    """Puts what was read together to whole lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Line]:
        """Return the lines that are whole now."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in whole]
