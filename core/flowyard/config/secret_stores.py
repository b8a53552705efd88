"""Secret stores as components, in Dapr's shape: `secretstores.local.env` and `….local.file`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from flowyard.config.secrets import EnvironmentSecrets, FileSecrets, SecretStore
from flowyard.config.settings import read_settings
from flowyard.errors import ConfigurationError


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class EnvironmentSettings(_Settings):
    """Of `secretstores.local.env`: what the names of the variables begin with."""

    prefix: str = ""


class FileSettings(_Settings):
    """Of `secretstores.local.file`: the file, and how its nested keys are named."""

    secrets_file: Path
    nested_separator: str = ":"
    multi_valued: bool = False


SETTINGS: Mapping[str, type[BaseModel]] = {
    "secretstores.local.env": EnvironmentSettings,
    "secretstores.local.file": FileSettings,
}
"""The settings of each type."""


def secret_store(label: str, type_name: str, metadata: Mapping[str, object]) -> SecretStore:
    """Return the store of a component that another one names in `auth.secretStore`."""
    if type_name == "secretstores.local.env":
        return EnvironmentSecrets(read_settings(label, metadata, EnvironmentSettings).prefix)
    if type_name == "secretstores.local.file":
        settings = read_settings(label, metadata, FileSettings)
        return FileSecrets(settings.secrets_file, settings.nested_separator, settings.multi_valued)
    raise ConfigurationError(
        f"{label}: secrets of type {type_name} cannot be read here. "
        "Use secretstores.local.env or secretstores.local.file."
    )
