"""Dapr's management methods, and what guards the port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import grpc.aio
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from httpx import AsyncClient

from flowyard import App, Runtime, WorkflowContext
from flowyard.config import ComponentSpec
from flowyard.errors import ConfigurationError
from flowyard.executors.remote import RemoteExecutors
from flowyard.server.grpc.server import serve_grpc
from flowyard.server.http.server import Address
from flowyard.server.server import ServerOptions
from flowyard.server.server import open_server as open_whole_server
from flowyard.wire.v1 import management_pb2 as management
from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.peer import OpenServer, Peer, complete

TOKEN = "s3cret"  # noqa: S105
app = App()


@app.workflow
async def echo(_ctx: WorkflowContext, value: object) -> object:
    return value


@app.workflow
async def waiter(ctx: WorkflowContext, _: object = None) -> object:
    ctx.set_custom_status("waiting")
    return await ctx.wait_for_external_event("go")


@app.workflow
async def timed(ctx: WorkflowContext, _: object = None) -> str:
    await ctx.create_timer(timedelta(milliseconds=1))
    return "timed"


@app.workflow
async def broken(_ctx: WorkflowContext, _: object = None) -> None:
    raise ValueError("out of stock")


@pytest.fixture
async def address(open_server: OpenServer) -> AsyncIterator[str]:
    async with open_server(app) as address:
        yield address


@pytest.fixture
def peer(channel: grpc.aio.Channel) -> Peer:
    return Peer(channel)


def one(instance_id: str = "one", component: str = "dapr") -> management.WorkflowRequestById:
    return management.WorkflowRequestById(instance_id=instance_id, workflow_component=component)


async def start(peer: Peer, workflow: str, version: str = "Beta1", **fields: object) -> str:
    request = management.StartWorkflowRequest(
        workflow_name=workflow,
        workflow_component="dapr",
        **fields,  # type: ignore[arg-type]
    )
    method = f"StartWorkflow{version}"
    return (await peer.manage(method, request, management.StartWorkflowResponse)).instance_id


async def fault(peer: Peer, method: str, request: Message) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await peer.manage(method, request, Empty)
    return caught.value.code(), caught.value.details() or ""


@pytest.mark.parametrize("version", ["Alpha1", "Beta1"])
async def test_an_instance_is_managed_from_start_to_purge(peer: Peer, version: str) -> None:
    instance_id = await start(peer, "waiter", version, input=b'"x"')
    await peer.manage(f"PauseWorkflow{version}", one(instance_id), Empty)
    assert await peer.status(instance_id) == "SUSPENDED"
    await peer.manage(f"ResumeWorkflow{version}", one(instance_id), Empty)
    event = management.RaiseEventWorkflowRequest(
        instance_id=instance_id, workflow_component="dapr", event_name="Go", event_data=b"[1]"
    )
    await peer.manage(f"RaiseEventWorkflow{version}", event, Empty)
    await peer.ended(instance_id)
    answer = await peer.manage(
        f"GetWorkflow{version}", one(instance_id), management.GetWorkflowResponse
    )
    assert answer.runtime_status == "COMPLETED"
    assert answer.workflow_name == "waiter"
    assert answer.created_at.seconds <= answer.last_updated_at.seconds
    assert dict(answer.properties) == {
        "dapr.workflow.input": '"x"',
        "dapr.workflow.output": "[1]",
        "dapr.workflow.custom_status": "waiting",
    }
    await peer.manage(f"PurgeWorkflow{version}", one(instance_id), Empty)
    gone = await peer.manage(
        f"GetWorkflow{version}", one(instance_id), management.GetWorkflowResponse
    )
    assert gone == management.GetWorkflowResponse(instance_id=instance_id)


async def test_why_an_instance_has_failed_is_told(peer: Peer) -> None:
    instance_id = await start(peer, "broken")
    await peer.ended(instance_id)
    answer = await peer.manage("GetWorkflowBeta1", one(instance_id), management.GetWorkflowResponse)
    assert answer.properties["dapr.workflow.failure.error_type"] == "ValueError"
    assert answer.properties["dapr.workflow.failure.error_message"] == "out of stock"


async def test_a_start_time_is_kept_and_a_wrong_one_is_refused(peer: Peer) -> None:
    later = {"dapr.workflow.start_time": "2999-01-01T00:00:00.123456789Z"}
    instance_id = await start(peer, "echo", options=later)
    assert await peer.status(instance_id) == "PENDING"
    request = management.StartWorkflowRequest(
        workflow_name="echo", options={"dapr.workflow.start_time": "tomorrow"}
    )
    code, text = await fault(peer, "StartWorkflowBeta1", request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "tomorrow" in text


async def test_a_time_beyond_the_calendar_is_refused(peer: Peer) -> None:
    request = taskhub.CreateInstanceRequest(
        name="echo", scheduled_start_timestamp=Timestamp(seconds=2**60)
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await peer.ask("StartInstance", request, taskhub.CreateInstanceResponse)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("verb", ["Pause", "Resume", "Terminate", "Purge"])
async def test_an_unknown_instance_is_not_found(peer: Peer, verb: str) -> None:
    code, text = await fault(peer, f"{verb}WorkflowBeta1", one("nobody"))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "no such instance exists" in text


async def test_faults_of_the_caller_have_codes_of_their_own(peer: Peer) -> None:
    await start(peer, "waiter", instance_id="one")
    again = management.StartWorkflowRequest(workflow_name="waiter", instance_id="one")
    assert (await fault(peer, "StartWorkflowBeta1", again))[0] is grpc.StatusCode.ALREADY_EXISTS
    code, text = await fault(peer, "PurgeWorkflowBeta1", one())
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "orchestration has not yet completed" in text
    for request in (
        management.StartWorkflowRequest(workflow_name="echo", instance_id="a b"),
        management.StartWorkflowRequest(workflow_name=""),
        management.StartWorkflowRequest(workflow_name="echo", input=b"\xff"),
        management.StartWorkflowRequest(workflow_name="echo", input=b"{bad"),
        management.StartWorkflowRequest(workflow_name="echo", workflow_component="other"),
    ):
        code, _ = await fault(peer, "StartWorkflowBeta1", request)
        assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_rerun_that_cannot_be_has_the_code_that_says_why(peer: Peer) -> None:
    await start(peer, "waiter", instance_id="active")
    await start(peer, "timed", instance_id="closed")
    await peer.ended("closed")
    for source, event, new_id, code, text in (
        ("nobody", 1, "new", grpc.StatusCode.NOT_FOUND, "no such instance exists"),
        ("active", 1, "new", grpc.StatusCode.FAILED_PRECONDITION, "active"),
        ("closed", 7, "new", grpc.StatusCode.NOT_FOUND, "have history event with ID '7'"),
        ("closed", 1, "active", grpc.StatusCode.ALREADY_EXISTS, "already exists"),
        ("closed", 1, "closed", grpc.StatusCode.INVALID_ARGUMENT, "closed"),
        ("closed", 1, "a b", grpc.StatusCode.INVALID_ARGUMENT, "a b"),
    ):
        request = taskhub.RerunWorkflowFromEventRequest(
            source_instance_id=source, event_id=event, new_instance_id=new_id
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await peer.ask(
                "RerunWorkflowFromEvent", request, taskhub.RerunWorkflowFromEventResponse
            )
        assert caught.value.code() is code
        assert text in (caught.value.details() or "")
    request = taskhub.RerunWorkflowFromEventRequest(source_instance_id="closed", event_id=1)
    answer = await peer.ask(
        "RerunWorkflowFromEvent", request, taskhub.RerunWorkflowFromEventResponse
    )
    assert (await peer.ended(answer.new_instance_id)).output.value == '"timed"'


async def test_terminate_is_over_when_it_returns(peer: Peer) -> None:
    instance_id = await start(peer, "waiter")
    await peer.manage("TerminateWorkflowBeta1", one(instance_id), Empty)
    assert await peer.status(instance_id) == "TERMINATED"


async def test_instances_are_listed_by_pages(peer: Peer) -> None:
    started = {await start(peer, "waiter") for _ in range(5)}
    request = taskhub.ListInstanceIDsRequest(page_size=2)
    listed: list[str] = []
    while True:
        page = await peer.ask("ListInstanceIDs", request, taskhub.ListInstanceIDsResponse)
        assert len(page.instance_ids) <= 2
        listed += page.instance_ids
        if not page.continuation_token:
            break
        request.continuation_token = page.continuation_token
    assert len(listed) == 5
    assert set(listed) == started


async def test_a_purge_by_filter_takes_only_what_is_closed(peer: Peer) -> None:
    waiting = await start(peer, "waiter")
    for _ in range(3):
        await peer.ended(await start(peer, "echo"))
    request = taskhub.PurgeInstancesRequest(
        purge_instance_filter=taskhub.PurgeInstanceFilter(created_time_from=Timestamp(seconds=1))
    )
    answer = await peer.ask("PurgeInstances", request, taskhub.PurgeInstancesResponse)
    assert answer.deleted_instance_count == 3
    assert await peer.status(waiting) == "RUNNING"


async def test_a_forced_purge_ends_what_runs(peer: Peer) -> None:
    waiting = await start(peer, "waiter")
    request = taskhub.PurgeInstancesRequest(instance_id=waiting, force=True, recursive=True)
    answer = await peer.ask("PurgeInstances", request, taskhub.PurgeInstancesResponse)
    assert (answer.deleted_instance_count, answer.is_complete.value) == (1, True)
    assert await peer.status(waiting) == ""


async def test_only_the_token_opens_the_port(open_server: OpenServer) -> None:
    async with (
        open_server(token=TOKEN) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        for token in (None, "wrong", "s3cre", "s3crett"):
            peer = Peer(channel, token)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await peer.ask("Hello", taskhub.Nothing(), taskhub.Nothing)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await peer.worker().item()
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert TOKEN not in str(caught.value)
        await Peer(channel, TOKEN).ask("Hello", taskhub.Nothing(), taskhub.Nothing)


async def test_a_port_that_is_taken_is_an_error(address: str, tmp_path: Path) -> None:
    metadata = {"connectionString": f"sqlite:///{tmp_path / 'other.db'}"}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    executors = RemoteExecutors()
    port = int(address.rpartition(":")[2])
    async with Runtime.open([spec], executor=executors.make) as runtime:
        with pytest.raises(ConfigurationError, match=str(port)):
            async with serve_grpc(runtime, executors, port=port):
                pass


async def test_metadata_say_what_runs_here_and_how_many_workers_there_are(
    open_server: OpenServer,
) -> None:
    async with (
        open_server(app_id="shop") as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        peer = Peer(channel)
        alone = await peer.manage("GetMetadata", Empty(), management.GetMetadataResponse)
        assert alone.id == "shop"
        assert alone.runtime_version.startswith("flowyard-")
        (component,) = alone.registered_components
        assert (component.name, component.type) == ("orders", "workflow.engine")
        assert "pause" in component.capabilities
        assert not alone.HasField("workflows")
        worker = peer.worker()
        await peer.start("chain")
        await worker.turn()
        joined = await peer.manage("GetMetadata", Empty(), management.GetMetadataResponse)
        assert joined.workflows.connected_workers == 1


async def test_metadata_over_http_tell_the_same_of_a_whole_server(tmp_path: Path) -> None:
    metadata = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    options = ServerOptions([spec], Address(port=0, drain_seconds=0), grpc_port=0, app_id="shop")
    async with (
        open_whole_server(options, None, asyncio.Event()) as served,
        AsyncClient(base_url=served.http) as http,
        grpc.aio.insecure_channel(served.grpc or "") as channel,
    ):
        peer = Peer(channel)
        worker = peer.worker()
        await peer.start("chain")
        await worker.turn()
        told = await peer.manage("GetMetadata", Empty(), management.GetMetadataResponse)
        document = (await http.get("/v1.0/metadata")).json()
        assert document["workflows"] == {"connectedWorkers": told.workflows.connected_workers}
        assert told.workflows.connected_workers == 1
        assert (document["id"], document["runtimeVersion"]) == (told.id, told.runtime_version)
        assert told.id == "shop"


async def test_a_purge_by_filter_goes_on_past_a_parent_whose_child_is_active(
    open_server: OpenServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        peer = Peer(channel)
        worker = peer.worker()
        await peer.start("chain", "older")
        await worker.decide(await worker.turn(), complete(1, "1"))
        await peer.ended("older")
        await peer.start("chain", "parent")
        call = taskhub.CreateChildWorkflowAction(name="child", instance_id="active")
        child = taskhub.WorkflowAction(id=1, create_child_workflow=call)
        await worker.decide(await worker.turn(), child, complete(2, "1"))
        await peer.ended("parent")
        request = taskhub.PurgeInstancesRequest(
            purge_instance_filter=taskhub.PurgeInstanceFilter(), recursive=True
        )
        answer = await peer.ask("PurgeInstances", request, taskhub.PurgeInstancesResponse)
        assert (answer.deleted_instance_count, answer.is_complete.value) == (1, False)
        assert await peer.status("older") == ""
        assert await peer.status("parent") == "COMPLETED"
        assert "left out 1 closed instances that have active children: parent" in caplog.text


async def test_what_is_meant_for_another_app_is_not_done_here(peer: Peer) -> None:
    other = taskhub.TaskRouter(target_app_id="other")
    own = taskhub.TaskRouter(target_app_id="flowyard")
    start = taskhub.CreateInstanceRequest(instance_id="one", name="waiter", router=own)
    await peer.ask("StartInstance", start, taskhub.CreateInstanceResponse)
    requests: dict[str, Message] = {
        "StartInstance": taskhub.CreateInstanceRequest(name="waiter", router=other),
        "GetInstance": taskhub.GetInstanceRequest(instance_id="one", router=other),
        "WaitForInstanceStart": taskhub.GetInstanceRequest(instance_id="one", router=other),
        "WaitForInstanceCompletion": taskhub.GetInstanceRequest(instance_id="one", router=other),
        "RaiseEvent": taskhub.RaiseEventRequest(instance_id="one", name="go", router=other),
        "TerminateInstance": taskhub.TerminateRequest(instance_id="one", router=other),
        "SuspendInstance": taskhub.SuspendRequest(instance_id="one", router=other),
        "ResumeInstance": taskhub.ResumeRequest(instance_id="one", router=other),
        "PurgeInstances": taskhub.PurgeInstancesRequest(instance_id="one", router=other),
        "RerunWorkflowFromEvent": taskhub.RerunWorkflowFromEventRequest(router=other),
    }
    for method, request in requests.items():
        with pytest.raises(grpc.aio.AioRpcError, match="for app 'other'") as caught:
            await peer.ask(method, request, taskhub.Nothing)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    by_id = management.WorkflowRequestById(instance_id="one", app_id="other")
    for method in ("Get", "Pause", "Resume", "Terminate", "Purge"):
        code, text = await fault(peer, f"{method}WorkflowBeta1", by_id)
        assert (code, "for app 'other'" in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    assert await peer.status() == "RUNNING"
