"""An ordinary application that manages its workflows with Dapr's general client, `DaprClient`.

Versions up to 1.17 have these methods; they call Dapr's management API and name a component.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from typing import Any

import dapr.ext.workflow as wf
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprInternalError

COMPONENT = "dapr"
runtime = wf.WorkflowRuntime()


@runtime.activity(name="add_one")
def add_one(ctx: wf.WorkflowActivityContext, number: int) -> int:
    return number + 1


@runtime.workflow(name="approval")
def approval(ctx: wf.DaprWorkflowContext, number: int):
    ctx.set_custom_status("waiting")
    number = yield ctx.call_activity(add_one, input=number)
    more = yield ctx.wait_for_external_event("go")
    return number + more["more"]


def managing() -> dict:
    seen: dict = {}
    with DaprClient() as client:

        def state_once(instance_id: str, status: str, **properties: str) -> Any:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                state = client.get_workflow(instance_id, COMPONENT)
                is_so = properties.items() <= dict(state.properties).items()
                if state.runtime_status == status and is_so:
                    return state
                time.sleep(0.05)
            raise AssertionError(f"{instance_id} is {state.runtime_status}, {state.properties}")

        waiting = {"dapr.workflow.custom_status": "waiting"}
        started = client.start_workflow(COMPONENT, "approval", input=1, instance_id="order-1")
        seen["started"] = started.instance_id
        running = state_once("order-1", "Running", **waiting)
        seen["running"] = [running.instance_id, running.workflow_name]
        client.pause_workflow("order-1", COMPONENT)
        seen["paused"] = client.get_workflow("order-1", COMPONENT).runtime_status
        client.raise_workflow_event("order-1", COMPONENT, "go", event_data={"more": 40})
        client.resume_workflow("order-1", COMPONENT)
        done = state_once("order-1", "Completed")
        seen["output"] = json.loads(done.properties["dapr.workflow.output"])
        times = [time.ToNanoseconds() for time in (done.created_at, done.last_updated_at)]
        seen["is_ordered"] = running.created_at.ToNanoseconds() == times[0] < times[1]
        client.purge_workflow("order-1", COMPONENT)
        try:
            client.get_workflow("order-1", COMPONENT)
        except DaprInternalError as error:
            seen["purged"] = "no such instance exists" in str(error)

        # Without an ID, and with bytes as they are.
        chosen = client.start_workflow(COMPONENT, "approval", input=b"5", send_raw_bytes=True)
        state_once(chosen.instance_id, "Running", **waiting)
        client.terminate_workflow(chosen.instance_id, COMPONENT)
        ended = client.get_workflow(chosen.instance_id, COMPONENT)
        seen["terminated"] = [ended.runtime_status, ended.properties["dapr.workflow.input"]]

        try:
            client.start_workflow("nowhere", "approval")
        except DaprInternalError as error:
            seen["unknown component"] = str(error)
        seen["metadata"] = client.get_metadata().application_id
    return seen


if __name__ == "__main__":
    runtime.start()
    for _ in sys.stdin:
        try:
            answer = {"result": managing()}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
    runtime.shutdown()
