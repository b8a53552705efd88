"""Turns that a worker runs: the answer may be long in coming, or never come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flowyard.executor import Turn, TurnResult
from flowyard_engine import commits
from flowyard_engine.instance import Batch, Instance
from flowyard_engine.store import Outcome, Store

# A worker that is there and has nothing else to do answers sooner; then one commit does for the
# turn and for what callers wait for.
_PROMPT_SECONDS = 0.02


class WorkerTurns:
    """Waits for the answers of workers, and hands them back to the engine.

    What callers want to know to be stored is stored first: nobody waits for a worker.
    """

    def __init__(
        self,
        store: Store,
        conclude: Callable[[Instance, Turn, TurnResult, Batch], None],
        abandon: Callable[[Instance, Batch, Outcome], None],
        begin_again: Callable[[Instance, Batch], None],
    ) -> None:
        self._store = store
        self._conclude = conclude
        self._abandon = abandon
        self._begin_again = begin_again

    async def run(
        self, instance: Instance, turn: Turn, waiting: asyncio.Future[TurnResult], batch: Batch
    ) -> None:
        """Conclude a turn that a worker runs, however long that takes."""
        try:
            await asyncio.wait({waiting}, timeout=_PROMPT_SECONDS)
            outcome = None if waiting.done() else await self._keep(instance, batch)
            answer = await waiting if outcome is None else None
        except asyncio.CancelledError:
            self._begin_again(instance, batch)
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            return
        except Exception as error:  # noqa: BLE001 - it belongs to who waits; the turn is repeated
            outcome, answer = Outcome(error), None
        finally:
            waiting.cancel()
            instance.waiting = None
        if outcome is not None:
            self._abandon(instance, batch, outcome)
        elif answer is not None:
            self._conclude(instance, turn, answer, batch)

    async def _keep(self, instance: Instance, batch: Batch) -> Outcome | None:
        """Make durable what callers wait for; the outcome if it could not be."""
        commit = commits.of_wait(instance, batch)
        if commit is None:
            return None
        written: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not written.done():
                written.set_result(outcome)

        self._store.submit(commit, done)
        outcome = await written
        if outcome.taken is not None or outcome.error is not None:
            return outcome
        instance.keep(batch.admitted, list(commit.messages))
        return None
