"""The calls of state stores."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flowyard.errors import ComponentNotFound, ComponentTypeNotInstalled, UnsupportedOperation

# Lazy, and so is `requests` in the methods: most programs have no state store.
if TYPE_CHECKING:
    from flowyard.backend.state_store import StateOptions
    from flowyard.blocks.blocks import Blocks
    from flowyard.blocks.state import State
    from flowyard.calls.items import StateItem, StateResponse, TransactionalStateOperation


class StateCalls:
    """What a program does with its state stores."""

    __slots__ = ()

    def _open_blocks(self) -> Blocks:
        """Return what is open, or raise what keeps this caller from it."""
        raise NotImplementedError

    async def get_state(
        self,
        store_name: str,
        key: str,
        state_metadata: Mapping[str, str] | None = None,
        *,
        options: StateOptions | None = None,
    ) -> StateResponse:
        """Read a value.

        Args:
            store_name: The name of the component.
            key: The key, without `||`.
            state_metadata: Settings of this call; none by default.
            options: How it is read; None, the default, leaves it to the store.

        Returns:
            The value with its version. Without a value, `data` is None.

        Raises:
            ComponentNotFound: If no state store has the name.
            ComponentTypeNotInstalled: If the type of the component is not installed.
            InvalidRequest: If the key cannot be one.
            BackendUnavailable: If the store does not answer.
        """
        from flowyard.calls import requests

        state = self._state(store_name)
        found = await state.get(key, options=options, metadata=state_metadata)
        return requests.response_of(key, found)

    async def get_bulk_state(
        self,
        store_name: str,
        keys: Sequence[str],
        parallelism: int = 0,
        states_metadata: Mapping[str, str] | None = None,
    ) -> Sequence[StateResponse]:
        """Read the values of several keys.

        Args:
            store_name: The name of the component.
            keys: The keys, without `||`.
            parallelism: How many the store may be asked for at once; 0, the default, for all.
            states_metadata: Settings of this call; none by default.

        Returns:
            An answer for each key, in their order. One that could not be read says so in `error`.

        Raises:
            ComponentNotFound: If no state store has the name.
            ComponentTypeNotInstalled: If the type of the component is not installed.
            InvalidRequest: If a key cannot be one.
        """
        from flowyard.calls import requests

        state = self._state(store_name)
        found = await state.get_many(
            keys, metadata=states_metadata, parallelism=parallelism if parallelism > 0 else None
        )
        return [requests.response_of(key, value) for key, value in zip(keys, found, strict=True)]

    async def save_state(
        self,
        store_name: str,
        key: str,
        value: object,
        etag: str | None = None,
        options: StateOptions | None = None,
        state_metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Save a value.

        Args:
            store_name: The name of the component.
            key: The key, without `||`.
            value: Bytes, which are kept as they are, or anything that can be written as JSON.
            etag: The version that has to be there; None, the default, for any.
            options: How it is saved; None, the default, leaves it to the store.
            state_metadata: Settings of this value, such as `ttlInSeconds`; none by default.

        Raises:
            ComponentNotFound: If no state store has the name.
            ComponentTypeNotInstalled: If the type of the component is not installed.
            EtagMismatch: If another version is there, or any with `FIRST_WRITE` and no ETag.
            InvalidEtag: If the ETag cannot be one of this store's.
            InvalidRequest: If the key or a setting cannot be used; `PayloadError` is one, for a
                value that is not JSON.
            BackendUnavailable: If the store does not answer.
        """
        from flowyard.calls import requests

        state = self._state(store_name)
        await state.set(requests.value_to_save(key, value, etag, options, state_metadata))

    async def save_bulk_state(self, store_name: str, states: Sequence[StateItem]) -> None:
        """Save several values, each for itself: some may be saved though another is not.

        Args:
            store_name: The name of the component.
            states: The values with their keys.

        Raises:
            ComponentNotFound: If no state store has the name.
            ComponentTypeNotInstalled: If the type of the component is not installed.
            EtagMismatch: If for one of them another version is there.
            InvalidEtag: If an ETag cannot be one of this store's.
            InvalidRequest: If a key, a value or a setting cannot be used.
            BackendUnavailable: If the store does not answer.
        """
        from flowyard.calls import requests

        state = self._state(store_name)
        values = [requests.saved(item) for item in states]
        ended = await asyncio.gather(*map(state.set, values), return_exceptions=True)
        for error in ended:
            if error is not None:
                raise error

    async def delete_state(
        self,
        store_name: str,
        key: str,
        etag: str | None = None,
        options: StateOptions | None = None,
        state_metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Remove a value; without an ETag a missing one is no error.

        Args:
            store_name: The name of the component.
            key: The key, without `||`.
            etag: The version that has to be there; None, the default, for any.
            options: How it is removed; None, the default, leaves it to the store.
            state_metadata: Settings of this call; none by default.

        Raises:
            ComponentNotFound: If no state store has the name.
            ComponentTypeNotInstalled: If the type of the component is not installed.
            EtagMismatch: If another version is there.
            InvalidEtag: If the ETag cannot be one of this store's.
            InvalidRequest: If the key cannot be one.
            BackendUnavailable: If the store does not answer.
        """
        from flowyard.calls import requests

        request = requests.value_to_delete(key, etag, options, state_metadata)
        await self._state(store_name).delete(request)

    async def execute_state_transaction(
        self,
        store_name: str,
        operations: Sequence[TransactionalStateOperation],
        transactional_metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Save and remove several values: all of it or nothing.

        Args:
            store_name: The name of the component.
            operations: What is done, in this order.
            transactional_metadata: Settings of this call; none by default.

        Raises:
            ComponentNotFound: If no state store has the name.
            ComponentTypeNotInstalled: If the type of the component is not installed.
            EtagMismatch: If a version that has to be there is not.
            InvalidEtag: If an ETag cannot be one of this store's.
            InvalidRequest: If a key, a value or a setting cannot be used.
            UnsupportedOperation: If the store has no transactions.
            BackendUnavailable: If the store does not answer.
        """
        from flowyard.calls import requests

        state = self._state(store_name)
        kind = self._open_blocks().types[store_name]
        if requests.TRANSACTIONAL not in kind.capabilities:
            raise UnsupportedOperation(store_name, "transactions")
        found = [requests.operation_of(operation) for operation in operations]
        if found:
            await state.transact(found, metadata=transactional_metadata)

    def _state(self, name: str) -> State:
        blocks = self._open_blocks()
        if name in blocks.states:
            return blocks.states[name]
        if name in blocks.unserved:
            raise ComponentTypeNotInstalled(blocks.unserved[name])
        raise ComponentNotFound(name, blocks.states)
