"""The activities of the portable workflows: they tell what ran, and wait where a test says."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

from flowyard.errors import NonRetryableError
from flowyard.workflow.activity_context import ActivityContext

PATIENCE = timedelta(seconds=30)
"""How long the suite waits for anything. Reaching it is a failure, never part of a test."""


class BrokenStep(Exception):
    """What the failing activities raise."""


class HopelessStep(NonRetryableError):
    """What an activity raises that must not be tried again."""


class Probe:
    """Sees every activity of one test. Gates are named, and hold an activity until opened."""

    def __init__(self, patience: timedelta = PATIENCE) -> None:
        self.patience = patience
        self._thread = threading.get_ident()
        self._calls: Counter[tuple[str, str]] = Counter()
        self._inputs: dict[str, list[object]] = {}
        self._reached: dict[tuple[str, str], asyncio.Event] = {}
        self._gates: dict[tuple[str, str], asyncio.Event] = {}
        self._closing = False

    @property
    def activities(self) -> Mapping[str, Callable[..., object]]:
        """The activities by the names that the portable workflows call."""
        return {
            "echo": self.echo,
            "double": self.double,
            "record": self.record,
            "gate": self.gate,
            "flaky": self.flaky,
            "broken": self.broken,
            "hopeless": self.hopeless,
            "describe_call": self.describe_call,
            "is_in_a_thread": self.is_in_a_thread,
        }

    async def echo(self, _context: ActivityContext, value: object = None) -> object:
        return value

    async def double(self, _context: ActivityContext, value: int) -> int:
        return 2 * value

    async def record(self, context: ActivityContext, what: object) -> object:
        """Remember that the workflow came here."""
        self._inputs.setdefault(context.workflow_id, []).append(what)
        self._event(self._reached, context.workflow_id, str(what)).set()
        return what

    async def gate(self, context: ActivityContext, name: str) -> str:
        """Wait until the test opens the gate."""
        self._calls[context.workflow_id, name] += 1
        self._event(self._reached, context.workflow_id, name).set()
        if not self._closing:
            await self._event(self._gates, context.workflow_id, name).wait()
        return name

    async def flaky(self, context: ActivityContext, failures: int) -> int:
        """Fail so many times, then return the number of the attempt."""
        self._calls[context.workflow_id, "flaky"] += 1
        attempt = self._calls[context.workflow_id, "flaky"]
        self._inputs.setdefault(context.workflow_id, []).append(context.task_execution_id)
        if attempt <= failures:
            raise BrokenStep(f"attempt {attempt}")
        return attempt

    async def broken(self, context: ActivityContext, message: str) -> None:
        """Fail with a cause."""
        self._calls[context.workflow_id, "broken"] += 1
        raise BrokenStep(message) from KeyError("the root of it")

    async def hopeless(self, context: ActivityContext, message: str) -> None:
        self._calls[context.workflow_id, "hopeless"] += 1
        raise HopelessStep(message)

    async def describe_call(self, context: ActivityContext) -> list[object]:
        return [context.workflow_id, context.task_id, context.task_execution_id]

    def is_in_a_thread(self, _context: ActivityContext) -> bool:
        return threading.get_ident() != self._thread

    def calls(self, instance_id: str, activity: str) -> int:
        """Say how often an activity (or the gate of a name) was called."""
        return self._calls[instance_id, activity]

    def records(self, instance_id: str) -> list[object]:
        """Return what an instance has recorded, in order."""
        return list(self._inputs.get(instance_id, ()))

    async def reached(self, instance_id: str, what: str) -> None:
        """Wait until an instance has recorded something or stands at a gate."""
        async with asyncio.timeout(self.patience.total_seconds()):
            await self._event(self._reached, instance_id, what).wait()

    def open_gate(self, instance_id: str, name: str) -> None:
        """Let the activity that waits there (or will) go on."""
        self._event(self._gates, instance_id, name).set()

    def close(self) -> None:
        """Open every gate, so that nothing holds up the end of a test."""
        self._closing = True
        for gate in self._gates.values():
            gate.set()

    @staticmethod
    def _event(
        events: dict[tuple[str, str], asyncio.Event], instance_id: str, name: str
    ) -> asyncio.Event:
        return events.setdefault((instance_id, name), asyncio.Event())
