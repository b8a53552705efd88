"""`bindings.localstorage`: files below a folder (docs/protocol.md §17)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from flowyard.backend import (
    Binding,
    BindingCapability,
    BindingFailed,
    BindingRequest,
    BindingResponse,
    ComponentContext,
    ComponentType,
    ConfigurationError,
    InvalidRequest,
    Machine,
    hookimpl,
)
from flowyard_blocks.bindings.confined_path import confined

T = TypeVar("T")

# What the system has there is no storage, and has secrets.
_REFUSED = ("/boot", "/proc", "/sys", "/var/run/secrets")
_FILE_MODE = 0o644


class LocalStorageSettings(BaseModel):
    """Where the files are."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)

    root_path: str


class LocalStorage(Binding):
    """Files of one folder."""

    def __init__(self, name: str, root: Path, machine: Machine) -> None:
        super().__init__(name)
        self._root = root
        self._machine = machine

    @property
    def operations(self) -> frozenset[str]:
        return frozenset({"create", "delete", "get", "list"})

    async def invoke(self, request: BindingRequest) -> BindingResponse:
        name = request.metadata.get("fileName", "")
        if "\0" in name:
            raise InvalidRequest("metadata 'fileName' has a NUL character")
        match request.operation:
            case "create":
                return await self._create(name or str(self._machine.new_uuid()), request.data)
            case "list":
                return await _in_thread(lambda: self._list(name))
            case _ if not name:
                raise InvalidRequest(
                    f"metadata 'fileName' is missing: it names the file to {request.operation}"
                )
            case "get":
                return await _in_thread(lambda: self._get(name))
            case _:
                return await _in_thread(lambda: self._delete(name))

    async def _create(self, name: str, data: bytes) -> BindingResponse:
        def write() -> BindingResponse:
            path = self._path(name)
            try:
                path.parent.mkdir(mode=0o777, parents=True, exist_ok=True)
                # Where a link has come to stand in the meantime, it is not followed.
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
                with os.fdopen(os.open(path, flags, _FILE_MODE), "wb") as file:
                    file.write(_decoded(data))
            except OSError as error:
                text = f"error creating file {path}: {error.strerror}"
                raise BindingFailed(text) from error
            answer = {"fileName": str(path.relative_to(self._root))}
            return BindingResponse(json.dumps(answer, ensure_ascii=False).encode())

        return await _in_thread(write)

    def _get(self, name: str) -> BindingResponse:
        path = self._path(name)
        try:
            return BindingResponse(path.read_bytes())
        except FileNotFoundError as error:
            raise BindingFailed(f"file not found: {path}") from error
        except OSError as error:
            raise BindingFailed(f"error reading file {path}: {error.strerror}") from error

    def _delete(self, name: str) -> BindingResponse:
        path = self._path(name)
        try:
            path.unlink()
        except OSError as error:
            raise BindingFailed(f"error deleting file {path}: {error.strerror}") from error
        return BindingResponse()

    def _list(self, name: str) -> BindingResponse:
        path = self._path(name)
        if path.exists() and not path.is_dir():
            raise BindingFailed(f"{path} is a file and not a directory, so nothing is listed")
        try:
            files = _files_below(path)
        except FileNotFoundError as error:
            raise BindingFailed(f"directory not found: {path}") from error
        except OSError as error:
            raise BindingFailed(f"error listing files in {path}: {error.strerror}") from error
        return BindingResponse(json.dumps(files or None, ensure_ascii=False).encode())

    def _path(self, name: str) -> Path:
        try:
            return confined(self._root, name)
        except OSError as error:
            raise BindingFailed(f"error getting absolute path for file {name}: {error}") from error


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, work)


def _files_below(folder: Path) -> list[str]:
    found: list[str] = []
    for path in sorted(folder.iterdir(), key=lambda path: os.fsencode(path.name)):
        if path.is_dir() and not path.is_symlink():
            found += _files_below(path)
        else:
            found.append(os.fsencode(path).decode("utf-8", "replace"))
    return found


def _decoded(data: bytes) -> bytes:
    """Return what a file is given: without the quotes of a string, and without base64."""
    unquoted = _unquoted(data)
    try:
        # As in Go, line breaks within are passed over.
        return base64.b64decode(unquoted.translate(None, b"\r\n"), validate=True)
    except binascii.Error:
        return unquoted


def _unquoted(data: bytes) -> bytes:
    if len(data) >= 2 and data[:1] == data[-1:] == b"`" and b"`" not in data[1:-1]:
        return data[1:-1].replace(b"\r", b"")
    if data[:1] != b'"':
        return data
    try:
        return str(json.loads(data)).encode()
    except ValueError:
        return data


@asynccontextmanager
async def _open(
    settings: LocalStorageSettings, context: ComponentContext
) -> AsyncIterator[LocalStorage]:
    root = await _in_thread(lambda: _made(settings.root_path, context.name))
    yield LocalStorage(context.name, root, context.machine)


def _made(given: str, name: str) -> Path:
    """Return the folder, which is made if need be; raise `ConfigurationError`."""
    root = Path(given).resolve()
    label = f"component '{name}': rootPath '{given}'"
    for refused in _REFUSED:
        if root.is_relative_to(Path(refused).resolve()):
            raise ConfigurationError(
                f"{label} is in {refused}, which is the system's own. Choose another folder."
            )
    try:
        root.mkdir(mode=0o777, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{label} cannot be made: {error.strerror}. Choose a folder that can."
        ) from error
    return root


LOCAL_STORAGE = ComponentType(
    name="bindings.localstorage",
    settings=LocalStorageSettings,
    open=_open,
    capabilities=frozenset({BindingCapability.OUTPUT}),
)


@hookimpl
def flowyard_component_type() -> ComponentType[LocalStorageSettings, LocalStorage]:
    """Offer `bindings.localstorage`."""
    return LOCAL_STORAGE
