"""Publishing over HTTP (docs/protocol.md §16)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flowyard.blocks.broker import Trace
from flowyard.blocks.cloud_events import CONTENT_TYPE, media_type
from flowyard.runtime import Runtime
from flowyard.server.http.endpoints import Endpoint, read_bytes
from flowyard.server.http.state import query_metadata
from flowyard.server.pubsub.bulk import Entry, publish_all
from flowyard.server.pubsub.faults import broker_of, envelope_of, send, unreadable

_VERBS = ("POST", "PUT")


class Publishing:
    """One message, or several, to a topic."""

    def __init__(self, runtime: Runtime, max_body: int) -> None:
        self._blocks = runtime.blocks
        self._max_body = max_body

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the endpoints."""
        failures = {400: "Error", 403: "Error", 404: "Error", 413: "Error", 500: "Error"}
        one = [
            Endpoint(
                verb,
                "/v1.0/publish/{pubsub}/{topic...}",
                self.publish,
                "Publish a message; the body is its data",
                {204: "", **failures},
                body="Payload",
            )
            for verb in _VERBS
        ]
        several = [
            Endpoint(
                verb,
                f"/{version}/publish/bulk/{{pubsub}}/{{topic...}}",
                self.publish_bulk,
                "Publish several messages",
                {204: "", **failures},
                body="Anything",
            )
            for version in ("v1.0", "v1.0-alpha1")
            for verb in _VERBS
        ]
        return [*several, *one]

    async def publish(self, request: Request) -> Response:
        """Publish a message."""
        name, topic = request.path_params["pubsub"], request.path_params["topic"]
        broker = broker_of(self._blocks, name, topic)
        data = await read_bytes(request, self._max_body)
        metadata = query_metadata(request)
        content_type = request.headers.get("content-type", "")
        event = envelope_of(broker, topic, data, content_type, metadata, trace_of(request))
        await send(broker, topic, event, metadata)
        return Response(status_code=204)

    async def publish_bulk(self, request: Request) -> Response:
        """Publish several messages; the answer has those that were not."""
        name, topic = request.path_params["pubsub"], request.path_params["topic"]
        broker = broker_of(self._blocks, name, topic)
        data = await read_bytes(request, self._max_body)
        entries = [_entry(item, topic, name) for item in _items(data, topic, name)]
        failed = await publish_all(
            broker, topic, entries, query_metadata(request), trace_of(request)
        )
        if not failed:
            return Response(status_code=204)
        told = [{"entryId": entry_id, "error": error} for entry_id, error in failed.items()]
        code = "ERR_PUBSUB_PUBLISH_MESSAGE"
        return JSONResponse({"failedEntries": told, "errorCode": code}, 500)


def trace_of(request: Request) -> Trace:
    """Return the trace that a request belongs to."""
    headers = request.headers
    return Trace(headers.get("traceparent", ""), headers.get("tracestate", ""))


def _items(data: bytes, topic: str, name: str) -> Sequence[Mapping[str, msgspec.Raw]]:
    try:
        data.decode()
        return msgspec.json.decode(data, type=list[dict[str, msgspec.Raw]])
    except (ValueError, RecursionError) as error:
        raise unreadable(topic, name, error) from error


def _entry(item: Mapping[str, msgspec.Raw], topic: str, name: str) -> Entry:
    fields = {key.lower(): value for key, value in item.items()}
    try:
        content_type = msgspec.json.decode(fields.get("contenttype", b'""'), type=str)
        entry_id = msgspec.json.decode(fields.get("entryid", b'""'), type=str)
        metadata = msgspec.json.decode(fields.get("metadata", b"null"), type=dict[str, str] | None)
        data = _data(fields.get("event", msgspec.Raw(b"null")), content_type)
    except ValueError as error:
        raise unreadable(topic, name, error) from error
    return Entry(entry_id, data, content_type, metadata)


def _data(event: msgspec.Raw, content_type: str) -> bytes:
    media = media_type(content_type)
    if media in {"application/json", CONTENT_TYPE}:
        return bytes(event)
    if media.startswith("text/") or media == "application/xml":
        return _text(event).encode()
    if media == "application/octet-stream":
        try:
            return base64.b64decode(_text(event), validate=True)
        except binascii.Error as error:
            raise ValueError(f"error: the event is not base64: {error}") from error
    raise ValueError("error: mismatch between contentType and event")


def _text(event: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(event, type=str)
    except msgspec.ValidationError as error:
        raise ValueError("error: mismatch between contentType and event") from error
