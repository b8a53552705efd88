"""What a handler raises where the component that a call names is not one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flowyard.errors import ConfigurationError

_FORMS = "Write http://HOST:PORT, grpc://HOST:PORT or both with a comma between them"
_SCHEMES = ("http", "https", "grpc", "grpcs")


class NotServed(Exception):
    """A call is for a component, or for another app, that is not one of ours.

    A handler raises it, and whoever serves the handler sends the call on to the daprd that
    `--dapr` names, as it came. Without one, the caller is told `otherwise`, or Dapr's own error of
    the block; what to do about it is added to the message. Over HTTP, raise it before any of the
    body is read:

        async def get(self, request: Request) -> Response:
            name = request.path_params["store"]
            store = self._blocks.states.get(name)
            if store is None:
                raise NotServed("state", name)

    Over gRPC, a unary method raises it at any time. A streaming one gets its requests as
    `Requests`, and looks at the first without taking it:

        async def subscribe(self, requests: Requests, context: Context) -> None:
            first = SubscribeRequest.FromString(await requests.first())
            if first.initial_request.pubsub_name not in self._brokers:
                raise NotServed("pubsub", first.initial_request.pubsub_name)
            async for request in requests:  # the first one, too
                ...

    Args:
        block: The building block as the path of HTTP has it: `state`, `publish`, `bindings`,
            `secrets`, `invoke`, ….
        name: The component, or the app.
        otherwise: What went wrong if nobody else can be asked: an error that the handler could
            have raised itself. None, the default, for Dapr's error of a block without components.
    """

    def __init__(self, block: str, name: str, otherwise: Exception | None = None) -> None:
        super().__init__(f"{block} {name} is not served here")
        self.block = block
        self.name = name
        self.otherwise = otherwise


@dataclass(frozen=True, slots=True)
class Daprd:
    """The daprd that gets the calls for what we do not have (docs/protocol.md §20).

    Attributes:
        http: The URL of its HTTP API, None without one.
        grpc: The `host:port` of its gRPC API, None without one.
        grpc_tls: Whether its gRPC API is spoken to over TLS.
        token: The API token that it wants, None for none.
    """

    http: str | None = None
    grpc: str | None = None
    grpc_tls: bool = False
    token: str | None = field(default=None, repr=False)

    @staticmethod
    def parse(text: str, token: str | None = None) -> Daprd:
        """Read `http://host:3500,grpc://host:50001`; raise `ConfigurationError`."""
        found: dict[str, str] = {}
        secure = False
        for part in filter(None, (part.strip() for part in text.split(","))):
            scheme, location = _address(part)
            face = scheme.removesuffix("s") if scheme.startswith("grpc") else "http"
            if face in found:
                raise ConfigurationError(f"--dapr names two addresses for {face}. {_FORMS}.")
            found[face] = location if face == "grpc" else f"{scheme}://{location}"
            secure = secure or scheme == "grpcs"
        if not found:
            raise ConfigurationError(f"--dapr names no address. {_FORMS}.")
        return Daprd(found.get("http"), found.get("grpc"), secure, token or None)


def _address(part: str) -> tuple[str, str]:
    try:
        url = urlsplit(part)
        scheme, port = url.scheme.lower(), url.port
    except ValueError:
        scheme, port, url = "", None, urlsplit("")
    # A user or a password would be sent to nobody, and shown in messages.
    is_plain = not (url.username or url.password or url.query or url.fragment)
    if scheme not in _SCHEMES or not url.hostname or not is_plain or url.path not in {"", "/"}:
        shown = "" if "@" in part else f" '{part}'"
        raise ConfigurationError(f"--dapr{shown} is not an address. {_FORMS}.")
    if scheme.startswith("grpc") and port is None:
        raise ConfigurationError(f"--dapr '{part}' has no port. {_FORMS}.")
    return scheme, url.netloc


def advice(name: str, face: str, daprd: Daprd | None, unserved: Mapping[str, str]) -> str:
    """Say what to do about a call that is not served here.

    `face` is `http` or `grpc`, `unserved` says why components of the configuration cannot be used.
    """
    if daprd is not None:
        return (
            f"It is not served here, and --dapr names no {face}:// address of a daprd to which the "
            "call could be forwarded."
        )
    reason = f"{unserved[name]} " if name in unserved else "It is not served here. "
    return f"{reason}A daprd that has it can serve it: flowyard serve --dapr {face}://HOST:PORT."
