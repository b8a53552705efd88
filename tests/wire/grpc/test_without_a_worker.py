"""Work that no connected worker serves waits, and nobody who asks for something has to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc.aio
import pytest

from flowyard import Runtime, WorkflowStatus
from flowyard.backend.executor import ActivityResult, TurnResult
from flowyard.backend.history import TaskScheduled
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.peer import PATIENCE, OpenServer, Peer, complete, kinds


def _spec(folder: Path) -> ComponentSpec:
    metadata = {"connectionString": f"sqlite:///{folder / 'flowyard.db'}"}
    return ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)


async def test_a_start_is_durable_though_no_worker_is_there(open_server: OpenServer) -> None:
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        peer = Peer(channel)
        await peer.start("chain")
        request = taskhub.RaiseEventRequest(instance_id="one", name="go")
        await peer.ask("RaiseEvent", request, taskhub.Nothing)
        assert await peer.status() == "PENDING"
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        worker = Peer(channel).worker()
        turn = await worker.turn()
        assert kinds(turn.workflow_request.new_events) == [
            "workflow_started",
            "execution_started",
            "event_raised",
        ]
        await worker.decide(turn, complete(1, "1"))
        assert (await Peer(channel).ended()).output.value == "1"


async def test_an_event_that_comes_during_a_turn_is_in_the_next_one(
    open_server: OpenServer,
) -> None:
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        peer = Peer(channel)
        worker = peer.worker()
        await peer.start("chain")
        turn = await worker.turn()
        for name in ("first", "second"):
            request = taskhub.RaiseEventRequest(instance_id="one", name=name)
            await peer.ask("RaiseEvent", request, taskhub.Nothing)
        await worker.decide(turn)
        raised: list[str] = []
        while len(raised) < 2:
            turn = await worker.turn()
            raised += [
                event.event_raised.name
                for event in turn.workflow_request.new_events
                if event.HasField("event_raised")
            ]
            await worker.decide(turn)
        assert raised == ["first", "second"]


async def test_get_says_that_a_worker_is_awaited(tmp_path: Path) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([_spec(tmp_path)], executor=executors.make) as runtime:
        await runtime.start("chain", instance_id="one")
        state = await runtime.get("one")
        assert state.status is WorkflowStatus.PENDING
        assert "worker" in (state.detail or "")


async def test_what_waits_for_a_worker_can_be_terminated_and_purged(tmp_path: Path) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([_spec(tmp_path)], executor=executors.make) as runtime:
        await runtime.start("chain", instance_id="one")
        assert await runtime.terminate("one", output="enough")
        state = await runtime.wait("one")
        assert (state.status, state.output) == (WorkflowStatus.TERMINATED, '"enough"')
        assert executors.queue("orders").find("", ("one", None)) is None
        assert await runtime.purge("one") == 1
        await runtime.start("chain", instance_id="one")


async def test_a_second_start_of_what_waits_for_a_worker_is_refused(
    open_server: OpenServer,
) -> None:
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        peer = Peer(channel)
        await peer.start("chain")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await peer.start("chain")
        assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_events_that_are_raised_at_once_are_all_acknowledged_though_no_worker_is_there(
    tmp_path: Path,
) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([_spec(tmp_path)], executor=executors.make) as runtime:
        queue = executors.queue("orders")
        started = asyncio.create_task(runtime.start("chain", instance_id="one"))
        with queue.stream() as worker:
            (await worker.take()).conclude(TurnResult())
            await started
        async with asyncio.timeout(PATIENCE):
            # The first one begins a turn, and nobody runs it; the second one comes right behind.
            raised = [runtime.raise_event("one", name) for name in ("first", "second", "third")]
            assert await asyncio.gather(*raised) == [True, True, True]


async def test_get_says_which_activity_no_worker_has(tmp_path: Path) -> None:
    executors = RemoteExecutors()
    async with Runtime.open([_spec(tmp_path)], executor=executors.make) as runtime:
        queue = executors.queue("orders")
        with queue.stream() as worker:
            starting = asyncio.create_task(runtime.start("chain", instance_id="one"))
            (await worker.take()).conclude(TurnResult([TaskScheduled(1, "charge", None, 1)]))
            await starting
            (await worker.take()).decline(None, "no connected worker has activity 'charge'")
            assert (await runtime.get("one")).detail == "no connected worker has activity 'charge'"
            with queue.stream() as another:
                (await another.take()).conclude(ActivityResult("1"))
            (await worker.take()).conclude(TurnResult())
            assert (await runtime.get("one")).detail is None
