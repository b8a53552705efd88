"""A server of one engine, in a process of its own: `server.py FILE PORT`. It prints its port."""

from __future__ import annotations

import asyncio
import sys

from flowyard import Runtime
from flowyard.api.grpc_server import serve_grpc
from flowyard.config import ComponentSpec
from flowyard.remote import RemoteExecutors


async def main(file: str, port: int) -> None:
    """Serve until the input ends."""
    metadata = {"connectionString": f"sqlite:///{file}"}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    executors = RemoteExecutors()
    async with (
        Runtime.open([spec], executor=executors.make) as runtime,
        serve_grpc(runtime, executors, port=port) as bound,
    ):
        print(bound, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
