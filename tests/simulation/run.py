"""Runs seeds, over all cores, and says what they have found."""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import os
import sys
import time
import warnings

from chaos.violations import say
from simulation.found import Found
from simulation.hosted import HostedSimulation
from simulation.mutants.catalog import MUTANTS, taken_back
from simulation.recording import record, replay
from simulation.seed import Simulation
from simulation.workers import WorkerSimulation

_SHOWN = 30
_HOSTED = 6
"""The last digit of the seeds that are of `flowyard.backend.host.Host`."""
_MOST_JOBS = 20
"""After as many, a process makes room for a new one: some of what seeds leave is never freed."""


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first")
    parser.add_argument("--mutant", choices=MUTANTS, help="take one mend back, and stop at a find")
    parser.add_argument("--record", action="store_true", help="search a seed for each mutant")
    parser.add_argument("--recorded", action="store_true", help="replay each mutant's seed")
    parser.add_argument("--digests", action="store_true", help="print what tells runs apart")
    parser.add_argument("--stop", action="store_true", help="stop at the first find")
    options = parser.parse_args()
    if options.recorded:
        return replay(_run)
    seeds = range(options.first, options.first + options.seeds)
    if options.record:
        return record(_run, seeds, [options.mutant] if options.mutant else MUTANTS)
    began = time.monotonic()
    kills = stops = instances = commits = failed = 0
    processes = min(os.cpu_count() or 1, len(seeds))
    fork = multiprocessing.get_context("fork")
    with fork.Pool(processes, maxtasksperchild=_MOST_JOBS) as pool:
        jobs = [(seed, options.mutant) for seed in seeds]
        size = 1 if options.mutant is not None or len(seeds) < 100 else 10
        for found in pool.imap(_run, jobs, chunksize=size):
            kills, stops = kills + found.kills, stops + found.stops
            instances, commits = instances + found.instances, commits + found.commits
            failed += bool(found.violations)
            if options.digests:
                say(f"{found.seed} {found.digest}")
            if found.violations and failed <= _SHOWN:
                say(f"SEED {found.seed}: repeat it with --from {found.seed} --seeds 1")
                for kind, text in found.violations[:3]:
                    say(f"  [{kind}] {text}")
                say(found.trace)
                if options.stop or options.mutant is not None:
                    break
    seconds = time.monotonic() - began
    say(
        f"seeds {seeds.start} to {found.seed}: {kills} kills, {stops} stops, {instances} "
        f"instances, {commits} commits in {seconds:.0f} s ({kills / seconds:.0f} kills a second); "
        f"{failed} seeds have found something"
    )
    return int(failed > 0)


def _run(job: tuple[int, str | None]) -> Found:
    return run_seed(*job)


def run_seed(seed: int, mutant: str | None = None) -> Found:
    """Run one seed, without one of the mends if a mutant is named."""
    logging.disable(logging.WARNING)
    sys.unraisablehook = _ignore_the_dead
    warnings.filterwarnings("ignore", message="coroutine .* was never awaited")
    # When what is dead is cleared away must not depend on what ran before.
    gc.disable()
    try:
        with taken_back(mutant):
            return _simulation(seed).run()
    finally:
        gc.enable()
        gc.collect()
        # What stays after all, as the app knows of processes that never closed, is looked at once.
        gc.freeze()


def _simulation(seed: int) -> Simulation | WorkerSimulation:
    if seed % 2:
        return WorkerSimulation(seed)
    return HostedSimulation(seed) if seed % 10 == _HOSTED else Simulation(seed)


def _ignore_the_dead(unraisable: sys.UnraisableHookArgs) -> None:
    """Say nothing of coroutines that wait even while they are closed: their process was killed."""
    if "ignored GeneratorExit" not in str(unraisable.exc_value):
        sys.__unraisablehook__(unraisable)
