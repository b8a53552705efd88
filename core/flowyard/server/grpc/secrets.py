"""The secret methods of `dapr.proto.runtime.v1.Dapr` (docs/protocol.md §19)."""

from __future__ import annotations

from typing import Any

import grpc.aio

from flowyard.blocks.blocks import Blocks
from flowyard.server.secrets_api import SecretsApi
from flowyard.wire.v1 import secrets_pb2 as wire

Context = grpc.aio.ServicerContext[Any, Any]


class SecretsService:
    """Each request names its store."""

    def __init__(self, blocks: Blocks) -> None:
        self._api = SecretsApi(blocks)

    async def get(
        self, request: wire.GetSecretRequest, _context: Context
    ) -> wire.GetSecretResponse:
        """Answer with the values of a secret, by their keys."""
        data = await self._api.get(request.store_name, request.key, dict(request.metadata))
        return wire.GetSecretResponse(data=data)

    async def get_bulk(
        self, request: wire.GetBulkSecretRequest, _context: Context
    ) -> wire.GetBulkSecretResponse:
        """Answer with all secrets."""
        found = await self._api.get_bulk(request.store_name, dict(request.metadata))
        return wire.GetBulkSecretResponse(
            data={name: wire.SecretResponse(secrets=values) for name, values in found.items()}
        )
