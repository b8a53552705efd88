"""Instances whose code does not fit their history: they wait until code has come that may."""

from __future__ import annotations

import logging

from flowyard.backend import FailureDetails
from flowyard_conductor.hosted.instance import HostedInstance
from flowyard_conductor.hosted.side_workflows import STALL, SideWorkflows
from flowyard_conductor.hosted.wakeups import Wakeups

_WATCHDOG_DELAY_SECONDS = 2


class Stalled:
    """Sees to it that each process tries each of them once, and again when more code has come."""

    def __init__(
        self,
        side_workflows: SideWorkflows,
        wakeups: Wakeups,
        logger: logging.Logger,
    ) -> None:
        self._side_workflows = side_workflows
        self._logger = logger
        self._wakeups = wakeups
        self._tried: set[str] = set()

    async def note(self, instance: HostedInstance, failure: FailureDetails) -> None:
        """Take note that the code of this process does not fit."""
        self._tried.add(instance.workflow_id)
        if instance.stalled is None:
            self._logger.warning(
                "instance '%s' is STALLED: %s", instance.instance_id, failure.message
            )
            # Its watchdog finds a process with other code.
            await self._side_workflows.start(instance, "", [], [STALL], _WATCHDOG_DELAY_SECONDS, [])

    def is_worth_a_try(self, workflow_id: str) -> bool:
        """Whether the code of this process may fit."""
        return workflow_id not in self._tried

    async def try_again(self) -> None:
        """Try all of them: more code has come."""
        tried, self._tried = self._tried, set()
        for workflow_id in tried:
            await self._wakeups.wake(workflow_id)
