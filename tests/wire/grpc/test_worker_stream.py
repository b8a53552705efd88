"""Workers get work, lose it, and answer it."""

from __future__ import annotations

import grpc.aio
import pytest

from flowyard import ActivityContext, App, WorkflowContext
from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.peer import CONTINUED_AS_NEW, OpenServer, Peer, complete, kinds, schedule

STATEFUL_HISTORY, HEALTH_PING = 2, 3


@pytest.fixture
def peer(channel: grpc.aio.Channel) -> Peer:
    return Peer(channel)


@pytest.mark.parametrize("sends_tokens", [True, False])
async def test_a_worker_runs_a_chain_with_and_without_tokens(
    peer: Peer, sends_tokens: bool
) -> None:
    worker = peer.worker(sends_tokens=sends_tokens)
    await peer.start("chain")
    await worker.decide(await worker.turn(), schedule(1, "first", "call-1"))
    await worker.result(await worker.activity(), '"a"')
    await worker.decide(await worker.turn(), schedule(2, "second", "call-2"))
    await worker.result(await worker.activity(), '"b"')
    await worker.decide(await worker.turn(), complete(3, '"ab"'))
    assert (await peer.ended()).output.value == '"ab"'


async def test_history_reads_as_daprd_would_write_it(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain", input="")
    first = (await worker.turn()).workflow_request
    assert kinds(first.new_events) == ["workflow_started", "execution_started"]
    assert {event.event_id for event in first.new_events} == {-1}
    started = first.new_events[1].execution_started
    assert started.HasField("input")
    assert started.workflow_instance.instance_id == "one"
    assert started.workflow_instance.execution_id.value
    await worker.decide(taskhub.WorkItem(workflow_request=first), schedule(0, "first", "call"))
    task = await worker.activity()
    assert (task.activity_request.task_id, task.activity_request.task_execution_id) == (0, "call")
    await worker.result(task, "1")
    second = (await worker.turn()).workflow_request
    assert kinds(second.past_events) == ["workflow_started", "execution_started", "task_scheduled"]
    assert second.past_events[2].event_id == 0
    assert kinds(second.new_events) == ["workflow_started", "task_completed"]
    assert second.new_events[1].task_completed.task_execution_id == "call"


async def test_all_attempts_of_a_call_have_the_name_that_the_worker_gave_it(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("retry")
    await worker.decide(await worker.turn(), schedule(1, "flaky", "call"))
    await worker.failure(await worker.activity(), "not yet")
    await worker.decide(await worker.turn(), schedule(2, "flaky", "call"))
    task = await worker.activity()
    assert (task.activity_request.task_id, task.activity_request.task_execution_id) == (2, "call")


async def test_what_a_dead_worker_had_in_hand_goes_to_another(peer: Peer) -> None:
    first = peer.worker()
    await peer.start("chain")
    lost = await first.turn()
    first.hang_up()
    second = peer.worker()
    found = await second.turn()
    assert found.workflow_request == lost.workflow_request
    await second.decide(found, schedule(1, "step"))
    await second.activity()
    second.hang_up()
    third = peer.worker()
    await third.result(await third.activity(), "1")
    await third.decide(await third.turn(), complete(2, "1"))
    assert (await peer.ended()).output.value == "1"


async def test_the_answer_of_a_worker_that_came_back_counts(
    address: str, channel: grpc.aio.Channel, peer: Peer
) -> None:
    async with grpc.aio.insecure_channel(address, options=[("worker", 1)]) as other:
        worker = Peer(other).worker()
        await peer.start("chain")
        item = await worker.turn()
        worker.hang_up()
    again = peer.worker()
    await again.turn()
    await again.decide(item, complete(1, '"late"'))
    assert (await peer.ended()).output.value == '"late"'


@pytest.mark.parametrize("sends_tokens", [True, False])
async def test_an_answer_that_comes_twice_counts_once(peer: Peer, sends_tokens: bool) -> None:
    worker = peer.worker(sends_tokens=sends_tokens)
    await peer.start("chain")
    item = await worker.turn()
    await worker.decide(item, schedule(1, "step"))
    task = await worker.activity()
    await worker.result(task, "1")
    turn = await worker.turn()
    await worker.decide(item, schedule(1, "step"))
    await worker.result(task, "2")
    await worker.decide(turn, complete(2, "3"))
    assert (await peer.ended()).output.value == "3"
    request = taskhub.GetInstanceHistoryRequest(instance_id="one")
    answer = await peer.ask("GetInstanceHistory", request, taskhub.GetInstanceHistoryResponse)
    assert kinds(answer.events).count("task_scheduled") == 1
    assert kinds(answer.events).count("task_completed") == 1


async def test_an_answer_without_actions_is_recorded(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("waiter")
    await worker.decide(await worker.turn())
    await peer.ask(
        "RaiseEvent", taskhub.RaiseEventRequest(instance_id="one", name="go"), taskhub.Nothing
    )
    turn = await worker.turn()
    assert kinds(turn.workflow_request.new_events) == ["workflow_started", "event_raised"]
    assert not turn.workflow_request.new_events[1].event_raised.HasField("input")


async def test_an_answer_that_does_not_fit_history_stalls_the_instance(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain")
    await worker.decide(await worker.turn(), schedule(1, "step"))
    await worker.result(await worker.activity(), "1")
    await worker.decide(await worker.turn(), schedule(1, "step"))
    await peer.ask(
        "RaiseEvent", taskhub.RaiseEventRequest(instance_id="one", name="go"), taskhub.Nothing
    )
    assert await peer.status() == "STALLED"


async def test_a_worker_that_has_not_the_version_stalls_the_instance(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain")
    missing = taskhub.WorkflowAction(id=1, workflow_version_not_available=taskhub.Nothing())
    await worker.decide(await worker.turn(), missing)
    worker.hang_up()
    another = peer.worker()
    await another.decide(await another.turn(), complete(1, "1"))
    assert (await peer.ended()).output.value == "1"


async def test_an_instance_is_rerun_from_one_of_its_events(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("order")
    await worker.decide(await worker.turn(), schedule(0, "reserve", "call"))
    await worker.result(await worker.activity(), '"first"')
    await worker.decide(await worker.turn(), schedule(1, "charge"))
    await worker.result(await worker.activity(), '"declined"')
    await worker.decide(await worker.turn(), complete(2, '"failed"'))
    await peer.ended()
    request = taskhub.RerunWorkflowFromEventRequest(
        source_instance_id="one", event_id=1, new_instance_id="two", overwrite_input=True
    )
    request.input.value = '"another card"'
    answer = await peer.ask(
        "RerunWorkflowFromEvent", request, taskhub.RerunWorkflowFromEventResponse
    )
    assert answer.new_instance_id == "two"
    again = await worker.activity()
    assert (again.activity_request.name, again.activity_request.task_id) == ("charge", 1)
    assert again.activity_request.input.value == '"another card"'
    await worker.result(again, '"paid"')
    turn = await worker.turn()
    assert kinds(turn.workflow_request.past_events) == [
        "workflow_started",
        "execution_started",
        "task_scheduled",
        "workflow_started",
        "task_completed",
        "task_scheduled",
    ]
    await worker.decide(turn, complete(2, '"delivered"'))
    assert (await peer.ended("two")).output.value == '"delivered"'
    assert (await peer.state("one")).output.value == '"failed"'


async def test_a_worker_that_remembers_is_sent_only_what_is_new(peer: Peer) -> None:
    worker = peer.worker(HEALTH_PING, STATEFUL_HISTORY)
    await peer.start("chain")
    await worker.decide(await worker.turn(), schedule(1, "step"))
    await worker.result(await worker.activity(), "1")
    second = await worker.turn()
    assert not second.workflow_request.HasField("cached_history")
    await worker.decide(second, schedule(2, "step"))
    await worker.result(await worker.activity(), "2")
    third = await worker.turn()
    request = third.workflow_request
    assert request.cached_history.event_count == len(second.workflow_request.past_events)
    assert kinds(request.past_events) == ["workflow_started", "task_completed", "task_scheduled"]
    await worker.decide(third, complete(3, '{"left": 0}', CONTINUED_AS_NEW))
    renewed = (await worker.turn()).workflow_request
    assert not renewed.HasField("cached_history")
    assert list(renewed.past_events) == []
    assert renewed.new_events[1].execution_started.input.value == '{"left": 0}'


async def test_a_worker_that_wants_pings_gets_them(open_server: OpenServer) -> None:
    async with (
        open_server(ping_seconds=0.01) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        item = await Peer(channel).worker(HEALTH_PING).item()
        assert item.HasField("health_ping")


async def test_what_is_too_large_for_a_worker_fails_and_says_so(peer: Peer) -> None:
    worker = peer.worker()
    await peer.start("chain")
    action = schedule(1, "step")
    action.schedule_task.input.value = "x" * 5_000_000
    await worker.decide(await worker.turn(), action)
    ended = await peer.ended()
    assert ended.failure_details.error_type == "PayloadSizeExceeded"
    assert "4194304" in ended.failure_details.error_message


async def test_a_worker_that_takes_anything_gets_what_is_large(peer: Peer) -> None:
    worker = peer.worker(STATEFUL_HISTORY)
    await peer.start("chain")
    action = schedule(1, "step")
    action.schedule_task.input.value = "x" * 3_900_000
    await worker.decide(await worker.turn(), action)
    task = await worker.activity()
    assert len(task.activity_request.input.value) == 3_900_000


async def test_functions_of_the_app_and_workers_work_side_by_side(open_server: OpenServer) -> None:
    app = App()

    @app.workflow
    async def local(ctx: WorkflowContext, name: str) -> object:
        here = await ctx.call_activity(greet, input=name)
        there = await ctx.call_activity("elsewhere", input=here)
        return await ctx.call_child_workflow("remote", input=there)

    @app.activity
    async def greet(_ctx: ActivityContext, name: str) -> str:
        return f"hello {name}"

    async with (
        open_server(app) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        peer = Peer(channel)
        worker = peer.worker()
        await peer.start("local", input='"Ann"')
        task = await worker.activity()
        assert task.activity_request.input.value == '"hello Ann"'
        await worker.result(task, "[1]")
        turn = await worker.turn()
        started = turn.workflow_request.new_events[1].execution_started
        assert started.parent_instance.name.value == "local"
        assert started.parent_instance.workflow_instance.instance_id == "one"
        await worker.decide(turn, schedule(1, "greet"))
        await worker.decide(await worker.turn(), complete(2, "[2]"))
        assert (await peer.ended()).output.value == "[2]"
