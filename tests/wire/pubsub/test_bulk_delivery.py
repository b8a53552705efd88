"""Several events in one call to an application, each with a fate of its own."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from servers.process import free_port
from wire.app.service import running
from wire.pubsub.sidecar import Sidecar, beside, components

HOUR_MS = 3_600_000
ORDERS = {"pubsubname": "orderpubsub", "topic": "orders", "route": "orders"}
Statuses = Callable[[Any, int], str | None]


def _bulk(most: int, longest_ms: int = HOUR_MS, **more: Any) -> dict[str, Any]:
    bulk = {"enabled": True, "maxMessagesCount": most, "maxAwaitDurationMs": longest_ms}
    return {**ORDERS, "bulkSubscribe": bulk, **more}


class Taker:
    """An application that takes events together, and answers each as it is told.

    Args:
        subscriptions: What it subscribes to.
        statuses: The status of an event, by its data and by how often it has come; None for none.
        answers: What it answers instead, in turn.
    """

    def __init__(
        self,
        subscriptions: list[dict[str, Any]],
        statuses: Statuses = lambda data, times: "SUCCESS",
        answers: list[Response] | None = None,
    ) -> None:
        self.calls: list[tuple[str, Mapping[str, str], Any]] = []
        self.single: list[Any] = []
        self._subscriptions = subscriptions
        self._statuses = statuses
        self._answers = answers or []
        self._times: dict[str, int] = {}
        self._changed = asyncio.Condition()

    def app(self) -> Starlette:
        """Return what is to be run."""
        return Starlette(
            routes=[
                Route("/dapr/subscribe", self._subscribe),
                Route("/{path:path}", self._take, methods=["POST"]),
            ]
        )

    async def gets(self, calls: int, single: int = 0) -> None:
        """Return once there are so many."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(
                lambda: len(self.calls) >= calls and len(self.single) >= single
            )

    @property
    def data(self) -> list[list[Any]]:
        """The data of all events, call by call, sorted in each."""
        return [
            sorted(entry["event"]["data"] for entry in body["entries"]) for _, _, body in self.calls
        ]

    async def _subscribe(self, _request: Request) -> Response:
        return JSONResponse(self._subscriptions)

    async def _take(self, request: Request) -> Response:
        body = json.loads(await request.body())
        async with self._changed:
            if "entries" in body:
                self.calls.append((request.url.path, dict(request.headers), body))
            else:
                self.single.append(body)
            self._changed.notify_all()
        if "entries" not in body:
            return Response()
        if self._answers:
            return self._answers.pop(0)
        return JSONResponse({"statuses": [self._status(entry) for entry in body["entries"]]})

    def _status(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        data = entry["event"]["data"]
        self._times[str(data)] = self._times.get(str(data), 0) + 1
        status = self._statuses(data, self._times[str(data)])
        told = {"entryId": entry["entryId"]}
        return told if status is None else {**told, "status": status}


async def _publish(sidecar: Sidecar, *data: Any) -> None:
    for item in data:
        await sidecar.publish("orders", item)


async def test_events_arrive_together_as_dapr_would_bring_them(tmp_path: Path) -> None:
    taker = Taker([_bulk(2)])
    async with running(taker.app()) as port, beside(components(tmp_path), port) as sidecar:
        await sidecar.publish("orders", {"n": 1}, **{"metadata.color": "green"})
        await sidecar.publish("orders", {"n": 2})
        await taker.gets(1)
    ((path, headers, body),) = taker.calls
    assert (path, headers["content-type"]) == ("/orders", "application/json")
    assert headers["dapr-api-token"] == "its own"
    entries = body.pop("entries")
    assert body.pop("id")
    assert body == {
        "metadata": {},
        "topic": "orders",
        "pubsubname": "orderpubsub",
        "type": "com.dapr.event.sent.bulk",
    }
    first, second = sorted(entries, key=lambda entry: int(entry["event"]["data"]["n"]))
    assert first["entryId"] != second["entryId"]
    assert (first["metadata"]["color"], first["contentType"]) == (
        "green",
        "application/cloudevents+json",
    )
    assert first["event"]["type"] == "com.dapr.event.sent"
    assert second["event"]["data"] == {"n": 2}


async def test_more_events_are_together_than_are_in_hand_one_by_one(tmp_path: Path) -> None:
    taker = Taker([_bulk(25)])
    async with running(taker.app()) as port, beside(components(tmp_path), port) as sidecar:
        await _publish(sidecar, *range(50))
        await taker.gets(2)
    assert [len(data) for data in taker.data] == [25, 25]
    assert sorted(chain.from_iterable(taker.data)) == list(range(50))


async def test_what_does_not_fill_a_call_goes_when_its_time_is_over(tmp_path: Path) -> None:
    taker = Taker([_bulk(100, longest_ms=1)])
    async with running(taker.app()) as port, beside(components(tmp_path), port) as sidecar:
        await _publish(sidecar, 1)
        await taker.gets(1)
    assert taker.data == [[1]]


async def test_each_event_has_a_fate_of_its_own(tmp_path: Path) -> None:
    def status(data: Any, times: int) -> str | None:
        again = {"retry": "RETRY", "unknown": "WHAT", "empty": "", "none": None}
        if data in again:
            return again[data] if times == 1 else "SUCCESS"
        return {"taken": "SUCCESS", "dropped": "DROP", "poison": "RETRY"}[data]

    dead = {**ORDERS, "topic": "dead", "route": "dead"}
    taker = Taker([_bulk(7, 50, deadLetterTopic="dead"), dead], status)
    async with running(taker.app()) as port, beside(components(tmp_path), port) as sidecar:
        datas = ["retry", "unknown", "empty", "none", "taken", "dropped", "poison"]
        await _publish(sidecar, *datas)
        await taker.gets(1, single=2)
    counted = {data: sum(call.count(data) for call in taker.data) for data in datas}
    assert counted == {
        **dict.fromkeys(["retry", "unknown", "empty", "none"], 2),
        **dict.fromkeys(["taken", "dropped"], 1),
        "poison": 3,
    }
    assert sorted(event["data"] for event in taker.single) == ["dropped", "poison"]


@pytest.mark.parametrize(
    "answer",
    [
        Response(),
        Response("not JSON"),
        Response("[" * 10_000),
        JSONResponse({"status": "SUCCESS"}),
        JSONResponse({"statuses": "SUCCESS"}),
        JSONResponse({"statuses": [None, {"entryId": 1, "status": "SUCCESS"}]}),
        JSONResponse({"statuses": [{"entryId": "another", "status": "SUCCESS"}]}),
        Response(status_code=500),
    ],
    ids=["empty", "text", "deep", "single", "no-list", "no-entries", "another", "500"],
)
async def test_without_an_answer_for_them_all_come_again(tmp_path: Path, answer: Response) -> None:
    taker = Taker([_bulk(2)], answers=[answer])
    async with running(taker.app()) as port, beside(components(tmp_path), port) as sidecar:
        await _publish(sidecar, 1, 2)
        await taker.gets(2)
    assert taker.data == [[1, 2], [1, 2]]


async def test_all_are_dropped_where_the_application_has_no_such_path(tmp_path: Path) -> None:
    dead = {**ORDERS, "topic": "dead", "route": "dead"}
    subscriptions = [_bulk(2, deadLetterTopic="dead"), dead]
    taker = Taker(subscriptions, answers=[Response(status_code=404)])
    async with running(taker.app()) as port, beside(components(tmp_path), port) as sidecar:
        await _publish(sidecar, 1, 2)
        await taker.gets(1, single=2)
    assert sorted(event["data"] for event in taker.single) == [1, 2]
    assert len(taker.calls) == 1


async def test_events_of_another_path_go_in_another_call(tmp_path: Path) -> None:
    routes = {"rules": [{"match": "event.data > 10", "path": "/big"}], "default": "/small"}
    taker = Taker([_bulk(2, routes=routes)])
    async with running(taker.app()) as port, beside(components(tmp_path), port) as sidecar:
        await _publish(sidecar, 1, 11)
        await _publish(sidecar, 2, 12)
        await taker.gets(2)
    told = {path: data for (path, _, _), data in zip(taker.calls, taker.data, strict=True)}
    assert told == {"/big": [11, 12], "/small": [1, 2]}


async def test_bytes_without_an_envelope_are_in_base64(tmp_path: Path) -> None:
    taker = Taker([_bulk(1, metadata={"rawPayload": "true"})], answers=[Response(status_code=404)])
    async with running(taker.app()) as port, beside(components(tmp_path), port) as sidecar:
        answer = await sidecar.http.post(
            "/v1.0/publish/orderpubsub/orders", content=b"\xff", params={"metadata.rawPayload": "1"}
        )
        assert answer.status_code == 204
        await taker.gets(1)
    (entry,) = taker.calls[0][2]["entries"]
    assert entry["contentType"] == "application/octet-stream"
    assert base64.b64decode(entry["event"]) == b"\xff"


async def test_events_wait_while_the_application_is_away(tmp_path: Path) -> None:
    taker, port = Taker([_bulk(2)]), free_port()
    async with beside(components(tmp_path), port) as sidecar:
        async with running(taker.app(), port):
            await _publish(sidecar, 1, 2)
            await taker.gets(1)
        await _publish(sidecar, 3, 4)
        async with running(taker.app(), port):
            await taker.gets(2)
    assert taker.data == [[1, 2], [3, 4]]


async def test_what_waits_for_more_is_handed_over_when_the_server_stops(tmp_path: Path) -> None:
    routes = {"rules": [{"match": "event.data == 1", "path": "/full"}], "default": "/waiting"}
    taker = Taker([_bulk(2, routes=routes)])
    async with running(taker.app()) as port:
        async with beside(components(tmp_path), port) as sidecar:
            # In memory the one that is published before the others is begun with before them.
            await _publish(sidecar, 2, 1, 1)
            await taker.gets(1)
        await taker.gets(2)
    assert taker.data == [[1, 1], [2]]


async def test_a_document_may_ask_for_it_too(tmp_path: Path) -> None:
    document = """
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: {name: orders}
spec:
  pubsubname: orderpubsub
  topic: orders
  routes: {default: /orders}
  bulkSubscribe: {enabled: true, maxMessagesCount: 2, maxAwaitDurationMs: 3600000}
"""
    taker = Taker([])
    folder = components(tmp_path, documents=[document])
    async with running(taker.app()) as port, beside(folder, port) as sidecar:
        await _publish(sidecar, 1, 2)
        await taker.gets(1)
    assert taker.data == [[1, 2]]
