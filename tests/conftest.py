"""What all tests share."""

from __future__ import annotations

import signal

import pytest

from servers.fixtures import conductor_server, start_conductor, start_temporal, temporal_server
from servers.preparation import pytest_collection_finish
from support import (
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_runtest_logreport,
    pytest_sessionfinish,
)

__all__ = [
    "anyio_backend",
    "conductor_server",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_runtest_logreport",
    "pytest_sessionfinish",
    "start_conductor",
    "start_temporal",
    "temporal_server",
]


# A shell's background job ignores SIGINT, and what a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Flowyard runs on asyncio."""
    return "asyncio"
