"""Dapr's management API over HTTP (docs/protocol.md §4)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flowyard.errors import ComponentNotFound, InstanceNotFound, InvalidInstanceId
from flowyard.payload import JsonText
from flowyard.runtime import Runtime
from flowyard.server.http.endpoints import (
    Answer,
    Endpoint,
    OnFault,
    Parameter,
    parse_json,
    read_text,
)
from flowyard.wire.json.errors import Fault, RequestFault, fault_of
from flowyard.wire.json.states import dapr_state

VERSIONS = ("v1.0", "v1.0-beta1", "v1.0-alpha1")

_LONGEST_ID = 255
_NO_INSTANCE = (400, "ERR_INSTANCE_ID_PROVIDED_MISSING", "no instance ID was provided")
_NO_NAME = (400, "ERR_WORKFLOW_NAME_MISSING", "workflow name is not configured")
_NO_EVENT = (400, "ERR_WORKFLOW_EVENT_NAME_MISSING", "missing workflow event name")

# How daprd calls what went wrong in each verb, and how its message begins.
_VERBS = {
    "start": ("ERR_START_WORKFLOW", "error starting workflow '{}': {}"),
    "get": ("ERR_GET_WORKFLOW", "error getting workflow info on instance '{}': {}"),
    "raiseEvent": ("ERR_RAISE_EVENT_WORKFLOW", "error raising event on workflow '{}': {}"),
    "pause": ("ERR_PAUSE_WORKFLOW", "error pausing workflow {}: {}"),
    "resume": ("ERR_RESUME_WORKFLOW", "error resuming workflow {}: {}"),
    "terminate": ("ERR_TERMINATE_WORKFLOW", "error terminating workflow '{}': {}"),
    "purge": ("ERR_PURGE_WORKFLOW", "error purging workflow '{}': {}"),
}
_ANSWERED_404_BY_DAPR = frozenset({"get", "terminate", "purge"})


class DaprManagement:
    """The verbs under every version of the API; the path names the component."""

    def __init__(self, runtime: Runtime, max_body: int) -> None:
        self._runtime = runtime
        self._max_body = max_body

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the endpoints of all versions."""
        return [route for version in VERSIONS for route in self._of(f"/{version}/workflows")]

    def _of(self, base: str) -> Sequence[Endpoint]:
        instance = f"{base}/{{component}}/{{instanceID}}"
        chosen = Parameter({"type": "string"}, "the ID of the new instance; by default a UUID")
        failures = {400: "Error", 404: "Error", 501: "Error", 503: "Error"}

        def verb(name: str, answer: Answer, summary: str) -> Endpoint:
            return Endpoint(
                "POST",
                f"{instance}/{name}",
                answer,
                summary,
                {202: "Empty", **failures, 409: "Error", 413: "Error"},
                body="Anything",
                fault=_on_fault(name),
            )

        return [
            Endpoint(
                "POST",
                f"{base}/{{component}}/{{workflow}}/start",
                self.start,
                "Start a workflow; the body is its input",
                {202: "Started", **failures, 409: "Error", 413: "Error"},
                body="Payload",
                query={"instanceID": chosen},
                fault=_on_fault("start"),
            ),
            Endpoint(
                "GET",
                instance,
                self.get,
                "Get the state of an instance",
                {200: "DaprState", **failures},
                fault=_on_fault("get"),
            ),
            Endpoint(
                "POST",
                f"{instance}/raiseEvent/{{event}}",
                self.raise_event,
                "Raise an event; the body is its data",
                {202: "Empty", **failures, 413: "Error"},
                body="Payload",
                fault=_on_fault("raiseEvent"),
            ),
            verb("pause", self.pause, "Pause an instance until it is resumed"),
            verb("resume", self.resume, "Resume a paused instance"),
            verb("terminate", self.terminate, "End an instance and its children"),
            verb("purge", self.purge, "Remove a closed instance and its children"),
        ]

    async def start(self, request: Request) -> Response:
        """Start a workflow."""
        text = await read_text(request, self._max_body)
        if not request.path_params["workflow"]:
            raise RequestFault(*_NO_NAME)
        instance_id = await self._runtime.start(
            request.path_params["workflow"],
            JsonText(text),
            instance_id=request.query_params.get("instanceID") or None,
            component=request.path_params["component"],
        )
        return JSONResponse({"instanceID": instance_id}, 202)

    async def get(self, request: Request) -> Response:
        """Answer with the state."""
        instance_id, component = _subject(request)
        return JSONResponse(dapr_state(await self._runtime.get(instance_id, component=component)))

    async def raise_event(self, request: Request) -> Response:
        """Raise an event; it is dropped if the instance is closed."""
        data = await read_text(request, self._max_body)
        instance_id, component = _subject(request)
        if not request.path_params["event"]:
            raise RequestFault(*_NO_EVENT)
        await self._runtime.raise_event(
            instance_id, request.path_params["event"], JsonText(data), component=component
        )
        return _done()

    async def pause(self, request: Request) -> Response:
        """Pause it."""
        instance_id, component = await self._subject_of_json(request)
        await self._runtime.pause(instance_id, component=component)
        return _done()

    async def resume(self, request: Request) -> Response:
        """Resume it."""
        instance_id, component = await self._subject_of_json(request)
        await self._runtime.resume(instance_id, component=component)
        return _done()

    async def terminate(self, request: Request) -> Response:
        """Terminate it, always with its children."""
        instance_id, component = await self._subject_of_json(request)
        await self._runtime.terminate(instance_id, component=component)
        return _done()

    async def purge(self, request: Request) -> Response:
        """Purge it, always with its children."""
        instance_id, component = await self._subject_of_json(request)
        await self._runtime.purge(instance_id, component=component)
        return _done()

    async def _subject_of_json(self, request: Request) -> tuple[str, str]:
        # daprd reads the body, finds nothing in it that it needs, and still wants it to be JSON.
        parse_json(await read_text(request, self._max_body))
        return _subject(request)


def _subject(request: Request) -> tuple[str, str]:
    instance_id: str = request.path_params["instanceID"]
    if not instance_id:
        raise RequestFault(*_NO_INSTANCE)
    return instance_id, request.path_params["component"]


def _done() -> Response:
    return JSONResponse({}, 202)


def _on_fault(verb: str) -> OnFault:
    """Return what puts errors of a verb in daprd's words, with the status that they deserve."""
    code, message = _VERBS[verb]

    def translate(request: Request, error: Exception) -> Fault:
        fault = fault_of(error)
        if isinstance(error, RequestFault | ComponentNotFound):
            return Fault(fault.status, fault.code, fault.message)
        if isinstance(error, InstanceNotFound) and verb in _ANSWERED_404_BY_DAPR:
            told = f"unable to find workflow with the provided instance ID: {error.instance_id}"
            return Fault(404, fault.code, told)
        if isinstance(error, InvalidInstanceId):
            if len(error.instance_id) > _LONGEST_ID:
                told = f"workflow instance ID exceeds the max length of {_LONGEST_ID} characters"
                return Fault(400, "ERR_INSTANCE_ID_TOO_LONG", told)
            return Fault(400, fault.code, f"workflow {error}")
        subject = request.path_params.get("workflow") or request.path_params.get("instanceID")
        return Fault(fault.status, code, message.format(subject, fault.message))

    return translate
