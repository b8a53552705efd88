"""Parents: they are told how their children have ended."""

from __future__ import annotations

from flowyard.backend import ExecutionCompleted, Parent, result_for_parent
from flowyard_conductor.api.errors import Rejected
from flowyard_conductor.hosted.delivery import Delivery
from flowyard_conductor.hosted.instance import HostedInstance, parent_of
from flowyard_conductor.hosted.records import Outcome
from flowyard_conductor.hosted.states import outcome_of
from flowyard_conductor.instances import ACTIVE, Found, Instances


class Parents:
    """Tells the execution that has started a child how that has ended."""

    def __init__(self, instances: Instances, delivery: Delivery) -> None:
        self._instances = instances
        self._delivery = delivery

    async def tell(self, instance: HostedInstance, outcome: Outcome) -> None:
        """Tell the parent of an instance that has just ended."""
        link, parent_id = instance.started.parent, instance.parent_workflow_id
        if link is not None and parent_id is not None:
            child = instance.instance_id, instance.workflow_id
            await self._tell(parent_id, link, *child, outcome.completion)

    async def tell_of(self, found: Found) -> None:
        """Tell the parent of a closed instance, which may have been told before."""
        workflow = await self._instances.read(found, tasks=False)
        parent_id, link = parent_of(workflow)
        if parent_id is None or link is None:
            return
        try:
            parent = await self._instances.connection.get(
                f"/workflow/{parent_id}", includeTasks=False
            )
        except Rejected as refusal:
            if refusal.is_not_found:
                return
            raise
        if parent["status"] in ACTIVE:
            child = found.instance_id, found.workflow_id
            await self._tell(parent_id, link, *child, outcome_of(workflow).completion)

    async def _tell(
        self,
        parent_id: str,
        link: Parent,
        instance_id: str,
        workflow_id: str,
        completion: ExecutionCompleted,
    ) -> None:
        # A message of this key counts once.
        await self._delivery.deliver(
            parent_id,
            result_for_parent(link, instance_id, completion),
            key=workflow_id,
            execution_id=link.execution_id,
        )
