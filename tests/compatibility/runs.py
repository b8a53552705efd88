"""Runs as Temporal has recorded them: a description and a history each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from google.protobuf import json_format
from temporalio.api.history.v1 import History
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client

from compatibility.files import read_text, write_text
from flowyard import WorkflowStatus
from flowyard_temporal.native.states import Snapshot


class Run:
    """One run."""

    def __init__(self, description: DescribeWorkflowExecutionResponse, history: History) -> None:
        self.description = description
        self.history = history

    @property
    def instance_id(self) -> str:
        """Whose run it is."""
        return self.description.workflow_execution_info.execution.workflow_id

    @property
    def is_current(self) -> bool:
        """Whether no other run of the instance has come after it."""
        return self.snapshot.status is not WorkflowStatus.CONTINUED_AS_NEW

    @property
    def is_paused_by_server(self) -> bool:
        """Whether the server hands out no task of it, for it is paused."""
        return self.snapshot.status is WorkflowStatus.SUSPENDED

    @property
    def snapshot(self) -> Snapshot:
        """What the adapter reads of a run for its state."""
        events = self.history.events
        return Snapshot(self.description, events[0], tuple(reversed(events)))


async def namespace_id(client: Client) -> str:
    """Return by what histories name the namespace, besides its name."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    answer = await client.workflow_service.describe_namespace(request)
    return answer.namespace_info.id


async def runs_of(client: Client) -> list[Run]:
    """Return all runs of a namespace."""
    service = client.workflow_service
    # Not by the SDK's own list, which does not know that a run can be paused.
    listed = await service.list_workflow_executions(
        ListWorkflowExecutionsRequest(namespace=client.namespace)
    )
    runs: list[Run] = []
    for info in listed.executions:
        workflow_id, run_id = info.execution.workflow_id, info.execution.run_id
        request = DescribeWorkflowExecutionRequest(namespace=client.namespace)
        request.execution.CopyFrom(info.execution)
        description = await service.describe_workflow_execution(request)
        recorded = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        runs.append(Run(description, History(events=recorded.events)))
    return runs


def write_runs(file: Path, namespace: Iterable[str], runs: Iterable[Run]) -> None:
    """Write runs, one a line; the first line has the name and the ID of their namespace."""
    parts = [[run.description, run.history] for run in runs]
    lines = [json.dumps([json_format.MessageToDict(part) for part in of_run]) for of_run in parts]
    write_text(file, "".join(f"{line}\n" for line in (json.dumps([*namespace]), *lines)))


def read_runs(file: Path, namespace: Iterable[str] | None = None) -> list[Run]:
    """Read runs, as if they were of this namespace if one is given."""
    first, _, text = read_text(file).partition("\n")
    for old, new in zip(json.loads(first), namespace or (), strict=False):
        text = text.replace(old, new)
    return [_run(json.loads(line)) for line in text.splitlines()]


def _run(parts: tuple[Mapping[str, object], Mapping[str, object]]) -> Run:
    run = Run(DescribeWorkflowExecutionResponse(), History())
    for part, message in zip(parts, (run.description, run.history), strict=True):
        json_format.ParseDict(dict(part), message)
    return run
