"""Output bindings over HTTP (docs/protocol.md §17)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from flowyard.blocks.blocks import Blocks
from flowyard.errors import BindingFailed, FlowyardError
from flowyard.server.block_errors import BlockError, malformed
from flowyard.server.http.endpoints import Endpoint, fault_response, read_text, refuse
from flowyard.server.http.go_json import field, raw_field, read_object
from flowyard.server.not_served import NotServed
from flowyard.wire.json.errors import Fault

_PATH = "/v1.0/bindings/{name}"
_METADATA = "metadata."
_TRACING = ("traceparent", "tracestate", "baggage")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class BindingEndpoints:
    """One call for all that bindings do."""

    def __init__(self, blocks: Blocks, max_body: int) -> None:
        self._blocks = blocks
        self._max_body = max_body

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the endpoints."""
        return [
            Endpoint(
                method,
                _PATH,
                self.invoke,
                "Have an output binding do something",
                {200: "Value", 204: "", 400: "Error", 413: "Error", 500: "Error"},
                body="Anything",
            )
            for method in ("POST", "PUT")
        ]

    async def invoke(self, request: Request) -> Response:
        """Answer with what the binding answers, and tell its metadata in headers."""
        name: str = request.path_params["name"]
        found = self._blocks.bindings.get(name)
        if found is None:
            raise NotServed("bindings", name)
        operation, data, metadata = _read(await read_text(request, self._max_body))
        metadata.update((key, value) for key in _TRACING if (value := request.headers.get(key)))
        try:
            answer = await found.invoke(operation, data, metadata)
        except FlowyardError as error:
            fault = binding_fault(name, error)
            refuse(request.app.state.refusals, request.scope, fault)
            told = error.metadata if isinstance(error, BindingFailed) else {}
            return _with_metadata(fault_response(fault), told)
        if answer.data is None:
            return _with_metadata(Response(status_code=204), answer.metadata)
        response = Response(answer.data, 200, media_type="application/json")
        return _with_metadata(response, answer.metadata)


def binding_fault(name: str, error: FlowyardError) -> Fault:
    """Return how an error of a binding is told: always as the server's own, as daprd does."""
    message = f"error invoking output binding {name}: {error}"
    return Fault(500, "ERR_INVOKE_OUTPUT_BINDING", message)


def _read(text: str) -> tuple[str, bytes, dict[str, str]]:
    try:
        fields = read_object(text)
        operation = field(fields, "operation", str, "")
        metadata = field(fields, "metadata", dict[str, str], {})
    except BlockError as error:
        raise malformed(f"failed deserializing HTTP body: {error}") from error
    # Not written anew, so that numbers keep their digits.
    return operation, bytes(raw_field(fields, "data")).strip(), dict(metadata)


def _with_metadata(response: Response, metadata: Mapping[str, str]) -> Response:
    for key, value in metadata.items():
        if _TOKEN.fullmatch(key):
            text = _CONTROL.sub(" ", value).strip()
            name = f"{_METADATA}{key}".lower()
            response.raw_headers.append((name.encode(), text.encode("utf-8", "replace")))
    return response
