"""Files that earlier versions of the engine have left are opened, and what is in them finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from compatibility.dumps import restore
from compatibility.engine import BEGUN, DATA, LATER, open_file
from compatibility.files import name_of
from compatibility.instances import finish
from compatibility.told import told_by, told_with
from compatibility.workflows import make_app
from flowyard_engine.migrations import LATEST

DUMPS = sorted(DATA.glob("*.sql"))


def test_there_is_a_file_with_the_tables_of_today() -> None:
    versions = {dump.read_text().splitlines()[-1] for dump in DUMPS}
    assert f"PRAGMA user_version = {LATEST};" in versions, "CONTRIBUTING.md says how to make one"


@pytest.fixture(params=DUMPS, ids=name_of)
def dump(request: pytest.FixtureRequest) -> Path:
    """Return a dump of such a file."""
    path: Path = request.param
    return path


async def test_all_is_told_as_it_was_told_then_and_comes_to_its_end(
    dump: Path, tmp_path: Path
) -> None:
    file = tmp_path / "flowyard.db"
    restore(dump, file)
    told = told_with(dump)
    async with open_file(file, BEGUN) as runtime:
        found = await told_by(runtime)
    assert list(found) == list(told)
    assert found == told
    async with open_file(file, LATER, make_app()) as runtime:
        await finish(runtime, told)
