"""The chain on DBOS Transact; runs in a virtual environment of its own, as a script."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from dbos import DBOS, DBOSConfig


async def _add(value: int) -> int:
    return value + 1


add = DBOS.step()(_add)


async def _chain(value: int) -> int:
    for _ in range(3):
        value = await add(value)
    return value


chain = DBOS.workflow()(_chain)


async def measure(count: int, at_once: int) -> float:
    """Run the chain `count` times; return how many finished per second."""
    slots = asyncio.Semaphore(at_once)

    async def run() -> int:
        async with slots:
            handle = await DBOS.start_workflow_async(chain, 0)
            return int(await handle.get_result())

    await run()
    began = time.perf_counter()
    results = await asyncio.gather(*(run() for _ in range(count)))
    seconds = time.perf_counter() - began
    assert results == [3] * count
    return count / seconds


def main() -> None:
    """Print one measurement as JSON: `dbos_chain.py FOLDER COUNT AT_ONCE`."""
    folder, count, at_once = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with TemporaryDirectory(dir=folder) as scratch:
        DBOS(
            config=DBOSConfig(
                name="bench",
                system_database_url=f"sqlite:///{scratch}/dbos.db",
                log_level="ERROR",
            )
        )
        DBOS.launch()
        print(json.dumps({"per_second": asyncio.run(measure(count, at_once))}))
        DBOS.destroy()


if __name__ == "__main__":
    main()
