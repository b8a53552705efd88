"""What was acknowledged to clients and workers, and what may not happen after that."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from chaos.hub import CLOSED, status_of
from chaos.lines import Line
from chaos.workers.replay import END
from flowyard.wire.v1 import taskhub_pb2 as wire

COLLECTORS = ("collecting", "renewing")
_TOKENS = {"chain": 3, "fan_out": 5, "napping": 1, "family": 7}
# How long after its end was seen an activity of a closed instance may still be handed out: it may
# have been on its way to the worker.
_ON_ITS_WAY = 5.0


@dataclass(slots=True)
class Instance:
    """One that was started, or was to be."""

    instance_id: str
    workflow: str
    is_started: bool = False
    raised: dict[str, bool] = field(default_factory=dict)
    """Payloads of events, and whether they are acknowledged."""
    termination: bool | None = None
    """Whether one is acknowledged, if it was called."""

    def faults(self, state: wire.WorkflowState) -> Iterator[tuple[str, str]]:
        """Judge an instance that has closed."""
        status = status_of(state)
        expected = {"COMPLETED"} if self.workflow != "waiting" else set()
        if self.termination is not None:
            expected = {"TERMINATED"}
        if status not in expected:
            failure = f"{state.failure_details.error_type}: {state.failure_details.error_message}"
            yield "wrong end", f"{status} ({failure}) instead of {sorted(expected)}"
        elif status == "COMPLETED":
            output = json.loads(state.output.value)
            if self.workflow in COLLECTORS:
                yield from self._faults_of_events(output)
            elif len(set(output)) != len(output) or len(output) != _TOKENS[self.workflow]:
                yield "wrong output", f"{output}"

    def _faults_of_events(self, output: list[str]) -> Iterator[tuple[str, str]]:
        counts = Counter(output)
        if doubled := [payload for payload, count in counts.items() if count > 1]:
            yield "event doubled", f"{doubled} in {output}"
        raised = [payload for payload, known in self.raised.items() if known and payload != END]
        if lost := [payload for payload in raised if payload not in counts]:
            yield "event lost", f"{lost} were acknowledged, and are not in {output}"
        elif [payload for payload in output if payload in set(raised)] != raised:
            yield "event order", f"raised as {raised}, delivered as {output}"
        if unknown := counts.keys() - self.raised.keys():
            yield "event invented", f"nobody raised {unknown}"


@dataclass(slots=True)
class Ledger:
    """All that is known."""

    tell: Callable[[str, str], None]
    """Told of each violation: its kind, and what was seen."""
    open: dict[str, Instance] = field(default_factory=dict)
    numbers: int = 0
    closed_at: dict[str, float] = field(default_factory=dict)
    began: dict[str, list[float]] = field(default_factory=dict)
    """When an activity was handed out, by its key."""
    told: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Its result, and when the server had acknowledged it."""
    ran: dict[str, set[str]] = field(default_factory=dict)
    in_hand: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Which worker has it, and since when."""
    gone: set[str] = field(default_factory=set)
    """Workers that have gone, or are about to go."""
    served_since: float = 0.0
    """When the present server was begun; it knows nothing of what its predecessors gave out."""

    def apply(self, worker: str, line: Line) -> None:
        """Take what a worker has written."""
        verb, *words = line
        if verb == "began":
            self._began(worker, *words)
        elif verb == "ran":
            key, token = words
            self.ran.setdefault(key, set()).add(token)
        elif verb == "told":
            self._told(*words)
        elif verb == "lost":
            self.in_hand = {key: value for key, value in self.in_hand.items() if value[0] != worker}

    def _began(self, worker: str, key: str, at: float) -> None:
        self.began.setdefault(key, []).append(at)
        self._compare(key)
        other, since = self.in_hand.get(key, ("", 0.0))
        if other and other not in self.gone and since > self.served_since:
            self.tell("handed out twice", f"{key} to {worker} while {other} had it")
        self.in_hand[key] = worker, at
        closed_at = self.closed_at.get(key.partition(" ")[0])
        if closed_at is not None and at > closed_at + _ON_ITS_WAY:
            self.tell("handed out after the end", f"{key}, {at - closed_at:.1f} s after it")

    def _told(self, key: str, token: str, at: float) -> None:
        self.in_hand.pop(key, None)
        self.told.setdefault(key, (token, at))
        self._compare(key)

    def _compare(self, key: str) -> None:
        token, told_at = self.told.get(key, ("", 0.0))
        if token and any(at > told_at for at in self.began[key]):
            self.tell("acknowledged result run again", f"{key} after {token} was acknowledged")

    def settle(self, state: wire.WorkflowState, at: float) -> None:
        """Judge an instance that has closed, and the results that its output is made of."""
        instance = self.open.pop(state.instance_id)
        for kind, text in instance.faults(state):
            self.tell(f"{kind}, {instance.workflow}", f"{instance.instance_id}: {text}")
        self.closed_at[instance.instance_id] = at
        if status_of(state) == "COMPLETED" and instance.workflow in _TOKENS:
            self._settle_results(instance.instance_id, set(json.loads(state.output.value)))

    def _settle_results(self, instance_id: str, output: set[str]) -> None:
        keys = [key for key in self.ran if _root_of(key) == instance_id]
        if invented := output - {token for key in keys for token in self.ran[key]}:
            self.tell("result invented", f"{instance_id}: nobody returned {invented}")
        for key in keys:
            token, _ = self.told.get(key, ("", 0.0))
            # Where two have run it, the first result counts, and the other is dropped with thanks.
            if token and token not in output and len(self.began[key]) == 1:
                self.tell("acknowledged result lost", f"{key}: {token} is not in {output}")

    def faults_of_state(self, instance: Instance, state: wire.WorkflowState | None) -> None:
        """Compare what was acknowledged with what is there after a restart."""
        if state is None:
            if instance.is_started:
                self.tell(
                    "start lost", f"{instance.instance_id} was acknowledged, and is not there"
                )
            return
        instance.is_started = True
        if instance.termination and status_of(state) not in CLOSED:
            text = f"{instance.instance_id} is {status_of(state)}"
            self.tell("termination lost", text)


def _root_of(key: str) -> str:
    return key.partition(" ")[0].partition(":")[0].removesuffix("-own")
