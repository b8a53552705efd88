"""Finds every run of an instance and of its children, by what their histories tell."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from temporalio.api.history.v1 import HistoryEvent

from flowyard.backend import InstanceNotFound
from flowyard_temporal.instances import Instances
from flowyard_temporal.native.states import CLOSE_EVENTS
from flowyard_temporal.visibility.search import Visibility, is_quotable, quoted

# How many histories are read at once.
_AT_ONCE = 8


@dataclass(slots=True)
class Run:
    """One run of an instance, and the runs that came of it: its children and its successor."""

    instance_id: str
    run_id: str
    birth: str = ""
    """The run with which the instance began that this run is of; an ID may have many in turn."""
    is_closed: bool = False
    children: list[tuple[str, str]] = field(default_factory=list)
    successor: str = ""

    def note(self, event: HistoryEvent) -> None:
        """Take an event of its history into account."""
        if event.HasField("workflow_execution_started_event_attributes"):
            started = event.workflow_execution_started_event_attributes
            self.birth = started.first_execution_run_id
        elif event.HasField("child_workflow_execution_started_event_attributes"):
            child = event.child_workflow_execution_started_event_attributes.workflow_execution
            self.children.append((child.workflow_id, child.run_id))
        elif event.event_type in CLOSE_EVENTS:
            self.is_closed = True
            attributes = getattr(event, event.WhichOneof("attributes") or "")
            # A run that completed has one too, if it runs by a schedule or is retried.
            self.successor = getattr(attributes, "new_execution_run_id", "")


class Families:
    """Reads histories, and not visibility: what has just happened is missing there."""

    def __init__(self, instances: Instances, visibility: Visibility) -> None:
        self._instances = instances
        self._visibility = visibility
        self._turnstile = asyncio.Semaphore(_AT_ONCE)

    async def runs(self, instance_id: str, *, recursive: bool) -> list[Run]:
        """Return the runs of an instance, and after them those of its children if recursive.

        Among them are the runs of instances that had the ID before, but not the children of those:
        a termination leaves them alone, too.
        """
        info = (await self._instances.describe(instance_id)).workflow_execution_info
        known = [info.first_run_id, info.execution.run_id]
        if is_quotable(instance_id):
            listed = await self._visibility.all(f"WorkflowId = {quoted(instance_id)}")
            known += [run.execution.run_id for run in listed]
        seen: set[tuple[str, str]] = set()
        runs: list[Run] = []
        next_ones = {(instance_id, run_id) for run_id in known if run_id}
        while next_ones:
            seen |= next_ones
            found = await asyncio.gather(
                *(self._run(*child, recursive=recursive) for child in sorted(next_ones))
            )
            present = [run for run in found if run is not None]
            runs += present
            for run in present:
                if run.instance_id == instance_id and run.birth not in {"", info.first_run_id}:
                    run.children.clear()
            next_ones = {child for run in present for child in run.children}
            next_ones |= {(run.instance_id, run.successor) for run in present if run.successor}
            next_ones -= seen
        return runs

    async def _run(self, instance_id: str, run_id: str, *, recursive: bool) -> Run | None:
        """Read a run; None if it is gone already."""
        run = Run(instance_id, run_id)
        async with self._turnstile:
            try:
                async for event in self._instances.events(
                    instance_id, run_id, only_the_end=not recursive
                ):
                    run.note(event)
            except InstanceNotFound:
                return None
        return run
