"""A Temporal server lets in who has what its flags ask for, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import ListNamespacesRequest
from temporalio.client import Client, TLSConfig

from servers.fixtures import StartTemporal
from temporal.certificates import Certificate, make_authority, make_certificate

HOST = "temporal.test"
# What follows differs with how far each side has come by then.
REFUSED = "Failed client connect"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the certificates."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Certificate:
    """Signs certificates."""
    return make_authority(folder, "authority")


@pytest.fixture(scope="module")
def address(start_temporal: StartTemporal, folder: Path, authority: Certificate) -> Iterator[str]:
    """Where a server asks for a certificate and for a key."""
    own = make_certificate(folder, "server", authority, HOST)
    flags = (f"-tls-cert={own.file}", f"-tls-key={own.key}", f"-tls-client-ca={authority.file}")
    with start_temporal(*flags, "-api-key=secret") as server:
        yield server.address


async def test_a_client_with_certificate_and_key_is_let_in(
    address: str, folder: Path, authority: Certificate
) -> None:
    tls = shown(make_certificate(folder, "client", authority, HOST), authority)
    client = await Client.connect(address, tls=tls, api_key="secret")
    answer = await client.workflow_service.list_namespaces(ListNamespacesRequest())
    assert "default" in {found.namespace_info.name for found in answer.namespaces}


@pytest.mark.parametrize("key", [None, "other"])
async def test_a_client_with_another_key_is_refused(
    address: str, folder: Path, authority: Certificate, key: str | None
) -> None:
    tls = shown(make_certificate(folder, "client", authority, HOST), authority)
    with pytest.raises(RuntimeError, match="Request unauthorized"):
        await Client.connect(address, tls=tls, api_key=key)


async def test_a_client_without_a_certificate_is_refused(
    address: str, authority: Certificate
) -> None:
    tls = TLSConfig(server_root_ca_cert=authority.file.read_bytes(), domain=HOST)
    with pytest.raises(RuntimeError, match=REFUSED):
        await Client.connect(address, tls=tls, api_key="secret")


async def test_a_client_whose_certificate_another_authority_has_signed_is_refused(
    address: str, folder: Path, authority: Certificate
) -> None:
    other = make_authority(folder, "other")
    tls = shown(make_certificate(folder, "stranger", other, HOST), authority)
    with pytest.raises(RuntimeError, match=REFUSED):
        await Client.connect(address, tls=tls, api_key="secret")


async def test_a_client_without_tls_is_refused(address: str) -> None:
    with pytest.raises(RuntimeError, match=REFUSED):
        await Client.connect(address, api_key="secret", tls=False)


def shown(own: Certificate, authority: Certificate) -> TLSConfig:
    """Show one's own certificate to the server that this authority vouches for."""
    return TLSConfig(
        server_root_ca_cert=authority.file.read_bytes(),
        domain=HOST,
        client_cert=own.file.read_bytes(),
        client_private_key=own.key.read_bytes(),
    )
