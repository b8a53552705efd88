"""Counts in a file that other processes count in as well. Arguments: the file, how often."""

from __future__ import annotations

import asyncio
import sys

from blocks.opened import open_store
from flowyard.backend import (
    BackendUnavailable,
    Concurrency,
    EtagMismatch,
    SetState,
    StateOptions,
)

_FIRST = StateOptions(Concurrency.FIRST_WRITE)


async def main(file: str, rounds: int) -> None:
    async with open_store("state.sqlite", {"connectionString": file}) as store:
        while rounds:
            found = await store.get("counter")
            count, etag = (int(found.data), found.etag) if found is not None else (0, None)
            try:
                await store.set(SetState("counter", b"%d" % (count + 1), etag=etag, options=_FIRST))
            except (EtagMismatch, BackendUnavailable):  # nothing was done
                continue
            rounds -= 1


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
