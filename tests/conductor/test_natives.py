"""Native workflows: other people's definitions and workers, started and steered through us."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from conductor.conftest import OpenRuntime
from conductor.proxy import proxied
from flowyard import Runtime
from flowyard.backend.history import (
    ChildCreated,
    EventRaised,
    ExecutionCompleted,
    ExecutionTerminated,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
)
from flowyard.errors import (
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    InvalidRequest,
    UnsupportedOperation,
    WorkflowNotRegistered,
)
from flowyard.models import InstanceQuery, ReusePolicy, WorkflowStatus


def new_id() -> str:
    return f"native-{uuid4().hex}"


async def until_open(runtime: Runtime, instance_id: str, event: str, data: object = None) -> None:
    """Raise an event as soon as the workflow has come to its task."""
    async with asyncio.timeout(60):
        while True:
            try:
                assert await runtime.raise_event(instance_id, event, data)
            except UnsupportedOperation:
                await asyncio.sleep(0.05)
            else:
                return


@pytest.mark.parametrize(
    "value", [{"a": [1, None, "ü"]}, 5, "text", [1, 2], False, {"value": {"deep": 1}}]
)
async def test_a_value_goes_in_and_comes_out(open_native: OpenRuntime, value: object) -> None:
    async with open_native() as runtime:
        instance_id = await runtime.start("native-echo", input=value, options={"version": "1"})
        state = await runtime.wait(instance_id)
    assert state.status is WorkflowStatus.COMPLETED
    assert state.result() == value


async def test_workers_of_conductors_own_do_the_work(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        instance_id = await runtime.start("native-chain", input=3)
        assert (await runtime.wait(instance_id)).result() == 12
        history = await runtime.history(instance_id)
        state = await runtime.get(instance_id)
    scheduled = [event for event in history if isinstance(event, TaskScheduled)]
    assert [(event.name, event.input) for event in scheduled] == [
        ("native_double", "3"),
        ("native_double", "6"),
    ]
    completed = [event for event in history if isinstance(event, TaskCompleted)]
    assert [(event.task_id, event.output) for event in completed] == [
        (scheduled[0].id, "6"),
        (scheduled[1].id, "12"),
    ]
    assert isinstance(history[-1], ExecutionCompleted)
    assert state.created_at <= state.last_updated_at
    assert abs(state.created_at - datetime.now(UTC)) < timedelta(minutes=5)


async def test_the_latest_version_runs_unless_another_is_asked_for(
    open_native: OpenRuntime,
) -> None:
    async with open_native() as runtime:
        latest = await runtime.wait(await runtime.start("native-echo", input=1))
        first = await runtime.wait(
            await runtime.start("native-echo", input=1, options={"version": "1"})
        )
    assert latest.result() == {"version": 2}
    assert first.result() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": "two"}, "use a number from 1"),
        ({"version": "0"}, "use a number from 1"),
        ({"priority": "1"}, "knows no option 'priority'.*the only option is 'version'"),
    ],
)
async def test_options_that_make_no_sense_are_refused(
    open_native: OpenRuntime, options: dict[str, str], message: str
) -> None:
    async with open_native() as runtime:
        with pytest.raises(InvalidRequest, match=message):
            await runtime.start("native-echo", options={"version": "1", **options})


async def test_an_unknown_version_is_refused(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        with pytest.raises(WorkflowNotRegistered, match="native-echo"):
            await runtime.start("native-echo", options={"version": "77"})


async def test_a_failure_names_the_task_that_failed(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        state = await runtime.wait(await runtime.start("native-failing", input="boots"))
        history = await runtime.history(state.instance_id)
    assert state.status is WorkflowStatus.FAILED
    assert state.failure is not None
    assert "no stock of boots" in state.failure.message
    assert state.failure.cause is not None
    assert "task 'ask' of type 'native_refuse'" in state.failure.cause.message
    assert [event for event in history if isinstance(event, TaskFailed)]


async def test_variables_are_the_custom_status(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        instance_id = await runtime.start("native-approval", input={"who": "Ada"})
        state = await runtime.get(instance_id)
        assert state.custom_status == '{"asked":"Ada"}'
        await runtime.terminate(instance_id)


async def test_events_complete_the_tasks_that_are_called_like_them(
    open_native: OpenRuntime,
) -> None:
    async with open_native() as runtime:
        instance_id = await runtime.start("native-approval", input={"who": "Ada"})
        await until_open(runtime, instance_id, "approval", {"by": "Grace"})
        await until_open(runtime, instance_id, "LATER", 7)
        state = await runtime.wait(instance_id)
        history = await runtime.history(instance_id)
        assert await runtime.raise_event(instance_id, "later", 1) is False
    assert state.result() == {"approval": {"by": "Grace"}, "later": {"value": 7}}
    raised = [(event.name, event.input) for event in history if isinstance(event, EventRaised)]
    assert raised == [("Approval", '{"by":"Grace"}'), ("later", "7")]


async def test_an_event_that_no_task_waits_for_is_refused_and_changes_nothing(
    open_native: OpenRuntime,
) -> None:
    async with open_native() as runtime:
        instance_id = await runtime.start("native-approval", input={"who": "Ada"})
        with pytest.raises(UnsupportedOperation, match="no WAIT or HUMAN task 'later' is open"):
            await runtime.raise_event(instance_id, "later", "early")
        await until_open(runtime, instance_id, "approval")
        await until_open(runtime, instance_id, "later", "in time")
        result = (await runtime.wait(instance_id)).result(dict[str, object])
    assert result["later"] == {"value": "in time"}


async def test_of_many_events_at_once_only_one_is_taken(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        instance_id = await runtime.start("native-waiter")
        outcomes = await asyncio.gather(
            *(runtime.raise_event(instance_id, "go", number) for number in range(8)),
            return_exceptions=True,
        )
        taken = [number for number, outcome in enumerate(outcomes) if outcome is True]
        assert len(taken) == 1
        assert (await runtime.wait(instance_id)).result() == taken[0]


async def test_pause_and_resume_tell_who_changed_something(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        instance_id = await runtime.start("native-waiter")
        paused = await asyncio.gather(*(runtime.pause(instance_id) for _ in range(5)))
        assert sorted(paused) == [False, False, False, False, True]
        assert (await runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
        assert await runtime.raise_event(instance_id, "go", "kept") is True
        assert (await runtime.get(instance_id)).status is WorkflowStatus.SUSPENDED
        resumed = await asyncio.gather(*(runtime.resume(instance_id) for _ in range(5)))
        assert sorted(resumed) == [False, False, False, False, True]
        assert (await runtime.wait(instance_id)).result() == "kept"
        assert await runtime.pause(instance_id) is False
        assert await runtime.resume(instance_id) is False


async def test_terminate_tells_who_changed_something(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        instance_id = await runtime.start("native-waiter")
        with pytest.raises(UnsupportedOperation, match="terminate with an output"):
            await runtime.terminate(instance_id, output=1)
        ended = await asyncio.gather(*(runtime.terminate(instance_id) for _ in range(5)))
        assert sorted(ended) == [False, False, False, False, True]
        assert (await runtime.get(instance_id)).status is WorkflowStatus.TERMINATED
        history = await runtime.history(instance_id)
        assert [event for event in history if isinstance(event, ExecutionTerminated)]
        completed = await runtime.wait(await runtime.start("native-echo"))
        assert await runtime.terminate(completed.instance_id) is False


async def test_children_are_instances_and_share_their_parents_end(
    open_native: OpenRuntime,
) -> None:
    async with open_native() as runtime:
        parent = await runtime.start("native-parent")
        async with asyncio.timeout(60):
            while True:
                events = await runtime.history(parent)
                children = [event for event in events if isinstance(event, ChildCreated)]
                if children and children[0].instance_id:
                    break
                await asyncio.sleep(0.05)
        child = children[0].instance_id
        assert (await runtime.get(child)).parent_instance_id is not None
        with pytest.raises(UnsupportedOperation, match="without the children"):
            await runtime.terminate(parent, recursive=False)
        with pytest.raises(InstanceNotClosed):
            await runtime.purge(parent)
        assert await runtime.terminate(parent) is True
        assert (await runtime.wait(child)).status is WorkflowStatus.TERMINATED
        assert await runtime.purge(parent) == 2
        for instance_id in (parent, child):
            with pytest.raises(InstanceNotFound):
                await runtime.get(instance_id)


async def test_a_purged_id_is_free_and_its_workflow_gone(open_native: OpenRuntime) -> None:
    async with open_native() as runtime:
        instance_id = await runtime.start("native-waiter", instance_id=new_id())
        with pytest.raises(InstanceNotClosed):
            await runtime.purge(instance_id)
        await runtime.raise_event(instance_id, "go", 1)
        await runtime.wait(instance_id)
        with pytest.raises(InstanceAlreadyExists):
            await runtime.start("native-waiter", instance_id=instance_id, reuse=ReusePolicy.REJECT)
        assert await runtime.purge(instance_id) == 1
        with pytest.raises(InstanceNotFound):
            await runtime.purge(instance_id)
        assert await runtime.start("native-waiter", instance_id=instance_id) == instance_id
        await runtime.terminate(instance_id)


async def test_a_removal_in_which_the_server_fails_is_made_again(
    open_native: OpenRuntime, conductor_server: str
) -> None:
    failing: list[str] = []
    async with (
        proxied(conductor_server, failing=failing) as url,
        open_native(url=url) as runtime,
    ):
        instance_id = await runtime.start("native-waiter")
        await runtime.terminate(instance_id)
        failing += ["DELETE", "DELETE"]
        assert await runtime.purge(instance_id) == 1
        assert not failing
        with pytest.raises(InstanceNotFound):
            await runtime.get(instance_id)


async def test_native_instances_are_listed(open_native: OpenRuntime) -> None:
    prefix = new_id()
    async with open_native() as runtime:
        for number in range(3):
            await runtime.start("native-waiter", instance_id=f"{prefix}-{number}")
        await runtime.pause(f"{prefix}-1")
        await runtime.terminate(f"{prefix}-2")
        query = InstanceQuery(workflow="native-waiter", instance_id_prefix=prefix, page_size=2)
        first = await runtime.list(query)
        rest = await runtime.list(
            InstanceQuery(instance_id_prefix=prefix, continuation_token=first.continuation_token)
        )
        found = {
            instance.instance_id: instance.status
            for instance in (*first.instances, *rest.instances)
        }
        for number in range(2):
            await runtime.terminate(f"{prefix}-{number}")
    assert found == {
        f"{prefix}-0": WorkflowStatus.RUNNING,
        f"{prefix}-1": WorkflowStatus.SUSPENDED,
        f"{prefix}-2": WorkflowStatus.TERMINATED,
    }


@pytest.mark.parametrize("token", ["x", "{}", "[1]", "[1e999, []]"])
async def test_a_token_that_no_page_has_given_is_refused(
    open_native: OpenRuntime, token: str
) -> None:
    async with open_native() as runtime:
        with pytest.raises(InvalidRequest, match="continuation token"):
            await runtime.list(InstanceQuery(continuation_token=token))


async def test_an_unknown_definition_and_a_start_time_are_refused(
    open_native: OpenRuntime,
) -> None:
    async with open_native(taskQueue=f"unused.{uuid4().hex}") as runtime:
        with pytest.raises(UnsupportedOperation, match="start_at"):
            await runtime.start("native-echo", start_at=datetime.now(UTC) + timedelta(hours=1))
        with pytest.raises(WorkflowNotRegistered, match="native-nothing"):
            await runtime.start("native-nothing")
