"""The client: the verbs, types and errors of the runtime, from another process."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import anyio.to_thread
import pytest

from flowyard import (
    BackendUnavailable,
    Client,
    ComponentNotFound,
    FlowyardError,
    InstanceAlreadyExists,
    InstanceNotClosed,
    InstanceNotFound,
    InstanceQuery,
    InvalidInstanceId,
    InvalidRequest,
    PayloadError,
    ReusePolicy,
    Runtime,
    SyncClient,
    WorkflowNotRegistered,
    WorkflowStatus,
)
from flowyard.config import ComponentSpec
from flowyard.payload import JsonText
from flowyard.server.http.application import HttpOptions
from flowyard.server.http.server import Address, serve_http
from flowyard.testing.conformance import ComponentConformance, Subject
from flowyard.testing.conformance.calling import Calling
from flowyard.testing.conformance.nesting import Nesting
from flowyard.testing.conformance.renewing import Renewing
from flowyard.testing.conformance.replaying import Replaying
from flowyard.testing.conformance.retrying import Retrying
from flowyard.testing.conformance.sharing import Sharing
from flowyard.testing.conformance.subject import OpenSubject
from flowyard.testing.conformance.surviving import Surviving
from flowyard.testing.conformance.timing import Timing
from flowyard.testing.delegate import DelegatingComponent, in_front_of
from flowyard_engine.plugin import ENGINE
from wire.http.service import Served, engine, shop

_VERBS = (
    "start get wait raise_event pause resume terminate purge list history rerun".split()  # noqa: SIM905
)


# Of what the code does, a client sees the state at the end.
@pytest.mark.second_way(Calling, Nesting, Renewing, Replaying, Retrying, Sharing, Surviving, Timing)
class TestTheEngineOverHttp(ComponentConformance):
    """Every rule of the seam holds for callers of a server too."""

    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        return engine("orders", tmp_path)

    @pytest.fixture
    async def subject(self, open_subject: OpenSubject) -> AsyncIterator[Subject]:
        async with (
            open_subject() as subject,
            serve_http(subject.runtime, Address(port=0), HttpOptions()) as url,
            Client(url) as client,
        ):
            yield replace(subject, runtime=cast("Runtime", client))


@pytest.mark.parametrize("verb", _VERBS)
def test_every_verb_has_the_signature_of_the_runtime(verb: str) -> None:
    ours, others = (inspect.signature(getattr(kind, verb)).parameters for kind in (Client, Runtime))
    assert list(ours.values()) == list(others.values())
    synchronous = inspect.signature(getattr(SyncClient, verb)).parameters
    assert list(synchronous.values()) == list(others.values())


async def test_states_pages_and_histories_are_those_of_the_runtime(
    served: Served, client: Client
) -> None:
    await client.start("fail", input="a reason", instance_id="failed")
    await client.start("parent", instance_id="waiting")
    await client.wait("failed")
    await client.raise_event("waiting:child", "other", {"kept": True})
    await client.pause("waiting", reason="lunch")
    for instance_id in ("failed", "waiting", "waiting:child"):
        assert await client.get(instance_id) == await served.runtime.get(instance_id)
        assert await client.history(instance_id) == await served.runtime.history(instance_id)
    failure = (await client.get("failed")).failure
    assert failure is not None
    assert failure.cause is not None
    assert (await client.get("waiting:child")).parent_instance_id == "waiting"
    now = datetime.now(UTC)
    for query in (
        InstanceQuery(),
        InstanceQuery(page_size=1),
        InstanceQuery(status=frozenset({WorkflowStatus.FAILED, WorkflowStatus.SUSPENDED})),
        InstanceQuery(created_from=now - timedelta(days=1), created_to=now, workflow="fail"),
        InstanceQuery(created_to=now - timedelta(days=1)),
    ):
        assert await client.list(query) == await served.runtime.list(query)


async def test_errors_are_those_of_the_runtime(served: Served, client: Client) -> None:
    await served.runtime.start("gate", instance_id="active")
    runtime = served.runtime
    for both in (client, runtime):
        with pytest.raises(InstanceNotFound) as missing:
            await both.get("x")
        assert missing.value.instance_id == "x"
        with pytest.raises(InstanceAlreadyExists) as existing:
            await both.start("gate", instance_id="active")
        assert (existing.value.instance_id, existing.value.status) == ("active", "RUNNING")
        with pytest.raises(InstanceNotClosed):
            await both.purge("active")
        with pytest.raises(ComponentNotFound) as nameless:
            await both.get("active", component="order")
        assert nameless.value.name == "order"
        with pytest.raises(WorkflowNotRegistered, match=r"Did you mean 'gate'"):
            await both.start("gates")
        with pytest.raises(PayloadError, match="Quantity"):
            await both.start("OrderProcessingWorkflow", {"Name": "x", "TotalCost": 1})
        with pytest.raises(PayloadError):
            await both.raise_event("active", "go", object())
        with pytest.raises(InvalidInstanceId):
            await both.start("gate", instance_id="a b")
        with pytest.raises(InvalidRequest):
            await both.start("")
        with pytest.raises(InvalidRequest):
            await both.raise_event("active", "")
        with pytest.raises(TimeoutError, match=r"had not closed after 0\.05 s"):
            await both.wait("active", timeout=timedelta(seconds=0.05))


async def test_messages_are_those_of_the_runtime(served: Served, client: Client) -> None:
    messages = []
    for both in (client, served.runtime):
        for verb in ("get", "pause", "resume", "terminate", "purge", "history", "wait"):
            with pytest.raises(InstanceNotFound) as error:
                await getattr(both, verb)("never-started")
            messages.append(str(error.value))
    assert len(set(messages)) == 1


@pytest.mark.parametrize("instance_id", ["", ".", "..", "a/b", "ä", "a b", "%2F", "?x=1#y"])
async def test_an_id_that_cannot_be_is_not_found(client: Client, instance_id: str) -> None:
    with pytest.raises(InstanceNotFound) as missing:
        await client.get(instance_id)
    assert missing.value.instance_id == instance_id


async def test_a_start_time_and_a_refused_reuse_are_carried(client: Client) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    await client.start("echo", instance_id="later", start_at=later)
    assert (await client.get("later")).status is WorkflowStatus.PENDING
    await client.start("echo", instance_id="once")
    await client.wait("once")
    with pytest.raises(InstanceAlreadyExists):
        await client.start("echo", instance_id="once", reuse=ReusePolicy.REJECT)


async def test_text_that_is_json_already_is_sent_as_it_stands(client: Client) -> None:
    text = '{"b":1,   "a":1.0}'
    instance_id = await client.start("echo", input=JsonText(text))
    assert (await client.wait(instance_id)).input == text


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async with Client("http://127.0.0.1:9") as client:
        with pytest.raises(BackendUnavailable, match="flowyard serve"):
            await client.get("a")


async def test_a_server_that_is_no_flowyard_is_told(served: Served) -> None:
    async with Client(f"{served.url}/elsewhere") as client:
        with pytest.raises(FlowyardError):
            await client.get("a")


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://[", "http://"])
async def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises((InvalidRequest, BackendUnavailable)):
        async with Client(url) as client:
            await client.get("a")


async def test_many_waits_at_once_do_not_hold_up_other_calls(
    served: Served, client: Client
) -> None:
    await client.start("gate", instance_id="a")
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(client.wait("a")) for _ in range(150)]
        # The event is not raised before every wait has its connection.
        while len(asyncio.all_tasks()) < 3 * len(waits):  # noqa: ASYNC110 - tasks tell nobody
            await asyncio.sleep(0)
        await client.raise_event("a", "go", "open")
    assert {wait.result().output for wait in waits} == {'"open"'}


async def test_the_code_of_the_documentation_runs(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "http.md").read_text()
    block = text.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(block.replace("http://127.0.0.1:3500", served.url), names)  # noqa: S102 - it is ours
    await names["order"]()
    assert capsys.readouterr().out == "COMPLETED null\n"


async def test_the_client_may_be_used_without_await(served: Served) -> None:
    def script() -> str | None:
        with SyncClient.open(served.url) as client:
            instance_id = client.start("echo", input={"x": 1})
            state = client.wait(instance_id, timeout=timedelta(minutes=1))
            assert client.list().instances[0].instance_id == instance_id
            return state.output

    assert await anyio.to_thread.run_sync(script) == '{"x":1}'


class RemovesSlowly(DelegatingComponent):
    """Removes after a while, as a backend does that only promises to remove."""

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        await asyncio.sleep(1)
        return await super().purge(instance_id, recursive=recursive)


async def test_a_purge_may_take_longer_than_other_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowyard.client._TIMEOUT_SECONDS", 0.5)
    slow = in_front_of(ENGINE, "workflow.slow", RemovesSlowly)
    spec = replace(engine("orders", tmp_path), type=slow.name)
    async with (
        Runtime.open([spec], shop(), component_types=[slow]) as runtime,
        serve_http(runtime, Address(port=0), HttpOptions()) as url,
        Client(url) as client,
    ):
        instance_id = await client.start("echo")
        await client.wait(instance_id)
        assert await client.purge(instance_id) == 1
