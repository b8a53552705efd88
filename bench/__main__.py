"""Take the figures and print them as one table: `python -m bench [NAME …]`."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
from importlib import import_module
from pathlib import Path

from bench.sample import Row, table

NAMES = (
    "chain",
    "fanout",
    "sequence",
    "dormant",
    "finished",
    "startup",
    "wire",
    "management",
    "state",
    "rest",
)
_LIVE = (
    "pubsub",
    "state_redis",
    "temporal.chain",
    "temporal.sequence",
    "temporal.calls",
    "temporal.wire",
    "conductor.chain",
    "conductor.calls",
    "conductor.turns",
    "conductor.recovery",
)
"""These start a real server, and are measured only where they are named."""
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of: {', '.join((*NAMES, *_LIVE))}"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--dbos", metavar="PYTHON", help="a Python that has DBOS Transact")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the table between the marks of this file"
    )
    arguments = parser.parse_args()
    known = {name: _figures(name) for name in arguments.names}
    if unknown := [name for name, figures in known.items() if not figures]:
        parser.error(f"no such figure: {', '.join(unknown)}")

    rows: list[Row] = []
    for name in sum(known.values(), ()) or NAMES:
        print(f"measuring {name} in {arguments.rounds} rounds …", flush=True)
        rows += import_module(f"bench.{name}").rows(arguments.rounds, arguments.dbos)
    text = f"{_machine()} Median (lowest to highest) of {arguments.rounds} interleaved rounds.\n\n"
    text += table(rows) + "\n"
    print(f"\n{text}")
    if arguments.write:
        before, _, rest = arguments.write.read_text().partition(_BEGIN)
        after = rest.partition(_END)[2]
        arguments.write.write_text(f"{before}{_BEGIN}\n{text}{_END}{after}")


def _figures(name: str) -> tuple[str, ...]:
    """Return what is called so, or belongs to what is."""
    return tuple(
        known for known in (*NAMES, *_LIVE) if known == name or known.startswith(f"{name}.")
    )


def _machine() -> str:
    return (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}."
    )


if __name__ == "__main__":
    main()
