"""Answers with several ends, and with what cannot be done."""

from __future__ import annotations

import grpc.aio
import pytest

from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.answers import FAILED, child, history, indefinite_wait
from wire.grpc.peer import (
    CONTINUED_AS_NEW,
    OpenServer,
    Peer,
    complete,
    kinds,
    schedule,
)


@pytest.fixture
def peer(channel: grpc.aio.Channel) -> Peer:
    return Peer(channel)


async def test_of_several_ends_the_first_one_counts(peer: Peer) -> None:
    worker = peer.worker()
    again = complete(2, "7", status=CONTINUED_AS_NEW)
    await peer.start("chain")
    await worker.decide(await worker.turn(), complete(1, '"first"'), again)
    assert (await peer.ended()).output.value == '"first"'
    assert kinds(await history(peer)).count("execution_completed") == 1
    failure = complete(2, "", status=FAILED)
    failure.complete_workflow.failure_details.error_message = "second"
    await peer.start("chain", "two")
    await worker.decide(await worker.turn(), complete(1, '"first"'), failure)
    ended = await peer.ended("two")
    assert (ended.output.value, ended.HasField("failure_details")) == ('"first"', False)
    await peer.start("chain", "three")
    await worker.decide(await worker.turn(), again, complete(3, '"late"'))
    turn = await worker.turn()
    assert turn.workflow_request.new_events[1].execution_started.input.value == "7"
    assert await peer.status("three") == "RUNNING"


@pytest.mark.parametrize("status", [FAILED, CONTINUED_AS_NEW])
async def test_a_parent_is_told_of_a_child_with_two_ends(peer: Peer, status: int) -> None:
    worker = peer.worker()
    await peer.start("chain")
    await worker.decide(await worker.turn(), child(1, "kid"))
    await worker.decide(
        await worker.turn(), complete(1, '"first"'), complete(2, "2", status=status)
    )
    turn = await worker.turn()
    told = turn.workflow_request.new_events[1].child_workflow_instance_completed
    assert told.result.value == '"first"'


async def test_a_completed_instance_has_no_failure(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain")
    end = complete(1, '"done"')
    end.complete_workflow.failure_details.error_message = "not at all"
    await worker.decide(await worker.turn(), end)
    ended = await peer.ended()
    assert (ended.output.value, ended.HasField("failure_details")) == ('"done"', False)


async def test_what_an_instance_sends_itself_comes_after_the_start_of_its_next_execution(
    peer: Peer,
) -> None:
    worker = peer.worker()
    await peer.start("chain")
    send = taskhub.WorkflowAction(id=1)
    send.send_event.instance.instance_id, send.send_event.name = "one", "self"
    await worker.decide(await worker.turn(), send, complete(2, "2", status=CONTINUED_AS_NEW))
    turn = await worker.turn()
    found = kinds(turn.workflow_request.new_events)
    if found == ["workflow_started", "execution_started"]:
        await worker.decide(turn)
        found += kinds((await worker.turn()).workflow_request.new_events)[1:]
    assert found == ["workflow_started", "execution_started", "event_raised"]


@pytest.mark.parametrize("instance_id", ["a\nb", "x" * 256])
async def test_a_child_whose_id_is_refused_fails_alone(peer: Peer, instance_id: str) -> None:
    worker = peer.worker()
    await peer.start("chain")
    await worker.decide(await worker.turn(), child(1, instance_id), indefinite_wait(2))
    turn = await worker.turn()
    failed = turn.workflow_request.new_events[1].child_workflow_instance_failed
    assert failed.task_scheduled_id == 1
    assert failed.failure_details.error_type == "InvalidInstanceId"
    await worker.decide(turn, child(3, "good"))
    await worker.decide(await worker.turn(), complete(1, "1"))
    await worker.decide(await worker.turn(), complete(4, '"caught"'))
    assert (await peer.ended()).output.value == '"caught"'


@pytest.mark.parametrize("instance_id", ["order/42 (EU)", "it's ü", "a*b", " x "])
async def test_ids_are_taken_from_sdks_as_dapr_takes_them(peer: Peer, instance_id: str) -> None:
    worker = peer.worker()
    await peer.start("chain", instance_id)
    await worker.decide(await worker.turn(), child(1, f"{instance_id}/1"))
    turn = await worker.turn()
    assert turn.workflow_request.instance_id == f"{instance_id}/1"
    await worker.decide(turn, complete(1, "1"))
    await worker.decide(await worker.turn(), complete(2, "2"))
    assert (await peer.ended(instance_id)).output.value == "2"


@pytest.mark.parametrize("last", [[], [complete(2, '"done"')]], ids=["waits", "completes"])
async def test_a_child_with_the_id_of_its_parent_is_refused(
    peer: Peer, last: list[taskhub.WorkflowAction]
) -> None:
    worker = peer.worker()
    await peer.start("chain")
    await worker.decide(await worker.turn(), child(1, "one"), *last)
    if last:
        assert (await peer.ended()).output.value == '"done"'
        return
    turn = await worker.turn()
    failed = turn.workflow_request.new_events[1].child_workflow_instance_failed
    assert failed.failure_details.error_type == "InstanceAlreadyExists"
    terminate = taskhub.TerminateRequest(instance_id="one", recursive=True)
    await peer.ask("TerminateInstance", terminate, taskhub.Nothing)
    assert await peer.status() == "TERMINATED"


@pytest.mark.parametrize("kind", ["activity", "child"])
async def test_a_call_into_another_app_fails_alone(peer: Peer, kind: str) -> None:
    worker = peer.worker()
    await peer.start("chain")
    action = schedule(1, "step") if kind == "activity" else child(1)
    action.router.target_app_id = "other"
    await worker.decide(await worker.turn(), action)
    event = (await worker.turn()).workflow_request.new_events[1]
    failed = event.task_failed if kind == "activity" else event.child_workflow_instance_failed
    assert failed.failure_details.is_non_retriable
    assert "app 'other'" in failed.failure_details.error_message
    assert "several apps are not served yet" in failed.failure_details.error_message


async def test_a_refused_child_is_answered_after_a_restart(open_server: OpenServer) -> None:
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        peer = Peer(channel)
        worker = peer.worker()
        await peer.start("chain")
        await worker.decide(await worker.turn(), child(1, "one"))
        await worker.turn()
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        turn = await Peer(channel).worker().turn()
        assert kinds(turn.workflow_request.new_events) == [
            "workflow_started",
            "child_workflow_instance_failed",
        ]


async def test_the_own_app_is_named_in_every_history_and_may_be_called(
    open_server: OpenServer,
) -> None:
    async with (
        open_server(app_id="shop") as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        peer = Peer(channel)
        worker = peer.worker()
        await peer.start("chain")
        turn = await worker.turn()
        assert turn.workflow_request.new_events[1].router.source_app_id == "shop"
        action = schedule(1, "step")
        action.router.target_app_id = "shop"
        await worker.decide(turn, action)
        await worker.result(await worker.activity(), "1")
        assert (await worker.turn()).workflow_request.past_events[1].router.source_app_id == "shop"
        assert [event.router.source_app_id for event in await history(peer)][1] == "shop"
