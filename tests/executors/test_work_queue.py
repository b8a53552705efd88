"""Who gets which work, and whose an answer is, without any wire."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from flowyard import WorkflowStatus
from flowyard.backend.executor import ActivityResult, ActivityTask, Turn, TurnResult
from flowyard.backend.history import ExecutionCompleted, ExecutionStarted, HistoryEvent, TurnStarted
from flowyard.executors.work import Answer
from flowyard.executors.work_queue import WorkQueue
from flowyard.executors.worker_streams import Delivery, WorkerStream
from flowyard.failure import FailureDetails
from flowyard.testing.clock import VirtualClock

DONE = TurnResult([ExecutionCompleted(WorkflowStatus.COMPLETED, "1")])
TOO_LARGE = ActivityResult(failure=FailureDetails("PayloadSizeExceeded", "too large"))


def turn_of(instance_id: str, execution_id: str = "e") -> Turn:
    new: list[HistoryEvent] = [TurnStarted(0), ExecutionStarted("order", None, execution_id)]
    return Turn(instance_id, execution_id, (), new)


def activity_of(instance_id: str, task_id: int = 1, execution_id: str = "e") -> ActivityTask:
    return ActivityTask(instance_id, task_id, "charge", None, f"call-{task_id}", execution_id)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def queue(clock: VirtualClock) -> WorkQueue:
    return WorkQueue("orders", turn_seconds=60, acknowledge_seconds=30, clock=clock)


async def settle() -> None:
    """Let all run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def taken(stream: WorkerStream, count: int) -> list[Delivery]:
    """Take as much as the worker gets, which is so much and no more."""
    deliveries = [await asyncio.wait_for(stream.take(), 5) for _ in range(count)]
    taking = asyncio.ensure_future(stream.take())
    await settle()
    assert not taking.done()
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    return deliveries


def name_of(delivery: Delivery) -> str:
    return delivery.work.request.instance_id


async def test_a_worker_has_no_more_in_hand_than_its_credit(queue: WorkQueue) -> None:
    for number in range(10):
        queue.put(turn_of(f"turn-{number}"))
        queue.put(activity_of(f"activity-{number}"))
    with queue.stream("a", (2, 3)) as worker:
        deliveries = await taken(worker, 5)
        assert sorted(map(name_of, deliveries)) == [
            *("activity-0", "activity-1", "activity-2"),
            *("turn-0", "turn-1"),
        ]
        next(delivery for delivery in deliveries if name_of(delivery) == "turn-0").conclude(DONE)
        assert [name_of(delivery) for delivery in await taken(worker, 1)] == ["turn-2"]


async def test_a_worker_that_waits_gets_what_an_answer_of_its_own_makes_room_for(
    queue: WorkQueue,
) -> None:
    for number in range(2):
        queue.put(turn_of(f"turn-{number}"))
    with queue.stream("a", (1, 1)) as worker:
        first = await worker.take()
        taking = asyncio.ensure_future(worker.take())
        await settle()
        assert not taking.done()
        first.conclude(DONE)
        assert name_of(await asyncio.wait_for(taking, 5)) == "turn-1"


async def test_silent_workers_do_not_keep_work_from_a_good_one(queue: WorkQueue) -> None:
    with queue.stream("silent", (1, 1)) as silent, queue.stream("good", (1, 1)) as good:
        queue.put(turn_of("first"))
        await silent.take()
        waiting = asyncio.ensure_future(silent.take())
        await settle()
        for number in range(20):
            queue.put(turn_of(f"turn-{number}"))
            (await asyncio.wait_for(good.take(), 5)).conclude(DONE)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_the_longest_idle_worker_is_asked_first(queue: WorkQueue) -> None:
    with queue.stream("a") as one, queue.stream("b") as other:
        order = []
        taking = {stream: asyncio.ensure_future(stream.take()) for stream in (one, other)}
        await settle()
        for number in range(4):
            queue.put(turn_of(f"turn-{number}"))
            await settle()
            [stream] = [stream for stream, future in taking.items() if future.done()]
            order.append(stream.address)
            taking[stream].result().conclude(DONE)
            taking[stream] = asyncio.ensure_future(stream.take())
            await settle()
        assert order == ["a", "b", "a", "b"]
        for future in taking.values():
            future.cancel()
        await asyncio.gather(*taking.values(), return_exceptions=True)


async def test_a_turn_that_is_not_answered_in_time_goes_to_another_worker(
    queue: WorkQueue, clock: VirtualClock
) -> None:
    answer = queue.put(turn_of("one"))
    with queue.stream("a") as silent, queue.stream("b") as good:
        late = await silent.take()
        clock.advance(timedelta(seconds=59))
        await taken(good, 0)
        clock.advance(timedelta(seconds=1))
        # Not to the one that is late, although it asks first.
        asking = asyncio.ensure_future(silent.take())
        await settle()
        found = await asyncio.wait_for(good.take(), 5)
        assert found.work is late.work
        assert not asking.done()
        assert late.conclude(DONE)
        assert answer.result() is DONE
        assert not found.conclude(TurnResult())
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def test_an_activity_may_take_as_long_as_it_likes(
    queue: WorkQueue, clock: VirtualClock
) -> None:
    queue.put(activity_of("one"))
    with queue.stream("a") as worker, queue.stream("b") as other:
        await worker.take()
        clock.advance(timedelta(seconds=30 * 24 * 3600))
        await taken(other, 0)


async def test_the_only_worker_is_asked_again_if_it_answers_with_tokens(
    queue: WorkQueue, clock: VirtualClock
) -> None:
    first, second = queue.put(turn_of("one")), queue.put(turn_of("two"))
    with queue.stream("a") as worker:
        deliveries = await taken(worker, 2)
        found = queue.find(deliveries[0].token, ("one", None), "a")
        assert found is not None
        found.conclude(DONE)
        clock.advance(timedelta(seconds=60))
        (await asyncio.wait_for(worker.take(), 5)).conclude(DONE)
    assert first.result() is second.result() is DONE


async def test_what_was_late_without_a_token_cannot_be_taken_for_what_follows(
    queue: WorkQueue, clock: VirtualClock
) -> None:
    queue.put(turn_of("one"))
    with queue.stream("old") as old, queue.stream("new") as new:
        await old.take()
        clock.advance(timedelta(seconds=60))
        (await asyncio.wait_for(new.take(), 5)).conclude(TurnResult())
        following = queue.put(turn_of("one"))
        # It is kept from the connection over which the late answer may come.
        await taken(old, 0)
        late = queue.find("", ("one", None), "old")
        assert late is not None
        assert late.is_settled
        assert not late.conclude(DONE)
        assert not following.done()
        assert (await asyncio.wait_for(old.take(), 5)).work.answer is following


async def test_an_answer_without_a_token_is_for_the_oldest_of_its_key(queue: WorkQueue) -> None:
    with queue.stream("a") as worker, queue.stream("b"):
        withdrawn = queue.put(activity_of("one", execution_id="first"))
        await worker.take()
        withdrawn.cancel()
        wanted = queue.put(activity_of("one", execution_id="second"))
        await worker.take()
        assert queue.find("", ("one", 1), "b") is None
        for expected in (withdrawn, wanted):
            delivery = queue.find("", ("one", 1), "a")
            assert delivery is not None
            assert delivery.work.answer is expected
            delivery.conclude(ActivityResult("1"))
        assert wanted.result() == ActivityResult("1")
        assert queue.find("", ("one", 1), "a") is None


async def test_a_worker_that_asks_again_answers_what_it_had_before(queue: WorkQueue) -> None:
    answer = queue.put(activity_of("one"))
    with queue.stream("a") as before:
        await before.take()
    with queue.stream("a") as again:
        await again.take()
        for _ in range(2):
            delivery = queue.find("", ("one", 1), "a")
            assert delivery is not None
            delivery.conclude(ActivityResult("1"))
        assert answer.result() == ActivityResult("1")
        assert queue.find("", ("one", 1), "a") is None


async def test_activities_end_with_their_execution(queue: WorkQueue) -> None:
    answers = [queue.put(activity_of("one", number)) for number in range(3)]
    other = queue.put(activity_of("one", 3, execution_id="next"))
    with queue.stream("a", (1, 1)) as worker:
        await worker.take()
        queue.closed("one", "e")
        assert all(answer.cancelled() for answer in answers)
    with queue.stream("b") as successor:
        (delivery,) = await taken(successor, 1)
        assert delivery.work.answer is other


async def test_what_nobody_can_run_fails_and_what_somebody_lacks_waits(queue: WorkQueue) -> None:
    failing, waiting = queue.put(activity_of("one", 1)), queue.put(activity_of("two", 1))
    with queue.stream("a") as worker:
        large, unknown = await taken(worker, 2)
        unknown.decline(None, "no connected worker has activity 'charge'")
        large.decline(TOO_LARGE)
        assert failing.result() is TOO_LARGE
        await taken(worker, 0)
        assert queue.obstacle("two") == "no connected worker has activity 'charge'"
        with queue.stream("b") as other:
            (await asyncio.wait_for(other.take(), 5)).conclude(ActivityResult("1"))
        assert waiting.result() == ActivityResult("1")
        await settle()
        assert queue.obstacle("two") is None


async def delivered(queue: WorkQueue, task: ActivityTask) -> tuple[Answer, asyncio.Future[bool]]:
    """Have a worker deliver the result of a task."""
    answer = queue.put(task)
    with queue.stream("a") as worker:
        delivery = await worker.take()
        kept = queue.acknowledgements.expect(delivery.work)
        assert kept is not None
        assert delivery.conclude(ActivityResult("1"))
    return answer, kept


async def test_a_result_is_acknowledged_when_it_is_recorded(queue: WorkQueue) -> None:
    _, kept = await delivered(queue, activity_of("one"))
    queue.acknowledgements.recorded("one", "other execution", 1)
    assert not kept.done()
    queue.acknowledgements.recorded("one", "e", 1)
    assert kept.result() is True


async def test_a_result_that_is_asked_for_again_was_not_kept(queue: WorkQueue) -> None:
    _, kept = await delivered(queue, activity_of("one"))
    queue.put(activity_of("one"))
    assert kept.result() is False


async def test_nobody_waits_for_a_host_that_never_tells(
    queue: WorkQueue, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    _, kept = await delivered(queue, activity_of("one"))
    clock.advance(timedelta(seconds=29))
    assert not kept.done()
    clock.advance(timedelta(seconds=1))
    assert kept.result() is True
    assert "does not tell" in caplog.text
    queue.put(activity_of("two"))
    with queue.stream("a") as worker:
        delivery = await worker.take()
        assert queue.acknowledgements.expect(delivery.work) is None
        delivery.conclude(ActivityResult("1"))
        queue.acknowledgements.recorded("two", "e", 1)
    # It has told now, so from now on it is waited for.
    _, kept = await delivered(queue, activity_of("three"))
    clock.advance(timedelta(seconds=30))
    assert kept.result() is False
    assert "was not stored" in caplog.text


async def test_a_drain_waits_for_what_workers_have_and_for_what_is_not_kept_yet(
    queue: WorkQueue,
) -> None:
    queue.put(activity_of("one"))
    queue.put(activity_of("two"))
    with queue.stream("a", (1, 1)) as worker:
        delivery = await worker.take()
        draining = asyncio.create_task(queue.drain())
        await settle()
        kept = queue.acknowledgements.expect(delivery.work)
        delivery.conclude(ActivityResult("1"))
        await settle()
        assert not draining.done()
        queue.acknowledgements.recorded("one", "e", 1)
        await asyncio.wait_for(draining, 5)
        assert kept is not None
        assert kept.result() is True
        await taken(worker, 0)


async def test_of_workers_that_come_again_and_again_a_host_is_told_rarely(
    queue: WorkQueue,
) -> None:
    told: list[int] = []
    unwatch = queue.watch(lambda: told.append(queue.connected))
    for _ in range(100):
        with queue.stream():
            pass
    # Five at once, and one more each ten seconds.
    assert 5 <= len(told) < 10
    unwatch()


async def test_a_drain_gives_up_activities_that_no_worker_has(queue: WorkQueue) -> None:
    with queue.stream("a", (1, 1)) as worker:
        taken_answer = queue.put(activity_of("taken"))
        delivery = await worker.take()
        waiting = queue.put(activity_of("waiting"))
        turn = queue.put(turn_of("it"))
        draining = asyncio.ensure_future(queue.drain())
        await settle()
        assert waiting.cancelled()
        assert queue.put(activity_of("later")).cancelled()
        assert not (taken_answer.done())
        assert not (turn.done())
        assert not draining.done()
        delivery.conclude(ActivityResult("1"))
        await asyncio.wait_for(draining, 5)
        assert taken_answer.result() == ActivityResult("1")
        turn.cancel()
