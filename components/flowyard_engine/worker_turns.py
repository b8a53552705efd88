"""Turns that a worker runs: the answer may be long in coming, or never come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flowyard.backend import Turn, TurnResult
from flowyard_engine.background_tasks import is_cancelled
from flowyard_engine.inbox_writer import InboxWriter
from flowyard_engine.instance import Batch, Instance
from flowyard_engine.store import Outcome

# A worker that is there and has nothing else to do answers sooner; then one commit does for the
# turn and for what callers wait for. Not longer: a worker whose threads wait for their results to
# be acknowledged has none left for the turn.
_PROMPT_SECONDS = 0.004


class WorkerTurns:
    """Waits for the answers of workers, and hands them back to the engine.

    What callers want to know to be stored is stored first: nobody waits for a worker.
    """

    def __init__(
        self,
        inbox_writer: InboxWriter,
        conclude: Callable[[Instance, Turn, TurnResult, Batch], None],
        abandon: Callable[[Instance, Batch, Outcome], None],
        begin_again: Callable[[Instance, Batch], None],
    ) -> None:
        self._inbox_writer = inbox_writer
        self._conclude = conclude
        self._abandon = abandon
        self._begin_again = begin_again
        self._loop = asyncio.get_running_loop()
        self._prompt: dict[Instance, Batch] = {}
        """The turns whose answer may still be prompt."""
        self._late: asyncio.TimerHandle | None = None

    async def run(
        self, instance: Instance, turn: Turn, waiting: asyncio.Future[TurnResult], batch: Batch
    ) -> None:
        """Conclude a turn that a worker runs, however long that takes."""
        answer: TurnResult | None = None
        failure: Exception | None = None
        self._expect(instance, batch)
        try:
            try:
                answer = await waiting
            except asyncio.CancelledError:
                if is_cancelled():
                    raise
            except Exception as error:  # noqa: BLE001 - it belongs to who waits
                failure = error
            finally:
                self._expect_no_more(instance)
            instance.saves = False
            # What is being stored gets its number only then, and the turn's commit deletes it.
            await self._inbox_writer.settled(instance)
        except asyncio.CancelledError:
            self._begin_again(instance, batch)
            raise
        finally:
            waiting.cancel()
            instance.waiting = None
            instance.saves = False
        if instance.lost is not None:
            self._abandon(instance, batch, instance.lost)
        elif failure is not None:
            self._abandon(instance, batch, Outcome(failure))
        elif answer is not None:
            self._conclude(instance, turn, answer, batch)
        else:
            self._begin_again(instance, batch)

    def _expect(self, instance: Instance, batch: Batch) -> None:
        self._prompt[instance] = batch
        if self._late is None:
            self._late = self._loop.call_later(_PROMPT_SECONDS, self._save)

    def _expect_no_more(self, instance: Instance) -> None:
        self._prompt.pop(instance, None)
        if not self._prompt and self._late is not None:
            self._late.cancel()
            self._late = None

    def _save(self) -> None:
        """Store what all turns without a prompt answer have taken: one commit does for them."""
        self._late = None
        turns, self._prompt = self._prompt, {}
        for instance, batch in turns.items():
            instance.save_from_now_on(*batch.entries)
            self._inbox_writer.save(instance)
