"""The runtime for scripts: the same verbs, each waiting for its answer."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from flowyard import (
    ActivityContext,
    App,
    ConfigurationError,
    InstanceNotFound,
    InstanceQuery,
    SyncRuntime,
    WorkflowContext,
    WorkflowStatus,
)
from flowyard.config import ComponentSpec

app = App()


@app.activity
def double(ctx: ActivityContext, number: int) -> int:
    return 2 * number


@app.workflow
async def calculate(ctx: WorkflowContext, number: int) -> int:
    doubled = await ctx.call_activity(double, input=number)
    return doubled + await ctx.wait_for_external_event("more", data_type=int)


def engine(tmp_path: Path) -> list[ComponentSpec]:
    metadata = {"connectionString": f"sqlite:///{tmp_path}/sync.db"}
    return [ComponentSpec(name="engine", type="workflow.engine", metadata=metadata)]


def test_a_script_runs_a_workflow_from_start_to_purge(tmp_path: Path) -> None:
    with SyncRuntime.open(engine(tmp_path), app) as runtime:
        instance_id = runtime.start(calculate, input=5, instance_id="sum-1")
        assert runtime.pause(instance_id, reason="lunch")
        assert not runtime.pause(instance_id)
        assert runtime.get(instance_id).status is WorkflowStatus.SUSPENDED
        assert runtime.raise_event(instance_id, "more", 7)
        assert runtime.resume(instance_id)
        state = runtime.wait(instance_id, timeout=timedelta(seconds=30))
        assert state.result(int) == 17
        assert not runtime.raise_event(instance_id, "more", 8)
        assert type(runtime.history(instance_id)[0]).__name__ == "TurnStarted"
        listed = runtime.list(InstanceQuery(workflow="calculate"))
        assert [instance.instance_id for instance in listed.instances] == ["sum-1"]
        assert runtime.purge(instance_id) == 1
        with pytest.raises(InstanceNotFound, match="sum-1"):
            runtime.get(instance_id)


def test_a_script_terminates_with_an_output(tmp_path: Path) -> None:
    with SyncRuntime.open(engine(tmp_path), app) as runtime:
        instance_id = runtime.start("calculate", 5)
        assert runtime.terminate(instance_id, output={"why": "closing"})
        assert not runtime.terminate(instance_id)
        state = runtime.wait(instance_id)
        assert (state.status, state.output) == (WorkflowStatus.TERMINATED, '{"why":"closing"}')


def test_a_script_is_told_when_waiting_takes_too_long(tmp_path: Path) -> None:
    with SyncRuntime.open(engine(tmp_path), app) as runtime:
        instance_id = runtime.start(calculate, 5, instance_id="sum-1")
        with pytest.raises(TimeoutError, match="instance 'sum-1' had not closed after 0 s"):
            runtime.wait(instance_id, timeout=timedelta(0))


def test_an_error_in_the_script_closes_the_runtime_and_is_the_scripts_own(tmp_path: Path) -> None:
    def broken_script() -> None:
        with SyncRuntime.open(engine(tmp_path), app) as runtime:
            runtime.start(calculate, 5, instance_id="sum-1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_script()
    instance_id = "sum-1"
    with SyncRuntime.open(engine(tmp_path), app) as runtime:
        assert runtime.raise_event(instance_id, "more", 1)
        assert runtime.wait(instance_id).result(int) == 11


def test_a_runtime_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"missing\.yaml"),
        SyncRuntime.open(tmp_path / "missing.yaml", app),
    ):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_runtime_that_a_process_was_forked_with_is_refused(tmp_path: Path) -> None:
    """In a program of its own: what runs the tests has threads, which a fork would lose."""
    program = Path(__file__).with_name("programs") / "forked.py"
    ended = subprocess.run(
        [sys.executable, program, tmp_path / "sync.db"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "opened before the process was forked" in ended.stdout
    assert ended.stdout.splitlines()[-2:] == ["child left", "parent COMPLETED"]


def test_a_drain_keeps_the_result_of_a_running_activity(tmp_path: Path) -> None:
    draining, begun, end = App(), threading.Event(), threading.Event()
    runs: list[int] = []
    loops: list[asyncio.AbstractEventLoop] = []

    @draining.activity
    def charge(ctx: ActivityContext) -> str:
        runs.append(ctx.attempt)
        begun.set()
        end.wait(60)
        # So long that a loop which does not wait for it would have gone on to close.
        with suppress(RuntimeError):
            for _ in range(300):
                turned = threading.Event()
                loops[0].call_soon_threadsafe(turned.set)
                turned.wait(1)
        return "paid"

    @draining.workflow
    async def order(ctx: WorkflowContext) -> str:
        return await ctx.call_activity(charge)

    @draining.workflow
    async def lacking(ctx: WorkflowContext) -> None:
        await ctx.call_activity("nobody has it")

    class Limit(timedelta):
        """Lets the activity end once the drain has begun, which reads its limit first."""

        def total_seconds(self) -> float:
            loops.append(asyncio.get_running_loop())
            end.set()
            return super().total_seconds()

    with SyncRuntime.open(engine(tmp_path), draining, drain=Limit(minutes=5)) as runtime:
        runtime.start(order, instance_id="order-7")
        runtime.start(lacking, instance_id="order-8")
        assert begun.wait(60)
        while runtime.get("order-8").detail is None:
            pass
    with SyncRuntime.open(engine(tmp_path), draining) as runtime:
        assert runtime.wait("order-7", timeout=timedelta(minutes=1)).result() == "paid"
        assert runtime.get("order-8").status is WorkflowStatus.RUNNING
    assert runs == [1]
