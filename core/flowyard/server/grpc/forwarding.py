"""Sends gRPC calls on to a daprd, and its answers back, as they are (docs/protocol.md §20)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from flowyard.server.not_served import Daprd
from flowyard.server.refusals import Refusals

Context = grpc.aio.ServicerContext[Any, Any]
Metadata = Sequence[tuple[str, str | bytes]]

_TOKEN_KEY = "dapr-api-token"  # noqa: S105 - the name of the header, not its value
# What each connection says for itself.
_OURS = frozenset({_TOKEN_KEY, "user-agent", "content-type", "te", "host"})
# Of what is gRPC's own, this is the caller's: the span that it called from, and an error's details.
_PASSED_ON = frozenset({"grpc-trace-bin", "grpc-status-details-bin"})
_FAILING = grpc.ChannelConnectivity.TRANSIENT_FAILURE
_OPTIONS = (
    # What is too large is refused by the daprd, and by the caller.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", 64 * 1024),
    ("grpc.absolute_max_metadata_size", 64 * 1024),
    # A daprd that was away is found again soon; by default it may take two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


class GrpcForwarding:
    """The way to the gRPC API of a daprd; `open_grpc_forwarding` makes one."""

    def __init__(
        self, channel: grpc.aio.Channel, address: str, token: str | None, refusals: Refusals
    ) -> None:
        self._channel = channel
        self._address = address
        self._token = token
        self._refusals = refusals

    async def unary(self, method: str, request: bytes, context: Context) -> bytes:
        """Return the answer to a call of one message; end the call as the daprd ends it."""
        make: Any = self._channel.unary_unary(method, None, None)
        call = make(request, metadata=self._metadata(context), timeout=context.time_remaining())
        try:
            answer: bytes = await call
        except grpc.aio.AioRpcError as error:
            await self._abort(method, error, context)
            raise  # not reached: to abort raises
        finally:
            call.cancel()
        await context.send_initial_metadata(_passed_on(await call.initial_metadata()))
        context.set_trailing_metadata(_passed_on(await call.trailing_metadata()))
        return answer

    async def stream(self, method: str, requests: AsyncIterator[bytes], context: Context) -> None:
        """Relay a call of any kind: what is sent looks the same. One message at a time waits."""
        call: Any = self._channel.stream_stream(method, None, None)(
            metadata=self._metadata(context), timeout=context.time_remaining()
        )
        sending = asyncio.create_task(_send(call, requests))
        try:
            await context.send_initial_metadata(_passed_on(await call.initial_metadata()))
            async for message in call:
                await context.write(message)
        except grpc.aio.AioRpcError as error:
            await self._abort(method, error, context)
        finally:
            # Also where the caller has gone: then this call is no more.
            call.cancel()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        context.set_trailing_metadata(_passed_on(await call.trailing_metadata()))

    def _metadata(self, context: Context) -> Metadata:
        given = _passed_on(context.invocation_metadata() or ())
        return given if self._token is None else (*given, (_TOKEN_KEY, self._token))

    async def _abort(self, method: str, error: grpc.aio.AioRpcError, context: Context) -> None:
        code, details = error.code(), error.details() or ""
        if code is grpc.StatusCode.UNAVAILABLE and self._is_away(details):
            details = (
                f"the daprd at {self._address}, which --dapr names, does not answer: {details}"
            )
            self._refusals.tell(code.name, method, context.peer(), details)
        await context.abort(code, details, tuple(_passed_on(error.trailing_metadata() or ())))

    def _is_away(self, details: str) -> bool:
        # The daprd may say UNAVAILABLE itself. While it is tried again, the state says nothing.
        state = self._channel.get_state()
        return state is _FAILING or details.startswith("failed to connect")


@asynccontextmanager
async def open_grpc_forwarding(
    daprd: Daprd | None, refusals: Refusals
) -> AsyncIterator[GrpcForwarding | None]:
    """Give the way to the daprd, None if it has no gRPC address; close it afterwards."""
    if daprd is None or daprd.grpc is None:
        yield None
        return
    if daprd.grpc_tls:
        credentials = grpc.ssl_channel_credentials()
        channel = grpc.aio.secure_channel(daprd.grpc, credentials, _OPTIONS)
    else:
        channel = grpc.aio.insecure_channel(daprd.grpc, _OPTIONS)
    async with channel:
        scheme = "grpcs" if daprd.grpc_tls else "grpc"
        yield GrpcForwarding(channel, f"{scheme}://{daprd.grpc}", daprd.token, refusals)


async def _send(call: Any, requests: AsyncIterator[bytes]) -> None:
    try:
        async for request in requests:
            await call.write(request)
        await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass  # the call has ended, which its reader is told


def _passed_on(metadata: Any) -> Metadata:
    return tuple(
        (key, value)
        for key, value in metadata or ()
        if key not in _OURS and (not key.startswith("grpc-") or key in _PASSED_ON)
    )
