"""`get` and `start` through the component, beside the REST calls that they need."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median

import httpx

from bench.conductor.server import conductor, new_queue, open_runtime
from bench.process import report, run
from bench.sample import Row, interleave
from flowyard import App, WorkflowContext
from flowyard.identifier import new_uuid

_COUNT = 200
_CALLS = {
    "get": "`get`",
    "native": "`start` of a native definition",
    "hosted": "`start` of a hosted workflow",
    "given": "`start` of a hosted workflow with an ID of the caller's",
}
_NATIVE = "bench_waiting"

app = App()


@app.workflow
async def waiting(ctx: WorkflowContext, _: object) -> None:
    """Wait."""
    await ctx.wait_for_external_event("go")


class Raw:
    """The calls that the component cannot do without."""

    def __init__(self, client: httpx.AsyncClient, body: dict[str, object]) -> None:
        self._client = client
        self._body = body

    async def find(self, instance_id: str) -> httpx.Response:
        """Look for the workflows of an ID, the latest first."""
        query = {"query": f"correlationId='{instance_id}'", "sort": "startTime:DESC"}
        return await self._call("GET", "/workflow/search", params=query)

    async def get(self, instance_id: str) -> object:
        """Look for it, and read it."""
        found = (await self.find(instance_id)).json()["results"][0]
        path = f"/workflow/{found['workflowId']}?includeTasks=false"
        return (await self._call("GET", path)).json()

    async def native(self) -> None:
        """Start a native workflow."""
        body = {"name": _NATIVE, "correlationId": _new_id(), "input": {}}
        await self._call("POST", "/workflow", json=body)

    async def hosted(self) -> None:
        """See whether there is a definition, and start a workflow as the component has done."""
        await self._look_for_definition()
        await self._call("POST", "/workflow", json={**self._body, "correlationId": _new_id()})

    async def given(self) -> None:
        """Do so after claiming an ID and seeing whether it is free."""
        instance_id = _new_id()
        await self._look_for_definition()
        await self._call("POST", "/metadata/workflow", json=definition(instance_id, "NOOP"))
        await self.find(instance_id)
        await self._call("POST", "/workflow", json={**self._body, "correlationId": instance_id})
        await self._call("DELETE", f"/metadata/workflow/{instance_id}/1")

    async def _look_for_definition(self) -> None:
        answer = await self._client.get("/metadata/workflow/waiting")
        assert answer.status_code == httpx.codes.NOT_FOUND

    async def _call(self, method: str, path: str, **given: object) -> httpx.Response:
        answer = await self._client.request(method, path, **given)  # type: ignore[arg-type]
        return answer.raise_for_status()


def definition(name: str, kind: str) -> dict[str, object]:
    """Return a definition of one task."""
    return {
        "name": name,
        "version": 1,
        "schemaVersion": 2,
        "ownerEmail": "bench@example.com",
        "timeoutSeconds": 0,
        "timeoutPolicy": "ALERT_ONLY",
        "tasks": [{"name": "only", "taskReferenceName": "only", "type": kind}],
    }


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
    """Measure `get` of a closed instance, and starts where nobody takes what is started."""
    queue = new_queue()
    async with open_runtime(url, app, queue) as runtime:
        closed = await runtime.start(waiting)
        await runtime.terminate(closed)
        await runtime.wait(closed)
    async with (
        open_runtime(url, None, queue) as runtime,
        httpx.AsyncClient(base_url=url, timeout=60) as client,
    ):
        await client.put("/metadata/workflow", json=[definition(_NATIVE, "WAIT")])
        raw = Raw(client, await _body_of(client, await runtime.start("waiting")))
        pairs: dict[str, tuple[Callable[[], Awaitable[object]], ...]] = {
            "get": (lambda: runtime.get(closed), lambda: raw.get(closed)),
            "native": (lambda: runtime.start(_NATIVE), raw.native),
            "hosted": (lambda: runtime.start("waiting"), raw.hosted),
            "given": (lambda: runtime.start("waiting", instance_id=_new_id()), raw.given),
        }
        measured = {}
        for name, pair in pairs.items():
            measured[name], measured[f"raw_{name}"] = await milliseconds(*pair)
        return measured


async def _body_of(client: httpx.AsyncClient, instance_id: str) -> dict[str, object]:
    """Return what the component has sent to start an instance."""
    found = (await Raw(client, {}).find(instance_id)).json()["results"][0]
    workflow = (await client.get(f"/workflow/{found['workflowId']}")).json()
    return {
        "name": workflow["workflowName"],
        "version": 1,
        "workflowDef": workflow["workflowDefinition"],
        "input": workflow["input"],
    }


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
    return f"order-{new_uuid()}"


def main() -> None:
    """Take one measurement: `calls.py URL`."""
    report(asyncio.run(measure(sys.argv[1])))


if __name__ == "__main__":
    main()
