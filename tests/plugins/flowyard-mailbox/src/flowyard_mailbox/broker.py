"""`pubsub.mailbox`: a folder for each topic, and in it a file for each message."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from flowyard.backend import (
    BackendUnavailable,
    BackgroundTasks,
    ComponentContext,
    ComponentType,
    Delivery,
    Handler,
    Message,
    PubSub,
    hookimpl,
    new_uuid,
    redelivery_pause,
)

_AT_ONCE = 10


class MailboxSettings(BaseModel):
    """What `spec.metadata` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    path: str


class _Topic:
    """The files of a topic, called ID.ATTEMPT, and a queue of those that may be delivered."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self.files: asyncio.Queue[Path] = asyncio.Queue()
        for file in sorted(folder.glob("*.*"), key=lambda file: file.stat().st_mtime_ns):
            self.files.put_nowait(file)

    def write(self, data: bytes, metadata: Mapping[str, str]) -> None:
        """Add a message, of which either all is on the disk or nothing counts."""
        new, file = self._folder / "new", self._folder / f"{new_uuid()}.1"
        with new.open("wb") as stream:
            stream.write(json.dumps(dict(metadata)).encode() + b"\n" + data)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(file)
        self.files.put_nowait(file)

    def read(self, file: Path) -> Message:
        """Return what a file has."""
        metadata, _, data = file.read_bytes().partition(b"\n")
        return Message(self.name, data, file.stem, int(file.suffix[1:]), json.loads(metadata))


class Mailbox(PubSub):
    """Topics that one process publishes to and subscribes to."""

    def __init__(self, folder: Path, context: ComponentContext) -> None:
        super().__init__(context.name)
        self._folder = folder
        self._clock = context.clock
        self._logger: logging.Logger = context.logger
        self._topics: dict[str, _Topic] = {}

    async def publish(self, topic: str, data: bytes, metadata: Mapping[str, str]) -> None:
        try:
            self._topic(topic).write(data, metadata)
        except OSError as error:
            raise BackendUnavailable(f"{self._folder} cannot be written: {error}") from error

    @asynccontextmanager
    async def subscribe(
        self, topic: str, handler: Handler, metadata: Mapping[str, str]
    ) -> AsyncIterator[None]:
        tasks = BackgroundTasks()
        for _ in range(_AT_ONCE):
            tasks.run(self._deliver(self._topic(topic), handler))
        try:
            yield
        finally:
            await asyncio.gather(*tasks.cancel(), return_exceptions=True)

    def _topic(self, name: str) -> _Topic:
        if name not in self._topics:
            # A topic may have any name, and a folder may not.
            folder = self._folder / sha256(name.encode()).hexdigest()
            self._topics[name] = _Topic(name, folder)
        return self._topics[name]

    async def _deliver(self, topic: _Topic, handler: Handler) -> None:
        while True:
            file = await topic.files.get()
            message = topic.read(file)
            outcome = Delivery.RETRY
            try:
                outcome = await handler(message)
            except asyncio.CancelledError:
                # The end of the subscription is no answer.
                topic.files.put_nowait(file)
                raise
            except Exception:
                self._logger.exception("a message of topic '%s' was not taken", topic.name)
            if outcome is Delivery.DONE:
                file.unlink()
            else:
                self._put_later(topic, file, message.attempt)

    def _put_later(self, topic: _Topic, file: Path, attempt: int) -> None:
        again = file.rename(file.with_suffix(f".{attempt + 1}"))
        when = self._clock.now() + int(redelivery_pause(attempt) * 1e6)
        self._clock.call_at(when, lambda: topic.files.put_nowait(again))


@asynccontextmanager
async def open_mailbox(
    settings: MailboxSettings, context: ComponentContext
) -> AsyncIterator[Mailbox]:
    """Open the folder, made if need be."""
    folder = Path(settings.path)
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - before anything else runs
    yield Mailbox(folder, context)


MAILBOX = ComponentType(
    name="pubsub.mailbox", settings=MailboxSettings, open=open_mailbox, capabilities=frozenset()
)


@hookimpl
def flowyard_component_type() -> ComponentType[MailboxSettings, Mailbox]:
    """Offer `pubsub.mailbox`."""
    return MAILBOX
