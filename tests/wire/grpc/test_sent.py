"""What a worker that remembers is sent of a history: what it knows is not even rendered."""

from __future__ import annotations

from flowyard.backend.executor import Turn
from flowyard.backend.history import (
    ExecutionStarted,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
)
from flowyard.failure import FailureDetails
from flowyard.server.grpc.history import Rendering
from flowyard.server.grpc.worker import Sent

FAILURE = FailureDetails("ValueError", "no")
STARTED: list[HistoryEvent] = [TurnStarted(1), ExecutionStarted("order", None, "e")]


def test_what_follows_is_rendered_as_if_all_had_been() -> None:
    sent = Sent("shop")
    past: list[HistoryEvent] = []
    turns: list[tuple[list[HistoryEvent], list[HistoryEvent]]] = [
        (STARTED, [TaskScheduled(1, "charge", None, 1), TaskScheduled(2, "pack", None, 2)]),
        (
            [TurnStarted(2), TaskFailed(1, FailureDetails("ValueError", "no"))],
            [TimerCreated(3, 5, "activity-retry", None, 1)],
        ),
        ([TurnStarted(5), TimerFired(3, 5)], [TaskScheduled(4, "charge", None, 1, attempt=2)]),
        ([TurnStarted(6), TaskCompleted(4, "1"), TaskCompleted(2, "2")], []),
    ]
    sizes = []
    for new, actions in turns:
        turn = Turn("one", "e", list(past), new)
        known, rendering = sent.take(turn)
        rendered = rendering.render(turn.past[known:]) + rendering.render(turn.new)
        whole = Rendering("one", "shop")
        assert rendered == (whole.render(turn.past) + whole.render(turn.new))[known:]
        sizes.append(len(turn.past) - known)
        past += [*new, *actions]
    # The first time there is nothing, and then only what the turn before has added.
    assert sizes == [0, 4, 3, 3]


def test_another_execution_is_sent_as_a_whole() -> None:
    sent = Sent("shop")
    sent.take(Turn("one", "e", (), STARTED))
    sent.take(Turn("one", "e", STARTED, [TurnStarted(2)]))
    assert sent.take(Turn("one", "next", STARTED[:1], [TurnStarted(3)]))[0] == 0
    assert sent.take(Turn("one", "e", STARTED, [TurnStarted(3)]))[0] == 0
