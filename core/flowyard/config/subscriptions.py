"""Which topics an application gets: documents of kind Subscription, and what it says itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from flowyard.errors import ConfigurationError

KIND = "Subscription"
V1 = "dapr.io/v1alpha1"
V2 = "dapr.io/v2alpha1"


@dataclass(frozen=True, slots=True)
class Rule:
    """Where an event goes that matches: `match` is CEL over `event`, "" for every event."""

    match: str
    path: str


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """How many events are handed over in one call, and how long is waited for them."""

    most: int = 100
    longest_ms: int = 1000


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic that an application gets.

    Attributes:
        pubsub_name: The name of the broker.
        topic: The topic.
        rules: Where its events go, the first that matches; the default comes last.
        dead_letter_topic: Where what cannot be delivered goes; "", the default, for nowhere.
        metadata: Settings of the subscription; none by default.
        bulk: How events are handed over together; None, the default, for one by one.
        scopes: The applications that it is for, by their IDs; all of them if empty.
        source: The file that it was read from; None if it was not.
        name: The name of the document; "" if there is none.
    """

    pubsub_name: str
    topic: str
    rules: tuple[Rule, ...]
    dead_letter_topic: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    bulk: BulkOptions | None = None
    scopes: tuple[str, ...] = ()
    source: Path | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """How messages call it."""
        if self.source is None:
            return f"the subscription of topic '{self.topic}' in '{self.pubsub_name}'"
        return f"{self.source}: subscription '{self.name}'"


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        if isinstance(value, dict):
            return {key: item for key, item in value.items() if item is not None}
        return value


class _Rule(_Shape):
    match: str = ""
    path: str


class _Routes(_Shape):
    rules: list[_Rule] = Field(default_factory=list)
    default: str = ""


class _Bulk(_Shape):
    enabled: bool = False
    max_messages_count: int = Field(default=0, ge=0)
    max_await_duration_ms: int = Field(default=0, ge=0)

    def options(self) -> BulkOptions | None:
        if not self.enabled:
            return None
        return BulkOptions(self.max_messages_count or 100, self.max_await_duration_ms or 1000)


class _Common(_Shape):
    pubsubname: str = Field(min_length=1)
    topic: str = Field(min_length=1)
    metadata: dict[str, str] = Field(default_factory=dict)
    dead_letter_topic: str = ""
    bulk_subscribe: _Bulk = Field(default_factory=_Bulk)


class _V1Spec(_Common):
    route: str = Field(min_length=1)


class _V2Spec(_Common):
    routes: _Routes


class _Item(_Common):
    """What an application says of itself: any of the two."""

    model_config = ConfigDict(extra="ignore")

    route: str = ""
    routes: _Routes | None = None


def read_subscription(document: Mapping[str, Any], where: str, source: Path) -> Subscription:
    """Return what a document of kind Subscription says; raise `ConfigurationError`."""
    version = document.get("apiVersion")
    if version not in (V1, V2):
        raise ConfigurationError(
            f"{where}: apiVersion of a Subscription is '{version}'. Write '{V2}' or '{V1}'."
        )
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    scopes = document.get("scopes") or []
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{where}: metadata.name of a Subscription is missing. Add it.")
    label = f"{where}: subscription '{name}'"
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise ConfigurationError(f"{label}: scopes is not a list of application IDs. Correct it.")
    try:
        spec: _V1Spec | _V2Spec
        if version == V1:
            spec = _V1Spec.model_validate(document.get("spec"))
            routes = _Routes(default=spec.route)
        else:
            spec = _V2Spec.model_validate(document.get("spec"))
            routes = spec.routes
    except ValidationError as error:
        raise ConfigurationError(f"{label}: {_explain(error)}") from error
    rules = _rules(routes)
    if not rules:
        raise ConfigurationError(f"{label}: spec.routes has no path. Add rules, or a default.")
    return _subscription(spec, rules, tuple(scopes), source, name)


def told_subscription(item: object) -> Subscription:
    """Return what an application says of itself; raise `ConfigurationError`."""
    try:
        spec = _Item.model_validate(_spelled(item))
    except ValidationError as error:
        raise ConfigurationError(f"a subscription of the application: {_explain(error)}") from error
    routes = spec.routes or _Routes()
    rules = _rules(routes)
    if not routes.default and spec.route:
        rules = (*rules, Rule("", _path(spec.route)))
    if not rules:
        raise ConfigurationError(
            f"the application's subscription of topic '{spec.topic}' has no route. Give it one."
        )
    return _subscription(spec, rules)


def _subscription(
    spec: _Common,
    rules: tuple[Rule, ...],
    scopes: tuple[str, ...] = (),
    source: Path | None = None,
    name: str = "",
) -> Subscription:
    return Subscription(
        spec.pubsubname,
        spec.topic,
        rules,
        spec.dead_letter_topic,
        spec.metadata,
        spec.bulk_subscribe.options(),
        scopes,
        source,
        name,
    )


def _rules(routes: _Routes) -> tuple[Rule, ...]:
    found = [Rule(rule.match, _path(rule.path)) for rule in routes.rules]
    if routes.default:
        found.append(Rule("", _path(routes.default)))
    return tuple(found)


def _path(route: str) -> str:
    return route if route.startswith("/") else f"/{route}"


_KEYS = {
    key.lower(): key
    for model in (_Item, _Routes, _Rule, _Bulk)
    for key in (to_camel(name) for name in model.model_fields)
}


def _spelled(value: object) -> object:
    """Return a value whose keys are spelled as here: applications write them in any case."""
    if isinstance(value, Mapping):
        spelled = {_KEYS.get(str(key).lower(), str(key)): item for key, item in value.items()}
        return {key: item if key == "metadata" else _spelled(item) for key, item in spelled.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    return value


def _explain(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return " ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'it'}: "
        f"{fault['msg'][:1].lower()}{fault['msg'][1:]}. Correct it."
        for fault in faults
    )
