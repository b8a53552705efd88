"""The Redis server that tests start: it answers, and keeps on disk what it has acknowledged."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from servers.fixtures import REQUIRE_LIVE, StartRedis, required
from servers.redis_server import redis_program


def test_the_server_of_the_run_answers(redis_server: str) -> None:
    host, _, port = redis_server.partition(":")
    with Redis(host=host, port=int(port)) as client:
        assert client.ping()


def test_a_killed_server_comes_back_with_what_it_kept(start_redis: StartRedis) -> None:
    with start_redis() as server:
        with Redis(port=server.port) as client:
            client.set("key", "value")
        server.restart()
        with Redis(port=server.port) as client:
            assert client.get("key") == b"value"


def test_where_there_is_no_server_a_test_is_skipped_or_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(REQUIRE_LIVE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install redis-server"):
        required(redis_program)
    monkeypatch.setenv(REQUIRE_LIVE, "1")
    with pytest.raises(pytest.fail.Exception, match="redis-server is not installed"):
        required(redis_program)
