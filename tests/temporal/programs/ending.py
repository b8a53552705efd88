"""Processes that ask one thing of Temporal and end at once: `ending.py HOST:PORT COUNT`.

Prints how they ended, one line each: the exit code, or the negative signal.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard.errors import FlowyardError
from flowyard_temporal.plugin import TEMPORAL

_PATIENCE = 120


async def main(address: str) -> str:
    """Return the name of the error."""
    spec = ComponentSpec("orders", "workflow.temporal", metadata={"hostPort": address})
    try:
        async with Runtime.open([spec], component_types=[TEMPORAL]) as runtime:
            await runtime.get("unknown")
    except FlowyardError as error:
        return type(error).__name__
    return ""


if __name__ == "__main__":
    for _ in range(int(sys.argv[2])):
        # A child is spared the imports, and ends like any process.
        child = os.fork()
        if not child:
            signal.alarm(_PATIENCE)
            sys.exit(asyncio.run(main(sys.argv[1])) != "InstanceNotFound")
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))  # noqa: T201
