"""States of instances as JSON: in Dapr's shape, and whole in ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from flowyard.failure import FailureDetails
from flowyard.models import InstancePage, WorkflowState, WorkflowStatus


def time_text(time: datetime) -> str:
    """Return RFC 3339 text in UTC."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def dapr_state(state: WorkflowState) -> dict[str, Any]:
    """Return the answer to Dapr's GET; a property is there only if its value is."""
    return {
        "instanceID": state.instance_id,
        "workflowName": state.workflow,
        "createdAt": time_text(state.created_at),
        "lastUpdatedAt": time_text(state.last_updated_at),
        "runtimeStatus": str(state.status),
        "properties": dapr_properties(state),
    }


def dapr_properties(state: WorkflowState) -> dict[str, str]:
    """Return what Dapr calls the properties of an instance, over HTTP and over gRPC."""
    failure = state.failure
    properties = {
        "input": state.input,
        "output": state.output,
        "custom_status": state.custom_status,
        "failure.error_type": failure.error_type if failure is not None else None,
        "failure.error_message": failure.message if failure is not None else None,
        "failure.stack_trace": failure.stack_trace if failure is not None else None,
    }
    return {f"dapr.workflow.{key}": value for key, value in properties.items() if value is not None}


def field_key(name: str) -> str:
    """Return a field's name in JSON: `instance_id` is `instanceID`, as Dapr writes it."""
    first, *rest = name.split("_")
    return first + "".join("ID" if part == "id" else part.capitalize() for part in rest)


class _Failure(msgspec.Struct, rename="camel"):
    error_type: str
    message: str
    stack_trace: str | None = None
    cause: _Failure | None = None
    non_retryable: bool = False
    base_types: tuple[str, ...] = ()

    def value(self) -> FailureDetails:
        cause = self.cause.value() if self.cause is not None else None
        return FailureDetails(
            self.error_type,
            self.message,
            self.stack_trace,
            cause,
            self.non_retryable,
            self.base_types,
        )


class _State(msgspec.Struct, rename=field_key):
    instance_id: str
    workflow: str
    status: WorkflowStatus
    created_at: datetime
    last_updated_at: datetime
    input: str | None = None
    output: str | None = None
    custom_status: str | None = None
    failure: _Failure | None = None
    parent_instance_id: str | None = None
    detail: str | None = None

    def value(self) -> WorkflowState:
        given = msgspec.structs.asdict(self)
        given["failure"] = self.failure.value() if self.failure is not None else None
        return WorkflowState(**given)


class _Page(msgspec.Struct, rename="camel"):
    instances: list[_State]
    continuation_token: str | None = None


def failure_json(failure: FailureDetails | None) -> dict[str, Any] | None:
    """Return why something failed, with its causes."""
    if failure is None:
        return None
    return {
        "errorType": failure.error_type,
        "message": failure.message,
        "stackTrace": failure.stack_trace,
        "cause": failure_json(failure.cause),
        "nonRetryable": failure.non_retryable,
        "baseTypes": list(failure.base_types),
    }


def failure_of(document: Mapping[str, Any]) -> FailureDetails:
    """Read what `failure_json` wrote; raises `msgspec.ValidationError`."""
    return msgspec.convert(document, _Failure).value()


def state_json(state: WorkflowState) -> dict[str, Any]:
    """Return a whole state; payloads are text, as everywhere."""
    return {
        "instanceID": state.instance_id,
        "workflow": state.workflow,
        "status": str(state.status),
        "createdAt": time_text(state.created_at),
        "lastUpdatedAt": time_text(state.last_updated_at),
        "input": state.input,
        "output": state.output,
        "customStatus": state.custom_status,
        "failure": failure_json(state.failure),
        "parentInstanceID": state.parent_instance_id,
        "detail": state.detail,
    }


def state_of(document: Mapping[str, Any]) -> WorkflowState:
    """Read what `state_json` wrote; raises `msgspec.ValidationError`."""
    return msgspec.convert(document, _State).value()


def page_json(page: InstancePage) -> dict[str, Any]:
    """Return one page of a listing."""
    return {
        "instances": [state_json(instance) for instance in page.instances],
        "continuationToken": page.continuation_token,
    }


def page_of(document: Mapping[str, Any]) -> InstancePage:
    """Read what `page_json` wrote; raises `msgspec.ValidationError`."""
    page = msgspec.convert(document, _Page)
    return InstancePage(
        tuple(instance.value() for instance in page.instances), page.continuation_token
    )
