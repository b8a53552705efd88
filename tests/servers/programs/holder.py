"""Holds a Temporal server until it is killed: `holder.py FOLDER`. It prints its address."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

# Run as a program, it finds the tests' modules no other way.
sys.path.insert(0, str(Path(__file__).parents[2]))

from servers.builds import temporal_server
from servers.temporal_server import TemporalServer

with TemporalServer(temporal_server(), Path(sys.argv[1])) as server:
    print(server.address, flush=True)
    signal.pause()
