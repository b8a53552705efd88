"""Real servers: those that many tests share, and further ones for a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from servers import builds
from servers.cache import Unavailable
from servers.conductor_server import ConductorServer
from servers.redis_server import RedisServer, redis_program
from servers.sharing import lent
from servers.temporal_server import QUICK, TemporalServer

T = TypeVar("T")
TEMPORAL_ADDRESS = "FLOWYARD_TEMPORAL_ADDRESS"
CONDUCTOR_URL = "FLOWYARD_CONDUCTOR_URL"
REQUIRE_LIVE = "FLOWYARD_REQUIRE_LIVE"
# Its start took 59 s of processor time with this, and 136 s without: no server of a test lives so
# long that the better code of the second compiler would be worth its making.
_QUICK_START = "-XX:TieredStopAtLevel=1"

SERVERS = frozenset(
    {
        "temporal_server",
        "start_temporal",
        "conductor_server",
        "start_conductor",
        "redis_server",
        "start_redis",
    }
)
"""The fixtures that start servers."""


class StartTemporal(Protocol):
    """Start a further Temporal server, in memory unless a database file is given."""

    def __call__(
        self,
        *flags: str,
        database: Path | None = None,
        dynamic_config: Mapping[str, str] = QUICK,
        port: int | None = None,
        kill_on_exit: int | None = None,
    ) -> TemporalServer:
        """Start it with these flags of `temporal/main.go`."""


class StartConductor(Protocol):
    """Start a further Conductor server, which takes some 20 seconds and often more."""

    def __call__(
        self,
        *flags: str,
        database: Path | None = None,
        port: int | None = None,
        kill_on_exit: int | None = None,
    ) -> ConductorServer:
        """Start it with these properties, written `--name=value`."""


class StartRedis(Protocol):
    """Start a further Redis server, which keeps on disk what it has acknowledged."""

    def __call__(
        self, *flags: str, port: int | None = None, kill_on_exit: int | None = None
    ) -> RedisServer:
        """Start it with these flags of redis-server, written `--name`, `value`."""


def required(make: Callable[[], T]) -> T:
    """Make what a live test needs. The test is skipped, or fails, where that cannot be had."""
    try:
        return make()
    except Unavailable as reason:
        if os.environ.get(REQUIRE_LIVE):
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def start_temporal(tmp_path_factory: pytest.TempPathFactory) -> StartTemporal:
    """Starts further Temporal servers: to be killed, with a file, with TLS."""
    program = required(builds.temporal_server)
    return partial(TemporalServer, program, tmp_path_factory.mktemp("temporal"))


@pytest.fixture(scope="session")
def temporal_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of the Temporal server of this test run."""
    if address := os.environ.get(TEMPORAL_ADDRESS):
        yield address
        return
    start: StartTemporal = request.getfixturevalue("start_temporal")
    with lent(request.config, "temporal", start, lambda server: server.address) as address:
        yield address


@pytest.fixture(scope="session")
def start_conductor(tmp_path_factory: pytest.TempPathFactory) -> StartConductor:
    """Starts further Conductor servers, to be killed."""
    java, *arguments = required(builds.conductor_server)
    return partial(
        ConductorServer, [java, _QUICK_START, *arguments], tmp_path_factory.mktemp("conductor")
    )


@pytest.fixture(scope="session")
def conductor_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of the Conductor server of this process, without `/api`."""
    if url := os.environ.get(CONDUCTOR_URL):
        yield url
        return
    start: StartConductor = request.getfixturevalue("start_conductor")
    with start() as server:
        yield server.url


@pytest.fixture(scope="session")
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> StartRedis:
    """Starts further Redis servers: to be killed, with a password, with replicas."""
    program = required(redis_program)

    def start(*flags: str, port: int | None = None, kill_on_exit: int | None = None) -> RedisServer:
        folder = tmp_path_factory.mktemp("redis")
        return RedisServer(program, folder, *flags, port=port, kill_on_exit=kill_on_exit)

    return start


@pytest.fixture(scope="session")
def redis_server(start_redis: StartRedis) -> Iterator[str]:
    """Return the address of the Redis server of this process."""
    with start_redis() as server:
        yield server.address
