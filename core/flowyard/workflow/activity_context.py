"""What the author of an activity sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowyard.calls.calls import BlockCalls
from flowyard.errors import FlowyardError

if TYPE_CHECKING:
    from flowyard.blocks.blocks import Blocks
    from flowyard.calls.event_ids import EventIds
    from flowyard.calls.sync import SyncBlockCalls


@dataclass(frozen=True, slots=True)
class ActivityContext(BlockCalls):
    """What an activity knows of its call, and the other building blocks that it can use.

    Attributes:
        workflow_id: The ID of the instance that has called it.
        task_id: The number of the attempt among the actions of the execution, another for each.
        task_execution_id: The same for every attempt of one call, also after a crash: use it as the
            idempotency key towards the outside.
        attempt: The attempt by the retry policy, from 1. A repetition after a crash is the same
            attempt.
        blocks: The components of the other building blocks; None, the default, where the activity
            is called outside of a runtime.

    Example:
        ```python
        @app.activity
        async def take_car(ctx: ActivityContext) -> int:
            stock = (await ctx.get_state("inventory", "car")).value(int) or 0
            await ctx.save_state("inventory", "car", stock - 1)
            return stock - 1
        ```
    """

    workflow_id: str
    task_id: int
    task_execution_id: str
    attempt: int = 1
    blocks: Blocks | None = field(default=None, repr=False, compare=False)
    # Without a default, so that making a context costs nothing for it.
    _event_ids: EventIds = field(init=False, repr=False, compare=False)

    @property
    def sync(self) -> SyncBlockCalls:
        """The same calls for an activity that is no coroutine function: each waits for its answer.

        Raises:
            FlowyardError: If the activity is called outside of a runtime.
        """
        # Lazy: most activities need none of it.
        from flowyard.calls.sync import CallsFromThread

        loop = self._open_blocks().loop
        if loop is None:
            raise FlowyardError(_OUTSIDE)
        return CallsFromThread(self, loop)

    def _next_event_id(self, pubsub_name: str, topic_name: str) -> str:
        if not hasattr(self, "_event_ids"):
            # Lazy: most activities publish nothing.
            from flowyard.calls.event_ids import EventIds

            object.__setattr__(self, "_event_ids", EventIds(self.task_execution_id))
        return self._event_ids.next(pubsub_name, topic_name)

    def _open_blocks(self) -> Blocks:
        if self.blocks is None:
            raise FlowyardError(_OUTSIDE)
        return self.blocks


_OUTSIDE = (
    "this activity is called outside of a runtime, which has the other building blocks. Start it "
    "by a workflow, or give its ActivityContext the `blocks` of a Runtime."
)
