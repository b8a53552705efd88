"""Runs that earlier versions have left on Temporal are read and replayed, and come to their end."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from compatibility.files import name_of
from compatibility.imports import import_runs
from compatibility.instances import finish
from compatibility.runs import Run, read_runs
from compatibility.temporal import DATA, opener
from compatibility.told import ToldOfAll, told_with
from compatibility.workflows import make_app
from flowyard.executors.local import LocalExecutor
from flowyard.executors.remote import RemoteExecutor
from flowyard_temporal.hosted import hosted_input
from flowyard_temporal.hosted.hosted_history import hosted_history
from flowyard_temporal.hosted.inline import InlineExecutor
from flowyard_temporal.hosted.limits import Limits
from flowyard_temporal.hosted.worker import _Introduction
from flowyard_temporal.hosted.worker_context import Environment
from flowyard_temporal.hosted.workflow import HostedWorkflow
from servers.fixtures import StartTemporal
from servers.namespaces import new_namespace

FILES = sorted(DATA.glob("*.runs.xz"))


@pytest.fixture(params=FILES, ids=name_of)
def file(request: pytest.FixtureRequest) -> Path:
    """Return a file of runs."""
    path: Path = request.param
    return path


@pytest.fixture
def runs(file: Path) -> list[Run]:
    """Return what is in it."""
    return read_runs(file)


@pytest.fixture
def told(file: Path) -> ToldOfAll:
    """Return what the version said that has left the runs."""
    return told_with(file)


@pytest.fixture
def way(file: Path) -> str:
    """Return where the turns were run."""
    return name_of(file).rpartition("-")[2]


@pytest.fixture
async def environment(way: str) -> AsyncIterator[Environment]:
    """Return what the workflows of a worker share; a replay calls no server."""
    client = await Client.connect("127.0.0.1:1", lazy=True)
    logger = logging.getLogger(__name__)
    with LocalExecutor(make_app()) as local:
        executor = local if way == "inline" else RemoteExecutor("orders")
        yield Environment(client, executor, Limits.of(0), timedelta(seconds=10), logger)


@pytest.fixture(scope="module")
def address(start_temporal: StartTemporal) -> Iterator[str]:
    """Return the address of a server to which histories can be brought."""
    with start_temporal("-import") as server:
        yield server.address


def test_there_are_runs_that_begin_as_those_of_today() -> None:
    formats = {_format_of(run) for file in FILES for run in read_runs(file)}
    assert hosted_input._FORMAT in formats, "CONTRIBUTING.md says how to make some"


def _format_of(run: Run) -> object:
    started = run.history.events[0].workflow_execution_started_event_attributes
    return json.loads(started.input.payloads[1].data)["format"]


def test_all_is_told_as_it_was_told_then(runs: list[Run], told: ToldOfAll) -> None:
    current = {run.instance_id: run for run in runs if run.is_current}
    assert current.keys() == told.keys()
    for instance_id, then in told.items():
        run = current[instance_id]
        state = run.snapshot.state(then.state.created_at)
        # The server may still have given a task to another worker when that was told.
        updated = then.state.last_updated_at
        assert replace(state, detail=None, last_updated_at=updated) == then.state
        assert hosted_history(run.history.events) == then.history


async def test_todays_code_does_what_is_recorded(runs: list[Run], environment: Environment) -> None:
    with InlineExecutor() as inline:
        replayer = Replayer(
            workflows=[HostedWorkflow],
            interceptors=[_Introduction(environment)],
            workflow_runner=UnsandboxedWorkflowRunner(),
            workflow_task_executor=inline,
        )
        # The replayer waits for ever for the first task of a run that has not begun.
        for run in (run for run in runs if len(run.history.events) > 1):
            history = WorkflowHistory(run.instance_id, run.history.events)
            replayed = await replayer.replay_workflow(history, raise_on_replay_failure=False)
            assert replayed.replay_failure is None, run.instance_id


async def test_all_comes_to_its_end(file: Path, way: str, address: str) -> None:
    namespace = new_namespace(address)
    imported = await import_runs(address, namespace, file)
    async with opener(address, namespace, way)(make_app()) as runtime:
        await finish(runtime, imported)
