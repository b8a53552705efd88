"""What every sidecar answers: health, metadata, shutdown (docs/protocol.md §3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flowyard.runtime import Runtime
from flowyard.server.http.endpoints import Endpoint, Parameter, read_text
from flowyard.server.metadata import LONGEST_EXTRA, Extras, described
from flowyard.server.pubsub.subscriptions import Active
from flowyard.wire.json.errors import RequestFault

VERSION = "v1.0"
OPEN_TO_ALL = frozenset({f"/{VERSION}/healthz", f"/{VERSION}/healthz/outbound"})
"""A load balancer has no token."""


class Sidecar:
    """Health is given while the runtime is open, and it is open while this is served."""

    def __init__(
        self,
        runtime: Runtime,
        app_id: str,
        shut_down: Callable[[], None],
        connected_workers: Callable[[], int],
        extras: Extras,
        subscriptions: Sequence[Active] = (),
    ) -> None:
        self._runtime = runtime
        self._app_id = app_id
        self._shut_down = shut_down
        self._connected_workers = connected_workers
        self._extras = extras
        self._subscriptions = subscriptions

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the endpoints."""
        appid = {"appid": Parameter({"type": "string"}, "the ID that this application must have")}
        return [
            Endpoint(
                "GET",
                f"/{VERSION}/healthz",
                self.health,
                "Say whether the server is ready",
                {204: "", 500: "Error"},
                query=appid,
            ),
            Endpoint(
                "GET",
                f"/{VERSION}/healthz/outbound",
                self.outbound_health,
                "Say whether the components are ready",
                {204: ""},
            ),
            Endpoint(
                "GET",
                f"/{VERSION}/metadata",
                self.metadata,
                "Describe this server and its components",
                {200: "Metadata"},
            ),
            Endpoint(
                "PUT",
                f"/{VERSION}/metadata/{{key}}",
                self.set_metadata,
                "Add a value to the metadata",
                {204: "", 400: "Error", 413: "Error"},
                body="Payload",
            ),
            Endpoint("POST", f"/{VERSION}/shutdown", self.shutdown, "Stop the server", {204: ""}),
        ]

    async def health(self, request: Request) -> Response:
        """Answer that it is well."""
        asked = request.query_params.get("appid")
        if asked is not None and asked != self._app_id:
            raise RequestFault(500, "ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match")
        return Response(status_code=204)

    async def outbound_health(self, request: Request) -> Response:
        """Answer that it is well."""
        return Response(status_code=204)

    async def metadata(self, request: Request) -> Response:
        """Answer with the components and what was added."""
        document: dict[str, Any] = {
            "id": self._app_id,
            "runtimeVersion": f"flowyard-{version('flowyard')}",
            "enabledFeatures": [],
            "actors": [],
            "components": [asdict(component) for component in described(self._runtime)],
            "extended": self._extras,
        }
        if self._subscriptions:
            document["subscriptions"] = [_told(active) for active in self._subscriptions]
        workers = self._connected_workers()
        if workers:
            document["workflows"] = {"connectedWorkers": workers}
        return JSONResponse(document)

    async def set_metadata(self, request: Request) -> Response:
        """Keep a value while the server runs."""
        key = request.path_params["key"]
        value = await read_text(request, LONGEST_EXTRA)
        self._extras.add(key, value)
        return Response(status_code=204)

    async def shutdown(self, request: Request) -> Response:
        """Begin to stop."""
        self._shut_down()
        return Response(status_code=204)


def _told(active: Active) -> dict[str, Any]:
    subscription = active.subscription
    document: dict[str, Any] = {
        "pubsubname": subscription.pubsub_name,
        "topic": subscription.topic,
        "rules": [asdict(rule) for rule in subscription.rules],
        "type": active.kind,
    }
    if subscription.metadata:
        document["metadata"] = dict(subscription.metadata)
    if subscription.dead_letter_topic:
        document["deadLetterTopic"] = subscription.dead_letter_topic
    return document
