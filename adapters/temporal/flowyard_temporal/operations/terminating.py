"""Ends instances at once, whether or not anybody works for them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TypeAlias

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ParentClosePolicy
from temporalio.api.workflow.v1 import PendingChildExecutionInfo, WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionResponse,
    TerminateWorkflowExecutionRequest,
)

from flowyard.backend import BackendUnavailable, InstanceNotFound, UnsupportedOperation
from flowyard_temporal.connection import Connection
from flowyard_temporal.instances import Instances
from flowyard_temporal.native.states import Snapshot
from flowyard_temporal.payloads import payloads_of
from flowyard_temporal.visibility.search import Visibility, is_quotable, one_of, quoted

_ABANDON = ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON
# A child that its parent has asked for a moment ago may not be there yet.
_MOST_TRIES = 20
_PAUSE_SECONDS = 0.05
_OPEN = one_of(["Running", "Paused"])

Children: TypeAlias = dict[str, tuple[PendingChildExecutionInfo, WorkflowExecution]]
"""Children by their IDs, each with the run of the parent that has asked for it."""


class Terminating:
    """Native children follow their parent as its code has said; hosted ones as the caller says."""

    def __init__(
        self, connection: Connection, instances: Instances, visibility: Visibility
    ) -> None:
        self._connection = connection
        self._instances = instances
        self._visibility = visibility

    async def terminate(self, instance_id: str, output: str | None, *, recursive: bool) -> bool:
        """End the instance with this output; False if it is closed.

        Where it is closed already, children of it that an earlier termination has not reached are
        ended all the same.
        """
        if not recursive:
            await self._refuse_to_part(instance_id)
        changed = await self._terminate(instance_id, output)
        if recursive:
            await self._follow(instance_id)
        return changed

    async def _terminate(self, instance_id: str, output: str | None, first_run: str = "") -> bool:
        connection = self._connection
        request = TerminateWorkflowExecutionRequest(
            namespace=connection.namespace,
            workflow_execution=connection.execution(instance_id),
            first_execution_run_id=first_run,
            details=payloads_of(output),
            identity=connection.identity,
        )
        method = connection.service.terminate_workflow_execution
        return await self._instances.change(instance_id, method, request)

    async def _follow(self, instance_id: str) -> None:
        description = await self._instances.describe(instance_id)
        # A native child that is abandoned is so because its parent's code wants it to go on.
        if not Snapshot(description).is_hosted:
            return
        info = description.workflow_execution_info
        children = _abandoned(description)
        if info.first_run_id != info.execution.run_id:
            children |= await self._left_behind(info)
        await asyncio.gather(*(self._terminate_child(*child) for child in children.values()))

    async def _left_behind(self, info: WorkflowExecutionInfo) -> Children:
        """Return the children that earlier executions of an instance may have left behind."""
        instance_id = info.execution.workflow_id
        children: Children = {}
        first = await self._instances.first(instance_id, info.execution.run_id)
        before = first.workflow_execution_started_event_attributes.continued_execution_run_id
        if is_quotable(instance_id):
            condition = f"ParentWorkflowId = {quoted(instance_id)} AND ExecutionStatus IN {_OPEN}"
            for run in await self._visibility.all(condition):
                parent = run.parent_execution
                if await self._is_of_birth(parent, info.first_run_id):
                    child = PendingChildExecutionInfo(workflow_id=run.execution.workflow_id)
                    children[child.workflow_id] = child, parent
        if before:
            # What it has begun last may not be found yet.
            with suppress(InstanceNotFound):
                children |= _abandoned(await self._instances.describe(instance_id, before))
        return children

    async def _is_of_birth(self, execution: WorkflowExecution, first_run_id: str) -> bool:
        """Whether a run is of the instance that began with another run, and not of its ID only."""
        try:
            description = await self._instances.describe(execution.workflow_id, execution.run_id)
        except InstanceNotFound:
            return False
        return description.workflow_execution_info.first_run_id == first_run_id

    async def _terminate_child(
        self, child: PendingChildExecutionInfo, parent: WorkflowExecution
    ) -> None:
        is_others = False
        for _ in range(_MOST_TRIES):
            try:
                info = (await self._instances.describe(child.workflow_id)).workflow_execution_info
                is_others = not _is_begun_as(info, child, parent)
                if not is_others:
                    await self._terminate(child.workflow_id, None, info.first_run_id)
                    await self._follow(child.workflow_id)
                    return
            except InstanceNotFound:
                is_others = False
            if child.run_id:
                # It has begun, and is over: the ID was purged, or used again.
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        if not is_others:
            raise BackendUnavailable(
                f"instance '{parent.workflow_id}' was terminated, but its child "
                f"'{child.workflow_id}' has not begun yet. Terminate it again, so that the child "
                "ends as well."
            )

    async def _refuse_to_part(self, instance_id: str) -> None:
        description = await self._instances.describe(instance_id)
        for child in description.pending_children:
            if child.parent_close_policy != _ABANDON:
                raise UnsupportedOperation(
                    self._connection.name,
                    "terminate",
                    f"Temporal ends child '{child.workflow_id}' with its parent, as the parent's "
                    "code says (parent close policy). Terminate both (recursive), or neither",
                )


def _abandoned(description: DescribeWorkflowExecutionResponse) -> Children:
    """Return the children of a run that its end leaves alone."""
    parent = description.workflow_execution_info.execution
    return {
        child.workflow_id: (child, parent)
        for child in description.pending_children
        if child.parent_close_policy == _ABANDON
    }


def _is_begun_as(
    info: WorkflowExecutionInfo, child: PendingChildExecutionInfo, parent: WorkflowExecution
) -> bool:
    """Whether an instance is the one that its parent waits for, and not another of its ID.

    Until the start of a child has succeeded, its ID may be that of anybody's instance, also of a
    child of an earlier execution of the parent: Temporal is about to refuse the start then.
    """
    if child.run_id:
        return child.run_id == info.first_run_id
    link = info.parent_execution
    return (link.workflow_id, link.run_id) == (parent.workflow_id, parent.run_id)
