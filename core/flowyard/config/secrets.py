"""Where `secretKeyRef` looks: the environment, or a JSON file in Dapr's shape."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flowyard.errors import ConfigurationError


class SecretStore(Protocol):
    """A place that holds secrets."""

    def read(self, name: str, key: str) -> str:
        """Return a value, or raise `ConfigurationError`. An empty one counts as missing."""
        ...


@dataclass(frozen=True, slots=True)
class EnvironmentSecrets:
    """Dapr's `secretstores.local.env`: the key is the name of an environment variable."""

    prefix: str = ""

    def read(self, name: str, key: str) -> str:
        """Return the variable's value."""
        value = os.environ.get(self.prefix + key)
        if not value:
            raise ConfigurationError(
                f"secret '{key}' was not found: set the environment variable {self.prefix}{key}."
            )
        return value


@dataclass(frozen=True, slots=True)
class FileSecrets:
    """Dapr's `secretstores.local.file`: a JSON file whose nested keys are joined.

    If `multi_valued`, its top-level keys are secrets with keys of their own.
    """

    path: Path
    nested_separator: str = ":"
    multi_valued: bool = False

    def read(self, name: str, key: str) -> str:
        """Return the value, reading the file anew so that a changed secret is seen."""
        secrets = self._load()
        if self.multi_valued:
            group = secrets.get(name)
            found = dict(self._flat("", group)) if isinstance(group, dict) else {name: group}
            value = found.get(key)
        else:
            value = dict(self._flat("", secrets)).get(name) if key == name else None
        if not isinstance(value, str) or not value:
            raise ConfigurationError(self._missing(name, key))
        return value

    def read_all(self) -> dict[str, dict[str, str]]:
        """Return every secret with its keys; one that has a single value has it by its name."""
        secrets = self._load()
        if not self.multi_valued:
            secrets = dict(self._flat("", secrets))
        found = {
            name: dict(self._flat("", value)) if isinstance(value, dict) else {name: value}
            for name, value in secrets.items()
        }
        return {
            name: {key: value for key, value in group.items() if isinstance(value, str)}
            for name, group in found.items()
        }

    def _missing(self, name: str, key: str) -> str:
        wanted = f"'{name}'" if key == name else f"'{name}' with key '{key}'"
        text = f"secret {wanted} was not found in {self.path.absolute()}: add it there."
        if key != name and not self.multi_valued:
            joined = f"{name}{self.nested_separator}{key}"
            text += (
                f" Or name a nested one '{joined}' without a key, "
                "or set multiValued to true in the secret store."
            )
        return text

    def _load(self) -> dict[str, object]:
        path = self.path.absolute()
        try:
            # Numbers stay as they are written: a PIN of 0.10 is not 0.1.
            secrets = json.loads(path.read_bytes(), parse_int=str, parse_float=str)
        except OSError as error:
            raise ConfigurationError(
                f"the secrets file {path} cannot be read: {error.strerror}. "
                "A relative secretsFile starts from the working directory."
            ) from error
        except (ValueError, RecursionError) as error:
            # A JSON error names a place only, never what stands there.
            raise ConfigurationError(
                f"the secrets file {path} is not JSON: {error}. Correct it."
            ) from error
        if not isinstance(secrets, dict):
            raise ConfigurationError(
                f'the secrets file {path} is not a JSON object. Write {{"name": "value"}} in it.'
            )
        return secrets

    def _flat(self, prefix: str, value: object) -> Iterator[tuple[str, object]]:
        """Yield every leaf with its path, as Dapr names it."""
        if isinstance(value, dict):
            children = [(str(key), value[key]) for key in value]
        elif isinstance(value, list):
            children = [(str(index), item) for index, item in enumerate(value)]
        else:
            yield prefix, value if not isinstance(value, bool) else str(value).lower()
            return
        for name, child in children:
            yield from self._flat(
                f"{prefix}{self.nested_separator}{name}" if prefix else name, child
            )


ENVIRONMENT = EnvironmentSecrets()


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A value of `ComponentSpec.metadata` that is read from a store when the component is opened.

    Attributes:
        name: The name of the secret.
        key: Its key, where the secret has several; by default the same as `name`.
        store: The store that has it; by default the environment, where the key is the name of a
            variable.

    Example:
        ```python
        metadata = {"apiKey": SecretRef("TEMPORAL_API_KEY")}
        ```
    """

    name: str
    key: str = ""
    store: SecretStore = ENVIRONMENT

    def read(self) -> str:
        """Return the secret, which is read each time.

        Raises:
            ConfigurationError: If it is missing or empty, or the store cannot be read.
        """
        return self.store.read(self.name, self.key or self.name)
