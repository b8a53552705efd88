"""Documents of kind HTTPEndpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from flowyard import ConfigurationError, Runtime
from flowyard.config import HttpEndpoint, SecretRef, load_components

_ENGINE = {
    "apiVersion": "dapr.io/v1alpha1",
    "kind": "Component",
    "metadata": {"name": "engine"},
    "spec": {"type": "workflow.engine", "metadata": []},
}


def _document(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "HTTPEndpoint",
        "metadata": {"name": "stock", "namespace": "default"},
        "spec": {"baseUrl": "https://stock.example/api/", **spec},
    }


def _write(folder: Path, *documents: dict[str, Any]) -> Path:
    path = folder / "components.yaml"
    path.write_text(yaml.safe_dump_all([_ENGINE, *documents]))
    return path


@pytest.mark.parametrize("as_folder", [False, True])
def test_an_endpoint_is_read_beside_components(tmp_path: Path, as_folder: bool) -> None:
    headers = [
        {"name": "X-Plain", "value": "1"},
        {"name": "X-Secret", "secretKeyRef": {"name": "STOCK_KEY"}},
        {"name": "X-Variable", "envRef": "STOCK_NAME"},
    ]
    tls = {"rootCA": {"value": "/ca.pem"}, "privateKey": {"secretKeyRef": {"name": "PEM"}}}
    path = _write(tmp_path, _document(headers=headers, clientTLS=tls))
    found = load_components(tmp_path if as_folder else path)
    assert [spec.name for spec in found.specs] == ["engine"]
    assert found.http_endpoints == (
        HttpEndpoint(
            "stock",
            "https://stock.example/api",
            {
                "X-Plain": "1",
                "X-Secret": SecretRef("STOCK_KEY"),
                "X-Variable": SecretRef("STOCK_NAME"),
            },
            root_ca="/ca.pem",
            private_key=SecretRef("PEM"),
            source=path,
        ),
    )
    assert load_components(found) == found


def test_an_endpoint_is_for_the_applications_of_its_scopes(tmp_path: Path) -> None:
    path = _write(tmp_path, {**_document(), "scopes": ["shop"]})
    assert len(load_components(path).http_endpoints) == 1
    assert len(load_components(path, app_id="shop").http_endpoints) == 1
    assert load_components(path, app_id="other").http_endpoints == ()


def test_secrets_come_from_the_store_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = {
        **_ENGINE,
        "metadata": {"name": "vault"},
        "spec": {"type": "secretstores.local.env", "metadata": []},
    }
    headers = [{"name": "X-Key", "secretKeyRef": {"name": "STOCK_KEY", "key": "STOCK_KEY"}}]
    document = {**_document(headers=headers), "auth": {"secretStore": "vault"}}
    monkeypatch.setenv("STOCK_KEY", "a-key")
    (endpoint,) = load_components(_write(tmp_path, store, document)).http_endpoints
    secret = endpoint.headers["X-Key"]
    assert isinstance(secret, SecretRef)
    assert secret.read() == "a-key"
    wrong = {**document, "auth": {"secretStore": "nowhere"}}
    with pytest.raises(ConfigurationError, match=r"HTTPEndpoint 'stock': auth\.secretStore"):
        load_components(_write(tmp_path, store, wrong))


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (_document(baseUrl="stock.example"), "spec.baseUrl: string should match"),
        (_document(baseUrl=None), "spec.baseUrl: field required"),
        (_document(urls=[]), "spec.urls: extra inputs"),
        (_document(headers=[{"value": "1"}]), "spec.headers.0.name: field required"),
        (_document(headers=[{"name": "x"}]), "key 'x' has no value"),
        (_document(clientTLS={"renegotiation": "FreelyAsClient"}), "spec.clientTLS.renegotiation"),
        ({**_document(), "apiVersion": "dapr.io/v2"}, "apiVersion: input should be"),
        ({**_document(), "metadata": {}}, "metadata.name: field required"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused(
    tmp_path: Path, document: dict[str, Any], text: str
) -> None:
    path = _write(tmp_path, document)
    with pytest.raises(ConfigurationError, match=text) as caught:
        load_components(path)
    assert str(caught.value).startswith(str(path))


def test_two_endpoints_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="two HTTPEndpoints have this name"):
        load_components(_write(tmp_path, _document(), _document()))


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"headers": [{"name": "X-Key", "secretKeyRef": {"name": "NOT_SET_HERE"}}]},
            "NOT_SET_HERE",
        ),
        ({"clientTLS": {"rootCA": {"value": "/no/such/file"}}}, "No such file"),
        ({"baseUrl": "http://host:port"}, "cannot be used"),
    ],
)
async def test_what_an_endpoint_needs_is_there_or_nothing_is_opened(
    tmp_path: Path, spec: dict[str, Any], text: str
) -> None:
    path = _write(tmp_path, _document(**spec))
    with pytest.raises(ConfigurationError, match=text) as caught:
        async with Runtime.open(path):
            pass
    assert "HTTPEndpoint 'stock'" in str(caught.value)
