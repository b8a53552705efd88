"""Ends instances at once, whether or not anybody works for them."""

from __future__ import annotations

import asyncio

from temporalio.api.enums.v1 import ParentClosePolicy
from temporalio.api.workflow.v1 import PendingChildExecutionInfo
from temporalio.api.workflowservice.v1 import TerminateWorkflowExecutionRequest

from flowyard.errors import BackendUnavailable, InstanceNotFound, UnsupportedOperation
from flowyard_temporal.connection import Connection
from flowyard_temporal.instances import Instances
from flowyard_temporal.payloads import payloads_of
from flowyard_temporal.states import Snapshot

_ABANDON = ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON
# A child that its parent has asked for a moment ago may not be there yet.
_PATIENCE = 20
_PAUSE = 0.05


class Terminating:
    """Native children follow their parent as its code has said; hosted ones as the caller says."""

    def __init__(self, connection: Connection, instances: Instances) -> None:
        self._connection = connection
        self._instances = instances

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
        if Snapshot(description).is_hosted:
            children = description.pending_children
            hosted = [one for one in children if one.parent_close_policy == _ABANDON]
            await asyncio.gather(*(self._terminate_child(one, instance_id) for one in hosted))

    async def _terminate_child(self, child: PendingChildExecutionInfo, parent: str) -> None:
        is_others = False
        for _ in range(_PATIENCE):
            try:
                info = (await self._instances.describe(child.workflow_id)).workflow_execution_info
                is_others = info.parent_execution.workflow_id != parent or (
                    child.run_id not in {"", info.first_run_id}
                )
                if not is_others:
                    await self._terminate(child.workflow_id, None, info.first_run_id)
                    await self._follow(child.workflow_id)
                    return
            except InstanceNotFound:
                is_others = False
            if child.run_id:
                # It has begun, and is over: the ID was purged, or used again.
                return
            await asyncio.sleep(_PAUSE)
        if not is_others:
            raise BackendUnavailable(
                f"instance '{parent}' was terminated, but its child '{child.workflow_id}' has not "
                "begun yet. Terminate it again, so that the child ends as well."
            )

    async def _refuse_to_part(self, instance_id: str) -> None:
        description = await self._instances.describe(instance_id)
        for child in description.pending_children:
            if child.parent_close_policy != _ABANDON:
                raise UnsupportedOperation(
                    self._connection.name,
                    "terminate",
                    f"Temporal ends child '{child.workflow_id}' with its parent, as the parent's "
                    "code has said (parent close policy). Terminate both (recursive), or none",
                )
