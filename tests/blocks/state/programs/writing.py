"""Writes pairs of values to a file, and prints the number of each once it is acknowledged."""

from __future__ import annotations

import asyncio
import sys
from itertools import count

from blocks.opened import open_store
from flowyard.backend import SetState


async def main(file: str) -> None:
    async with open_store("state.sqlite", {"connectionString": file}) as store:
        for number in count():
            value = str(number).encode()
            await store.transact([SetState(str(number), value), SetState(f"{number}b", value)])
            print(number, flush=True)  # noqa: T201 - that is how the test knows


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
