"""What an instance waits for, as its own code tells when its history is replayed."""

from __future__ import annotations

from collections.abc import Sequence

from flowyard.backend.executor import Turn
from flowyard.backend.history import HistoryEvent
from flowyard.backend.journal import Journal
from flowyard.workflow.execution import Execution
from flowyard.workflow.registry import Registry


def open_waits(registry: Registry, instance_id: str, history: Sequence[HistoryEvent]) -> list[str]:
    """Return what a workflow waits for, in words."""
    execution = Execution(instance_id, registry)
    execution.run(Turn(instance_id, "", history, ()))
    # History does not record that somebody waits for an event; only the code knows.
    waiting = execution._schedule.waiting  # noqa: SLF001
    events = [f"event '{wait.name}'" for waits in waiting.values() for wait in waits]
    execution.close()
    journal = Journal(instance_id, history)
    calls = [f"activity '{task.name}'" for task in journal.tasks.values()]
    calls += [f"child '{child.instance_id}'" for child in journal.children.values()]
    calls += ["a timer" for timer in journal.timers.values() if timer.origin == "timer"]
    return [*events, *calls]
