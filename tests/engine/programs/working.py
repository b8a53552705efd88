"""Runs the workflows of a file until it reads a line. Arguments: the file, the lease's seconds.

Says "open" once it is open, and "owner" when the workflows are its to run.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from engine.programs.steps import make_app
from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard_engine.component import EngineComponent


async def announce_owner(component: EngineComponent) -> None:
    while not component.is_owner:  # noqa: ASYNC110 - it happens in another process, too
        await asyncio.sleep(0.01)
    print("owner", flush=True)  # noqa: T201 - that is how the test knows


async def main(database: Path, lease_seconds: str) -> None:
    metadata = {"connectionString": f"sqlite:///{database}", "leaseSeconds": lease_seconds}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    async with Runtime.open([spec], make_app(database.parent)) as runtime:
        print("open", flush=True)  # noqa: T201 - that is how the test knows
        component = runtime.component()
        assert isinstance(component, EngineComponent)
        announcing = asyncio.create_task(announce_owner(component))
        await asyncio.to_thread(sys.stdin.readline)
        announcing.cancel()
    print("closed", flush=True)  # noqa: T201 - that is how the test knows


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
