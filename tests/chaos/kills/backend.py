"""The backends whose processes are killed: how each is run, and how long it may take."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from flowyard.config.plugins import component_type
from servers import builds
from servers.conductor_server import ConductorServer
from servers.temporal_server import QUICK, TemporalServer

_REGISTERS = (
    "import sys; from servers.namespaces import new_namespace as new; print(new(*sys.argv[1:]))"
)
# As quick as servers of tests are, but none removes an instance before its end is told to its
# parent: by its defaults Temporal does not, but waits for half a minute.
_THOROUGH = {
    **QUICK,
    "history.transferProcessorEnsureCloseBeforeDelete": "true",
    "history.transferProcessorUpdateAckInterval": "100ms",
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a backend is killed, and how fast it gets on. Times are in seconds."""

    rounds: int
    """How many kills and stops there are unless the command line says otherwise."""
    each: int
    """How many come before everything is judged."""
    most_open: int
    """How many instances a process has open at once."""
    longest_life: float
    longest_opening: float
    longest_end: float
    patience: float
    """How long nothing may be settled, when all is calm."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the processes of a lane have their instances, apart from those of all others."""

    metadata: Mapping[str, str]
    mark: str = ""
    """What the IDs of instances end with."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A type of component, and what it needs."""

    type: str
    pace: Pace
    serve: Callable[[Path], AbstractContextManager[str]]
    """Starts a server with its files in a folder, and lends its address."""
    settle: Callable[[str, Path], Place]
    """Makes a place on the server at an address; files of the lane go into the folder."""
    draw: Callable[[random.Random], Mapping[str, str]]
    """Draws what may change from one process to the next."""
    are_turns_shown_early: bool = False
    """Whether a history shows a turn that has not taken place yet.

    See deviation 58, events before their turn.
    """

    def load(self) -> None:
        """Import all its code, so that each process that is forked has it."""
        component_type(self.type)


@contextmanager
def _no_server(_folder: Path) -> Iterator[str]:
    yield ""


@contextmanager
def _temporal(folder: Path) -> Iterator[str]:
    with TemporalServer(builds.temporal_server(), folder, dynamic_config=_THOROUGH) as server:
        yield server.address


@contextmanager
def _conductor(folder: Path) -> Iterator[str]:
    with ConductorServer(builds.conductor_server(), folder) as server:
        yield server.url


def _in_a_file(_address: str, folder: Path) -> Place:
    return Place(
        {"connectionString": f"sqlite:///{folder / 'flowyard.db'}", "leaseSeconds": "1"},
    )


def _in_a_namespace(address: str, _folder: Path) -> Place:
    # In a process of its own: gRPC begins threads, and who forks must have none.
    command = [sys.executable, "-c", _REGISTERS, address]
    namespace = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    metadata = {
        "hostPort": address,
        "namespace": namespace.strip(),
        "heartbeatTimeout": "2",
        "requestTimeout": "30",
        "connectTimeout": "60",
    }
    return Place(metadata)


def _on_a_queue(url: str, _folder: Path) -> Place:
    # An ID is one of the whole server, whatever the queue.
    mark = uuid4().hex[:8]
    metadata = {
        "url": f"{url}/api",
        "taskQueue": f"kills.{mark}",
        "leaseSeconds": "3",
        "requestTimeout": "60",
        "connectTimeout": "60",
    }
    return Place(metadata, f"-{mark}")


def _draw_for_the_engine(choices: random.Random) -> Mapping[str, str]:
    return {
        "cachedInstances": str(choices.choice((0, 4, 1000))),
        "synchronous": choices.choice(("full", "off")),
    }


BACKENDS: Mapping[str, Backend] = {
    "engine": Backend(
        "workflow.engine",
        Pace(
            rounds=3000,
            each=20,
            most_open=24,
            longest_life=0.4,
            longest_opening=60,
            longest_end=60,
            patience=30,
        ),
        _no_server,
        _in_a_file,
        _draw_for_the_engine,
    ),
    "temporal": Backend(
        "workflow.temporal",
        Pace(
            rounds=250,
            each=10,
            most_open=16,
            longest_life=4,
            longest_opening=120,
            longest_end=120,
            patience=120,
        ),
        _temporal,
        _in_a_namespace,
        lambda choices: {"maxCachedWorkflows": str(choices.choice((0, 4, 1000)))},
        are_turns_shown_early=True,
    ),
    "conductor": Backend(
        "workflow.conductor",
        Pace(
            rounds=130,
            each=8,
            most_open=8,
            longest_life=6,
            longest_opening=180,
            longest_end=180,
            patience=240,
        ),
        _conductor,
        _on_a_queue,
        lambda choices: {"pollInterval": str(choices.choice((0.02, 0.2)))},
    ),
}
