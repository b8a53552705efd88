"""The call of methods of applications."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flowyard.calls.bindings import as_bytes
from flowyard.errors import BackendUnavailable, InvocationFailed

if TYPE_CHECKING:
    from flowyard.blocks.blocks import Blocks
    from flowyard.calls.responses import InvokeMethodResponse

_JSON = "application/json"
# How much of an answer is in the message of its error.
_SHOWN = 500


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
        # Lazy: few programs call others.
        from flowyard.calls.responses import InvokeMethodResponse

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
