"""A seed for each mutant that finds it: searched for once, and replayed by the tests.

A change of what is drawn, or when, gives all seeds another meaning: then search again, by
`python -m simulation --record --seeds 2000`.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable
from multiprocessing.pool import Pool
from pathlib import Path

from chaos.violations import say
from simulation.found import LOGGED, Found
from simulation.mutants.catalog import MUTANTS

Job = tuple[int, str | None]
Run = Callable[[Job], Found]
_MOST_SEEDS = 100
"""After as many a process makes room for a new one: some of what seeds leave is never freed."""
_FILE = Path(__file__).with_name("recorded.json")


def recorded() -> dict[str, tuple[int, str]]:
    """Return the seed of each mutant and what it finds; some may have none."""
    text = json.loads(_FILE.read_text()) if _FILE.exists() else {}
    return {name: (seed, kind) for name, (seed, kind) in text.items()}


def replay(run: Run) -> int:
    """Run the recorded seeds with their mutants and without; print a line for each."""
    found = recorded()
    jobs: list[Job] = [(seed, name) for name, (seed, _) in found.items()]
    jobs += [(seed, None) for seed in sorted({seed for seed, _ in found.values()})]
    with _pool() as pool:
        for (seed, name), value in zip(jobs, pool.imap(run, jobs, chunksize=1), strict=True):
            kinds = ", ".join(sorted({kind for kind, _ in value.violations})) or "nothing"
            say(f"{name or 'no mutant'}: seed {seed} finds {kinds}")
    return 0


def record(run: Run, seeds: Iterable[int], names: Iterable[str]) -> int:
    """Search for a seed of each mutant; return 1 if one has none."""
    found = recorded()
    for name in names:
        found.pop(name, None)
        with _pool() as pool:
            for one in pool.imap(run, [(seed, name) for seed in seeds], chunksize=1):
                # What is logged alone may be no more than how the mend was taken back.
                if kinds := [kind for kind, _ in one.violations if kind != LOGGED]:
                    found[name] = one.seed, kinds[0]
                    break
        say(f"{name}: {found.get(name, 'nothing')}")
        ordered = {mutant: found[mutant] for mutant in MUTANTS if mutant in found}
        _FILE.write_text(json.dumps(ordered, indent=2) + "\n")
    return int(any(name not in found for name in names))


def _pool() -> Pool:
    fork = multiprocessing.get_context("fork")
    return fork.Pool(os.cpu_count() or 1, maxtasksperchild=_MOST_SEEDS)
