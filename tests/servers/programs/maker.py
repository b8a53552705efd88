"""Wants a thing that has to be made; says so, and waits for a line before it makes it itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Run as a program, it finds the tests' modules no other way.
sys.path.insert(0, str(Path(__file__).parents[2]))

from servers.cache import kept


def make(folder: Path) -> None:
    """Make it."""
    sys.stdin.readline()
    (folder / "maker").write_text(str(os.getpid()))
    print("made")


kept("thing", make, lambda _: print("wanted", flush=True))
