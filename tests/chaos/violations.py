"""What a part has found, counted by kind."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable

_SHOWN_OF_A_KIND = 3


class Violations:
    """Shows the first few of each kind, and counts all."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.kinds: Counter[str] = Counter()

    def tell(self, kind: str, text: str) -> None:
        """Note one."""
        self.kinds[kind] += 1
        if self.kinds[kind] <= _SHOWN_OF_A_KIND:
            say(f"VIOLATION [{kind}] {self.where}: {text}")

    @property
    def code(self) -> int:
        """The exit code: 1 if there are any."""
        return int(bool(self.kinds))

    def __str__(self) -> str:
        return str(dict(self.kinds)) if self.kinds else "none"


class ErrorLog(logging.Handler):
    """Tells each error in the log as a violation; warnings are asked for, and go nowhere."""

    def __init__(self, tell: Callable[[str, str], None] = lambda _kind, _text: None) -> None:
        super().__init__()
        self.tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it, with the end of its traceback."""
        if record.levelno < logging.ERROR:
            return
        text = f"{record.name}: {record.getMessage()}"
        if record.exc_info:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info))[-1500:]
        self.tell("error in the log", text)


def drawn(seed: int | None) -> int:
    """Return the seed, or draw one."""
    return int.from_bytes(os.urandom(3)) if seed is None else seed


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
