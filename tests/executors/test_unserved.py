"""What waits for a worker that never comes is told, and told rarely."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from executors.test_work_queue import activity_of, settle, turn_of
from flowyard.executors.work_queue import WorkQueue
from flowyard.testing.clock import VirtualClock

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def queue(clock: VirtualClock) -> WorkQueue:
    return WorkQueue("orders", clock=clock)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "flowyard.executors.unserved"
    ]


async def test_what_has_waited_for_a_minute_is_one_line(
    queue: WorkQueue, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    queue.put(activity_of("first"))
    for number in range(1000):
        queue.put(turn_of(f"other-{number}"))
    clock.advance(timedelta(seconds=59))
    assert told(caplog) == []
    clock.advance(timedelta(seconds=3))
    assert told(caplog) == [
        (
            "component 'orders': instance 'first' has waited for a worker that runs activity "
            "'charge' for more than 60 s, and 1000 other tasks wait as well. "
            "Connect a worker that does"
        )
    ]


async def test_lines_are_a_minute_apart(
    queue: WorkQueue, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        queue.put(turn_of(f"it-{number}"))
        clock.advance(timedelta(seconds=10))
    assert 3 <= len(told(caplog)) <= 5


async def test_what_a_worker_has_or_nobody_wants_is_not_told(
    queue: WorkQueue, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    queue.put(turn_of("withdrawn")).cancel()
    await settle()
    queue.put(activity_of("taken"))
    with queue.stream("a") as worker:
        await worker.take()
        clock.advance(2 * MINUTE)
    assert told(caplog) == []


async def test_what_a_worker_has_left_behind_is_told_later(
    queue: WorkQueue, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    queue.put(activity_of("it"))
    with queue.stream("a") as worker:
        await worker.take()
        clock.advance(2 * MINUTE)
    clock.advance(MINUTE + timedelta(seconds=1))
    assert len(told(caplog)) == 1


async def test_work_is_not_given_to_a_worker_that_has_just_stopped_waiting(
    queue: WorkQueue,
) -> None:
    with queue.stream("leaving") as leaving, queue.stream("staying") as staying:
        leaves = asyncio.ensure_future(leaving.take())
        await settle()
        stays = asyncio.ensure_future(staying.take())
        await settle()
        leaves.cancel()  # which it hears of in the next round of the loop
        queue.put(turn_of("it"))
        assert (await asyncio.wait_for(stays, 5)).work.request.instance_id == "it"


async def test_a_result_that_comes_while_the_queue_closes_is_not_waited_for_later(
    queue: WorkQueue, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    queue.acknowledgements.recorded("any", "e", 1)  # the host tells
    queue.put(activity_of("it"))
    with queue.stream("a") as worker:
        delivery = await worker.take()
        known = queue.acknowledgements.expect(delivery.work)
        assert known is not None
        queue.close()
        assert await known is False
        clock.advance(MINUTE)
    assert [
        record for record in caplog.records if record.name == "flowyard.executors.acknowledgements"
    ] == []
