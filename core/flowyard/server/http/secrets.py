"""Secrets over HTTP (docs/protocol.md §19)."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flowyard.blocks.blocks import Blocks
from flowyard.server.http.endpoints import Endpoint
from flowyard.server.http.state import query_metadata
from flowyard.server.secrets_api import SecretsApi

_BASE = "/v1.0/secrets/{store}"
_FAILURES = {401: "Error", 500: "Error"}


class SecretsEndpoints:
    """One secret, or all."""

    def __init__(self, blocks: Blocks) -> None:
        self._api = SecretsApi(blocks)

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the endpoints."""
        return [
            Endpoint(
                "GET",
                f"{_BASE}/bulk",
                self.get_bulk,
                "Get all secrets of a store",
                {200: "Secrets", **_FAILURES},
            ),
            Endpoint(
                "GET",
                f"{_BASE}/{{key}}",
                self.get,
                "Get a secret",
                {200: "Secret", **_FAILURES},
            ),
        ]

    async def get(self, request: Request) -> Response:
        """Answer with the values of a secret, by their keys."""
        store, key = request.path_params["store"], request.path_params["key"]
        return JSONResponse(await self._api.get(store, key, query_metadata(request)))

    async def get_bulk(self, request: Request) -> Response:
        """Answer with all secrets."""
        store = request.path_params["store"]
        return JSONResponse(await self._api.get_bulk(store, query_metadata(request)))
