"""A turn that one worker's code does not fit is for another worker, now or when one connects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest

from flowyard import Runtime, WorkflowState, WorkflowStatus
from flowyard.backend.executor import TurnResult
from flowyard.backend.history import ExecutionCompleted
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.executors.work_queue import WorkQueue
from flowyard.failure import FailureDetails
from flowyard.wire.v1 import taskhub_pb2 as taskhub
from wire.grpc.peer import PATIENCE, OpenServer, Peer, Worker, complete, kinds, schedule

Answer = Callable[[Worker, taskhub.WorkItem], Awaitable[None]]
DONE = TurnResult([ExecutionCompleted(WorkflowStatus.COMPLETED, "1")])
REFUSED = TurnResult(stalled=FailureDetails("WorkflowVersionNotAvailable", "no version 'v2'"))


@pytest.fixture
def peer(channel: grpc.aio.Channel) -> Peer:
    return Peer(channel)


async def refuse(worker: Worker, turn: taskhub.WorkItem) -> None:
    """Answer that the worker lacks the version."""
    missing = taskhub.WorkflowAction(id=9, workflow_version_not_available=taskhub.Nothing())
    await worker.decide(turn, missing)


async def misfit(worker: Worker, turn: taskhub.WorkItem) -> None:
    """Answer with what history has already."""
    await worker.decide(turn, schedule(1, "step"))


async def fail_as(worker: Worker, turn: taskhub.WorkItem, error_type: str) -> None:
    """Answer that the workflow has failed of what SDKs say where the code does not fit."""
    action = complete(2, "", status=3)
    action.complete_workflow.failure_details.error_type = error_type
    action.complete_workflow.failure_details.error_message = "a previous execution called step"
    await worker.decide(turn, action)


async def misfit_of_python(worker: Worker, turn: taskhub.WorkItem) -> None:
    """Answer as Dapr's Python and JavaScript SDKs do."""
    await fail_as(worker, turn, "NonDeterminismError")


async def misfit_of_java(worker: Worker, turn: taskhub.WorkItem) -> None:
    """Answer as Dapr's Java SDK does."""
    await fail_as(worker, turn, "io.dapr.durabletask.NonDeterministicOrchestratorException")


async def is_stalled(peer: Peer, instance_id: str = "one") -> None:
    """Return once the instance is STALLED."""
    async with asyncio.timeout(PATIENCE):
        while await peer.status(instance_id) != "STALLED":  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def raise_event(peer: Peer, name: str = "go") -> None:
    request = taskhub.RaiseEventRequest(instance_id="one", name=name)
    await peer.ask("RaiseEvent", request, taskhub.Nothing)


async def second_turn(peer: Peer, worker: Worker) -> taskhub.WorkItem:
    """Start an instance and return its second turn, which its first activity has caused."""
    await peer.start("chain")
    await worker.decide(await worker.turn(), schedule(1, "step"))
    await worker.result(await worker.activity(), "1")
    return await worker.turn()


@pytest.mark.parametrize("answer", [refuse, misfit, misfit_of_python, misfit_of_java])
async def test_a_stalled_instance_goes_on_when_a_worker_connects_that_fits(
    peer: Peer, answer: Answer
) -> None:
    old = peer.worker()
    await answer(old, await second_turn(peer, old))
    await is_stalled(peer)
    new = peer.worker()
    # The old one is there still, and as idle: whichever is asked first, the new one decides.
    asked = asyncio.create_task(old.turn())
    turn = asyncio.create_task(new.turn())
    await asyncio.wait({asked, turn}, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
    if asked.done():
        await answer(old, asked.result())
    found = await turn
    assert kinds(found.workflow_request.new_events) == ["workflow_started", "task_completed"]
    await new.decide(found, complete(2, '"by the new one"'))
    assert (await peer.ended()).output.value == '"by the new one"'
    asked.cancel()


async def test_any_other_failure_is_the_workflow_s_own(peer: Peer) -> None:
    worker = peer.worker()
    await fail_as(worker, await second_turn(peer, worker), "ValueError")
    assert (await peer.ended()).failure_details.error_type == "ValueError"


async def test_a_turn_that_one_worker_refuses_goes_to_another_that_is_there(peer: Peer) -> None:
    workers = [peer.worker(), peer.worker()]
    await peer.start("chain")
    turns = [asyncio.create_task(worker.turn()) for worker in workers]
    await asyncio.wait(turns, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
    first = 0 if turns[0].done() else 1
    await refuse(workers[first], turns[first].result())
    other = 1 - first
    await workers[other].decide(await turns[other], complete(1, "1"))
    assert (await peer.ended()).output.value == "1"
    turns[first].cancel()


async def test_an_event_that_came_while_stalled_is_in_the_turn_of_the_next_worker(
    peer: Peer,
) -> None:
    old = peer.worker()
    await refuse(old, await second_turn(peer, old))
    await is_stalled(peer)
    await raise_event(peer)
    old.hang_up()
    new = peer.worker()
    turn = await new.turn()
    assert kinds(turn.workflow_request.new_events) == [
        "workflow_started",
        "task_completed",
        "event_raised",
    ]


async def test_what_was_stalled_before_a_restart_goes_on_after_it(open_server: OpenServer) -> None:
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        peer = Peer(channel)
        old = peer.worker()
        await refuse(old, await second_turn(peer, old))
        await is_stalled(peer)
    async with open_server() as address, grpc.aio.insecure_channel(address) as channel:
        peer = Peer(channel)
        old = peer.worker()
        await refuse(old, await old.turn())
        old.hang_up()
        new = peer.worker()
        await new.decide(await new.turn(), complete(2, "1"))
        assert (await peer.ended()).output.value == "1"


@asynccontextmanager
async def queue_of(folder: Path) -> AsyncIterator[tuple[Runtime, WorkQueue]]:
    """Open a runtime whose workers are the test's."""
    metadata = {"connectionString": f"sqlite:///{folder / 'flowyard.db'}"}
    spec = ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    executors = RemoteExecutors()
    async with Runtime.open([spec], executor=executors.make) as runtime:
        yield runtime, executors.queue("orders")


async def state_once(runtime: Runtime, status: WorkflowStatus) -> WorkflowState:
    """Return the state of the instance once it has this status."""
    async with asyncio.timeout(PATIENCE):
        while (state := await runtime.get("one")).status is not status:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return state


async def test_a_worker_that_connects_while_a_stall_is_written_is_not_missed(
    tmp_path: Path,
) -> None:
    async with queue_of(tmp_path) as (runtime, queue):
        await runtime.start("chain", instance_id="one")
        with queue.stream() as old:
            (await old.take()).conclude(REFUSED)
            with queue.stream() as new:
                taken = {asyncio.ensure_future(worker.take()) for worker in (old, new)}
                for _ in range(2):
                    done, taken = await asyncio.wait(
                        taken, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE
                    )
                    delivery = done.pop().result()
                    delivery.conclude(REFUSED if delivery.stream == old.name else DONE)
                    if delivery.stream == new.name:
                        break
                assert (await runtime.wait("one")).output == "1"
                for turn in taken:
                    turn.cancel()
                await asyncio.gather(*taken, return_exceptions=True)


async def test_a_turn_stalls_when_the_worker_that_might_fit_leaves(tmp_path: Path) -> None:
    async with queue_of(tmp_path) as (runtime, queue):
        with queue.stream() as old:
            with queue.stream():
                await runtime.start("chain", instance_id="one")
                (await old.take()).conclude(REFUSED)
            state = await state_once(runtime, WorkflowStatus.STALLED)
            assert state.detail == "no version 'v2'"
        with queue.stream() as new:
            (await new.take()).conclude(DONE)
            assert (await runtime.wait("one")).output == "1"


async def test_a_late_refusal_of_a_worker_that_has_gone_changes_nothing(tmp_path: Path) -> None:
    async with queue_of(tmp_path) as (runtime, queue):
        await runtime.start("chain", instance_id="one")
        with queue.stream() as old:
            lost = await old.take()
        lost.conclude(REFUSED)
        with queue.stream() as new:
            found = await new.take()
            lost.conclude(REFUSED)
            assert new.outstanding
            found.conclude(DONE)
        assert (await runtime.wait("one")).output == "1"


async def test_a_refusal_that_is_said_twice_counts_once(tmp_path: Path) -> None:
    async with queue_of(tmp_path) as (runtime, queue):
        with queue.stream() as old, queue.stream() as new:
            await runtime.start("chain", instance_id="one")
            refused = await old.take()
            refused.conclude(REFUSED)
            found = await new.take()
            refused.conclude(REFUSED)
            assert new.outstanding
            found.conclude(DONE)
            assert (await runtime.wait("one")).output == "1"


@pytest.mark.parametrize("sends_tokens", [True, False])
@pytest.mark.parametrize("answer", [refuse, misfit])
async def test_a_late_refusal_does_not_count_against_the_next_worker(
    address: str, peer: Peer, sends_tokens: bool, answer: Answer
) -> None:
    # A connection that stays when its stream has died: what comes over it is the late word.
    async with grpc.aio.insecure_channel(address, options=[("worker", 1)]) as other:
        old = Peer(other).worker(sends_tokens=sends_tokens)
        lost = await second_turn(peer, old)
        old.hang_up()
        new = peer.worker(sends_tokens=sends_tokens)
        found = await new.turn()
        await answer(old, lost)
        # Nothing is STALLED, and nothing is sent once more: the next worker has the turn still.
        assert await peer.status() == "RUNNING"
        await new.decide(found, complete(2, '"by the new one"'))
        assert (await peer.ended()).output.value == '"by the new one"'


async def test_a_refusal_with_a_token_counts_over_whatever_connection_it_comes(
    address: str, peer: Peer
) -> None:
    worker = peer.worker()
    turn = await second_turn(peer, worker)
    async with grpc.aio.insecure_channel(address, options=[("worker", 1)]) as other:
        elsewhere = Peer(other).worker()
        elsewhere.hang_up()
        await refuse(elsewhere, turn)
    await is_stalled(peer)


async def test_an_answer_without_a_token_counts_over_its_connection_only(
    address: str, peer: Peer
) -> None:
    worker = peer.worker(sends_tokens=False)
    turn = await second_turn(peer, worker)
    async with grpc.aio.insecure_channel(address, options=[("worker", 1)]) as other:
        await Peer(other).worker(sends_tokens=False).decide(turn, complete(2, '"elsewhere"'))
        assert await peer.status() == "RUNNING"
    await worker.decide(turn, complete(2, '"here"'))
    assert (await peer.ended()).output.value == '"here"'


async def test_refused_turns_do_not_keep_a_worker_from_others(tmp_path: Path) -> None:
    async with queue_of(tmp_path) as (runtime, queue):
        with queue.stream() as old, queue.stream() as new:
            for number in range(3):
                await runtime.start("chain", instance_id=f"refused-{number}")
                (await old.take()).conclude(REFUSED)
            await runtime.start("other", instance_id="other")
            (await old.take()).conclude(DONE)
            assert (await runtime.wait("other")).output == "1"
            for number in range(3):
                delivery = await new.take()
                assert delivery.work.request.instance_id == f"refused-{number}"
                delivery.conclude(DONE)
                await runtime.wait(f"refused-{number}")


async def test_many_stalled_instances_go_on_with_one_worker(tmp_path: Path) -> None:
    async with queue_of(tmp_path) as (runtime, queue):
        ids = [f"one-{number}" for number in range(20)]
        with queue.stream() as old:
            for instance_id in ids:
                await runtime.start("chain", instance_id=instance_id)
                (await old.take()).conclude(REFUSED)
        with queue.stream() as new:
            for _ in ids:
                (await new.take()).conclude(DONE)
            for instance_id in ids:
                assert (await runtime.wait(instance_id)).output == "1"
