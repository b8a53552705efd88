"""What the examples share: their options, and how they go on after an interruption."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from flowyard import InstanceNotFound, InstanceQuery, Runtime, WorkflowState
from outside_world import say


def options(description: str, *, pace: float = 1.0) -> argparse.ArgumentParser:
    """Return a parser with the options that every example has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--components",
        default="components.yaml",
        help="the file that says which engine to use (%(default)s)",
    )
    parser.add_argument(
        "--pace", type=float, default=pace, help="seconds that an activity takes (%(default)s)"
    )
    return parser


async def resume_or_start(
    runtime: Runtime, workflow: Callable[..., Any], prefix: str, input: object
) -> str:
    """Return the ID of the instance that a killed run has left, or start the next one."""
    page = await runtime.list(
        InstanceQuery(workflow=workflow.__name__, instance_id_prefix=f"{prefix}-", page_size=1000)
    )
    for known in page.instances:
        if not known.status.is_closed:
            state = await runtime.get(known.instance_id)
            step = state.custom_status or "it was started"
            say(f"Resuming {known.instance_id}: {step} before the interruption.")
            say("  If its program was killed, it goes on in a few seconds.")
            return known.instance_id
    suffixes = (known.instance_id.rpartition("-")[2] for known in page.instances)
    number = max((int(suffix) for suffix in suffixes if suffix.isdigit()), default=0) + 1
    instance_id = await runtime.start(workflow, input=input, instance_id=f"{prefix}-{number}")
    say(f"Started {instance_id}.")
    return instance_id


async def reached(
    runtime: Runtime, instance_id: str, condition: Callable[[WorkflowState], bool]
) -> WorkflowState:
    """Return the state once the condition holds, or the instance is closed."""
    while True:
        try:
            state = await runtime.get(instance_id)
        except InstanceNotFound:
            state = None  # a child that its parent is about to start
        if state is not None and (state.status.is_closed or condition(state)):
            return state
        await asyncio.sleep(0.05)


def launch(program: Coroutine[object, object, None]) -> None:
    """Run a program to its end, or until somebody presses Ctrl-C."""
    try:
        asyncio.run(program)
    except KeyboardInterrupt:
        say("Interrupted. The same command goes on from here.")
        sys.exit(130)


def command(example: str, *arguments: str) -> str:
    """Return the shell command that runs an example with the interpreter of this program."""
    # Not resolved: the interpreter of a virtual environment is a link.
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return " ".join((str(python), f"examples/{example}", *arguments))
