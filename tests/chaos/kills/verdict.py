"""What must hold for an instance: while it is open, and when it has closed."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from chaos.kills.ledger import Entry, Ledger, is_collector, root_of
from chaos.kills.shapes import END, ENDLESS, REFUSED, SHAPES, UNORDERED
from flowyard import InstanceAlreadyExists, InstanceNotFound, Runtime, WorkflowState, WorkflowStatus
from flowyard.backend.history import (
    ChildCompleted,
    ChildCreated,
    ChildFailed,
    ExecutionCompleted,
    ExecutionStarted,
    ExecutionTerminated,
    HistoryEvent,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    encode_events,
)

_SHORT_WHILE = 0.01
_REFUSAL = InstanceAlreadyExists.__name__
Fault = tuple[str, str]
"""A kind, and what was seen."""


def digest_of(events: Sequence[HistoryEvent]) -> str:
    """Return what tells whether events have changed."""
    return hashlib.sha256(encode_events(events)).hexdigest()[:16]


def digest_of_state(state: WorkflowState) -> str:
    """Return what tells whether a closed instance has changed."""
    text = f"{state.status} {state.input} {state.output} {state.custom_status} {state.failure}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def taken_up(history: Sequence[HistoryEvent]) -> Sequence[HistoryEvent]:
    """Return the events that a turn has seen.

    The last turn of an open instance may be shown only because of events that no turn has seen
    (deviation 58, events before their turn).
    """
    turns = [index for index, event in enumerate(history) if isinstance(event, TurnStarted)]
    is_closed = bool(history) and isinstance(history[-1], ExecutionCompleted)
    return history if is_closed else history[: turns[-1]] if turns else ()


def execution_of(history: Sequence[HistoryEvent]) -> str:
    """Return the execution that a history is of."""
    started = (event for event in history if isinstance(event, ExecutionStarted))
    return next((event.execution_id for event in started), "")


def faults_of_state(ledger: Ledger, entry: Entry, state: WorkflowState | None) -> Iterator[Fault]:
    """Compare what was acknowledged with what is there; None: there is no such instance."""
    if state is None:
        if entry.is_started and not entry.is_purged and entry.done < entry.generation:
            yield "start lost", "its start was acknowledged, and there is no such instance"
        return
    if entry.is_purged and entry.tried == entry.generation:
        yield "purge undone", f"its purge was acknowledged, and it is {state.status}"
    stands = state.status in {WorkflowStatus.SUSPENDED, WorkflowStatus.STALLED}
    stands = stands or (ledger.has_slow_turns and state.status.is_closed)
    if entry.is_paused and entry.pause and not stands:
        yield "pause lost", f"its pause was acknowledged, and it is {state.status}"
    if entry.shape == "reborn" and not entry.is_purged:
        generation = int(state.input or 0)
        if not entry.generation <= generation <= entry.tried:
            wanted = f"{entry.generation} to {entry.tried}"
            yield "start undone", f"it is generation {generation} instead of {wanted}"


def faults_of_past(entry: Entry, history: Sequence[HistoryEvent]) -> Iterator[Fault]:
    """Compare the history with what it was."""
    if entry.seen is None:
        return
    execution, count, digest = entry.seen
    if execution_of(history) == execution and digest_of(history[:count]) != digest:
        yield "history changed", f"the first {count} events are not what they were"


async def faults_of_end(
    runtime: Runtime, ledger: Ledger, entry: Entry, state: WorkflowState
) -> list[Fault]:
    """Judge an instance that has closed."""
    history = await runtime.history(entry.instance_id)
    faults = [
        *faults_of_state(ledger, entry, state),
        *faults_of_past(entry, history),
        *_faults_of_status(entry, state),
        *_faults_of_history(entry, history),
    ]
    if state.status is WorkflowStatus.COMPLETED:
        faults += _faults_of_output(ledger, entry, state)
    return [*faults, *await _faults_of_children(runtime, ledger, entry, history)]


def _faults_of_status(entry: Entry, state: WorkflowState) -> Iterator[Fault]:
    termination = entry.termination
    expected = {WorkflowStatus.COMPLETED}
    if entry.shape in ENDLESS:
        expected = set()
    if termination is not None:
        expected = expected | {WorkflowStatus.TERMINATED}
        if termination.is_acknowledged and termination.outcome:
            expected = {WorkflowStatus.TERMINATED}
    if state.status not in expected:
        yield "wrong end", f"{state.status} ({state.failure}) instead of {sorted(expected)}"


def _faults_of_history(entry: Entry, history: Sequence[HistoryEvent]) -> Iterator[Fault]:
    ends = [event for event in history if isinstance(event, ExecutionCompleted)]
    if ends != [history[-1]]:
        yield "end doubled", f"{len(ends)} ends, and the last event is {history[-1]}"
    ended = [index for index, event in enumerate(history) if isinstance(event, ExecutionTerminated)]
    if ended and len(history) != ended[0] + 2:
        kinds_after = [type(event).__name__ for event in history[ended[0] + 1 :]]
        yield "recorded after its end", f"{kinds_after} came after its termination"
    kinds = (TaskCompleted, TaskFailed, ChildCompleted, ChildFailed)
    settled = Counter(event.task_id for event in history if isinstance(event, kinds))
    settled.update(event.timer_id for event in history if isinstance(event, TimerFired))
    doubled = [number for number, count in settled.items() if count > 1]
    if doubled:
        yield "result doubled", f"actions {doubled} have more than one result"
    asked = (TaskScheduled, ChildCreated, TimerCreated)
    unknown = settled.keys() - {event.id for event in history if isinstance(event, asked)}
    if unknown:
        yield "result of nothing", f"actions {sorted(unknown)} were never asked for"
    execution = execution_of(history)
    calls = {event.id: event for event in history if isinstance(event, TaskScheduled)}
    for event in history:
        if not isinstance(event, TaskCompleted):
            continue
        call = entry.tokens.get(str(event.output).strip('"'))
        if call is None:
            yield "result invented", f"no activity has returned {event.output}"
        elif event.task_id in calls and call != calls[event.task_id].task_execution_id(execution):
            yield "result of another call", f"{event.output} was returned for {call}"


def _faults_of_output(ledger: Ledger, entry: Entry, state: WorkflowState) -> Iterator[Fault]:
    output = state.result(list[str])
    if is_collector(entry):
        yield from _faults_of_events(ledger, entry, output)
        return
    if entry.shape == "reborn":
        generation, *output = output
        if int(generation) != entry.generation:
            yield "start undone", f"generation {generation} ended, not {entry.generation}"
    if entry.shape == "twins" and output[1:] != [REFUSED]:
        yield "twins", f"two children of one ID came to {output}"
    tokens = [token for token in output if token != REFUSED]
    if entry.shape == "reusing":
        # Of each three, the activity and the first child have run; the second may be refused.
        is_right = len(output) == 12 and REFUSED not in output[0::3] + output[1::3]
    else:
        is_right = len(tokens) == SHAPES[entry.shape].tokens
    if not is_right or len(set(tokens)) != len(tokens):
        yield "wrong output", f"{output}"
    if invented := set(tokens) - entry.tokens.keys():
        yield "result invented", f"no activity has returned {invented}"


def _faults_of_events(ledger: Ledger, entry: Entry, output: list[str]) -> Iterator[Fault]:
    counts = Counter(output)
    if doubled := [payload for payload, count in counts.items() if count > 1]:
        yield "event doubled", f"{doubled} were delivered more than once: {output}"
    raised = [one for one, known in entry.raised.items() if known and one != END]
    if lost := [payload for payload in raised if payload not in counts]:
        yield "event lost", f"{lost} were acknowledged, and are not in {output}"
    if lost := [payload for payload in entry.sent if payload not in counts]:
        yield "sent event lost", f"{lost} were sent by completed instances, not in {output}"
    # Between two processes of one file the first event may be overtaken (deviation 56, order
    # across processes).
    for via in dict.fromkeys(payload.partition("@")[2] for payload in raised):
        if via == UNORDERED:
            continue
        wanted = [payload for payload in raised if payload.partition("@")[2] == via]
        if [payload for payload in output if payload in set(wanted)] != wanted and not lost:
            yield "event order", f"raised as {wanted}, delivered as {output}"
    unknown = {count for count in counts if "/" not in count} - entry.raised.keys()
    if unknown:
        yield "event invented", f"nobody raised {unknown}"


async def _faults_of_children(
    runtime: Runtime, ledger: Ledger, entry: Entry, history: Sequence[HistoryEvent]
) -> list[Fault]:
    """A closed parent's children have closed, and it was told what they came to."""
    faults: list[Fault] = []
    results = {
        event.task_id: event for event in history if isinstance(event, ChildCompleted | ChildFailed)
    }
    for event in _owners(entry.instance_id, history, results):
        while ledger.is_under_way(event.instance_id):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_SHORT_WHILE)
        try:
            child = await runtime.wait(event.instance_id)
        except InstanceNotFound:
            if entry.shape != "clearing":
                faults.append(("child lost", f"{event.instance_id} does not exist"))
            continue
        told = results.get(event.id)
        if isinstance(told, ChildCompleted) and told.output != child.output:
            faults.append(("parent told otherwise", f"{told} of {child.output}"))
        if isinstance(told, ChildFailed) and child.status is WorkflowStatus.COMPLETED:
            faults.append(("parent told otherwise", f"{told} of {child.output}"))
        below = await runtime.history(event.instance_id)
        faults += await _faults_of_children(runtime, ledger, entry, below)
    return faults


def _owners(
    instance_id: str,
    history: Sequence[HistoryEvent],
    results: Mapping[int, ChildCompleted | ChildFailed],
) -> list[ChildCreated]:
    """Return, of each ID within the family, the child that got it last."""
    owners: dict[str, ChildCreated] = {}
    for event in history:
        if not isinstance(event, ChildCreated) or event.instance_id == instance_id:
            continue  # nobody is its own child, also where the end has come before the refusal
        told = results.get(event.id)
        is_refused = isinstance(told, ChildFailed) and told.failure.error_type == _REFUSAL
        if not is_refused and root_of(event.instance_id) == root_of(instance_id):
            owners[event.instance_id] = event
    return list(owners.values())
