"""`adversary`: workers that lie, and clients in a hurry, against a model of what may be seen."""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
import traceback
from functools import partial
from pathlib import Path

from chaos.adversary.seed import Seed
from chaos.adversary.server import Server
from chaos.violations import ErrorLog, Violations, drawn, say
from flowyard.clock import SystemClock

_LONGEST = 180.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--seeds", type=int, default=300, help="how many, one after the other")
    parser.add_argument("--seed", type=int, default=None, help="the first; else drawn, and printed")
    parser.add_argument("--times", type=int, default=1, help="how often each, for chance has a say")
    parser.add_argument("--steps", type=int, default=12, help="how much happens before the end")
    parser.add_argument("--tokens", type=float, default=0.7, help="share of workers that send them")
    parser.add_argument("--restarts", type=float, default=0.1, help="share of steps that are one")
    parser.add_argument("--versions", type=float, default=0.0, help="share of newer workers")
    parser.add_argument("--patience", type=float, default=15.0, help="seconds until 'stuck'")


def run(options: argparse.Namespace) -> int:
    """Run the seeds; return 1 if one has found a violation."""
    first = drawn(options.seed)
    say(f"adversary: seeds {first} to {first + options.seeds - 1}")
    began = time.monotonic()
    violations = Violations("")
    errors = ErrorLog()
    logging.getLogger().addHandler(errors)
    with tempfile.TemporaryDirectory(prefix="chaos-adversary-") as folder:
        for number in range(first, first + options.seeds):
            for run in range(options.times):
                violations.where = f"seed {number}"
                file = Path(folder) / f"{number}-{run}"
                seed = Seed(number, partial(Server, file), violations.tell, options, SystemClock())
                errors.tell = seed.tell
                asyncio.run(_run(seed, violations))
    seconds = time.monotonic() - began
    say(f"{options.seeds} seeds in {seconds:.0f} s, violations: {violations}")
    return violations.code


async def _run(seed: Seed, violations: Violations) -> None:
    before = violations.kinds.total()
    try:
        async with asyncio.timeout(_LONGEST):
            await seed.run()
    except Exception:  # noqa: BLE001 - whatever it is, the next seed is run
        seed.tell("seed failed", traceback.format_exc()[-2500:])
    if violations.kinds.total() > before:
        trace = Path(tempfile.gettempdir()) / f"chaos-adversary-{seed.number}.trace"
        trace.write_text("\n".join(seed.trace) + "\n")
        say(f"What happened in seed {seed.number} is in {trace}")
