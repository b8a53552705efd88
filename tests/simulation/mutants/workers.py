"""Mutants of what workers are handed, and of what becomes of their answers."""

from __future__ import annotations

import asyncio

import pytest

from flowyard.executors.acknowledgements import Acknowledgements
from flowyard.executors.work import Key, Work
from flowyard.executors.work_queue import WorkQueue
from flowyard.executors.worker_streams import Delivery
from flowyard_engine.instance import Entry
from flowyard_engine.turns import Turns


def results_are_acknowledged_too_early(patch: pytest.MonkeyPatch) -> None:
    """Fault 67: the result of an activity is acknowledged while it is in memory only."""
    activity_ended = Turns._activity_ended

    def take(turns: Turns, instance_id: str, entry: Entry) -> None:
        entry.ack = None
        activity_ended(turns, instance_id, entry)

    def expect(acknowledgements: Acknowledgements, work: Work) -> asyncio.Future[bool] | None:
        return None

    patch.setattr(Turns, "_activity_ended", take)
    patch.setattr(Acknowledgements, "expect", expect)


def activities_outlive_their_executions(patch: pytest.MonkeyPatch) -> None:
    """Fault 80: an activity is handed out again and again after its instance has closed."""

    def closed(queue: WorkQueue, instance_id: str, execution_id: str) -> None:
        queue.acknowledgements.closed(instance_id, execution_id)

    patch.setattr(WorkQueue, "closed", closed)


def answers_without_token_are_for_the_newest(patch: pytest.MonkeyPatch) -> None:
    """Fault 91: an answer without a token is for the newest work of its key, whoever has it."""
    find = WorkQueue.find

    def find_newest(queue: WorkQueue, token: str, key: Key, address: str = "") -> Delivery | None:
        if token:
            return find(queue, token, key, address)
        newest = (work for work in reversed(queue._by_name.values()) if work.key == key)
        work = next(newest, None)
        return None if work is None else Delivery(queue, work, work.stream)

    patch.setattr(WorkQueue, "find", find_newest)
