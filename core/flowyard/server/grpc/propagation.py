"""What has happened in a caller, as its children and activities are told (docs/protocol.md §13)."""

from __future__ import annotations

import logging

from flowyard.backend.executor import ActivityTask, Turn
from flowyard.backend.history import ExecutionStarted, Propagated, TaskScheduled, decode_events
from flowyard.backend.lineage import propagated
from flowyard.errors import FlowyardError
from flowyard.runtime import Runtime
from flowyard.server.grpc.history import Rendering
from flowyard.wire.v1 import taskhub_pb2 as wire

logger = logging.getLogger(__name__)


class Propagation:
    """Renders what is told. An execution has been given it at its start, an activity has not."""

    def __init__(self, runtime: Runtime, component: str | None, app_id: str) -> None:
        self._runtime = runtime
        self._component = component
        self._app_id = app_id

    def of_turn(self, turn: Turn) -> wire.PropagatedHistory | None:
        """Return what the execution of a turn is told."""
        for events in (turn.past, turn.new):
            for event in events:
                if isinstance(event, ExecutionStarted):
                    return None if event.propagated is None else self._rendered(event.propagated)
        return None

    async def of_activity(self, task: ActivityTask) -> wire.PropagatedHistory | None:
        """Return what an activity is told, if its workflow wants it to be."""
        if not task.propagation:
            return None
        try:
            history = await self._runtime.history(task.instance_id, component=self._component)
        except FlowyardError as error:
            logger.warning(
                "instance '%s': activity '%s' runs without the history that it should be given: %s",
                *(task.instance_id, task.name, error),
            )
            return None
        for event in history:
            if isinstance(event, TaskScheduled) and event.id == task.task_id:
                told = propagated(task.instance_id, history, task.propagation, event)
                return self._rendered(told)
        # The execution is over, and nobody waits for the activity.
        return None

    def _rendered(self, told: Propagated) -> wire.PropagatedHistory:
        chunks = []
        for chunk in told.chunks:
            rendering = Rendering(chunk.instance_id, self._app_id)
            events = rendering.render(decode_events(chunk.events.encode()))
            chunks.append(
                wire.PropagatedHistoryChunk(
                    raw_events=[event.SerializeToString(deterministic=True) for event in events],
                    app_id=self._app_id,
                    instance_id=chunk.instance_id,
                    workflow_name=chunk.workflow,
                )
            )
        return wire.PropagatedHistory(scope=told.scope, chunks=chunks)
