"""The workflow methods and the metadata of `dapr.proto.runtime.v1.Dapr` (docs/protocol.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty

from flowyard.errors import InstanceNotFound, InvalidRequest
from flowyard.payload import JsonText
from flowyard.runtime import Runtime
from flowyard.server.grpc.starts import Starts
from flowyard.server.grpc.values import check_app, timestamp_of
from flowyard.server.metadata import Extras, described
from flowyard.server.pubsub.subscriptions import Active
from flowyard.wire.json.states import dapr_properties
from flowyard.wire.v1 import management_pb2 as wire

Context = grpc.aio.ServicerContext[Any, Any]

_START_TIME = "dapr.workflow.start_time"


class ManagementService:
    """Each request names its component."""

    def __init__(
        self,
        runtime: Runtime,
        app_id: str,
        connected_workers: Callable[[], int],
        starts: Starts,
        extras: Extras | None,
        shut_down: Callable[[], None] | None,
        subscriptions: Sequence[Active] = (),
    ) -> None:
        self._runtime = runtime
        self._app_id = app_id
        self._connected_workers = connected_workers
        self._starts = starts
        self._extras = Extras() if extras is None else extras
        self._shut_down = shut_down
        self._subscriptions = subscriptions

    async def start(
        self, request: wire.StartWorkflowRequest, _context: Context
    ) -> wire.StartWorkflowResponse:
        """Start a workflow; one option is its start time, the others are the component's."""
        check_app(request.app_id, self._app_id)
        options = dict(request.options)
        start_at = options.pop(_START_TIME, None)
        instance_id = await self._runtime.start(
            request.workflow_name,
            _payload(request.input),
            instance_id=request.instance_id or None,
            component=request.workflow_component or None,
            start_at=None if start_at is None else _time(start_at),
            options=options,
        )
        self._starts.note(instance_id)
        return wire.StartWorkflowResponse(instance_id=instance_id)

    async def get(
        self, request: wire.WorkflowRequestById, _context: Context
    ) -> wire.GetWorkflowResponse:
        """Answer with the state; of an unknown instance with its ID alone, as daprd does."""
        check_app(request.app_id, self._app_id)
        try:
            state = await self._runtime.get(
                request.instance_id, component=request.workflow_component or None
            )
        except InstanceNotFound:
            return wire.GetWorkflowResponse(instance_id=request.instance_id)
        return wire.GetWorkflowResponse(
            instance_id=state.instance_id,
            workflow_name=state.workflow,
            created_at=timestamp_of(state.created_at),
            last_updated_at=timestamp_of(state.last_updated_at),
            runtime_status=str(state.status),
            properties=dapr_properties(state),
        )

    async def raise_event(
        self, request: wire.RaiseEventWorkflowRequest, _context: Context
    ) -> Empty:
        """Raise an event; a closed instance drops it."""
        check_app(request.app_id, self._app_id)
        await self._runtime.raise_event(
            request.instance_id,
            request.event_name,
            _payload(request.event_data),
            component=request.workflow_component or None,
        )
        return Empty()

    async def pause(self, request: wire.WorkflowRequestById, _context: Context) -> Empty:
        """Pause an instance."""
        check_app(request.app_id, self._app_id)
        await self._runtime.pause(request.instance_id, component=request.workflow_component or None)
        return Empty()

    async def resume(self, request: wire.WorkflowRequestById, _context: Context) -> Empty:
        """Let a paused instance go on."""
        check_app(request.app_id, self._app_id)
        await self._runtime.resume(
            request.instance_id, component=request.workflow_component or None
        )
        return Empty()

    async def terminate(self, request: wire.WorkflowRequestById, _context: Context) -> Empty:
        """End an instance and its children."""
        check_app(request.app_id, self._app_id)
        await self._runtime.terminate(
            request.instance_id, component=request.workflow_component or None
        )
        return Empty()

    async def purge(self, request: wire.WorkflowRequestById, _context: Context) -> Empty:
        """Remove a closed instance and its children."""
        check_app(request.app_id, self._app_id)
        await self._runtime.purge(request.instance_id, component=request.workflow_component or None)
        return Empty()

    async def metadata(self, _request: Empty, _context: Context) -> wire.GetMetadataResponse:
        """Answer with the components, and with how many workers are there if there are any."""
        workers = self._connected_workers()
        return wire.GetMetadataResponse(
            id=self._app_id,
            registered_components=[
                wire.RegisteredComponent(**asdict(component))
                for component in described(self._runtime)
            ],
            extended_metadata=self._extras,
            subscriptions=map(_subscription, self._subscriptions),
            runtime_version=f"flowyard-{version('flowyard')}",
            workflows=wire.WorkflowsMetadata(connected_workers=workers) if workers else None,
        )

    async def set_metadata(self, request: wire.SetMetadataRequest, _context: Context) -> Empty:
        """Add to what the metadata say, while the server runs."""
        self._extras.add(request.key, request.value)
        return Empty()

    async def shutdown(self, _request: Empty, context: Context) -> Empty:
        """Begin to stop."""
        if self._shut_down is None:
            text = "this server does not let callers stop it"
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)
        else:
            self._shut_down()
        return Empty()


def _payload(data: bytes) -> JsonText:
    try:
        return JsonText(data.decode())
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the payload is not UTF-8 text: {error}") from error


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"{_START_TIME} is not an RFC 3339 time: {text!r}") from error
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _subscription(active: Active) -> wire.PubsubSubscription:
    subscription = active.subscription
    rules = [
        wire.PubsubSubscriptionRule(match=rule.match, path=rule.path) for rule in subscription.rules
    ]
    return wire.PubsubSubscription(
        pubsub_name=subscription.pubsub_name,
        topic=subscription.topic,
        metadata=subscription.metadata,
        rules=wire.PubsubSubscriptionRules(rules=rules),
        dead_letter_topic=subscription.dead_letter_topic,
        type=active.kind,
    )
