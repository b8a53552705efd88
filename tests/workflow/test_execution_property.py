"""Whatever the program and the order of events: replay and batching change no decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard import (
    App,
    FailureDetails,
    RetryPolicy,
    Task,
    TaskFailedError,
    WorkflowContext,
    when_all,
    when_any,
)
from flowyard.backend.executor import TurnResult
from flowyard.backend.history import (
    Action,
    ChildCompleted,
    ChildFailed,
    EventRaised,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TimerFired,
    decode_events,
    encode_events,
)
from flowyard.backend.journal import Journal
from flowyard.executors.local import LocalExecutor

NOW = 1_900_000_000_000_000
RETRY = RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=2)
MANY = 2_000


@dataclass(frozen=True)
class Op:
    """One node of a random workflow program."""

    kind: str
    name: str = ""
    parts: tuple[Op, ...] = ()


def leaf(kind: str, *names: str) -> st.SearchStrategy[Op]:
    return st.sampled_from(names).map(lambda name: Op(kind, name))


leaves = st.one_of(
    leaf("activity", "pay", "ship"),
    leaf("activity with retries", "pay", "ship"),
    leaf("timer", "1", "60"),
    leaf("event", "go", "STOP", "Go"),
    leaf("event with timeout", "go", "stop"),
    leaf("child", "part"),
    leaf("status", "busy", "waiting"),
    leaf("uuid", ""),
    leaf("patch", "p1", "p2"),
)


def combined(parts: st.SearchStrategy[Op], *, at_least: int = 1) -> st.SearchStrategy[Op]:
    return st.builds(
        Op,
        st.sampled_from(["one by one", "all", "any"]),
        st.just(""),
        st.lists(parts, min_size=at_least, max_size=4).map(tuple),
    )


programs = combined(st.recursive(leaves, combined, max_leaves=8), at_least=2)


def task_of(ctx: WorkflowContext, op: Op) -> Task[Any] | None:
    """Begin a step that is one task."""
    match op.kind:
        case "activity":
            return ctx.call_activity(op.name)
        case "activity with retries":
            return ctx.call_activity(op.name, retry_policy=RETRY)
        case "timer":
            return ctx.create_timer(timedelta(seconds=int(op.name)))
        case "event":
            return ctx.wait_for_external_event(op.name)
        case "event with timeout":
            return ctx.wait_for_external_event(op.name, timeout=timedelta(minutes=5))
        case "child":
            return ctx.call_child_workflow(op.name, retry_policy=RETRY)
        case _:
            return None


async def play(ctx: WorkflowContext, op: Op) -> object:
    """Run a program; what it returns tells of everything that it has seen."""
    task = task_of(ctx, op)
    if task is not None:
        return await outcome(task)
    match op.kind:
        case "status":
            ctx.set_custom_status(op.name)
            return None
        case "uuid":
            return str(ctx.new_uuid())
        case "patch":
            return ctx.is_patched(op.name)
        case "one by one":
            return [await play(ctx, part) for part in op.parts]
        case "all":
            return await outcome(
                when_all([task_of(ctx, part) or play(ctx, part) for part in op.parts])
            )
        case _:
            race = when_any([task_of(ctx, part) or play(ctx, part) for part in op.parts])
            winner = await race
            return [race.get_tasks().index(winner), await outcome(winner)]


async def outcome(task: Task[Any]) -> object:
    try:
        return await task
    except (TaskFailedError, TimeoutError) as error:
        return str(error)


def app_of(program: Op) -> App:
    app = App()

    @app.workflow
    async def random_program(ctx: WorkflowContext) -> object:
        return await play(ctx, program)

    return app


class Host:
    """Runs turns with code that is kept, or that is rebuilt from history before each turn."""

    def __init__(self, app: App, *, rebuilds: bool) -> None:
        self.app = app
        self.rebuilds = rebuilds
        self.executor = LocalExecutor(app)
        self.journal = Journal("order-7")
        self.actions: list[Action] = []
        self.custom_status: str | None = None

    def turn(self, admitted: Sequence[HistoryEvent]) -> None:
        """Run one turn over events that the journal has admitted."""
        turn = self.journal.turn(NOW, admitted)
        result = TurnResult()
        if turn.runs_code:
            if self.rebuilds:
                stored = decode_events(encode_events(self.journal.history))
                self.journal.history = stored
                turn.past = stored
                self.executor = LocalExecutor(self.app)
            result = self.executor.run_turn(turn)
            self.custom_status = result.custom_status
        assert result.stalled is None, result.stalled
        self.journal.commit(turn, result)
        self.actions += result.actions

    def feed(self, events: Sequence[HistoryEvent], sizes: Sequence[int] = ()) -> None:
        """Run turns over events, in batches of these sizes where their causes allow it."""
        rest, size = list(events), iter(sizes)
        while rest:
            batch: list[HistoryEvent] = []
            room = next(size, 1)
            while rest and len(batch) < room and self.journal.admit(rest[0]):
                batch.append(rest.pop(0))
            if not batch:
                assert self.journal.is_closed
                return
            self.turn(batch)


def next_event(journal: Journal, choice: int, number: int) -> HistoryEvent:
    """Let one of the things happen that may happen to the instance now."""
    failure = FailureDetails("ValueError", f"failure {number}")
    may: list[HistoryEvent] = []
    for task_id in journal.tasks:
        may += [TaskCompleted(task_id, f'"result {number}"'), TaskFailed(task_id, failure)]
    for task_id in journal.children:
        may += [ChildCompleted(task_id, f'"child {number}"'), ChildFailed(task_id, failure)]
    may += [TimerFired(timer.id, timer.fire_at) for timer in journal.timers.values()]
    may += [EventRaised(name, str(number)) for name in ("go", "Stop")]
    may.append(ExecutionResumed() if journal.suspended else ExecutionSuspended())
    return may[choice % len(may)]


@settings(deadline=None, max_examples=300)
@given(
    program=programs, choices=st.lists(st.integers(0, 999), min_size=4, max_size=60), data=st.data()
)
def test_replay_and_batching_change_nothing(
    program: Op, choices: list[int], data: st.DataObject
) -> None:
    app = app_of(program)
    kept = Host(app, rebuilds=False)
    events: list[HistoryEvent] = [ExecutionStarted("random_program", None, "execution-1")]
    numbers = count(1)

    def let_happen(event: HistoryEvent) -> None:
        events.append(event)
        kept.feed([event])

    kept.feed(events)
    for choice in choices:
        if kept.journal.is_closed:
            break
        let_happen(next_event(kept.journal, choice, next(numbers)))
    if kept.journal.suspended and not kept.journal.is_closed:
        let_happen(ExecutionResumed())
    # Then all goes well, so that every program comes to its end.
    while not kept.journal.is_closed:
        well: list[HistoryEvent] = [TaskCompleted(it, '"well"') for it in kept.journal.tasks]
        well += [ChildCompleted(it, '"well"') for it in kept.journal.children]
        well += kept.journal.due_timers(NOW * 2)
        well += [EventRaised(name, str(next(numbers))) for name in ("GO", "stop")]
        for event in well:
            if not kept.journal.is_closed:
                let_happen(event)
        assert len(events) < MANY, "the program does not end"

    assert isinstance(kept.actions[-1], ExecutionCompleted)
    rebuilt = Host(app, rebuilds=True)
    rebuilt.feed(events)
    assert rebuilt.journal.history == kept.journal.history
    assert rebuilt.custom_status == kept.custom_status

    sizes = data.draw(st.lists(st.integers(1, 6), max_size=len(events)), label="batch sizes")
    for rebuilds in (False, True):
        batched = Host(app, rebuilds=rebuilds)
        batched.feed(events, sizes)
        assert batched.actions == kept.actions
        assert batched.custom_status == kept.custom_status
