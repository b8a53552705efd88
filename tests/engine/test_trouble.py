"""What others do to the file, or to the machine's clock, while the engine has it open."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.programs.steps import make_app
from flowyard import BackendUnavailable, FlowyardError, InstanceQuery
from flowyard.machine import SystemMachine
from flowyard.models import WorkflowStatus
from flowyard_engine.settings import EngineSettings
from flowyard_engine.sqlite import SqliteStore
from flowyard_engine.store import Commit, Outcome, Record
from flowyard_engine.writer import Writer
from moved_clock import AN_HOUR

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime, Query
    from program import StartProgram

A_MINUTE = timedelta(minutes=1)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def beside(database: Path) -> list[Path]:
    """Return the file with those that SQLite puts beside it."""
    return [database, Path(f"{database}-wal"), Path(f"{database}-shm")]


# Who may read it.


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
async def test_a_new_file_is_its_owners_alone(open_runtime: OpenRuntime, database: Path) -> None:
    async with open_runtime(make_app(database.parent)) as runtime:
        await runtime.start("waiter", instance_id="it")
        assert [mode_of(file) for file in beside(database)] == [0o600] * 3


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
async def test_a_file_that_others_may_read_stays_so(
    open_runtime: OpenRuntime, database: Path
) -> None:
    async with open_runtime():
        pass
    await asyncio.to_thread(database.chmod, 0o640)
    async with open_runtime(make_app(database.parent)) as runtime:
        await runtime.start("waiter", instance_id="it")
        assert [mode_of(file) for file in beside(database)] == [0o640] * 3


@pytest.mark.skipif(os.name != "posix", reason="links need a right elsewhere")
async def test_a_file_is_made_where_a_link_leads(
    open_runtime: OpenRuntime, database: Path, tmp_path: Path
) -> None:
    target = tmp_path / "elsewhere.db"
    await asyncio.to_thread(database.symlink_to, target)
    async with open_runtime():
        pass
    assert mode_of(target) == 0o600


# Locked.


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowyard_engine.file._BUSY_SECONDS", 0.2)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux says who holds a lock")
@pytest.mark.usefixtures("impatient")
async def test_a_stopped_process_that_holds_the_lock_is_named(
    open_runtime: OpenRuntime, start_program: StartProgram, database: Path
) -> None:
    app = make_app(database.parent)
    async with open_runtime():
        pass
    program = start_program("holding", database)
    await program.says("holds")
    program.stop()
    pid = program.process.pid
    await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    named = f"process {pid} .*stopped: continue it or end it.*database is locked"
    with pytest.raises(BackendUnavailable, match=named):
        async with open_runtime(app):
            pass
    async with open_runtime() as manager:
        assert (await manager.list(InstanceQuery())).instances == ()
        with pytest.raises(BackendUnavailable, match=named):
            await manager.start("waiter")
        program.go_on()
        program.told()
        await program.ends_well()
        await manager.start("waiter", instance_id="it")
    async with open_runtime(app) as runtime:
        await runtime.raise_event("it", "go", 1)
        assert (await runtime.wait("it", timeout=A_MINUTE)).result() == 1


# Deleted and replaced.


@pytest.mark.skipif(os.name != "posix", reason="an open file can be deleted on POSIX only")
@pytest.mark.parametrize("which", [0, 1, 2], ids=["database", "wal", "shm"])
async def test_nothing_is_acknowledged_once_the_file_was_deleted(
    open_runtime: OpenRuntime, database: Path, which: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_runtime(make_app(database.parent), leaseSeconds="0.5") as runtime:
        await runtime.start("waiter", instance_id="it")
        waiting = asyncio.create_task(runtime.wait("it"))
        await asyncio.sleep(0)
        gone = beside(database)[which]
        gone.unlink()
        for call in (
            runtime.start("waiter", instance_id="other"),
            runtime.raise_event("it", "go", 1),
            runtime.get("it"),
            runtime.purge("it"),
        ):
            with pytest.raises(BackendUnavailable, match=f"{gone} was deleted or replaced"):
                await call
        with pytest.raises(BackendUnavailable, match="deleted or replaced"):
            await waiting
    assert f"{gone} was deleted or replaced" in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="an open file can be replaced on POSIX only")
async def test_work_goes_on_when_the_file_is_put_back(
    open_runtime: OpenRuntime, database: Path
) -> None:
    away = database.parent / "away.db"
    async with open_runtime(make_app(database.parent), leaseSeconds="0.5") as runtime:
        await runtime.start("waiter", instance_id="it")
        await asyncio.to_thread(database.rename, away)
        await asyncio.to_thread(database.touch)
        with pytest.raises(BackendUnavailable, match="deleted or replaced"):
            await runtime.raise_event("it", "go", 1)
        await asyncio.to_thread(away.replace, database)
        await runtime.start("waiter", instance_id="next")
        await runtime.raise_event("next", "go", 1)
        assert (await runtime.wait("next", timeout=A_MINUTE)).result() == 1


# Changed by another program.


async def test_a_deleted_lease_is_told_and_nothing_hangs(
    open_runtime: OpenRuntime, query: Query, database: Path
) -> None:
    app = make_app(database.parent)
    async with open_runtime(app, leaseSeconds="0.5") as runtime:
        await runtime.start("waiter", instance_id="it")
        query("DELETE FROM lease")
        with pytest.raises(BackendUnavailable, match="'lease' of the database has no row"):
            await runtime.start("waiter", instance_id="other")
        with pytest.raises(BackendUnavailable, match="'lease' of the database has no row"):
            await runtime.raise_event("it", "go", "lost")
        query("INSERT INTO lease VALUES (1, 0, 0, '', 5)")
        await runtime.start("waiter", instance_id="third")
        await runtime.raise_event("third", "go", 3)
        assert (await runtime.wait("third", timeout=A_MINUTE)).result() == 3
    query("DELETE FROM lease")
    with pytest.raises(BackendUnavailable, match="'lease' of the database has no row"):
        async with open_runtime(app):
            pass


async def test_a_history_that_cannot_be_decoded_names_its_instance(
    open_runtime: OpenRuntime, query: Query
) -> None:
    async with open_runtime(make_app(Path())) as runtime:
        await runtime.start("waiter", instance_id="it")
        await runtime.raise_event("it", "go", 1)
        await runtime.wait("it")
        query("UPDATE history SET events = '[[\"Unheard\", 1]]'")
        for call in (runtime.get("it"), runtime.history("it"), runtime.rerun("it", 0)):
            with pytest.raises(FlowyardError, match="instance 'it' cannot be decoded"):
                await call
        assert len((await runtime.list(InstanceQuery())).instances) == 1
        await runtime.purge("it")


class Unheard(BaseException):
    """Not an `Exception`, as a library in another language may raise it."""


async def test_calls_are_refused_once_the_thread_that_writes_has_failed(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = EngineSettings(connection_string=f"sqlite:///{database}")
    lost = asyncio.Event()
    async with SqliteStore.open(settings) as store:
        store.listen(lambda: None, lost.set)
        assert await store.take_lease()

        def fail(connection: object) -> None:
            raise Unheard

        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        failing = asyncio.create_task(store._writer.run(fail))
        await asyncio.sleep(0)
        record = Record("it", 1, 1, "any", WorkflowStatus.RUNNING, 0)
        store.submit(Commit(record, 0, 0, (), is_new=True), outcome.set_result)
        with pytest.raises(BackendUnavailable, match=r"thread that writes .* Unheard"):
            await failing
        assert isinstance((await outcome).error, BackendUnavailable)
        with pytest.raises(BackendUnavailable, match=r"thread that writes .* Unheard"):
            await store.take_lease()
        await lost.wait()
        assert await store.read("it", payloads=True) is None
    assert "the thread that writes the database has failed" in caplog.text


async def test_one_read_that_fails_fails_no_other(database: Path) -> None:
    settings = EngineSettings(connection_string=f"sqlite:///{database}")

    def fail(connection: object) -> None:
        raise Unheard

    async with SqliteStore.open(settings) as store:
        wrong = store._reader.run(lambda connection: connection.execute("SELECT nothing"))
        results = await asyncio.gather(
            store.read("it", payloads=True),
            store._reader.run(fail),
            wrong,
            *(store.read("it", payloads=True) for _ in range(100)),
            return_exceptions=True,
        )
        assert [index for index, result in enumerate(results) if result is not None] == [1, 2]
        assert isinstance(results[1], BackendUnavailable)
        assert isinstance(results[2], BackendUnavailable)
    with pytest.raises(BackendUnavailable, match="closed"):
        await store.read("it", payloads=True)


# Clocks.


@pytest.mark.parametrize("seconds", [30, 3600, 365 * 24 * 3600])
async def test_an_expiry_further_off_than_its_lease_is_long_is_not_believed(
    open_runtime: OpenRuntime, query: Query, database: Path, seconds: int
) -> None:
    async with open_runtime() as manager:
        await manager.start("chain", input=1, instance_id="it")
    # As after the clock was set back by so much.
    query(
        "UPDATE lease SET fence = 7, holder = 'other/1', seconds = 0.5, "
        "expires_at = (unixepoch() + ?) * 1000000",
        seconds,
    )
    async with open_runtime(make_app(database.parent), leaseSeconds="0.5") as runtime:
        assert (await runtime.wait("it", timeout=A_MINUTE)).result() == 1


async def test_a_lease_that_is_renewed_is_believed_whatever_its_clock_says(
    database: Path, query: Query
) -> None:
    settings = EngineSettings(connection_string=f"sqlite:///{database}", lease_seconds=0.2)
    async with SqliteStore.open(settings) as store:
        renewed = (
            "UPDATE lease SET fence = 7, holder = 'other/1', "
            "expires_at = 1000000 + max(expires_at, (unixepoch() + 36000) * 1000000)"
        )
        query(renewed)
        for _ in range(3):
            assert not await store.take_lease()
            query(renewed)
        while not await store.take_lease():  # noqa: ASYNC110 - another clock
            await asyncio.sleep(0.01)


class MachineWithClock(SystemMachine):
    """A machine whose clock somebody sets."""

    ahead = 0
    """By how many microseconds it was set forward."""

    def nanoseconds(self) -> int:
        return super().nanoseconds() + self.ahead * 1000


async def test_a_lease_is_believed_where_the_clock_was_set_forward_since_it_was_seen(
    database: Path, query: Query
) -> None:
    settings = EngineSettings(connection_string=f"sqlite:///{database}")
    machine = MachineWithClock()
    async with SqliteStore.open(settings, machine=machine) as store:
        query(
            "UPDATE lease SET fence = 7, holder = 'other/1', "
            "expires_at = (unixepoch() + 50) * 1000000"
        )
        assert not await store.take_lease()
        machine.ahead = AN_HOUR
        assert not await store.take_lease()
        query("UPDATE lease SET expires_at = 0")
        assert await store.take_lease()


async def test_a_lease_that_was_not_written_has_no_effect(database: Path, query: Query) -> None:
    settings = EngineSettings(connection_string=f"sqlite:///{database}")
    async with SqliteStore.open(settings) as store, SqliteStore.open(settings) as other:
        # What a deferred constraint finds at the commit.
        query("CREATE TABLE kept (fence INTEGER REFERENCES nowhere DEFERRABLE INITIALLY DEFERRED)")
        query("CREATE TABLE nowhere (fence INTEGER PRIMARY KEY)")
        query(
            "CREATE TRIGGER trouble AFTER UPDATE ON lease "
            "BEGIN INSERT INTO kept VALUES (new.fence); END"
        )
        writer = store._writer
        assert isinstance(writer, Writer)
        writer._transactions._connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(BackendUnavailable, match="FOREIGN KEY"):
            await store.take_lease()
        query("DROP TRIGGER trouble")
        assert await other.take_lease()
        assert not await store.take_lease()


# Reads beside each other, and the log.


async def test_what_takes_long_to_read_keeps_nobody_waiting_for_one_instance(
    open_runtime: OpenRuntime, database: Path
) -> None:
    settings = EngineSettings(connection_string=f"sqlite:///{database}")
    async with SqliteStore.open(settings) as store:
        began, goes_on = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def scan(connection: object) -> None:
            loop.call_soon_threadsafe(began.set)
            asyncio.run_coroutine_threadsafe(goes_on.wait(), loop).result()

        scanning = asyncio.create_task(store._scanner.run(scan))
        await began.wait()
        assert await store.read("it", payloads=True) is None
        assert await store.load("it") is None
        assert not scanning.done()
        goes_on.set()
        await scanning


async def test_the_space_of_what_was_purged_can_be_given_back_while_it_is_open(
    open_runtime: OpenRuntime, query: Query, database: Path
) -> None:
    async with open_runtime(make_app(database.parent), synchronous="off") as runtime:
        for number in range(6):
            await runtime.start("waiter", instance_id=f"it-{number}")
            await runtime.raise_event(f"it-{number}", "else", "x" * 1_000_000)
        for number in range(0, 6, 2):
            await runtime.terminate(f"it-{number}")
            await runtime.purge(f"it-{number}")
        query("VACUUM")
        assert query("PRAGMA wal_checkpoint(TRUNCATE)") == [(0, 0, 0)]
        assert (await asyncio.to_thread(database.stat)).st_size < 4_000_000
        await runtime.start("waiter", instance_id="it-6")
        listed = (await runtime.list(InstanceQuery())).instances
        assert [state.instance_id for state in listed] == ["it-6", "it-5", "it-3", "it-1"]


async def test_a_log_that_cannot_be_emptied_is_told(
    open_runtime: OpenRuntime, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(database.parent)
    async with open_runtime(app, journalSizeLimit="10000", synchronous="off") as runtime:
        await runtime.start("waiter", instance_id="it")
        with closing(sqlite3.connect(database, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM lease").fetchall()
            while "has grown to" not in caplog.text:
                await runtime.raise_event("it", "else", "x" * 100_000)


async def test_the_log_is_cut_to_its_limit(open_runtime: OpenRuntime, database: Path) -> None:
    log = beside(database)[1]
    app = make_app(database.parent)
    async with open_runtime(app, journalSizeLimit="100000", synchronous="off") as runtime:
        await runtime.start("waiter", instance_id="it")
        await runtime.raise_event("it", "else", "x" * 8_000_000)
        assert log.stat().st_size > 8_000_000
        for number in range(20):
            await runtime.raise_event("it", "else", number)
        assert log.stat().st_size <= 100_000
