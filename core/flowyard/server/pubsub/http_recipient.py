"""Events for an application that speaks HTTP (docs/protocol.md §16)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

import msgspec

from flowyard.blocks.cloud_events import CONTENT_TYPE
from flowyard.config.subscriptions import Subscription, told_subscription
from flowyard.errors import BackendUnavailable, ConfigurationError
from flowyard.server.app import wait_for_app
from flowyard.server.app_channel import AppAddress, AppAway, AppRequest
from flowyard.server.http_app import HttpApp, read_body
from flowyard.server.pubsub.bulk_events import bulk_answers, bulk_body
from flowyard.server.pubsub.delivery import Answer, Parcel

logger = logging.getLogger(__name__)

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TEXT = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
# Of the request itself; what a publisher says of them would break it.
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "dapr-api-token",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_ANSWERS = {
    "": Answer.SUCCESS,
    "SUCCESS": Answer.SUCCESS,
    "RETRY": Answer.RETRY,
    "DROP": Answer.DROP,
}


class HttpRecipient:
    """Posts each event to its path.

    Args:
        app: The channel.
        address: Where it leads.
        app_id: The ID of the application.
        max_body: The largest answer that is read, in bytes.
    """

    def __init__(self, app: HttpApp, address: AppAddress, app_id: str, max_body: int) -> None:
        self._app = app
        self._address = address
        self._app_id = app_id
        self._max_body = max_body

    async def subscriptions(self) -> Sequence[Subscription]:
        """Return what the application subscribes to; raises `BackendUnavailable`."""
        headers = {"content-type": "application/json", "dapr-app-id": self._app_id}
        async with self._app.call(AppRequest("GET", "/dapr/subscribe", headers)) as response:
            body = await read_body(response, self._max_body)
        if response.status != 200:
            if response.status != 404:
                logger.warning(
                    "the application answers GET /dapr/subscribe with status %d: it gets no topics "
                    "by it",
                    response.status,
                )
            return ()
        try:
            items = msgspec.json.decode(body)
        except ValueError as error:
            logger.warning("the application answers GET /dapr/subscribe with no JSON: %s", error)
            return ()
        if items is not None and not isinstance(items, list):
            logger.warning("the application answers GET /dapr/subscribe with no list")
            return ()
        found = []
        for item in items or ():
            try:
                found.append(told_subscription(item))
            except ConfigurationError as error:
                logger.warning("not subscribed: %s", error)
        return found

    async def deliver(self, parcel: Parcel) -> Answer:
        request = AppRequest("POST", parcel.path, self._headers(parcel), parcel.data)
        try:
            async with self._app.call(request) as response:
                body = await read_body(response, self._max_body)
        except AppAway:
            raise
        except BackendUnavailable as error:
            logger.warning("an event of topic '%s' was not taken: %s", parcel.topic, error)
            return Answer.RETRY
        return self._answer(response.status, body, parcel)

    async def deliver_all(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        ids, body = bulk_body(parcels)
        first = parcels[0]
        headers = {"content-type": "application/json", "pubsubName": first.pubsub_name}
        try:
            async with self._app.call(AppRequest("POST", first.path, headers, body)) as response:
                told = await read_body(response, self._max_body)
        except AppAway:
            raise
        except BackendUnavailable as error:
            logger.warning("events of topic '%s' were not taken: %s", first.topic, error)
            return [Answer.RETRY] * len(parcels)
        return bulk_answers(response.status, told, ids, first)

    async def returned(self) -> None:
        await wait_for_app(self._address)

    def _headers(self, parcel: Parcel) -> dict[str, str]:
        headers = {
            name: value
            for name, value in {**parcel.metadata, "pubsubName": parcel.pubsub_name}.items()
            if _TOKEN.fullmatch(name) and _TEXT.fullmatch(value) and name.lower() not in _OURS
        }
        headers["content-type"] = CONTENT_TYPE
        for name in ("traceparent", "tracestate"):
            value = parcel.event.get(name)
            if isinstance(value, str) and value and _TEXT.fullmatch(value):
                headers[name] = value
        return headers

    def _answer(self, status: int, body: bytes, parcel: Parcel) -> Answer:
        if status == 404:
            logger.warning(
                "the application has no path %s: an event of topic '%s' is dropped",
                parcel.path,
                parcel.topic,
            )
            return Answer.DROP
        if not 200 <= status < 300:
            logger.warning(
                "the application answers %s with status %d: an event of topic '%s' was not taken",
                parcel.path,
                status,
                parcel.topic,
            )
            return Answer.RETRY
        try:
            told = msgspec.json.decode(body)
        except (ValueError, RecursionError):
            return Answer.SUCCESS
        said = told.get("status") if isinstance(told, dict) else None
        if said is None:
            return Answer.SUCCESS
        answer = _ANSWERS.get(said) if isinstance(said, str) else None
        if answer is None:
            logger.warning("the application answers %s with status %r", parcel.path, said)
            return Answer.RETRY
        return answer
