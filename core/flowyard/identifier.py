"""Random identifiers, without a system call for each."""

from __future__ import annotations

import os
import uuid

_SIZE = 16
_pool = b""
_used = 0


def new_uuid() -> uuid.UUID:
    """Return a random UUID (version 4).

    The random bytes come from the system many at a time: `os.urandom` lets other threads run, and
    getting the turn back costs more than all the rest of a start.
    """
    global _pool, _used
    if _used >= len(_pool):
        _pool, _used = os.urandom(256 * _SIZE), 0
    start, _used = _used, _used + _SIZE
    return uuid.UUID(bytes=_pool[start : start + _SIZE], version=4)


def _forget() -> None:
    global _pool
    _pool = b""


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_forget)
