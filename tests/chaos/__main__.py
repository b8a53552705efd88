"""Chaos: `python -m chaos kills | workers | adversary`; the exit code is 1 on a violation."""

from __future__ import annotations

import argparse
import os
import sys

# Before anything loads gRPC: a server that is gone is nothing to be told of.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def main(words: list[str]) -> int:
    """Run one part."""
    from chaos.adversary import run as adversary
    from chaos.kills import run as kills
    from chaos.workers import run as workers

    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parts = parser.add_subparsers(required=True, metavar="PART")
    parts_by_name = {"kills": kills, "workers": workers, "adversary": adversary}
    for name, part in parts_by_name.items():
        chosen = parts.add_parser(name, help=part.__doc__)
        part.arguments(chosen)
        chosen.set_defaults(run=part.run)
    options = parser.parse_args(words)
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
