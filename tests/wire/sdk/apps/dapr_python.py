"""An ordinary application of Dapr's Python workflow SDK; it knows nothing of Flowyard.

It runs in an environment of its own. Each line of its input names a scenario, and each line of its
output tells as JSON how that went.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import dapr.ext.workflow as wf

runtime = wf.WorkflowRuntime()
client = wf.DaprWorkflowClient()
attempts: dict[str, int] = {}


@runtime.activity(name="add_one")
def add_one(ctx: wf.WorkflowActivityContext, number: int) -> int:
    return number + 1


@runtime.activity(name="succeed_at_third")
def succeed_at_third(ctx: wf.WorkflowActivityContext, key: str) -> int:
    attempts[key] = attempts.get(key, 0) + 1
    if attempts[key] < 3:
        raise ValueError(f"attempt {attempts[key]} of {key} fails")
    return attempts[key]


@runtime.activity(name="fail")
def fail(ctx: wf.WorkflowActivityContext, reason: str) -> None:
    raise ValueError(reason)


@runtime.activity(name="measure")
def measure(ctx: wf.WorkflowActivityContext, text: str) -> int:
    return len(text)


@runtime.workflow(name="chain")
def chain(ctx: wf.DaprWorkflowContext, number: int):
    for _ in range(3):
        number = yield ctx.call_activity(add_one, input=number)
    return number


@runtime.workflow(name="fan_out")
def fan_out(ctx: wf.DaprWorkflowContext, count: int):
    results = yield wf.when_all(
        [ctx.call_activity(add_one, input=number) for number in range(1, count + 1)]
    )
    return sum(results)


_RETRY = wf.RetryPolicy(first_retry_interval=timedelta(milliseconds=10), max_number_of_attempts=4)


@runtime.workflow(name="retry")
def retry(ctx: wf.DaprWorkflowContext, key: str):
    return (yield ctx.call_activity(succeed_at_third, input=key, retry_policy=_RETRY))


@runtime.workflow(name="unreliable_child")
def unreliable_child(ctx: wf.DaprWorkflowContext, key: str):
    return (yield ctx.call_activity(succeed_at_third, input=key))


@runtime.workflow(name="parent")
def parent(ctx: wf.DaprWorkflowContext, key: str):
    plain = yield ctx.call_child_workflow(chain, input=1)
    retried = yield ctx.call_child_workflow(unreliable_child, input=key, retry_policy=_RETRY)
    return [plain, retried]


@runtime.workflow(name="approval")
def approval(ctx: wf.DaprWorkflowContext, milliseconds: int):
    event = ctx.wait_for_external_event("approved")
    timeout = ctx.create_timer(timedelta(milliseconds=milliseconds))
    winner = yield wf.when_any([event, timeout])
    return event.get_result() if winner == event else "too late"


@runtime.workflow(name="wait_for_ever")
def wait_for_ever(ctx: wf.DaprWorkflowContext, _: Any = None):
    ctx.set_custom_status("waiting")
    data = yield ctx.wait_for_external_event("go")
    ctx.set_custom_status("done")
    return data


@runtime.workflow(name="long_way")
def long_way(ctx: wf.DaprWorkflowContext, number: int):
    number = yield ctx.call_activity(add_one, input=number)
    more = yield ctx.wait_for_external_event("go")
    return (yield ctx.call_activity(add_one, input=number + more))


@runtime.workflow(name="nap")
def nap(ctx: wf.DaprWorkflowContext, milliseconds: int):
    before = ctx.current_utc_datetime
    yield ctx.create_timer(timedelta(milliseconds=milliseconds))
    return (ctx.current_utc_datetime - before) >= timedelta(milliseconds=milliseconds)


@runtime.workflow(name="count_down")
def count_down(ctx: wf.DaprWorkflowContext, state: dict):
    if state["left"] == 0:
        event = yield ctx.wait_for_external_event("seen")
        return [state["turns"], event]
    yield ctx.call_activity(add_one, input=1)
    ctx.continue_as_new({"left": state["left"] - 1, "turns": state["turns"] + 1}, save_events=True)


@runtime.workflow(name="failing")
def failing(ctx: wf.DaprWorkflowContext, reason: str):
    yield ctx.call_activity(fail, input=reason)


@runtime.workflow(name="large")
def large(ctx: wf.DaprWorkflowContext, text: str):
    length = yield ctx.call_activity(measure, input=text)
    return text if length == len(text) else ""


def completed(instance_id: str) -> Any:
    state = client.wait_for_workflow_completion(instance_id, timeout_in_seconds=60)
    assert state is not None, "there is no such instance"
    assert state.runtime_status.name == "COMPLETED", state
    return json.loads(state.serialized_output)


def status(instance_id: str) -> str | None:
    state = client.get_workflow_state(instance_id)
    return None if state is None else state.runtime_status.name


def run(workflow: Any, input: Any) -> Any:
    return completed(client.schedule_new_workflow(workflow, input=input))


def started(workflow: Any, input: Any = None, instance_id: str | None = None) -> str:
    new = client.schedule_new_workflow(workflow, input=input, instance_id=instance_id)
    client.wait_for_workflow_start(new, timeout_in_seconds=60)
    return new


def chaining() -> Any:
    return run(chain, 1)


def fanning_out() -> Any:
    return run(fan_out, 20)


def retrying() -> Any:
    return run(retry, "activity")


def nesting() -> Any:
    return run(parent, "child")


def approving() -> Any:
    instance_id = started(approval, 60_000)
    client.raise_workflow_event(instance_id, "Approved", data={"by": "Ann"})
    return [completed(instance_id), run(approval, 10)]


def sleeping() -> Any:
    return run(nap, 50)


def pausing() -> Any:
    instance_id = started(wait_for_ever)
    seen = []
    for _ in range(2):
        client.pause_workflow(instance_id)
    seen.append(status(instance_id))
    client.raise_workflow_event(instance_id, "go", data=7)
    for _ in range(2):
        client.resume_workflow(instance_id)
    return [*seen, completed(instance_id)]


def resuming_what_runs() -> Any:
    instance_id = started(wait_for_ever)
    client.resume_workflow(instance_id)
    client.raise_workflow_event(instance_id, "go", data=8)
    return completed(instance_id)


def terminating() -> Any:
    instance_id = started(wait_for_ever)
    client.terminate_workflow(instance_id, output="enough")
    state = client.wait_for_workflow_completion(instance_id, timeout_in_seconds=60)
    assert state is not None
    return [state.runtime_status.name, json.loads(state.serialized_output)]


def purging() -> Any:
    instance_id = started(chain, 1)
    completed(instance_id)
    before = status(instance_id)
    client.purge_workflow(instance_id)
    return [before, status(instance_id)]


def publishing() -> Any:
    instance_id = started(wait_for_ever)
    waiting = client.get_workflow_state(instance_id)
    client.raise_workflow_event(instance_id, "go", data=None)
    done = client.wait_for_workflow_completion(instance_id, timeout_in_seconds=60)
    assert waiting is not None
    assert done is not None
    return [state.serialized_custom_status.strip('"') for state in (waiting, done)]


def continuing() -> Any:
    instance_id = started(count_down, {"left": 4, "turns": 0})
    client.raise_workflow_event(instance_id, "seen", data="kept")
    return completed(instance_id)


def failing_for_good() -> Any:
    instance_id = started(failing, "out of stock")
    state = client.wait_for_workflow_completion(instance_id, timeout_in_seconds=60)
    assert state is not None
    assert state.failure_details is not None
    return [state.runtime_status.name, state.failure_details.message]


def carrying_a_megabyte() -> Any:
    text = "x" * 1_000_000
    return run(large, text) == text


def reusing_an_id() -> Any:
    instance_id = started(wait_for_ever, instance_id="only-once")
    try:
        client.schedule_new_workflow(wait_for_ever, instance_id="only-once")
        refused = False
    except Exception as error:
        refused = "already exists" in str(error)
    client.raise_workflow_event(instance_id, "go", data=1)
    completed(instance_id)
    return [refused, completed(started(chain, 1, instance_id="only-once"))]


def beginning() -> Any:
    return started(long_way, 1, instance_id="survivor")


def finishing() -> Any:
    # The connection comes back when it does.
    while True:
        try:
            client.raise_workflow_event("survivor", "go", data=10)
            return completed("survivor")
        except Exception as error:
            if "UNAVAILABLE" not in str(error):
                raise


def asking_for_the_unknown() -> Any:
    return status("nobody")


SCENARIOS: dict[str, Callable[[], Any]] = {
    scenario.__name__: scenario
    for scenario in (
        chaining,
        fanning_out,
        retrying,
        nesting,
        approving,
        sleeping,
        pausing,
        resuming_what_runs,
        terminating,
        purging,
        publishing,
        continuing,
        failing_for_good,
        carrying_a_megabyte,
        reusing_an_id,
        beginning,
        finishing,
        asking_for_the_unknown,
    )
}


def main() -> None:
    runtime.start()
    try:
        for line in sys.stdin:
            try:
                answer = {"result": SCENARIOS[line.strip()]()}
            except Exception:
                answer = {"error": traceback.format_exc()}
            print(json.dumps(answer), flush=True)
    finally:
        runtime.shutdown()


if __name__ == "__main__":
    main()
