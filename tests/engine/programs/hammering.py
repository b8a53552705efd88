"""Uses every verb on a file that others use as well; says "all done", and closes when told to.

Arguments: the file, `owner` or `visitor`, a number of its own, how many rounds.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from engine.programs.steps import make_app
from flowyard import InstanceQuery, Runtime
from flowyard.config import ComponentSpec


async def one_round(runtime: Runtime, prefix: str, number: int) -> None:
    instance_id = f"{prefix}-{number}"
    await runtime.start("waiter", instance_id=instance_id)
    await runtime.get(instance_id)
    assert await runtime.raise_event(instance_id, "go", number)
    await runtime.list(InstanceQuery(instance_id_prefix=prefix, page_size=10))
    assert (await runtime.wait(instance_id)).result() == number
    await runtime.history(instance_id)
    assert await runtime.purge(instance_id) == 1


async def main(database: Path, role: str, prefix: str, rounds: int) -> None:
    metadata = {"connectionString": f"sqlite:///{database}", "leaseSeconds": "5"}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    app = make_app(database.parent) if role == "owner" else None
    for half in range(2):
        # Opened twice: opening and closing are what locks a file most.
        async with Runtime.open([spec], app) as runtime:
            numbers = range(half * rounds, (half + 1) * rounds)
            await asyncio.gather(*(one_round(runtime, prefix, number) for number in numbers))
            if half == 1:
                print("all done", flush=True)  # noqa: T201 - that is how the test knows
                # Others may still need somebody who runs the turns.
                await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
