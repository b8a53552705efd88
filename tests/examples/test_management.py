"""The management example, scenario M1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo import reached
from flowyard import InstanceNotFound, WorkflowStatus
from management import app, hello_world, world

if TYPE_CHECKING:
    from examples.conftest import OpenRuntime


def counts() -> list[str]:
    """What the counter has been."""
    return [detail.rpartition(" ")[2] for _, detail in world.calls()]


async def test_an_instance_is_managed_from_its_start_to_its_second_purge(
    open_runtime: OpenRuntime,
) -> None:
    async with open_runtime(app) as runtime:
        assert await runtime.start(hello_world, input="Hi", instance_id="hello") == "hello"
        state = await reached(runtime, "hello", lambda state: state.custom_status == "waiting")
        assert state.workflow == "hello_world"
        assert counts() == ["1", "11"]

        assert await runtime.pause("hello")
        assert not await runtime.pause("hello")
        assert (await runtime.get("hello")).status is WorkflowStatus.SUSPENDED
        assert await runtime.resume("hello")
        assert not await runtime.resume("hello")
        assert (await runtime.get("hello")).status is WorkflowStatus.RUNNING

        assert await runtime.raise_event("hello", "event1")
        state = await runtime.wait("hello")
        assert state.status is WorkflowStatus.COMPLETED
        assert state.result(int) == 1111
        assert counts() == ["1", "11", "111", "1111"]

        assert await runtime.purge("hello") == 1
        with pytest.raises(InstanceNotFound, match="no such instance exists"):
            await runtime.get("hello")

        await runtime.start(hello_world, input="Hi", instance_id="hello")
        assert await runtime.terminate("hello")
        assert (await runtime.wait("hello")).status is WorkflowStatus.TERMINATED
        assert await runtime.purge("hello") == 1
        with pytest.raises(InstanceNotFound, match="no such instance exists"):
            await runtime.get("hello")
