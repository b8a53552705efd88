"""State as both faces serve it: which store, and what its errors are called."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from flowyard.backend.state_store import (
    Concurrency,
    Consistency,
    DeleteState,
    SetState,
    StateCapability,
    StateOptions,
    StateValue,
)
from flowyard.blocks.blocks import Blocks
from flowyard.blocks.state import SEPARATOR, State
from flowyard.errors import EtagMismatch, FlowyardError, InvalidEtag, InvalidRequest
from flowyard.server.block_errors import (
    BlockError,
    help_link,
    malformed,
    resource,
    violation,
)
from flowyard.server.not_served import NotServed

_STORES = "https://docs.dapr.io/reference/components-reference/supported-state-stores/"


class StateApi:
    """The state stores of a runtime: a failure is a `BlockError`, an unknown store `NotServed`."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    async def get(
        self, store: str, key: str, options: StateOptions, metadata: Mapping[str, str]
    ) -> StateValue | None:
        """Return a value, None if there is none."""
        state = self._state(store)
        _check_key(store, key)
        try:
            return await state.get(key, options=options, metadata=metadata)
        except FlowyardError as error:
            begin = f"fail to get {key} from state store {store}"
            raise _failed(error, "ERR_STATE_GET", begin) from error

    async def get_bulk(
        self, store: str, keys: Sequence[str], parallelism: int, metadata: Mapping[str, str]
    ) -> Sequence[StateValue | Exception | None]:
        """Return the values in the order of the keys, or the errors of reading them."""
        state = self._state(store)
        for key in keys:
            _check_key(store, key)
        if not keys:
            return []
        limit = parallelism if parallelism > 0 else None
        try:
            return await state.get_many(keys, metadata=metadata, parallelism=limit)
        except FlowyardError as error:
            raise BlockError(500, "ERR_STATE_BULK_GET", "INTERNAL", str(error)) from error

    async def save(self, store: str, requests: Sequence[SetState]) -> None:
        """Keep values, each for itself."""
        state = self._state(store)
        for request in requests:
            _check_key(store, request.key)
        ended = await asyncio.gather(*map(state.set, requests), return_exceptions=True)
        begin = f"failed saving state in state store {store}"
        _raise_first(ended, "ERR_STATE_SAVE", begin)

    async def delete(self, store: str, request: DeleteState) -> None:
        """Remove a value."""
        state = self._state(store)
        _check_key(store, request.key)
        try:
            await state.delete(request)
        except FlowyardError as error:
            begin = f"failed deleting state with key {request.key}"
            raise _failed(error, "ERR_STATE_DELETE", begin) from error

    async def delete_bulk(self, store: str, requests: Sequence[DeleteState]) -> None:
        """Remove values, each for itself."""
        state = self._state(store)
        for request in requests:
            _check_key(store, request.key)
        ended = await asyncio.gather(*map(state.delete, requests), return_exceptions=True)
        begin = f"failed deleting state in state store {store}"
        _raise_first(ended, "ERR_STATE_BULK_DELETE", begin)

    def check(self, store: str) -> None:
        """Refuse a store that is not there, before anything is read of the request."""
        self._state(store)

    def check_transactional(self, store: str) -> None:
        """Refuse a store that is not there, or has no transactions."""
        self._state(store)
        if StateCapability.TRANSACTIONAL not in self._blocks.types[store].capabilities:
            raise BlockError(
                500,
                "ERR_STATE_STORE_NOT_SUPPORTED",
                "UNIMPLEMENTED",
                f"state store {store} doesn't support transactions",
                reason="DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED",
                details=[
                    resource("state", store),
                    help_link(
                        _STORES, "Check the list of state stores and the features they support"
                    ),
                ],
            )

    async def transact(
        self,
        store: str,
        requests: Sequence[SetState | DeleteState],
        metadata: Mapping[str, str],
    ) -> None:
        """Do all of it or nothing."""
        self.check_transactional(store)
        for request in requests:
            _check_key(store, request.key)
        if not requests:
            return
        try:
            await self._state(store).transact(requests, metadata=metadata)
        except FlowyardError as error:
            # daprd tells nothing apart here.
            message = f"error while executing state transaction: {_told(error)}"
            raise BlockError(500, "ERR_STATE_TRANSACTION", "INTERNAL", message) from error

    def refuse_query(self, store: str) -> BlockError:
        """Return the error of a query, which no store here can answer."""
        self._state(store)
        return BlockError(
            500,
            "ERR_STATE_STORE_NOT_SUPPORTED",
            "INTERNAL",
            "state store does not support querying",
            reason="DAPR_STATE_QUERYING_NOT_SUPPORTED",
            details=[resource("state", store)],
        )

    def _state(self, name: str) -> State:
        blocks = self._blocks
        if name in blocks.states:
            return blocks.states[name]
        info = {"appID": blocks.app_id}
        if name in blocks.unserved or not blocks.states:
            unknown = BlockError(
                500,
                "ERR_STATE_STORE_NOT_CONFIGURED",
                "FAILED_PRECONDITION",
                f"state store {name} is not configured",
                reason="DAPR_STATE_NOT_CONFIGURED",
                details=[],
                info=info,
            )
        else:
            unknown = BlockError(
                400,
                "ERR_STATE_STORE_NOT_FOUND",
                "INVALID_ARGUMENT",
                f"state store {name} is not found",
                reason="DAPR_STATE_NOT_FOUND",
                details=[],
                info=info,
            )
        raise NotServed("state", name, unknown)


def options_of(concurrency: str, consistency: str) -> StateOptions:
    """Return the options of these words; an empty one leaves it to the store."""
    try:
        model = Concurrency(concurrency) if concurrency else None
    except ValueError as error:
        raise InvalidRequest(f"unrecognized concurrency model '{concurrency}'") from error
    try:
        level = Consistency(consistency) if consistency else None
    except ValueError as error:
        raise InvalidRequest(f"unrecognized consistency model '{consistency}'") from error
    return StateOptions(model, level)


def expiry(value: StateValue) -> Mapping[str, str]:
    """Return what the metadata of an answer say of the time to live."""
    if value.expires_at is None:
        return {}
    return {"ttlExpireTime": f"{value.expires_at:%Y-%m-%dT%H:%M:%SZ}"}


def bad_options(store: str, error: InvalidRequest) -> BlockError:
    """Return the error of a save whose options cannot be used."""
    return _failed(error, "ERR_STATE_SAVE", f"failed saving state in state store {store}")


def _check_key(store: str, key: str) -> None:
    if not key:
        raise malformed("state key cannot be empty")
    if SEPARATOR in key:
        message = f"input key/keyPrefix '{key}' can't contain '{SEPARATOR}'"
        raise BlockError(
            400,
            "ERR_MALFORMED_REQUEST",
            "INVALID_ARGUMENT",
            message,
            reason="DAPR_STATE_ILLEGAL_KEY",
            details=[resource("state", store), violation(key, message)],
        )


def _raise_first(ended: Sequence[object], code: str, begin: str) -> None:
    errors = [error for error in ended if isinstance(error, BaseException)]
    for error in errors:
        if not isinstance(error, FlowyardError):
            raise error
    # The first one decides what the answer is, and all are told.
    known = [error for error in errors if isinstance(error, FlowyardError)]
    if known:
        raise _failed(known[0], code, begin, "\n".join(map(_told, known))) from known[0]


def _failed(error: FlowyardError, code: str, begin: str, told: str = "") -> BlockError:
    message = f"{begin}: {told or _told(error)}"
    if isinstance(error, EtagMismatch):
        return BlockError(409, code, "ABORTED", message)
    if isinstance(error, InvalidRequest):
        return BlockError(400, code, "INVALID_ARGUMENT", message)
    return BlockError(500, code, "INTERNAL", message)


def _told(error: FlowyardError) -> str:
    if isinstance(error, EtagMismatch):
        return f"possible etag mismatch. error from state store: {error}"
    if isinstance(error, InvalidEtag):
        return f"invalid etag value: {error}"
    return str(error)
