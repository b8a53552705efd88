"""What the engine's tests need: a file, runtimes on it, and programs to stop and to kill."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from flowyard import App, Runtime
from flowyard.clock import Clock
from flowyard.config import ComponentSpec
from program import StartProgram, programs_of

TESTS = Path(__file__).parents[1]


class OpenRuntime(Protocol):
    """Opens a runtime on the file of the test; a later one finds what the first has left."""

    def __call__(
        self, app: App | None = None, *, clock: Clock | None = None, **metadata: str
    ) -> AbstractAsyncContextManager[Runtime]:
        """Open it; without an app it only manages."""
        ...


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The SQLite file of the test."""
    return tmp_path / "flowyard.db"


@pytest.fixture
def open_runtime(database: Path) -> OpenRuntime:
    """Open runtimes on the file; metadata is given as in components.yaml."""

    def open_runtime(
        app: App | None = None, *, clock: Clock | None = None, **metadata: str
    ) -> AbstractAsyncContextManager[Runtime]:
        items = {"connectionString": f"sqlite:///{database}", **metadata}
        spec = ComponentSpec(name="orders", type="workflow.engine", metadata=items)
        return Runtime.open([spec], app, clock=clock)

    return open_runtime


@pytest.fixture
def start_program() -> Iterator[StartProgram]:
    """Start one of `engine.programs`; its arguments begin with the file."""
    with programs_of("engine.programs") as start:
        yield start


class Query(Protocol):
    """Reads the file over a connection of its own."""

    def __call__(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Return the rows; a change is committed."""
        ...


@pytest.fixture
def query(database: Path) -> Query:
    """Look into the file, or change it, as another program might."""

    def query(statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
            return connection.execute(statement, arguments).fetchall()

    return query
