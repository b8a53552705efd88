"""The same calls, each waiting for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flowyard.errors import FlowyardError

if TYPE_CHECKING:
    from flowyard.backend.binding import BindingResponse
    from flowyard.backend.state_store import StateOptions
    from flowyard.calls.calls import BlockCalls
    from flowyard.calls.items import StateItem, StateResponse, TransactionalStateOperation
    from flowyard.calls.responses import InvokeMethodResponse

T = TypeVar("T")

# How often one that waits looks whether the event loop is still there, in seconds.
_LOOKS = 1.0


class SyncBlockCalls:
    """The calls for code without `await`."""

    _calls: BlockCalls

    def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        raise NotImplementedError

    def get_state(
        self,
        store_name: str,
        key: str,
        state_metadata: Mapping[str, str] | None = None,
        *,
        options: StateOptions | None = None,
    ) -> StateResponse:
        """Read a value. As `Runtime.get_state`."""
        call = partial(self._calls.get_state, store_name, key, state_metadata, options=options)
        return self._call(call)

    def get_bulk_state(
        self,
        store_name: str,
        keys: Sequence[str],
        parallelism: int = 0,
        states_metadata: Mapping[str, str] | None = None,
    ) -> Sequence[StateResponse]:
        """Read the values of several keys. As `Runtime.get_bulk_state`."""
        call = partial(self._calls.get_bulk_state, store_name, keys, parallelism, states_metadata)
        return self._call(call)

    def save_state(
        self,
        store_name: str,
        key: str,
        value: object,
        etag: str | None = None,
        options: StateOptions | None = None,
        state_metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Save a value. As `Runtime.save_state`."""
        call = partial(
            self._calls.save_state, store_name, key, value, etag, options, state_metadata
        )
        self._call(call)

    def save_bulk_state(self, store_name: str, states: Sequence[StateItem]) -> None:
        """Save several values, each for itself. As `Runtime.save_bulk_state`."""
        self._call(partial(self._calls.save_bulk_state, store_name, states))

    def delete_state(
        self,
        store_name: str,
        key: str,
        etag: str | None = None,
        options: StateOptions | None = None,
        state_metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Remove a value. As `Runtime.delete_state`."""
        call = partial(self._calls.delete_state, store_name, key, etag, options, state_metadata)
        self._call(call)

    def execute_state_transaction(
        self,
        store_name: str,
        operations: Sequence[TransactionalStateOperation],
        transactional_metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Save and remove several values, or nothing. As `Runtime.execute_state_transaction`."""
        call = partial(
            self._calls.execute_state_transaction, store_name, operations, transactional_metadata
        )
        self._call(call)

    def get_secret(
        self, store_name: str, key: str, secret_metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, str]:
        """Read a secret. As `Runtime.get_secret`."""
        return self._call(partial(self._calls.get_secret, store_name, key, secret_metadata))

    def get_bulk_secret(
        self, store_name: str, secret_metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, Mapping[str, str]]:
        """Read all secrets of a store. As `Runtime.get_bulk_secret`."""
        return self._call(partial(self._calls.get_bulk_secret, store_name, secret_metadata))

    def publish_event(
        self,
        pubsub_name: str,
        topic_name: str,
        data: object = b"",
        publish_metadata: Mapping[str, str] | None = None,
        *,
        data_content_type: str = "",
    ) -> None:
        """Publish an event. As `Runtime.publish_event`."""
        call = partial(
            self._calls.publish_event,
            pubsub_name,
            topic_name,
            data,
            publish_metadata,
            data_content_type=data_content_type,
        )
        self._call(call)

    def invoke_binding(
        self,
        binding_name: str,
        operation: str,
        data: object = b"",
        binding_metadata: Mapping[str, str] | None = None,
    ) -> BindingResponse:
        """Have an output binding do something. As `Runtime.invoke_binding`."""
        call = partial(self._calls.invoke_binding, binding_name, operation, data, binding_metadata)
        return self._call(call)

    def invoke_method(
        self,
        app_id: str,
        method_name: str,
        data: object = b"",
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        http_verb: str = "GET",
        http_querystring: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> InvokeMethodResponse:
        """Call a method of an application. As `Runtime.invoke_method`."""
        call = partial(
            self._calls.invoke_method,
            app_id,
            method_name,
            data,
            content_type,
            metadata,
            http_verb,
            http_querystring,
            timeout,
        )
        return self._call(call)


class CallsFromThread(SyncBlockCalls):
    """For an activity in a thread: the event loop of the runtime does the work.

    Args:
        calls: What is called.
        loop: The event loop in which the components are open.
    """

    def __init__(self, calls: BlockCalls, loop: asyncio.AbstractEventLoop) -> None:
        self._calls = calls
        self._loop = loop

    def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        if _running_loop() is self._loop:
            raise FlowyardError(_IN_THE_LOOP)
        coroutine = cast("Coroutine[Any, Any, T]", call())
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as error:
            coroutine.close()
            raise FlowyardError(_CLOSED) from error
        return self._result(future)

    def _result(self, future: Future[T]) -> T:
        while True:
            try:
                return future.result(_LOOKS)
            except TimeoutError as error:
                if future.done():
                    raise
                if self._loop.is_closed():
                    raise FlowyardError(_CLOSED) from error


_IN_THE_LOOP = (
    "ctx.sync is for activities that are no coroutine functions: in an async one it would stop the "
    "event loop that it waits for. Use `await ctx.get_state(…)` there."
)
_CLOSED = "the runtime that this activity belongs to was closed; the activity will run again"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
