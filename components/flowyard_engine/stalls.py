"""Instances whose code does not fit their history: they wait until code has come that may."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flowyard.executor import Executor, watch
from flowyard.models import FailureDetails, WorkflowStatus
from flowyard_engine import commits
from flowyard_engine.errands import Errands
from flowyard_engine.instance import Batch, Instance
from flowyard_engine.recovery import Recovery
from flowyard_engine.roster import Roster
from flowyard_engine.store import Outcome, Store


class Stalls:
    """Marks instances as STALLED, and takes them up again when more code has come."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        roster: Roster,
        recovery: Recovery,
        errands: Errands,
        logger: logging.Logger,
    ) -> None:
        self._store = store
        self._executor = executor
        self._roster = roster
        self._recovery = recovery
        self._errands = errands
        self._logger = logger
        self.changes = 0
        """How often code has come. A turn notes it, for code may come while it is under way."""
        self.close: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Look out for more code, until `close` is called."""
        self.close = watch(self._executor, self._take_up)

    def stall(
        self, instance: Instance, failure: FailureDetails, batch: Batch, ended: Callable[[], None]
    ) -> None:
        """Keep what has come for the instance until fitting code runs it again."""
        instance_id = instance.record.id
        if instance.record.status is not WorkflowStatus.STALLED:
            self._logger.warning("'%s' is STALLED: %s", instance_id, failure.message)
        commit = commits.of_stall(instance, failure, batch)
        batch.admitted += instance.inbox
        instance.inbox = []
        self._roster.remove(instance)

        def done(outcome: Outcome) -> None:
            if outcome.error is None:
                batch.acknowledge()
                if instance.changes != self.changes:
                    # When the code came, the store did not know yet of this instance.
                    self._errands.run(self._recovery.load(instance_id))
            else:
                batch.refuse(outcome.error)
            ended()

        self._store.submit(commit, done)

    def _take_up(self) -> None:
        self.changes += 1
        self._errands.run(self._recovery.load_stalled())
