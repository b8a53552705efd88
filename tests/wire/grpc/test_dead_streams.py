"""Workers that die leave nothing behind in the server, however they die."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import grpc.aio
import pytest

from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.executors.work_queue import WorkQueue
from flowyard.server.grpc.server import serve_grpc
from wire.grpc.peer import PATIENCE, Peer, complete

_BATCH = 200
# What a dead stream may cost in bytes: less than the smallest object that could remember it.
_MOST = 64

# Of HTTP/2: types of frames, and flags.
_DATA, _HEADERS, _RST_STREAM, _SETTINGS = 0, 1, 3, 4
_END_STREAM, _END_HEADERS = 1, 4
_CANCEL = 8


class Line:
    """A worker's connection as its bytes, so that it can end in any way. It has no client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Line:
        """Connect, and ask for work."""
        line = cls(*await asyncio.open_connection("127.0.0.1", port))
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": "/TaskHubSidecarService/GetWorkItems",
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
        }
        line._writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        line._send(_SETTINGS, 0, b"", stream=0)
        line._send(
            _HEADERS, _END_HEADERS, b"".join(_literal(*header) for header in headers.items())
        )
        line._send(_DATA, _END_STREAM, bytes(5))  # a message of no bytes
        return line

    async def work(self) -> None:
        """Return once there is some."""
        kind = None
        async with asyncio.timeout(PATIENCE):
            while kind != _DATA:
                size, kind, _, _ = struct.unpack(">xHBBI", await self._reader.readexactly(9))
                await self._reader.readexactly(size)

    def cancel(self) -> None:
        """End the stream alone, as a client does that cancels the call."""
        self._send(_RST_STREAM, 0, _CANCEL.to_bytes(4))

    def close(self) -> None:
        """End the connection in good order."""
        self._writer.close()

    def reset(self) -> None:
        """Have the server receive a reset, as from a machine that was started anew."""
        at_once = struct.pack("ii", 1, 0)
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self._writer.transport.abort()

    def _send(self, kind: int, flags: int, payload: bytes, stream: int = 1) -> None:
        frame = struct.pack(">xHBBI", len(payload), kind, flags, stream)
        self._writer.write(frame + payload)


def _literal(name: str, value: str) -> bytes:
    texts = (name.encode(), value.encode())
    return b"\0" + b"".join(bytes([len(text)]) + text for text in texts)


Death = Callable[[Line], None]


async def until_connected(queue: WorkQueue, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while queue.connected != count:  # noqa: ASYNC110 - gRPC gives no sign
            await asyncio.sleep(0.001)


async def _live_and_die(port: int, queue: WorkQueue, death: Death, *, has_work: bool) -> None:
    """Connect a worker, which takes work if there is some, and dies."""
    line = await Line.connect(port)
    await until_connected(queue, 1)
    if has_work:
        await line.work()
    death(line)
    await until_connected(queue, 0)
    line.close()


def _alive() -> Counter[str]:
    """Count what lives of ours, of gRPC's and of asyncio's."""
    gc.collect()
    kinds = Counter(
        f"{type(kept).__module__}.{type(kept).__name__}"
        for kept in gc.get_objects()
        # The event loop forgets timers that were cancelled when there are a hundred of them.
        if not (isinstance(kept, asyncio.TimerHandle) and kept.cancelled())
    )
    return Counter(
        {
            kind: count
            for kind, count in kinds.items()
            if kind.startswith(("flowyard", "grpc", "_asyncio", "asyncio", "builtins.coroutine"))
        }
    )


def _traced_bytes() -> int:
    # Python's SQLite module forgets its cursors when there are 200 of them, and the engine has its
    # own pulse; the event loop forgets timers late (see above); and looking takes memory itself.
    timers = [f"*/asyncio/{name}.py" for name in ("base_events", "events", "timeouts")]
    others = ("*/flowyard_engine/*", *timers, tracemalloc.__file__, __file__)
    snapshot = tracemalloc.take_snapshot()
    mine = snapshot.filter_traces([tracemalloc.Filter(False, other) for other in others])
    return sum(trace.size for trace in mine.traces)


@pytest.mark.parametrize("death", [Line.cancel, Line.close, Line.reset])
@pytest.mark.parametrize("has_work", [True, False])
async def test_dead_streams_leave_no_memory_behind(
    tmp_path: Path, death: Death, has_work: bool
) -> None:
    metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    executors = RemoteExecutors()
    async with (
        Runtime.open([spec], executor=executors.make) as runtime,
        serve_grpc(runtime, executors, port=0, grace_seconds=0) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        queue = executors.queue("orders")
        peer = Peer(channel)
        if has_work:
            await peer.start("chain")
        for _ in range(_BATCH):
            await _live_and_die(port, queue, death, has_work=has_work)
        alive = _alive()
        tracemalloc.start()
        sizes = []
        for _ in range(2):
            for _ in range(_BATCH):
                await _live_and_die(port, queue, death, has_work=has_work)
            # What is under way at the moment may differ by some.
            grown = {kind: count for kind, count in (_alive() - alive).items() if count > 10}
            assert not grown
            sizes.append(_traced_bytes())
        tracemalloc.stop()
        assert (sizes[1] - sizes[0]) / _BATCH < _MOST
        if has_work:
            worker = peer.worker()
            await worker.decide(await worker.turn(), complete(1, "1"))
            await peer.ended()
