"""From publishing to arriving through a server, beside redis-py alone that does it by hand."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import grpc.aio
from redis.asyncio import Redis
from starlette.types import Receive, Scope, Send

from bench.backend import scratch
from bench.management import Call, http_call
from bench.process import report, run
from bench.sample import Row, interleave
from bench.server import serving
from flowyard.wire.v1 import pubsub_pb2 as wire

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.redis_server import RedisServer, redis_program
from wire.app.service import running

_SLICES, _SLICE = 10, 20
_AT_ONCE, _EACH = 16, 50
_WARM_UP = 50
# What the disk takes is not what is compared.
_QUICK = ("--appendonly", "no")
_PUBSUB = "bench-pubsub"
_BODY = '{"name":"car","total":9}'


@dataclass(frozen=True, slots=True)
class Way:
    """How messages go: `publish` has a call for each of several publishers."""

    publish: Sequence[Call]
    arrived: asyncio.Semaphore

    async def once(self) -> float:
        """Return how long one message takes until it is published and has arrived, in ms."""
        began = time.perf_counter()
        await self.publish[0]()
        await self.arrived.acquire()
        return (time.perf_counter() - began) * 1000

    async def rate(self) -> float:
        """Return how many messages a second arrive while several publish them."""
        began = time.perf_counter()
        await asyncio.gather(*(self._repeat(call) for call in self.publish))
        for _ in range(len(self.publish) * _EACH):
            await self.arrived.acquire()
        return len(self.publish) * _EACH / (time.perf_counter() - began)

    async def _repeat(self, call: Call) -> None:
        for _ in range(_EACH):
            await call()


class Taker:
    """An application over HTTP that takes each event of the topic `http`."""

    def __init__(self) -> None:
        self.arrived = asyncio.Semaphore(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        body = b""
        if scope["path"] == "/dapr/subscribe":
            item = {"pubsubname": _PUBSUB, "topic": "http", "route": "/http"}
            body = json.dumps([item]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
        if not body:
            self.arrived.release()


@asynccontextmanager
async def streamed(address: str) -> AsyncIterator[asyncio.Semaphore]:
    """Take each event of the topic `stream` by a stream over gRPC."""
    arrived = asyncio.Semaphore(0)

    async def take(call: Any) -> None:
        asked = wire.SubscribeInitialRequest(pubsub_name=_PUBSUB, topic="stream")
        await call.write(wire.SubscribeRequest(initial_request=asked))
        await call.read()
        while True:
            event = (await call.read()).event_message
            processed = wire.SubscribeEventProcessed(id=event.id, status=wire.TopicEventResponse())
            await call.write(wire.SubscribeRequest(event_processed=processed))
            arrived.release()

    async with grpc.aio.insecure_channel(address) as channel:
        method: Any = channel.stream_stream(
            "/dapr.proto.runtime.v1.Dapr/SubscribeTopicEventsAlpha1",
            wire.SubscribeRequest.SerializeToString,
            wire.SubscribeResponse.FromString,
        )
        taking = asyncio.create_task(take(method()))
        try:
            yield arrived
        finally:
            taking.cancel()


@asynccontextmanager
async def by_hand(address: str) -> AsyncIterator[Way]:
    """Publish to a stream of Redis, and read it as a group, with redis-py alone."""
    host, _, port = address.partition(":")
    arrived = asyncio.Semaphore(0)

    async def take(client: Any) -> None:
        while True:
            found = await client.xreadgroup("bench", "one", {"alone": ">"}, count=100, block=1000)
            for _, entries in found:
                for entry_id, _ in entries:
                    await client.xack("alone", "bench", entry_id)
                    arrived.release()

    async with (
        Redis(host=host, port=int(port)) as client,
        Redis(host=host, port=int(port)) as other,
    ):
        await client.xgroup_create("alone", "bench", 0, mkstream=True)
        taking = asyncio.create_task(take(other))
        publish = partial(client.xadd, "alone", {"data": _BODY})
        try:
            yield Way([publish] * _AT_ONCE, arrived)
        finally:
            taking.cancel()


async def measure(redis: str, folder: Path) -> dict[str, float]:
    """Measure in alternating slices: what disturbs one disturbs all."""
    taker = Taker()
    blocks = {_PUBSUB: ("pubsub.redis", {"redisHost": redis})}
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(running(taker))
        options = ("--app-port", str(port), "--app-id", "bench")
        server = stack.enter_context(serving(folder, *options, blocks=blocks))

        async def publishers(topic: str) -> Sequence[Call]:
            path = f"/v1.0/publish/{_PUBSUB}/{topic}"
            calls = [http_call(server.http, path, "POST", _BODY) for _ in range(_AT_ONCE)]
            return [await stack.enter_async_context(call) for call in calls]

        stream = await stack.enter_async_context(streamed(server.grpc))
        ways = {
            "alone": await stack.enter_async_context(by_hand(redis)),
            "http": Way(await publishers("http"), taker.arrived),
            "stream": Way(await publishers("stream"), stream),
        }
        for way in ways.values():
            for _ in range(_WARM_UP):
                await way.once()
        took: dict[str, list[float]] = {name: [] for name in ways}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(_SLICES):
            for name, way in ways.items():
                took[name] += [await way.once() for _ in range(_SLICE)]
                rates[name].append(await way.rate())
        return {
            **{name: median(times) for name, times in took.items()},
            **{f"{name} rate": median(each) for name, each in rates.items()},
        }


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with redis-py alone."""
    samples = interleave(rounds, {"pubsub": partial(run, "pubsub")})["pubsub"]
    ways = {"http": "to an application over HTTP", "stream": "to a stream over gRPC"}
    return [
        row
        for way, name in ways.items()
        for row in (
            Row(
                f"pubsub.redis: from publishing over HTTP {name}, one at a time: latency, p50",
                f"{samples[way]} ms",
                f"redis-py alone: {samples['alone']} ms",
                samples[way].over(samples["alone"]),
            ),
            Row(
                f"pubsub.redis: from publishing over HTTP {name}, {_AT_ONCE} publishers",
                f"{samples[f'{way} rate']} a second",
                f"redis-py alone: {samples['alone rate']} a second",
                samples[f"{way} rate"].over(samples["alone rate"]),
            ),
        )
    ]


def main() -> None:
    """Take one measurement."""
    with scratch() as folder, RedisServer(redis_program(), folder, *_QUICK) as server:
        report(asyncio.run(measure(server.address, folder)))


if __name__ == "__main__":
    main()
