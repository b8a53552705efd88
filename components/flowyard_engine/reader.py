"""A connection that reads, and its thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

from flowyard.backend import BackendUnavailable
from flowyard_engine.file import connect, explain
from flowyard_engine.open_file import OpenFile
from flowyard_engine.settings import EngineSettings

T = TypeVar("T")

# How many are read before the first is answered: handing over costs more than most of them.
_MOST_TOGETHER = 16

_Job: TypeAlias = tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]
_Answer: TypeAlias = tuple[asyncio.Future[Any], Any, Exception | None]


class Reader:
    """Reads one thing after the other, beside the writer and other readers."""

    def __init__(self, settings: EngineSettings, file: OpenFile) -> None:
        self._settings = settings
        self._file = file
        self._connection = connect(settings)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="flowyard-reader")
        self._jobs: list[_Job] = []
        self._is_closed = False

    def close(self) -> None:
        """Finish what is being read, and close the connection."""
        self._is_closed = True
        self._thread.shutdown()
        self._connection.close()

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job; raises `BackendUnavailable` if the file cannot be read."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if not self._jobs:
            loop.call_soon(self._hand_over, loop)
        self._jobs.append((job, future))
        return await future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs, self._jobs = self._jobs, []
        if self._is_closed:
            error = BackendUnavailable(
                "the component was closed: open it again, and repeat the call"
            )
            _answer([(future, None, error) for _, future in jobs])
            return
        for start in range(0, len(jobs), _MOST_TOGETHER):
            self._thread.submit(self._read, loop, jobs[start : start + _MOST_TOGETHER])

    def _read(self, loop: asyncio.AbstractEventLoop, jobs: list[_Job]) -> None:
        answers = [(future, *self._outcome(job)) for job, future in jobs if not future.done()]
        loop.call_soon_threadsafe(_answer, answers)

    def _outcome(self, job: Callable[[sqlite3.Connection], Any]) -> tuple[Any, Exception | None]:
        connection = self._connection
        try:
            self._file.check()
            # One transaction: what is read together was true together.
            connection.execute("BEGIN")
            try:
                return job(connection), None
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except sqlite3.Error as error:
            text = explain(self._settings, error)
            unavailable = BackendUnavailable(f"the database could not be read: {text}")
            unavailable.__cause__ = error
            return None, unavailable
        except Exception as error:  # noqa: BLE001 - it belongs to who asked
            return None, error
        except BaseException as error:  # noqa: BLE001 - the thread goes on, and nobody hangs
            return None, BackendUnavailable(f"the database could not be read: {error!r}")


def _answer(answers: list[_Answer]) -> None:
    for future, result, error in answers:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
