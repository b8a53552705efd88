"""State over HTTP (docs/protocol.md §15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flowyard.backend.state_store import DeleteState, SetState, StateOptions, StateValue
from flowyard.blocks.blocks import Blocks
from flowyard.errors import InvalidRequest
from flowyard.server.block_errors import BlockError, malformed
from flowyard.server.http.endpoints import Answer, Endpoint, Parameter, read_text
from flowyard.server.http.go_json import Fields, field, raw_field, read_object, read_objects
from flowyard.server.state_api import StateApi, bad_options, expiry, options_of

_BASE = "/v1.0/state/{store}"
_QUERY = "/v1.0-alpha1/state/{store}/query"
_JSON = "application/json"
_METADATA = "metadata."
_TEXT = {"type": "string"}
_FAILURES = {400: "Error", 500: "Error"}
_CONSISTENCY = {"consistency": Parameter(_TEXT, "strong or eventual")}
_OPTIONS = {**_CONSISTENCY, "concurrency": Parameter(_TEXT, "first-write or last-write")}


class StateEndpoints:
    """Get, save, delete, and several at once."""

    def __init__(self, blocks: Blocks, max_body: int) -> None:
        self._api = StateApi(blocks)
        self._max_body = max_body

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the endpoints."""
        key = f"{_BASE}/{{key}}"
        return [
            *_posted(f"{_BASE}/bulk", self.get_bulk, "Get several values", {200: "Values"}),
            *_posted(
                f"{_BASE}/transaction",
                self.transact,
                "Save and delete several values, or nothing",
                {204: ""},
            ),
            *_posted(_BASE, self.save, "Save values", {204: "", 409: "Error"}),
            *_posted(_QUERY, self.query, "Query values, which no store here can do", {}),
            Endpoint(
                "GET",
                key,
                self.get,
                "Get a value",
                {200: "Value", 204: "", **_FAILURES},
                query=_CONSISTENCY,
            ),
            Endpoint(
                "DELETE",
                key,
                self.delete,
                "Delete a value",
                {204: "", 409: "Error", **_FAILURES},
                query=_OPTIONS,
            ),
        ]

    async def get(self, request: Request) -> Response:
        """Answer with the value as it is kept."""
        store, key = _subject(request)
        try:
            options = options_of("", request.query_params.get("consistency", ""))
        except InvalidRequest as error:
            raise malformed(str(error)) from error
        found = await self._api.get(store, key, options, query_metadata(request))
        if found is None:
            return Response(status_code=204)
        headers = {f"{_METADATA}{name}": value for name, value in expiry(found).items()}
        if found.etag is not None:
            headers["etag"] = found.etag
        return Response(found.data, 200, headers, _JSON)

    async def get_bulk(self, request: Request) -> Response:
        """Answer with the values in the order of the keys."""
        body = read_object(await read_text(request, self._max_body))
        keys = field(body, "keys", list[str], [])
        metadata = _merged(field(body, "metadata", dict[str, str], {}), request)
        found = await self._api.get_bulk(
            request.path_params["store"], keys, field(body, "parallelism", int, 0), metadata
        )
        answer = [_bulk_item(key, value) for key, value in zip(keys, found, strict=True)]
        return Response(msgspec.json.encode(answer), media_type=_JSON)

    async def save(self, request: Request) -> Response:
        """Keep values, each for itself."""
        items = read_objects(await read_text(request, self._max_body))
        store = request.path_params["store"]
        await self._api.save(store, [_set(store, item, request) for item in items])
        return Response(status_code=204)

    async def delete(self, request: Request) -> Response:
        """Remove a value; a missing one is no error without an ETag."""
        store, key = _subject(request)
        words = request.query_params
        options = _options(store, words.get("concurrency", ""), words.get("consistency", ""))
        etag = request.headers.get("if-match")
        await self._api.delete(store, DeleteState(key, etag, options, query_metadata(request)))
        return Response(status_code=204)

    async def transact(self, request: Request) -> Response:
        """Do all of it or nothing."""
        store = request.path_params["store"]
        self._api.check_transactional(store)
        body = read_object(await read_text(request, self._max_body))
        operations = read_objects(raw_field(body, "operations"))
        requests = [_operation(store, operation, request) for operation in operations]
        metadata = _merged(field(body, "metadata", dict[str, str], {}), request)
        await self._api.transact(store, requests, metadata)
        return Response(status_code=204)

    async def query(self, request: Request) -> Response:
        """Refuse it."""
        raise self._api.refuse_query(request.path_params["store"])


def query_metadata(request: Request) -> dict[str, str]:
    """Return the metadata in the query; of one that stands twice the first counts."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name.startswith(_METADATA):
            found.setdefault(name.removeprefix(_METADATA), value)
    return found


def _merged(metadata: Mapping[str, str], request: Request) -> Mapping[str, str]:
    return {**metadata, **query_metadata(request)}


def _posted(
    path: str, answer: Answer, summary: str, answers: Mapping[int, str]
) -> Sequence[Endpoint]:
    """Return an endpoint for each of the two methods that daprd takes alike."""
    codes = {**answers, **_FAILURES, 413: "Error"}
    return [
        Endpoint(method, path, answer, summary, codes, body="Anything")
        for method in ("POST", "PUT")
    ]


def _subject(request: Request) -> tuple[str, str]:
    return request.path_params["store"], request.path_params["key"]


def _options(store: str, concurrency: str, consistency: str) -> StateOptions:
    try:
        return options_of(concurrency, consistency)
    except InvalidRequest as error:
        raise bad_options(store, error) from error


def _written(store: str, item: Fields, request: Request) -> tuple[str, str | None, StateOptions]:
    key = field(item, "key", str, "")
    if not key:
        raise malformed('"key" is a required field')
    words = read_object(raw_field(item, "options"))
    options = _options(
        store, field(words, "concurrency", str, ""), field(words, "consistency", str, "")
    )
    return key, field(item, "etag", str | None, None), options  # type: ignore[arg-type]


def _set(store: str, item: Fields, request: Request) -> SetState:
    key, etag, options = _written(store, item, request)
    metadata = _merged(field(item, "metadata", dict[str, str], {}), request)
    return SetState(key, bytes(raw_field(item, "value")), True, etag, options, metadata)


def _delete(store: str, item: Fields, request: Request) -> DeleteState:
    key, etag, options = _written(store, item, request)
    metadata = _merged(field(item, "metadata", dict[str, str], {}), request)
    return DeleteState(key, etag, options, metadata)


def _operation(store: str, operation: Fields, request: Request) -> SetState | DeleteState:
    kind = field(operation, "operation", str, "")
    item = read_object(raw_field(operation, "request"))
    match kind:
        case "upsert":
            return _set(store, item, request)
        case "delete":
            return _delete(store, item, request)
    message = f"operation type {kind} not supported"
    raise BlockError(400, "ERR_NOT_SUPPORTED_STATE_OPERATION", "UNIMPLEMENTED", message)


def _bulk_item(key: str, found: StateValue | Exception | None) -> Mapping[str, object]:
    """Return what is there; what is empty is left out."""
    if found is None:
        return {"key": key}
    if isinstance(found, Exception):
        return {"key": key, "error": str(found)}
    item: dict[str, object] = {"key": key}
    try:
        msgspec.json.decode(found.data)
    except (ValueError, RecursionError):
        item["error"] = "the value is not JSON: get it by its own key"
    else:
        item["data"] = msgspec.Raw(found.data)
    if found.etag is not None:
        item["etag"] = found.etag
    if metadata := expiry(found):
        item["metadata"] = metadata
    return item
