"""Fixtures with real servers: one for the test session, and further ones for a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from servers.builds import temporal_server as build_temporal
from servers.cache import Unavailable
from servers.temporal_server import QUICK, TemporalServer, temporal_running

T = TypeVar("T")


class StartTemporal(Protocol):
    """Start a further Temporal server."""

    def __call__(
        self,
        *flags: str,
        database: Path | None = None,
        dynamic_config: Mapping[str, str] = QUICK,
    ) -> AbstractContextManager[TemporalServer]:
        """Start it with these flags of `temporal/main.go`."""


def required(make: Callable[[], T]) -> T:
    """Make what a live test needs. It is skipped, or fails, where that cannot be had."""
    try:
        return make()
    except Unavailable as reason:
        if os.environ.get("FLOWYARD_REQUIRE_LIVE"):
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def start_temporal(tmp_path_factory: pytest.TempPathFactory) -> StartTemporal:
    """Starts further Temporal servers: to be killed, with a file, with TLS."""
    program = required(build_temporal)
    folder = tmp_path_factory.mktemp("temporal")

    def start(
        *flags: str,
        database: Path | None = None,
        dynamic_config: Mapping[str, str] = QUICK,
    ) -> AbstractContextManager[TemporalServer]:
        return temporal_running(
            program, folder, *flags, database=database, dynamic_config=dynamic_config
        )

    return start


@pytest.fixture(scope="session")
def temporal_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of the Temporal server of this test session."""
    if address := os.environ.get("FLOWYARD_TEMPORAL_ADDRESS"):
        yield address
        return
    start: StartTemporal = request.getfixturevalue("start_temporal")
    with start() as server:
        yield server.address
