"""An ordinary application that keeps its state with Dapr's general client, `DaprClient`.

Its workflow does so in its activities, as Dapr's quickstart does.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

import dapr.ext.workflow as wf
import grpc
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._request import TransactionalStateOperation, TransactionOperationType
from dapr.clients.grpc._state import Concurrency, Consistency, StateItem, StateOptions

STORE = "inventory"
runtime = wf.WorkflowRuntime()


@runtime.activity(name="verify_stock")
def verify_stock(ctx: wf.WorkflowActivityContext, order: dict) -> bool:
    with DaprClient() as client:
        found = client.get_state(STORE, order["item"])
        return bool(found.data) and found.json()["quantity"] >= order["quantity"]


@runtime.activity(name="take_stock")
def take_stock(ctx: wf.WorkflowActivityContext, order: dict) -> int:
    with DaprClient() as client:
        left = client.get_state(STORE, order["item"]).json()["quantity"] - order["quantity"]
        client.save_state(STORE, order["item"], json.dumps({"quantity": left}))
        return left


@runtime.workflow(name="sell")
def sell(ctx: wf.DaprWorkflowContext, order: dict):
    if not (yield ctx.call_activity(verify_stock, input=order)):
        return "out of stock"
    return (yield ctx.call_activity(take_stock, input=order))


def calling() -> dict:
    """Do every call of state and secrets that the client has."""
    seen: dict = {}
    with DaprClient() as client:
        client.save_state(STORE, "text", "as it is")
        client.save_state(STORE, "bytes", b"\x80\x04")
        seen["text"] = client.get_state(STORE, "text").text()
        seen["bytes"] = list(client.get_state(STORE, "bytes").data)
        missing = client.get_state(STORE, "missing")
        seen["missing"] = [missing.data.decode(), missing.etag]

        client.save_bulk_state(
            STORE, [StateItem(key="a", value="1"), StateItem(key="b", value='{"x": 2}')]
        )
        items = client.get_bulk_state(STORE, keys=["b", "a", "missing"]).items
        seen["bulk"] = [[item.key, item.text(), item.error] for item in items]

        etag = client.get_state(STORE, "a").etag
        client.save_state(STORE, "a", "2", etag=etag)
        seen["stale"] = refused(lambda: client.save_state(STORE, "a", "3", etag=etag))
        seen["stale delete"] = refused(lambda: client.delete_state(STORE, "a", etag=etag))
        first = StateOptions(concurrency=Concurrency.first_write, consistency=Consistency.strong)
        seen["second"] = refused(lambda: client.save_state(STORE, "a", "3", options=first))
        seen["kept"] = client.get_state(STORE, "a").text()

        client.save_state(STORE, "short", "x", state_metadata={"ttlInSeconds": "1000"})
        metadata = {"contentType": "application/json"}
        client.save_state(STORE, "json", '{"n": 1.50}', state_metadata=metadata)
        seen["json"] = client.get_state(STORE, "json").text()

        delete = TransactionOperationType.delete
        client.execute_state_transaction(
            STORE,
            [
                TransactionalStateOperation(key="c", data="3"),
                TransactionalStateOperation(key="b", data="", operation_type=delete),
            ],
        )
        seen["transaction"] = [client.get_state(STORE, key).text() for key in "bc"]
        failing = [
            TransactionalStateOperation(key="c", data="4"),
            TransactionalStateOperation(key="a", data="5", etag="another"),
        ]
        seen["failed"] = refused(lambda: client.execute_state_transaction(STORE, failing))
        seen["rolled back"] = client.get_state(STORE, "c").text()

        client.delete_state(STORE, "a")
        client.delete_state(STORE, "a")
        seen["deleted"] = client.get_state(STORE, "a").text()

        seen["unknown"] = refused(lambda: client.get_state("nowhere", "k"))
        seen["illegal"] = refused(lambda: client.get_state(STORE, "a||b"))
        seen["query"] = refused(lambda: client.query_state(STORE, "{}"))

        seen["secret"] = dict(client.get_secret("vault", "db:password").secret)
        secrets = client.get_bulk_secret("vault").secrets
        seen["secrets"] = {name: dict(values) for name, values in secrets.items()}
        seen["no secret"] = refused(lambda: client.get_secret("vault", "x"))
        seen["no vault"] = refused(lambda: client.get_secret("nowhere", "x"))

        components = client.get_metadata().registered_components
        seen["components"] = {item.name: [item.type, *item.capabilities] for item in components}
        seen["id"] = client.get_metadata().application_id
    return seen


def refused(call: Any) -> list:
    """Return the status, the reason and the text of a call that fails."""
    try:
        call()
    except DaprGrpcError as error:
        return [error.code().name, error.error_code(), error.details()]
    except grpc.RpcError as error:
        # Of secrets the client passes on what gRPC raises.
        return [error.code().name, "", error.details()]
    return ["was not refused"]


def selling() -> list:
    """Sell what there is, and what there is not."""
    client = wf.DaprWorkflowClient()
    with DaprClient() as state:
        state.save_state(STORE, "car", json.dumps({"quantity": 10}))
    outputs = []
    for quantity in (1, 20):
        order = {"item": "car", "quantity": quantity}
        instance_id = client.schedule_new_workflow(sell, input=order)
        done = client.wait_for_workflow_completion(instance_id, timeout_in_seconds=60)
        outputs.append(json.loads(done.serialized_output))
    with DaprClient() as state:
        outputs.append(state.get_state(STORE, "car").json())
    return outputs


if __name__ == "__main__":
    runtime.start()
    for line in sys.stdin:
        try:
            answer = {"result": {"calling": calling, "selling": selling}[line.strip()]()}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
    runtime.shutdown()
