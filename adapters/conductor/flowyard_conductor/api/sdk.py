"""conductor-python, without what its import does to the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_start_method, set_start_method


@contextmanager
def _start_method_kept() -> Iterator[None]:
    """Undo that the package makes "spawn" the start method of the whole process."""
    before = get_start_method(allow_none=True)
    try:
        yield
    finally:
        set_start_method(before, force=True)


with _start_method_kept():
    from conductor.client.configuration.configuration import Configuration
    from conductor.client.configuration.settings.authentication_settings import (
        AuthenticationSettings,
    )
    from conductor.client.http.async_api_client import AsyncApiClient
    from conductor.client.http.async_rest import (
        ApiException,
        AsyncRESTClientObject,
        AuthorizationException,
    )

__all__ = [
    "ApiException",
    "AsyncApiClient",
    "AsyncRESTClientObject",
    "AuthenticationSettings",
    "AuthorizationException",
    "Configuration",
]
