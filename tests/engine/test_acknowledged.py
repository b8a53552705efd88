"""What was acknowledged is on disk, also if the process dies that very moment."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.programs.steps import make_app
from flowyard import InstanceNotFound, Runtime, WorkflowStatus

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime
    from program import StartProgram

VERBS = ["start", "start_at", "raise_event", "pause", "resume", "terminate", "purge", "rerun"]

# Of what ends by itself once it was done.
RESULTS = {"raise_event": "acknowledged", "rerun": 3}


async def prepare(runtime: Runtime, verb: str) -> None:
    """Bring instance `it` to where the verb changes it."""
    if verb.startswith("start"):
        return
    if verb == "rerun":
        await runtime.start("chain", 3, instance_id="source")
        await runtime.wait("source")
        return
    await runtime.start("waiter", instance_id="it")
    if verb == "resume":
        await runtime.pause("it")
    elif verb == "purge":
        await runtime.terminate("it")
        await runtime.wait("it")


async def check(runtime: Runtime, verb: str) -> None:
    """Assert that the verb has had its effect on instance `it`."""
    if verb == "purge":
        with pytest.raises(InstanceNotFound):
            await runtime.get("it")
        return
    state = await runtime.get("it")
    if verb == "terminate":
        assert (state.status, state.output) == (WorkflowStatus.TERMINATED, '"acknowledged"')
    elif verb == "pause":
        assert state.status is WorkflowStatus.SUSPENDED
    elif verb == "start_at":
        assert (state.workflow, state.status) == ("waiter", WorkflowStatus.PENDING)
    elif verb == "rerun":
        assert (state.workflow, state.input) == ("chain", "3")
    elif verb != "raise_event":  # which is seen in the result
        assert state.status in {WorkflowStatus.PENDING, WorkflowStatus.RUNNING}


@pytest.mark.parametrize("verb", VERBS)
async def test_what_the_owner_acknowledged_outlives_it(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path, verb: str
) -> None:
    app = make_app(database.parent)
    async with open_runtime(app) as runtime:
        await prepare(runtime, verb)
    owner = start_program("acknowledging", database, "owner", verb, "it")
    assert await owner.ends() == -signal.SIGKILL
    assert owner.lines == ["acknowledged"]
    async with open_runtime() as runtime:
        await check(runtime, verb)
    if verb in RESULTS:
        async with open_runtime(app, leaseSeconds="0.5") as runtime:
            assert (await runtime.wait("it")).result() == RESULTS[verb]


@pytest.mark.parametrize("verb", VERBS)
async def test_what_was_acknowledged_beside_the_owner_outlives_who_asked(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path, verb: str
) -> None:
    app = make_app(database.parent)
    async with open_runtime(app) as runtime:
        await prepare(runtime, verb)
        visitor = start_program("acknowledging", database, "visitor", verb, "it")
        assert await visitor.ends() == -signal.SIGKILL
        assert visitor.lines == ["acknowledged"]
        if verb in RESULTS:
            assert (await runtime.wait("it")).result() == RESULTS[verb]
        else:
            await check(runtime, verb)


@pytest.mark.parametrize("verb", ["start", "raise_event"])
async def test_what_was_acknowledged_without_any_owner_is_done_by_the_next(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path, verb: str
) -> None:
    app = make_app(database.parent)
    async with open_runtime(app) as runtime:
        await prepare(runtime, verb)
    visitor = start_program("acknowledging", database, "visitor", verb, "it")
    assert await visitor.ends() == -signal.SIGKILL
    async with open_runtime(app) as runtime:
        if verb == "start":
            await runtime.raise_event("it", "go", "acknowledged")
        assert (await runtime.wait("it")).result() == "acknowledged"
