"""Files that cannot be used say why; trouble while in use is told to who asked."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.programs.steps import make_app
from flowyard import (
    ActivityContext,
    App,
    BackendUnavailable,
    ConfigurationError,
    InstanceQuery,
    WorkflowContext,
    WorkflowStatus,
)
from flowyard_engine.settings import EngineSettings
from flowyard_engine.sqlite import SqliteStore
from flowyard_engine.store import Commit, Outcome, Record

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime, Query
    from program import StartProgram


async def test_a_folder_that_does_not_exist_is_named(
    open_runtime: OpenRuntime, tmp_path: Path
) -> None:
    folder = tmp_path / "nowhere"
    with pytest.raises(BackendUnavailable, match=f"The folder {folder} does not exist"):
        async with open_runtime(connectionString=f"sqlite:///{folder}/flowyard.db"):
            pass
    assert not folder.exists()


async def test_a_file_that_is_not_sqlite_is_left_as_it_is(
    open_runtime: OpenRuntime, database: Path
) -> None:
    text = "this is a letter, not a database\n" * 100
    await asyncio.to_thread(database.write_text, text)
    with pytest.raises(BackendUnavailable, match=f"{database} cannot be used.*not a database"):
        async with open_runtime():
            pass
    assert await asyncio.to_thread(database.read_text) == text


async def test_a_folder_in_place_of_the_file_is_refused(
    open_runtime: OpenRuntime, tmp_path: Path
) -> None:
    with pytest.raises(BackendUnavailable, match="cannot be used"):
        async with open_runtime(connectionString=f"sqlite:///{tmp_path}"):
            pass


async def test_a_database_in_memory_is_refused_because_processes_share_the_file(
    open_runtime: OpenRuntime,
) -> None:
    with pytest.raises(ConfigurationError, match="connectionString"):
        async with open_runtime(connectionString="sqlite:///:memory:"):
            pass


async def test_a_newer_schema_version_is_refused_and_left_as_it_is(
    open_runtime: OpenRuntime, query: Query
) -> None:
    async with open_runtime():
        pass
    query("PRAGMA user_version = 999")
    with pytest.raises(BackendUnavailable, match=r"version 999.*use the version of"):
        async with open_runtime():
            pass
    assert query("PRAGMA user_version") == [(999,)]


async def test_tables_of_another_program_are_left_as_they_are(
    open_runtime: OpenRuntime, query: Query
) -> None:
    query("CREATE TABLE instances (other TEXT)")
    with pytest.raises(BackendUnavailable, match="are those of another program"):
        async with open_runtime():
            pass
    assert query("SELECT name FROM sqlite_master") == [("instances",)]


@pytest.fixture
def read_only_file() -> Iterator[Path]:
    """A database that nobody may write, where the user that a program becomes may read it."""
    folder = Path(tempfile.mkdtemp())
    file = folder / "flowyard.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE something (anything)")
    file.chmod(0o444)
    folder.chmod(0o555)
    yield file
    folder.chmod(0o755)
    shutil.rmtree(folder)


async def test_a_read_only_file_is_refused(
    read_only_file: Path, start_program: StartProgram
) -> None:
    program = start_program("opening", read_only_file)
    await program.ends_well()
    assert f"{read_only_file} cannot be used" in str(program)
    assert "readonly" in str(program)


def refuse_turns_of(query: Query, instance_id: str) -> None:
    query("CREATE TABLE troubled (id TEXT)")
    query("INSERT INTO troubled VALUES (?)", instance_id)
    query(
        "CREATE TRIGGER trouble BEFORE INSERT ON history WHEN new.run IN "
        "(SELECT run FROM instances WHERE id IN (SELECT id FROM troubled)) "
        "BEGIN SELECT raise(ABORT, 'in trouble'); END"
    )


async def test_what_cannot_be_written_is_told_and_the_instance_goes_on_afterwards(
    open_runtime: OpenRuntime, query: Query, database: Path
) -> None:
    async with open_runtime(make_app(database.parent)) as runtime:
        await runtime.start("waiter", instance_id="it")
        refuse_turns_of(query, "it")
        with pytest.raises(BackendUnavailable, match="in trouble"):
            await runtime.raise_event("it", "go", "lost")
        assert (await runtime.get("it")).status is WorkflowStatus.RUNNING
        with pytest.raises(BackendUnavailable, match="in trouble"):
            await runtime.pause("it")
        query("DROP TRIGGER trouble")
        assert await runtime.raise_event("it", "go", "kept")
        assert (await runtime.wait("it")).result() == "kept"


async def test_what_one_instance_cannot_write_fails_no_other(
    open_runtime: OpenRuntime, query: Query, database: Path
) -> None:
    async with open_runtime(make_app(database.parent)) as runtime:
        ids = [f"it-{number}" for number in range(20)]
        await asyncio.gather(
            *(runtime.start("waiter", instance_id=instance_id) for instance_id in ids)
        )
        refuse_turns_of(query, "it-7")
        raised = await asyncio.gather(
            *(runtime.raise_event(instance_id, "go", instance_id) for instance_id in ids),
            return_exceptions=True,
        )
        failed = [one for one, answer in zip(ids, raised, strict=True) if answer is not True]
        assert failed == ["it-7"]
        assert isinstance(raised[7], BackendUnavailable)
        query("DROP TRIGGER trouble")
        await runtime.raise_event("it-7", "go", "it-7")
        for instance_id in ids:
            assert (await runtime.wait(instance_id)).result() == instance_id


async def test_work_goes_on_by_itself_once_the_trouble_is_over(
    open_runtime: OpenRuntime,
    query: Query,
    database: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_runtime(make_app(database.parent)) as runtime:
        gate = database.parent / "open-g"
        await runtime.start("gated", input="g", instance_id="it")
        refuse_turns_of(query, "it")
        gate.touch()
        while "in trouble" not in caplog.text:  # noqa: ASYNC110 - it tries by itself
            await asyncio.sleep(0.01)
        query("DROP TRIGGER trouble")
        assert (await runtime.wait("it")).result() == [os.getpid()] * 2


async def test_a_start_that_cannot_be_written_leaves_nothing(
    open_runtime: OpenRuntime, query: Query, database: Path
) -> None:
    async with open_runtime(make_app(database.parent)) as runtime:
        query(
            "CREATE TRIGGER trouble BEFORE INSERT ON instances "
            "BEGIN SELECT raise(ABORT, 'in trouble'); END"
        )
        with pytest.raises(BackendUnavailable, match="in trouble"):
            await runtime.start("waiter", instance_id="it")
        query("DROP TRIGGER trouble")
        await runtime.start("waiter", instance_id="it")
        await runtime.raise_event("it", "go", 1)
        assert (await runtime.wait("it")).result() == 1


async def test_an_instance_that_cannot_be_read_does_not_stop_the_others(
    open_runtime: OpenRuntime, query: Query
) -> None:
    app = App()
    runs: list[str] = []
    goes_on = asyncio.Event()

    @app.activity
    async def step(ctx: ActivityContext) -> str:
        runs.append(ctx.workflow_id)
        await goes_on.wait()
        return ctx.workflow_id

    @app.workflow
    async def one_step(ctx: WorkflowContext) -> str:
        return await ctx.call_activity(step)

    ids = [f"it-{number}" for number in range(5)]
    async with open_runtime(app) as runtime:
        for instance_id in ids:
            await runtime.start(one_step, instance_id=instance_id)
    runs.clear()
    goes_on.set()
    query(
        "UPDATE history SET events = '[\"rubbish' "
        "WHERE run = (SELECT run FROM instances WHERE id = 'it-0')"
    )
    async with open_runtime(app) as runtime:
        for instance_id in ids[1:]:
            assert (await runtime.wait(instance_id)).result() == instance_id
    assert runs == ids[1:]


async def test_a_turn_that_cannot_be_encoded_stops_neither_the_writer_nor_other_turns(
    database: Path,
) -> None:
    settings = EngineSettings(connection_string=f"sqlite:///{database}")
    half_of_a_pair = "\ud800"
    outcomes: dict[str, asyncio.Future[Outcome]] = {}
    async with SqliteStore.open(settings) as store:
        assert await store.take_lease()
        for number, text in enumerate(["before", half_of_a_pair, "after"]):
            record = Record(f"it-{number}", number, number, "any", WorkflowStatus.RUNNING, 0)
            record.custom_status = text
            outcomes[text] = asyncio.get_running_loop().create_future()
            store.submit(Commit(record, 0, 0, (), is_new=True), outcomes[text].set_result)
        await asyncio.gather(*outcomes.values())
        failed = [text for text, outcome in outcomes.items() if outcome.result().error is not None]
        assert failed == [half_of_a_pair]
        found, _ = await store.list(InstanceQuery())
        assert [snapshot.record.custom_status for snapshot in found] == ["after", "before"]


async def test_a_write_waits_for_another_program_that_holds_the_file(
    open_runtime: OpenRuntime, database: Path
) -> None:
    async with open_runtime(make_app(database.parent)) as runtime:
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            starting = asyncio.create_task(runtime.start("waiter", instance_id="it"))
            done, _ = await asyncio.wait({starting}, timeout=0.2)
            assert not done
            other.execute("COMMIT")
        assert await starting == "it"
        await runtime.terminate("it")
        assert (await runtime.wait("it", timeout=timedelta(minutes=1))).status.is_closed
