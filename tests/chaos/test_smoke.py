"""A moment of each part of the chaos; `make chaos` runs them for long."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]
_LIMIT = 1200


def chaos(*words: str) -> None:
    """Run a part, which must find nothing."""
    ended = subprocess.run(
        [sys.executable, "-m", "chaos", *words],
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT,
    )
    assert ended.returncode == 0, ended.stdout


def kills_on(backend: str, *words: str) -> None:
    """Kill a process that works on a server, twice."""
    chaos("kills", "--backend", backend, "--rounds", "2", "--seed", "7", "--lanes", "1", *words)


@pytest.mark.timeout(_LIMIT)
def test_a_process_that_is_killed_loses_and_doubles_nothing() -> None:
    chaos("kills", "--rounds", "40", "--seed", "7", "--lanes", "1")


@pytest.mark.timeout(_LIMIT)
@pytest.mark.usefixtures("start_temporal")  # it is built then
def test_a_process_that_works_on_temporal_can_be_killed_as_well() -> None:
    kills_on("temporal")


@pytest.mark.timeout(_LIMIT)
def test_a_process_that_works_on_conductor_can_be_killed_as_well(conductor_server: str) -> None:
    kills_on("conductor", "--server", conductor_server)


@pytest.mark.timeout(_LIMIT)
def test_servers_and_workers_that_are_killed_lose_and_double_nothing() -> None:
    chaos("workers", "--rounds", "6", "--seed", "7", "--each", "6")


@pytest.mark.timeout(_LIMIT)
def test_workers_that_lie_are_not_believed() -> None:
    chaos("adversary", "--seeds", "6", "--seed", "7")
