"""What can happen to the SQLite file while it is open."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from flowyard.backend import BackendUnavailable


class FileGone(BackendUnavailable):
    """The file that is open is not the one at its path any more."""


class OpenFile:
    """Knows whether the file at a path, with what SQLite has put beside it, is the one opened.

    SQLite goes on with files that were deleted; all that it writes is gone with the process.
    """

    def __init__(self, path: str) -> None:
        database = Path(path).resolve()
        self._log = f"{database}-wal"
        paths = (str(database), self._log, f"{database}-shm")
        self._opened = {path: file for path in paths if (file := _identify(path)) is not None}

    def check(self) -> None:
        """Raise `FileGone` if one was deleted or replaced."""
        for path, opened in self._opened.items():
            if _identify(path) != opened:
                raise FileGone(
                    f"the file {path} was deleted or replaced while it was open: what is written "
                    "now would be lost. Put it back, or restart this process"
                )

    @property
    def log_size(self) -> int:
        """The size of the write-ahead log in bytes."""
        with suppress(FileNotFoundError):
            return os.stat(self._log).st_size  # noqa: PTH116 - as below
        return 0


def _identify(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - with each commit: a third of what a Path takes
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
