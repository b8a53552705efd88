"""The portable workflows of the conformance suite. Activities go by name: see `probe.py`.

A component without `Capability.HOSTING` names its engine's own counterparts in the fixture
`native_workflows`; of these workflows, `echo`, `waiter` and `failing` make sense there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import datetime, timedelta
from typing import Any

from flowyard.app import App
from flowyard.context import WorkflowContext
from flowyard.errors import TaskFailedError
from flowyard.retry import RetryPolicy
from flowyard.task import Task, when_all, when_any
from flowyard.testing.probe import Probe

_MILLISECOND = timedelta(milliseconds=1)
RETRY_DELAYS = [10, 20, 30, 30]
"""Milliseconds between the five attempts of `retries`: first 10, doubled, at most 30."""
_RETRY = RetryPolicy(
    first_retry_interval=10 * _MILLISECOND,
    max_number_of_attempts=5,
    backoff_coefficient=2.0,
    max_retry_interval=30 * _MILLISECOND,
)


def echo(_ctx: WorkflowContext, value: object = None) -> object:
    """Return the input."""
    return value


async def waiter(ctx: WorkflowContext) -> object:
    """Return the data of event `go`."""
    return await ctx.wait_for_external_event("go")


async def failing(_ctx: WorkflowContext, message: str) -> None:
    """Fail with a ValueError of that message, caused by a KeyError."""
    raise ValueError(message) from KeyError("the root of it")


async def nothing(ctx: WorkflowContext) -> None:
    """Return None after a step."""
    await ctx.call_activity("echo")


async def relay(ctx: WorkflowContext, value: object = None) -> object:
    """Pass the input through an activity."""
    return await ctx.call_activity("echo", input=value)


async def chain(ctx: WorkflowContext, value: int) -> list[int]:
    """Double three times, each with the result before."""
    results = []
    for _ in range(3):
        value = await ctx.call_activity("double", input=value)
        results.append(value)
    return results


def yielding(ctx: WorkflowContext, value: int) -> Generator[Task[Any], Any, int]:
    """The chain as a generator."""
    first = yield ctx.call_activity("double", input=value)
    second = yield ctx.call_activity("double", input=first)
    return int(second)


async def fan_out(ctx: WorkflowContext, width: int) -> list[int]:
    return await when_all([ctx.call_activity("double", input=one) for one in range(width)])


async def strands(ctx: WorkflowContext, width: int) -> list[int]:
    """Run coroutines of workflow code side by side."""

    async def twice(value: int) -> int:
        doubled: int = await ctx.call_activity("double", input=value)
        return int(await ctx.call_activity("double", input=doubled))

    return await when_all([twice(one) for one in range(width)])


async def call_facts(ctx: WorkflowContext) -> list[object]:
    described = [await ctx.call_activity("describe_call") for _ in range(2)]
    return [*described, await ctx.call_activity("is_in_a_thread")]


async def gated(ctx: WorkflowContext) -> object:
    """Stand at gate `gate`, then record `after`."""
    held = await ctx.call_activity("gate", input="gate")
    await ctx.call_activity("record", input="after")
    return held


async def late_waiter(ctx: WorkflowContext) -> object:
    """Wait for event `go` only after gate `gate`."""
    await ctx.call_activity("gate", input="gate")
    return await ctx.wait_for_external_event("go")


async def collector(ctx: WorkflowContext, number: int) -> list[object]:
    """Return the data of so many events `item`, in the order of their arrival."""
    return [await ctx.wait_for_external_event("item") for _ in range(number)]


async def two_events(ctx: WorkflowContext) -> list[object]:
    """Wait for `first`, then for `second`."""
    return [
        await ctx.wait_for_external_event("first"),
        await ctx.wait_for_external_event("second"),
    ]


async def impatient(ctx: WorkflowContext, milliseconds: int) -> list[object]:
    """Wait for event `go` with a timeout, then (recording `timed out`) without one."""
    timeout = milliseconds * _MILLISECOND
    try:
        return ["in time", await ctx.wait_for_external_event("go", timeout=timeout)]
    except TimeoutError:
        await ctx.call_activity("record", input="timed out")
        return ["late", await ctx.wait_for_external_event("go")]


async def outlived_timeout(ctx: WorkflowContext, milliseconds: int) -> list[object]:
    """Let the timeout of an event that came in time go by."""
    timeout = milliseconds * _MILLISECOND
    data = await ctx.wait_for_external_event("go", timeout=timeout)
    await ctx.create_timer(2 * timeout)
    return [data, await ctx.wait_for_external_event("go")]


async def pause_witness(ctx: WorkflowContext) -> list[object]:
    """Record every turn's cause: a short timer, gate `gate`, event `go`."""

    async def witness(task: Task[Any], what: str) -> object:
        result = await task
        await ctx.call_activity("record", input=what)
        return result

    return await when_all(
        [
            witness(ctx.create_timer(20 * _MILLISECOND), "timer"),
            witness(ctx.call_activity("gate", input="gate"), "gate passed"),
            witness(ctx.wait_for_external_event("go"), "event"),
        ]
    )


async def statuses(ctx: WorkflowContext) -> str:
    """Set a custom status of text, then one of JSON, with a gate after each."""
    ctx.set_custom_status("half way")
    await ctx.call_activity("gate", input="first")
    ctx.set_custom_status({"percent": 75})
    await ctx.call_activity("gate", input="second")
    return "done"


async def timer(ctx: WorkflowContext, milliseconds: int) -> float:
    """Return how many milliseconds went by on the workflow's own clock."""
    before = ctx.current_utc_datetime
    await ctx.create_timer(milliseconds * _MILLISECOND)
    return (ctx.current_utc_datetime - before) / _MILLISECOND


async def timers(ctx: WorkflowContext, milliseconds: list[int]) -> list[int]:
    """Return the durations in the order in which their timers fired."""
    fired = []

    async def wait(duration: int) -> None:
        await ctx.create_timer(duration * _MILLISECOND)
        fired.append(duration)

    await when_all([wait(duration) for duration in milliseconds])
    return fired


async def deadline(ctx: WorkflowContext, at: str) -> str:
    """Wait until a time, and return the time at which that was over."""
    await ctx.create_timer(datetime.fromisoformat(at))
    return ctx.current_utc_datetime.isoformat()


async def started_at(ctx: WorkflowContext) -> str:
    """Return the time of the first turn."""
    return ctx.current_utc_datetime.isoformat()


async def never_or_event(ctx: WorkflowContext, at: str) -> object:
    """Return the data of event `go`, racing it against a timer that is not to fire."""
    alarm = ctx.create_timer(datetime.fromisoformat(at))
    event = ctx.wait_for_external_event("go")
    winner = await when_any([alarm, event])
    return winner.get_result() if winner is event else "fired"


async def race(ctx: WorkflowContext) -> list[object]:
    """Let `fast` win against gate `slow`, then stand at gate `second`."""
    slow = ctx.call_activity("gate", input="slow")
    fast = ctx.call_activity("echo", input="fast")
    winner = await when_any([slow, fast])
    await ctx.call_activity("record", input="decided")
    second = await ctx.call_activity("gate", input="second")
    return [winner is fast, winner.get_result(), second]


async def details(ctx: WorkflowContext, message: str) -> dict[str, object]:
    """Catch the failure of an activity and return what the error tells."""
    try:
        await ctx.call_activity("broken", input=message)
    except TaskFailedError as error:
        return _details(error)
    return {}


async def partly_broken(ctx: WorkflowContext) -> list[object]:
    """Catch the failure of one of several activities, and go on."""
    try:
        await when_all(
            [ctx.call_activity("echo", input=1), ctx.call_activity("broken", input="one failed")]
        )
    except TaskFailedError as error:
        return ["caught", error.details.message, await ctx.call_activity("echo", input="goes on")]
    return []


async def uncaught(ctx: WorkflowContext, message: str) -> None:
    """Let the failure of an activity end the workflow."""
    await ctx.call_activity("broken", input=message)


async def retries(ctx: WorkflowContext, failures: int) -> object:
    """Call an activity that fails so many times, with at most five attempts."""
    try:
        return await ctx.call_activity("flaky", input=failures, retry_policy=_RETRY)
    except TaskFailedError as error:
        return _details(error)


async def hopeless(ctx: WorkflowContext) -> str:
    """Call an activity that rules out further attempts."""
    try:
        await ctx.call_activity("hopeless", input="no way", retry_policy=_RETRY)
    except TaskFailedError as error:
        return error.details.error_type
    return ""


async def hopeless_by_name(ctx: WorkflowContext) -> str:
    """Call an activity whose error the policy rules out."""
    policy = RetryPolicy(
        first_retry_interval=_MILLISECOND,
        max_number_of_attempts=5,
        non_retryable_error_types=["BrokenStep"],
    )
    try:
        await ctx.call_activity("broken", input="no way", retry_policy=policy)
    except TaskFailedError as error:
        return error.details.error_type
    return ""


async def timed_out_retries(ctx: WorkflowContext) -> str:
    """Retry within a total time that is over before the second attempt could begin."""
    policy = RetryPolicy(
        first_retry_interval=timedelta(hours=1),
        max_number_of_attempts=5,
        retry_timeout=timedelta(minutes=30),
    )
    try:
        await ctx.call_activity("flaky", input=5, retry_policy=policy)
    except TaskFailedError as error:
        return error.details.message
    return ""


async def parent(ctx: WorkflowContext, call: dict[str, Any]) -> object:
    """Call the child workflow `child` with `input` under `id`; catch its failure."""
    retry = _RETRY if call.get("retry") else None
    try:
        return await ctx.call_child_workflow(
            call["child"], input=call.get("input"), instance_id=call.get("id"), retry_policy=retry
        )
    except TaskFailedError as error:
        return _details(error)


async def nursery(ctx: WorkflowContext, width: int) -> list[Any]:
    return await when_all([ctx.call_child_workflow("echo", input=one) for one in range(width)])


async def flaky_child(ctx: WorkflowContext, failures: int) -> object:
    """Fail as its activity does."""
    return await ctx.call_activity("flaky", input=failures)


async def countdown(ctx: WorkflowContext, rounds: int) -> list[object]:
    """Continue as new until no round is left; say so in the custom status."""
    await ctx.call_activity("record", input=rounds)
    if rounds:
        ctx.set_custom_status(f"{rounds} left")
        ctx.continue_as_new(rounds - 1)
    return ["done", rounds]


async def eternal(ctx: WorkflowContext, seen: list[object]) -> list[object]:
    """Collect one event `item` an execution, keeping the others, until it is `end`."""
    item = await ctx.wait_for_external_event("item")
    if item == "end":
        return seen
    ctx.continue_as_new([*seen, item], save_events=True)
    return []


async def keeper(ctx: WorkflowContext, seen: list[object]) -> list[object]:
    """The same after gate `gate`, so that events are kept before the first is taken."""
    if not seen:
        await ctx.call_activity("gate", input="gate")
    return await eternal(ctx, seen)


async def renewed_parent(ctx: WorkflowContext, child_id: str | None) -> str:
    """Call a child under this ID, and end in another execution than that."""
    if child_id is not None:
        await ctx.call_child_workflow("echo", input=1, instance_id=child_id)
        ctx.continue_as_new(None)
    return "done"


async def messenger(ctx: WorkflowContext, target: str) -> str:
    """Raise event `go` to another instance."""
    ctx.send_event(target, "go", data={"from": ctx.instance_id})
    return "sent"


async def forgetful(ctx: WorkflowContext, is_second: bool) -> object:
    """Continue as new after gate `gate`, without what was raised before."""
    if is_second:
        await ctx.call_activity("record", input="second")
        return await ctx.wait_for_external_event("go")
    await ctx.call_activity("gate", input="gate")
    ctx.continue_as_new(True, save_events=False)
    return None


async def abandoned_task(ctx: WorkflowContext, is_second: bool) -> object:
    """Leave an activity behind at gate `old`, and call another one under the same task ID."""
    if is_second:
        return await ctx.call_activity("gate", input="new")
    abandoned = ctx.call_activity("gate", input="old")
    await when_any([abandoned, ctx.wait_for_external_event("go")])
    ctx.continue_as_new(True)
    return None


async def deterministic(ctx: WorkflowContext) -> list[object]:
    """Return what each replay must find again: IDs and times, before and after event `go`."""
    before = [str(ctx.new_uuid()), str(ctx.new_uuid()), ctx.current_utc_datetime.isoformat()]
    await ctx.call_activity("record", input="|".join(before))
    await ctx.call_activity("record", input="ready")
    await ctx.wait_for_external_event("go")
    return [*before, str(ctx.new_uuid())]


async def evolving(ctx: WorkflowContext) -> str:
    """Wait for event `go`, as the code was at first."""
    await ctx.call_activity("record", input="started")
    await ctx.wait_for_external_event("go")
    return "email"


async def evolving_patched(ctx: WorkflowContext) -> str:
    """The same after a change that leaves older instances alone."""
    is_new = ctx.is_patched("texts")
    await ctx.call_activity("record", input="started")
    await ctx.wait_for_external_event("go")
    return "text" if is_new else "email"


async def evolving_broken(ctx: WorkflowContext) -> str:
    """The same after a change that does not fit older histories."""
    await ctx.call_activity("double", input=1)
    await ctx.wait_for_external_event("go")
    return "text"


_WORKFLOWS: tuple[Callable[..., Any], ...] = (
    abandoned_task,
    call_facts,
    chain,
    collector,
    countdown,
    deadline,
    details,
    deterministic,
    echo,
    eternal,
    evolving,
    failing,
    fan_out,
    flaky_child,
    forgetful,
    gated,
    hopeless,
    hopeless_by_name,
    impatient,
    keeper,
    late_waiter,
    messenger,
    never_or_event,
    nothing,
    nursery,
    outlived_timeout,
    parent,
    partly_broken,
    pause_witness,
    race,
    relay,
    renewed_parent,
    retries,
    started_at,
    statuses,
    strands,
    timed_out_retries,
    timer,
    timers,
    two_events,
    uncaught,
    waiter,
    yielding,
)


def portable_app(probe: Probe, changed: Mapping[str, Callable[..., Any]] | None = None) -> App:
    """Return an app of the portable workflows, some of them in a changed version."""
    app = App()
    for name, activity in probe.activities.items():
        app.activity(name=name)(activity)
    for workflow in _WORKFLOWS:
        name = workflow.__name__
        app.workflow(name=name)((changed or {}).get(name, workflow))
    return app


def _details(error: TaskFailedError) -> dict[str, object]:
    cause = error.details.cause
    return {
        "type": error.details.error_type,
        "message": error.details.message,
        "has_stack": bool(error.details.stack_trace),
        "cause": cause.error_type if cause else None,
    }
