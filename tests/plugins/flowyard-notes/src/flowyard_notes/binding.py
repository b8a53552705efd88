"""`bindings.notes`: notes in memory, which are handed over as events, too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict, PositiveInt
from pydantic.alias_generators import to_camel

from flowyard.backend import (
    BackgroundTasks,
    Binding,
    BindingCapability,
    BindingEvent,
    BindingFailed,
    BindingRequest,
    BindingResponse,
    ComponentContext,
    ComponentType,
    FlowyardError,
    hookimpl,
)


class NotesSettings(BaseModel):
    """What `spec.metadata` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    most_notes: PositiveInt = 1000


class Notes(Binding):
    """A list of notes."""

    def __init__(self, settings: NotesSettings, context: ComponentContext) -> None:
        super().__init__(context.name)
        self._most = settings.most_notes
        self._logger = context.logger
        self._notes: list[str] = []
        self._readers: list[asyncio.Queue[BindingEvent]] = []

    @property
    def operations(self) -> frozenset[str]:
        return frozenset({"create", "get", "list"})

    async def invoke(self, request: BindingRequest) -> BindingResponse:
        match request.operation:
            case "create":
                return self._create(request.data)
            case "list":
                return BindingResponse(json.dumps(self._notes).encode())
        number = request.metadata.get("number", "")
        if not number.isdecimal() or int(number) >= len(self._notes):
            raise BindingFailed(f"there is no note {number!r}")
        return BindingResponse(self._notes[int(number)].encode())

    def _create(self, data: bytes) -> BindingResponse:
        if len(self._notes) >= self._most:
            raise BindingFailed(f"there are {self._most} notes already")
        self._notes.append(data.decode("utf-8", "replace"))
        number = str(len(self._notes) - 1)
        for reader in self._readers:
            reader.put_nowait(BindingEvent(data, {"number": number}))
        return BindingResponse(metadata={"number": number})

    @asynccontextmanager
    async def read(self, handler: Callable[[BindingEvent], Awaitable[None]]) -> AsyncIterator[None]:
        events: asyncio.Queue[BindingEvent] = asyncio.Queue()
        self._readers.append(events)
        tasks = BackgroundTasks()
        tasks.run(self._hand_over(events, handler))
        try:
            yield
        finally:
            self._readers.remove(events)
            await asyncio.gather(*tasks.cancel(), return_exceptions=True)

    async def _hand_over(
        self,
        events: asyncio.Queue[BindingEvent],
        handler: Callable[[BindingEvent], Awaitable[None]],
    ) -> None:
        while True:
            event = await events.get()
            try:
                await handler(event)
            except FlowyardError as error:
                self._logger.warning("note %s was not taken: %s", event.metadata["number"], error)


@asynccontextmanager
async def open_notes(settings: NotesSettings, context: ComponentContext) -> AsyncIterator[Notes]:
    """Open the component; its notes end with it."""
    yield Notes(settings, context)


NOTES = ComponentType(
    name="bindings.notes",
    settings=NotesSettings,
    open=open_notes,
    capabilities=frozenset({BindingCapability.INPUT, BindingCapability.OUTPUT}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[NotesSettings, Notes]:
    """Offer `bindings.notes`."""
    return NOTES
