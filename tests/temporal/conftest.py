"""Further servers for the tests of the Temporal adapter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from servers.fixtures import StartTemporal


@pytest.fixture(scope="session")
def server_without_pause(start_temporal: StartTemporal) -> Iterator[str]:
    """Return the address of a server whose namespaces have no pause."""
    with start_temporal("-pause=false") as server:
        yield server.address
