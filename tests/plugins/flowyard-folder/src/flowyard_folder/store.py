"""What the entry point `state.folder` names: a state store with a file for each value."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from flowyard.backend import (
    BackendUnavailable,
    ComponentContext,
    ComponentType,
    Concurrency,
    DeleteState,
    EtagMismatch,
    SetState,
    StateCapability,
    StateOptions,
    StateStore,
    StateValue,
    UnsupportedOperation,
    hookimpl,
    new_uuid,
    ttl_seconds,
)


class FolderSettings(BaseModel):
    """What `spec.metadata` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    path: str


class FolderState(StateStore):
    """Files, each of which has the ETag in its first line."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self._folder = folder

    async def get(
        self,
        key: str,
        *,
        options: StateOptions | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StateValue | None:
        return self._read(key)

    async def set(self, request: SetState) -> None:
        if ttl_seconds(request.metadata) is not None:
            raise UnsupportedOperation(self.name, "a time to live")
        self._check(request)
        # Nothing is awaited since the check: no other call of this process has come between.
        self._write(request.key, request.value)

    async def delete(self, request: DeleteState) -> None:
        self._check(request)
        self._file(request.key).unlink(missing_ok=True)

    def _check(self, request: SetState | DeleteState) -> None:
        found = self._read(request.key)
        is_first = request.options.concurrency is Concurrency.FIRST_WRITE
        if request.etag:
            if found is None or found.etag != request.etag:
                raise EtagMismatch(request.key)
        elif isinstance(request, SetState) and is_first and found is not None:
            raise EtagMismatch(request.key)

    def _file(self, key: str) -> Path:
        # A key may be any text, and the name of a file may not.
        return self._folder / sha256(key.encode()).hexdigest()

    def _read(self, key: str) -> StateValue | None:
        try:
            etag, _, value = self._file(key).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        return StateValue(value, etag.decode())

    def _write(self, key: str, value: bytes) -> None:
        file, new = self._file(key), self._folder / "new"
        try:
            with new.open("wb") as stream:
                stream.write(f"{new_uuid()}\n".encode() + value)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(file)
        except OSError as error:
            raise BackendUnavailable(f"{file} cannot be written: {error}") from error


@asynccontextmanager
async def open_folder(
    settings: FolderSettings, context: ComponentContext
) -> AsyncIterator[FolderState]:
    """Open the folder, made if need be."""
    folder = Path(settings.path)
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - before anything else runs
    yield FolderState(context.name, folder)


FOLDER = ComponentType(
    name="state.folder",
    settings=FolderSettings,
    open=open_folder,
    capabilities=frozenset({StateCapability.ETAG}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[FolderSettings, FolderState]:
    """Offer `state.folder`."""
    return FOLDER
