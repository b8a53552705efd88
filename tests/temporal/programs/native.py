"""A worker of ordinary Temporal workflows, which know nothing of Flowyard.

`python -m temporal.programs.native HOST:PORT NAMESPACE TASK_QUEUE` runs until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RawValue, RetryPolicy
from temporalio.worker import Worker
from temporalio.workflow import ParentClosePolicy

_SHORTLY = timedelta(milliseconds=10)


@activity.defn(name="double")
async def double(number: int) -> int:
    return 2 * number


@activity.defn(name="break")
async def break_down(message: str) -> None:
    raise ValueError(message)


@workflow.defn(name="Echo")
class Echo:
    @workflow.run
    async def run(self, value: Any = None) -> Any:
        return value


@workflow.defn(name="Waiter")
class Waiter:
    """Waits for the signal `go`, however it is written, and returns what it brought."""

    def __init__(self) -> None:
        self.brought: list[Any] = []

    @workflow.signal(dynamic=True)
    def take(self, name: str, arguments: Sequence[RawValue]) -> None:
        if name.lower() == "go":
            decoded = [
                workflow.payload_converter().from_payload(argument.payload)
                for argument in arguments
            ]
            self.brought.append(decoded[0] if decoded else None)

    @workflow.run
    async def run(self, value: Any = None) -> Any:
        await workflow.wait_condition(lambda: bool(self.brought))
        return self.brought[0]


@workflow.defn(name="Failing", failure_exception_types=[Exception])
class Failing:
    @workflow.run
    async def run(self, message: str) -> None:
        try:
            dict[str, str]()["the reason"]
        except KeyError as error:
            raise ValueError(message) from error


@workflow.defn(name="Collector")
class Collector:
    """Takes so many signals `item`, and shows in its memo how many it has."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    @workflow.signal
    def item(self, value: Any) -> None:
        self.items.append(value)
        workflow.upsert_memo({"customStatus": {"items": len(self.items)}})

    @workflow.run
    async def run(self, count: int) -> list[Any]:
        await workflow.wait_condition(lambda: len(self.items) >= count)
        return self.items


@workflow.defn(name="Steps")
class Steps:
    """An activity, a timer, a child, and a signal to another workflow."""

    @workflow.run
    async def run(self, number: int, other: str) -> Any:
        doubled = await workflow.execute_activity(
            "double", number, start_to_close_timeout=timedelta(seconds=30)
        )
        await asyncio.sleep(0.01)
        child = f"{workflow.info().workflow_id}-child"
        echoed = await workflow.execute_child_workflow("Echo", doubled, id=child)
        await workflow.get_external_workflow_handle(other).signal("go", echoed)
        return echoed


@workflow.defn(name="Breaking")
class Breaking:
    """Calls an activity that fails."""

    @workflow.run
    async def run(self, message: str) -> None:
        await workflow.execute_activity(
            "break",
            message,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


@workflow.defn(name="Insisting")
class Insisting:
    """Calls an activity that fails, and is tried again after an hour."""

    @workflow.run
    async def run(self, message: str) -> None:
        await workflow.execute_activity(
            "break",
            message,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(initial_interval=timedelta(hours=1)),
        )


@workflow.defn(name="Pairs")
class Pairs:
    """Begins with two arguments, and takes signals that have two."""

    def __init__(self) -> None:
        self.pairs: list[Any] = []

    @workflow.signal
    def pair(self, first: Any, second: Any) -> None:
        self.pairs.append([first, second])

    @workflow.run
    async def run(self, first: Any, second: Any) -> list[Any]:
        await workflow.wait_condition(lambda: bool(self.pairs))
        return [[first, second], *self.pairs]


@workflow.defn(name="Family")
class Family:
    """Starts children with these IDs and parent close policies, and ends when told to `go`."""

    def __init__(self) -> None:
        self.may_end = False

    @workflow.signal
    def go(self) -> None:
        self.may_end = True

    @workflow.run
    async def run(self, children: dict[str, str]) -> None:
        for instance_id, policy in children.items():
            await workflow.start_child_workflow(
                "Waiter", id=instance_id, parent_close_policy=ParentClosePolicy[policy]
            )
        workflow.upsert_memo({"customStatus": "settled"})
        await workflow.wait_condition(lambda: self.may_end)


@workflow.defn(name="Renewed")
class Renewed:
    """Has a child in its first run, and so many runs."""

    @workflow.run
    async def run(self, child: str, runs: int) -> str:
        if workflow.info().continued_run_id is None:
            await workflow.execute_child_workflow("Echo", "child", id=child)
        if runs > 1:
            workflow.continue_as_new(args=[child, runs - 1])
        return "done"


@workflow.defn(name="Longing")
class Longing:
    """Fills its history with markers of its own, by the hundred, and waits to be terminated."""

    @workflow.run
    async def run(self, events: int) -> None:
        while workflow.info().get_current_history_length() < events:
            for number in range(100):
                workflow.upsert_memo({"filler": number})
            await asyncio.sleep(0.001)
        workflow.upsert_memo({"customStatus": "full"})
        await workflow.wait_condition(lambda: False)


@workflow.defn(name="Broken")
class Broken:
    """Raises what is no failure to Temporal: the workflow task is tried again for ever."""

    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("this code is wrong")


async def main(address: str, namespace: str, task_queue: str) -> None:
    client = await Client.connect(address, namespace=namespace)
    workflows = [
        *(Echo, Waiter, Failing, Collector, Steps, Breaking),
        *(Family, Renewed, Longing, Broken, Insisting, Pairs),
    ]
    worker = Worker(
        client, task_queue=task_queue, workflows=workflows, activities=[double, break_down]
    )
    async with worker:
        print("READY", flush=True)  # noqa: T201 - to the test that started it
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
