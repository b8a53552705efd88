"""Publishing over HTTP: the envelope, the answers, and what a topic's scopes forbid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wire.app.service import running
from wire.pubsub.sidecar import Subscribed, beside, components

ORDERS = {"pubsubname": "orderpubsub", "topic": "orders", "route": "orders"}
URL = "/v1.0/publish/orderpubsub/orders"


async def _published(
    folder: Path, body: bytes, content_type: str | None, **metadata: str
) -> dict[str, Any]:
    """Publish, and return the event that arrives."""
    app = Subscribed([ORDERS])
    headers = {} if content_type is None else {"content-type": content_type}
    params = {f"metadata.{key}": value for key, value in metadata.items()}
    async with running(app.app()) as port, beside(components(folder), port) as sidecar:
        answer = await sidecar.http.post(URL, content=body, headers=headers, params=params)
        assert (answer.status_code, answer.content) == (204, b"")
        (event,) = await app.gets(1)
    found: dict[str, Any] = event
    return found


@pytest.mark.parametrize(
    ("body", "content_type", "key", "value"),
    [
        (b'{"n": 1.10}', "application/json; charset=utf-8", "data", {"n": 1.1}),
        (b"not JSON", "application/json", "data", "not JSON"),
        (b'{"n": 1}', "application/vnd.x+json", "data", '{"n": 1}'),
        (b"text", None, "data", "text"),
        (b"<a/>", "application/xml", "data", "<a/>"),
        (b"\xff\x00", "application/octet-stream", "data_base64", "/wA="),
        (b"", "text/plain", "data", ""),
    ],
)
async def test_data_is_put_into_an_event_by_its_type(
    tmp_path: Path, body: bytes, content_type: str | None, key: str, value: object
) -> None:
    event = await _published(tmp_path, body, content_type)
    assert event[key] == value
    assert event["datacontenttype"] == (content_type or "text/plain")


async def test_metadata_set_fields_of_the_event(tmp_path: Path) -> None:
    given = {
        "cloudevent.id": "one",
        "CloudEvent.Source": "elsewhere",
        "cloudevent.type": "made",
        "cloudevent.traceid": "trace",
        "cloudevent.subject": "about",
        "ttlInSeconds": "60",
    }
    event = await _published(tmp_path, b"1", "application/json", **given)
    told = {key: event[key] for key in ("id", "source", "type", "traceid", "subject")}
    assert told == {
        "id": "one",
        "source": "elsewhere",
        "type": "made",
        "traceid": "trace",
        "subject": "about",
    }
    assert event["expiration"].endswith("Z")


async def test_an_event_of_the_publisher_is_completed(tmp_path: Path) -> None:
    body = (
        b'{"id": "mine", "topic": "forged", "pubsubname": "forged", "data": 12345678901234567890}'
    )
    event = await _published(tmp_path, body, "application/cloudevents+json")
    assert event.pop("time")
    assert event == {
        "id": "mine",
        "topic": "orders",
        "pubsubname": "orderpubsub",
        "source": "Dapr",
        "type": "com.dapr.event.sent",
        "specversion": "1.0",
        "traceid": "",
        "traceparent": "",
        "tracestate": "",
        "data": 12345678901234567890,
    }


@pytest.mark.parametrize(
    ("url", "content_type", "status", "code", "message"),
    [
        (
            "/v1.0/publish/other/orders",
            "",
            404,
            "ERR_PUBSUB_NOT_FOUND",
            "pubsub other is not found",
        ),
        ("/v1.0/publish//orders", "", 404, "ERR_PUBSUB_EMPTY", "pubsub name is empty"),
        (
            "/v1.0/publish/orderpubsub/",
            "",
            404,
            "ERR_TOPIC_NAME_EMPTY",
            "topic is empty in pubsub orderpubsub",
        ),
        (
            "/v1.0/publish/orderpubsub/secret",
            "",
            403,
            "ERR_PUBSUB_FORBIDDEN",
            "topic secret is not allowed for app id checkout",
        ),
        (
            f"{URL}?metadata.rawPayload=no",
            "",
            400,
            "ERR_PUBSUB_REQUEST_METADATA",
            'failed deserializing metadata. Error: strconv.ParseBool: parsing "no": invalid syntax',
        ),
    ],
)
async def test_what_cannot_be_published_has_daprs_error(
    tmp_path: Path, url: str, content_type: str, status: int, code: str, message: str
) -> None:
    folder = components(tmp_path, metadata={"publishingScopes": "checkout=orders,a/b"})
    async with beside(folder, None) as sidecar:
        answer = await sidecar.http.post(url, content=b"data")
        allowed = await sidecar.http.put("/v1.0/publish/orderpubsub/a/b", content=b"data")
    told = answer.json()
    assert (answer.status_code, told["errorCode"]) == (status, code)
    assert told["message"].startswith(message)
    assert ("--dapr" in told["message"]) is ("/other/" in url)
    assert told["details"][0]["reason"].startswith("DAPR_PUBSUB_")
    assert allowed.status_code == 204


async def test_what_is_no_event_is_not_published(tmp_path: Path) -> None:
    async with beside(components(tmp_path), None) as sidecar:
        answer = await sidecar.http.post(
            URL, content=b"no", headers={"content-type": "application/cloudevents+json"}
        )
    assert answer.status_code == 500
    assert answer.json()["errorCode"] == "ERR_PUBSUB_CLOUD_EVENTS_SER"


async def test_several_messages_are_published_in_one_call(tmp_path: Path) -> None:
    app = Subscribed([ORDERS])
    entries = [
        {"entryId": "1", "event": {"n": 1}, "contentType": "application/json"},
        {"entryID": "2", "event": "text", "contentType": "text/plain"},
        {"entryId": "3", "event": "/wA=", "contentType": "application/octet-stream"},
    ]
    async with running(app.app()) as port, beside(components(tmp_path), port) as sidecar:
        answer = await sidecar.http.post("/v1.0/publish/bulk/orderpubsub/orders", json=entries)
        assert answer.status_code == 204, answer.text
        events = await app.gets(3)
    assert [event.get("data", event.get("data_base64")) for event in events] == [
        {"n": 1},
        "text",
        "/wA=",
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}",
        b'[{"entryId": "1", "event": 1, "contentType": "text/plain"}]',
        b'[{"entryId": "1", "event": 1}]',
        b'[{"entryId": "1", "event": "%", "contentType": "application/octet-stream"}]',
        b'[{"event": "a", "contentType": "text/plain"}]',
        b"[%b, %b]" % ((b'{"entryId": "1", "event": "a", "contentType": "text/plain"}',) * 2),
    ],
)
async def test_a_bulk_that_is_wrong_publishes_nothing(tmp_path: Path, body: bytes) -> None:
    async with beside(components(tmp_path), None) as sidecar:
        answer = await sidecar.http.post(
            "/v1.0-alpha1/publish/bulk/orderpubsub/orders", content=body
        )
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "ERR_PUBSUB_EVENTS_SER")
