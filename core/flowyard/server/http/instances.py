"""Our own API over HTTP: everything that the runtime can do, under /flowyard/v1."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flowyard.errors import InvalidRequest
from flowyard.models import InstanceQuery, ReusePolicy, WorkflowStatus
from flowyard.payload import ABSENT, JsonText
from flowyard.runtime import Runtime
from flowyard.server.http.endpoints import (
    Answer,
    Endpoint,
    Parameter,
    first_of,
    hung_up,
    parse_json,
    read_text,
)
from flowyard.wire.json.errors import RequestFault
from flowyard.wire.json.events import event_json
from flowyard.wire.json.states import page_json, state_json

BASE = "/flowyard/v1"
LONGEST_WAIT_SECONDS = 60.0
"""How many seconds a long poll takes at most."""
_RETRY_AFTER = "1"

_INSTANCES = f"{BASE}/instances"
_INSTANCE = f"{_INSTANCES}/{{instanceID}}"
_STRING = {"type": "string"}
_BOOLEAN = {"type": "boolean", "default": True}
_TIME = {"type": "string", "format": "date-time"}
_COMPONENT = Parameter(_STRING, "the name of a component; by default the first one")
_FAILURES = {400: "Error", 404: "Error", 501: "Error", 503: "Error"}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class StartBody(_Body):
    """What to start. `input` is JSON text."""

    workflow: str = Field(min_length=1)
    instance_id: str | None = Field(None, alias="instanceID")
    input: str | None = None
    start_at: datetime | None = None
    reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED
    options: dict[str, str] = Field(default_factory=dict)


class ReasonBody(_Body):
    """Why an instance is paused or resumed."""

    reason: str | None = None


class TerminateBody(_Body):
    """How an instance ends. `output` is JSON text."""

    output: str | None = None
    recursive: bool = True


class PurgeBody(_Body):
    """Whether the children are removed too."""

    recursive: bool = True


class RerunBody(_Body):
    """From which event, and what is new. `input` is JSON text."""

    event_id: int = Field(alias="eventID")
    instance_id: str | None = Field(None, alias="instanceID")
    input: str | None = None
    overwrite_input: bool = False
    child_instance_id: str | None = Field(None, alias="childInstanceID")


BODIES: Mapping[str, type[BaseModel]] = {
    "Start": StartBody,
    "Reason": ReasonBody,
    "Terminate": TerminateBody,
    "Purge": PurgeBody,
    "Rerun": RerunBody,
}
B = TypeVar("B", bound=_Body)
T = TypeVar("T")


class Instances:
    """The verbs of the runtime; `stopping` ends long polls."""

    def __init__(self, runtime: Runtime, max_body: int, stopping: asyncio.Event) -> None:
        self._runtime = runtime
        self._max_body = max_body
        self._stopping = stopping

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the endpoints."""
        return [*self._readers(), *self._changers()]

    def _readers(self) -> Sequence[Endpoint]:
        def reader(
            path: str, answer: Answer, summary: str, answers: Mapping[int, str], **query: Parameter
        ) -> Endpoint:
            everything = {**answers, **_FAILURES}
            given = {"component": _COMPONENT, **query}
            return Endpoint("GET", path, answer, summary, everything, query=given, only_known=True)

        statuses = {
            "type": "array",
            "items": {"enum": [str(status) for status in WorkflowStatus]},
        }
        return [
            reader(
                _INSTANCES,
                self.list,
                "List instances, newest first, without payloads",
                {200: "Page"},
                workflow=Parameter(_STRING, "the workflow's name"),
                status=Parameter(statuses, "one of these statuses; may be repeated"),
                createdFrom=Parameter(_TIME, "created at this time or later"),
                createdTo=Parameter(_TIME, "created before this time"),
                prefix=Parameter(_STRING, "what the instance ID begins with"),
                pageSize=Parameter(
                    {"type": "integer", "minimum": 1, "maximum": 1000},
                    "the largest number of instances to return",
                ),
                continuationToken=Parameter(_STRING, "the token that the page before gave"),
            ),
            reader(
                _INSTANCE,
                self.get,
                "Get the state of an instance",
                {200: "State"},
                payloads=Parameter(_BOOLEAN, "whether to include input, output and failure"),
            ),
            reader(
                f"{_INSTANCE}/history",
                self.history,
                "Get the history of an instance",
                {200: "History"},
            ),
            reader(
                f"{_INSTANCE}/wait",
                self.wait,
                "Wait until an instance is closed; 202 if it is still active",
                {200: "State", 202: "State"},
                timeout=Parameter(
                    {"type": "number", "minimum": 0, "default": 30},
                    f"seconds, at most {LONGEST_WAIT_SECONDS:g}",
                ),
            ),
        ]

    def _changers(self) -> Sequence[Endpoint]:
        def changer(
            path: str, answer: Answer, summary: str, status: int, schema: str, body: str
        ) -> Endpoint:
            answers = {status: schema, **_FAILURES, 409: "Error", 413: "Error"}
            given = {"component": _COMPONENT}
            return Endpoint(
                "POST", path, answer, summary, answers, body=body, query=given, only_known=True
            )

        return [
            changer(_INSTANCES, self.start, "Start a workflow", 202, "Started", "Start"),
            changer(
                f"{_INSTANCE}/events/{{event}}",
                self.raise_event,
                "Raise an event; the body is its data",
                202,
                "Changed",
                "Payload",
            ),
            changer(
                f"{_INSTANCE}/pause",
                self.pause,
                "Pause an instance until it is resumed",
                200,
                "Changed",
                "Reason",
            ),
            changer(
                f"{_INSTANCE}/resume",
                self.resume,
                "Resume a paused instance",
                200,
                "Changed",
                "Reason",
            ),
            changer(
                f"{_INSTANCE}/terminate",
                self.terminate,
                "End an instance with the status TERMINATED",
                200,
                "Changed",
                "Terminate",
            ),
            changer(
                f"{_INSTANCE}/purge",
                self.purge,
                "Remove a closed instance",
                200,
                "Purged",
                "Purge",
            ),
            changer(
                f"{_INSTANCE}/rerun",
                self.rerun,
                "Start a copy of a closed instance from one of its events",
                202,
                "Started",
                "Rerun",
            ),
        ]

    async def start(self, request: Request) -> Response:
        """Start a workflow; the answer says where its state is."""
        body = await self._body(request, StartBody)
        component = _component(request)
        instance_id = await self._runtime.start(
            body.workflow,
            ABSENT if body.input is None else JsonText(body.input),
            instance_id=body.instance_id,
            component=component,
            start_at=body.start_at,
            reuse=body.reuse,
            options=body.options,
        )
        return _started(instance_id, component)

    async def list(self, request: Request) -> Response:
        """List one page."""
        given = request.query_params
        page_size = _optional(request, "pageSize", int)
        query = InstanceQuery(
            workflow=given.get("workflow"),
            status=frozenset(
                _parse("status", status, WorkflowStatus) for status in given.getlist("status")
            ),
            created_from=_optional(request, "createdFrom", datetime),
            created_to=_optional(request, "createdTo", datetime),
            instance_id_prefix=given.get("prefix"),
            page_size=100 if page_size is None else page_size,
            continuation_token=given.get("continuationToken"),
        )
        return JSONResponse(
            page_json(await self._runtime.list(query, component=_component(request)))
        )

    async def get(self, request: Request) -> Response:
        """Answer with the whole state."""
        payloads = _optional(request, "payloads", bool)
        state = await self._runtime.get(
            request.path_params["instanceID"],
            payloads=payloads is not False,
            component=_component(request),
        )
        return JSONResponse(state_json(state))

    async def history(self, request: Request) -> Response:
        """Answer with the events of the current execution."""
        events = await self._runtime.history(
            request.path_params["instanceID"], component=_component(request)
        )
        return JSONResponse({"events": [event_json(event) for event in events]})

    async def wait(self, request: Request) -> Response:
        """Answer when the instance is closed, the time is over or the server stops."""
        instance_id, component = request.path_params["instanceID"], _component(request)
        seconds = _optional(request, "timeout", float)
        seconds = 30.0 if seconds is None else seconds
        if not 0 <= seconds < float("inf"):
            raise InvalidRequest(f"timeout is {seconds:g}: use 0 seconds or more")
        await first_of(
            self._runtime.wait(instance_id, component=component),
            self._stopping.wait(),
            hung_up(request),
            timeout=min(seconds, LONGEST_WAIT_SECONDS),
        )
        state = await self._runtime.get(instance_id, component=component)
        if state.status.is_closed:
            return JSONResponse(state_json(state))
        return JSONResponse(state_json(state), 202, {"Retry-After": "0"})

    async def raise_event(self, request: Request) -> Response:
        """Raise an event; an empty body is no data."""
        data = await read_text(request, self._max_body)
        changed = await self._runtime.raise_event(
            request.path_params["instanceID"],
            request.path_params["event"],
            JsonText(data) if data else None,
            component=_component(request),
        )
        return JSONResponse({"changed": changed}, 202)

    async def pause(self, request: Request) -> Response:
        """Pause it."""
        return await self._reasoned(request, self._runtime.pause)

    async def resume(self, request: Request) -> Response:
        """Resume it."""
        return await self._reasoned(request, self._runtime.resume)

    async def terminate(self, request: Request) -> Response:
        """Terminate it."""
        body = await self._body(request, TerminateBody)
        changed = await self._runtime.terminate(
            request.path_params["instanceID"],
            output=None if body.output is None else JsonText(body.output),
            recursive=body.recursive,
            component=_component(request),
        )
        return JSONResponse({"changed": changed})

    async def purge(self, request: Request) -> Response:
        """Purge it."""
        body = await self._body(request, PurgeBody)
        purged = await self._runtime.purge(
            request.path_params["instanceID"],
            recursive=body.recursive,
            component=_component(request),
        )
        return JSONResponse({"purged": purged})

    async def rerun(self, request: Request) -> Response:
        """Start a copy; the answer says where its state is."""
        body = await self._body(request, RerunBody)
        component = _component(request)
        instance_id = await self._runtime.rerun(
            request.path_params["instanceID"],
            body.event_id,
            new_instance_id=body.instance_id,
            input=None if body.input is None else JsonText(body.input),
            overwrite_input=body.overwrite_input,
            child_instance_id=body.child_instance_id,
            component=component,
        )
        return _started(instance_id, component)

    async def _reasoned(self, request: Request, verb: Callable[..., Any]) -> Response:
        body = await self._body(request, ReasonBody)
        changed = await verb(
            request.path_params["instanceID"], reason=body.reason, component=_component(request)
        )
        return JSONResponse({"changed": changed})

    async def _body(self, request: Request, model: type[B]) -> B:
        document = parse_json(await read_text(request, self._max_body))
        try:
            return model.model_validate({} if document is None else document)
        except ValidationError as error:
            raise RequestFault(400, "ERR_MALFORMED_REQUEST", _explain(error)) from error


def _started(instance_id: str, component: str | None) -> Response:
    location = f"{_INSTANCES}/{quote(instance_id, safe='')}"
    if component is not None:
        location += f"?{urlencode({'component': component})}"
    headers = {"Location": location, "Retry-After": _RETRY_AFTER}
    return JSONResponse({"instanceID": instance_id}, 202, headers)


def _component(request: Request) -> str | None:
    return request.query_params.get("component")


def _optional(request: Request, name: str, kind: type[T]) -> T | None:
    text = request.query_params.get(name)
    return None if text is None else _parse(name, text, kind)


def _parse(name: str, text: str, kind: type[T]) -> T:
    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        raise InvalidRequest(f"query parameter {name}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        ": ".join(filter(None, [".".join(str(part) for part in fault["loc"]), fault["msg"]]))
        for fault in faults
    )
