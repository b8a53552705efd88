"""What becomes of answers that are too large, unreadable or late, and where code is lacking."""

from __future__ import annotations

from typing import Any

import grpc.aio
import pytest

from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.peer import OpenServer, Peer, Worker, complete, schedule
from wire.grpc.test_stalled_turns import is_stalled

STATEFUL_HISTORY = 2
FAILED = 3


@pytest.fixture
def peer(channel: grpc.aio.Channel) -> Peer:
    return Peer(channel)


async def scheduled(peer: Peer, worker: Worker, *names: str) -> list[taskhub.WorkItem]:
    """Start an instance that calls activities, and return them as the worker gets them."""
    await peer.start("chain")
    actions = [schedule(number, name) for number, name in enumerate(names, start=1)]
    await worker.decide(await worker.turn(), *actions)
    return [await worker.activity() for _ in names]


async def send(channel: grpc.aio.Channel, method: str, data: bytes) -> grpc.StatusCode:
    """Send bytes as the answer of a worker, and return how they were taken."""
    call: Any = channel.unary_unary(f"/TaskHubSidecarService/{method}")
    try:
        await call(data, timeout=30)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_a_result_that_is_too_large_fails_its_activity_only(open_server: OpenServer) -> None:
    async with (
        open_server(max_message_bytes=1000) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        peer = Peer(channel)
        worker = peer.worker()
        large, small = await scheduled(peer, worker, "large", "small")
        await worker.result(large, "1" * 2000)
        turn = await worker.turn()
        failed = turn.workflow_request.new_events[1].task_failed
        assert failed.failure_details.error_type == "PayloadSizeExceeded"
        assert "1000" in failed.failure_details.error_message
        await worker.decide(turn)
        await worker.result(small, "2")
        turn = await worker.turn()
        assert turn.workflow_request.new_events[1].task_completed.result.value == "2"


async def test_a_decision_that_is_too_large_fails_its_instance_only(
    open_server: OpenServer,
) -> None:
    async with (
        open_server(max_message_bytes=1000) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        peer = Peer(channel)
        worker = peer.worker()
        for instance_id in ("large", "small"):
            await peer.start("chain", instance_id)
        large, small = await worker.turn(), await worker.turn()
        await worker.decide(large, complete(1, "1" * 2000))
        await worker.decide(small, complete(1, "2"))
        ended = await peer.ended("large")
        assert ended.failure_details.error_type == "PayloadSizeExceeded"
        assert (await peer.ended("small")).output.value == "2"


def unreadable(message: taskhub.WorkflowResponse | taskhub.ActivityResponse) -> bytes:
    """Return the message with a text that is no UTF-8 where another one is expected."""
    return message.SerializeToString().replace(b"XXXX", b"\xff\xfe\xff\xfe")


async def test_what_is_answered_unreadably_goes_to_another_worker(
    channel: grpc.aio.Channel, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    garbling = peer.worker()
    (task,) = await scheduled(peer, garbling, "step")
    response = taskhub.ActivityResponse(
        instance_id="one", task_id=1, completion_token=task.completion_token
    )
    response.result.value = "XXXX"
    code = await send(channel, "CompleteActivityTask", unreadable(response))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "cannot be read" in caplog.text
    another = peer.worker()
    await another.result(await another.activity(), "1")
    turn = await garbling.turn()
    decision = taskhub.WorkflowResponse(
        instance_id="one", completion_token=turn.completion_token, actions=[complete(2, "XXXX")]
    )
    code = await send(channel, "CompleteOrchestratorTask", unreadable(decision))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    await another.decide(await another.turn(), complete(2, '"read"'))
    assert (await peer.ended()).output.value == '"read"'


async def test_a_turn_that_its_only_worker_answers_unreadably_waits_visibly(
    channel: grpc.aio.Channel, peer: Peer
) -> None:
    worker = peer.worker()
    await peer.start("chain")
    turn = await worker.turn()
    decision = taskhub.WorkflowResponse(
        instance_id="one", completion_token=turn.completion_token, actions=[complete(1, "XXXX")]
    )
    await send(channel, "CompleteOrchestratorTask", unreadable(decision))
    await is_stalled(peer)
    assert (await peer.state()).failure_details.error_type == "UnreadableAnswer"
    worker.hang_up()
    another = peer.worker()
    await another.decide(await another.turn(), complete(1, "1"))
    assert (await peer.ended()).output.value == "1"


@pytest.mark.parametrize(
    "error_type",
    ["ActivityNotFoundException", "ActivityNotRegisteredError", "TaskActivityNotRegistered"],
)
async def test_an_activity_that_a_worker_lacks_waits_for_one_that_has_it(
    peer: Peer, error_type: str
) -> None:
    worker = peer.worker()
    (task,) = await scheduled(peer, worker, "charge")
    response = taskhub.ActivityResponse(
        instance_id="one", task_id=1, completion_token=task.completion_token
    )
    response.failure_details.error_type = error_type
    await peer.ask("CompleteActivityTask", response, taskhub.Nothing)
    another = peer.worker()
    await another.result(await another.activity(), "1")
    # It was no failure: the next turn is told of a result.
    turn = await worker.turn()
    assert turn.workflow_request.new_events[1].task_completed.result.value == "1"


@pytest.mark.parametrize(
    "error_type",
    ["WorkflowNotFound", "OrchestratorNotRegisteredError", "OrchestratorTaskNotFound"],
)
async def test_a_workflow_that_a_worker_lacks_waits_visibly_for_one_that_has_it(
    peer: Peer, error_type: str
) -> None:
    worker = peer.worker()
    await peer.start("chain")
    action = complete(1, "", status=FAILED)
    action.complete_workflow.failure_details.error_type = error_type
    await worker.decide(await worker.turn(), action)
    await is_stalled(peer)
    state = await peer.state()
    assert "no connected worker has workflow 'chain'" in state.failure_details.error_message
    worker.hang_up()
    another = peer.worker()
    await another.decide(await another.turn(), complete(1, "1"))
    assert (await peer.ended()).output.value == "1"


async def test_a_turn_that_is_too_large_for_one_worker_goes_to_another(
    open_server: OpenServer,
) -> None:
    async with (
        open_server(worker_message_bytes=1000) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        peer = Peer(channel)
        old = peer.worker()
        await peer.start("chain", "small")
        small = await old.turn()
        new = peer.worker(STATEFUL_HISTORY)
        for number in range(4):
            await peer.start("chain", f"large-{number}", input="1" * 2000)
            await new.decide(await new.turn(), complete(1, "1"))
            assert (await peer.ended(f"large-{number}")).output.value == "1"
        await old.decide(small, complete(1, "1"))


async def test_workers_of_net_take_any_size(open_server: OpenServer) -> None:
    agent = [("grpc.primary_user_agent", "dapr-sdk-dotnet/1.18.7")]
    async with (
        open_server(worker_message_bytes=1000) as address,
        grpc.aio.insecure_channel(address, options=agent) as channel,
    ):
        peer = Peer(channel)
        worker = peer.worker()
        await peer.start("chain", input="1" * 2000)
        await worker.decide(await worker.turn(), complete(1, "1"))
        assert (await peer.ended()).output.value == "1"


async def test_results_of_an_earlier_execution_are_not_taken_for_those_of_a_later_one(
    peer: Peer,
) -> None:
    worker = peer.worker(sends_tokens=False)
    (early,) = await scheduled(peer, worker, "step")
    request = taskhub.RaiseEventRequest(instance_id="one", name="again")
    await peer.ask("RaiseEvent", request, taskhub.Nothing)
    await worker.decide(await worker.turn(), complete(2, '"input"', status=2))
    await worker.decide(await worker.turn(), schedule(1, "step"))
    late = await worker.activity()
    await worker.result(early, '"early"')
    await worker.result(late, '"late"')
    turn = await worker.turn()
    assert turn.workflow_request.new_events[1].task_completed.result.value == '"late"'


async def test_activities_of_an_instance_that_has_ended_are_not_handed_out_again(
    peer: Peer,
) -> None:
    worker = peer.worker()
    await scheduled(peer, worker, "step")
    await peer.ask(
        "TerminateInstance", taskhub.TerminateRequest(instance_id="one"), taskhub.Nothing
    )
    await peer.ended()
    worker.hang_up()
    successor = peer.worker()
    await peer.start("chain", "two")
    assert (await successor.item()).workflow_request.instance_id == "two"


async def test_answers_that_nobody_waits_for_are_told_in_the_log(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    answer = taskhub.ActivityResponse(instance_id="nobody", task_id=1)
    answer.completion_token = "stale"  # noqa: S105 - it opens nothing
    for _ in range(50):
        await peer.ask("CompleteActivityTask", answer, taskhub.Nothing)
    lines = [record.getMessage() for record in caplog.records]
    assert 0 < len(lines) <= 10
    assert all("'nobody'" in line and "UNKNOWN" in line for line in lines)
