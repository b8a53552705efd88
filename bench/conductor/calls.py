"""`get` and `start` through the component, beside the REST calls that they need."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median

import httpx

from bench.chain import chain
from bench.conductor.chain import app
from bench.conductor.server import conductor, new_queue, open_runtime
from bench.process import report, run
from bench.sample import Row, interleave
from flowyard.identifier import new_uuid

_COUNT = 200
_CALLS = {
    "get": "`get`",
    "new": "`start`, with an ID of ours",
    "given": "`start`, with an ID of the caller's",
}


class Raw:
    """The calls that the component cannot do without."""

    def __init__(self, client: httpx.AsyncClient, body: dict[str, object]) -> None:
        self._client = client
        self._body = body

    async def find(self, instance_id: str) -> httpx.Response:
        """Look for the workflows of an ID."""
        query: dict[str, str | int] = {"query": f"correlationId='{instance_id}'", "size": 100}
        return await self._call("GET", "/workflow/search", params=query)

    async def get(self, instance_id: str) -> None:
        """Look for it, and read it."""
        found = (await self.find(instance_id)).json()["results"][0]
        await self._call("GET", f"/workflow/{found['workflowId']}?includeTasks=false")

    async def new(self) -> None:
        """Start a workflow as the component has started one."""
        await self._call("POST", "/workflow", json={**self._body, "correlationId": _new_id()})

    async def given(self) -> None:
        """Claim an ID, see whether it is free, and start a workflow."""
        instance_id = _new_id()
        claim = {
            "name": instance_id,
            "version": 1,
            "schemaVersion": 2,
            "ownerEmail": "bench@example.com",
            "timeoutSeconds": 0,
            "tasks": [{"name": "noop", "taskReferenceName": "noop", "type": "NOOP"}],
        }
        await self._call("POST", "/metadata/workflow", json=claim)
        await self.find(instance_id)
        await self._call("POST", "/workflow", json={**self._body, "correlationId": instance_id})
        await self._call("DELETE", f"/metadata/workflow/{instance_id}/1")

    async def _call(self, method: str, path: str, **given: object) -> httpx.Response:
        answer = await self._client.request(method, path, **given)  # type: ignore[arg-type]
        return answer.raise_for_status()


async def milliseconds(*calls: Callable[[], Awaitable[object]]) -> list[float]:
    """Return the median of what each takes; they take turns."""
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(_COUNT):
        for call, times in zip(calls, taken, strict=True):
            began = time.perf_counter()
            await call()
            times.append((time.perf_counter() - began) * 1000)
    return [median(times) for times in taken]


async def measure(url: str) -> dict[str, float]:
    """Measure with a component that manages: nobody takes what is started."""
    queue = new_queue()
    async with open_runtime(url, app, queue) as runtime:
        completed = (await runtime.wait(await runtime.start(chain, input=0))).instance_id
    async with (
        open_runtime(url, None, queue) as runtime,
        httpx.AsyncClient(base_url=url, timeout=60) as client,
    ):
        instance_id = await runtime.start("chain", input=0)
        raw = Raw(client, {})
        found = (await raw.find(instance_id)).json()["results"][0]
        whole = (await client.get(f"/workflow/{found['workflowId']}")).json()
        raw = Raw(
            client,
            {
                "name": whole["workflowName"],
                "version": 1,
                "workflowDef": whole["workflowDefinition"],
                "input": whole["input"],
            },
        )
        pairs: dict[str, tuple[Callable[[], Awaitable[object]], ...]] = {
            "get": (lambda: runtime.get(completed), lambda: raw.get(completed)),
            "new": (lambda: runtime.start("chain", input=0), raw.new),
            "given": (
                lambda: runtime.start("chain", input=0, instance_id=_new_id()),
                raw.given,
            ),
        }
        measured = {}
        for name, pair in pairs.items():
            measured[name], measured[f"raw_{name}"] = await milliseconds(*pair)
        return measured


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with the raw calls."""
    with conductor() as url:
        # A server that has just started is slow for a while.
        run("conductor.calls", url)
        taken = interleave(rounds, {"calls": partial(run, "conductor.calls", url)})["calls"]
    return [
        Row(
            f"Conductor: {what}, p50",
            f"{taken[name]} ms",
            f"raw calls: {taken[f'raw_{name}']} ms",
            taken[name].over(taken[f"raw_{name}"]),
            "at most 1.1",
        )
        for name, what in _CALLS.items()
    ]


def _new_id() -> str:
    return str(new_uuid())


def main() -> None:
    """Take one measurement: `calls.py URL`."""
    report(asyncio.run(measure(sys.argv[1])))


if __name__ == "__main__":
    main()
