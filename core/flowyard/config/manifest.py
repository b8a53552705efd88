"""One component as a YAML document describes it, in Dapr's shape and checked for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from flowyard.config.subscriptions import Subscription, read_subscription
from flowyard.config.yaml import read_documents
from flowyard.errors import ConfigurationError, nearest

logger = logging.getLogger(__name__)

API_VERSION = "dapr.io/v1alpha1"

# What else Dapr keeps in the folder of its components.
_OTHER_KINDS = frozenset({"Configuration", "HTTPEndpoint", "MCPServer", "Resiliency"})

# What the name of a type may begin with.
_BLOCKS = frozenset({"bindings", "pubsub", "secretstores", "state", "workflow", "workflows"})


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        # `metadata:` with nothing behind it means that there is none.
        if isinstance(value, dict):
            return {key: item for key, item in value.items() if item is not None}
        return value


class SecretKeyRef(_Shape):
    """Where a value comes from."""

    name: str
    key: str = ""


class Item(_Shape):
    """One entry of `spec.metadata`."""

    name: str
    value: Any = None
    secret_key_ref: SecretKeyRef | None = None
    env_ref: str | None = None


class Spec(_Shape):
    """What kind of component it is, and its settings."""

    type: str
    version: str = "v1"
    metadata: list[Item] = Field(default_factory=list)
    ignore_errors: str | None = None
    init_timeout: str | None = None


class _Metadata(_Shape):
    model_config = ConfigDict(extra="ignore")  # labels, annotations and what else Kubernetes adds

    name: str


class _Auth(_Shape):
    secret_store: str = ""


class _Document(_Shape):
    api_version: str
    kind: str
    metadata: _Metadata
    spec: Spec
    auth: _Auth = Field(default_factory=_Auth)
    scopes: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A document of a component, whole and of the right shape."""

    name: str
    spec: Spec
    secret_store: str
    scopes: tuple[str, ...]
    source: Path


def read_manifests(path: Path) -> tuple[list[Manifest], list[Subscription], list[str]]:
    """Read a file, or the *.yaml and *.yml files of a folder by name; raise `ConfigurationError`.

    Returns also the subscriptions, and what was skipped, in words: components of blocks that
    Flowyard does not have, and Dapr's other kinds in a folder.
    """
    is_folder = path.is_dir()
    manifests: list[Manifest] = []
    subscriptions: list[Subscription] = []
    skipped: list[str] = []
    for file in _files(path) if is_folder else [path]:
        documents = read_documents(file)
        for number, document in enumerate(documents, start=1):
            where = str(file) if len(documents) == 1 else f"{file}: document {number}"
            if document is None:
                continue
            if isinstance(document, Mapping) and document.get("kind") == "Subscription":
                subscriptions.append(read_subscription(document, where, file))
                continue
            foreign = _foreign(document, where, is_folder=is_folder)
            if foreign:
                logger.info("%s: skipped %s, which Flowyard does not use", where, foreign)
                skipped.append(foreign)
            else:
                manifests.append(_parse(document, where, file))
    return manifests, subscriptions, skipped


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if path.suffix in {".yaml", ".yml"}
            and not path.name.startswith(".")
            and not path.is_dir()
        )
    except OSError as error:
        raise ConfigurationError(
            f"{folder}: the folder cannot be read: {error.strerror}. Check its permissions."
        ) from error


def _foreign(document: object, where: str, *, is_folder: bool) -> str | None:
    """Say in words what the document is if it is other people's; refuse what is nobody's."""
    if not isinstance(document, Mapping):
        raise ConfigurationError(
            f"{where}: not a component. Write a mapping with apiVersion, kind, metadata and spec."
        )
    kind = document.get("kind")
    if kind != "Component":
        if is_folder and kind in _OTHER_KINDS:
            return f"a document of kind {kind}"
        said = f"kind is '{kind}'" if isinstance(kind, str) else "kind is missing"
        raise ConfigurationError(f"{where}: {said}. Write 'kind: Component'.")
    version = document.get("apiVersion")
    if version != API_VERSION:
        said = f"apiVersion is '{version}'" if isinstance(version, str) else "apiVersion is missing"
        raise ConfigurationError(f"{where}: {said}. Write 'apiVersion: {API_VERSION}'.")
    spec = document.get("spec")
    of_type = spec.get("type") if isinstance(spec, Mapping) else None
    if not isinstance(of_type, str):
        return None
    if of_type.partition(".")[0].strip().lower() in _BLOCKS:
        return None
    return f"component '{_name(document)}' of type '{of_type}'"


def _parse(document: object, where: str, source: Path) -> Manifest:
    try:
        parsed = _Document.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
    else:
        manifest = Manifest(
            parsed.metadata.name,
            parsed.spec,
            parsed.auth.secret_store,
            tuple(parsed.scopes),
            source,
        )
        _say_what_has_no_effect(manifest, parsed)
        return manifest
    # Outside of the handler, so that no chained message shows a value.
    label = f"{where}: component '{_name(document)}'" if _name(document) else where
    raise ConfigurationError(f"{label}: {' '.join(_explain(fault, document) for fault in faults)}")


def _say_what_has_no_effect(manifest: Manifest, parsed: _Document) -> None:
    written = {
        "spec.ignoreErrors": parsed.spec.ignore_errors,
        "spec.initTimeout": parsed.spec.init_timeout,
    }
    for key in (key for key, value in written.items() if value):
        logger.info(
            "%s: component '%s': %s is a setting of Dapr's that has no effect here",
            manifest.source,
            manifest.name,
            key,
        )


def _name(document: object) -> str:
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""


def _explain(fault: ErrorDetails, document: object) -> str:
    place = _place(fault, document)
    if fault["type"] == "missing":
        return f"{place} is missing. Add it."
    if fault["type"] == "extra_forbidden":
        return f"{place} is not known. {nearest(str(fault['loc'][-1]), _siblings(fault))}"
    if fault["type"] == "list_type" and fault["loc"] == ("spec", "metadata"):
        return f"{place} is not a list. Write '- name: …' and 'value: …' for each key."
    return f"{place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}. Correct it."


def _place(fault: ErrorDetails, document: Any) -> str:
    """Return the path as a reader sees it, with the key's name where the entry has one."""
    loc = fault["loc"]
    if len(loc) < 3 or loc[:2] != ("spec", "metadata"):
        return ".".join(str(part) for part in loc) or "the document"
    entry = document["spec"]["metadata"][loc[2]]
    name = entry.get("name") if isinstance(entry, Mapping) else None
    rest = ".".join(str(part) for part in loc[3:])
    if not isinstance(name, str):
        entry_number = f"entry {int(loc[2]) + 1} of spec.metadata"
        return f"{rest} in {entry_number}" if rest else entry_number
    return f"key '{name}': {rest}" if rest else f"key '{name}'"


_MODELS: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): _Document,
    ("spec",): Spec,
    ("spec", "metadata"): Item,
    ("spec", "metadata", "secretKeyRef"): SecretKeyRef,
    ("auth",): _Auth,
}


def _siblings(fault: ErrorDetails) -> list[str]:
    parent = tuple(part for part in fault["loc"][:-1] if isinstance(part, str))
    return [to_camel(name) for name in _MODELS[parent].model_fields]
