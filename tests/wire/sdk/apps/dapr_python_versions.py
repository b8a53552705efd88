"""An ordinary application in one of the versions that it has had: `dapr_python_versions.py NAME`.

v1        reserves, waits for an event and ships
v2        checks before it reserves, without a thought for instances that are under way
patched   checks before it reserves, where the patch is on
marked    v1 with a patch that changes nothing
added     v1 with an activity before the wait, which has no end, for all instances
first     a version of its own name
second    the next one, in an application that has the first no more
both      the next one, beside the first
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import dapr.ext.workflow as wf

VERSION = sys.argv[1]
ID = "order"
runtime = wf.WorkflowRuntime()
client = wf.DaprWorkflowClient()


@runtime.activity(name="check")
def check(ctx: wf.WorkflowActivityContext, item: str) -> str:
    return item


@runtime.activity(name="reserve")
def reserve(ctx: wf.WorkflowActivityContext, item: str) -> str:
    return item


@runtime.activity(name="ship")
def ship(ctx: wf.WorkflowActivityContext, item: str) -> str:
    return f"{item} shipped"


def order(ctx: wf.DaprWorkflowContext, item: str):
    if VERSION == "v2" or (VERSION == "patched" and ctx.is_patched("check first")):
        yield ctx.call_activity(check, input=item)
    item = yield ctx.call_activity(reserve, input=item)
    ctx.set_custom_status("reserved")
    if VERSION == "marked":
        ctx.is_patched("marked")
    if VERSION == "added":
        yield ctx.call_activity(check, input=item)
    yield ctx.wait_for_external_event("go")
    return (yield ctx.call_activity(ship, input=item))


def next_order(ctx: wf.DaprWorkflowContext, item: str):
    yield ctx.call_activity(check, input=item)
    return (yield from order(ctx, item))


if VERSION in {"first", "both"}:
    runtime.register_versioned_workflow(
        order, name="order", version_name="1", is_latest=VERSION == "first"
    )
if VERSION in {"second", "both"}:
    runtime.register_versioned_workflow(next_order, name="order", version_name="2", is_latest=True)
if VERSION in {"v1", "v2", "patched", "marked", "added"}:
    runtime.register_workflow(order, name="order")


def state_once(condition: Callable[[wf.WorkflowState], bool]) -> wf.WorkflowState:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = client.get_workflow_state(ID)
        assert state is not None
        if condition(state):
            break
        time.sleep(0.05)
    return state


def starting() -> Any:
    client.schedule_new_workflow("order", input="car", instance_id=ID)
    # Nothing is under way any more when this application is replaced.
    state = state_once(lambda state: "reserved" in (state.serialized_custom_status or ""))
    return state.runtime_status.name


def releasing() -> Any:
    client.raise_workflow_event(ID, "go")
    return None


def stalling() -> Any:
    return state_once(lambda state: state.runtime_status.name == "STALLED").runtime_status.name


def ending() -> Any:
    state = client.wait_for_workflow_completion(ID, timeout_in_seconds=60)
    assert state is not None
    return [state.runtime_status.name, json.loads(state.serialized_output)]


SCENARIOS = (starting, releasing, stalling, ending)

if __name__ == "__main__":
    runtime.start()
    for line in sys.stdin:
        try:
            scenario = {scenario.__name__: scenario for scenario in SCENARIOS}[line.strip()]
            answer = {"result": scenario()}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
    runtime.shutdown()
    # Not through the interpreter's teardown, in which this SDK's process has died now and then.
    sys.stdout.flush()
    os._exit(0)
