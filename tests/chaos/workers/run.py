"""`workers`: servers and workers of SDKs are killed and stopped in turn; nothing may be doubled."""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

from chaos.violations import Violations, drawn, say
from chaos.workers.ledger import Ledger
from chaos.workers.processes import ServerProcess
from chaos.workers.rounds import Rounds


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--rounds", type=int, default=150, help="kills and stops altogether")
    parser.add_argument("--seed", type=int, default=None, help="else drawn, and printed")
    parser.add_argument("--each", type=int, default=10, help="rounds before all is judged")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds until 'stuck'")


def run(options: argparse.Namespace) -> int:
    """Run the rounds; return 1 if they have found a violation."""
    seed = drawn(options.seed)
    say(f"workers: seed {seed}, {options.rounds} rounds")
    return asyncio.run(_run(seed, options))


async def _run(seed: int, options: argparse.Namespace) -> int:
    violations = Violations(f"seed {seed}")
    choices = random.Random(seed)  # noqa: S311 - not for secrets
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-workers-") as folder:
        server = ServerProcess(Path(folder), choices.choice((0, 1000)))
        ledger = Ledger(violations.tell)
        await Rounds(server, ledger, choices, options.patience).run(options.rounds, options.each)
        workers_log = (Path(folder) / "workers.log").read_text(errors="replace")
        for log, fault in ((server.log, " ERROR "), (workers_log, "Traceback")):
            if (position := log.find(fault)) >= 0:
                violations.tell("error in the log", log[position:][:1500])
    say(
        f"{options.rounds} rounds in {time.monotonic() - began:.0f} s, {ledger.numbers} instances, "
        f"{len(ledger.told)} acknowledged results, violations: {violations}"
    )
    return violations.code
