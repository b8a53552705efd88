"""What the author of an activity sees."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActivityContext:
    """What an activity knows of its call.

    Attributes:
        workflow_id: The ID of the instance that has called it.
        task_id: The number of the attempt among the actions of the execution, another for each.
        task_execution_id: The same for every attempt of one call, also after a crash: use it as the
            idempotency key towards the outside.
        attempt: The attempt by the retry policy, from 1. A repetition after a crash is the same
            attempt.
    """

    workflow_id: str
    task_id: int
    task_execution_id: str
    attempt: int = 1
