"""An app in the server's own process, which runs beside what the workers run."""

from __future__ import annotations

import asyncio
import random

from chaos.adversary.model import ACTIVITIES, Model
from chaos.adversary.records import Result, Task
from flowyard import ActivityContext, App, WorkflowContext

NEAR = "near"
"""The workflow that the app has."""


def near_app(model: Model, choices: random.Random) -> App:
    """Return an app whose workflow calls a worker's activity and one of its own."""
    app = App()

    @app.activity
    async def near_step(ctx: ActivityContext, word: str) -> str:
        await asyncio.sleep(choices.choice((0.0, 0.005, 0.03)))
        task, answer = model.tasks[word], model.word("r")
        model.results[answer] = Result(ctx.workflow_id, task.execution, task.task_id, "")
        return answer

    @app.workflow(name=NEAR)
    async def near(ctx: WorkflowContext, word: str) -> str:
        far, own = f"far-{word}", f"own-{word}"
        # A copy that a rerun has made begins with the same word and has an end of its own.
        end = f"end-{ctx.instance_id}-{word}"
        for number, asked in ((1, far), (2, own)):
            model.tasks[asked] = Task(ctx.instance_id, word, number, "")
        model.results[end] = Result(ctx.instance_id, word, None, "")
        called = ctx.call_activity(ACTIVITIES[0], input=far)
        await ctx.call_activity(near_step, input=own)
        await called
        return end

    return app
