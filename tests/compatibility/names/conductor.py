"""Names on Conductor's server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from flowyard.backend.history import ExecutionStarted, TaskScheduled, encode_events
from flowyard.failure import FailureDetails
from flowyard.models import WorkflowStatus
from flowyard_conductor.api.connection import Connection
from flowyard_conductor.api.id_locks import OWNER, IdLocks
from flowyard_conductor.api.names import Names
from flowyard_conductor.hosted.definitions import Definitions
from flowyard_conductor.hosted.inbox import Inbox
from flowyard_conductor.hosted.instance import STEP, HostedInstance
from flowyard_conductor.hosted.loop_condition import MOST_STEPS, iterations_of
from flowyard_conductor.hosted.records import _COMPRESSED, Outcome, Record
from flowyard_conductor.hosted.side_workflows import STALL, START, SideWorkflows
from flowyard_conductor.instances import _MARK
from flowyard_conductor.native.management import VERSION
from flowyard_conductor.settings import ConductorSettings

_QUEUE = "QUEUE"
_STARTED = ExecutionStarted("a.b", None, "execution")


class _Posted:
    """In the place of a connection: keeps what is posted."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def post(self, path: str, body: dict[str, Any]) -> str:
        self.bodies.append(body)
        return "ID"

    async def call(self, method: str, path: str, **_: object) -> None:
        pass


class _Read(dict[str, object]):
    """Remembers which of its keys were asked for."""

    def __init__(self, *content: Mapping[str, object]) -> None:
        super().__init__(*content)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> object:
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: object = None) -> object:
        self.asked.add(key)
        return super().get(key, default)


async def names() -> dict[str, object]:
    """Return them."""
    names, posted = Names(_QUEUE), _Posted()
    connection = cast("Connection", posted)
    definitions = Definitions(names, 10)
    given = _Read({"started": encode_events([_STARTED]).decode()})
    instance = HostedInstance.of(
        {
            "workflowId": "WORKFLOW",
            "correlationId": "i",
            "createTime": 0,
            "input": given,
            "tasks": [],
        }
    )
    await Inbox(connection, names, definitions).post("WORKFLOW", _STARTED)
    scheduled = [TaskScheduled(one, "a", None, one) for one in (1, 2)]
    await SideWorkflows(connection, names, definitions).start(
        instance, "execution", scheduled, [], 1, [1, 2]
    )
    async with IdLocks(connection, names).hold("i"):
        message, side, lock = posted.bodies
    return {
        "definitions": {
            "instance": names.definition("a.b"),
            "message": message["name"],
            "side workflow": side["name"],
            "lock": lock["name"],
            "an app has the workflow": names.registration("a.b"),
            "workers": names.workers,
        },
        "tasks": [names.step, names.activity, names.wait, names.watchdog],
        "owner": OWNER,
        "correlation IDs": [message["correlationId"], side["correlationId"]],
        "references": {
            "instance": _references(definitions.instance("w")),
            "message": _references(message["workflowDef"]),
            "side workflow": _references(side["workflowDef"]),
        },
        "begins the references of steps": STEP,
        "input of an instance": sorted(given.asked),
        "input of steps": list(definitions.instance("w")["tasks"][0]["inputParameters"]),
        "output of an instance": list(definitions.instance("w")["outputParameters"]),
        "input of a step": list(_step(definitions.instance("w"))["inputParameters"]),
        "output of a step": list(_record().to_output()),
        "steps that follow": ["activity", "wait"],
        "numbers of steps": list(dict.fromkeys(map(iterations_of, range(0, MOST_STEPS, 100)))),
        "outcome": list(_outcome().to_json()),
        "input of a message": list(message["input"]),
        "input of a side workflow": list(side["input"]),
        "call": {one: list(call) for one, call in side["input"]["calls"].items()},
        "in the place of an action": [STALL, START],
        "compressed text": _COMPRESSED,
        "mark of a native workflow": _MARK,
        "options of a start": [VERSION],
        "default task queue": ConductorSettings().task_queue,
    }


def _record() -> Record:
    failure = FailureDetails("E", "m")
    return Record(
        "ID",
        [_STARTED],
        is_base=True,
        messages=["m"],
        next="activity",
        fused=1,
        activity="a",
        input="1",
        custom_status="s",
        backlog=[_STARTED],
        children=["c"],
        side_workflows={"s": [1]},
        stalled=failure,
        kept=[_STARTED],
        outcome=_outcome(),
        is_done=True,
    )


def _outcome() -> Outcome:
    failure = FailureDetails("E", "m")
    return Outcome(WorkflowStatus.FAILED, "1", failure, "s", "1", is_renewed=True)


def _step(definition: Mapping[str, Any]) -> dict[str, Any]:
    (step,) = definition["tasks"][0]["loopOver"]
    found: dict[str, Any] = step
    return found


def _references(definition: Mapping[str, Any]) -> list[str]:
    return [*_all_references(definition["tasks"])]


def _all_references(part: object) -> Iterator[str]:
    if isinstance(part, Mapping):
        if "taskReferenceName" in part:
            yield part["taskReferenceName"]
        for inner in part.values():
            yield from _all_references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _all_references(inner)
