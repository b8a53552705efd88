"""State and secrets over gRPC, as daprd answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from blocks.stores import PLAIN, SILENT
from flowyard import Runtime
from flowyard.config import ComponentSpec
from flowyard.executors.remote import RemoteExecutors
from flowyard.server.grpc.server import serve_grpc
from flowyard.wire.v1 import management_pb2 as management
from flowyard.wire.v1 import secrets_pb2 as secrets
from flowyard.wire.v1 import state_pb2 as state
from flowyard.wire.v1 import status_pb2 as rich
from wire.grpc.peer import Peer

Code = grpc.StatusCode
JSON = {"contentType": "application/json"}


@asynccontextmanager
async def serving(folder: Path, *blocks: ComponentSpec) -> AsyncIterator[Peer]:
    """Serve the engine and some blocks, and connect to it."""
    metadata = {"connectionString": f"sqlite:///{folder / 'flowyard.db'}"}
    engine = ComponentSpec("orders", "workflow.engine", metadata=metadata)
    executors = RemoteExecutors()
    async with (
        Runtime.open(
            [engine, *blocks],
            executor=executors.make,
            component_types=[PLAIN, SILENT],
            app_id="shop",
        ) as runtime,
        serve_grpc(runtime, executors, port=0, grace_seconds=0, app_id="shop") as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Peer(channel)


@pytest.fixture
async def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peer]:
    """Calls a server that has state stores and secret stores."""
    monkeypatch.setenv("SHOP_KEY", "from the environment")
    monkeypatch.setenv("DAPR_API_TOKEN", "not to be given out")
    file = tmp_path / "secrets.json"
    file.write_text('{"db": {"password": "p", "user": "u"}}')
    blocks = [
        ComponentSpec("cart", "state.in-memory"),
        ComponentSpec("plain", "state.plain"),
        ComponentSpec("silent", "state.silent"),
        ComponentSpec("elsewhere", "state.aws.dynamodb"),
        ComponentSpec("env", "secretstores.local.env"),
        ComponentSpec(
            "deep",
            "secretstores.local.file",
            metadata={"secretsFile": str(file), "multiValued": "true"},
        ),
    ]
    async with serving(tmp_path, *blocks) as peer:
        yield peer


async def save(peer: Peer, *items: state.StateItem, store: str = "cart") -> None:
    await peer.manage("SaveState", state.SaveStateRequest(store_name=store, states=items), Empty)


async def get(peer: Peer, key: str, store: str = "cart") -> state.GetStateResponse:
    request = state.GetStateRequest(store_name=store, key=key)
    return await peer.manage("GetState", request, state.GetStateResponse)


async def refused(
    peer: Peer, method: str, request: Message
) -> tuple[grpc.StatusCode, str, rich.Status]:
    """Return the status of a call that fails, its text, and what its details say."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await peer.manage(method, request, Empty)
    error = caught.value
    trailing = {key: value for key, value in error.trailing_metadata() or ()}  # noqa: C416
    packed = trailing["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    status = rich.Status.FromString(packed)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return error.code(), error.details() or "", status


def reason(status: rich.Status) -> str:
    """Return the reason in the first detail."""
    (first, *_) = status.details
    assert first.type_url == "type.googleapis.com/google.rpc.ErrorInfo"
    info = rich.ErrorInfo.FromString(first.value)
    assert info.domain == "dapr.io"
    return info.reason


async def test_bytes_come_back_as_they_were_sent(peer: Peer) -> None:
    await save(peer, state.StateItem(key="k", value=b"\x00\xff not JSON"))
    found = await get(peer, "k")
    assert (found.data, bool(found.etag)) == (b"\x00\xff not JSON", True)


async def test_a_missing_value_is_empty(peer: Peer) -> None:
    assert await get(peer, "k") == state.GetStateResponse()


async def test_a_value_of_the_content_type_json_is_json(peer: Peer) -> None:
    await save(peer, state.StateItem(key="k", value=b'{"a": 1.50}', metadata=JSON))
    assert (await get(peer, "k")).data == b'{"a": 1.50}'
    item = state.StateItem(key="k", value=b"{", metadata=JSON)
    request = state.SaveStateRequest(store_name="cart", states=[item])
    code, text, _ = await refused(peer, "SaveState", request)
    assert code is Code.INVALID_ARGUMENT
    assert "the value of 'k' is not JSON" in text


async def test_an_etag_has_to_fit_and_an_empty_one_is_none(peer: Peer) -> None:
    await save(peer, state.StateItem(key="k", value=b"1"))
    etag = state.Etag(value=(await get(peer, "k")).etag)
    await save(peer, state.StateItem(key="k", value=b"2", etag=etag))
    await save(peer, state.StateItem(key="k", value=b"3", etag=state.Etag()))
    stale = state.StateItem(key="k", value=b"4", etag=etag)
    request = state.SaveStateRequest(store_name="cart", states=[stale])
    code, text, status = await refused(peer, "SaveState", request)
    assert (code, reason(status)) == (Code.ABORTED, "ERR_STATE_SAVE")
    assert text.startswith("failed saving state in state store cart: possible etag mismatch.")
    deletion = state.DeleteStateRequest(store_name="cart", key="k", etag=etag)
    code, text, status = await refused(peer, "DeleteState", deletion)
    assert (code, reason(status)) == (Code.ABORTED, "ERR_STATE_DELETE")
    code, _, status = await refused(peer, "DeleteBulkState", request)
    assert (code, reason(status)) == (Code.ABORTED, "ERR_STATE_BULK_DELETE")
    assert (await get(peer, "k")).data == b"3"


async def test_the_first_write_wins_where_it_is_asked_for(peer: Peer) -> None:
    item = state.StateItem(key="k", value=b"1", options=state.StateOptions(concurrency=1))
    await save(peer, item)
    request = state.SaveStateRequest(store_name="cart", states=[item])
    assert (await refused(peer, "SaveState", request))[0] is Code.ABORTED


async def test_the_time_to_live_is_told(peer: Peer) -> None:
    await save(peer, state.StateItem(key="k", value=b"1", metadata={"ttlInSeconds": "1000"}))
    assert (await get(peer, "k")).metadata["ttlExpireTime"].endswith("Z")


async def test_values_are_read_and_deleted_together(peer: Peer) -> None:
    await save(peer, state.StateItem(key="a", value=b"1"), state.StateItem(key="b", value=b"\xff"))
    request = state.GetBulkStateRequest(store_name="cart", keys=["b", "c", "a"], parallelism=1)
    answer = await peer.manage("GetBulkState", request, state.GetBulkStateResponse)
    assert [(item.key, item.data) for item in answer.items] == [
        ("b", b"\xff"),
        ("c", b""),
        ("a", b"1"),
    ]
    both = [state.StateItem(key=key) for key in ("a", "b", "missing")]
    deletion = state.SaveStateRequest(store_name="cart", states=both)
    await peer.manage("DeleteBulkState", deletion, Empty)
    answer = await peer.manage("GetBulkState", request, state.GetBulkStateResponse)
    assert [item.data for item in answer.items] == [b"", b"", b""]
    nothing = state.GetBulkStateRequest(store_name="cart")
    assert not (await peer.manage("GetBulkState", nothing, state.GetBulkStateResponse)).items


async def test_an_error_of_one_key_is_told_with_it(peer: Peer) -> None:
    request = state.GetBulkStateRequest(store_name="silent", keys=["a"])
    (item,) = (await peer.manage("GetBulkState", request, state.GetBulkStateResponse)).items
    assert (item.key, item.error) == ("a", "nobody is there")
    code, text, status = await refused(
        peer, "GetState", state.GetStateRequest(store_name="silent", key="a")
    )
    assert (code, reason(status)) == (Code.INTERNAL, "ERR_STATE_GET")
    assert text == "fail to get a from state store silent: nobody is there"


async def test_a_transaction_is_done_as_a_whole_or_not_at_all(peer: Peer) -> None:
    def operation(kind: str, key: str, etag: str = "") -> state.TransactionalStateOperation:
        item = state.StateItem(key=key, value=b"1", etag=state.Etag(value=etag))
        return state.TransactionalStateOperation(operation_type=kind, request=item)

    def transaction(
        *operations: state.TransactionalStateOperation, store: str = "cart"
    ) -> state.ExecuteStateTransactionRequest:
        return state.ExecuteStateTransactionRequest(store_name=store, operations=operations)

    method = "ExecuteStateTransaction"
    failing = transaction(operation("upsert", "a"), operation("delete", "b", "another"))
    code, text, status = await refused(peer, method, failing)
    assert (code, reason(status)) == (Code.INTERNAL, "ERR_STATE_TRANSACTION")
    assert text.startswith("error while executing state transaction: possible etag mismatch")
    assert (await get(peer, "a")).data == b""
    await peer.manage(
        method, transaction(operation("upsert", "a"), operation("delete", "b")), Empty
    )
    assert (await get(peer, "a")).data == b"1"
    await peer.manage(method, transaction(), Empty)
    code, text, _ = await refused(peer, method, transaction(operation("merge", "a")))
    assert (code, text) == (Code.UNIMPLEMENTED, "operation type merge not supported")
    code, text, status = await refused(peer, method, transaction(store="plain"))
    assert (code, reason(status)) == (
        Code.UNIMPLEMENTED,
        "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED",
    )
    kinds = [detail.type_url.rpartition(".")[2] for detail in status.details]
    assert kinds == ["ErrorInfo", "ResourceInfo", "Help"]


async def test_keys_that_cannot_be_are_refused_with_the_details(peer: Peer) -> None:
    request = state.GetStateRequest(store_name="cart", key="a||b")
    code, text, status = await refused(peer, "GetState", request)
    assert (code, reason(status)) == (Code.INVALID_ARGUMENT, "DAPR_STATE_ILLEGAL_KEY")
    assert text == "input key/keyPrefix 'a||b' can't contain '||'"
    named = rich.ResourceInfo.FromString(status.details[1].value)
    assert (named.resource_type, named.resource_name) == ("state", "cart")
    (field,) = rich.BadRequest.FromString(status.details[2].value).field_violations
    assert (field.field, field.description) == ("a||b", text)
    empty = state.GetStateRequest(store_name="cart")
    code, text, _ = await refused(peer, "GetState", empty)
    assert (code, text) == (Code.INVALID_ARGUMENT, "state key cannot be empty")


async def test_stores_that_are_not_there_are_told_apart(peer: Peer) -> None:
    code, text, status = await refused(
        peer, "GetState", state.GetStateRequest(store_name="other", key="k")
    )
    assert (code, reason(status)) == (Code.INVALID_ARGUMENT, "DAPR_STATE_NOT_FOUND")
    assert text.startswith("state store other is not found. ")
    assert status.message == text
    info = rich.ErrorInfo.FromString(status.details[0].value)
    assert dict(info.metadata) == {"appID": "shop"}
    code, text, status = await refused(
        peer, "SaveState", state.SaveStateRequest(store_name="elsewhere")
    )
    assert (code, reason(status)) == (Code.FAILED_PRECONDITION, "DAPR_STATE_NOT_CONFIGURED")
    assert "is not installed" in text
    assert "--dapr" in text
    code, _, status = await refused(
        peer, "QueryStateAlpha1", state.GetStateRequest(store_name="cart")
    )
    assert (code, reason(status)) == (Code.INTERNAL, "DAPR_STATE_QUERYING_NOT_SUPPORTED")


async def test_secrets_are_given_but_for_the_tokens(peer: Peer) -> None:
    async def secret(store: str, key: str) -> dict[str, str]:
        request = secrets.GetSecretRequest(store_name=store, key=key)
        return dict((await peer.manage("GetSecret", request, secrets.GetSecretResponse)).data)

    assert await secret("env", "SHOP_KEY") == {"SHOP_KEY": "from the environment"}
    assert await secret("env", "DAPR_API_TOKEN") == {"DAPR_API_TOKEN": ""}
    assert await secret("deep", "db") == {"password": "p", "user": "u"}
    bulk = secrets.GetBulkSecretRequest(store_name="deep")
    answer = await peer.manage("GetBulkSecret", bulk, secrets.GetBulkSecretResponse)
    assert {name: dict(values.secrets) for name, values in answer.data.items()} == {
        "db": {"password": "p", "user": "u"}
    }
    code, text, _ = await refused(
        peer, "GetSecret", secrets.GetSecretRequest(store_name="deep", key="x")
    )
    assert (code, text) == (
        Code.INTERNAL,
        "failed getting secret with key x from secret store deep: secret x not found",
    )
    code, text, _ = await refused(
        peer, "GetSecret", secrets.GetSecretRequest(store_name="other", key="x")
    )
    assert code is Code.INVALID_ARGUMENT
    assert text.startswith("failed finding secret store with key other. ")


async def test_the_metadata_list_the_components_of_all_blocks(peer: Peer) -> None:
    told = await peer.manage("GetMetadata", Empty(), management.GetMetadataResponse)
    found = {item.name: (item.type, [*item.capabilities]) for item in told.registered_components}
    assert found["cart"] == ("state.in-memory", ["ETAG", "TRANSACTIONAL", "TTL"])
    assert found["deep"] == (
        "secretstores.local.file",
        ["MULTIPLE_KEY_VALUES_PER_SECRET"],
    )
    assert told.registered_components[0].name == "orders"


async def test_without_any_store_the_block_is_not_configured(tmp_path: Path) -> None:
    async with serving(tmp_path) as peer:
        code, text, status = await refused(
            peer, "GetState", state.GetStateRequest(store_name="cart", key="k")
        )
        assert code is Code.FAILED_PRECONDITION
        assert text.startswith("state store cart is not configured. ")
        assert reason(status) == "DAPR_STATE_NOT_CONFIGURED"
        code, text, _ = await refused(
            peer, "GetBulkSecret", secrets.GetBulkSecretRequest(store_name="vault")
        )
        assert code is Code.FAILED_PRECONDITION
        assert text.startswith("secret store is not configured. ")
