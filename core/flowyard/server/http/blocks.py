"""What is told to callers of blocks that are not served, and of paths that nobody serves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from flowyard.server.http.endpoints import fault_response, refuse
from flowyard.server.not_served import Daprd, advice
from flowyard.server.refusals import Refusals
from flowyard.wire.json.errors import Fault

if TYPE_CHECKING:
    # It takes httpx along, which a server without a daprd has no use for.
    from flowyard.server.http.forwarding import HttpForwarding

_PATH = re.compile(r"/v1\.0(?:-[a-z0-9]+)?/(?P<block>[^/]+)(?:/(?P<name>[^/]*))?(?:/.*)?")
# What is ours whatever the method: a daprd shall not pause a workflow of its own, or stop.
_OURS = frozenset({"workflows", "healthz", "metadata", "shutdown"})


@dataclass(frozen=True, slots=True)
class _Block:
    """How daprd answers where no component of the block is configured."""

    status: int
    code: str
    message: str


_ACTORS = "the actor runtime is not configured"
_BLOCKS: Mapping[str, _Block] = {
    "bindings": _Block(
        500,
        "ERR_INVOKE_OUTPUT_BINDING",
        "error invoking output binding {0}: couldn't find output binding {0}",
    ),
    "invoke": _Block(
        500,
        "ERR_DIRECT_INVOKE",
        "failed to invoke, id: {}, err: no application and no HTTPEndpoint has this name",
    ),
    "configuration": _Block(
        500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured"
    ),
    "lock": _Block(500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured"),
    "unlock": _Block(500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured"),
    "actors": _Block(500, "ERR_ACTOR_RUNTIME_NOT_FOUND", _ACTORS),
}
_UNKNOWN = _Block(404, "ERR_DIRECT_INVOKE", "{} is not configured")


class Elsewhere:
    """Answers what is not served here: by forwarding it to a daprd, or with Dapr's own error.

    Args:
        forwarding: The way to the daprd; None without one.
        daprd: The daprd that is configured, if any; it may have no HTTP address.
        unserved: Why components of the configuration cannot be used, by their names.
    """

    def __init__(
        self,
        refusals: Refusals,
        forwarding: HttpForwarding | None = None,
        daprd: Daprd | None = None,
        unserved: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._refusals = refusals
        self._forwarding = forwarding
        self._daprd = daprd
        self._unserved = unserved

    def answer(
        self, request: Request, block: str, name: str, otherwise: Fault | None = None
    ) -> Response:
        """Answer a call for a component, or an app, that is not ours."""
        if self._forwarding is not None:
            return self._forwarding.answer(self._refusals)
        known = _BLOCKS.get(block, _UNKNOWN)
        fault = otherwise or Fault(known.status, known.code, known.message.format(name))
        return self._refuse(request, fault, name)

    def no_route(self, request: Request) -> Response:
        """Answer a call of a path that is nobody's here."""
        path = request.scope["path"]
        found = _PATH.fullmatch(path)
        block, name = "", ""
        if found is not None:
            block, name = found["block"], unquote(found["name"] or "")
        if block in _OURS:
            text = f"nothing is served at {request.method} {path}; see /openapi.json"
            return self._tell(request, Fault(404, "ERR_DIRECT_INVOKE", text))
        if block not in _BLOCKS and (app_id := request.headers.get("dapr-app-id")):
            block, name = "invoke", app_id
        if block in _BLOCKS or self._forwarding is not None:
            return self.answer(request, block, name)
        # daprd takes any other path for a call of another application.
        text = f"nothing is served at {request.method} {path}; see /openapi.json"
        return self._refuse(request, Fault(404, "ERR_DIRECT_INVOKE", text), "")

    def _refuse(self, request: Request, fault: Fault, name: str) -> Response:
        what_to_do = advice(name, "http", self._daprd, self._unserved)
        return self._tell(request, replace(fault, message=f"{fault.message}. {what_to_do}"))

    def _tell(self, request: Request, fault: Fault) -> Response:
        refuse(self._refusals, request.scope, fault)
        return fault_response(fault)
