"""The connection to one Conductor server."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlencode

import httpx

from flowyard.backend import BackendUnavailable, ConfigurationError, FlowyardError
from flowyard_conductor.api.errors import Rejected, error_of
from flowyard_conductor.api.sdk import (
    ApiException,
    AsyncApiClient,
    AsyncRESTClientObject,
    AuthenticationSettings,
    Configuration,
)
from flowyard_conductor.settings import ConductorSettings

Json: TypeAlias = dict[str, Any]
"""What the server says, as it says it."""

# More connections make SQLite and the server slower, not faster.
_CONNECTIONS = 12
_REMOVAL_SECONDS = 10.0
_REMOVAL_PAUSE_SECONDS = 0.05
_JSON = {"Accept": "application/json, text/plain", "Content-Type": "application/json"}


class Connection:
    """Calls the server's API, and turns what goes wrong into our errors.

    The SDK's clients block; its asynchronous `AsyncApiClient` keeps the token of an application,
    and everything goes through that.
    """

    def __init__(self, name: str, settings: ConductorSettings, client: AsyncApiClient) -> None:
        self.name = name
        self.settings = settings
        self.where = _where(name, settings)
        self._client = client

    @staticmethod
    @asynccontextmanager
    async def open(name: str, settings: ConductorSettings) -> AsyncIterator[Connection]:
        """Connect; raises `ConfigurationError`, `BackendUnavailable`."""
        async with httpx.AsyncClient(
            verify=_verification(name, settings),
            timeout=httpx.Timeout(settings.request_timeout, connect=settings.connect_timeout),
            limits=httpx.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS
            ),
        ) as http:
            client = AsyncApiClient(_configuration(name, settings))
            await client.close()
            client.async_rest_client = AsyncRESTClientObject(connection=http)
            connection = Connection(name, settings, client)
            await connection._greet()
            yield connection

    async def get(self, path: str, **query: object) -> Any:
        """Ask for something; once more if the server has closed an idle connection."""
        try:
            return await self.call("GET", path, query=query)
        except BackendUnavailable:
            return await self.call("GET", path, query=query)

    async def post(self, path: str, body: object = None, **query: object) -> Any:
        """Send something that must not be sent twice."""
        return await self.call("POST", path, query=query, body=body)

    async def remove(self, workflow_id: str) -> None:
        """Remove a workflow and its tasks, if it is there."""
        deadline = time.monotonic() + _REMOVAL_SECONDS
        path = f"/workflow/{workflow_id}/remove"
        while True:
            try:
                await self.call("DELETE", path, query={"archiveWorkflow": False})
            except Rejected as refusal:
                if refusal.is_not_found:
                    return
                # It removes task by task, and fails where its database is busy with one.
                if not refusal.is_fault or time.monotonic() > deadline:
                    raise
            else:
                return
            await asyncio.sleep(_REMOVAL_PAUSE_SECONDS)

    async def call(
        self, method: str, path: str, *, query: Mapping[str, object] | None = None, body: Any = None
    ) -> Any:
        """Make a call and return the JSON (or text) of its answer.

        Raises `BackendUnavailable`, `ConfigurationError`, and `Rejected` where the caller has to
        know what an answer means.
        """
        if query:
            # The SDK would have httpx take the URL apart and put it together again.
            path += "?" + urlencode({key: _text(value) for key, value in query.items()}, doseq=True)
        try:
            return await self._client.call_api(
                path,
                method,
                header_params=dict(_JSON),
                body=body,
                response_type="object",
                _return_http_data_only=True,
            )
        except ApiException as error:
            raise error_of(error, self.where) from error

    async def _greet(self) -> None:
        """Find out whether there is a server that lets us in."""
        try:
            async with asyncio.timeout(self.settings.connect_timeout):
                await self._authenticate()
                await self.get("/metadata/taskdefs/flowyard")
        except TimeoutError as error:
            raise BackendUnavailable(
                f"{self.where} did not answer within {self.settings.connect_timeout:g} s "
                "(connectTimeout)"
            ) from error
        except BackendUnavailable as error:
            raise _unreachable(self.where, error) from error
        except Rejected as refusal:
            # There is no such task, which is what a Conductor server says in its own words.
            if not refusal.is_not_found or "No such taskType" not in str(refusal):
                raise ConfigurationError(
                    f"{self.where} is not the API of a Conductor server: {refusal}. "
                    "Correct the key 'url'; it usually ends with /api."
                ) from refusal

    async def _authenticate(self) -> None:
        """Get the first token ourselves: the SDK goes on without one if it is refused."""
        key, secret = self.settings.key_id, self.settings.key_secret
        if key is None or secret is None:
            return
        body = {"keyId": key, "keySecret": secret.get_secret_value()}
        answer = await self.post("/token", body)
        self._client.configuration.update_token(answer["token"])


def _where(name: str, settings: ConductorSettings) -> str:
    return f"component '{name}': Conductor at {httpx.URL(settings.url).copy_with(userinfo=b'')}"


def _unreachable(where: str, error: BackendUnavailable) -> FlowyardError:
    """Return what it means that opening has failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ConfigurationError(
                f"{where} cannot be used: its certificate is not trusted "
                f"({cause.verify_message}). Correct the key 'tlsServerCa' or 'url'."
            )
        if isinstance(cause, ssl.SSLError):
            return ConfigurationError(
                f"{where} cannot be used: it does not speak TLS. Begin the key 'url' with http://."
            )
        cause = cause.__cause__ or cause.__context__
    reason = str(error).removeprefix(f"{where} ")
    return BackendUnavailable(
        f"{where} cannot be reached: it {reason}. Start the server, or correct the key 'url'."
    )


def _configuration(name: str, settings: ConductorSettings) -> Configuration:
    key, secret = settings.key_id, settings.key_secret
    if (key is None) is not (secret is None):
        raise ConfigurationError(
            f"component '{name}': keys 'keyId' and 'keySecret' belong together. "
            "Add the missing one to spec.metadata."
        )
    configuration = Configuration(server_api_url=settings.url)
    # Not from the environment: components.yaml says what there is.
    configuration.authentication_settings = (
        AuthenticationSettings(key_id=key, key_secret=secret.get_secret_value())
        if key is not None and secret is not None
        else None
    )
    return configuration


def _verification(name: str, settings: ConductorSettings) -> ssl.SSLContext | bool:
    authority = settings.tls_server_ca
    if authority is None or not settings.tls_verify:
        return settings.tls_verify
    try:
        if "-----BEGIN " in authority:
            return ssl.create_default_context(cadata=authority)
        return ssl.create_default_context(cafile=authority)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise ConfigurationError(
            f"component '{name}': key 'tlsServerCa' is neither PEM text nor the path of a readable "
            f"file: {reason or 'it is no certificate'}"
        ) from None


def _text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
