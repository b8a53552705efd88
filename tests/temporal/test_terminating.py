"""Whom the termination of a hosted parent ends besides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import ParentClosePolicy
from temporalio.api.workflow.v1 import PendingChildExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from flowyard import ActivityContext, App, Runtime, WorkflowContext, WorkflowStatus
from flowyard.config import ComponentSpec
from flowyard.models import InstanceQuery
from flowyard_temporal.connection import Connection
from flowyard_temporal.instances import Instances
from flowyard_temporal.operations.terminating import Terminating
from flowyard_temporal.settings import TemporalSettings
from flowyard_temporal.visibility.search import Visibility
from temporal.waiting import until

app = App()


@app.activity
async def nothing(_: ActivityContext) -> None:
    pass


@app.workflow
async def patient(ctx: WorkflowContext) -> None:
    await ctx.wait_for_external_event("never")


@app.workflow
async def careless(ctx: WorkflowContext, child: str) -> None:
    """End, and leave a child of this ID behind."""
    ctx.call_child_workflow(patient, instance_id=child)
    await ctx.call_activity(nothing)


@app.workflow
async def renewed(ctx: WorkflowContext, children: list[str]) -> None:
    """Leave a child behind in each execution, and wait in the last one."""
    if not children:
        await ctx.wait_for_external_event("never")
    ctx.call_child_workflow(patient, instance_id=children[0])
    # The child has been asked for by the time that this has run.
    await ctx.call_activity(nothing)
    ctx.continue_as_new(children[1:])


class AsTheStartIsRefused(Instances):
    """Shows the moment in which a parent has asked for a child, and the server not answered."""

    def __init__(self, connection: Connection, parent: str, child: str) -> None:
        super().__init__(connection)
        self._parent, self._child = parent, child

    async def describe(
        self, instance_id: str, run_id: str = ""
    ) -> DescribeWorkflowExecutionResponse:
        description = await super().describe(instance_id, run_id)
        if instance_id == self._parent:
            asked_for = PendingChildExecutionInfo(
                workflow_id=self._child,
                parent_close_policy=ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON,
            )
            description.pending_children.append(asked_for)
        return description


@pytest.fixture
async def runtime(temporal_server: str) -> AsyncIterator[Runtime]:
    metadata = {"hostPort": temporal_server, "taskQueue": uuid4().hex}
    spec = ComponentSpec("orders", "workflow.temporal", metadata=metadata)
    async with Runtime.open([spec], app) as runtime:
        yield runtime


@pytest.mark.parametrize("whose", ["nobody's", "an earlier instance's"])
async def test_an_instance_whose_id_a_parent_asks_for_in_vain_goes_on(
    runtime: Runtime, temporal_server: str, whose: str
) -> None:
    parent, victim = uuid4().hex, uuid4().hex
    if whose == "an earlier instance's":
        await runtime.start(careless, input=victim, instance_id=parent)
        await runtime.wait(parent)
        await runtime.start(patient, instance_id=parent)
    else:
        await runtime.start(patient, instance_id=victim)
        await runtime.start(patient, instance_id=parent)
    assert (await runtime.get(victim)).status in {WorkflowStatus.RUNNING, WorkflowStatus.PENDING}
    settings = TemporalSettings(host_port=temporal_server)
    async with Connection.open("orders", settings) as connection:
        instances = AsTheStartIsRefused(connection, parent, victim)
        assert await Terminating(connection, instances, Visibility(connection)).terminate(
            parent, None, recursive=True
        )
    assert (await runtime.get(parent)).status is WorkflowStatus.TERMINATED
    assert (await runtime.get(victim)).status in {WorkflowStatus.RUNNING, WorkflowStatus.PENDING}
    await runtime.terminate(victim)


async def test_children_that_earlier_executions_have_left_behind_end_too(runtime: Runtime) -> None:
    parent, children = uuid4().hex, [f"left-{uuid4().hex}" for _ in range(3)]
    await runtime.start(renewed, input=children, instance_id=parent)
    await until(lambda: runtime.get(parent), lambda state: state.input == "[]")
    for child in children[:-1]:
        # Of all but the last execution, Temporal's visibility tells.
        query = InstanceQuery(instance_id_prefix=child)
        await until(partial(runtime.list, query), lambda page: bool(page.instances))
    assert await runtime.terminate(parent) is True
    for child in children:
        assert (await runtime.get(child)).status is WorkflowStatus.TERMINATED
    assert await runtime.purge(parent) == 4


async def test_a_child_of_an_instance_that_had_the_id_before_is_not_of_the_family(
    runtime: Runtime,
) -> None:
    parent, child = uuid4().hex, uuid4().hex
    await runtime.start(careless, input=child, instance_id=parent)
    await runtime.wait(parent)
    await runtime.start(patient, instance_id=parent)
    assert await runtime.terminate(parent) is True
    assert not (await runtime.get(child)).status.is_closed
    assert await runtime.purge(parent) == 1
    assert not (await runtime.get(child)).status.is_closed
    await runtime.terminate(child)
