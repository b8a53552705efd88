"""The program that the conformance suite has killed: it kills itself after its last answer.

It opens the component as its user would, prepares one instance for each kind of thing that a
component acknowledges, has all of them acknowledged at once, says what was, and dies of SIGKILL.
The clauses that open the component again are in `conformance/surviving.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pkgutil import resolve_name
from typing import Any, TypeAlias
from uuid import uuid4

from flowyard.backend.component import Capability, ComponentType
from flowyard.backend.history import encode_events
from flowyard.config import ComponentSpec
from flowyard.errors import InstanceNotFound
from flowyard.payload import ABSENT
from flowyard.runtime import Runtime
from flowyard.testing.portable import portable_app
from flowyard.testing.probe import Probe

FAILED = "failed"
"""What an instance's facts hold where it could not be brought so far: the traceback."""
_SHORT_WHILE = 0.02

Facts: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Life:
    """The component as it is open in the process that is going to be killed."""

    runtime: Runtime
    probe: Probe
    capabilities: frozenset[Capability]

    async def start(
        self, workflow: str, input: object = ABSENT, *, start_at: datetime | None = None
    ) -> str:
        """Start a portable workflow and return its instance ID."""
        return await self.runtime.start(
            workflow, input=input, instance_id=new_id(), start_at=start_at
        )

    async def exists(self, instance_id: str) -> None:
        """Return once there is such an instance."""
        while True:
            try:
                await self.runtime.get(instance_id)
            except InstanceNotFound:
                await asyncio.sleep(_SHORT_WHILE)
            else:
                return


Scenario: TypeAlias = Callable[[Life, Facts], AsyncIterator[None]]
"""Prepares up to its `yield`; what it does after that is acknowledged when the process dies."""


async def a_start(life: Life, facts: Facts) -> AsyncIterator[None]:
    yield
    facts["id"] = await life.start("waiter")


async def a_delayed_start(life: Life, facts: Facts) -> AsyncIterator[None]:
    yield
    start_at = datetime.now(UTC) + timedelta(hours=1)
    facts["id"] = await life.start("waiter", start_at=start_at)


async def an_early_event(life: Life, facts: Facts) -> AsyncIterator[None]:
    """Raise an event for which nobody waits yet, to an instance whose activity runs."""
    facts["id"] = await life.start("late_waiter")
    await life.probe.reached(facts["id"], "gate")
    yield
    assert await life.runtime.raise_event(facts["id"], "go", "kept")


async def some_events(life: Life, facts: Facts) -> AsyncIterator[None]:
    facts["id"] = await life.start("collector", 4)
    await life.runtime.raise_event(facts["id"], "item", 1)
    await life.runtime.raise_event(facts["id"], "item", 2)
    yield
    assert await life.runtime.raise_event(facts["id"], "item", 3)


async def a_pause(life: Life, facts: Facts) -> AsyncIterator[None]:
    facts["id"] = await life.start("waiter")
    yield
    assert await life.runtime.pause(facts["id"])


async def an_event_during_a_pause(life: Life, facts: Facts) -> AsyncIterator[None]:
    facts["id"] = await life.start("waiter")
    await life.runtime.pause(facts["id"])
    yield
    assert await life.runtime.raise_event(facts["id"], "go", "kept")


async def a_resumption(life: Life, facts: Facts) -> AsyncIterator[None]:
    facts["id"] = await life.start("waiter")
    await life.runtime.pause(facts["id"])
    yield
    assert await life.runtime.resume(facts["id"])


async def a_termination(life: Life, facts: Facts) -> AsyncIterator[None]:
    """Terminate an instance whose child waits."""
    facts["child"] = new_id()
    facts["id"] = await life.start("parent", {"child": "late_waiter", "id": facts["child"]})
    await life.probe.reached(facts["child"], "gate")
    yield
    assert await life.runtime.terminate(facts["id"])


async def a_purge(life: Life, facts: Facts) -> AsyncIterator[None]:
    """Purge an instance and its child."""
    facts["child"] = new_id()
    call = {"child": "echo", "id": facts["child"], "input": 1}
    facts["id"] = await life.start("parent", call)
    await life.runtime.wait(facts["id"])
    yield
    assert await life.runtime.purge(facts["id"]) == 2


async def an_end(life: Life, facts: Facts) -> AsyncIterator[None]:
    yield
    facts["id"] = await life.start("chain", 1)
    state = await life.runtime.wait(facts["id"])
    facts["created_at"] = state.created_at.isoformat()
    if Capability.HISTORY in life.capabilities:
        facts["history"] = encode_events(await life.runtime.history(facts["id"])).decode()


async def a_result(life: Life, facts: Facts) -> AsyncIterator[None]:
    """Let an activity end, which the next one shows to have been recorded."""
    facts["id"] = await life.start("deterministic")
    yield
    await life.probe.reached(facts["id"], "ready")
    facts["recorded"] = str(life.probe.records(facts["id"])[0])


async def a_timer(life: Life, facts: Facts) -> AsyncIterator[None]:
    yield
    facts["id"] = await life.start("timer", 1000)


async def an_end_of_a_child(life: Life, facts: Facts) -> AsyncIterator[None]:
    """Let one of two children end."""
    facts["ended"], facts["waiting"] = new_id(), new_id()
    facts["id"] = await life.start("siblings", [facts["ended"], facts["waiting"]])
    await life.exists(facts["waiting"])
    yield
    await life.exists(facts["ended"])
    await life.runtime.wait(facts["ended"])


async def a_renewal(life: Life, facts: Facts) -> AsyncIterator[None]:
    facts["id"] = await life.start("eternal", [])
    await life.runtime.raise_event(facts["id"], "item", 1)
    yield
    assert await life.runtime.raise_event(facts["id"], "item", 2)


SCENARIOS: Mapping[Scenario, frozenset[Capability]] = {
    a_start: frozenset(),
    a_delayed_start: frozenset({Capability.START_AT}),
    an_early_event: frozenset(),
    some_events: frozenset(),
    a_pause: frozenset({Capability.PAUSE}),
    an_event_during_a_pause: frozenset({Capability.PAUSE}),
    a_resumption: frozenset({Capability.PAUSE}),
    a_termination: frozenset(),
    a_purge: frozenset({Capability.PURGE}),
    an_end: frozenset(),
    a_result: frozenset(),
    a_timer: frozenset(),
    an_end_of_a_child: frozenset(),
    a_renewal: frozenset(),
}
"""What is run, and what a component has to declare for it."""


def new_id() -> str:
    """Return an ID that no instance has."""
    return f"conformance-{uuid4().hex}"


async def live(
    spec: ComponentSpec, types: Sequence[ComponentType[Any]], patience: timedelta, report: int
) -> None:
    """Run everything to where it is acknowledged, write what is to be known of it, and die."""
    probe = Probe(patience)
    async with Runtime.open([spec], portable_app(probe), component_types=types) as runtime:
        life = Life(runtime, probe, runtime.capabilities())
        facts: dict[str, Facts] = {}
        running: dict[str, AsyncIterator[None]] = {}
        for scenario, needed in SCENARIOS.items():
            if needed <= life.capabilities:
                facts[scenario.__name__] = {}
                running[scenario.__name__] = scenario(life, facts[scenario.__name__])
        for _ in ("prepared", "acknowledged"):
            await asyncio.gather(
                *(_go_on(value, facts[name], patience) for name, value in running.items())
            )
        os.write(report, json.dumps(facts).encode())
        os.kill(os.getpid(), signal.SIGKILL)


async def _go_on(scenario: AsyncIterator[None], facts: Facts, patience: timedelta) -> None:
    try:
        async with asyncio.timeout(patience.total_seconds()):
            await anext(scenario, None)
    except Exception:  # noqa: BLE001 - told with the clause that it is about
        facts.setdefault(FAILED, traceback.format_exc())


def main() -> None:
    """Read from standard input what to open, and say on standard output what was acknowledged."""
    # A component may print what it likes; nobody is to take it for the report.
    report = os.dup(1)
    os.dup2(2, 1)
    given = json.load(sys.stdin)
    types = [resolve_name(reference) for reference in given["types"]]
    spec = ComponentSpec(**given["spec"])
    asyncio.run(live(spec, types, timedelta(seconds=given["patience"]), report))


if __name__ == "__main__":
    main()
