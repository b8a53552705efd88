"""The built-in secret stores, as the API serves them: the environment, and a JSON file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from flowyard.backend.component import ComponentContext, ComponentType
from flowyard.backend.secret_store import SecretCapability, SecretStore
from flowyard.config.secret_stores import EnvironmentSettings, FileSettings
from flowyard.config.secrets import FileSecrets
from flowyard.errors import SecretNotFound

# They guard Flowyard and the application: whoever may read secrets must not get them.
_WITHHELD = "APP_API_TOKEN"
_WITHHELD_PREFIX = "DAPR_"


class EnvironmentStore(SecretStore):
    """Environment variables; one that is not set is empty (docs/protocol.md §19)."""

    def __init__(self, name: str, prefix: str) -> None:
        super().__init__(name)
        self._prefix = prefix

    async def get(
        self, name: str, *, metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, str]:
        variable = self._prefix + name
        return {name: "" if _is_withheld(variable) else os.environ.get(variable, "")}

    async def get_all(
        self, *, metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, Mapping[str, str]]:
        found: dict[str, Mapping[str, str]] = {}
        for variable, value in os.environ.items():
            if variable.startswith(self._prefix):
                name = variable.removeprefix(self._prefix)
                found[name] = {name: "" if _is_withheld(variable) else value}
        return found


class FileStore(SecretStore):
    """A JSON file, which is read anew for each call."""

    def __init__(self, name: str, secrets: FileSecrets) -> None:
        super().__init__(name)
        self._secrets = secrets
        if secrets.multi_valued:
            self.capabilities = frozenset({SecretCapability.MULTIPLE_KEY_VALUES_PER_SECRET})

    async def get(
        self, name: str, *, metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, str]:
        found = self._secrets.read_all().get(name)
        if found is None:
            raise SecretNotFound(name)
        return found

    async def get_all(
        self, *, metadata: Mapping[str, str] | None = None
    ) -> Mapping[str, Mapping[str, str]]:
        return self._secrets.read_all()


@asynccontextmanager
async def _open_environment(
    settings: EnvironmentSettings, context: ComponentContext
) -> AsyncIterator[EnvironmentStore]:
    yield EnvironmentStore(context.name, settings.prefix)


@asynccontextmanager
async def _open_file(settings: FileSettings, context: ComponentContext) -> AsyncIterator[FileStore]:
    secrets = FileSecrets(settings.secrets_file, settings.nested_separator, settings.multi_valued)
    # A file that cannot be read is told at the start, and not at the first call.
    secrets.read_all()
    yield FileStore(context.name, secrets)


LOCAL_ENV = ComponentType(
    name="secretstores.local.env",
    settings=EnvironmentSettings,
    open=_open_environment,
    capabilities=frozenset[SecretCapability](),
)
LOCAL_FILE = ComponentType(
    name="secretstores.local.file",
    settings=FileSettings,
    open=_open_file,
    capabilities=frozenset[SecretCapability](),
)

SECRET_STORES: tuple[ComponentType[Any, Any], ...] = (LOCAL_ENV, LOCAL_FILE)
"""The types that need no plugin, because the configuration itself reads from them."""


def _is_withheld(variable: str) -> bool:
    name = variable.upper()
    return name == _WITHHELD or name.startswith(_WITHHELD_PREFIX)
