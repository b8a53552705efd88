"""Waits that code has left behind: an event goes to who asks for it, and is never swallowed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from flowyard import App, WorkflowContext, when_all, when_any

if TYPE_CHECKING:
    from workflow.conftest import Rehearse


def abandoning() -> App:
    """Return an app whose workflow lets a wait lose against a timer, and then waits again."""
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        for _ in range(3):
            event = ctx.wait_for_external_event("go", data_type=str)
            tick = ctx.create_timer(timedelta(hours=1))
            winner = await when_any([event, tick])
            if winner is event:
                return event.get_result()
            await ctx.call_activity("remind")
        return "never"

    return app


def test_an_event_goes_to_who_waits_now_not_to_an_abandoned_wait(rehearse: Rehearse) -> None:
    rehearsal = rehearse(abandoning())
    rehearsal.start("patient")
    rehearsal.fire(1)
    rehearsal.complete(2)
    rehearsal.raise_event("go", "second round")
    assert rehearsal.output == '"second round"'


def test_an_event_is_not_swallowed_while_only_an_abandoned_wait_is_there(
    rehearse: Rehearse,
) -> None:
    rehearsal = rehearse(abandoning())
    rehearsal.start("patient")
    rehearsal.fire(1)
    rehearsal.raise_event("go", "while reminding")
    rehearsal.complete(2)
    assert rehearsal.output == '"while reminding"'


def test_an_abandoned_wait_gets_the_event_when_it_is_awaited_again(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        event = ctx.wait_for_external_event("go", data_type=str)
        await when_any([event, ctx.create_timer(timedelta(hours=1))])
        await ctx.call_activity("remind")
        return await event

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.fire(1)
    rehearsal.raise_event("go", "while reminding")
    rehearsal.complete(2)
    assert rehearsal.output == '"while reminding"'


def test_an_abandoned_wait_gets_the_event_when_it_joins_another_race(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> list[object]:
        event = ctx.wait_for_external_event("go", data_type=str)
        other = ctx.wait_for_external_event("other")
        await when_any([when_all([event, other]), ctx.create_timer(timedelta(hours=1))])
        await ctx.call_activity("remind")
        winner = await when_any([ctx.create_timer(timedelta(hours=1)), event])
        return [winner is event, event.get_result()]

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.fire(1)
    rehearsal.raise_event("go", "while reminding")
    rehearsal.complete(2)
    assert rehearsal.output == '[true,"while reminding"]'


def test_an_abandoned_wait_tells_of_the_event_when_it_is_asked(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> object:
        stop = ctx.wait_for_external_event("stop")
        await when_any([stop, ctx.create_timer(timedelta(hours=1))])
        rounds = 0
        while not stop.is_complete:
            await ctx.call_activity("work")
            rounds += 1
        return [rounds, stop.get_result()]

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.fire(1)
    rehearsal.complete(2)
    rehearsal.raise_event("stop", "enough")
    rehearsal.complete(3)
    assert rehearsal.output == '[2,"enough"]'


def test_a_wait_inside_an_abandoned_combination_does_not_swallow_an_event(
    rehearse: Rehearse,
) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        both = when_all([ctx.wait_for_external_event("go"), ctx.wait_for_external_event("other")])
        await when_any([both, ctx.create_timer(timedelta(hours=1))])
        return await ctx.wait_for_external_event("go", data_type=str)

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.fire(1)
    rehearsal.raise_event("go", "came")
    assert rehearsal.output == '"came"'


def test_a_wait_that_nobody_has_awaited_yet_completes_when_its_event_comes(
    rehearse: Rehearse,
) -> None:
    app = App()

    @app.workflow
    async def poller(ctx: WorkflowContext) -> int:
        stop = ctx.wait_for_external_event("stop")
        rounds = 0
        while not stop.is_complete:
            await ctx.call_activity("work")
            rounds += 1
        return rounds

    rehearsal = rehearse(app)
    rehearsal.start("poller")
    rehearsal.complete(1)
    rehearsal.raise_event("stop")
    rehearsal.complete(2)
    assert rehearsal.output == "2"


def test_an_abandoned_wait_whose_event_came_before_its_timeout_has_it(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> str:
        event = ctx.wait_for_external_event("go", timeout=timedelta(hours=2), data_type=str)
        await when_any([event, ctx.create_timer(timedelta(hours=1))])
        await ctx.call_activity("remind")
        return await event

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.fire(2)
    rehearsal.raise_event("go", "in time")
    rehearsal.fire(1)
    rehearsal.complete(3)
    assert rehearsal.output == '"in time"'


def test_an_abandoned_wait_that_has_timed_out_leaves_events_to_the_next(
    rehearse: Rehearse,
) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> list[object]:
        old = ctx.wait_for_external_event("go", timeout=timedelta(hours=2), data_type=str)
        await when_any([old, ctx.create_timer(timedelta(hours=1))])
        await ctx.call_activity("remind")
        new = await ctx.wait_for_external_event("go", data_type=str)
        try:
            await old
        except TimeoutError:
            return [new, "old timed out"]
        return [new, "old came"]

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.fire(2)
    rehearsal.raise_event("go", "for the new")
    rehearsal.fire(1)
    rehearsal.complete(3)
    assert rehearsal.output == '["for the new","old timed out"]'


def test_an_event_that_comes_after_the_timeout_of_an_abandoned_wait_is_not_its_own(
    rehearse: Rehearse,
) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> list[object]:
        old = ctx.wait_for_external_event("go", timeout=timedelta(hours=2), data_type=str)
        await when_any([old, ctx.create_timer(timedelta(hours=1))])
        await ctx.call_activity("remind")
        new = await ctx.wait_for_external_event("go", data_type=str)
        await ctx.call_activity("remind again")
        try:
            await old
        except TimeoutError:
            return [new, await ctx.wait_for_external_event("go", data_type=str)]
        return [new, "old came"]

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.fire(2)
    rehearsal.raise_event("go", "in time")
    rehearsal.fire(1)
    rehearsal.complete(3)
    rehearsal.raise_event("go", "too late for the old")
    rehearsal.complete(4)
    assert rehearsal.output == '["in time","too late for the old"]'


def test_a_race_takes_one_kept_event_and_leaves_the_others(rehearse: Rehearse) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> list[object]:
        waits = [ctx.wait_for_external_event("go", data_type=str) for _ in range(2)]
        await when_any([*waits, ctx.create_timer(timedelta(hours=1))])
        await ctx.call_activity("remind")
        winner = await when_any(waits)
        return [winner is waits[0], await ctx.wait_for_external_event("go", data_type=str)]

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.fire(1)
    rehearsal.turn(rehearsal.raised("go", "first"), rehearsal.raised("go", "second"))
    rehearsal.complete(2)
    assert rehearsal.output == '[true,"second"]'


def test_a_race_awaited_again_takes_one_kept_event_and_leaves_the_others(
    rehearse: Rehearse,
) -> None:
    app = App()

    @app.workflow
    async def patient(ctx: WorkflowContext) -> list[object]:
        waits = [ctx.wait_for_external_event("go", data_type=str) for _ in range(2)]
        race = when_any(waits)
        await when_any([race, ctx.create_timer(timedelta(hours=1))])
        await ctx.call_activity("remind")
        winner = await race
        return [winner is waits[0], await ctx.wait_for_external_event("go", data_type=str)]

    rehearsal = rehearse(app)
    rehearsal.start("patient")
    rehearsal.fire(1)
    rehearsal.turn(rehearsal.raised("go", "first"), rehearsal.raised("go", "second"))
    rehearsal.complete(2)
    assert rehearsal.output == '[true,"second"]'
