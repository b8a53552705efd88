"""`flowyard run`: one workflow in this process, without a server."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from flowyard.cli import codes, output
from flowyard.cli.options import (
    COMPONENTS,
    AsJson,
    ComponentName,
    ComponentsFile,
    Input,
    NewId,
    load_app,
    read_json,
)
from flowyard.errors import InstanceAlreadyExists
from flowyard.models import WorkflowState, WorkflowStatus
from flowyard.payload import ABSENT, JsonText
from flowyard.runtime import Runtime
from flowyard.wire.json.states import state_json
from flowyard.workflow.app import App

# Lazy where it is used: other commands shall not wait for it.
if TYPE_CHECKING:
    from rich.status import Status

# How long a look at the instance may be old while its progress is shown.
_GLANCE = timedelta(seconds=0.2)


def run(
    app: Annotated[
        str, typer.Argument(metavar="MODULE:APP", help="The app, for example orders:app.")
    ],
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="The name of the workflow.")],
    input: Input = None,
    instance_id: NewId = None,
    components: ComponentsFile = COMPONENTS,
    component: ComponentName = None,
    as_json: AsJson = False,
) -> None:
    """Run a workflow to its end in this process, and print its output.

    If the instance of the given ID is not closed yet, it goes on from where it was: so the same
    command continues after an interruption.
    """
    given = read_json(input, "--input")
    state = asyncio.run(
        _run(load_app(app), workflow, given, instance_id, str(components), component, as_json)
    )
    if as_json:
        output.print_json(state_json(state))
    elif state.status is WorkflowStatus.COMPLETED:
        output.say_payload(state.output or "null")
    else:
        output.print_state(state)
    if state.status is not WorkflowStatus.COMPLETED:
        raise typer.Exit(codes.FAILED)


async def _run(
    app: App,
    workflow: str,
    given: JsonText | None,
    instance_id: str | None,
    components: str,
    component: str | None,
    as_json: bool,
) -> WorkflowState:
    from rich.console import Console
    from rich.text import Text

    async with Runtime.open(components, app) as runtime:
        started = await _start_or_resume(runtime, workflow, given, instance_id, component)
        console = Console(stderr=True, highlight=False)
        status: AbstractContextManager[Status | None] = nullcontext()
        if console.is_terminal and not as_json:
            status = console.status(Text(started))
        with status as spinner:
            shown = ""
            while True:
                try:
                    return await runtime.wait(started, timeout=_GLANCE, component=component)
                except TimeoutError:
                    state = await runtime.get(started, component=component)
                line = f"{started}  {output.progress_line(state)}"
                if line != shown and spinner is not None:
                    spinner.update(Text(line))
                elif line != shown and not as_json:
                    sys.stderr.write(f"{line}\n")
                shown = line


async def _start_or_resume(
    runtime: Runtime,
    workflow: str,
    given: JsonText | None,
    instance_id: str | None,
    component: str | None,
) -> str:
    try:
        text = ABSENT if given is None else given
        return await runtime.start(workflow, text, instance_id=instance_id, component=component)
    except InstanceAlreadyExists as error:
        state = await runtime.get(error.instance_id, payloads=False, component=component)
        if state.workflow != workflow:
            raise
        return error.instance_id
