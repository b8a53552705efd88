"""Servers in this process, and ways to call them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from flowyard import Client
from wire.http.service import Served, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A server without a token."""
    async with serving(tmp_path) as one:
        yield one


@pytest.fixture
def http(served: Served) -> httpx.AsyncClient:
    """Calls the server as any program would."""
    return served.http


@pytest.fixture
async def client(served: Served) -> AsyncIterator[Client]:
    """Calls the server as a Python program would."""
    async with Client(served.url) as client:
        yield client
