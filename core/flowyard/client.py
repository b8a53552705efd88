"""The runtime of another process: the same verbs and types, over its HTTP API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flowyard.backend.history import HistoryEvent
from flowyard.errors import AccessDenied, BackendUnavailable, FlowyardError, InvalidRequest
from flowyard.models import (
    InstancePage,
    InstanceQuery,
    ReusePolicy,
    WorkflowState,
    check_instance_id,
)
from flowyard.payload import ABSENT, encode
from flowyard.wire.json.errors import Fault, error_of
from flowyard.wire.json.events import event_of
from flowyard.wire.json.states import page_of, state_of

# Lazy where it is used: `import flowyard` shall not wait for it.
if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:3500"

KEEP_ALIVE_SECONDS = 30.0
"""How long an idle connection is kept: less than servers do, so that none is closed in use."""

_TIMEOUT_SECONDS = 30.0
_LONG_POLL = 30.0
# How long removing may take is the component's to say (Temporal's `purgeTimeout`).
_PURGE_TIMEOUT_SECONDS = 3600.0


class Client:
    """Starts and manages workflows on a server (`flowyard serve`); close it, or use `async with`.

    Every verb takes, returns and raises what it does on [`Runtime`][flowyard.Runtime]. It also
    raises `BackendUnavailable` where the server does not answer within 30 s (3,600 s for `purge`)
    or something else answers, `AccessDenied` where the server wants another token, `InvalidRequest`
    where the URL cannot be called, and `FlowyardError` where the server has an internal error, of
    which its log says more.

    Args:
        url: The address of the server, with `http://` or `https://`; by default
            `http://127.0.0.1:3500`.
        token: The API token that the server wants; none by default.
        verify: A file of certificate authorities to trust instead of the usual ones.

    Raises:
        InvalidRequest: If the URL is none, the token cannot be sent in a header, or the file holds
            no certificates.

    Example:
        ```python
        async with Client("http://127.0.0.1:3500") as client:
            instance_id = await client.start("order", input={"item": "tea"})
            print((await client.wait(instance_id)).result())
        ```
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, token: str | None = None, verify: str | None = None
    ) -> None:
        import httpx

        self.url = url.rstrip("/")
        try:
            self._http = httpx.AsyncClient(
                base_url=f"{self.url}/flowyard/v1/",
                headers=[(b"dapr-api-token", _header(token))] if token else None,
                timeout=_TIMEOUT_SECONDS,
                # Each wait keeps one: a bound would make other calls stand in line.
                limits=httpx.Limits(
                    max_connections=None,
                    max_keepalive_connections=20,
                    keepalive_expiry=KEEP_ALIVE_SECONDS,
                ),
                verify=_trusting(self.url, verify),
            )
            _check_port(self._http.base_url.port)
        except (httpx.InvalidURL, ValueError) as error:
            raise InvalidRequest(f"'{url}' is not a URL: {error}") from error

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. The client cannot be used after that."""
        await self._http.aclose()

    async def start(
        self,
        workflow: Callable[..., Any] | str,
        input: object = ABSENT,
        *,
        instance_id: str | None = None,
        component: str | None = None,
        start_at: datetime | None = None,
        reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED,
        options: Mapping[str, str] | None = None,
    ) -> str:
        """Start a workflow on the server and return its instance ID.

        As `Runtime.start`, but a function goes by its own name (`__name__`), whatever it is
        registered as, and only the server checks that the input is of the declared type.
        """
        name = workflow if isinstance(workflow, str) else workflow.__name__
        if not name:
            raise InvalidRequest("the name of the workflow is empty")
        body: dict[str, Any] = {"workflow": name, "reuse": reuse, "options": dict(options or {})}
        if instance_id is not None:
            body["instanceID"] = check_instance_id(instance_id)
        if input is not ABSENT:
            body["input"] = encode(input, f"input of workflow '{name}'")
        if start_at is not None:
            body["startAt"] = _time(start_at)
        document = await self._call("POST", "instances", component, json=body)
        return str(document["instanceID"])

    async def get(
        self, instance_id: str, *, payloads: bool = True, component: str | None = None
    ) -> WorkflowState:
        """Return the state of an instance. As `Runtime.get`."""
        query = {} if payloads else {"payloads": "false"}
        return state_of(await self._call("GET", _path(instance_id), component, query))

    async def wait(
        self,
        instance_id: str,
        *,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - it is part of what is asked for
        component: str | None = None,
    ) -> WorkflowState:
        """Return the state of an instance once it is closed. As `Runtime.wait`."""
        path = _path(instance_id, "wait")
        seconds = float("inf") if timeout is None else timeout.total_seconds()
        end = time.monotonic() + seconds
        while True:
            poll = max(0.0, min(end - time.monotonic(), _LONG_POLL))
            query = {"timeout": f"{poll:f}"}
            state = state_of(
                await self._call("GET", path, component, query, timeout=poll + _TIMEOUT_SECONDS)
            )
            if state.status.is_closed:
                return state
            if time.monotonic() >= end:
                raise TimeoutError(f"instance '{instance_id}' had not closed after {seconds:g} s")

    async def raise_event(
        self, instance_id: str, name: str, data: object = None, *, component: str | None = None
    ) -> bool:
        """Raise an event to an instance; False if it is closed. As `Runtime.raise_event`."""
        if not name:
            raise InvalidRequest("the name of the event is empty")
        text = "" if data is None else encode(data, f"data of event '{name}'")
        path = _path(instance_id, "events", name)
        return bool((await self._call("POST", path, component, content=text.encode()))["changed"])

    async def pause(
        self, instance_id: str, *, reason: str | None = None, component: str | None = None
    ) -> bool:
        """Let an instance take no turn until it is resumed. As `Runtime.pause`."""
        return await self._change(instance_id, "pause", component, {"reason": reason})

    async def resume(
        self, instance_id: str, *, reason: str | None = None, component: str | None = None
    ) -> bool:
        """Let a paused instance go on. As `Runtime.resume`."""
        return await self._change(instance_id, "resume", component, {"reason": reason})

    async def terminate(
        self,
        instance_id: str,
        *,
        output: object = None,
        recursive: bool = True,
        component: str | None = None,
    ) -> bool:
        """End an instance as TERMINATED. As `Runtime.terminate`."""
        text = None if output is None else encode(output, f"output of instance '{instance_id}'")
        body = {"output": text, "recursive": recursive}
        return await self._change(instance_id, "terminate", component, body)

    async def purge(
        self, instance_id: str, *, recursive: bool = True, component: str | None = None
    ) -> int:
        """Remove a closed instance with its history. As `Runtime.purge`."""
        body = {"recursive": recursive}
        path = _path(instance_id, "purge")
        document = await self._call(
            "POST", path, component, json=body, timeout=_PURGE_TIMEOUT_SECONDS
        )
        return int(document["purged"])

    async def list(
        self, query: InstanceQuery | None = None, *, component: str | None = None
    ) -> InstancePage:
        """Return one page of instances, newest first, without payloads. As `Runtime.list`."""
        wanted = query or InstanceQuery()
        given = {
            "workflow": wanted.workflow,
            "status": sorted(wanted.status),
            "createdFrom": _time(wanted.created_from),
            "createdTo": _time(wanted.created_to),
            "prefix": wanted.instance_id_prefix,
            "pageSize": str(wanted.page_size),
            "continuationToken": wanted.continuation_token,
        }
        return page_of(await self._call("GET", "instances", component, given))

    async def history(
        self, instance_id: str, *, component: str | None = None
    ) -> Sequence[HistoryEvent]:
        """Return the events of an instance's current execution. As `Runtime.history`."""
        document = await self._call("GET", _path(instance_id, "history"), component)
        return [event_of(event) for event in document["events"]]

    async def rerun(
        self,
        instance_id: str,
        event_id: int,
        *,
        new_instance_id: str | None = None,
        input: object = None,
        overwrite_input: bool = False,
        child_instance_id: str | None = None,
        component: str | None = None,
    ) -> str:
        """Start a copy of a closed instance from one of its events. As `Runtime.rerun`."""
        if input is not None and not overwrite_input:
            raise InvalidRequest(
                "an input was given for a rerun that does not overwrite it: set "
                "overwrite_input=True, or leave the input out"
            )
        body: dict[str, Any] = {"eventID": event_id, "overwriteInput": overwrite_input}
        if new_instance_id is not None:
            body["instanceID"] = check_instance_id(new_instance_id)
        if child_instance_id is not None:
            body["childInstanceID"] = check_instance_id(child_instance_id)
        if input is not None:
            body["input"] = encode(input, f"input of event {event_id} of instance '{instance_id}'")
        path = _path(instance_id, "rerun")
        return str((await self._call("POST", path, component, json=body))["instanceID"])

    async def _change(
        self, instance_id: str, verb: str, component: str | None, body: Mapping[str, object]
    ) -> bool:
        document = await self._call("POST", _path(instance_id, verb), component, json=body)
        return bool(document["changed"])

    async def _call(
        self,
        method: str,
        path: str,
        component: str | None,
        query: Mapping[str, Any] | None = None,
        **request: Any,
    ) -> Any:
        import httpx

        given = {**(query or {}), "component": component}
        parameters = {name: value for name, value in given.items() if value is not None}
        try:
            response = await self._send(method, path, params=parameters, **request)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise InvalidRequest(f"'{self.url}' cannot be called: {error}") from error
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise BackendUnavailable(
                f"no answer from {self.url}: {reason}. Is `flowyard serve` running there?"
            ) from error
        if response.is_success:
            return _document(response, self.url)
        raise _error(response, self.url)

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send it, and once more if the connection broke and reading twice does no harm.

        Of anything else nobody knows whether the server has done it already.
        """
        import httpx

        try:
            return await self._http.request(method, path, **request)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            if method != "GET":
                raise
            return await self._http.request(method, path, **request)


def _path(*segments: str) -> str:
    # A dot alone would be taken for "here" on the way.
    return "/".join(
        ("instances", *(quote(segment, safe="").replace(".", "%2E") for segment in segments))
    )


def _time(time: datetime | None) -> str | None:
    if time is None:
        return None
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).isoformat()


def _check_port(port: int | None) -> None:
    if port is not None and not 0 < port < 2**16:
        raise ValueError(f"its port is {port}; use 1 to 65535")


def _header(token: str) -> bytes:
    # The library's own message would show it.
    if not token.isprintable():
        raise InvalidRequest(
            "the API token has characters that an HTTP header cannot have: use printable ones"
        )
    return token.encode()


def _trusting(url: str, authorities: str | None) -> Any:
    import ssl

    if authorities is None and url.lower().startswith("http://"):
        # Nothing is encrypted, and loading the usual authorities takes long: this trusts nobody.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authorities is None:
        return True
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise InvalidRequest(f"'{authorities}' holds no certificates: {error}") from error


def _document(response: httpx.Response, url: str) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise BackendUnavailable(
            f"the answer of {url} is not one of Flowyard's: {error}. Is another server listening "
            "there?"
        ) from error


def _error(response: httpx.Response, url: str) -> FlowyardError:
    if response.status_code == 401:
        return AccessDenied(
            f"{url} refuses the API token, or needs one. Set DAPR_API_TOKEN to the server's token."
        )
    try:
        body = response.json()
        fault = Fault(
            response.status_code, body["errorCode"], body["message"], body.get("details", {})
        )
    except (ValueError, LookupError, TypeError):
        return BackendUnavailable(
            f"{url} answered {response.status_code}, which is not an answer of Flowyard's. "
            "Is another server listening there?"
        )
    return error_of(fault)
