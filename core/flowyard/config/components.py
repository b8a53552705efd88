"""components.yaml: which components there are, which is the default, and their settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from flowyard.backend.component import Component, ComponentType
from flowyard.config.plugins import canonical, component_type
from flowyard.config.secrets import ENVIRONMENT, SecretRef, SecretStore
from flowyard.config.settings import read_settings
from flowyard.errors import ComponentNotFound, ConfigurationError, nearest

if TYPE_CHECKING:
    from flowyard.config.http_endpoint_manifest import EndpointManifest
    from flowyard.config.http_endpoints import HttpEndpoint
    from flowyard.config.manifest import Document, Item, Manifest
    from flowyard.config.subscriptions import Subscription

S = TypeVar("S", bound=BaseModel)

DEFAULT_NAME = "dapr"
"""What every Dapr SDK sends; it means the default component unless one has that name."""

DEFAULT_INIT_TIMEOUT = timedelta(seconds=5)

_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,253}")


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """One configured component.

    Attributes:
        name: The name that callers and messages use: up to 253 letters, digits and `_ - .`.
        type: The component type, such as `workflow.engine`; case does not count.
        version: The version of the type; `v1` by default.
        metadata: The settings by their keys, whose case does not count: text or a `SecretRef` if
            read from YAML, anything that the type's settings take from code. None by default.
        source: The file that it was read from, for messages; None, the default, from code.
        scopes: The applications that may use it, by their IDs; all of them if empty, as it is by
            default.
        ignore_errors: Whether the rest is opened without it if it cannot be opened; False by
            default. Never without a workflow component.
        init_timeout: How long it may take to open; 5 s by default. A workflow component takes the
            time that it needs.

    Example:
        ```python
        spec = ComponentSpec(
            name="orders",
            type="workflow.engine",
            metadata={"connectionString": "sqlite:///orders.db"},
        )
        ```
    """

    name: str
    type: str
    version: str = "v1"
    metadata: Mapping[str, object] = field(default_factory=dict, repr=False)
    source: Path | None = None
    scopes: tuple[str, ...] = ()
    ignore_errors: bool = False
    init_timeout: timedelta = DEFAULT_INIT_TIMEOUT

    @property
    def block(self) -> str:
        """The building block that it is of: what its type begins with, such as `state`."""
        return canonical(self.type).partition(".")[0]

    @property
    def label(self) -> str:
        """How messages call it: its file and its name."""
        return f"{self.source}: {self._named}" if self.source is not None else self._named

    @property
    def _named(self) -> str:
        return f"component '{self.name}'"


@dataclass(frozen=True, slots=True)
class Components:
    """The configured components.

    Attributes:
        specs: The workflow components, in the order of the files; at least one.
        blocks: The components of the other building blocks: `state.…`, `pubsub.…`, `bindings.…`
            and `secretstores.…`, in the order of the files; none by default. The names of all
            components differ.
        http_endpoints: The HTTP servers that service invocation knows by a name; none by default.
        policies: What restricts calls from other applications and is not enforced, in words: a
            WorkflowAccessPolicy. None by default. A server refuses to open with one.
        subscriptions: The documents of kind Subscription, in the order of the files; none by
            default.
    """

    specs: tuple[ComponentSpec, ...]
    blocks: tuple[ComponentSpec, ...] = ()
    http_endpoints: tuple[HttpEndpoint, ...] = ()
    policies: tuple[str, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def default(self) -> ComponentSpec:
        """The workflow component that does the work where none is named: the first one."""
        return self.specs[0]

    def find(self, name: str | None = None) -> ComponentSpec:
        """Return the workflow component of a name.

        Args:
            name: The name. None, the default, and `dapr`, which Dapr's SDKs send, mean the default
                component, unless one is named `dapr`.

        Raises:
            ComponentNotFound: If no component has the name.
        """
        if name is None:
            return self.default
        for spec in self.specs:
            if spec.name == name:
                return spec
        if name == DEFAULT_NAME:
            return self.default
        raise ComponentNotFound(name, [spec.name for spec in self.specs])


def load_components(
    source: str | Path | Sequence[ComponentSpec] | Components,
    *,
    app_id: str | None = None,
    fallback: ComponentSpec | None = None,
) -> Components:
    """Read the components from components.yaml, or take them as they are.

    `resolve` then loads the plugin of each, and reads its secrets.

    Args:
        source: A file, a folder of *.yaml and *.yml files, or the components themselves. Components
            of blocks that Flowyard does not have are skipped, and in a folder Dapr's other kinds of
            documents, too.
        app_id: The application that uses them: what the scopes of a component keep from it is left
            out. None, the default, for all components.
        fallback: The workflow component where none is configured; None, the default, to refuse
            that.

    Raises:
        ConfigurationError: If a file cannot be read or is not of Dapr's shape, a name is not valid
            or stands twice, or there is no workflow component.
    """
    endpoints: tuple[HttpEndpoint, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    policies: tuple[str, ...] = ()
    others = ""
    if isinstance(source, (str, Path)):
        found = _read_specs(Path(source), app_id)
        specs, endpoints, subscriptions = found.specs, found.http_endpoints, found.subscriptions
        others, policies = found.skipped, found.policies
    elif isinstance(source, Components):
        specs, endpoints = (*source.specs, *source.blocks), source.http_endpoints
        policies, subscriptions = source.policies, source.subscriptions
    else:
        specs = tuple(source)
    seen: dict[str, ComponentSpec] = {}
    for spec in specs:
        if _NAME.fullmatch(spec.name) is None:
            raise ConfigurationError(
                f"{spec.label}: metadata.name is not valid. Use letters, digits, '_', '-' and '.'."
            )
        _refuse_second(seen.get(spec.name), spec)
        seen[spec.name] = spec
    ours = [spec for spec in specs if not spec.scopes or app_id is None or app_id in spec.scopes]
    workflows = tuple(spec for spec in ours if spec.block == "workflow")
    if fallback is not None and not any(spec.block == "workflow" for spec in specs):
        workflows = (fallback,)
    if not workflows:
        raise ConfigurationError(_no_workflow_component(source, specs, app_id, others))
    _check_endpoints(endpoints)

    def is_ours(scopes: tuple[str, ...]) -> bool:
        return not scopes or app_id is None or app_id in scopes

    return Components(
        workflows,
        tuple(spec for spec in ours if spec.block != "workflow"),
        tuple(endpoint for endpoint in endpoints if is_ours(endpoint.scopes)),
        policies,
        tuple(item for item in subscriptions if is_ours(item.scopes)),
    )


def resolve(
    spec: ComponentSpec, extra: Iterable[ComponentType[Any, Any]] = ()
) -> tuple[ComponentType[Any, Any], BaseModel]:
    """Find a component's type, and check its metadata; secrets are read.

    Args:
        spec: The component.
        extra: Types that no installed plugin offers; they come before those that are.

    Returns:
        The type and the settings, which are an object of `ComponentType.settings`.

    Raises:
        ConfigurationError: If the plugin is broken, or the version, a key, a value or a secret
            cannot be used; a `ComponentTypeNotInstalled` if the type is not installed. It names the
            file and the component, and shows no value.
    """
    try:
        found = component_type(spec.type, extra)
    except ConfigurationError as error:
        raise type(error)(f"{spec.label}: spec.type: {error}") from error
    return found, parse_settings(spec, found)


def parse_settings(spec: ComponentSpec, component_type: ComponentType[S, Any]) -> S:
    """Read the secrets and check the metadata against the settings model of the type."""
    if (spec.version or "v1") != component_type.version:
        raise ConfigurationError(
            f"{spec.label}: spec.version: {component_type.name} has no version '{spec.version}'. "
            f"Use '{component_type.version}'."
        )
    return read_settings(spec.label, spec.metadata, component_type.settings)


def wrong_kind(spec: ComponentSpec, wanted: type[Component], opened: Component) -> str:
    """Say that a plugin has opened something that is not what its type's name says."""
    return (
        f"{spec.label}: its plugin opened a {type(opened).__name__}, which is no "
        f"{wanted.__name__}. The author of '{spec.type}' derives it from "
        f"flowyard.backend.{wanted.__name__}."
    )


def _check_endpoints(endpoints: Sequence[HttpEndpoint]) -> None:
    seen: set[str] = set()
    for endpoint in endpoints:
        if endpoint.name in seen:
            raise ConfigurationError(
                f"{endpoint.label}: two HTTPEndpoints have this name. Change metadata.name of one "
                "of them."
            )
        seen.add(endpoint.name)


def _refuse_second(first: ComponentSpec | None, second: ComponentSpec) -> None:
    if first is None:
        return
    also = f" (the other one is in {first.source})" if first.source != second.source else ""
    raise ConfigurationError(
        f"{second.label}: two components have this name{also}. Change metadata.name of one of them."
    )


def _no_workflow_component(
    source: str | Path | Sequence[ComponentSpec] | Components,
    specs: Sequence[ComponentSpec],
    app_id: str | None,
    others: str,
) -> str:
    if not isinstance(source, (str, Path)):
        return "no workflow component is configured. Give at least one ComponentSpec of its type."
    if kept := [spec for spec in specs if spec.block == "workflow"]:
        return (
            f"{kept[0].label}: its scopes keep it from application '{app_id}', and there is no "
            "other workflow component. Add the ID of the application to its scopes."
        )
    return (
        f"{source}: no workflow component is configured. Add a document of kind Component whose "
        f"spec.type is workflow.engine, or another 'workflow.…' type.{others}"
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What the files have, and in words what was skipped and what restricts."""

    specs: tuple[ComponentSpec, ...]
    http_endpoints: tuple[HttpEndpoint, ...]
    subscriptions: tuple[Subscription, ...]
    skipped: str
    policies: tuple[str, ...]


def _read_specs(path: Path, app_id: str | None) -> _Found:
    # Lazy: a program that sets up its components in code needs no YAML.
    from flowyard.config.manifest import read_manifests

    found = read_manifests(path)
    stores: dict[str, ComponentSpec] = {}
    for manifest in found.components:
        if canonical(manifest.spec.type).startswith("secretstores."):
            kept = _spec(manifest, ENVIRONMENT)
            _refuse_second(stores.get(kept.name), kept)
            stores[kept.name] = kept
    return _Found(
        tuple(
            _spec(manifest, _store(f"component '{manifest.name}'", manifest, stores))
            for manifest in found.components
        ),
        tuple(_endpoint(document, stores) for document in found.endpoints),
        tuple(found.subscriptions),
        f" Skipped: {', '.join(found.skipped)}." if found.skipped else "",
        tuple(policy.text for policy in found.policies if policy.restricts(app_id)),
    )


def _endpoint(document: Document, stores: Mapping[str, ComponentSpec]) -> HttpEndpoint:
    # Lazy: most folders have none.
    from flowyard.config.http_endpoint_manifest import parse_endpoint

    parsed = parse_endpoint(document)
    store = _store(f"HTTPEndpoint '{parsed.name}'", parsed, stores)
    return parsed.endpoint(partial(_value, store=store))


def _spec(manifest: Manifest, store: SecretStore) -> ComponentSpec:
    bare = ComponentSpec(
        manifest.name,
        manifest.spec.type,
        manifest.spec.version,
        source=manifest.source,
        scopes=manifest.scopes,
        ignore_errors=manifest.spec.ignore_errors == "true",
        init_timeout=manifest.spec.init_timeout or DEFAULT_INIT_TIMEOUT,
    )
    metadata: dict[str, object] = {}
    for item in manifest.spec.metadata:
        if item.name in metadata:
            raise ConfigurationError(
                f"{bare.label}: key '{item.name}' is given twice in spec.metadata. "
                "Remove one of them."
            )
        metadata[item.name] = _value(bare.label, item, store)
    return replace(bare, metadata=metadata)


def _value(label: str, item: Item, store: SecretStore) -> object:
    given = [
        value for value in (item.value, item.secret_key_ref, item.env_ref) if value is not None
    ]
    if len(given) != 1:
        said = "no value" if not given else "more than one value"
        raise ConfigurationError(
            f"{label}: key '{item.name}' has {said}. Give it one of value, secretKeyRef and envRef."
        )
    if item.secret_key_ref is not None:
        return SecretRef(item.secret_key_ref.name, item.secret_key_ref.key, store)
    if item.env_ref is not None:
        return SecretRef(item.env_ref)
    return item.value


def _store(
    named: str, manifest: Manifest | EndpointManifest, stores: Mapping[str, ComponentSpec]
) -> SecretStore:
    """Return the secret store that a document names in `auth`, the environment if none."""
    from flowyard.config.secret_stores import secret_store

    if not manifest.secret_store:
        return ENVIRONMENT
    label = f"{manifest.source}: {named}: auth.secretStore"
    if manifest.secret_store not in stores:
        raise ConfigurationError(
            f"{label}: no secret store is named '{manifest.secret_store}'. "
            f"{nearest(manifest.secret_store, stores)} Add a component of type "
            "secretstores.local.env or secretstores.local.file beside this one, or leave auth out "
            "to use environment variables."
        )
    store = stores[manifest.secret_store]
    return secret_store(store.label, canonical(store.type), store.metadata)
