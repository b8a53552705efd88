"""What the tests of the interpreter need: a host that is played by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from flowyard import App, FailureDetails, WorkflowStatus
from flowyard.backend.executor import Turn, TurnResult
from flowyard.backend.history import (
    Action,
    EventRaised,
    ExecutionStarted,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TimerCreated,
    TimerFired,
    decode_events,
    encode_events,
)
from flowyard.backend.journal import Journal
from flowyard.backend.timestamps import to_microseconds
from flowyard.executors.local import LocalExecutor
from flowyard.payload import encode

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)


class Rehearsal:
    """Plays the host of one instance: the test says what happens in each turn.

    Unless told otherwise every turn is run twice, by code that is kept between turns and by code
    that is rebuilt from the stored history alone, and both must decide the same.
    """

    def __init__(
        self,
        app: App,
        history: Iterable[HistoryEvent] = (),
        *,
        instance_id: str = "order-7",
        replays: bool = True,
    ) -> None:
        self.app = app
        self.executor = LocalExecutor(app)
        self.journal = Journal(instance_id, history)
        self.now = NOON
        self.replays = replays
        self.custom_status: str | None = None
        self.stalled: FailureDetails | None = None

    def start(self, workflow: str, input: object = None) -> list[Action]:
        """Run the first turn and return what it decided."""
        text = None if input is None else encode(input, "input")
        return self.turn(ExecutionStarted(workflow, text, "execution-1"))

    def turn(self, *events: HistoryEvent, after: timedelta = timedelta(0)) -> list[Action]:
        """Run one turn over the events and return what it decided; see `stalled` if it cannot."""
        self.now += after
        admitted = [event for event in events if self.journal.admit(event)]
        turn = self.journal.turn(to_microseconds(self.now), admitted)
        result = TurnResult()
        if turn.runs_code:
            if self.replays:
                rebuilt = self._run_from_history(turn)
                result = self.executor.run_turn(turn)
                assert rebuilt == result
            else:
                result = self.executor.run_turn(turn)
        self.stalled = result.stalled
        if result.stalled is not None:
            return []
        self.custom_status = result.custom_status
        self.journal.commit(turn, result)
        return list(result.actions)

    def complete(self, task_id: int, output: object = None) -> list[Action]:
        """Run a turn in which an activity has returned."""
        return self.turn(self.completed(task_id, output))

    def fail(self, task_id: int, failure: FailureDetails | None = None) -> list[Action]:
        """Run a turn in which an attempt of an activity has failed."""
        return self.turn(TaskFailed(task_id, failure or FailureDetails("ValueError", "no stock")))

    def raise_event(self, name: str, data: object = None) -> list[Action]:
        """Run a turn in which an event has arrived."""
        return self.turn(self.raised(name, data))

    def fire(self, timer_id: int) -> list[Action]:
        """Let the time of a timer come, and run the turn in which it fires."""
        timer = self.journal.timers[timer_id]
        delay = timedelta(microseconds=timer.fire_at - to_microseconds(self.now))
        return self.turn(TimerFired(timer_id, timer.fire_at), after=max(delay, timedelta(0)))

    @staticmethod
    def completed(task_id: int, output: object = None) -> TaskCompleted:
        """Return the event that an activity has returned a value."""
        return TaskCompleted(task_id, encode(output, "output"))

    @staticmethod
    def raised(name: str, data: object = None) -> EventRaised:
        """Return the event that somebody has raised one."""
        return EventRaised(name, None if data is None else encode(data, "data"))

    def delays(self, actions: Iterable[Action]) -> list[timedelta]:
        """Return how long from now each timer among the actions takes."""
        return [
            timedelta(microseconds=action.fire_at - to_microseconds(self.now))
            for action in actions
            if isinstance(action, TimerCreated)
        ]

    def with_code(self, app: App, *, replays: bool = True) -> Rehearsal:
        """Return the same instance after a restart with other code."""
        history = decode_events(encode_events(self.journal.history))
        other = Rehearsal(app, history, instance_id=self.journal.instance_id, replays=replays)
        other.now = self.now
        return other

    @property
    def activities(self) -> list[str]:
        """The names of the activities that run now."""
        return [task.name for task in self.journal.tasks.values()]

    @property
    def output(self) -> str | None:
        """The JSON text that the workflow has completed with."""
        completion = self.journal.completion
        assert completion is not None, "the workflow has not ended"
        assert completion.status is WorkflowStatus.COMPLETED, completion.failure
        return completion.output

    @property
    def failure(self) -> FailureDetails:
        """What the workflow has failed with."""
        completion = self.journal.completion
        assert completion is not None, "the workflow has not ended"
        assert completion.failure is not None, completion.output
        return completion.failure

    def _run_from_history(self, turn: Turn) -> TurnResult:
        past = decode_events(encode_events(turn.past))
        with LocalExecutor(self.app) as executor:
            return executor.run_turn(
                Turn(turn.instance_id, turn.execution_id, past, turn.new, turn.runs_code)
            )


class Rehearse(Protocol):
    """Opens a rehearsal of an app."""

    def __call__(self, app: App, *, replays: bool = True) -> Rehearsal:
        """Open it."""
        ...


@pytest.fixture(scope="session")
def rehearse() -> Rehearse:
    """Return the way to play the host of an instance of an app by hand."""

    def open_rehearsal(app: App, *, replays: bool = True) -> Rehearsal:
        return Rehearsal(app, replays=replays)

    return open_rehearsal
