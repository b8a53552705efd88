"""Starts: an instance ID is claimed, looked up and then given to a new workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from flowyard.errors import InstanceAlreadyExists
from flowyard.models import ReusePolicy, StartRequest
from flowyard_conductor.claims import Claims
from flowyard_conductor.instances import Instances
from flowyard_conductor.states import STATUSES


class Starts:
    """Gives an ID to one workflow at a time."""

    def __init__(self, instances: Instances, claims: Claims) -> None:
        self._instances = instances
        self._claims = claims

    async def start(
        self, request: StartRequest, begin: Callable[[StartRequest], Awaitable[str]]
    ) -> str:
        """Begin a workflow under the request's ID if that is free, and return its own ID."""
        async with self._claims.hold(request.instance_id):
            runs = await self._instances.runs(request.instance_id)
            for run in runs:
                if run.is_active or request.reuse is ReusePolicy.REJECT:
                    raise InstanceAlreadyExists(request.instance_id, STATUSES[run.status])
            return await begin(request)
