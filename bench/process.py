"""A measurement is a process of its own, so that none inherits another's memory or caches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).parent.parent


def run(module: str, *arguments: object) -> dict[str, float]:
    """Run a module of this package in a new process and return what it reported."""
    return run_program([sys.executable, "-m", f"bench.{module}", *map(str, arguments)])


def run_program(command: list[str]) -> dict[str, float]:
    """Run a program and return the JSON object that is the last line of its output."""
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def report(measured: Mapping[str, float]) -> None:
    """Print what was measured, for the process that asked for it."""
    print(json.dumps(measured))


def resident_bytes() -> int:
    """Return the memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
