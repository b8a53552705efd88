"""Events on their way to an application over HTTP: what it answers, and what becomes of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from servers.process import free_port
from wire.app.service import running
from wire.pubsub.sidecar import Subscribed, beside, components

ORDERS = {"pubsubname": "orderpubsub", "topic": "orders", "route": "orders"}
DEAD = {"pubsubName": "orderpubsub", "topic": "dead", "routes": {"default": "/dead"}}
UNDELIVERED = {
    "pubsubname": "orderpubsub",
    "topic": "orders.undelivered.checkout",
    "route": "/undelivered",
}


def _status(status: str) -> Response:
    return JSONResponse({"status": status})


async def test_an_event_arrives_as_dapr_would_bring_it(tmp_path: Path) -> None:
    app = Subscribed([ORDERS])
    async with (
        running(app.app()) as port,
        beside(components(tmp_path), port) as sidecar,
    ):
        await sidecar.publish("orders", {"orderId": 1}, **{"metadata.color": "green"})
        (event,) = await app.gets(1)
    ((path, headers, _),) = app.got
    assert path == "/orders"
    assert headers["content-type"] == "application/cloudevents+json"
    assert headers["pubsubname"] == "orderpubsub"
    assert headers["color"] == "green"
    assert headers["dapr-api-token"] == "its own"
    assert event.pop("id")
    assert event.pop("time")
    assert event == {
        "source": "checkout",
        "type": "com.dapr.event.sent",
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "topic": "orders",
        "pubsubname": "orderpubsub",
        "traceid": "",
        "traceparent": "",
        "tracestate": "",
        "data": {"orderId": 1},
    }
    assert app.asked[0]["dapr-app-id"] == "checkout"


@pytest.mark.parametrize(
    "answer",
    [
        Response(),
        Response("not JSON"),
        Response("null", status_code=201),
        JSONResponse({"anything": 1}, status_code=202),
        _status(""),
        _status("SUCCESS"),
    ],
    ids=["empty", "text", "null", "other", "no-status", "success"],
)
async def test_what_is_taken_does_not_come_again(tmp_path: Path, answer: Response) -> None:
    app = Subscribed([ORDERS], {"/orders": [answer]})
    async with running(app.app()) as port, beside(components(tmp_path), port) as sidecar:
        await sidecar.publish("orders", 1)
        await app.gets(1)
        await sidecar.publish("orders", 2)
        await app.gets(2)
    assert app.data == [1, 2]


@pytest.mark.parametrize(
    "answer",
    [_status("RETRY"), _status("WHAT"), Response(status_code=500), Response(status_code=302)],
    ids=["retry", "unknown", "500", "302"],
)
async def test_what_is_not_taken_comes_again(tmp_path: Path, answer: Response) -> None:
    app = Subscribed([ORDERS], {"/orders": [answer]})
    async with running(app.app()) as port, beside(components(tmp_path), port) as sidecar:
        await sidecar.publish("orders", 1)
        await app.gets(2)
    first, second = (event for _, _, event in app.got)
    assert first == second


@pytest.mark.parametrize(
    "answer", [_status("DROP"), Response(status_code=404)], ids=["drop", "404"]
)
async def test_what_is_dropped_goes_to_the_dead_letter_topic(
    tmp_path: Path, answer: Response
) -> None:
    app = Subscribed([{**ORDERS, "deadLetterTopic": "dead"}, DEAD], {"/orders": [answer]})
    async with running(app.app()) as port, beside(components(tmp_path), port) as sidecar:
        await sidecar.publish("orders", 1)
        first, second = await app.gets(2)
    assert [path for path, _, _ in app.got] == ["/orders", "/dead"]
    assert first == second


async def test_what_is_dropped_without_a_dead_letter_topic_is_gone(tmp_path: Path) -> None:
    app = Subscribed([ORDERS, UNDELIVERED], {"/orders": [_status("DROP")]})
    async with running(app.app()) as port, beside(components(tmp_path), port) as sidecar:
        await sidecar.publish("orders", 1)
        await app.gets(1)
        await sidecar.publish("orders", 2)
        await app.gets(2)
    assert [path for path, _, _ in app.got] == ["/orders", "/orders"]


async def test_a_poison_message_is_kept_apart_and_does_not_block_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = Subscribed([ORDERS, UNDELIVERED], {"/orders": [Response(status_code=500)] * 3})
    async with running(app.app()) as port, beside(components(tmp_path), port) as sidecar:
        await sidecar.publish("orders", "poison")
        await app.gets(4)
        await sidecar.publish("orders", "fine")
        await app.gets(5)
        metadata = (await sidecar.http.get("/v1.0/metadata")).json()
    assert metadata["extended"] == {"undelivered.orders.undelivered.checkout": "1"}
    assert [path for path, _, _ in app.got] == ["/orders"] * 3 + ["/undelivered", "/orders"]
    assert app.data == ["poison"] * 4 + ["fine"]
    assert "kept apart in topic 'orders.undelivered.checkout'" in caplog.text


async def test_while_one_is_repeated_and_one_takes_long_the_others_arrive(tmp_path: Path) -> None:
    rules = {
        "rules": [
            {"match": 'event.data == "poison"', "path": "/poison"},
            {"match": 'event.data == "slow"', "path": "/slow"},
        ],
        "default": "/orders",
    }
    app = Subscribed([{**ORDERS, "routes": rules}], {"/poison": [Response(status_code=500)] * 9})
    app.gates["/slow"] = asyncio.Event()
    async with running(app.app()) as port, beside(components(tmp_path), port) as sidecar:
        for data in ("poison", "slow", *range(20)):
            await sidecar.publish("orders", data)
        async with asyncio.timeout(30):
            while len([path for path, _, _ in app.got if path == "/orders"]) < 20:
                await app.gets(len(app.got) + 1)
        app.gates["/slow"].set()


async def test_an_application_that_dies_during_delivery_gets_the_event_again(
    tmp_path: Path,
) -> None:
    app, port = Subscribed([ORDERS]), free_port()
    app.gates["/orders"] = asyncio.Event()
    async with beside(components(tmp_path), port) as sidecar:
        await sidecar.publish("orders", 1)
        async with running(app.app(), port):
            await app.gets(1)
        app.gates.clear()
        await sidecar.publish("orders", 2)
        async with running(app.app(), port):
            await app.gets(3)
    assert sorted(app.data) == [1, 1, 2]


async def test_the_api_is_there_before_the_application(tmp_path: Path) -> None:
    app, port = Subscribed([ORDERS]), free_port()
    async with beside(components(tmp_path), port) as sidecar:
        assert (await sidecar.http.get("/v1.0/healthz/outbound")).status_code == 204
        await sidecar.publish("orders", 1)
        async with running(app.app(), port):
            await app.gets(1)


async def test_an_event_that_matches_no_rule_is_done_with(tmp_path: Path) -> None:
    routes = {
        "rules": [{"match": "event.data.n > 1 && event.data.kind in ['a', 'b']", "path": "a"}]
    }
    app = Subscribed([{**ORDERS, "route": "", "routes": routes, "deadLetterTopic": "dead"}, DEAD])
    async with running(app.app()) as port, beside(components(tmp_path), port) as sidecar:
        await sidecar.publish("orders", {"n": 2, "kind": "a", "big": 10**30})
        await app.gets(1)
        await sidecar.publish("orders", {"n": 1, "kind": "a"})
        await app.gets(2)
        await sidecar.publish("orders", {"kind": "a"})
        await app.gets(3)
    assert [path for path, _, _ in app.got] == ["/a", "/dead", "/dead"]


async def test_what_is_no_event_goes_to_the_dead_letter_topic(tmp_path: Path) -> None:
    raw = {**DEAD, "metadata": {"rawPayload": "true"}}
    app = Subscribed([{**ORDERS, "deadLetterTopic": "dead"}, raw])
    async with running(app.app()) as port, beside(components(tmp_path), port) as sidecar:
        answer = await sidecar.http.post(
            "/v1.0/publish/orderpubsub/orders", content=b"\xff", params={"metadata.rawPayload": "1"}
        )
        assert answer.status_code == 204
        (event,) = await app.gets(1)
    assert app.got[0][0] == "/dead"
    assert (event["data_base64"], event["datacontenttype"]) == ("/w==", "application/octet-stream")


async def test_an_event_whose_time_is_over_is_not_delivered(tmp_path: Path) -> None:
    # A subscription with an envelope would not get it there either.
    raw = {**DEAD, "metadata": {"rawPayload": "true"}}
    app, port = Subscribed([{**ORDERS, "deadLetterTopic": "dead"}, raw]), free_port()
    async with beside(components(tmp_path), port) as sidecar:
        await sidecar.publish("orders", "old", **{"metadata.ttl": "1ns"})
        async with running(app.app(), port):
            await app.gets(1)
    assert app.got[0][0] == "/dead"


V2 = """
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: {name: shipments}
spec:
  pubsubname: orderpubsub
  topic: orders
  routes:
    rules: [{match: event.type == "big", path: /big}]
    default: /declared
scopes: [checkout]
"""
V1 = """
apiVersion: dapr.io/v1alpha1
kind: Subscription
metadata: {name: returns}
spec: {pubsubname: orderpubsub, topic: returns, route: /returns}
"""
OTHERS = V1.replace("returns", "others") + "scopes: [shipping]\n"


async def test_documents_subscribe_too(tmp_path: Path) -> None:
    app = Subscribed([])
    folder = components(tmp_path, documents=[V2, V1, OTHERS])
    async with running(app.app()) as port, beside(folder, port) as sidecar:
        await sidecar.publish("others", 0)
        await sidecar.publish("orders", 1)
        await app.gets(1)
        await sidecar.publish("orders", 2, **{"metadata.cloudevent.type": "big"})
        await app.gets(2)
        await sidecar.publish("returns", 3)
        await app.gets(3)
        active = (await sidecar.http.get("/v1.0/metadata")).json()["subscriptions"]
    told = [(path, event["data"]) for path, _, event in app.got]
    assert told == [("/declared", 1), ("/big", 2), ("/returns", 3)]
    assert active[0] == {
        "pubsubname": "orderpubsub",
        "topic": "orders",
        "rules": [
            {"match": 'event.type == "big"', "path": "/big"},
            {"match": "", "path": "/declared"},
        ],
        "type": "DECLARATIVE",
    }
    assert [item["topic"] for item in active] == ["orders", "returns"]


async def test_what_the_application_says_counts_before_a_document(tmp_path: Path) -> None:
    app = Subscribed([ORDERS])
    folder = components(tmp_path, documents=[V2])
    async with running(app.app()) as port, beside(folder, port) as sidecar:
        await sidecar.publish("orders", 1)
        await app.gets(1)
    assert [path for path, _, _ in app.got] == ["/orders"]


@pytest.mark.parametrize(
    ("metadata", "subscription"),
    [
        ({"subscriptionScopes": "checkout=other"}, ORDERS),
        ({"allowedTopics": "other"}, ORDERS),
        ({"protectedTopics": "orders"}, ORDERS),
        ({"publishingScopes": "checkout=other"}, {**ORDERS, "deadLetterTopic": "dead"}),
    ],
)
async def test_a_forbidden_subscription_is_told_and_not_made(
    tmp_path: Path,
    metadata: dict[str, str],
    subscription: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Subscribed([subscription, {**ORDERS, "topic": "other", "route": "other"}])
    async with (
        running(app.app()) as port,
        beside(components(tmp_path, metadata=metadata), port) as sidecar,
    ):
        await sidecar.publish("other", 1)
        await app.gets(1)
    assert "is not allowed for app id 'checkout'" in caplog.text
