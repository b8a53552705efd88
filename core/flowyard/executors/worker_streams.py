"""Connected workers, and what each of them has in hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowyard.backend.executor import ActivityResult, TurnResult
from flowyard.backend.history import ExecutionCompleted
from flowyard.executors.connections import Connection
from flowyard.executors.work import ACTIVITY, Work, is_stall
from flowyard.failure import FailureDetails
from flowyard.models import WorkflowStatus

if TYPE_CHECKING:
    from flowyard.executors.work_queue import WorkQueue

CREDIT = (100, 100)
"""How many turns and activities a worker has at once that does not say how many it takes."""


@dataclass(eq=False, slots=True)
class Delivery:
    """Work as it was handed to one worker, by whose stream an answer is known to be its own."""

    queue: WorkQueue
    work: Work
    stream: str
    connection: Connection | None = None

    @property
    def token(self) -> str:
        """What the worker is to answer with."""
        return f"{self.work.name}.{self.stream}"

    @property
    def is_settled(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self.work.answer.done()

    def conclude(self, result: TurnResult | ActivityResult) -> bool:
        """Hand the answer to who waits for it; the first one counts, from whomever it is.

        A turn that the worker's code does not fit is stalled only if no other worker's does.
        False if nobody waits for the answer.
        """
        if is_stall(result):
            return self.decline(result)
        self.queue.answered(self)
        if self.is_settled:
            return False
        self.work.answer.set_result(result)
        return True

    def decline(self, otherwise: TurnResult | ActivityResult | None, why: str = "") -> bool:
        """Say that this worker cannot run it: others are asked, and `otherwise` counts if none can.

        Without `otherwise` the work waits for a worker that can. A late word of a worker that has
        gone, or one said twice, says nothing of the worker that has the work now: then false.
        """
        if not self.queue.answered(self) or self.is_settled:
            return False
        self.work.refuse(self.stream, otherwise, why)
        self.queue.offer(self.work)
        return True

    def failed(self, failure: FailureDetails) -> TurnResult | ActivityResult:
        """Return a result by which the activity fails, or the instance."""
        if self.work.kind == ACTIVITY:
            return ActivityResult(failure=failure)
        return TurnResult([ExecutionCompleted(WorkflowStatus.FAILED, failure=failure)])


class WorkerStream:
    """One connected worker, and what it has been given and not answered."""

    def __init__(self, queue: WorkQueue, name: str, address: str, credit: tuple[int, int]) -> None:
        self._queue = queue
        self.name = name
        self.address = address
        self.connection: Connection
        self.outstanding: dict[str, Delivery] = {}
        self.announced = credit
        self.credit = list(credit)
        self.held = [0, 0]
        self.aside: tuple[dict[str, Work], dict[str, Work]] = ({}, {})
        """What waits that not every worker may take, but this one may."""
        self.waiting: asyncio.Future[Work | None] | None = None

    def has_room(self, kind: int) -> bool:
        """Whether the worker may be given one more."""
        return self.held[kind] < self.credit[kind]

    def may_take(self, work: Work) -> bool:
        """Whether nothing speaks against giving it to this worker."""
        return (
            self.name not in work.refused_by
            and self.name not in work.late_with
            and work.key not in self.connection.overdue
        )

    async def take(self) -> Delivery:
        """Return the next work for this worker, once there is some; raise `QueueClosed`."""
        delivery = await self._queue.take(self, None)
        assert delivery is not None  # noqa: S101  # it has all the time that it takes
        return delivery

    async def take_within(self, seconds: float | None) -> Delivery | None:
        """Return the next work, None if there is none for so long; raise `QueueClosed`."""
        return await self._queue.take(self, seconds)
