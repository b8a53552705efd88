"""Makes the data of a backend: `PYTHONPATH=tests python -m compatibility engine NAME`."""

from __future__ import annotations

import argparse
import asyncio

from compatibility import conductor, engine, temporal

_BACKENDS = {"engine": engine, "temporal": temporal, "conductor": conductor}


def main() -> None:
    """Make what the command line says, unless there are data of that name."""
    parser = argparse.ArgumentParser(prog="python -m compatibility", description=__doc__)
    parser.add_argument("backend", choices=_BACKENDS)
    parser.add_argument("name", help="of the data: the version that is to be released")
    arguments = parser.parse_args()
    backend = _BACKENDS[arguments.backend]
    if found := sorted(backend.DATA.glob(f"{arguments.name}[.-]*")):
        parser.error(f"{found[0]} is there already, and data that are kept do not change")
    backend.DATA.mkdir(parents=True, exist_ok=True)
    asyncio.run(backend.make(arguments.name))


if __name__ == "__main__":
    main()
