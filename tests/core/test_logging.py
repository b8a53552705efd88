"""The logger of a workflow: each line once, however often the code is replayed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from flowyard import App, WorkflowContext

if TYPE_CHECKING:
    from core.conftest import Rehearse


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
