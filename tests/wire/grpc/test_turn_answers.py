"""Numbers and patches in what workers decide, where SDKs use them in ways of their own."""

from __future__ import annotations

import asyncio

import grpc.aio
import pytest

from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.answers import (
    FAILED,
    child,
    decide,
    due_timer,
    indefinite_wait,
    raise_event,
    stalled,
)
from wire.grpc.peer import (
    PATIENCE,
    Peer,
    Worker,
    complete,
    kinds,
    schedule,
)


@pytest.fixture
def peer(channel: grpc.aio.Channel) -> Peer:
    return Peer(channel)


@pytest.mark.parametrize("sends_tokens", [True, False])
async def test_an_action_takes_the_number_of_a_wait_that_has_no_end(
    peer: Peer, sends_tokens: bool
) -> None:
    worker = peer.worker(sends_tokens=sends_tokens)
    await peer.start("patched")
    await worker.decide(await worker.turn(), indefinite_wait(1))
    await raise_event(peer)
    await worker.decide(await worker.turn(), schedule(1, "added"), indefinite_wait(2))
    await worker.result(await worker.activity(), "1")
    turn = await worker.turn()
    assert kinds(turn.workflow_request.past_events)[-2:] == ["task_scheduled", "timer_created"]
    # A rerun from that number is one of the activity.
    await worker.decide(turn, complete(3, "1"))
    await peer.ended()
    request = taskhub.RerunWorkflowFromEventRequest(source_instance_id="one", event_id=1)
    await peer.ask("RerunWorkflowFromEvent", request, taskhub.RerunWorkflowFromEventResponse)
    assert (await worker.activity()).activity_request.name == "added"


async def test_a_wait_that_history_has_is_not_taken_twice(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("patched")
    await worker.decide(await worker.turn(), indefinite_wait(1))
    await raise_event(peer)
    await worker.decide(await worker.turn(), indefinite_wait(1))
    assert "action #1, which the history already has" in await stalled(peer)


async def test_one_number_for_two_actions_is_not_said_to_be_in_history(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain")
    await worker.decide(await worker.turn(), schedule(1, "step"), child(1))
    assert "two actions with the number 1 in one answer" in await stalled(peer)


async def first_attempt_failed(peer: Peer, worker: Worker) -> taskhub.WorkItem:
    """Return the turn in which the timer of a retry has fired."""
    await worker.decide(await worker.turn(), schedule(1, "flaky"))
    await worker.failure(await worker.activity(), "once")
    await worker.decide(await worker.turn(), due_timer(2))
    return await worker.turn()


@pytest.mark.parametrize("sends_tokens", [True, False])
async def test_an_old_sdk_retries_an_activity_under_its_number(
    peer: Peer, sends_tokens: bool
) -> None:
    worker = peer.worker(sends_tokens=sends_tokens)
    await peer.start("chain")
    await worker.decide(await first_attempt_failed(peer, worker), schedule(1, "flaky"))
    again = await worker.activity()
    await worker.failure(again, "twice")
    failed = await worker.turn()
    assert failed.workflow_request.new_events[1].task_failed.task_scheduled_id == 1
    await worker.decide(failed, due_timer(3))
    await worker.decide(await worker.turn(), schedule(1, "flaky"))
    await worker.result(await worker.activity(), '"at last"')
    last = await worker.turn()
    assert last.workflow_request.new_events[1].task_completed.task_scheduled_id == 1
    scheduled = [
        event.event_id
        for event in last.workflow_request.past_events
        if event.HasField("task_scheduled")
    ]
    assert scheduled == [1, 1, 1]
    await worker.decide(last, complete(4, '"done"'))
    assert (await peer.ended()).output.value == '"done"'


async def test_an_old_sdk_retries_a_child_under_its_number(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain")
    await worker.decide(await worker.turn(), child(1, "kid"))
    failure = complete(1, "", status=FAILED)
    await worker.decide(await worker.turn(), failure)
    await worker.decide(await worker.turn(), due_timer(2))
    await worker.decide(await worker.turn(), child(1, "kid"))
    await worker.decide(await worker.turn(), complete(1, '"done"'))
    last = await worker.turn()
    ended = last.workflow_request.new_events[1].child_workflow_instance_completed
    assert (ended.task_scheduled_id, ended.result.value) == (1, '"done"')


async def test_another_name_under_the_number_of_a_failed_activity_stalls(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain")
    await worker.decide(await first_attempt_failed(peer, worker), schedule(1, "other"))
    assert "action #1, which the history already has" in await stalled(peer)


async def patched_once(peer: Peer, worker: Worker) -> taskhub.WorkItem:
    """Return the turn after one in which the code has asked for two patches."""
    await peer.start("patched")
    await decide(peer, await worker.turn(), indefinite_wait(1), patches=("a", "b", "a"))
    await raise_event(peer)
    return await worker.turn()


@pytest.mark.parametrize("patches", [(), ("a",), ("b", "a"), ("c", "a", "b")])
async def test_patches_that_do_not_begin_as_those_of_history_stall(
    peer: Peer, patches: tuple[str, ...]
) -> None:
    worker = peer.worker()
    await decide(peer, await patched_once(peer, worker), complete(2, "1"), patches=patches)
    assert "the history has these patches, in this order: 'a', 'b'." in await stalled(peer)
    other = peer.worker()
    turns = {asyncio.create_task(asked.turn()): asked for asked in (worker, other)}
    done, _ = await asyncio.wait(turns, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
    await decide(peer, done.pop().result(), complete(2, "1"), patches=("a", "b"))
    assert (await peer.ended()).output.value == "1"
    for turn in turns:
        turn.cancel()


async def test_only_new_patches_are_recorded_with_a_turn(peer: Peer) -> None:
    worker = peer.worker()
    turn = await patched_once(peer, worker)
    assert turn.workflow_request.past_events[0].workflow_started.version.patches == ["a", "b"]
    await decide(peer, turn, indefinite_wait(2), patches=("a", "b", "b", "c"))
    await raise_event(peer)
    turn = await worker.turn()
    started = [
        list(event.workflow_started.version.patches)
        for event in turn.workflow_request.past_events
        if event.HasField("workflow_started")
    ]
    assert started == [["a", "b"], ["c"]]


async def test_the_answer_to_a_suspended_turn_names_no_patches(peer: Peer) -> None:
    worker = peer.worker()
    await decide(peer, await patched_once(peer, worker), patches=("a", "b"))
    suspending = asyncio.create_task(
        peer.ask("SuspendInstance", taskhub.SuspendRequest(instance_id="one"), taskhub.Nothing)
    )
    turn = await worker.turn()
    assert kinds(turn.workflow_request.new_events)[-1] == "execution_suspended"
    await decide(peer, turn)
    await suspending
    assert await peer.status() == "SUSPENDED"
