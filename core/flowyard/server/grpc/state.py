"""The state methods of `dapr.proto.runtime.v1.Dapr` (docs/protocol.md §15)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc.aio
import msgspec
from google.protobuf.empty_pb2 import Empty

from flowyard.backend.state_store import (
    Concurrency,
    Consistency,
    DeleteState,
    SetState,
    StateOptions,
    StateValue,
)
from flowyard.blocks.blocks import Blocks
from flowyard.server.block_errors import BlockError, malformed
from flowyard.server.state_api import StateApi, expiry
from flowyard.wire.v1 import state_pb2 as wire

Context = grpc.aio.ServicerContext[Any, Any]

# By the numbers of the schema; any other leaves it to the store.
_CONCURRENCY = {1: Concurrency.FIRST_WRITE, 2: Concurrency.LAST_WRITE}
_CONSISTENCY = {1: Consistency.EVENTUAL, 2: Consistency.STRONG}
_CONTENT_TYPE = "contenttype"
_JSON = "application/json"


class StateService:
    """Each request names its store."""

    def __init__(self, blocks: Blocks) -> None:
        self._api = StateApi(blocks)

    async def get(self, request: wire.GetStateRequest, _context: Context) -> wire.GetStateResponse:
        """Answer with a value; without one with nothing, as daprd does."""
        options = StateOptions(consistency=_CONSISTENCY.get(request.consistency))
        found = await self._api.get(
            request.store_name, request.key, options, dict(request.metadata)
        )
        if found is None:
            return wire.GetStateResponse()
        return wire.GetStateResponse(data=found.data, etag=found.etag or "", metadata=expiry(found))

    async def get_bulk(
        self, request: wire.GetBulkStateRequest, _context: Context
    ) -> wire.GetBulkStateResponse:
        """Answer with values in the order of the keys."""
        found = await self._api.get_bulk(
            request.store_name, request.keys, request.parallelism, dict(request.metadata)
        )
        items = [_item(key, value) for key, value in zip(request.keys, found, strict=True)]
        return wire.GetBulkStateResponse(items=items)

    async def save(self, request: wire.SaveStateRequest, _context: Context) -> Empty:
        """Keep values, each for itself."""
        self._api.check(request.store_name)
        await self._api.save(request.store_name, [_set(item) for item in request.states])
        return Empty()

    async def delete(self, request: wire.DeleteStateRequest, _context: Context) -> Empty:
        """Remove a value."""
        await self._api.delete(request.store_name, _delete(request))
        return Empty()

    async def delete_bulk(self, request: wire.SaveStateRequest, _context: Context) -> Empty:
        """Remove values, each for itself."""
        await self._api.delete_bulk(request.store_name, [_delete(item) for item in request.states])
        return Empty()

    async def transact(
        self, request: wire.ExecuteStateTransactionRequest, _context: Context
    ) -> Empty:
        """Do all of it or nothing."""
        self._api.check_transactional(request.store_name)
        requests = [_operation(operation) for operation in request.operations]
        await self._api.transact(request.store_name, requests, dict(request.metadata))
        return Empty()

    async def query(self, request: wire.GetStateRequest, _context: Context) -> Empty:
        """Refuse it."""
        raise self._api.refuse_query(request.store_name)


def _item(key: str, found: StateValue | Exception | None) -> wire.BulkStateItem:
    if found is None:
        return wire.BulkStateItem(key=key)
    if isinstance(found, Exception):
        return wire.BulkStateItem(key=key, error=str(found))
    return wire.BulkStateItem(
        key=key, data=found.data, etag=found.etag or "", metadata=expiry(found)
    )


def _set(item: wire.StateItem) -> SetState:
    metadata = dict(item.metadata)
    is_json = _is_json(metadata)
    if is_json:
        _check_json(item.key, item.value)
    options = _options(item.options)
    return SetState(item.key, item.value, is_json, _etag(item), options, metadata)


def _delete(request: wire.StateItem | wire.DeleteStateRequest) -> DeleteState:
    options = _options(request.options)
    return DeleteState(request.key, _etag(request), options, dict(request.metadata))


def _operation(operation: wire.TransactionalStateOperation) -> SetState | DeleteState:
    match operation.operation_type:
        case "upsert":
            return _set(operation.request)
        case "delete":
            return _delete(operation.request)
    message = f"operation type {operation.operation_type} not supported"
    raise BlockError(400, "ERR_NOT_SUPPORTED_STATE_OPERATION", "UNIMPLEMENTED", message)


def _etag(request: wire.StateItem | wire.DeleteStateRequest) -> str | None:
    # An empty one is none.
    return request.etag.value or None if request.HasField("etag") else None


def _options(options: wire.StateOptions) -> StateOptions:
    return StateOptions(
        _CONCURRENCY.get(options.concurrency), _CONSISTENCY.get(options.consistency)
    )


def _is_json(metadata: Mapping[str, str]) -> bool:
    """Whether the caller says that the value is JSON; bytes otherwise."""
    types = (value for key, value in metadata.items() if key.lower() == _CONTENT_TYPE)
    return next(types, "").partition(";")[0].strip().lower() == _JSON


def _check_json(key: str, value: bytes) -> None:
    try:
        msgspec.json.decode(value)
    except (ValueError, RecursionError) as error:
        raise malformed(f"the value of '{key}' is not JSON: {error}") from error
