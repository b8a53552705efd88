"""The call of methods of applications."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, overload
from urllib.parse import urlencode

from flowyard.calls.bindings import as_bytes
from flowyard.errors import BackendUnavailable, InvocationFailed, PayloadError
from flowyard.payload import PayloadType

if TYPE_CHECKING:
    from flowyard.blocks.blocks import Blocks

T = TypeVar("T")

_JSON = "application/json"
# How much of an answer is in the message of its error.
_SHOWN = 500


@dataclass(frozen=True, slots=True)
class InvokeMethodResponse:
    """What a method has answered.

    Attributes:
        data: The body, as it was sent.
        status_code: The HTTP status, from 200 to 299.
        headers: The headers; their names are in lower case.
    """

    data: bytes
    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str | None:
        """What the answer says that the body is; None if it says nothing."""
        return self.headers.get("content-type")

    def text(self) -> str:
        """Return the body as text.

        Raises:
            PayloadError: If it is not UTF-8.
        """
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            raise PayloadError("the answer is not text: read its bytes from `data`") from error

    @overload
    def json(self) -> Any: ...

    @overload
    def json(self, type: type[T]) -> T: ...

    def json(self, type: Any = None) -> Any:
        """Return the value of a JSON body.

        Args:
            type: The type that it has to have; None, the default, for a plain JSON value.

        Raises:
            PayloadError: If it is not JSON, or not of this type.
        """
        return PayloadType.of(type).decode(self.text(), "the answer")


class InvocationCalls:
    """What a program calls on applications and servers."""

    __slots__ = ()

    def _open_blocks(self) -> Blocks:
        """Return what is open, or raise what keeps this caller from it."""
        raise NotImplementedError

    async def invoke_method(
        self,
        app_id: str,
        method_name: str,
        data: object = b"",
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        http_verb: str = "GET",
        http_querystring: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the name in Dapr's client
    ) -> InvokeMethodResponse:
        """Call a method of an application. Redirects are not followed.

        Args:
            app_id: The name of an HTTPEndpoint of the configuration, or a URL that begins with
                `http://` or `https://`. On a server with `--app-port`, its own application ID, too.
            method_name: The path of the method.
            data: The body: bytes or text as they are, anything else as JSON; nothing by default.
            content_type: What the body is; `application/json` by default.
            metadata: Headers of the request; none by default.
            http_verb: The HTTP method; `GET` by default.
            http_querystring: The query; none by default.
            timeout: How long the answer may take, in seconds; None, the default, for any time.

        Returns:
            The answer, whose status is from 200 to 299.

        Raises:
            InvocationFailed: If nobody of this name is known, or the answer has another status.
            InvalidRequest: If the path or a header cannot be sent.
            BackendUnavailable: If nobody answers, or not in time.
            PayloadError: If the data cannot be written as JSON.

        Example:
            ```python
            answer = await runtime.invoke_method("shipping", "checkDestination", {"to": "Oslo"},
                                                 http_verb="POST")
            print(answer.json())
            ```
        """
        invocation = self._open_blocks().invocation
        if invocation is None:
            raise InvocationFailed(app_id, "this runtime was not opened with Runtime.open")
        path, _, query = method_name.partition("?")
        queries = [part for part in (query, urlencode(http_querystring or {})) if part]
        headers = {"content-type": content_type or _JSON, **(metadata or {})}
        try:
            async with asyncio.timeout(timeout):
                status, told, body = await invocation.ask(
                    app_id, http_verb.upper(), path, "&".join(queries), headers, as_bytes(data)
                )
        except TimeoutError as error:
            text = f"'{app_id}' has not answered within {timeout:g} s"
            raise BackendUnavailable(text) from error
        if status // 100 != 2:
            reason = f"status {status} {body[:_SHOWN].decode('utf-8', 'replace')}".rstrip()
            raise InvocationFailed(app_id, reason, status, body)
        return InvokeMethodResponse(body, status, told)
