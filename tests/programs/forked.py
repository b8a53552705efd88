"""Opens a SyncRuntime, forks, and uses it in both processes."""

from __future__ import annotations

import os
import sys
import warnings

from flowyard import App, FlowyardError, SyncRuntime, WorkflowContext
from flowyard.config import ComponentSpec

app = App()


@app.workflow
async def flow(ctx: WorkflowContext) -> str:
    return "ok"


def tell(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


# Newer Pythons warn of exactly what this is about.
warnings.simplefilter("ignore", DeprecationWarning)
spec = ComponentSpec(
    name="engine",
    type="workflow.engine",
    metadata={"connectionString": f"sqlite:///{sys.argv[1]}"},
)
with SyncRuntime.open([spec], app) as runtime:
    child = os.fork()
    if child == 0:
        try:
            runtime.start(flow)
        except FlowyardError as error:
            tell(error)
    else:
        _, status = os.waitpid(child, 0)
        assert status == 0, status
if child == 0:
    tell("child left")
else:
    with SyncRuntime.open([spec], app) as runtime:
        tell(f"parent {runtime.wait(runtime.start(flow)).status}")
