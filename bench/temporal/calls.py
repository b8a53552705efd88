"""`get` and `raise_event` through the component, beside the raw calls that they need."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import median

from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    SignalWorkflowExecutionRequest,
)
from temporalio.client import Client

from bench.process import run
from bench.sample import Row, interleave
from bench.temporal.server import QUEUE, open_runtime, report_and_leave, temporal
from flowyard import Runtime
from flowyard.identifier import new_uuid

_COUNT, _AT_ONCE = 300, 50
_LENGTHS = (10, 100, 1000, 10_000)
_EVENT = "item"


class Raw:
    """The calls that the component cannot do without."""

    def __init__(self, client: Client) -> None:
        self._service = client.workflow_service

    async def get(self, instance_id: str) -> None:
        """Ask for the description, and for both ends of the history."""
        execution = WorkflowExecution(workflow_id=instance_id)
        await asyncio.gather(
            self._service.describe_workflow_execution(
                DescribeWorkflowExecutionRequest(namespace="default", execution=execution)
            ),
            self._service.get_workflow_execution_history(
                GetWorkflowExecutionHistoryRequest(
                    namespace="default", execution=execution, maximum_page_size=1
                )
            ),
            self._service.get_workflow_execution_history_reverse(
                GetWorkflowExecutionHistoryReverseRequest(
                    namespace="default", execution=execution, maximum_page_size=1
                )
            ),
        )

    async def raise_event(self, instance_id: str) -> None:
        """Signal the workflow."""
        await self._service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(
                namespace="default",
                workflow_execution=WorkflowExecution(workflow_id=instance_id),
                signal_name=_EVENT,
                input=Payloads(
                    payloads=[Payload(metadata={"encoding": b"json/plain"}, data=b"true")]
                ),
                request_id=str(new_uuid()),
            )
        )


async def instance_of(length: int, client: Client) -> str:
    """Start an instance that nobody works for, and give it a history of this length."""
    instance_id = f"{length}-{new_uuid()}"
    await client.start_workflow("nobody", id=instance_id, task_queue=QUEUE)
    raw, slots = Raw(client), asyncio.Semaphore(_AT_ONCE)

    async def raise_event() -> None:
        async with slots:
            await raw.raise_event(instance_id)

    # It has started, and waits for its first workflow task.
    await asyncio.gather(*(raise_event() for _ in range(length - 2)))
    return instance_id


async def milliseconds(*calls: Callable[[], Awaitable[object]]) -> list[float]:
    """Return the median of what each takes; they take turns."""
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(_COUNT):
        for call, times in zip(calls, taken, strict=True):
            began = time.perf_counter()
            await call()
            times.append((time.perf_counter() - began) * 1000)
    return [median(times) for times in taken]


async def measure(address: str) -> dict[str, float]:
    """Measure `get` at each length, and `raise_event`."""
    client = await Client.connect(address)
    raw = Raw(client)
    found: dict[str, float] = {}
    async with open_runtime(address, None) as runtime:
        for length in _LENGTHS:
            instance_id = await instance_of(length, client)
            found |= await measure_get(runtime, raw, length, instance_id)
        instance_id = await instance_of(_LENGTHS[0], client)
        own, bare = await milliseconds(
            lambda: runtime.raise_event(instance_id, _EVENT, data=True),
            lambda: raw.raise_event(instance_id),
        )
    return {**found, "raise_event": own, "raw_raise_event": bare}


async def measure_get(
    runtime: Runtime, raw: Raw, length: int, instance_id: str
) -> dict[str, float]:
    """Measure `get` of one instance."""
    own, bare = await milliseconds(lambda: runtime.get(instance_id), lambda: raw.get(instance_id))
    return {f"get_{length}": own, f"raw_get_{length}": bare}


def rows(rounds: int, _: str | None) -> list[Row]:
    """Compare with the raw calls, and the longest history with the shortest."""
    with temporal() as address:
        taken = interleave(rounds, {"calls": partial(run, "temporal.calls", address)})["calls"]
    shortest, *_rest, longest = _LENGTHS
    names = [("raise_event", "raise_event", "")]
    names += [("get", f"get_{length}", f" of {length:,} events") for length in _LENGTHS]
    found = [
        Row(
            f"Temporal: `{name}`{of}, p50",
            f"{taken[key]} ms",
            f"raw calls: {taken[f'raw_{key}']} ms",
            taken[key].over(taken[f"raw_{key}"]),
            "at most 1.1",
        )
        for name, key, of in names
    ]
    flat = Row(
        f"Temporal: `get` of {longest:,} events, p50",
        f"{taken[f'get_{longest}']} ms",
        f"of {shortest} events: {taken[f'get_{shortest}']} ms",
        taken[f"get_{longest}"].over(taken[f"get_{shortest}"]),
        "flat",
    )
    return [*found, flat]


def main() -> None:
    """Take one measurement: `calls.py ADDRESS`."""
    report_and_leave(asyncio.run(measure(sys.argv[1])))


if __name__ == "__main__":
    main()
