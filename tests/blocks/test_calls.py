"""State and secrets in process: on the runtime, without an event loop, and in activities."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blocks.stores import PLAIN, SILENT, VAULT
from flowyard import (
    ActivityContext,
    App,
    BackendUnavailable,
    ComponentNotFound,
    ComponentTypeNotInstalled,
    Concurrency,
    EtagMismatch,
    FlowyardError,
    InvalidEtag,
    InvalidRequest,
    PayloadError,
    Runtime,
    SecretNotFound,
    StateItem,
    StateOptions,
    SyncRuntime,
    TransactionalStateOperation,
    TransactionOperationType,
    UnsupportedOperation,
    WorkflowContext,
)
from flowyard.config import ComponentSpec

STORE = ComponentSpec("cart", "state.in-memory")


@dataclass
class Item:
    name: str
    quantity: int


def engine(folder: Path) -> ComponentSpec:
    metadata = {"connectionString": f"sqlite:///{folder / 'flowyard.db'}"}
    return ComponentSpec("orders", "workflow.engine", metadata=metadata)


async def test_a_value_comes_back_with_its_type(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path), STORE]) as runtime:
        await runtime.save_state("cart", "car", Item("car", 10))
        response = await runtime.get_state("cart", "car")
        assert response.value(Item) == Item("car", 10)
        assert response.value() == {"name": "car", "quantity": 10}
        assert response.data == b'{"name":"car","quantity":10}'
        assert response.etag
        await runtime.save_state("cart", "text", "ten")
        assert (await runtime.get_state("cart", "text")).data == b'"ten"'
        missing = await runtime.get_state("cart", "missing")
        assert (missing.data, missing.value(Item), missing.etag) == (None, None, None)


async def test_bytes_stay_bytes(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path), STORE]) as runtime:
        for value in (b"\x80\x04", bytearray(b"plain")):
            await runtime.save_state("cart", "k", value)
            response = await runtime.get_state("cart", "k")
            assert response.data == value
            with pytest.raises(PayloadError, match="state 'k' is not JSON"):
                response.value()


async def test_a_value_that_is_not_json_is_refused_and_not_saved(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path), STORE]) as runtime:
        with pytest.raises(PayloadError, match="state 'k' is not JSON"):
            await runtime.save_state("cart", "k", object())
        assert (await runtime.get_state("cart", "k")).data is None


async def test_versions_options_and_times_to_live_are_kept(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path), STORE]) as runtime:
        await runtime.save_state("cart", "k", 1)
        etag = (await runtime.get_state("cart", "k")).etag
        await runtime.save_state("cart", "k", 2, etag)
        with pytest.raises(EtagMismatch):
            await runtime.save_state("cart", "k", 3, etag)
        with pytest.raises(EtagMismatch):
            await runtime.delete_state("cart", "k", etag)
        first = StateOptions(concurrency=Concurrency.FIRST_WRITE)
        with pytest.raises(EtagMismatch):
            await runtime.save_state("cart", "k", 3, options=first)
        await runtime.save_state("cart", "k", 4, state_metadata={"ttlInSeconds": "60"})
        expires_at = (await runtime.get_state("cart", "k")).expires_at
        assert expires_at is not None
        assert expires_at > datetime.now(UTC)
        await runtime.delete_state("cart", "k")
        await runtime.delete_state("cart", "k")
        assert (await runtime.get_state("cart", "k")).data is None


async def test_several_values_are_saved_and_read_together(tmp_path: Path) -> None:
    source = [engine(tmp_path), STORE, ComponentSpec("silent", "state.silent")]
    async with Runtime.open(source, component_types=[SILENT]) as runtime:
        await runtime.save_bulk_state("cart", [StateItem("a", 1), StateItem("b", b"2")])
        found = await runtime.get_bulk_state("cart", ["b", "c", "a"], parallelism=1)
        assert [(item.key, item.data) for item in found] == [("b", b"2"), ("c", None), ("a", b"1")]
        with pytest.raises(EtagMismatch):
            await runtime.save_bulk_state("cart", [StateItem("a", 3, "other"), StateItem("d", 4)])
        assert (await runtime.get_state("cart", "d")).value(int) == 4
        (silent,) = await runtime.get_bulk_state("silent", ["a"])
        assert silent.error == "nobody is there"
        with pytest.raises(BackendUnavailable):
            await runtime.get_state("silent", "a")


async def test_a_transaction_is_done_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    source = [engine(tmp_path), STORE, ComponentSpec("plain", "state.plain")]
    async with Runtime.open(source, component_types=[PLAIN]) as runtime:
        await runtime.save_state("cart", "old", 1)
        delete = TransactionalStateOperation("old", operation_type=TransactionOperationType.DELETE)
        upsert = TransactionalStateOperation("new", Item("pot", 2))
        stale = TransactionalStateOperation("old", 3, etag="another")
        with pytest.raises(EtagMismatch):
            await runtime.execute_state_transaction("cart", [upsert, stale])
        await runtime.execute_state_transaction("cart", [upsert, delete])
        await runtime.execute_state_transaction("cart", [])
        assert (await runtime.get_state("cart", "new")).value(Item) == Item("pot", 2)
        assert (await runtime.get_state("cart", "old")).data is None
        with pytest.raises(UnsupportedOperation, match="transactions"):
            await runtime.execute_state_transaction("plain", [upsert])
        with pytest.raises(InvalidEtag):
            await runtime.save_state("plain", "k", 1, "x")


async def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = [engine(tmp_path), STORE, ComponentSpec("table", "state.aws.dynamodb")]
    async with Runtime.open(source) as runtime:
        with pytest.raises(ComponentNotFound, match=r"'kart'.* Did you mean 'cart'\?"):
            await runtime.get_state("kart", "k")
        with pytest.raises(ComponentTypeNotInstalled, match="dynamodb' is not installed"):
            await runtime.save_state("table", "k", 1)
        with pytest.raises(ComponentTypeNotInstalled):
            await runtime.get_secret("table", "k")
        with pytest.raises(ComponentNotFound):
            await runtime.get_bulk_secret("cart")
        with pytest.raises(InvalidRequest, match=r"can't contain '\|\|'"):
            await runtime.delete_state("cart", "a||b")


async def test_the_keys_of_two_applications_differ(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path), STORE], app_id="shop") as runtime:
        await runtime.save_state("cart", "k", 1)
        assert await runtime.blocks.states["cart"].store.get("shop||k") is not None


async def test_secrets_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "value")
    file = tmp_path / "secrets.json"
    file.write_text('{"db": {"password": "p"}}')
    source = [
        engine(tmp_path),
        ComponentSpec("env", "secretstores.local.env", metadata={"prefix": "SHOP_"}),
        ComponentSpec("file", "secretstores.local.file", metadata={"secretsFile": str(file)}),
    ]
    async with Runtime.open(source) as runtime:
        assert await runtime.get_secret("env", "KEY") == {"KEY": "value"}
        assert await runtime.get_secret("file", "db:password") == {"db:password": "p"}
        assert await runtime.get_bulk_secret("file") == {"db:password": {"db:password": "p"}}
        with pytest.raises(SecretNotFound):
            await runtime.get_secret("file", "db")


async def test_a_secret_store_of_a_third_party_is_read_too(tmp_path: Path) -> None:
    source = [engine(tmp_path), ComponentSpec("vault", "secretstores.vault")]
    async with Runtime.open(source, component_types=[VAULT]) as runtime:
        assert await runtime.get_secret("vault", "db") == {"password": "version 1"}
        versioned = await runtime.get_bulk_secret("vault", {"version_id": "7"})
        assert versioned == {"db": {"password": "version 7"}}


def test_the_sync_runtime_does_the_same(tmp_path: Path) -> None:
    env = ComponentSpec("env", "secretstores.local.env")
    with SyncRuntime.open([engine(tmp_path), STORE, env], app_id="shop") as runtime:
        runtime.save_state("cart", "a", 1)
        runtime.save_bulk_state("cart", [StateItem("b", 2)])
        upsert = TransactionalStateOperation("c", 3)
        runtime.execute_state_transaction("cart", [upsert])
        found = runtime.get_bulk_state("cart", ["a", "b", "c"])
        assert [item.value(int) for item in found] == [1, 2, 3]
        runtime.delete_state("cart", "a")
        assert runtime.get_state("cart", "a").value() is None
        assert runtime.get_secret("env", "NOT_SET_HERE") == {"NOT_SET_HERE": ""}
        assert "PATH" in runtime.get_bulk_secret("env")


async def test_activities_use_state_with_and_without_await(tmp_path: Path) -> None:
    app = App()

    @app.activity
    async def take(ctx: ActivityContext, key: str) -> int:
        stock = (await ctx.get_state("cart", key)).value(int) or 0
        await ctx.save_state("cart", key, stock - 1)
        return stock - 1

    @app.activity
    def take_in_a_thread(ctx: ActivityContext, key: str) -> int:
        stock = ctx.sync.get_state("cart", key).value(int) or 0
        ctx.sync.save_state("cart", key, stock - 1)
        ctx.sync.execute_state_transaction("cart", [TransactionalStateOperation("last", key)])
        return stock - 1

    @app.workflow
    async def sell(ctx: WorkflowContext, key: str) -> list[int]:
        return [
            await ctx.call_activity(take, input=key),
            await ctx.call_activity(take_in_a_thread, input=key),
        ]

    async with Runtime.open([engine(tmp_path), STORE], app) as runtime:
        await runtime.save_state("cart", "car", 10)
        instance_id = await runtime.start(sell, "car")
        assert (await runtime.wait(instance_id)).result() == [9, 8]
        assert (await runtime.get_state("cart", "car")).value(int) == 8
        assert (await runtime.get_state("cart", "last")).value(str) == "car"


async def test_an_error_of_a_store_reaches_the_activity_in_a_thread(tmp_path: Path) -> None:
    app = App()

    @app.activity
    def ask(ctx: ActivityContext) -> str:
        with pytest.raises(ComponentNotFound):
            ctx.sync.get_state("other", "k")
        with pytest.raises(EtagMismatch):
            ctx.sync.save_state("cart", "k", 1, "another")
        return "told"

    @app.activity
    async def wait_for_itself(ctx: ActivityContext) -> None:
        ctx.sync.get_state("cart", "k")

    @app.workflow
    async def asking(ctx: WorkflowContext) -> list[Any]:
        told = await ctx.call_activity(ask)
        try:
            await ctx.call_activity(wait_for_itself)
        except FlowyardError as error:
            return [told, str(error)]
        return [told]

    async with Runtime.open([engine(tmp_path), STORE], app) as runtime:
        instance_id = await runtime.start(asking)
        told, error = (await runtime.wait(instance_id)).result(list)
        assert told == "told"
        assert "Use `await ctx.get_state(…)` there" in error


async def test_without_any_block_the_missing_store_is_named(tmp_path: Path) -> None:
    app = App()

    @app.activity
    async def ask(ctx: ActivityContext) -> str:
        with pytest.raises(ComponentNotFound, match="no component is named 'cart'"):
            await ctx.get_state("cart", "k")
        return "told"

    @app.workflow
    async def asking(ctx: WorkflowContext) -> str:
        return await ctx.call_activity(ask)

    async with Runtime.open([engine(tmp_path)], app) as runtime:
        instance_id = await runtime.start(asking)
        assert (await runtime.wait(instance_id)).result() == "told"


async def test_a_context_outside_of_a_runtime_says_what_it_lacks() -> None:
    context = ActivityContext("order-7", 0, "call-1")
    with pytest.raises(FlowyardError, match="outside of a runtime"):
        await context.get_state("cart", "k")
    with pytest.raises(FlowyardError, match="outside of a runtime"):
        context.sync.get_state("cart", "k")


async def test_a_call_from_another_event_loop_is_refused(tmp_path: Path) -> None:
    async with Runtime.open([engine(tmp_path), STORE]) as runtime:

        def elsewhere() -> None:
            with pytest.raises(FlowyardError, match="another event loop"):
                asyncio.run(runtime.save_state("cart", "k", 1))

        await asyncio.to_thread(elsewhere)
        assert (await runtime.get_state("cart", "k")).data is None
