"""Which instances another one has started: their link to it decides, not their ID."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from flowyard.backend import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ExecutionStarted,
    InstanceNotFound,
)
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.instance import HostedInstance, parent_of
from flowyard_conductor.instances import Found, Instances

_AT_ONCE = 8


async def children_of(
    instances: Instances, instance: HostedInstance, is_meant: Callable[[Found], bool]
) -> list[Found]:
    """Return those children of an instance, of all its executions, that are still its own."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def own(child_id: str) -> list[Found]:
        async with slots:
            found: list[Found] = []
            for run in await instances.runs(child_id):
                if run.workflow is not None and is_meant(run):
                    with suppress(InstanceNotFound):
                        workflow = await instances.read(run, tasks=False)
                        # The ID may be that of an instance which it has not started.
                        if parent_of(workflow)[0] == instance.workflow_id:
                            found.append(run)
            return found

    ids = dict.fromkeys(instance.children)
    return [run for runs in await asyncio.gather(*map(own, ids)) for run in runs]


async def is_begun(
    instances: Instances,
    inbox: Inbox,
    instance: HostedInstance,
    started: ExecutionStarted,
    child: ChildCreated,
) -> bool:
    """Whether this action has started its instance, which may have ended and be removed."""
    parent_workflow_id = None if child.detached else instance.workflow_id
    for run in await instances.runs(child.instance_id):
        if run.workflow is not None:
            workflow = await instances.read(run, tasks=False)
            its_parent, link = parent_of(workflow)
            begun = HostedInstance(run.workflow_id, run.instance_id, workflow["input"], 0).started
            if its_parent == parent_workflow_id and (
                begun.execution_id == started.execution_id
                or (link is not None and link == started.parent)
            ):
                return True
    link = started.parent
    # After the instances: who removes one has told its parent before.
    return link is not None and any(
        isinstance(one.event, (ChildCompleted, ChildFailed))
        and (one.event.task_id, one.execution_id) == (link.task_id, link.execution_id)
        for one in await inbox.messages(instance.workflow_id)
    )
