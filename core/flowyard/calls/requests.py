"""What the calls of state are for a store, and what its answers are for the caller."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.backend.state_store import (
    DeleteState,
    SetState,
    StateCapability,
    StateOptions,
    StateValue,
)
from flowyard.calls.items import (
    StateItem,
    StateResponse,
    TransactionalStateOperation,
    TransactionOperationType,
    to_bytes,
)

TRANSACTIONAL = StateCapability.TRANSACTIONAL


def value_to_save(
    key: str,
    value: object,
    etag: str | None,
    options: StateOptions | None,
    metadata: Mapping[str, str] | None,
) -> SetState:
    """Return the request to save a value."""
    return saved(StateItem(key, value, etag, options, metadata or {}))


def value_to_delete(
    key: str,
    etag: str | None,
    options: StateOptions | None,
    metadata: Mapping[str, str] | None,
) -> DeleteState:
    """Return the request to remove a value."""
    return DeleteState(key, etag, options or StateOptions(), metadata or {})


def saved(item: StateItem) -> SetState:
    """Return the request to save a value."""
    value, is_json = to_bytes(item.key, item.value)
    options = item.options or StateOptions()
    return SetState(item.key, value, is_json, item.etag, options, item.metadata)


def operation_of(operation: TransactionalStateOperation) -> SetState | DeleteState:
    """Return the request of an operation of a transaction."""
    key, metadata = operation.key, operation.metadata
    if operation.operation_type is TransactionOperationType.DELETE:
        return DeleteState(key, operation.etag, metadata=metadata)
    return saved(StateItem(key, operation.data, operation.etag, metadata=metadata))


def response_of(key: str, found: StateValue | Exception | None) -> StateResponse:
    """Return what the caller gets for a key."""
    if found is None:
        return StateResponse(key)
    if isinstance(found, Exception):
        return StateResponse(key, error=str(found))
    return StateResponse(key, found.data, found.etag, found.expires_at)
