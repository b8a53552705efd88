"""Asks one thing of Temporal and ends at once: `ending.py HOST:PORT`."""

from __future__ import annotations

import asyncio
import sys

from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard.errors import FlowyardError


async def main(address: str) -> int:
    spec = ComponentSpec("orders", "workflow.temporal", metadata={"hostPort": address})
    try:
        async with Runtime.open([spec]) as runtime:
            await runtime.get("unknown")
    except FlowyardError as error:
        return ["InstanceNotFound", "BackendUnavailable"].index(type(error).__name__) + 10
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
