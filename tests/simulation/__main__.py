"""Simulation: `python -m simulation --seeds 1000`; the exit code is 1 if a seed finds something."""

from __future__ import annotations

import os
import sys

if os.environ.get("PYTHONHASHSEED") != "0":
    # The order of sets is drawn by Python itself: a seed is repeated only with the same.
    os.execve(  # noqa: S606 - itself
        sys.executable,
        [sys.executable, "-m", "simulation", *sys.argv[1:]],
        {**os.environ, "PYTHONHASHSEED": "0"},
    )

from simulation.run import main

if __name__ == "__main__":
    sys.exit(main())
