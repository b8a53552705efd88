"""Asks for one thing and dies the moment it is acknowledged.

Arguments: the file, `owner` or `visitor`, a verb, its arguments.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.programs.steps import make_app
from flowyard import Runtime
from flowyard.config import ComponentSpec


async def acknowledge(runtime: Runtime, verb: str, instance_id: str) -> None:
    """Do it; the answer is the acknowledgement."""
    if verb == "start":
        await runtime.start("waiter", instance_id=instance_id)
    elif verb == "start_at":
        later = datetime.now(UTC) + timedelta(days=1)
        await runtime.start("waiter", instance_id=instance_id, start_at=later)
    elif verb == "raise_event":
        await runtime.raise_event(instance_id, "go", "acknowledged")
    elif verb == "terminate":
        await runtime.terminate(instance_id, output="acknowledged")
    elif verb == "pause":
        await runtime.pause(instance_id)
    elif verb == "resume":
        await runtime.resume(instance_id)
    elif verb == "rerun":
        await runtime.rerun("source", 2, new_instance_id=instance_id)
    else:
        await runtime.purge(instance_id)


async def main(database: Path, role: str, verb: str, instance_id: str) -> None:
    metadata = {"connectionString": f"sqlite:///{database}", "leaseSeconds": "0.5"}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    app = make_app(database.parent) if role == "owner" else None
    async with Runtime.open([spec], app) as runtime:
        await acknowledge(runtime, verb, instance_id)
        print("acknowledged", flush=True)  # noqa: T201 - that is how the test knows
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
