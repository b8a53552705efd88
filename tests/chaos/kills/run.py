"""`kills`: a process that runs workflows is killed again and again; nothing may be lost."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from chaos.kills.backend import BACKENDS
from chaos.kills.lane import Lane
from chaos.violations import Violations, drawn, say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--backend", choices=BACKENDS, default="engine", help="what runs them")
    parser.add_argument("--server", help="the address of one that runs; else one is started")
    parser.add_argument("--rounds", type=int, help="kills and stops altogether")
    parser.add_argument("--seed", type=int, default=None, help="else drawn, and printed")
    parser.add_argument("--lanes", type=int, default=2, help="places and processes side by side")
    parser.add_argument("--each", type=int, help="kills before all is judged")
    parser.add_argument("--drain", type=float, default=1.0, help="of some stops, in seconds")
    parser.add_argument("--patience", type=float, help="seconds until 'stuck'")


def run(options: argparse.Namespace) -> int:
    """Run the lanes; return 1 if one has found a violation."""
    seed = drawn(options.seed)
    backend = BACKENDS[options.backend]
    pace = backend.pace
    options.rounds = options.rounds or pace.rounds
    options.each = options.each or pace.each
    options.patience = options.patience or pace.patience
    say(f"kills: seed {seed}, {options.rounds} rounds in {options.lanes} lanes, {options.backend}")
    rounds = -(-options.rounds // options.lanes)
    backend.load()
    with tempfile.TemporaryDirectory(prefix="chaos-kills-server-") as folder:
        served = nullcontext(options.server) if options.server else backend.serve(Path(folder))
        with served as address:
            children = []
            for number in range(options.lanes):
                if (pid := os.fork()) == 0:
                    os._exit(_run_lane(f"{seed}/{number}", address, rounds, options))
                children.append(pid)
            codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    return int(any(codes))


def _run_lane(seed: str, address: str, rounds: int, options: argparse.Namespace) -> int:
    began = time.monotonic()
    backend = BACKENDS[options.backend]
    with tempfile.TemporaryDirectory(prefix="chaos-kills-") as folder:
        lane = Lane(
            seed,
            Path(folder),
            backend,
            backend.settle(address, Path(folder)),
            options.patience,
            options.drain,
            Violations(seed),
        )
        lane.run(rounds, min(options.each, rounds))
    say(
        f"lane {seed}: {lane.kills} kills and {lane.stops} stops in "
        f"{time.monotonic() - began:.0f} s, {lane.ledger.numbers} instances, "
        f"violations: {lane.violations}"
    )
    return lane.violations.code
