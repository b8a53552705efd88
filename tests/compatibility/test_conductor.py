"""Servers on which earlier versions have left instances start again, and these are finished."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compatibility.conductor import BEGUN, DATA, LATER, open_server
from compatibility.dumps import restore
from compatibility.files import name_of
from compatibility.instances import finish
from compatibility.told import ToldOfAll, told_by, told_with
from compatibility.workflows import make_app
from servers.fixtures import StartConductor

DUMPS = sorted(DATA.glob("*.sql.xz"))


@pytest.fixture(params=DUMPS, ids=name_of)
def dump(request: pytest.FixtureRequest) -> Path:
    """Return a dump of the file of such a server."""
    path: Path = request.param
    return path


@pytest.fixture
def url(start_conductor: StartConductor, dump: Path, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a server on this file, without `/api`."""
    file = tmp_path / "conductor.db"
    restore(dump, file)
    with start_conductor(database=file) as server:
        yield server.url


@pytest.fixture
def told(dump: Path) -> ToldOfAll:
    """Return what the version said that has left them."""
    return told_with(dump)


async def test_all_is_told_as_it_was_told_then_and_comes_to_its_end(
    url: str, told: ToldOfAll
) -> None:
    async with open_server(url, BEGUN) as runtime:
        assert await told_by(runtime) == told
    async with open_server(url, LATER, make_app()) as runtime:
        await finish(runtime, told)
