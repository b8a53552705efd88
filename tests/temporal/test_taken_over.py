"""What a killed process, or a killed server, leaves half done is done by those that come after."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from flowyard import Runtime, WorkflowState, WorkflowStatus
from flowyard.backend.history import EventRaised, TaskCompleted
from program import StartProgram
from servers.temporal_server import TemporalServer
from temporal.programs.standing import PLACES, spec_of

QUEUE = "errands"
RUNS = {"activity": 4, "between": 2, "turn": 3}


@pytest.mark.parametrize("struck", ["process", "server", "both"])
async def test_errands_that_stand_still_everywhere_come_to_their_end(
    struck: str, server: TemporalServer, start_program: StartProgram, tmp_path: Path
) -> None:
    program = start_program("standing", server.address, QUEUE, tmp_path)
    await program.says("standing")
    # It manages only, and lives through everything.
    async with Runtime.open([spec_of(server.address, QUEUE)]) as runtime:
        if struck != "server":
            program.kill()
        if struck != "process":
            server.restart()
        assert await runtime.raise_event("between", "go", "gone")
        for place in PLACES:
            (tmp_path / f"open-{place}").touch()
            assert await runtime.raise_event(place, "end", f"end of {place}")
        if struck != "server":
            start_program("standing", server.address, QUEUE, tmp_path)

        for place in PLACES:
            state = await runtime.wait(place)
            assert state.status is WorkflowStatus.COMPLETED, state
            made = tokens_of(tmp_path / "log", place)
            await check(runtime, state, made)
            if struck != "server":
                assert len(made) == RUNS[place], "only what stood is done again"


def tokens_of(log: Path, instance_id: str) -> list[str]:
    """Return what all runs of its activities made."""
    lines = (line.split(" ") for line in log.read_text().splitlines())
    return [token for runner, token in lines if runner == instance_id]


async def check(runtime: Runtime, state: WorkflowState, made: list[str]) -> None:
    """It has tokens that were really made, as its history records them, and its events."""
    place, output = state.instance_id, state.result(list[str])
    history = await runtime.history(place)
    recorded = [event.output for event in history if isinstance(event, TaskCompleted)]
    events = [event.input for event in history if isinstance(event, EventRaised)]
    assert set(Counter(made).values()) == {1}
    assert output.pop() == f"end of {place}"
    assert events.pop() == f'"end of {place}"'
    if place == "between":
        assert output.pop(1) == "gone"
        assert events.pop() == '"gone"'
    assert events == []
    assert recorded == [f'"{token}"' for token in output]
    assert set(output) <= set(made)
