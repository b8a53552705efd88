"""What is told to callers of blocks that are not served, and of paths that nobody serves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import Request

from flowyard.wire.json.errors import Fault

_PATH = re.compile(r"/v1\.0(?:-[a-z0-9]+)?/(?P<block>[^/]+)(?:/(?P<name>[^/]*))?(?:/.*)?")


@dataclass(frozen=True, slots=True)
class _Block:
    """How daprd answers where no component of the block is configured."""

    status: int
    code: str
    message: str


_ACTORS = "the actor runtime is not configured"
_BLOCKS: Mapping[str, _Block] = {
    "publish": _Block(400, "ERR_PUBSUB_NOT_CONFIGURED", "pubsub {} is not configured"),
    "bindings": _Block(
        500,
        "ERR_INVOKE_OUTPUT_BINDING",
        "error invoking output binding {0}: couldn't find output binding {0}",
    ),
    "invoke": _Block(500, "ERR_DIRECT_INVOKE", "failed to invoke, id: {}, err: no other app"),
    "configuration": _Block(
        500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured"
    ),
    "lock": _Block(500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured"),
    "unlock": _Block(500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured"),
    "actors": _Block(500, "ERR_ACTOR_RUNTIME_NOT_FOUND", _ACTORS),
}


def no_route(request: Request) -> Fault:
    """Return the error of the block that the path belongs to, or that nothing is served there."""
    path = request.scope["path"]
    found = _PATH.fullmatch(path)
    block = _BLOCKS.get(found["block"]) if found is not None else None
    name = unquote(found["name"] or "") if found is not None else ""
    if block is None and (app_id := request.headers.get("dapr-app-id")):
        block, name = _BLOCKS["invoke"], app_id
    if block is not None:
        return Fault(block.status, block.code, block.message.format(name))
    # daprd takes any other path for a call of another application.
    return Fault(
        404,
        "ERR_DIRECT_INVOKE",
        f"nothing is served at {request.method} {path}; see /openapi.json",
    )
