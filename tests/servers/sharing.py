"""One server of a kind for all processes of a test run, started by the first that needs it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

import pytest

from servers.process import ServerProcess

_Server = TypeVar("_Server", bound=ServerProcess)
_FOLDER = "shared_servers"
_END = "end"
_place = pytest.StashKey[tuple[Path, int]]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of the test run where it finds the servers.

    Each holds the reading end of a pipe, and is killed when this process, which has the writing
    end, is no more.
    """
    config: pytest.Config = node.config
    if _place not in config.stash:
        folder = Path(tempfile.mkdtemp(prefix="flowyard-servers-"))
        os.mkfifo(folder / _END)
        config.stash[_place] = folder, os.open(folder / _END, os.O_RDWR)
    node.workerinput[_FOLDER] = str(config.stash[_place][0])


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers."""
    if _place in config.stash:
        folder, end = config.stash[_place]
        os.close(end)
        rmtree(folder, ignore_errors=True)


@contextmanager
def lent(
    config: pytest.Config, kind: str, start: Callable[..., _Server], where: Callable[[_Server], str]
) -> Iterator[str]:
    """Start the server of this kind, unless it runs, and return where it is."""
    if (workerinput := getattr(config, "workerinput", None)) is None:
        with start() as server:
            yield where(server)
        return
    folder = Path(workerinput[_FOLDER])
    told = folder / kind
    with (folder / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            kill_on_exit = os.open(folder / _END, os.O_RDONLY)
            try:
                server = start(kill_on_exit=kill_on_exit)
            finally:
                os.close(kill_on_exit)
            told.write_text(where(server))
            server.leave()
    yield told.read_text()
