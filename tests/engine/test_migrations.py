"""Files of older versions are brought to the present tables when they are opened."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from engine.programs.dumped import A_MONTH, make_app
from flowyard import BackendUnavailable, InstanceQuery, WorkflowStatus
from flowyard.backend.history import EventRaised
from flowyard.testing import VirtualClock
from flowyard_engine import migrations

if TYPE_CHECKING:
    from engine.conftest import OpenRuntime, Query
    from flowyard import Runtime

FILES = Path(__file__).parent / "files"
A_MINUTE = timedelta(minutes=1)


class Restore(Protocol):
    """Makes the file of the test from one of the dumps."""

    def __call__(self, name: str) -> None: ...


@pytest.fixture
def restore(database: Path) -> Restore:
    def restore(name: str) -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript((FILES / f"{name}.sql").read_text())

    return restore


def tables_of(query: Query) -> list[tuple[object, ...]]:
    return query("SELECT name, sql FROM sqlite_master ORDER BY name")


async def test_a_new_file_has_the_latest_version(open_runtime: OpenRuntime, query: Query) -> None:
    async with open_runtime():
        pass
    assert query("PRAGMA user_version") == [(migrations.LATEST,)]


async def test_an_older_file_gets_what_has_come_since_and_keeps_the_rest(
    open_runtime: OpenRuntime, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_runtime():
        pass
    query("UPDATE lease SET fence = 41")
    a_trigger = """
        CREATE TABLE notes (text TEXT);
        -- One statement; and a trigger that has two.
        CREATE TRIGGER forget AFTER INSERT ON notes BEGIN
            DELETE FROM notes WHERE text = 'old';
            DELETE FROM notes WHERE text = '';
        END;
    """
    later = (a_trigger, "INSERT INTO notes VALUES (''), ('new')")
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, *later))
    latest = migrations.LATEST + 2
    monkeypatch.setattr(migrations, "LATEST", latest)
    monkeypatch.setattr("flowyard_engine.file.LATEST", latest)
    for _ in range(2):
        async with open_runtime():
            assert query("SELECT text FROM notes") == [("new",)]
            assert query("SELECT fence FROM lease") == [(41,)]
            assert query("PRAGMA user_version") == [(latest,)]


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    open_runtime: OpenRuntime, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_runtime():
        pass
    before = tables_of(query)
    latest = migrations.LATEST
    broken = (*migrations.MIGRATIONS, "CREATE TABLE notes (text TEXT);", "INSERT INTO nowhere;")
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", broken)
        patch.setattr("flowyard_engine.file.LATEST", latest + 2)
        with pytest.raises(BackendUnavailable, match="cannot be used"):
            async with open_runtime():
                pass
    assert tables_of(query) == before
    assert query("PRAGMA user_version") == [(latest,)]
    async with open_runtime() as runtime:
        assert not (await runtime.list(InstanceQuery())).instances


async def test_opening_an_up_to_date_file_takes_no_lock(
    open_runtime: OpenRuntime, database: Path
) -> None:
    async with open_runtime():
        pass
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with open_runtime() as runtime:
            assert not (await runtime.list(InstanceQuery())).instances


async def payments(runtime: Runtime, instance_id: str) -> list[object]:
    """Return what the events `pay` of an instance have brought, as its history has it."""
    history = await runtime.history(instance_id)
    raised = [event for event in history if isinstance(event, EventRaised)]
    return [json.loads(event.input or "null") for event in raised]


async def test_an_event_that_an_older_version_may_have_delivered_is_kept_and_said(
    open_runtime: OpenRuntime, restore: Restore, caplog: pytest.LogCaptureFixture
) -> None:
    restore("v1-delivered")
    expected: dict[str, list[object]] = {
        "once": [100, 100, "last"],
        "again": [100, 100, "last"],
        "same-again": [100, 100, 100],
        "other-again": [100, 100, 200],
        "closed": [100],
    }
    async with open_runtime(make_app()) as runtime:
        for instance_id, paid in expected.items():
            if "last" in paid:
                await runtime.raise_event(instance_id, "pay", "last")
            assert (await runtime.wait(instance_id, timeout=A_MINUTE)).result() == paid
            assert await payments(runtime, instance_id) == paid
    warnings = [
        record.getMessage().partition(" although")[0]
        for record in caplog.records
        if record.name == "flowyard_engine.doubtful_events"
    ]
    assert warnings == [
        f"instance '{instance_id}' is given event 'pay'"
        for instance_id in ("once", "again", "same-again", "other-again", "same-again")
    ]


async def test_a_file_is_not_migrated_while_an_older_version_runs_its_workflows(
    open_runtime: OpenRuntime, restore: Restore, query: Query
) -> None:
    restore("v1-states")
    renew = (
        "UPDATE lease SET owner = 'elsewhere/1', "
        "expires_at = max(expires_at + 1, (unixepoch() + 30) * 1000000)"
    )
    query(renew)

    async def renew_often() -> None:
        while True:  # as the process would that runs the workflows
            await asyncio.sleep(0.05)
            query(renew)

    renewing = asyncio.create_task(renew_often())
    with pytest.raises(BackendUnavailable, match=r"older version runs .*elsewhere/1.*stop that"):
        async with open_runtime():
            pass
    renewing.cancel()
    assert query("PRAGMA user_version") == [(1,)]


@pytest.mark.parametrize("seconds", [1, 3600])
async def test_a_file_is_migrated_once_the_lease_of_an_older_version_has_ended(
    open_runtime: OpenRuntime, restore: Restore, query: Query, seconds: int
) -> None:
    restore("v1-states")
    query(
        "UPDATE lease SET owner = 'elsewhere/1', expires_at = (unixepoch() + ?) * 1000000", seconds
    )
    async with open_runtime(leaseSeconds="0.5") as runtime:
        assert (await runtime.get("completed")).result() == ["a", "b"]


async def test_a_process_of_an_older_version_cannot_become_the_owner_any_more(
    open_runtime: OpenRuntime, query: Query
) -> None:
    async with open_runtime():
        pass
    of_version_1 = [
        "SELECT fence, expires_at, owner FROM lease",
        "UPDATE lease SET fence = fence + 1, expires_at = 0, owner = 'old'",
    ]
    for statement in of_version_1:
        with pytest.raises(sqlite3.OperationalError, match="no such column: owner"):
            query(statement)


async def test_who_has_the_file_open_leaves_it_to_a_later_version(
    open_runtime: OpenRuntime, query: Query
) -> None:
    async with open_runtime() as manager:
        store = manager.component()._store  # type: ignore[attr-defined]
        query("PRAGMA user_version = 999")
        with pytest.raises(BackendUnavailable, match="version 999"):
            await store.take_lease()


@pytest.mark.parametrize("name", ["v1-stuck-parent", "v1-stuck-parent-with-timer"])
async def test_a_parent_that_an_older_version_left_asleep_goes_on(
    open_runtime: OpenRuntime, restore: Restore, name: str
) -> None:
    restore(name)
    async with open_runtime(make_app()) as runtime:
        state = await runtime.wait("p", timeout=timedelta(seconds=5))
        assert state.result() == [20 * number for number in range(8)]


async def test_what_an_older_version_has_closed_is_still_told(
    open_runtime: OpenRuntime, restore: Restore
) -> None:
    restore("v1-states")
    async with open_runtime() as runtime:
        assert (await runtime.get("completed")).result() == ["a", "b"]
        assert await payments(runtime, "completed") == ["a", "b"]
        failed = await runtime.get("failed")
        assert failed.failure is not None
        assert failed.failure.message == "as it should"
        assert (await runtime.get("terminated")).status is WorkflowStatus.TERMINATED
        assert (await runtime.get("completed-parent")).result() == [0, 20]
        assert await runtime.purge("completed-parent") == 3
        page = await runtime.list(InstanceQuery(page_size=100))
        assert page.instances[0].instance_id == "left-start"
        assert page.instances[-1].instance_id == "completed"
        assert len(page.instances) == 17


async def test_instances_in_every_state_of_an_older_version_go_on(
    open_runtime: OpenRuntime, restore: Restore
) -> None:
    restore("v1-states")
    clock = VirtualClock()  # 2030: what was to happen in 2029 is due
    async with open_runtime(make_app(), clock=clock) as runtime:

        async def outcome(instance_id: str) -> object:
            return (await runtime.wait(instance_id, timeout=A_MINUTE)).result()

        assert await outcome("activity") == [1, 7]
        assert await outcome("left-start") == ["left too"]
        assert await outcome("timer") == "awake"
        assert await outcome("stalled") == [2, "while stalled"]
        await runtime.raise_event("event", "pay", "second")
        assert await outcome("event") == ["first", "second"]
        # An equal event that came while nobody owned the file is one more.
        await runtime.raise_event("same-event", "pay", "third")
        assert await outcome("same-event") == [100, 100, "third"]
        assert (await runtime.get("paused")).status is WorkflowStatus.SUSPENDED
        await runtime.resume("paused")
        assert await outcome("paused") == ["while paused"]
        for instance_id in ("looped", "continued", "delayed", "the-child"):
            await runtime.raise_event(instance_id, "pay", instance_id)
        assert await outcome("looped") == "looped"
        assert await outcome("continued") == "continued"
        assert await outcome("delayed") == ["delayed"]
        assert await outcome("child") == ["the-child"]
        assert (await runtime.get("long-delayed")).status is WorkflowStatus.PENDING
        assert (await runtime.get("far-timer")).status is WorkflowStatus.RUNNING
        clock.advance(12 * A_MONTH + A_MONTH)
        assert await outcome("long-delayed") == ["early"]
        clock.advance(1300 * A_MONTH)
        assert await outcome("far-timer") == "awake"
