"""What of Dapr's restrictive documents is enforced, and that the rest is refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flowyard import Runtime
from flowyard.config import ComponentSpec, load_components
from flowyard.config.configuration import Configuration
from flowyard.config.configuration_documents import read_configuration
from flowyard.config.secret_scopes import SecretScope, SecretScopes
from flowyard.errors import ConfigurationError
from flowyard.server.http.server import Address
from flowyard.server.server import ServerOptions, open_server

Write = Callable[..., Configuration]

POLICY = """
apiVersion: dapr.io/v1alpha1
kind: WorkflowAccessPolicy
metadata: {name: guests}
scopes: [orders]
spec:
  rules:
  - callers: [{appID: shop}]
    workflows: [{name: "*", operations: [schedule]}]
"""
WORKFLOW = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: flows}
spec:
  type: workflow.engine
  metadata:
  - name: connectionString
    value: sqlite:///PLACE/flowyard.db
"""
API = "api: {denied: [{name: state, version: v1, protocol: http}]}"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Read Configuration documents with these specs, each in a file of its own."""

    def written(*specs: str) -> Configuration:
        files = []
        for number, spec in enumerate(specs):
            file = tmp_path / f"config{number}.yaml"
            head = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\n"
            file.write_text(f"{head}spec: {spec}\n" if spec.startswith("{") else head + spec)
            files.append(file)
        return read_configuration(files)

    return written


def test_a_scope_allows_what_dapr_allows() -> None:
    for scope, open_to in (
        (SecretScope(), {"a", "b", "c"}),
        (SecretScope(default_allow=False), set()),
        (SecretScope(denied=frozenset("a")), {"b", "c"}),
        (SecretScope(allowed=frozenset("a")), {"a"}),
        # Who is allowed by name is allowed, whatever else is said.
        (SecretScope(False, frozenset("ab"), frozenset("a")), {"a", "b"}),
    ):
        scopes = SecretScopes({"vault": scope})
        assert {key for key in "abc" if scopes.allows("vault", key)} == open_to
        assert scopes.allows("another store", "a")


def test_scopes_of_secrets_are_read(write: Write) -> None:
    scopes = write(
        """
spec:
  secrets:
    scopes:
    - storeName: vault
      defaultAccess: Deny
      allowedSecrets: [mail]
    - storeName: file
      deniedSecrets: [root]
"""
    ).secret_scopes
    assert scopes.allows("vault", "mail")
    assert not scopes.allows("vault", "root")
    assert scopes.allows("file", "mail")
    assert not scopes.allows("file", "root")


def test_a_later_file_replaces_parts_of_an_earlier_one(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE", "vault")
    monkeypatch.delenv("NOBODY", raising=False)
    first = (
        "{secrets: {scopes: [{storeName: $STORE, defaultAccess: deny}]}, "
        "components: {deny: [state.redis]}}"
    )
    second = '{secrets: {scopes: [{storeName: "${STORE}${NOBODY}2", defaultAccess: deny}]}}'
    scopes = write(first).secret_scopes
    assert not scopes.allows("vault", "a")
    both = write(first, second)
    assert both.secret_scopes.allows("vault", "a")
    assert not both.secret_scopes.allows("vault2", "a")
    assert both.denied == {"state.redis"}


def test_what_restricts_nothing_is_a_line_in_the_log(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    found = write(
        "{tracing: {samplingRate: '1'}, features: [], mtls: {enabled: true}, "
        "accessControl: {defaultAction: allow}, api: {}, httpPipeline: {handlers: []}}"
    )
    assert found == Configuration()
    for part in ("tracing", "features", "mtls"):
        assert f"spec.{part} is a setting of Dapr's that has no effect here" in caplog.text


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ("{accessControl: {defaultAction: deny}}", "which applications may call this one"),
        ("{accessControl: {policies: [{appId: a}]}}", "which applications may call this one"),
        ("{api: {allowed: [{name: state}]}}", "which APIs may be called"),
        (f"{{{API}}}", "which APIs may be called"),
        ("{httpPipeline: {handlers: [{name: oauth2}]}}", "calls by middleware"),
        ("{appHttpPipeline: {handlers: [{name: opa}]}}", "calls by middleware"),
    ],
)
def test_what_restricts_and_is_not_enforced_is_told(write: Write, spec: str, what: str) -> None:
    (told,) = write(spec).unenforced
    assert told.endswith(f"restricts {what}, and is not enforced here.")
    assert "config0.yaml: spec." in told


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("{secret: {}}", "spec.secret is not known. Did you mean 'secrets'?"),
        ("{secrets: {scope: []}}", "spec.secrets: scope: extra inputs are not permitted"),
        ("{secrets: {scopes: [{defaultAccess: deny}]}}", "scopes.0.storeName: field required"),
        ("{secrets: {scopes: [{storeName: s, defaultAccess: no}]}}", "defaultAccess: input"),
        ("{secrets: {scopes: [{storeName: s}, {storeName: s}]}}", "two scopes are for the store"),
        (
            "{components: {deny: state.redis}}",
            "spec.components: deny: input should be a valid list",
        ),
        ("{api: state}", "spec.api is not a mapping"),
    ],
)
def test_a_mistake_in_what_restricts_is_told(write: Write, spec: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        write(spec)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("kind: Component", "not a Configuration"),
        ("apiVersion: v1\nkind: Configuration", "apiVersion is not that of a Configuration"),
        ("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec: []", "spec is not a mapping"),
    ],
)
def test_a_file_that_is_no_configuration_is_told(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=f"config.yaml: {said}"):
        read_configuration([file])


def test_denied_types_are_left_out(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    deny = "{components: {deny: [state.redis, pubsub.redis/v2, workflows.temporal, '']}}"
    components = load_components(
        [
            ComponentSpec("flows", "workflow.engine"),
            ComponentSpec("other", "workflow.temporal"),
            ComponentSpec("cart", "State.Redis"),
            ComponentSpec("bus", "pubsub.redis"),
        ]
    )
    permitted = write(deny).permitted(components)
    assert [spec.name for spec in permitted.specs] == ["flows"]
    assert [spec.name for spec in permitted.blocks] == ["bus"]
    assert "component 'cart': it is not opened" in caplog.text
    assert Configuration().permitted(components) is components
    with pytest.raises(ConfigurationError, match="there is no other workflow component"):
        write("{components: {deny: [workflow.engine]}}").permitted(
            load_components([ComponentSpec("flows", "workflow.engine")])
        )


async def test_a_runtime_opens_no_denied_component(tmp_path: Path, write: Write) -> None:
    flows = ComponentSpec(
        "flows", "workflow.engine", metadata={"connectionString": f"sqlite:///{tmp_path}/f.db"}
    )
    cart = ComponentSpec("cart", "state.in-memory")
    scopes = "secrets: {scopes: [{storeName: vault, defaultAccess: deny}]}"
    configuration = write(f"{{{scopes}, components: {{deny: [state.redis]}}}}")
    async with Runtime.open([flows, cart], configuration=configuration) as runtime:
        assert set(runtime.blocks.states) == {"cart"}
        assert not runtime.blocks.secret_scopes.allows("vault", "a")
    configuration = write("{components: {deny: [state.in-memory/v1]}}")
    async with Runtime.open([flows, cart], configuration=configuration) as runtime:
        assert not runtime.blocks.states


def resources(folder: Path, *documents: str) -> ServerOptions:
    """Write a folder of documents, with a workflow component."""
    text = WORKFLOW.replace("PLACE", str(folder))
    (folder / "resources").mkdir()
    (folder / "resources" / "all.yaml").write_text("---\n".join([text, *documents]))
    address = Address(port=0, drain_seconds=0)
    return ServerOptions(folder / "resources", address, grpc_port=None, app_id="orders")


async def opened(options: ServerOptions) -> None:
    """Open a server and close it."""
    async with open_server(options, None, asyncio.Event()):
        pass


async def test_a_policy_that_is_not_enforced_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = resources(tmp_path, POLICY)
    with pytest.raises(ConfigurationError) as caught:
        await opened(options)
    assert "all.yaml: document 2: WorkflowAccessPolicy 'guests' restricts" in str(caught.value)
    assert "--ignore-policies" in str(caught.value)
    await opened(replace(options, ignore_policies=True))
    (line,) = [record for record in caplog.records if "guests" in record.getMessage()]
    assert line.levelno == logging.WARNING
    # It protects another application.
    await opened(replace(options, app_id="shop"))


async def test_a_configuration_that_is_not_enforced_is_refused(
    tmp_path: Path, write: Write
) -> None:
    write(f"{{{API}}}")
    options = replace(resources(tmp_path), configurations=[tmp_path / "config0.yaml"])
    with pytest.raises(ConfigurationError, match=r"spec\.api restricts which APIs may be called"):
        await opened(options)
    await opened(replace(options, ignore_policies=True))


async def test_a_configuration_among_the_components_is_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    document = f"apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec: {{{API}}}\n"
    await opened(resources(tmp_path, document))
    assert "Configuration, which is read by 'flowyard serve --config FILE' only" in caplog.text
