"""Calls of `DaprClient` that a sidecar forwards, and with the role `daprd` what answers them."""

# ruff: noqa: N802 - methods have the names that the service gives them

from __future__ import annotations

import json
import queue
import sys
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor

import grpc
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._crypto import DecryptOptions, EncryptOptions
from dapr.clients.grpc._jobs import Job
from dapr.clients.grpc.conversation import ConversationInputAlpha2, create_user_message
from dapr.proto import api_service_v1, api_v1, common_v1
from google.protobuf.empty_pb2 import Empty

warnings.simplefilter("ignore")


def item(value: str) -> common_v1.ConfigurationItem:
    return common_v1.ConfigurationItem(value=value, version="1")


class Daprd(api_service_v1.DaprServicer):
    """One that has each of these APIs, and remembers what has reached it."""

    def __init__(self) -> None:
        self.jobs: dict = {}
        self.acknowledged: queue.Queue = queue.Queue()

    def GetConfiguration(self, request, context):
        return api_v1.GetConfigurationResponse(items={key: item(key) for key in request.keys})

    # Under this name, the SDK still calls it.
    def SubscribeConfigurationAlpha1(self, request, context):
        yield api_v1.SubscribeConfigurationResponse(id="watch")
        yield api_v1.SubscribeConfigurationResponse(id="watch", items={"colour": item("blue")})

    def UnsubscribeConfiguration(self, request, context):
        return api_v1.UnsubscribeConfigurationResponse(ok=request.id == "watch")

    def TryLockAlpha1(self, request, context):
        return api_v1.TryLockResponse(success=request.resource_id == "free")

    def UnlockAlpha1(self, request, context):
        return api_v1.UnlockResponse(status="LOCK_BELONGS_TO_OTHERS")

    def EncryptAlpha1(self, requests, context):
        for request in requests:
            payload = request.payload
            payload.data = bytes(byte ^ 1 for byte in payload.data)
            yield api_v1.EncryptResponse(payload=payload)

    def DecryptAlpha1(self, requests, context):
        for request in requests:
            payload = request.payload
            payload.data = bytes(byte ^ 1 for byte in payload.data)
            yield api_v1.DecryptResponse(payload=payload)

    def ScheduleJob(self, request, context):
        self.jobs[request.job.name] = request.job
        return api_v1.ScheduleJobResponse()

    def GetJob(self, request, context):
        if request.name not in self.jobs:
            context.abort(grpc.StatusCode.NOT_FOUND, f"job {request.name} is not known")
        return api_v1.GetJobResponse(job=self.jobs[request.name])

    def DeleteJob(self, request, context):
        del self.jobs[request.name]
        return api_v1.DeleteJobResponse()

    def ConverseAlpha2(self, request, context):
        asked = request.inputs[0].messages[0].of_user.content[0].text
        answer = api_v1.ConversationResponseAlpha2(context_id="talk")
        choice = answer.outputs.add().choices.add(finish_reason="stop")
        choice.message.content = asked[::-1]
        return answer

    def InvokeBinding(self, request, context):
        return api_v1.InvokeBindingResponse(data=request.data[::-1], metadata=request.metadata)

    def GetSecret(self, request, context):
        return api_v1.GetSecretResponse(data={request.key: "secret"})

    def GetState(self, request, context):
        context.set_trailing_metadata((("grpc-status-details-bin", b"\x08\x03\x12\x07refused"),))
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "refused")

    def PublishEvent(self, request, context):
        self.acknowledged.put(request.data.decode())
        return Empty()

    def SubscribeTopicEventsAlpha1(self, requests, context):
        assert next(requests).initial_request.topic == "orders"
        yield api_v1.SubscribeTopicEventsResponseAlpha1(
            initial_response=api_v1.SubscribeTopicEventsResponseInitialAlpha1()
        )
        # The last one is not acknowledged: it says that all others are.
        for number in range(4):
            event = api_v1.SubscribeTopicEventsResponseAlpha1()
            event.event_message.id = str(number)
            event.event_message.topic = "orders"
            event.event_message.data_content_type = "text/plain"
            event.event_message.data = f"order {number}".encode()
            yield event
            if number < 3:
                self.acknowledged.put(next(requests).event_processed.id)


def configuration() -> object:
    changes: queue.Queue = queue.Queue()
    with DaprClient() as client:
        items = client.get_configuration("store", ["colour", "size"]).items
        client.subscribe_configuration(
            "store", ["colour"], lambda _, change: changes.put(change.items["colour"].value)
        )
        changed = changes.get(timeout=60)
        gone = client.unsubscribe_configuration("store", "watch")
    return [sorted(items), changed, gone]


def lock() -> object:
    with DaprClient() as client:
        taken = [client.try_lock("store", name, "me", 60).success for name in ("free", "taken")]
        return [*taken, client.unlock("store", "free", "me").status.name]


def crypto() -> object:
    plain = bytes(range(256)) * 4096
    with DaprClient() as client:
        options = EncryptOptions(component_name="vault", key_name="k", key_wrap_algorithm="RSA")
        sealed = client.encrypt(plain, options).read()
        opened = client.decrypt(sealed, DecryptOptions(component_name="vault", key_name="k")).read()
    return [sealed != plain, opened == plain]


def jobs() -> object:
    with DaprClient() as client:
        client.schedule_job(Job(name="nightly", schedule="@daily"))
        schedule = client.get_job("nightly").schedule
        client.delete_job("nightly")
        try:
            client.get_job("nightly")
        except DaprGrpcError as error:
            return [schedule, error.code().name, error.details()]
        except grpc.RpcError as error:
            return [schedule, error.code().name, error.details()]
    return None


def conversation() -> object:
    with DaprClient() as client:
        asked = ConversationInputAlpha2(messages=[create_user_message("abc")])
        answer = client.converse_alpha2(name="model", inputs=[asked])
        return answer.outputs[0].choices[0].message.content


def blocks() -> object:
    with DaprClient() as client:
        binding = client.invoke_binding("mail", "create", b"abc", {"to": "me"})
        secret = client.get_secret("vault", "mail").secret
        try:
            client.get_state("cart", "k")
        except DaprGrpcError as error:
            return [
                binding.data.decode(),
                dict(binding.binding_metadata),
                dict(secret),
                error.details(),
            ]
    return None


def subscription() -> object:
    got = []
    with DaprClient() as client:
        subscription = client.subscribe("bus", "orders")
        for _ in range(3):
            message = subscription.next_message()
            got.append(message.data())
            subscription.respond_success(message)
        got.append(subscription.next_message().data())
        subscription.close()
        client.publish_event("bus", "orders", "published")
    return got


def main() -> None:
    scenarios = {function.__name__: function for function in _SCENARIOS}
    if sys.argv[1] == "daprd":
        daprd, server = Daprd(), grpc.server(ThreadPoolExecutor(20))
        api_service_v1.add_DaprServicer_to_server(daprd, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        scenarios = {
            "port": lambda: port,
            "acknowledged": lambda: [daprd.acknowledged.get(timeout=60) for _ in range(4)],
        }
    for line in sys.stdin:
        try:
            print(json.dumps({"result": scenarios[line.strip()]()}), flush=True)
        except Exception:
            print(json.dumps({"error": traceback.format_exc()}), flush=True)


_SCENARIOS = [configuration, lock, crypto, jobs, conversation, blocks, subscription]


if __name__ == "__main__":
    main()
