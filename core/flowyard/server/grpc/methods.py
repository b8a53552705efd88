"""The methods that are served: who may call them, how many at once, and how a failure is told."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message

from flowyard.errors import InvalidRequest
from flowyard.server.block_errors import BlockError
from flowyard.server.grpc.answers import AnswerService
from flowyard.server.grpc.bindings import BindingsService
from flowyard.server.grpc.blocks import Requests, UnservedMethods
from flowyard.server.grpc.invocation import InvocationService
from flowyard.server.grpc.management import ManagementService
from flowyard.server.grpc.pubsub import PubSubService
from flowyard.server.grpc.rich_status import trailing_metadata
from flowyard.server.grpc.secrets import SecretsService
from flowyard.server.grpc.state import StateService
from flowyard.server.grpc.statuses import status_of
from flowyard.server.grpc.taskhub import TaskHubClientService
from flowyard.server.grpc.worker import WorkerService
from flowyard.server.not_served import NotServed
from flowyard.server.refusals import Refusals
from flowyard.wire.v1 import bindings_pb2 as bindings
from flowyard.wire.v1 import invocation_pb2 as invocation
from flowyard.wire.v1 import management_pb2 as management
from flowyard.wire.v1 import pubsub_pb2 as pubsub
from flowyard.wire.v1 import secrets_pb2 as secrets
from flowyard.wire.v1 import state_pb2 as state
from flowyard.wire.v1 import taskhub_pb2 as taskhub

logger = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
Method = Callable[[Any, Context], Awaitable[Any]]
StreamMethod = Callable[[Requests, Context], Awaitable[None]]
# Only for type checkers is it generic.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_DAPR = "dapr.proto.runtime.v1.Dapr"
_TOKEN_KEY = "dapr-api-token"  # noqa: S105 - the name of the header, not its value
# What a call takes beside its message, in bytes: gRPC's own objects and ours.
_COST_OF_CALL = 16 * 1024


class Router(grpc.GenericRpcHandler):
    """Finds the method for a call, and tells in the log of calls for which there is none.

    Who has no token is refused before anything of the message is read.
    """

    def __init__(
        self, services: Sequence[grpc.GenericRpcHandler], token: str | None, refusals: Refusals
    ) -> None:
        self._services = services
        self._token = token.encode() if token is not None else None
        self._refusals = refusals

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        method = handler_call_details.method
        for service in self._services:
            if (handler := service.service(handler_call_details)) is not None:
                break
        else:
            reason = f"{method} is not served here"
            return self._refusal(method, grpc.StatusCode.UNIMPLEMENTED, reason)
        if self._token is None:
            return handler
        metadata = handler_call_details.invocation_metadata or ()
        sent = next((value for key, value in metadata if key == _TOKEN_KEY), "")
        sent_bytes = sent if isinstance(sent, bytes) else sent.encode()
        if hmac.compare_digest(sent_bytes, self._token):
            return handler
        reason = "authentication error: api token mismatch"
        return self._refusal(method, grpc.StatusCode.UNAUTHENTICATED, reason)

    def _refusal(self, method: str, code: grpc.StatusCode, reason: str) -> Handler:
        async def refuse(_messages: object, context: Context) -> None:
            self._refusals.tell(code.name, method, context.peer(), reason)
            await context.abort(code, reason)

        # As a stream, so that no message is read.
        return grpc.stream_unary_rpc_method_handler(refuse)


class Methods:
    """Wraps the methods of the services for gRPC.

    `max_bytes` is the largest message that is taken. What all calls under way take may come to
    `max_pending_bytes`; more of them are refused. Neither goes for what workers answer, which says
    itself what it does about its size.
    """

    def __init__(
        self,
        max_bytes: int,
        max_pending_bytes: int,
        refusals: Refusals,
        unserved: UnservedMethods,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_pending_bytes = max_pending_bytes
        self._pending_bytes = 0
        self._refusals = refusals
        self._unserved = unserved

    def taskhub(
        self, worker: WorkerService, answers: AnswerService, client: TaskHubClientService
    ) -> grpc.GenericRpcHandler:
        """Return what Dapr's workflow SDKs call."""
        w = taskhub
        stream: Handler = grpc.unary_stream_rpc_method_handler(_work_items(worker), None, None)
        handlers = {
            "Hello": self._method(worker.hello, w.Nothing),
            "CompleteOrchestratorTask": self._unlimited(answers.complete_workflow),
            "CompleteWorkflowTask": self._unlimited(answers.complete_workflow),
            "CompleteActivityTask": self._unlimited(answers.complete_activity),
            "GetWorkItems": stream,
            "StartInstance": self._method(client.start_instance, w.CreateInstanceRequest),
            "GetInstance": self._method(client.get_instance, w.GetInstanceRequest),
            "WaitForInstanceStart": self._method(client.wait_for_start, w.GetInstanceRequest),
            "WaitForInstanceCompletion": self._method(
                client.wait_for_completion, w.GetInstanceRequest
            ),
            "RaiseEvent": self._method(client.raise_event, w.RaiseEventRequest),
            "TerminateInstance": self._method(client.terminate, w.TerminateRequest),
            "SuspendInstance": self._method(client.suspend, w.SuspendRequest),
            "ResumeInstance": self._method(client.resume, w.ResumeRequest),
            "PurgeInstances": self._method(client.purge, w.PurgeInstancesRequest),
            "ListInstanceIDs": self._method(client.list_instance_ids, w.ListInstanceIDsRequest),
            "RerunWorkflowFromEvent": self._method(client.rerun, w.RerunWorkflowFromEventRequest),
            "GetInstanceHistory": self._method(client.get_history, w.GetInstanceHistoryRequest),
        }
        return grpc.method_handlers_generic_handler("TaskHubSidecarService", handlers)

    def management(self, service: ManagementService) -> grpc.GenericRpcHandler:
        """Return Dapr's management methods."""
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
            f"{name}{version}": self._method(method, request)
            for name, (method, request) in verbs.items()
            for version in ("Alpha1", "Beta1")
        }
        handlers["GetMetadata"] = self._method(service.metadata, Empty)
        handlers["SetMetadata"] = self._method(service.set_metadata, m.SetMetadataRequest)
        handlers["Shutdown"] = self._method(service.shutdown, Empty)
        return grpc.method_handlers_generic_handler(_DAPR, handlers)

    def state(self, service: StateService) -> grpc.GenericRpcHandler:
        """Return Dapr's methods of state."""
        return self._block(
            {
                "GetState": (service.get, state.GetStateRequest),
                "GetBulkState": (service.get_bulk, state.GetBulkStateRequest),
                "SaveState": (service.save, state.SaveStateRequest),
                "DeleteState": (service.delete, state.DeleteStateRequest),
                "DeleteBulkState": (service.delete_bulk, state.SaveStateRequest),
                "ExecuteStateTransaction": (service.transact, state.ExecuteStateTransactionRequest),
                "QueryStateAlpha1": (service.query, state.GetStateRequest),
            }
        )

    def secrets(self, service: SecretsService) -> grpc.GenericRpcHandler:
        """Return Dapr's methods of secrets."""
        return self._block(
            {
                "GetSecret": (service.get, secrets.GetSecretRequest),
                "GetBulkSecret": (service.get_bulk, secrets.GetBulkSecretRequest),
            }
        )

    def bindings(self, service: BindingsService) -> grpc.GenericRpcHandler:
        """Return Dapr's method of output bindings."""
        return self._block(
            {"InvokeBinding": (service.invoke_binding, bindings.InvokeBindingRequest)}
        )

    def invocation(self, service: InvocationService) -> grpc.GenericRpcHandler:
        """Return Dapr's method of service invocation."""
        return self._block(
            {"InvokeService": (service.invoke_service, invocation.InvokeServiceRequest)}
        )

    def publishing(self, service: PubSubService) -> grpc.GenericRpcHandler:
        """Return Dapr's methods that publish."""
        bulk = service.publish_bulk, pubsub.BulkPublishRequest
        return self._block(
            {
                "PublishEvent": (service.publish, pubsub.PublishEventRequest),
                "BulkPublishEvent": bulk,
                "BulkPublishEventAlpha1": bulk,
            }
        )

    def subscribing(self, service: PubSubService) -> grpc.GenericRpcHandler:
        """Return Dapr's method of streams of events."""
        name = "SubscribeTopicEventsAlpha1"
        stream = self._stream(f"/{_DAPR}/{name}", service.subscribe)
        return grpc.method_handlers_generic_handler(_DAPR, {name: stream})

    def _block(self, methods: Mapping[str, tuple[Method, type[Message]]]) -> grpc.GenericRpcHandler:
        """Return methods of a block, which go to a daprd where the component is not ours."""
        handlers = {
            name: self._method(method, request, f"/{_DAPR}/{name}")
            for name, (method, request) in methods.items()
        }
        return grpc.method_handlers_generic_handler(_DAPR, handlers)

    def _stream(self, path: str, method: StreamMethod) -> Handler:
        """Return a method that reads and writes messages as they come.

        `path` is its full one. It may raise `NotServed` before it takes a message.
        """

        async def answer(messages: AsyncIterator[bytes], context: Context) -> None:
            requests = Requests(messages)
            try:
                await _answered(method.__name__, method(requests, context), context)
            except NotServed as error:
                await self._unserved.stream(path, requests, error, context)

        return grpc.stream_stream_rpc_method_handler(answer, None, _bytes)

    def _method(self, method: Method, request: type[Message], path: str = "") -> Handler:
        """Return a method; one that may raise `NotServed` gives its full path."""
        name = method.__name__

        async def answer(data: bytes, context: Context) -> Any:
            cost = _COST_OF_CALL + len(data)
            if reason := self._reason_to_refuse(len(data), cost):
                self._refusals.tell("RESOURCE_EXHAUSTED", name, context.peer(), reason)
                return await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, reason)
            self._pending_bytes += cost
            try:
                message = _read(request, data)
                if not path:
                    del data
                return await _answered(name, method(message, context), context)
            except NotServed as error:
                return await self._unserved.unary(path, data, error, context)
            except InvalidRequest as error:
                return await context.abort(*status_of(error))
            finally:
                self._pending_bytes -= cost

        # Without a deserializer: gRPC logs a traceback for every message that it cannot read.
        return grpc.unary_unary_rpc_method_handler(answer, None, _bytes)

    def _unlimited(self, method: Method) -> Handler:
        name = method.__name__

        async def answer(data: bytes, context: Context) -> Any:
            return await _answered(name, method(data, context), context)

        return grpc.unary_unary_rpc_method_handler(answer, None, _bytes)

    def _reason_to_refuse(self, size: int, cost: int) -> str | None:
        if size > self._max_bytes:
            return f"Received message larger than max ({size} vs. {self._max_bytes})"
        # One call is always taken, however small the limit.
        if self._pending_bytes and self._pending_bytes + cost > self._max_pending_bytes:
            return "too many calls are under way: try again later"
        return None


def _work_items(worker: WorkerService) -> Callable[[bytes, Context], Awaitable[None]]:
    async def stream(data: bytes, context: Context) -> None:
        try:
            request = taskhub.GetWorkItemsRequest.FromString(data)
        except DecodeError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no request: {error}")
        await worker.get_work_items(request, context)

    return stream


async def _answered(name: str, call: Awaitable[Any], context: Context) -> Any:
    """Return what the method answers, or tell the caller why it does not."""
    is_told = logger.isEnabledFor(logging.DEBUG)
    began = asyncio.get_running_loop().time() if is_told else None
    outcome = "OK"
    try:
        return await call
    except NotServed:
        outcome = "not served here"
        raise
    except Exception as error:
        code, text = status_of(error)
        outcome = code.name
        if code is grpc.StatusCode.INTERNAL and not isinstance(error, BlockError):
            logger.exception("%s failed", name)
        if isinstance(error, BlockError):
            return await context.abort(code, text, trailing_metadata(error))
        return await context.abort(code, text)
    finally:
        if began is not None:
            spent = (asyncio.get_running_loop().time() - began) * 1000
            logger.debug("%s from %s: %s in %.1f ms", name, context.peer(), outcome, spent)


def _read(kind: type[Message], data: bytes) -> Message:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise InvalidRequest(f"the message is not a {kind.DESCRIPTOR.name}: {error}") from error


def _bytes(message: Message | bytes) -> bytes:
    # What a daprd has answered is sent as it came.
    return message if isinstance(message, bytes) else message.SerializeToString()
