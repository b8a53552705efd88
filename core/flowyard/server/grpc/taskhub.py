"""What clients of Dapr's workflow SDKs call on TaskHubSidecarService (docs/protocol.md §6)."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from typing import Any

import grpc.aio
from google.protobuf.wrappers_pb2 import BoolValue, StringValue

from flowyard.errors import InstanceNotClosed, InstanceNotFound, InvalidRequest
from flowyard.models import (
    InstanceQuery,
    ReusePolicy,
    WorkflowState,
    WorkflowStatus,
    check_any_id,
)
from flowyard.payload import ABSENT, JsonText
from flowyard.runtime import Runtime
from flowyard.server.grpc.history import Rendering
from flowyard.server.grpc.starts import Starts
from flowyard.server.grpc.values import (
    NUMBERS,
    STATUSES,
    check_app,
    datetime_of,
    failure,
    string,
    timestamp_of,
)
from flowyard.wire.v1 import taskhub_pb2 as wire

Context = grpc.aio.ServicerContext[Any, Any]

logger = logging.getLogger(__name__)

_LARGEST_PAGE = 1000
_MOST_SHOWN = 20


class TaskHubClientService:
    """The methods that clients call; all go to one component, for the protocol names none."""

    def __init__(
        self, runtime: Runtime, component: str | None, app_id: str, starts: Starts
    ) -> None:
        self._runtime = runtime
        self._component = component
        self._app_id = app_id
        self._starts = starts

    async def start_instance(
        self, request: wire.CreateInstanceRequest, _context: Context
    ) -> wire.CreateInstanceResponse:
        """Start a workflow."""
        check_app(request.router.target_app_id, self._app_id)
        start_at = None
        if request.HasField("scheduled_start_timestamp"):
            start_at = datetime_of(request.scheduled_start_timestamp)
        unique = request.enforce_unique_instance_id
        instance_id = await self._runtime.start(
            request.name,
            _payload(request.input) if request.HasField("input") else ABSENT,
            instance_id=check_any_id(request.instance_id) if request.instance_id else None,
            start_at=start_at,
            reuse=ReusePolicy.REJECT if unique else ReusePolicy.REPLACE_CLOSED,
            component=self._component,
        )
        self._starts.note(instance_id)
        return wire.CreateInstanceResponse(instance_id=instance_id)

    async def get_instance(
        self, request: wire.GetInstanceRequest, _context: Context
    ) -> wire.GetInstanceResponse:
        """Answer with the state; an unknown instance does not exist."""
        check_app(request.router.target_app_id, self._app_id)
        state = await self._find(request.instance_id)
        return _answer(state, payloads=request.get_inputs_and_outputs)

    async def wait_for_start(
        self, request: wire.GetInstanceRequest, _context: Context
    ) -> wire.GetInstanceResponse:
        """Answer once the instance is there and has started; until then the caller's time runs."""
        check_app(request.router.target_app_id, self._app_id)
        await self._starts.wait(request.instance_id)
        state = await self._find(request.instance_id)
        return _answer(state, payloads=request.get_inputs_and_outputs)

    async def wait_for_completion(
        self, request: wire.GetInstanceRequest, _context: Context
    ) -> wire.GetInstanceResponse:
        """Answer once the instance is closed."""
        check_app(request.router.target_app_id, self._app_id)
        try:
            state = await self._runtime.wait(request.instance_id, component=self._component)
        except InstanceNotFound:
            return wire.GetInstanceResponse()
        return _answer(state, payloads=request.get_inputs_and_outputs)

    async def raise_event(self, request: wire.RaiseEventRequest, _context: Context) -> wire.Nothing:
        """Raise an event; a closed instance drops it."""
        check_app(request.router.target_app_id, self._app_id)
        data = _payload(request.input) if request.HasField("input") else None
        await self._runtime.raise_event(
            request.instance_id, request.name, data, component=self._component
        )
        return wire.Nothing()

    async def terminate(self, request: wire.TerminateRequest, _context: Context) -> wire.Nothing:
        """End an instance."""
        check_app(request.router.target_app_id, self._app_id)
        await self._runtime.terminate(
            request.instance_id,
            output=_payload(request.output) if request.HasField("output") else None,
            recursive=request.recursive,
            component=self._component,
        )
        return wire.Nothing()

    async def suspend(self, request: wire.SuspendRequest, _context: Context) -> wire.Nothing:
        """Pause an instance."""
        check_app(request.router.target_app_id, self._app_id)
        reason = request.reason.value if request.HasField("reason") else None
        await self._runtime.pause(request.instance_id, reason=reason, component=self._component)
        return wire.Nothing()

    async def resume(self, request: wire.ResumeRequest, _context: Context) -> wire.Nothing:
        """Let a paused instance go on."""
        check_app(request.router.target_app_id, self._app_id)
        reason = request.reason.value if request.HasField("reason") else None
        await self._runtime.resume(request.instance_id, reason=reason, component=self._component)
        return wire.Nothing()

    async def purge(
        self, request: wire.PurgeInstancesRequest, _context: Context
    ) -> wire.PurgeInstancesResponse:
        """Remove an instance, or all closed ones that a filter admits."""
        check_app(request.router.target_app_id, self._app_id)
        left: list[str] = []
        if request.WhichOneof("request") == "purge_instance_filter":
            wanted = request.purge_instance_filter
            removed, left = await self._purge_all(wanted, request.recursive)
        else:
            instance_id = request.instance_id
            if request.force:
                await self._runtime.terminate(instance_id, component=self._component)
            removed = await self._runtime.purge(
                instance_id, recursive=request.recursive, component=self._component
            )
        return wire.PurgeInstancesResponse(
            deleted_instance_count=removed, is_complete=BoolValue(value=not left)
        )

    async def list_instance_ids(
        self, request: wire.ListInstanceIDsRequest, _context: Context
    ) -> wire.ListInstanceIDsResponse:
        """Answer with one page of IDs."""
        query = InstanceQuery(
            page_size=min(request.page_size or _LARGEST_PAGE, _LARGEST_PAGE),
            continuation_token=request.continuation_token or None,
        )
        page = await self._runtime.list(query, component=self._component)
        return wire.ListInstanceIDsResponse(
            instance_ids=[instance.instance_id for instance in page.instances],
            continuation_token=page.continuation_token,
        )

    async def get_history(
        self, request: wire.GetInstanceHistoryRequest, _context: Context
    ) -> wire.GetInstanceHistoryResponse:
        """Answer with the events of the current execution."""
        history = await self._runtime.history(request.instance_id, component=self._component)
        events = Rendering(request.instance_id, self._app_id).render(history)
        return wire.GetInstanceHistoryResponse(events=events)

    async def rerun(
        self, request: wire.RerunWorkflowFromEventRequest, _context: Context
    ) -> wire.RerunWorkflowFromEventResponse:
        """Start a copy of a closed instance from one of its events."""
        check_app(request.router.target_app_id, self._app_id)
        instance_id = await self._runtime.rerun(
            request.source_instance_id,
            request.event_id,
            new_instance_id=request.new_instance_id or None,
            input=_payload(request.input) if request.HasField("input") else None,
            overwrite_input=request.overwrite_input,
            child_instance_id=request.new_child_workflow_instance_id or None,
            component=self._component,
        )
        return wire.RerunWorkflowFromEventResponse(new_instance_id=instance_id)

    async def _find(self, instance_id: str) -> WorkflowState | None:
        try:
            return await self._runtime.get(instance_id, component=self._component)
        except InstanceNotFound:
            return None

    async def _purge_all(
        self, wanted: wire.PurgeInstanceFilter, recursive: bool
    ) -> tuple[int, list[str]]:
        """Remove what can be; return how many that were, and the IDs of what has to stay."""
        statuses = frozenset(_status(number) for number in wanted.runtime_status)
        closed = frozenset(status for status in WorkflowStatus if status.is_closed)
        query = InstanceQuery(
            status=statuses & closed if statuses else closed,
            created_from=_time(wanted, "created_time_from"),
            created_to=_time(wanted, "created_time_to"),
            page_size=_LARGEST_PAGE,
        )
        removed = 0
        left: dict[str, None] = {}
        while query.status:
            page = await self._runtime.list(query, component=self._component)
            before = removed
            for instance in page.instances:
                if instance.instance_id in left:
                    continue
                # A parent's purge may have taken it along.
                with suppress(InstanceNotFound):
                    try:
                        removed += await self._runtime.purge(
                            instance.instance_id, recursive=recursive, component=self._component
                        )
                    except InstanceNotClosed:
                        # It is closed, and a child of it is not.
                        left[instance.instance_id] = None
            if page.continuation_token is None:
                break
            # What was removed has made room: pages of some backends are counted from the first.
            token = page.continuation_token if removed == before else None
            query = replace(query, continuation_token=token)
        if left:
            logger.warning(
                "a purge by filter left out %d closed instances that have active children: %s%s",
                len(left),
                ", ".join([*left][:_MOST_SHOWN]),
                " …" if len(left) > _MOST_SHOWN else "",
            )
        return removed, [*left]


def _payload(text: StringValue) -> JsonText:
    return JsonText(text.value)


def _time(wanted: wire.PurgeInstanceFilter, field: str) -> Any:
    return datetime_of(getattr(wanted, field)) if wanted.HasField(field) else None


def _status(number: int) -> WorkflowStatus:
    if not 0 <= number < len(STATUSES):
        raise InvalidRequest(f"there is no runtime status {number}")
    return STATUSES[number]


def _answer(state: WorkflowState | None, *, payloads: bool) -> wire.GetInstanceResponse:
    if state is None:
        return wire.GetInstanceResponse()
    updated = timestamp_of(state.last_updated_at)
    shown = wire.WorkflowState(
        instance_id=state.instance_id,
        name=state.workflow,
        workflow_status=NUMBERS[state.status],
        created_timestamp=timestamp_of(state.created_at),
        last_updated_timestamp=updated,
        custom_status=string(state.custom_status),
        failure_details=failure(state.failure),
        parent_instance_id=string(state.parent_instance_id),
    )
    if payloads:
        if state.input is not None:
            shown.input.value = state.input
        if state.output is not None:
            shown.output.value = state.output
    if state.status.is_closed:
        shown.completed_timestamp.CopyFrom(updated)
    return wire.GetInstanceResponse(exists=True, workflow_state=shown)
