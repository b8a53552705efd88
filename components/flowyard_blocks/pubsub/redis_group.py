"""One stream of Redis, read as a consumer group: what is delivered stays there until it is taken.

Its commands are those of Redis 5. Consumers have the name of their group, as Dapr's have, so what
another process has in hand is told by the time since it was last claimed: whoever has a message
claims it again before that time is over.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from flowyard.backend import (
    BackgroundTasks,
    Backoff,
    ComponentContext,
    Delivery,
    FlowyardError,
    Handler,
    Message,
    redelivery_pause,
)
from flowyard_blocks.redis.connection import RedisConnection

# Shorter than the read timeout of the connection, whose end would be taken for a failure.
_BLOCK_MS = 1000
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
_MOST_CLAIMED = 1000
_CANCEL_SECONDS = 0.1
# How long, at the end, Redis has to hear of what was taken.
_SETTLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Reading:
    """How a stream is read.

    Attributes:
        group: The consumer group, and the name of its consumers.
        queue_depth: How many messages are read at once.
        concurrency: How many the handler gets at once.
        processing_timeout: How long it may take for one, in seconds; 0 for any time.
        redeliver_interval: How often what a process has left is looked for, in seconds; 0 for
            never.
    """

    group: str
    queue_depth: int
    concurrency: int
    processing_timeout: float
    redeliver_interval: float


@dataclass(slots=True)
class Readers:
    """Who reads one stream in this process, and what the last of them has left behind.

    Messages are known by their IDs, with the number of the delivery that comes next.
    """

    groups: list[StreamGroup] = field(default_factory=list)
    left: dict[bytes, int] = field(default_factory=dict)


class _NoGroup(Exception):
    """The stream, or its consumer group, is gone."""


class _GroupExists(Exception):
    """The consumer group is there already."""


class StreamGroup:
    """Reads a stream, and has a handler take its messages.

    Args:
        connection: The connection, of which the group has one for itself.
        topic: The stream.
        handler: Takes a message, and says what becomes of it.
        how: The settings.
        context: The logger and the name of the component.
        readers: Who else reads the stream in this process.
    """

    def __init__(
        self,
        connection: RedisConnection,
        topic: str,
        handler: Handler,
        how: Reading,
        context: ComponentContext,
        readers: Readers,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._handler = handler
        self._how = how
        self._name = context.name
        self._logger = context.logger
        self._readers = readers
        self._slots = asyncio.Semaphore(how.concurrency)
        self._in_hand = 0
        self._room = asyncio.Event()
        self._tasks = BackgroundTasks()
        self._taken = BackgroundTasks()
        self.held: dict[bytes, int] = {}
        """What it has in hand, or will deliver again, as `Readers` has it."""

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read until the end of the block; the group is there when it begins."""
        await self._make_group()
        how = self._how
        self._tasks.run(self._lasting(self._read, 0))
        if how.processing_timeout:
            self._tasks.run(self._lasting(self._keep, how.processing_timeout / 3))
        if how.processing_timeout and how.redeliver_interval:
            self._tasks.run(self._lasting(self._reclaim, how.redeliver_interval))
        self._readers.groups.append(self)
        self.take_over(self._readers.left)
        try:
            yield
        finally:
            self._readers.groups.remove(self)
            # Again and again: redis-py may take a cancellation for a lost connection.
            while self._tasks:
                await asyncio.wait(self._tasks.cancel(), timeout=_CANCEL_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(_SETTLE_SECONDS):
                    await self._taken.wait()
            while self._taken:
                await asyncio.wait(self._taken.cancel(), timeout=_CANCEL_SECONDS)
            if self._readers.groups:
                self._readers.groups[0].take_over(self.held)
            else:
                self._readers.left.update(self.held)

    def take_over(self, messages: dict[bytes, int]) -> None:
        """Deliver what another reader had in hand."""
        for entry_id, attempt in messages.items():
            self.held[entry_id] = attempt
            self._tasks.run(self._deliver_again(entry_id, attempt, 0.0))
        messages.clear()

    async def _lasting(self, work: Callable[[], Awaitable[None]], interval: float) -> None:
        """Do something again and again, also after Redis was away."""
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        is_told = False
        while True:
            try:
                await work()
            except _NoGroup:
                await backoff.sleep()
                await self._until_done(self._make_group)
            except FlowyardError as error:
                if not is_told:
                    is_told = True
                    self._logger.warning("topic '%s' waits: %s", self._topic, error)
                await backoff.sleep()
            except Exception:
                self._logger.exception("topic '%s' cannot be read", self._topic)
                await backoff.sleep()
            else:
                is_told = False
                backoff.reset()
                await asyncio.sleep(interval)

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                return await work()
            except FlowyardError:
                await backoff.sleep()

    async def _read(self) -> None:
        """Begin with new messages, once there are any, and room for one."""
        while (free := self._how.concurrency - self._in_hand) <= 0:
            self._room.clear()
            await self._room.wait()
        how = self._how
        streams = await self._command(
            *("XREADGROUP", "GROUP", how.group, how.group),
            *("COUNT", min(free, how.queue_depth), "BLOCK", _BLOCK_MS),
            *("STREAMS", self._topic, ">"),
        )
        for _, answer in streams or ():
            for entry_id, fields in _entries(answer).items():
                self._begin(entry_id, fields, 1)

    async def _reclaim(self) -> None:
        """Begin with what another process, or an earlier one, has had in hand for too long."""
        first = "-"
        longest_ms = int(self._how.processing_timeout * 1000)
        while True:
            pending = await self._command(
                "XPENDING", self._topic, self._how.group, first, "+", self._how.queue_depth
            )
            idle = {
                entry_id: count + 1
                for entry_id, _, idle_ms, count in pending
                if idle_ms >= longest_ms and entry_id not in self._all_held()
            }
            if idle:
                await self._claim(idle, longest_ms)
            if len(pending) < self._how.queue_depth:
                return
            first = _after(pending[-1][0])

    def _all_held(self) -> set[bytes]:
        return {entry_id for group in self._readers.groups for entry_id in group.held}

    async def _claim(self, idle: Mapping[bytes, int], longest_ms: int) -> None:
        group = self._how.group
        claimed = _entries(
            await self._command("XCLAIM", self._topic, group, group, longest_ms, *idle)
        )
        for entry_id, fields in claimed.items():
            self._begin(entry_id, fields, idle[entry_id])
        for entry_id in idle.keys() - claimed.keys():
            if not await self._command("XRANGE", self._topic, entry_id, entry_id):
                await self._acknowledge(entry_id)  # removed, by a limit of the stream

    async def _keep(self) -> None:
        """Claim again what is in hand, so that no other process takes it."""
        held, group = list(self.held), self._how.group
        for start in range(0, len(held), _MOST_CLAIMED):
            some = held[start : start + _MOST_CLAIMED]
            await self._command("XCLAIM", self._topic, group, group, 0, *some, "JUSTID")

    def _begin(self, entry_id: bytes, fields: Mapping[bytes, bytes], attempt: int) -> None:
        self.held[entry_id] = attempt
        self._in_hand += 1
        message = Message(
            self._topic,
            fields.get(b"data", b""),
            entry_id.decode(),
            attempt,
            self._metadata(fields.get(b"metadata", b"")),
        )
        self._tasks.run(self._deliver(entry_id, message))

    def _metadata(self, text: bytes) -> Mapping[str, str]:
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self._logger.warning("topic '%s': metadata of a message is not JSON", self._topic)
            return {}
        return {key: value for key, value in found.items() if isinstance(value, str)}

    async def _deliver(self, entry_id: bytes, message: Message) -> None:
        try:
            async with self._slots:
                outcome = await self._outcome(message)
                if outcome is Delivery.DONE:
                    # It was taken, also if the subscription ends at this moment.
                    await asyncio.shield(self._taken.run(self._settle(entry_id)))
        finally:
            self._in_hand -= 1
            self._room.set()
        if outcome is not Delivery.DONE:
            self.held[entry_id] = message.attempt + 1
            pause = redelivery_pause(message.attempt)
            self._tasks.run(self._deliver_again(entry_id, message.attempt + 1, pause))

    async def _settle(self, entry_id: bytes) -> None:
        await self._until_done(lambda: self._acknowledge(entry_id))
        self.held.pop(entry_id, None)

    async def _outcome(self, message: Message) -> Delivery:
        limit = self._how.processing_timeout
        try:
            async with asyncio.timeout(limit or None):
                return await self._handler(message)
        except TimeoutError:
            self._logger.warning(
                "message %s of topic '%s' was not taken within %g s (processingTimeout)",
                message.id,
                self._topic,
                limit,
            )
        except Exception:
            self._logger.exception(
                "message %s of topic '%s' was not taken", message.id, self._topic
            )
        return Delivery.RETRY

    async def _deliver_again(self, entry_id: bytes, attempt: int, pause: float) -> None:
        await asyncio.sleep(pause)

        async def begin() -> None:
            group = self._how.group
            try:
                found = await self._command(
                    *("XCLAIM", self._topic, group, group, 0, entry_id),
                    *("RETRYCOUNT", attempt, "FORCE"),
                )
            except _NoGroup:
                found = ()
            claimed = _entries(found)
            if entry_id in claimed:
                self._begin(entry_id, claimed[entry_id], attempt)
                return
            # It is not in the stream any more.
            await self._acknowledge(entry_id)
            self.held.pop(entry_id, None)

        await self._until_done(begin)

    async def _acknowledge(self, entry_id: bytes) -> None:
        await self._command("XACK", self._topic, self._how.group, entry_id)

    async def _make_group(self) -> None:
        with suppress(_GroupExists):
            await self._command("XGROUP", "CREATE", self._topic, self._how.group, "0", "MKSTREAM")

    async def _command(self, name: str, *parts: str | bytes | int) -> Any:
        """Return the answer as it comes over the connection."""
        try:
            with self._connection.told():
                # The client, which reads answers differently by its versions, does not know the
                # command as bytes.
                return await self._connection.client.execute_command(  # type: ignore[no-untyped-call]
                    name.encode(), *parts
                )
        except FlowyardError as error:
            said = str(error.__cause__)
            if said.startswith("NOGROUP"):
                raise _NoGroup from error
            if said.startswith("BUSYGROUP"):
                raise _GroupExists from error
            raise


def _entries(answer: Sequence[Any]) -> dict[bytes, Mapping[bytes, bytes]]:
    """Return the fields of entries by their IDs; before Redis 7, None stands for one removed."""
    found: dict[bytes, Mapping[bytes, bytes]] = {}
    for entry in answer:
        if entry is not None and entry[1] is not None:
            entry_id, flat = entry
            found[entry_id] = dict(zip(flat[::2], flat[1::2], strict=True))
    return found


def _after(entry_id: bytes) -> str:
    """Return the ID that follows."""
    milliseconds, _, number = entry_id.decode().partition("-")
    return f"{milliseconds}-{int(number) + 1}"
