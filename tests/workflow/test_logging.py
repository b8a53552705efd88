"""The logger of a workflow: each line once, however often the code is replayed."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flowyard import (
    ActivityContext,
    App,
    FailureDetails,
    RetryPolicy,
    WorkflowContext,
    WorkflowStatus,
)
from flowyard.backend.executor import ActivityResult, ActivityTask, perform
from flowyard.executors.remote import RemoteExecutor

if TYPE_CHECKING:
    from flowyard.testing import OpenWorkflowKit
    from workflow.conftest import Rehearse


def talking() -> App:
    app = App()

    @app.workflow
    async def talker(ctx: WorkflowContext) -> None:
        ctx.logger.info("before %s", "the step")
        await ctx.call_activity("step")
        ctx.logger.warning("after", extra={"order": 7})

    return app


def test_a_line_appears_once_although_its_code_runs_again(
    rehearse: Rehearse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rehearsal = rehearse(talking(), replays=False)
    rehearsal.start("talker")
    rehearsal.with_code(rehearsal.app, replays=False).complete(1)
    assert [record.getMessage() for record in caplog.records] == [
        "[order-7] before the step",
        "[order-7] after",
    ]


def test_a_line_names_its_workflow_and_instance_and_keeps_what_code_adds(
    rehearse: Rehearse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    rehearsal = rehearse(talking(), replays=False)
    rehearsal.start("talker")
    rehearsal.complete(1)
    (record,) = caplog.records
    assert record.name == "flowyard.workflow.talker"
    assert record.__dict__["instance_id"] == "order-7"
    assert record.__dict__["order"] == 7


def test_replay_says_that_no_level_is_enabled(rehearse: Rehearse) -> None:
    app = App()
    seen: list[bool] = []

    @app.workflow
    async def watcher(ctx: WorkflowContext) -> None:
        seen.append(ctx.logger.isEnabledFor(logging.CRITICAL))
        await ctx.call_activity("step")
        seen.append(ctx.logger.isEnabledFor(logging.CRITICAL))

    rehearsal = rehearse(app, replays=False)
    rehearsal.start("watcher")
    rehearsal.with_code(app, replays=False).complete(1)
    assert seen == [True, False, True]


async def test_each_failed_attempt_and_the_failed_workflow_are_told_once(
    workflow_kit: OpenWorkflowKit, caplog: pytest.LogCaptureFixture
) -> None:
    app = App()
    policy = RetryPolicy(first_retry_interval=timedelta(hours=1), max_number_of_attempts=2)

    @app.activity
    async def charge(ctx: ActivityContext) -> None:
        raise ConnectionError(f"the bank does not answer ({ctx.attempt})")

    @app.workflow
    async def order(ctx: WorkflowContext) -> None:
        await ctx.call_activity(charge, retry_policy=policy)

    async with workflow_kit(app) as kit:
        state = await kit.wait(await kit.runtime.start(order, instance_id="order-7"))
    assert state.status is WorkflowStatus.FAILED
    first, second, last = [
        record for record in caplog.records if record.name.startswith("flowyard.")
    ]
    for number, record in enumerate((first, second), start=1):
        assert record.levelno == logging.WARNING
        assert "activity 'charge' of instance 'order-7' failed" in record.message
        assert f"attempt {number}): ConnectionError: the bank does not answer ({number})" in (
            record.message
        )
        assert "Traceback (most recent call last)" in record.message
        assert "in charge" in record.message
    assert last.levelno == logging.WARNING
    assert "workflow 'order' of instance 'order-7' failed: TaskFailedError" in last.message
    assert "in charge" in last.message
    assert "in order" in last.message


async def test_the_failure_of_a_worker_is_told(caplog: pytest.LogCaptureFixture) -> None:
    executor = RemoteExecutor("orders")
    running = asyncio.ensure_future(
        perform(executor, ActivityTask("order-7", 3, "charge", None, "e:1", "e", 2))
    )
    with executor.queue.stream() as worker:
        delivery = await worker.take()
        delivery.conclude(ActivityResult(failure=FailureDetails("Error", "no", "at charge.js:7")))
        await running
    (record,) = caplog.records
    assert record.message == (
        "activity 'charge' of instance 'order-7' failed (task 3, attempt 2): Error: no\n"
        "at charge.js:7"
    )
