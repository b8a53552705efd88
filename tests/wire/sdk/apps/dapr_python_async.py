"""An ordinary application of Dapr's Python workflow SDK that manages with its async client."""

from __future__ import annotations

import asyncio
import json
import sys

import dapr.ext.workflow as wf
from dapr.ext.workflow.aio import DaprWorkflowClient

runtime = wf.WorkflowRuntime()


@runtime.activity(name="add_one")
def add_one(ctx: wf.WorkflowActivityContext, number: int) -> int:
    return number + 1


@runtime.workflow(name="chain")
def chain(ctx: wf.DaprWorkflowContext, number: int):
    for _ in range(3):
        number = yield ctx.call_activity(add_one, input=number)
    return number


@runtime.workflow(name="wait_for_ever")
def wait_for_ever(ctx: wf.DaprWorkflowContext):
    return (yield ctx.wait_for_external_event("go"))


async def managing() -> dict:
    client = DaprWorkflowClient()
    seen: dict = {}

    async def status(instance_id: str) -> str | None:
        state = await client.get_workflow_state(instance_id)
        return None if state is None else state.runtime_status.name

    ids = await asyncio.gather(
        *(
            client.schedule_new_workflow(chain, input=number, instance_id=f"chain-{number}")
            for number in range(5)
        )
    )
    states = await asyncio.gather(
        *(client.wait_for_workflow_completion(instance_id) for instance_id in ids)
    )
    seen["outputs"] = [json.loads(state.serialized_output) for state in states]
    waiting = await client.schedule_new_workflow(wait_for_ever, instance_id="waiting")
    await client.wait_for_workflow_start(waiting)
    await client.pause_workflow(waiting)
    seen["paused"] = await status(waiting)
    await client.resume_workflow(waiting)
    await client.raise_workflow_event(waiting, "go", data="ahead")
    done = await client.wait_for_workflow_completion(waiting)
    seen["event"] = json.loads(done.serialized_output)
    ending = await client.schedule_new_workflow(wait_for_ever, instance_id="ending")
    await client.wait_for_workflow_start(ending)
    await client.terminate_workflow(ending)
    seen["terminated"] = await status(ending)
    await client.purge_workflow(ending)
    seen["purged"] = await status(ending)
    if hasattr(client, "list_workflow_instance_ids"):
        seen["listed"] = sorted(
            [instance_id async for instance_id in client.iter_workflow_instance_ids(page_size=2)]
        )
        history = await client.get_workflow_history("chain-0")
        seen["history"] = [event.event_type.name for event in history]
    return seen


if __name__ == "__main__":
    runtime.start()
    for _ in sys.stdin:
        print(json.dumps({"result": asyncio.run(managing())}), flush=True)
    runtime.shutdown()
