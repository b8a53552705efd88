"""Tasks of Conductor's: polled, held, put off, ended."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from flowyard.backend import BackendUnavailable, Backoff
from flowyard_conductor.api.connection import Connection, Json
from flowyard_conductor.api.errors import Rejected

# An outage must not lose a result; whoever waits for it would rather wait.
_PATIENCE_SECONDS = 600.0
# How long a process that ends waits for the server, in seconds.
_LAST_WORDS_SECONDS = 5.0
# When a task was asked for, by our clock: its lease began no sooner.
_ASKED_FOR = "flowyardAskedFor"
_OPEN = ("SCHEDULED", "IN_PROGRESS")


class Hold:
    """A task that this process has polled, and until when it surely holds it.

    Once it may have lost the task it never knows again: the server acknowledges whatever is said
    of a task that it has given to somebody else, and does nothing.
    """

    def __init__(self, task: Json, lease_seconds: float) -> None:
        self.task = task
        self._lease_seconds = lease_seconds
        self._renewed = float(task[_ASKED_FOR])

    def renew(self, asked: float) -> None:
        """Note that the server was asked at that time for another lease, and has said yes."""
        if self.is_sure:
            self._renewed = asked

    @property
    def is_sure(self) -> bool:
        """Whether all that the server has acknowledged until now was in time."""
        return time.monotonic() - self._renewed < 0.8 * self._lease_seconds


class Tasks:
    """What a worker says to the server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lease_seconds = connection.settings.lease_seconds
        self.worker_id = f"{socket.gethostname()}-{os.getpid()}"
        self.held: dict[str, Json] = {}
        """All that this process has polled and not answered."""
        self._answering: set[asyncio.Task[object]] = set()
        self._expected: dict[str, asyncio.Event] = {}

    def expected(self, kind: str) -> asyncio.Event:
        """Return what is set whenever there may be a task of a type."""
        return self._expected.setdefault(kind, asyncio.Event())

    def expect(self, kind: str) -> None:
        """Have this process look for a task of a type at once, if it polls for them."""
        self.expected(kind).set()

    async def poll(self, kind: str, count: int) -> list[Json]:
        """Return tasks that are due; never waits for one."""
        asked = time.monotonic()
        tasks: list[Json] | None = await self._connection.call(
            "GET",
            f"/tasks/poll/batch/{kind}",
            # With a timeout the server would wait until the batch is full.
            query={"count": count, "timeout": 0, "workerid": self.worker_id},
        )
        return [{**task, _ASKED_FOR: asked} for task in tasks or ()]

    @asynccontextmanager
    async def hold(
        self, task: Json, on_canceled: Callable[[], None] | None = None
    ) -> AsyncIterator[Hold]:
        """Keep a task for as long as it takes, by extending its lease.

        `on_canceled` is called if it is found that the workflow was ended with the task.
        """
        hold = Hold(task, self._lease_seconds)
        self.held[task["taskId"]] = task
        ended = asyncio.Event()
        extending = asyncio.create_task(self._extend(hold, ended, on_canceled))
        try:
            yield hold
        finally:
            # One that is under way would write over the answer what the task was before.
            ended.set()
            await asyncio.gather(extending, return_exceptions=True)
            self.held.pop(task["taskId"], None)

    async def complete(
        self, task: Json, output: Json, failure: str | None = None, *, takes_next: bool = False
    ) -> Json | None:
        """End a task, however long the server is away.

        Returns the next task of its type if told to take one: the server waits a moment for that.
        """
        status = "COMPLETED" if failure is None else "FAILED_WITH_TERMINAL_ERROR"
        update = self._update(task, status, output, failure)
        path = "/tasks/update-v2" if takes_next else "/tasks"
        asked = time.monotonic()
        answering = asyncio.create_task(self._insistently(path, update))
        self._answering.add(answering)
        try:
            # It may hand out a task, which must not be lost if who waits for it is cut off.
            following = _following(await asyncio.shield(answering))
            return {**following, _ASKED_FOR: asked} if following is not None else None
        finally:
            if answering.done():
                self._answering.discard(answering)

    async def put_off(self, task: Json, seconds: float) -> None:
        """Have a task handed out again later."""
        body = {
            **self._update(task, "IN_PROGRESS", {}, None),
            "callbackAfterSeconds": round(seconds),
        }
        await self._insistently("/tasks", body)

    async def answered(self) -> list[Json]:
        """Wait for the answers to who was cut off, and return the tasks that they hand out."""
        if not self._answering:
            return []
        done, late = await asyncio.wait(self._answering, timeout=_LAST_WORDS_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._answering.clear()
        answers = [_following(task.result()) for task in done if task.exception() is None]
        return [answer for answer in answers if answer is not None]

    async def give_back(self, tasks: Sequence[Json]) -> None:
        """Have tasks handed out to others, for this process ends."""
        for task in tasks:
            body = {**self._update(task, "IN_PROGRESS", {}, None), "callbackAfterSeconds": 0}
            try:
                await self._connection.post("/tasks", body)
            except (Rejected, BackendUnavailable):
                # The server gives it to somebody else once the lease is out.
                continue

    async def open(self, workflow_id: str) -> list[Json]:
        """Return the tasks of a workflow that have not ended; none of an unknown one."""
        try:
            answer = await self._connection.get(
                f"/workflow/{workflow_id}/tasks", count=100, status=_OPEN
            )
        except Rejected as refusal:
            if refusal.is_not_found:
                return []
            raise
        results: list[Json] = answer["results"]
        return results

    async def complete_by_reference(self, workflow_id: str, reference: str, output: Json) -> bool:
        """End a task, whoever holds it; False if it is not open (any more)."""
        answer = await self._connection.post(f"/tasks/{workflow_id}/{reference}/COMPLETED", output)
        return bool(answer)

    async def pending(self, kind: str) -> list[Json]:
        """Return all tasks of a type that wait or are worked on."""
        found: list[Json] = await self._connection.get(f"/admin/task/{kind}", count=1000)
        return found

    async def requeue(self, task: Json) -> None:
        """Put a task into its queue again, whose message somebody has taken and lost."""
        now: Json = await self._connection.get(f"/tasks/{task['taskId']}")
        if any(now.get(key) != task.get(key) for key in ("status", "updateTime", "pollCount")):
            # Somebody has it after all.
            return
        body = {**self._update(task, "IN_PROGRESS", task.get("outputData") or {}, None)}
        await self._connection.post("/tasks", {**body, "callbackAfterSeconds": 0})

    async def decide(self, workflow_id: str) -> None:
        """Have the server look for tasks of a workflow whose leases are out."""
        await self._connection.call("PUT", f"/workflow/decide/{workflow_id}")

    def _update(self, task: Json, status: str, output: Json, failure: str | None) -> Json:
        update: Json = {
            "workflowInstanceId": task["workflowInstanceId"],
            "taskId": task["taskId"],
            "status": status,
            "outputData": output,
            "workerId": self.worker_id,
        }
        if failure is not None:
            update["reasonForIncompletion"] = failure[:500]
        return update

    async def _insistently(self, path: str, body: Json) -> object:
        backoff, deadline = Backoff(0.1, 1.0), time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return await self._connection.post(path, body)
            except Rejected as refusal:
                if refusal.is_not_found:
                    # The workflow was removed, and there is nothing to tell.
                    return None
                if not refusal.is_fault or time.monotonic() > deadline:
                    raise
            except BackendUnavailable:
                if time.monotonic() > deadline:
                    raise
            await backoff.sleep()

    async def _extend(
        self, hold: Hold, ended: asyncio.Event, on_canceled: Callable[[], None] | None
    ) -> None:
        task = hold.task
        update = {**self._update(task, "IN_PROGRESS", {}, None), "extendLease": True}
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.3 * self._lease_seconds):
                    await ended.wait()
                return
            asked = time.monotonic()
            try:
                await self._connection.post("/tasks", update)
                if on_canceled is not None and await self._is_canceled(task):
                    on_canceled()
                    return
            except (Rejected, BackendUnavailable):
                continue
            hold.renew(asked)

    async def _is_canceled(self, task: Json) -> bool:
        now: Json = await self._connection.get(f"/tasks/{task['taskId']}")
        return bool(now["status"] == "CANCELED")


def _following(answer: object) -> Json | None:
    """Return the task that an answer hands out."""
    return answer if isinstance(answer, dict) and answer.get("taskId") else None
