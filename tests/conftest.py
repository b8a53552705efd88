"""What all tests share."""

from __future__ import annotations

import signal

import pytest

# In this order, for none may have been imported by another before it.
pytest_plugins = (
    "thrift",
    "parallel",
    "servers.sharing",
    "servers.fixtures",
    "servers.preparation",
    "servers.busy",
    "selection",
    "support_page",
)

# A shell's background job ignores SIGINT, and what a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Flowyard runs on asyncio."""
    return "asyncio"
