"""Secrets that a Configuration keeps from the application, by each way of reading them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from flowyard import AccessDenied, ActivityContext, App, Runtime, WorkflowContext
from flowyard.config.configuration_documents import read_configuration
from flowyard.wire.v1 import secrets_pb2 as wire
from wire.app.served import Sidecar, component, serving

_DENIED = 'access denied by policy to get "password" from "vault"'
_SCOPES = """
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: {name: restricted}
spec:
  secrets:
    scopes:
    - {storeName: vault, defaultAccess: allow, deniedSecrets: [password]}
    - {storeName: closed, defaultAccess: deny}
"""


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Sidecar]:
    """Serves three stores of the same file, of which two are restricted."""
    (tmp_path / "secrets.json").write_text('{"password": "p", "user": "u"}')
    configuration = tmp_path / "configuration"
    configuration.write_text(_SCOPES)
    stores = [
        component(name, "secretstores.local.file", secretsFile=str(tmp_path / "secrets.json"))
        for name in ("vault", "closed", "open")
    ]
    async with serving(tmp_path, stores, configurations=[configuration]) as sidecar:
        yield sidecar


async def test_over_http(sidecar: Sidecar) -> None:
    denied = await sidecar.http.get("/v1.0/secrets/vault/password")
    assert denied.status_code == 403
    assert denied.json() == {"errorCode": "ERR_PERMISSION_DENIED", "message": _DENIED}
    # It is not told whether there is such a secret.
    assert (await sidecar.http.get("/v1.0/secrets/closed/none")).status_code == 403
    assert (await sidecar.http.get("/v1.0/secrets/vault/user")).json() == {"user": "u"}
    assert (await sidecar.http.get("/v1.0/secrets/vault/bulk")).json() == {"user": {"user": "u"}}
    assert (await sidecar.http.get("/v1.0/secrets/closed/bulk")).json() == {}
    assert len((await sidecar.http.get("/v1.0/secrets/open/bulk")).json()) == 2


async def test_over_grpc(sidecar: Sidecar) -> None:
    def method(name: str, answer: Any) -> Any:
        path = f"/dapr.proto.runtime.v1.Dapr/{name}"
        return sidecar.grpc.unary_unary(path, lambda message: message.SerializeToString(), answer)

    get = method("GetSecret", wire.GetSecretResponse.FromString)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await get(wire.GetSecretRequest(store_name="vault", key="password"), timeout=30)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert caught.value.details() == _DENIED
    found = await get(wire.GetSecretRequest(store_name="vault", key="user"), timeout=30)
    assert dict(found.data) == {"user": "u"}
    get_all = method("GetBulkSecret", wire.GetBulkSecretResponse.FromString)
    every = await get_all(wire.GetBulkSecretRequest(store_name="vault"), timeout=30)
    assert [*every.data] == ["user"]


async def test_in_process(tmp_path: Path, sidecar: Sidecar) -> None:
    app = App()

    @app.activity
    async def look(ctx: ActivityContext) -> str:
        try:
            await ctx.get_secret("vault", "password")
        except AccessDenied as error:
            return str(error)
        return "given out"

    @app.workflow
    async def reading(ctx: WorkflowContext) -> str:
        return await ctx.call_activity(look)

    scopes = read_configuration([tmp_path / "configuration"])
    file = tmp_path / "components.yaml"
    file.write_text(file.read_text().replace("flowyard.db", "second.db"))
    async with Runtime.open(file, app, configuration=scopes) as runtime:
        with pytest.raises(AccessDenied, match="access denied by policy"):
            await runtime.get_secret("vault", "password")
        assert await runtime.get_secret("vault", "user") == {"user": "u"}
        assert [*await runtime.get_bulk_secret("vault")] == ["user"]
        assert await runtime.get_bulk_secret("closed") == {}
        state = await runtime.wait(await runtime.start(reading))
        assert state.result() == _DENIED
