"""`state.sqlite`: all rules of a state store, on a file."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from blocks.opened import open_store
from flowyard.backend import (
    BackendUnavailable,
    Concurrency,
    ConfigurationError,
    DeleteState,
    EtagMismatch,
    FlowyardError,
    InvalidRequest,
    SetState,
    StateOptions,
    StateStore,
    StateValue,
)
from flowyard.config import ComponentSpec, resolve
from flowyard.testing import VirtualClock
from flowyard.testing.conformance import StateConformance
from flowyard_blocks.state.sqlite_settings import SqliteSettings

TESTS = Path(__file__).parents[2]


class TestSqlite(StateConformance):
    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata = {"connectionString": str(tmp_path / "state.db")}
        return ComponentSpec(name="file", type="state.sqlite", metadata=metadata)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@asynccontextmanager
async def opened(
    file: object, clock: VirtualClock | None = None, **more: object
) -> AsyncIterator[StateStore]:
    metadata = {"connectionString": str(file), **more}
    async with open_store("state.sqlite", metadata, clock) as store:
        yield store


def raw(file: Path, sql: str, *arguments: object) -> list[Any]:
    """Ask the file what daprd would."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        return connection.execute(sql, arguments).fetchall()


def first(key: str, ttl: int | None = None) -> SetState:
    metadata = {} if ttl is None else {"ttlInSeconds": str(ttl)}
    return SetState(key, b"1", options=StateOptions(Concurrency.FIRST_WRITE), metadata=metadata)


async def test_the_tables_are_those_that_dapr_has(file: Path, clock: VirtualClock) -> None:
    async with opened(file, clock) as store:
        await store.set(SetState("app||json", b'{"n":1.00000000000000000001}', is_json=True))
        await store.set(
            SetState("app||bytes", b"\xff\x00", metadata={"ttlInSeconds": "90"}),
        )
        first_etag = (await store.get_many(["app||json"]))[0]
    rows = raw(file, "SELECT key, value, is_binary, expiration_time, update_time FROM state")
    assert rows == [
        ("app||json", '{"n":1.00000000000000000001}', 0, None, "2030-01-01 00:00:00"),
        ("app||bytes", "/wA=", 1, "2030-01-01 00:01:30", "2030-01-01 00:00:00"),
    ]
    for (etag,) in raw(file, "SELECT etag FROM state"):
        assert str(UUID(etag, version=4)) == etag
    assert isinstance(first_etag, StateValue)
    assert raw(file, "SELECT etag FROM state WHERE key = 'app||json'") == [(first_etag.etag,)]
    assert raw(file, "SELECT * FROM metadata") == [("migrations", "1")]
    columns = raw(file, "SELECT name, type, \"notnull\", pk FROM pragma_table_info('state')")
    assert columns == [
        ("key", "TEXT", 1, 1),
        ("value", "TEXT", 1, 0),
        ("is_binary", "BOOLEAN", 1, 0),
        ("etag", "TEXT", 1, 0),
        ("expiration_time", "TIMESTAMP", 0, 0),
        ("update_time", "TIMESTAMP", 1, 0),
    ]


_BY_DAPRD = """
CREATE TABLE metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL);
CREATE TABLE state (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL,
    etag TEXT NOT NULL, expiration_time TIMESTAMP DEFAULT NULL,
    update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
INSERT INTO metadata VALUES ('migrations', '1');
INSERT INTO state (key, value, is_binary, etag, expiration_time) VALUES
    ('json', '{"a":1}', 0, 'e1', NULL), ('bytes', 'AAEC', 1, 'e2', '2030-01-01 00:00:10'),
    ('gone', '1', 0, 'e3', '2029-12-31 23:59:59'), ('broken', '*', 1, 'e4', NULL);
"""


async def test_what_dapr_has_written_is_read_and_written_on(
    file: Path, clock: VirtualClock
) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(_BY_DAPRD)
    async with opened(file, clock) as store:
        assert await store.get("json") == StateValue(b'{"a":1}', "e1")
        end = datetime(2030, 1, 1, 0, 0, 10, tzinfo=UTC)
        assert await store.get("bytes") == StateValue(b"\x00\x01\x02", "e2", end)
        assert await store.get("gone") is None
        found = await store.get_many(["broken", "json"])
        assert isinstance(found[0], FlowyardError)
        assert "the row of 'broken' cannot be read" in str(found[0])
        assert isinstance(found[1], StateValue)
        clock.advance(timedelta(seconds=10))
        assert await store.get("bytes") is None
        await store.set(SetState("json", b"2", is_json=True, etag="e1"))
    assert raw(file, "SELECT value, is_binary FROM state WHERE key = 'json'") == [("2", 0)]


async def test_the_rules_of_etags_are_those_of_dapr(file: Path, clock: VirtualClock) -> None:
    async with opened(file, clock) as store:
        # An ETag for what is not there, and one that the last write would not ask for.
        last = StateOptions(Concurrency.LAST_WRITE)
        await store.set(SetState("there", b"1"))
        for refused in (
            SetState("missing", b"1", etag="e"),
            SetState("there", b"1", etag="e", options=last),
            first("there"),
        ):
            with pytest.raises(EtagMismatch):
                await store.set(refused)
        with pytest.raises(EtagMismatch):
            await store.delete(DeleteState("missing", etag="e"))
        # What has expired counts as missing, but for a deletion that knows its version.
        await store.set(first("short", ttl=1))
        short = await store.get("short")
        assert short is not None
        clock.advance(timedelta(seconds=1))
        with pytest.raises(EtagMismatch):
            await store.set(SetState("short", b"2", etag=short.etag))
        await store.delete(DeleteState("short", etag=short.etag))
        await store.set(first("short"))
        # Every write sets the time to live anew, and -2 is none.
        await store.set(SetState("there", b"1", metadata={"ttlInSeconds": "5"}))
        await store.set(SetState("there", b"1"))
        with pytest.raises(InvalidRequest, match="is -2"):
            await store.set(SetState("there", b"2", metadata={"ttlInSeconds": "-2"}))
        clock.advance(timedelta(days=1000))
        assert await store.get("there") is not None


async def test_what_has_expired_is_removed_in_each_interval(
    file: Path, clock: VirtualClock
) -> None:
    async with opened(file, clock, cleanupInterval="1m") as store:
        await store.set(SetState("short", b"1", metadata={"ttlInSeconds": "30"}))
        await store.set(SetState("long", b"1", metadata={"ttlInSeconds": "3000"}))
        clock.advance(timedelta(seconds=61))
        async with asyncio.timeout(30):
            while raw(file, "SELECT key FROM state") != [("long",)]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        told = "SELECT value FROM metadata WHERE key = 'last-cleanup'"
        assert raw(file, told) == [("2030-01-01 00:01:01",)]
        # Another process has done it meanwhile.
        raw(file, "UPDATE metadata SET value = '2030-01-01 00:50:00' WHERE key = 'last-cleanup'")
        clock.advance(timedelta(minutes=49))
        for _ in range(3):  # what was to be cleaned up would be done before the second
            assert await store.get("long") is None
        assert raw(file, "SELECT key FROM state") == [("long",)]


async def test_nothing_is_removed_where_no_interval_is_set(file: Path, clock: VirtualClock) -> None:
    async with opened(file, clock) as store:
        await store.set(SetState("short", b"1", metadata={"ttlInSeconds": "1"}))
        assert clock.next_alarm is None
        clock.advance(timedelta(days=1))
        assert await store.get("short") is None
    assert raw(file, "SELECT key FROM state") == [("short",)]


async def test_a_file_of_a_later_version_is_left_alone(file: Path) -> None:
    raw(file, "CREATE TABLE metadata (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)")
    raw(file, "INSERT INTO metadata VALUES ('migrations', '2')")
    with pytest.raises(BackendUnavailable, match="version 2 of Dapr's tables, and 1 is known"):
        async with opened(file):
            pass
    assert raw(file, "SELECT name FROM sqlite_master WHERE name = 'state'") == []


async def test_tables_may_have_other_names(file: Path) -> None:
    async with opened(file, tableName="mine", metadataTableName="of_mine") as store:
        await store.set(SetState("key", b"1"))
        assert await store.get("key") is not None
    assert raw(file, "SELECT key FROM mine") == [("key",)]
    assert raw(file, "SELECT key FROM of_mine") == [("migrations",)]


@pytest.mark.parametrize("text", [":memory:", "file::memory:", "file:any?mode=memory"])
async def test_a_store_may_be_in_memory(text: str) -> None:
    async with opened(text) as store:
        await store.set(SetState("key", b"1"))
        assert await store.get("key") is not None
    async with opened(text) as store:
        assert await store.get("key") is None


@pytest.mark.parametrize("name", ["state.db", "a b%20c#d.db", "ä.db"])
@pytest.mark.parametrize("is_uri", [True, False])
async def test_a_file_is_named_by_its_path_or_as_a_uri(
    name: str, is_uri: bool, tmp_path: Path
) -> None:
    file = tmp_path / name
    text = f"{file.as_uri()}?mode=rwc&_txlock=immediate" if is_uri else str(file)
    async with opened(text) as store:
        await store.set(SetState("key", b"1"))
    assert raw(file, "SELECT key FROM state") == [("key",)]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("disable", "mode"), [("false", "wal"), ("true", "delete")])
async def test_the_write_ahead_log_can_be_disabled(disable: str, mode: str, file: Path) -> None:
    async with opened(file, disableWAL=disable) as store:
        await store.set(SetState("key", b"1"))
        assert raw(file, "PRAGMA journal_mode") == [(mode,)]


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="nowhere does not exist: make it first"):
        async with opened(tmp_path / "nowhere" / "state.db"):
            pass


@pytest.fixture
def letter(file: Path) -> Path:
    """A file that is no database, and too long to be taken for an empty one."""
    file.write_text("Dear reader, " * 100)
    return file


async def test_a_file_that_is_no_database_is_told(letter: Path) -> None:
    with pytest.raises(BackendUnavailable, match="cannot be used: file is not a database"):
        async with opened(letter):
            pass


async def test_a_lock_of_another_process_is_told_and_then_over(file: Path) -> None:
    async with opened(file, busyTimeout="10ms") as store:
        await store.set(SetState("key", b"1"))
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(BackendUnavailable, match="another process has had the SQLite file"):
                await store.set(SetState("key", b"2"))
            found = await store.get("key")
            assert found is not None
            assert found.data == b"1"
        await store.set(SetState("key", b"3"))


async def test_a_write_that_is_cancelled_leaves_the_store_usable(file: Path) -> None:
    async with opened(file) as store:
        for rounds in range(10):
            writing = asyncio.create_task(store.transact([first(f"{rounds}-{n}") for n in "ab"]))
            for _ in range(rounds):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            one, two = await store.get_many([f"{rounds}-a", f"{rounds}-b"])
            assert (one is None) == (two is None)


async def test_a_store_that_is_closed_says_so(file: Path) -> None:
    async with opened(file) as store:
        pass
    with pytest.raises(BackendUnavailable, match="the component was closed"):
        await store.get("key")


async def test_a_key_that_is_no_text_is_refused(file: Path) -> None:
    async with opened(file) as store:
        for call in (
            store.get("\ud800"),
            store.set(SetState("\ud800", b"1")),
            store.delete(DeleteState("\ud800")),
            store.set(SetState("key", b"\xff", is_json=True)),
        ):
            with pytest.raises(InvalidRequest, match="UTF-8"):
                await call


async def test_several_processes_write_one_file(file: Path) -> None:
    processes, rounds = 4, 50
    program = Path(__file__).parent / "programs" / "counting.py"
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, program, file, str(rounds), env={**os.environ, "PYTHONPATH": str(TESTS)}
        )
        for _ in range(processes)
    ]
    assert [await process.wait() for process in running] == [0] * processes
    async with opened(file) as store:
        found = await store.get("counter")
        assert found is not None
        assert found.data == str(processes * rounds).encode()


async def test_what_was_acknowledged_is_there_after_the_process_was_killed(file: Path) -> None:
    program = Path(__file__).parent / "programs" / "writing.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        program,
        file,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert process.stdout is not None
    line = b""
    for _ in range(50):
        line = await process.stdout.readline()
    process.kill()
    rest = (await process.stdout.read()).split()
    acknowledged = int(rest[-1]) if rest else int(line)
    await process.wait()
    async with opened(file) as store:
        for number in range(acknowledged + 1):
            pair = await store.get_many([f"{number}", f"{number}b"])
            assert [one and getattr(one, "data", one) for one in pair] == [str(number).encode()] * 2


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "key 'connectionString' is missing"),
        ({"connectionString": " "}, "must name a file"),
        ({"connectionString": "a", "url": "b"}, "'url'"),
        ({"url": "a.db?_pragma=busy_timeout(5)"}, "an option of another driver"),
        ({"url": "a.db", "timeout": "10ms"}, "must be at least 1s"),
        ({"url": "a.db", "timeout": "soon"}, "a duration such as 500ms, 20s or 1h30m"),
        ({"url": "a.db", "tableName": 'x"; DROP'}, "a name of a table"),
    ],
)
def test_what_cannot_be_used_is_refused(metadata: dict[str, object], message: str) -> None:
    spec = ComponentSpec(name="store", type="state.sqlite", metadata=metadata)
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        resolve(spec)


def test_the_settings_have_daprs_names() -> None:
    settings = SqliteSettings.model_validate(
        {
            "url": "data.db",
            "timeoutInSeconds": "30",
            "busyTimeout": "1500ms",
            "disableWAL": "true",
            "cleanupInterval": "-1",
        }
    )
    assert settings.timeout == timedelta(seconds=30)
    assert settings.busy_timeout == timedelta(seconds=1.5)
    assert settings.cleanup_interval == timedelta(0)
    assert settings.disable_wal
    assert settings.path == Path("data.db")
