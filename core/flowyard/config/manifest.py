"""One component as a YAML document describes it, in Dapr's shape and checked for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from flowyard.backend.durations import parse_duration
from flowyard.config.http_endpoints import KIND as HTTP_ENDPOINT
from flowyard.config.subscriptions import KIND as SUBSCRIPTION
from flowyard.config.subscriptions import Subscription, read_subscription
from flowyard.config.yaml import read_documents
from flowyard.errors import ConfigurationError, nearest

logger = logging.getLogger(__name__)

API_VERSION = "dapr.io/v1alpha1"

# What else Dapr keeps in the folder of its components.
_OTHER_KINDS = frozenset({"Configuration", "MCPServer", "Resiliency"})

_POLICY = "WorkflowAccessPolicy"

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
    ignore_errors: Literal["true", "false", ""] = "false"
    init_timeout: timedelta | None = None

    @field_validator("ignore_errors", mode="before")
    @classmethod
    def _truth(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("init_timeout", mode="before")
    @classmethod
    def _as_go_writes_it(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        duration = parse_duration(value) if value else None
        if duration is not None and duration < timedelta(0):
            raise ValueError("a duration that is negative")
        return duration


class Metadata(_Shape):
    """What a document is called."""

    model_config = ConfigDict(extra="ignore")  # labels, annotations and what else Kubernetes adds

    name: str


class Auth(_Shape):
    """Where the secrets of a document are."""

    secret_store: str = ""


class _Document(_Shape):
    api_version: str
    kind: str
    metadata: Metadata
    spec: Spec
    auth: Auth = Field(default_factory=Auth)
    scopes: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Policy:
    """A document that restricts callers, in words, and the applications that it protects."""

    text: str
    scopes: tuple[str, ...]

    def restricts(self, app_id: str | None) -> bool:
        """Whether it is for an application; with None, for any."""
        return not self.scopes or app_id is None or app_id in self.scopes


@dataclass(frozen=True, slots=True)
class Manifest:
    """A document of a component, whole and of the right shape."""

    name: str
    spec: Spec
    secret_store: str
    scopes: tuple[str, ...]
    source: Path


@dataclass(frozen=True, slots=True)
class Document:
    """A document of another kind, and where it was found."""

    content: Mapping[str, object]
    where: str
    source: Path


@dataclass(frozen=True, slots=True)
class Documents:
    """What a file or a folder has.

    Attributes:
        components: The documents of components.
        endpoints: Those of kind HTTPEndpoint, as they stand there.
        policies: Those that restrict callers.
        subscriptions: Those of kind Subscription.
        skipped: What was skipped, in words: components of blocks that Flowyard does not have, and
            Dapr's other kinds in a folder.
    """

    components: list[Manifest] = field(default_factory=list)
    endpoints: list[Document] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def read_manifests(path: Path) -> Documents:
    """Read a file, or the *.yaml and *.yml files of a folder, by their names.

    Raises `ConfigurationError`.
    """
    is_folder = path.is_dir()
    found = Documents()
    for file in _files(path) if is_folder else [path]:
        documents = read_documents(file)
        for number, document in enumerate(documents, start=1):
            where = str(file) if len(documents) == 1 else f"{file}: document {number}"
            if document is None:
                continue
            kind = document.get("kind") if isinstance(document, Mapping) else None
            if isinstance(document, Mapping) and kind == HTTP_ENDPOINT:
                found.endpoints.append(Document(document, where, file))
                continue
            if isinstance(document, Mapping) and kind == SUBSCRIPTION:
                found.subscriptions.append(read_subscription(document, where, file))
                continue
            if isinstance(document, Mapping) and kind == _POLICY:
                found.policies.append(_policy(document, where))
                continue
            foreign = _foreign(document, where, is_folder=is_folder)
            if foreign:
                logger.info("%s: skipped %s, %s", where, foreign, _why_skipped(document))
                found.skipped.append(foreign)
            else:
                found.components.append(_parse(document, where, file))
    return found


def _policy(document: Mapping[Any, Any], where: str) -> Policy:
    scopes = document.get("scopes")
    # Of a list that cannot be read, nobody knows whom it leaves out.
    is_list = isinstance(scopes, list) and all(isinstance(scope, str) for scope in scopes)
    return Policy(
        f"{where}: {_POLICY} '{_name(document)}' restricts which applications may call workflows, "
        "and is not enforced here.",
        tuple(scopes) if isinstance(scopes, list) and is_list else (),
    )


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


def _why_skipped(document: object) -> str:
    if isinstance(document, Mapping) and document.get("kind") == "Configuration":
        return "which is read by 'flowyard serve --config FILE' only, as by Dapr"
    return "which Flowyard does not use"


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
        _say_what_has_no_effect(manifest)
        return manifest
    # Outside of the handler, so that no chained message shows a value.
    label = f"{where}: component '{_name(document)}'" if _name(document) else where
    raise ConfigurationError(f"{label}: {' '.join(_explain(fault, document) for fault in faults)}")


def _say_what_has_no_effect(manifest: Manifest) -> None:
    if manifest.spec.type.strip().lower().partition(".")[0] not in {"workflow", "workflows"}:
        return
    written = {
        "spec.ignoreErrors": manifest.spec.ignore_errors == "true",
        "spec.initTimeout": manifest.spec.init_timeout is not None,
    }
    for key in (key for key, is_written in written.items() if is_written):
        logger.info(
            "%s: component '%s': %s is a setting of Dapr's that has no effect on workflow "
            "components",
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
    ("auth",): Auth,
}


def _siblings(fault: ErrorDetails) -> list[str]:
    parent = tuple(part for part in fault["loc"][:-1] if isinstance(part, str))
    return [to_camel(name) for name in _MODELS[parent].model_fields]
