"""The runtime: components by name, payloads at the call, and what it refuses before asking them."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from flowyard import (
    ActivityContext,
    App,
    ComponentNotFound,
    FlowyardError,
    InstanceQuery,
    InvalidRequest,
    PayloadError,
    Runtime,
    SyncRuntime,
    UnsupportedOperation,
    WorkflowContext,
    WorkflowNotRegistered,
    WorkflowStatus,
)
from flowyard.backend.component import Capability, ComponentType
from flowyard.config import ComponentSpec
from flowyard_engine.plugin import ENGINE

if TYPE_CHECKING:
    from flowyard.testing import OpenWorkflowKit


class Order(BaseModel):
    item: str
    quantity: int = 1


app = App()


@app.activity
def reserve(ctx: ActivityContext, order: Order) -> str:
    return f"{order.quantity} {order.item}"


@app.workflow
async def process_order(ctx: WorkflowContext, order: Order) -> str:
    return await ctx.call_activity(reserve, input=order)


@app.workflow
async def patient(ctx: WorkflowContext) -> object:
    return await ctx.wait_for_external_event("go")


def engine(tmp_path: Path, name: str, kind: str = "workflow.engine") -> ComponentSpec:
    metadata = {"connectionString": f"sqlite:///{tmp_path / name}.db"}
    return ComponentSpec(name=name, type=kind, metadata=metadata)


async def test_a_workflow_is_started_by_function_or_by_name(
    workflow_kit: OpenWorkflowKit,
) -> None:
    async with workflow_kit(app) as kit:
        for workflow in (process_order, "process_order"):
            instance_id = await kit.runtime.start(workflow, input=Order(item="cup"))
            assert str(uuid.UUID(instance_id)) == instance_id
            assert (await kit.wait(instance_id)).result(str) == "1 cup"


async def test_an_input_that_does_not_fit_starts_nothing(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(app) as kit:
        with pytest.raises(PayloadError, match=r"input of workflow 'process_order' .*item: Field"):
            await kit.runtime.start(process_order, input={"quantity": 2}, instance_id="order-7")
        assert (await kit.runtime.list()).instances == ()


async def test_what_cannot_be_started_is_refused(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(app) as kit:
        with pytest.raises(WorkflowNotRegistered, match=r"Did you mean 'process_order'\?"):
            await kit.runtime.start("proces_order", input={"item": "cup"})
        with pytest.raises(InvalidRequest, match="the name of the workflow is empty"):
            await kit.runtime.start("")
        with pytest.raises(InvalidRequest, match="instance ID 'a b' is not valid"):
            await kit.runtime.start(patient, instance_id="a b")
        with pytest.raises(InvalidRequest, match="the name of the event is empty"):
            await kit.runtime.raise_event("order-7", "")
        with pytest.raises(PayloadError, match="data of event 'go' is not JSON"):
            await kit.runtime.raise_event("order-7", "go", object())
        with pytest.raises(PayloadError, match="output of instance 'order-7' is not JSON"):
            await kit.runtime.terminate("order-7", output=object())
        assert (await kit.runtime.list()).instances == ()


async def test_each_component_has_instances_of_its_own(tmp_path: Path) -> None:
    source = [engine(tmp_path, "first"), engine(tmp_path, "second")]
    async with Runtime.open(source, app) as runtime:
        await runtime.start(process_order, {"item": "cup"}, instance_id="order-7")
        await runtime.start(
            process_order, {"item": "pot"}, instance_id="order-7", component="second"
        )
        default = await runtime.wait("order-7")
        second = await runtime.wait("order-7", component="second")
        first = await runtime.get("order-7", component="first")
        by_dapr = await runtime.get("order-7", component="dapr")
    assert (default.result(str), second.result(str)) == ("1 cup", "1 pot")
    assert first == default == by_dapr


async def test_every_verb_refuses_a_component_that_is_not_there(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path, "orders")], app) as runtime:
        wrong = "order"
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: runtime.start(patient, component=wrong),
            lambda: runtime.get("i", component=wrong),
            lambda: runtime.wait("i", component=wrong),
            lambda: runtime.raise_event("i", "go", component=wrong),
            lambda: runtime.pause("i", component=wrong),
            lambda: runtime.resume("i", component=wrong),
            lambda: runtime.terminate("i", component=wrong),
            lambda: runtime.purge("i", component=wrong),
            lambda: runtime.list(component=wrong),
            lambda: runtime.history("i", component=wrong),
            lambda: runtime.rerun("i", 1, component=wrong),
        ]
        for call in calls:
            with pytest.raises(ComponentNotFound, match=r"Did you mean 'orders'\?"):
                await call()


async def test_waiting_ends_with_its_timeout_and_says_for_what(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path, "orders")], app) as runtime:
        instance_id = await runtime.start(patient, instance_id="order-7")
        with pytest.raises(TimeoutError, match="instance 'order-7' had not closed after 0 s"):
            await runtime.wait(instance_id, timeout=timedelta(0))
        await runtime.raise_event(instance_id, "go", [1])
        assert (await runtime.wait(instance_id)).result() == [1]


async def test_a_runtime_without_an_app_manages_and_runs_nothing(tmp_path: Path) -> None:
    source = [engine(tmp_path, "orders")]
    async with Runtime.open(source) as runtime:
        await runtime.start("patient", instance_id="order-7")
        assert await runtime.raise_event("order-7", "go", 5)
        assert (await runtime.get("order-7")).status is WorkflowStatus.PENDING
    async with Runtime.open(source, app) as runtime:
        assert (await runtime.wait("order-7")).result() == 5


async def test_a_naive_start_time_is_utc(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(app) as kit:
        start_at = kit.clock.time + timedelta(hours=1)
        instance_id = await kit.runtime.start(
            process_order, {"item": "cup"}, start_at=start_at.replace(tzinfo=None)
        )
        await kit.advance(timedelta(minutes=59))
        assert (await kit.runtime.get(instance_id)).status is WorkflowStatus.PENDING
        await kit.advance(timedelta(minutes=1))
        assert (await kit.wait(instance_id)).last_updated_at == start_at


async def test_what_a_component_has_not_declared_is_refused_by_name(tmp_path: Path) -> None:
    poor = ComponentType(
        "workflow.poor",
        ENGINE.settings,
        ENGINE.open,
        ENGINE.capabilities - {Capability.START_AT, Capability.TERMINATE_OUTPUT},
    )
    source = [engine(tmp_path, "poor", "workflow.poor")]
    async with Runtime.open(source, app, component_types=[poor]) as runtime:
        assert Capability.START_AT not in runtime.capabilities()
        with pytest.raises(UnsupportedOperation, match="'poor' does not support a start time"):
            await runtime.start(patient, start_at=datetime(2031, 1, 1, tzinfo=UTC))
        await runtime.start(patient, instance_id="order-7")
        with pytest.raises(UnsupportedOperation, match="does not support an output of terminate"):
            await runtime.terminate("order-7", output="enough")
        assert (await runtime.get("order-7")).status is WorkflowStatus.RUNNING
        assert await runtime.terminate("order-7")


async def test_a_listing_is_filtered_and_paged(workflow_kit: OpenWorkflowKit) -> None:
    async with workflow_kit(app) as kit:
        for number in range(3):
            await kit.runtime.start(patient, instance_id=f"p-{number}")
            await kit.advance(timedelta(seconds=1))
        await kit.wait(await kit.runtime.start(process_order, {"item": "cup"}, instance_id="o-1"))
        query = InstanceQuery(workflow="patient", page_size=2)
        page = await kit.runtime.list(query)
        assert [instance.instance_id for instance in page.instances] == ["p-2", "p-1"]
        rest = await kit.runtime.list(
            InstanceQuery("patient", page_size=2, continuation_token=page.continuation_token)
        )
        assert [instance.instance_id for instance in rest.instances] == ["p-0"]
        assert rest.continuation_token is None
        done = await kit.runtime.list(InstanceQuery(status=frozenset({WorkflowStatus.COMPLETED})))
        assert [instance.instance_id for instance in done.instances] == ["o-1"]


def test_the_sync_runtime_has_every_verb_with_the_same_arguments() -> None:
    def verbs(face: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in inspect.getmembers(face, inspect.isfunction)
            if not name.startswith("_") and name != "open"
        }

    asynchronous = verbs(Runtime)
    del asynchronous["component"]
    assert verbs(SyncRuntime) | {"capabilities": asynchronous["capabilities"]} == asynchronous


async def test_a_start_without_the_input_that_the_workflow_needs_is_refused(
    tmp_path: Path,
) -> None:
    async with Runtime.open([engine(tmp_path, "main")], app) as runtime:
        with pytest.raises(PayloadError, match="input of workflow 'process_order'"):
            await runtime.start(process_order, instance_id="order-1")
        page = await runtime.list()
        assert page.instances == ()


async def test_names_that_are_not_unicode_text_are_refused_at_the_call(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path, "main")], app) as runtime:
        with pytest.raises(InvalidRequest, match="workflow's name"):
            await runtime.start("order\udc00")
        instance_id = await runtime.start(patient)
        with pytest.raises(InvalidRequest, match="event's name"):
            await runtime.raise_event(instance_id, "go\udc00")


async def test_a_call_from_another_event_loop_is_refused_and_does_nothing(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path, "orders")], app) as runtime:
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: runtime.start(patient),
            lambda: runtime.get("order-7"),
            lambda: runtime.raise_event("order-7", "go"),
            lambda: runtime.terminate("order-7"),
            lambda: runtime.list(),
            lambda: runtime.wait("order-7"),
        ]

        def elsewhere(call: Callable[[], Awaitable[object]]) -> None:
            async def main() -> None:
                await call()

            with pytest.raises(FlowyardError, match=r"another event loop.* SyncRuntime"):
                asyncio.run(main())

        for call in calls:
            await asyncio.to_thread(elsewhere, call)
        assert (await runtime.list()).instances == ()


async def test_arguments_of_another_type_are_refused(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path, "orders")], app) as runtime:
        wrong: Any = uuid.UUID(int=7)
        for call in (
            lambda: runtime.get(wrong),
            lambda: runtime.start(patient, instance_id=wrong),
            lambda: runtime.purge(wrong),
            lambda: runtime.wait("order-7", timeout=5),  # type: ignore[arg-type]
            lambda: runtime.raise_event("order-7", wrong),
            lambda: runtime.start(patient, start_at="now"),  # type: ignore[arg-type]
            lambda: runtime.start(3),  # type: ignore[arg-type]
        ):
            with pytest.raises(InvalidRequest):
                await call()


async def test_an_instance_that_waits_for_code_says_so(tmp_path: Path) -> None:
    lacking = App()

    @lacking.workflow
    async def order(ctx: WorkflowContext) -> object:
        return await ctx.call_activity("send_mail")

    async with Runtime.open([engine(tmp_path, "orders")], lacking) as runtime:
        instance_id = await runtime.start(order)
        while (state := await runtime.get(instance_id)).detail is None:
            pass
        assert state.status is WorkflowStatus.RUNNING
        assert state.detail == "waits for activity 'send_mail', which this process lacks"

        @lacking.activity
        def send_mail(ctx: ActivityContext) -> str:
            return "mailed"

        assert (await runtime.wait(instance_id)).result() == "mailed"
