"""What cannot be opened says so: which component, which address, and why."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowyard import Runtime
from flowyard.config import ComponentSpec, load_components
from flowyard.errors import BackendUnavailable, ConfigurationError, FlowyardError, InstanceNotFound
from servers.fixtures import StartTemporal
from servers.process import free_port
from temporal.certificates import Certificate, make_authority, make_certificate

KEY = "open-sesame"


@dataclass(frozen=True, slots=True)
class Secured:
    """A server with TLS, and what belongs to it."""

    address: str
    authority: Certificate
    client: Certificate
    folder: Path

    @property
    def trusted(self) -> dict[str, str]:
        """The settings with which the server is trusted."""
        return {
            "hostPort": self.address,
            "tlsServerCa": str(self.authority.file),
            "tlsServerName": "temporal.test",
        }


@contextmanager
def secured(start: StartTemporal, folder: Path, *, wants_clients: bool) -> Iterator[Secured]:
    """Start a server that shows a certificate, and may want one of its clients."""
    authority = make_authority(folder, "authority")
    own = make_certificate(folder, "server", authority, "temporal.test")
    client = make_certificate(folder, "client", authority, "client.test")
    flags = [f"-tls-cert={own.file}", f"-tls-key={own.key}"]
    if wants_clients:
        flags.append(f"-tls-client-ca={authority.file}")
    with start(*flags) as server:
        yield Secured(server.address, authority, client, folder)


@pytest.fixture(scope="module")
def with_tls(
    start_temporal: StartTemporal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secured]:
    """A server with TLS."""
    with secured(start_temporal, tmp_path_factory.mktemp("tls"), wants_clients=False) as server:
        yield server


@pytest.fixture(scope="module")
def with_mutual_tls(
    start_temporal: StartTemporal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secured]:
    """A server with TLS that wants a certificate of its clients, too."""
    with secured(start_temporal, tmp_path_factory.mktemp("mtls"), wants_clients=True) as server:
        yield server


@pytest.fixture(scope="module")
def with_key(start_temporal: StartTemporal) -> Iterator[str]:
    """Lends the address of a server that wants an API key, and has no TLS."""
    with start_temporal(f"-api-key={KEY}") as server:
        yield server.address


async def test_nobody_is_at_the_address() -> None:
    address = f"127.0.0.1:{free_port()}"
    error = await refusal(hostPort=address)
    assert isinstance(error, BackendUnavailable)
    assert f"component 'orders': Temporal at {address} cannot be reached" in str(error)
    assert "Connection refused: nothing listens there." in str(error)
    assert "correct the key 'hostPort'" in str(error)


async def test_a_namespace_that_is_not_there(temporal_server: str) -> None:
    error = await refusal(hostPort=temporal_server, namespace="nowhere")
    assert isinstance(error, ConfigurationError)
    assert f"component 'orders': Temporal at {temporal_server}: Namespace nowhere" in str(error)
    assert "key 'namespace'" in str(error)


async def test_a_server_that_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        error = await refusal(hostPort=address, connectTimeout="0.5")
    assert isinstance(error, BackendUnavailable)
    assert f"Temporal at {address} did not answer within 0.5 s (connectTimeout)" in str(error)


async def test_tls_with_the_authority_as_a_file(with_tls: Secured) -> None:
    assert await can_be_used(**with_tls.trusted)


async def test_tls_with_the_authority_as_text(with_tls: Secured) -> None:
    text = with_tls.authority.file.read_text()
    assert await can_be_used(**{**with_tls.trusted, "tlsServerCa": text})


async def test_a_certificate_of_an_unknown_authority(with_tls: Secured) -> None:
    stranger = make_authority(with_tls.folder, "stranger")
    error = await refusal(**{**with_tls.trusted, "tlsServerCa": str(stranger.file)})
    assert isinstance(error, ConfigurationError)
    assert f"Temporal at {with_tls.address} cannot be used" in str(error)
    assert "not trusted. Correct the key 'tlsServerCa'" in str(error)


async def test_a_certificate_for_another_name(with_tls: Secured) -> None:
    error = await refusal(**{**with_tls.trusted, "tlsServerName": "elsewhere.test"})
    assert isinstance(error, ConfigurationError)
    assert "for another name. Correct the key 'tlsServerName'" in str(error)


async def test_a_server_with_tls_and_a_component_without(with_tls: Secured) -> None:
    error = await refusal(hostPort=with_tls.address)
    assert isinstance(error, BackendUnavailable)
    assert "It may want TLS (key 'tls')" in str(error)


async def test_a_server_without_tls_and_a_component_with(temporal_server: str) -> None:
    error = await refusal(hostPort=temporal_server, tls="true")
    assert isinstance(error, ConfigurationError)
    assert "it does not speak TLS. Set the key 'tls' to false" in str(error)


async def test_a_client_certificate_opens(with_mutual_tls: Secured) -> None:
    client = with_mutual_tls.client
    text = client.key.read_text()
    files = {"tlsClientCert": str(client.file), "tlsClientKey": str(client.key)}
    assert await can_be_used(**with_mutual_tls.trusted, **files)
    assert await can_be_used(**with_mutual_tls.trusted, **{**files, "tlsClientKey": text})


@pytest.mark.parametrize("shown", ["none", "of a stranger"])
async def test_a_client_certificate_that_the_server_wants_otherwise(
    with_mutual_tls: Secured, shown: str
) -> None:
    metadata = dict(with_mutual_tls.trusted)
    if shown != "none":
        stranger = make_authority(with_mutual_tls.folder, "stranger")
        other = make_certificate(with_mutual_tls.folder, "other", stranger, "client.test")
        metadata |= {"tlsClientCert": str(other.file), "tlsClientKey": str(other.key)}
    error = await refusal(**metadata)
    assert isinstance(error, BackendUnavailable)
    assert "a client certificate (key 'tlsClientCert')" in str(error)


async def test_a_client_certificate_and_a_key_that_do_not_fit(with_mutual_tls: Secured) -> None:
    files = {
        "tlsClientCert": str(with_mutual_tls.client.file),
        "tlsClientKey": str(with_mutual_tls.authority.key),
    }
    error = await refusal(**with_mutual_tls.trusted, **files)
    assert isinstance(error, ConfigurationError)
    assert "'tlsClientCert' and 'tlsClientKey' do not belong together" in str(error)


@pytest.mark.parametrize("key", ["tlsClientCert", "tlsClientKey"])
async def test_a_client_certificate_without_its_key_or_the_reverse(key: str) -> None:
    error = await refusal(**{key: "-----BEGIN …"})
    assert isinstance(error, ConfigurationError)
    assert "'tlsClientCert' and 'tlsClientKey' belong together" in str(error)


async def test_a_file_that_is_not_there_or_no_pem(tmp_path: Path) -> None:
    missing = await refusal(tlsServerCa=str(tmp_path / "missing.pem"))
    assert isinstance(missing, ConfigurationError)
    assert "component 'orders': key 'tlsServerCa' is neither PEM text nor the path" in str(missing)
    assert "No such file" in str(missing)
    (tmp_path / "no.pem").write_text("hello")
    other = await refusal(tlsServerCa=str(tmp_path / "no.pem"))
    assert isinstance(other, ConfigurationError)
    assert "the file that key 'tlsServerCa' names holds no PEM text" in str(other)


async def test_a_client_key_that_is_no_pem_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text("-----BEGIN CERTIFICATE-----")
    for key in ("hunter2-is-no-key", "hunter2\x00"):
        error = await refusal(tlsClientCert=str(tmp_path / "client.pem"), tlsClientKey=key)
        assert isinstance(error, ConfigurationError)
        assert "key 'tlsClientKey'" in str(error)
        assert "hunter2" not in "".join(traceback.format_exception(error))


async def test_a_key_opens(with_key: str) -> None:
    assert await can_be_used(hostPort=with_key, apiKey=KEY, tls="false")


@pytest.mark.parametrize("key", ["hunter2", None])
async def test_a_key_that_is_refused_is_not_shown(with_key: str, key: str | None) -> None:
    metadata = {} if key is None else {"apiKey": key, "tls": "false"}
    error = await refusal(hostPort=with_key, **metadata)
    assert isinstance(error, ConfigurationError)
    assert f"Temporal at {with_key} cannot be used: it refuses access" in str(error)
    assert "'apiKey'" in str(error)
    assert "hunter2" not in "".join(traceback.format_exception(error))


async def test_a_key_is_not_sent_without_tls_unless_that_is_asked_for(with_key: str) -> None:
    error = await refusal(hostPort=with_key, apiKey=KEY)
    assert isinstance(error, ConfigurationError)
    assert "it does not speak TLS" in str(error)


async def test_the_old_dapr_names_and_a_secret_of_the_environment(
    with_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_KEY", KEY)
    file = tmp_path / "components.yaml"
    file.write_text(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: orders}\n"
        "spec:\n  type: workflows.temporal\n  version: v1\n  metadata:\n"
        f"  - {{name: hostport, value: '{with_key}'}}\n"
        "  - {name: namespace, value: default}\n"
        "  - {name: identity, value: clerk}\n"
        "  - {name: tls, value: 'false'}\n"
        "  - {name: apiKey, secretKeyRef: {name: TEMPORAL_KEY}}\n"
    )
    assert load_components(file).specs[0].name == "orders"
    async with Runtime.open(file) as runtime:
        with pytest.raises(InstanceNotFound):
            await runtime.get("unknown")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("hostPort", "http://localhost:7233", "must be HOST:PORT without a scheme"),
        ("hostPort", "localhost", "must be HOST:PORT"),
        ("namespace", "", "key 'namespace' cannot be used"),
        ("taskQueue", "", "key 'taskQueue' cannot be used"),
        ("connectTimeout", "0", "key 'connectTimeout' cannot be used"),
        ("hostPrt", "localhost:7233", "key 'hostPrt' is not known. Did you mean 'hostPort'?"),
    ],
)
async def test_a_setting_that_cannot_be_used(key: str, value: str, says: str) -> None:
    error = await refusal(**{key: value})
    assert isinstance(error, ConfigurationError)
    assert says in str(error)


async def can_be_used(**metadata: str) -> bool:
    """Open the component and ask for something."""
    async with Runtime.open([ComponentSpec("orders", "workflow.temporal", metadata=metadata)]) as r:
        with pytest.raises(InstanceNotFound):
            await r.get("unknown")
    return True


async def refusal(**metadata: str) -> FlowyardError:
    """Return why the component cannot be opened."""
    spec = ComponentSpec("orders", "workflow.temporal", metadata=metadata)
    with pytest.raises(FlowyardError) as refused:
        async with Runtime.open([spec]):
            pass
    return refused.value
