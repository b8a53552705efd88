"""Reads Dapr's `kind: Configuration` (docs/protocol.md §20).

What restricts callers is enforced or is an error. What restricts nothing is a line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from flowyard.config.configuration import Configuration
from flowyard.config.plugins import canonical
from flowyard.config.secret_scopes import NO_SCOPES, SecretScope, SecretScopes
from flowyard.config.yaml import read_documents
from flowyard.errors import ConfigurationError, nearest

logger = logging.getLogger(__name__)

_API_VERSION = "dapr.io/v1alpha1"

# What Dapr has besides, by its key in `spec`. It restricts no caller.
_WITHOUT_EFFECT = frozenset(
    {
        "features",
        "logging",
        "metric",
        "metrics",
        "mtls",
        "nameResolution",
        "tracing",
        "wasm",
        "workflow",
    }
)
# The lists that make a part restrict, and what it then restricts.
_RESTRICTING: Mapping[str, tuple[tuple[str, ...], str]] = {
    "accessControl": (("policies",), "which applications may call this one"),
    "api": (("allowed", "denied"), "which APIs may be called"),
    "appHttpPipeline": (("handlers",), "calls by middleware"),
    "httpPipeline": (("handlers",), "calls by middleware"),
}


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class _Scope(_Shape):
    store_name: str
    default_access: Literal["allow", "deny", ""] = ""
    allowed_secrets: list[str] = Field(default_factory=list)
    denied_secrets: list[str] = Field(default_factory=list)

    @field_validator("default_access", mode="before")
    @classmethod
    def _without_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class _Secrets(_Shape):
    scopes: list[_Scope] = Field(default_factory=list)


class _Denied(_Shape):
    deny: list[str] = Field(default_factory=list)


def read_configuration(files: Sequence[str | Path]) -> Configuration:
    """Read the documents of all files, of which a later one replaces what an earlier one says.

    Args:
        files: The files, in this order. `${NAME}` and `$NAME` in them are environment variables.

    Raises:
        ConfigurationError: If a file cannot be read, or a document is not of Dapr's shape.
    """
    merged: dict[str, tuple[str, object]] = {}
    for file in map(Path, files):
        documents = read_documents(file, expand_environment=True)
        found = [document for document in documents if document is not None]
        if not found:
            raise ConfigurationError(f"{file}: it is empty. Write 'kind: Configuration' in it.")
        for document in found:
            for key, value in _spec(file, document).items():
                merged[key] = (f"{file}: spec.{key}", value)
    return Configuration(
        _secret_scopes(*merged.pop("secrets", ("", None))),
        _denied_types(*merged.pop("components", ("", None))),
        tuple(_restrictions(merged)),
    )


def refuse_unenforced(unenforced: Iterable[str], *, ignore: bool) -> None:
    """Raise `ConfigurationError` for what restricts and is not enforced; warn if it is ignored."""
    told = tuple(unenforced)
    if not told:
        return
    if not ignore:
        raise ConfigurationError(
            f"{' '.join(told)} Remove what is not enforced, or serve without it: "
            "flowyard serve --ignore-policies."
        )
    for line in told:
        logger.warning("%s It is ignored, as --ignore-policies says", line)


def _spec(file: Path, document: object) -> Mapping[str, object]:
    if not isinstance(document, Mapping) or document.get("kind") != "Configuration":
        raise ConfigurationError(
            f"{file}: not a Configuration. Write 'kind: Configuration', and give components with "
            "--components."
        )
    if document.get("apiVersion") != _API_VERSION:
        raise ConfigurationError(
            f"{file}: apiVersion is not that of a Configuration. "
            f"Write 'apiVersion: {_API_VERSION}'."
        )
    spec = document.get("spec")
    if spec is None:
        return {}
    if not isinstance(spec, Mapping):
        raise ConfigurationError(
            f"{file}: spec is not a mapping. Write its parts below each other."
        )
    known = _WITHOUT_EFFECT | _RESTRICTING.keys() | {"secrets", "components"}
    for key in spec:
        if key not in known:
            # It might restrict something.
            raise ConfigurationError(f"{file}: spec.{key} is not known. {nearest(str(key), known)}")
    return {key: value for key, value in spec.items() if value is not None}


def _secret_scopes(label: str, value: object) -> SecretScopes:
    if value is None:
        return NO_SCOPES
    stores: dict[str, SecretScope] = {}
    for scope in _parse(label, _Secrets, value).scopes:
        if scope.store_name in stores:
            raise ConfigurationError(
                f"{label}: two scopes are for the store '{scope.store_name}'. Put them into one."
            )
        stores[scope.store_name] = SecretScope(
            scope.default_access != "deny",
            frozenset(scope.allowed_secrets),
            frozenset(scope.denied_secrets),
        )
    return SecretScopes(stores)


def _denied_types(label: str, value: object) -> frozenset[str]:
    if value is None:
        return frozenset()
    denied = filter(None, _parse(label, _Denied, value).deny)
    types = (entry.partition("/") for entry in denied)
    return frozenset(f"{canonical(name)}{slash}{version}" for name, slash, version in types)


def _restrictions(parts: Mapping[str, tuple[str, object]]) -> Iterable[str]:
    """Give in words what restricts; write a line for what does not."""
    for key, (label, value) in parts.items():
        if key not in _RESTRICTING:
            logger.info("%s is a setting of Dapr's that has no effect here", label)
            continue
        lists, what = _RESTRICTING[key]
        if not isinstance(value, Mapping):
            raise ConfigurationError(f"{label} is not a mapping. Correct it.")
        denies = str(value.get("defaultAction") or "").lower() == "deny"
        if denies or any(value.get(name) for name in lists):
            yield f"{label} restricts {what}, and is not enforced here."


def _parse(label: str, model: type[Any], value: object) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
    told = []
    for fault in faults:
        place = ".".join(str(part) for part in fault["loc"])
        told.append(f"{place}: {fault['msg'][:1].lower()}{fault['msg'][1:]}")
    # Outside of the handler, so that no chained message shows a value.
    raise ConfigurationError(f"{label}: {'; '.join(told)}. Correct it.")
