"""The gRPC face: Dapr's management methods and the task hub of its workflow SDKs."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message

from flowyard.api.faults import fault_of
from flowyard.api.grpc_management import ManagementService
from flowyard.api.grpc_taskhub import TaskHubClientService
from flowyard.api.grpc_worker import WorkerService
from flowyard.api.location import location
from flowyard.errors import ConfigurationError, InvalidRequest
from flowyard.remote import RemoteExecutors
from flowyard.runtime import Runtime
from flowyard.wire.v1 import management_pb2 as management
from flowyard.wire.v1 import taskhub_pb2 as taskhub

logger = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
Method = Callable[[Any, Context], Awaitable[Any]]
# Only for type checkers is it generic.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_TOKEN_KEY = "dapr-api-token"  # noqa: S105 - the name of the header, not its value
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
}


@asynccontextmanager
async def serve_grpc(
    runtime: Runtime,
    executors: RemoteExecutors,
    *,
    component: str | None = None,
    host: str = "127.0.0.1",
    port: int = 50001,
    app_id: str = "flowyard",
    token: str | None = None,
    credentials: grpc.ServerCredentials | None = None,
    max_message_bytes: int = 16 * 1024 * 1024,
    grace_seconds: float = 10.0,
    ping_seconds: float = 30.0,
) -> AsyncIterator[int]:
    """Serve while the context lasts; gives the port, which the system chooses for port 0.

    Workers and clients of SDKs, whose protocol names no component, get the given one or the
    default. At the end no more work goes out, and what workers have in hand has so many seconds to
    be answered. Raises `ConfigurationError` if the address cannot be had.
    """
    queue = executors.queue(runtime.component(component).name)
    options = [
        ("grpc.so_reuseport", 0),  # a port in use is an error, not to be shared
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # A peer that went without a word is found out, and its work goes to another.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ]
    server = grpc.aio.server(
        interceptors=[] if token is None else [_TokenGuard(token)], options=options
    )
    server.add_generic_rpc_handlers(
        (
            _taskhub(WorkerService(queue, ping_seconds), TaskHubClientService(runtime, component)),
            _management(ManagementService(runtime, app_id, lambda: queue.connected)),
        )
    )
    address = location(host, port)
    try:
        if credentials is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise ConfigurationError(
            f"cannot listen for gRPC on {address}: {error}. Choose another port."
        ) from error
    await server.start()
    try:
        yield bound
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await queue.drain()
        await server.stop(None)


class _TokenGuard(grpc.aio.ServerInterceptor):
    """Lets nobody in without the token."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

        async def deny(_request: object, context: Context) -> None:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "authentication error: api token mismatch"
            )

        self._unary: Handler = grpc.unary_unary_rpc_method_handler(deny)
        self._stream: Handler = grpc.unary_stream_rpc_method_handler(deny)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        sent = dict(handler_call_details.invocation_metadata).get(_TOKEN_KEY, "")
        sent_bytes = sent if isinstance(sent, bytes) else sent.encode()
        handler = await continuation(handler_call_details)
        if handler is None or hmac.compare_digest(sent_bytes, self._token):
            return handler
        return self._stream if handler.response_streaming else self._unary


def _taskhub(worker: WorkerService, client: TaskHubClientService) -> grpc.GenericRpcHandler:
    w = taskhub

    async def stream(data: bytes, context: Context) -> None:
        try:
            request = w.GetWorkItemsRequest.FromString(data)
        except DecodeError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no request: {error}")
        await worker.get_work_items(request, context)

    handlers = {
        "Hello": _method(worker.hello, w.Nothing),
        "CompleteOrchestratorTask": _method(worker.complete_workflow, w.WorkflowResponse),
        "CompleteWorkflowTask": _method(worker.complete_workflow, w.WorkflowResponse),
        "CompleteActivityTask": _method(worker.complete_activity, w.ActivityResponse),
        "GetWorkItems": grpc.unary_stream_rpc_method_handler(stream, None, _bytes),
        "StartInstance": _method(client.start_instance, w.CreateInstanceRequest),
        "GetInstance": _method(client.get_instance, w.GetInstanceRequest),
        "WaitForInstanceStart": _method(client.wait_for_start, w.GetInstanceRequest),
        "WaitForInstanceCompletion": _method(client.wait_for_completion, w.GetInstanceRequest),
        "RaiseEvent": _method(client.raise_event, w.RaiseEventRequest),
        "TerminateInstance": _method(client.terminate, w.TerminateRequest),
        "SuspendInstance": _method(client.suspend, w.SuspendRequest),
        "ResumeInstance": _method(client.resume, w.ResumeRequest),
        "PurgeInstances": _method(client.purge, w.PurgeInstancesRequest),
        "ListInstanceIDs": _method(client.list_instance_ids, w.ListInstanceIDsRequest),
        "RerunWorkflowFromEvent": _method(client.rerun, w.RerunWorkflowFromEventRequest),
        "GetInstanceHistory": _method(client.get_history, w.GetInstanceHistoryRequest),
    }
    return grpc.method_handlers_generic_handler("TaskHubSidecarService", handlers)


def _management(service: ManagementService) -> grpc.GenericRpcHandler:
    m = management
    verbs: dict[str, tuple[Method, type[Message]]] = {
        "StartWorkflow": (service.start, m.StartWorkflowRequest),
        "GetWorkflow": (service.get, m.WorkflowRequestById),
        "RaiseEventWorkflow": (service.raise_event, m.RaiseEventWorkflowRequest),
        "PauseWorkflow": (service.pause, m.WorkflowRequestById),
        "ResumeWorkflow": (service.resume, m.WorkflowRequestById),
        "TerminateWorkflow": (service.terminate, m.WorkflowRequestById),
        "PurgeWorkflow": (service.purge, m.WorkflowRequestById),
    }
    handlers = {
        f"{name}{version}": _method(method, request)
        for name, (method, request) in verbs.items()
        for version in ("Alpha1", "Beta1")
    }
    handlers["GetMetadata"] = _method(service.metadata, Empty)
    return grpc.method_handlers_generic_handler("dapr.proto.runtime.v1.Dapr", handlers)


def _method(method: Method, request: type[Message]) -> Handler:
    async def answer(data: bytes, context: Context) -> Any:
        try:
            return await method(_read(request, data), context)
        except Exception as error:
            code, text = _status_of(error)
            if code is grpc.StatusCode.INTERNAL:
                logger.exception("%s failed", method.__name__)
            return await context.abort(code, text)

    # Without a deserializer: gRPC writes a traceback to the log for every message it cannot read.
    return grpc.unary_unary_rpc_method_handler(answer, None, _bytes)


def _read(kind: type[Message], data: bytes) -> Message:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise InvalidRequest(f"the message is no {kind.DESCRIPTOR.name}: {error}") from error


def _status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    fault = fault_of(error)
    if fault.code == "ERR_INSTANCE_NOT_CLOSED":
        # The words that daprd has for it, which callers may look for.
        text = f"orchestration has not yet completed: {fault.message}"
        return grpc.StatusCode.FAILED_PRECONDITION, text
    return _CODES.get(fault.status, grpc.StatusCode.INTERNAL), fault.message


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()
