"""What all tests share."""

from __future__ import annotations

import pytest

from servers.fixtures import start_temporal, temporal_server

__all__ = ["anyio_backend", "start_temporal", "temporal_server"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Flowyard runs on asyncio."""
    return "asyncio"
