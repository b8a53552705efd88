"""Getting and saving state in process, beside redis-py alone that does the same by hand."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from redis.asyncio import Redis

from bench.backend import scratch
from bench.process import report, run
from bench.sample import Row, interleave
from flowyard.backend import SetState, StateStore
from flowyard.blocks.opening import open_blocks
from flowyard.clock import SystemClock
from flowyard.config import ComponentSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.redis_server import RedisServer, redis_program

_SLICES, _CALLS = 40, 50
_AT_ONCE = 50
# What the disk takes is not what is compared.
_QUICK = ("--appendonly", "no")
_VALUE = b'{"name":"car","total":9}'

Call = Callable[[str], Awaitable[object]]


def by_hand(client: Any) -> Mapping[str, Call]:
    """Return what a program would write that has redis-py alone."""

    async def save(key: str) -> None:
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, "data", _VALUE)
            pipeline.hincrby(key, "version", 1)
            await pipeline.execute()

    return {"get": client.hgetall, "save": save}


def by_component(store: StateStore) -> Mapping[str, Call]:
    """Return the calls of a state store."""
    return {"get": store.get, "save": lambda key: store.set(SetState(key, _VALUE, is_json=True))}


async def latency(call: Call) -> list[float]:
    """Return what each of some calls took, in milliseconds."""
    took = []
    for number in range(_CALLS):
        began = time.perf_counter()
        await call(f"bench||{number}")
        took.append((time.perf_counter() - began) * 1000)
    return took


async def rate(call: Call) -> float:
    """Return how many calls a second were done, many at a time."""
    began = time.perf_counter()
    for _ in range(_CALLS):
        await asyncio.gather(*(call(f"bench||{number}") for number in range(_AT_ONCE)))
    return _CALLS * _AT_ONCE / (time.perf_counter() - began)


async def measure(address: str, folder: Path) -> dict[str, float]:
    """Measure in alternating slices: what disturbs one disturbs all."""
    host, _, port = address.partition(":")
    specs = [
        ComponentSpec("redis", "state.redis", metadata={"redisHost": address}),
        ComponentSpec("file", "state.sqlite", metadata={"url": str(folder / "state.db")}),
    ]
    async with (
        Redis(host=host, port=int(port)) as client,
        open_blocks(specs, (), "bench", SystemClock()) as blocks,
    ):
        stores = {name: by_component(state.store) for name, state in blocks.states.items()}
        calls = {
            f"{name} {verb}": call
            for name, verbs in {"alone": by_hand(client), **stores}.items()
            for verb, call in verbs.items()
        }
        took: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(_SLICES):
            for name, call in calls.items():
                took[name] += await latency(call)
        measured = {name: median(times) for name, times in took.items()}
        for name, call in calls.items():
            measured[f"{name} rate"] = await rate(call)
        return measured


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with redis-py alone."""
    samples = interleave(rounds, {"state": partial(run, "state_redis")})["state"]
    return [
        *(
            Row(
                f"state.redis: {verb}, one at a time: latency, p50",
                f"{samples[f'redis {verb}']} ms",
                f"redis-py alone: {samples[f'alone {verb}']} ms",
                samples[f"redis {verb}"].over(samples[f"alone {verb}"]),
                "at most 1.5",
            )
            for verb in ("get", "save")
        ),
        *(
            Row(
                f"state.redis: {verb}, {_AT_ONCE} at a time",
                f"{samples[f'redis {verb} rate']} a second",
                f"redis-py alone: {samples[f'alone {verb} rate']} a second",
                samples[f"redis {verb} rate"].over(samples[f"alone {verb} rate"]),
            )
            for verb in ("get", "save")
        ),
        *(
            Row(
                f"state.sqlite: {verb}, one at a time: latency, p50",
                f"{samples[f'file {verb}']} ms",
                "",
                "",
            )
            for verb in ("get", "save")
        ),
    ]


def main() -> None:
    """Take one measurement."""
    with scratch() as folder, RedisServer(redis_program(), folder, *_QUICK) as server:
        report(asyncio.run(measure(server.address, folder)))


if __name__ == "__main__":
    main()
