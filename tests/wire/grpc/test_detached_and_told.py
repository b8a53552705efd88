"""Detached workflows, and calls that are told what has happened in their caller."""

from __future__ import annotations

import logging

import grpc.aio
import pytest

from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.answers import child, detached, history, indefinite_wait
from wire.grpc.peer import (
    CONTINUED_AS_NEW,
    Peer,
    complete,
    kinds,
    schedule,
)


@pytest.fixture
def peer(channel: grpc.aio.Channel) -> Peer:
    return Peer(channel)


async def test_a_detached_workflow_outlives_its_launcher(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain")
    await worker.decide(await worker.turn(), detached(1, "aside-1"), indefinite_wait(2))
    turn = await worker.turn()
    started = turn.workflow_request.new_events[1].execution_started
    assert (started.name, started.input.value) == ("aside", "7")
    assert not started.HasField("parent_instance")
    terminate = taskhub.TerminateRequest(instance_id="one", recursive=True)
    await peer.ask("TerminateInstance", terminate, taskhub.Nothing)
    purge = taskhub.PurgeInstancesRequest(instance_id="one", recursive=True)
    purged = await peer.ask("PurgeInstances", purge, taskhub.PurgeInstancesResponse)
    assert purged.deleted_instance_count == 1
    await worker.decide(turn, complete(1, '"alone"'))
    ended = await peer.ended("aside-1")
    assert (ended.output.value, ended.HasField("parent_instance_id")) == ('"alone"', False)


async def test_a_detached_workflow_is_in_the_history_of_its_launcher(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain")
    later = detached(1, "later")
    later.create_detached_workflow.scheduled_start_timestamp.seconds = 2**35
    await worker.decide(await worker.turn(), later, complete(2, "1"))
    await peer.ended()
    event = (await history(peer))[2]
    assert event.detached_workflow_instance_created.instance_id == "later"
    assert await peer.status("later") == "PENDING"
    request = taskhub.RerunWorkflowFromEventRequest(source_instance_id="one", event_id=1)
    with pytest.raises(grpc.aio.AioRpcError, match="cannot be rerun"):
        await peer.ask("RerunWorkflowFromEvent", request, taskhub.RerunWorkflowFromEventResponse)


async def test_a_detached_workflow_whose_id_is_taken_is_told_in_the_log(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    worker = peer.worker()
    await peer.start("chain", "taken")
    held = await worker.turn()
    await peer.start("chain")
    with caplog.at_level(logging.WARNING):
        await worker.decide(await worker.turn(), detached(1, "taken"), complete(2, "1"))
        assert (await peer.ended()).output.value == "1"
    assert "instance 'one' could not start 'taken'" in caplog.text
    await worker.decide(held, complete(1, '"untouched"'))
    assert (await peer.ended("taken")).output.value == '"untouched"'


def told(history: taskhub.PropagatedHistory) -> list[tuple[str, str, list[str]]]:
    """Return whose histories these are, and what kinds of events they have."""
    return [
        (
            chunk.instance_id,
            chunk.app_id,
            kinds(taskhub.HistoryEvent.FromString(event) for event in chunk.raw_events),
        )
        for chunk in history.chunks
    ]


@pytest.mark.parametrize(("scope", "tellers"), [(1, ["kid"]), (2, ["one", "kid"])])
async def test_a_call_is_told_what_has_happened(peer: Peer, scope: int, tellers: list[str]) -> None:
    worker = peer.worker()
    await peer.start("chain")
    call = child(1, "kid")
    call.create_child_workflow.history_propagation_scope = 1
    await worker.decide(await worker.turn(), call)
    turn = await worker.turn()
    began = ["workflow_started", "execution_started"]
    received = turn.workflow_request.propagated_history
    assert received.scope == 1
    assert told(received) == [("one", "flowyard", [*began, "child_workflow_instance_created"])]
    step = schedule(1, "step")
    step.schedule_task.history_propagation_scope = scope
    await worker.decide(turn, step)
    activity = await worker.activity()
    chunks = told(activity.activity_request.propagated_history)
    assert [instance_id for instance_id, _, _ in chunks] == tellers
    assert chunks[-1] == ("kid", "flowyard", [*began, "task_scheduled"])
    await worker.result(activity, "1")
    later = await worker.turn()
    assert told(later.workflow_request.propagated_history) == told(received)
    await worker.decide(later, complete(2, "2", status=CONTINUED_AS_NEW))
    anew = await worker.turn()
    (chunk,) = told(anew.workflow_request.propagated_history)
    assert chunk[0] == "kid"


async def test_nothing_is_told_that_is_not_asked_for(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain")
    await worker.decide(await worker.turn(), child(1, "kid"))
    assert not (await worker.turn()).workflow_request.HasField("propagated_history")
