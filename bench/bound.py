"""The bound: how fast plain Python on SQLite runs a chain of activities, without any feature.

Turns are computed on the event loop; a thread commits all that are waiting in one transaction and
then lets their activities run. No retries, timers, recovery, types or errors: nothing but the cost
that every durable engine in Python has to pay.
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

_SCHEMA = """
create table instance (
  id text primary key, name text, status int, input text, output text, created real, updated real
) without rowid;
create table history (id text, turn int, events blob, primary key (id, turn)) without rowid;
"""
_BATCH = 2000

Event = tuple[Any, ...]


class Step:
    """An activity that was called and has to be awaited."""

    __slots__ = ("is_complete", "result")

    def __init__(self) -> None:
        self.is_complete = False
        self.result: object = None

    def __await__(self) -> Generator[Step, None, object]:
        while not self.is_complete:
            yield self
        return self.result


class Calls:
    """What a workflow sees: the way to call an activity."""

    __slots__ = ("_count", "scheduled", "waiting")

    def __init__(self) -> None:
        self._count = 0
        self.waiting: dict[int, Step] = {}
        self.scheduled: list[tuple[int, str, object]] = []

    def call_activity(self, name: str, input: object) -> Step:
        step = self.waiting[self._count] = Step()
        self.scheduled.append((self._count, name, input))
        self._count += 1
        return step


Workflow = Callable[[Calls, object], Coroutine[Step, None, object]]
Activity = Callable[[object], Awaitable[object]]


class Run:
    """One running instance."""

    __slots__ = ("calls", "coroutine", "events", "id", "is_committing", "result", "turn")

    def __init__(self, workflow: Workflow, input: object, result: asyncio.Future[object]) -> None:
        self.id = uuid.uuid4().hex
        self.calls = Calls()
        self.coroutine = workflow(self.calls, input)
        self.events: list[Event] = []
        self.is_committing = False
        self.turn = 0
        self.result = result


# A turn on its way to the disk: new instance, changed instance, history, what to do afterwards.
Commit = tuple[Event | None, Event | None, Event, Callable[[], None]]


class Writer:
    """The only thread that writes: commits all waiting turns together."""

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Commit] = queue.SimpleQueue()
        self.put = self._queue.put
        self._path = path
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        database = sqlite3.connect(self._path, isolation_level=None)
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.executescript(_SCHEMA)
        while True:
            commits = [self._queue.get()]
            with suppress(queue.Empty):
                while len(commits) < _BATCH:
                    commits.append(self._queue.get_nowait())
            database.execute("begin immediate")
            database.executemany(
                "insert into instance values (?, ?, 0, ?, null, ?, ?)",
                [insert for insert, _, _, _ in commits if insert],
            )
            database.executemany(
                "update instance set status = ?, output = ?, updated = ? where id = ?",
                [update for _, update, _, _ in commits if update],
            )
            database.executemany(
                "insert into history values (?, ?, ?)", [history for _, _, history, _ in commits]
            )
            database.execute("commit")
            self._loop.call_soon_threadsafe(_release, commits)


def _release(commits: list[Commit]) -> None:
    for _, _, _, after in commits:
        after()


class Engine:
    """Starts instances and runs their turns and activities on the event loop."""

    def __init__(
        self, path: Path, workflows: dict[str, Workflow], activities: dict[str, Activity]
    ) -> None:
        self._writer = Writer(path)
        self._workflows = workflows
        self._activities = activities
        self._loop = asyncio.get_running_loop()

    def start(self, name: str, input: object) -> asyncio.Future[object]:
        run = Run(self._workflows[name], input, self._loop.create_future())
        now = time.time()
        insert = (run.id, name, json.dumps(input), now, now)
        self._take_turn(run, [("started", name, input, now)], insert)
        return run.result

    def _take_turn(self, run: Run, events: list[Event], insert: Event | None = None) -> None:
        run.is_committing = True
        for event in events:
            if event[0] == "completed":
                step = run.calls.waiting.pop(event[1])
                step.is_complete, step.result = True, event[2]
        is_complete, output = False, None
        try:
            run.coroutine.send(None)
        except StopIteration as stop:
            is_complete, output = True, stop.value
        scheduled, run.calls.scheduled = run.calls.scheduled, []
        decided = [*events, *(("scheduled", *step) for step in scheduled)]
        update: Event | None = None
        if insert is None:
            text = json.dumps(output) if is_complete else None
            update = (int(is_complete), text, time.time(), run.id)
        if is_complete:
            decided.append(("finished", output))

        def release() -> None:
            run.is_committing = False
            for number, name, value in scheduled:
                self._loop.create_task(self._run_activity(run, number, name, value))
            if is_complete:
                run.result.set_result(output)
            elif run.events:
                events, run.events = run.events, []
                self._take_turn(run, events)

        self._writer.put((insert, update, (run.id, run.turn, json.dumps(decided)), release))
        run.turn += 1

    async def _run_activity(self, run: Run, number: int, name: str, input: object) -> None:
        result = await self._activities[name](input)
        run.events.append(("completed", number, result))
        if not run.is_committing:
            events, run.events = run.events, []
            self._take_turn(run, events)
