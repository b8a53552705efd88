"""`state.redis`: all rules of a state store, on a real server."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from blocks.opened import open_store
from flowyard.backend import (
    BackendUnavailable,
    Concurrency,
    ConfigurationError,
    Consistency,
    DeleteState,
    EtagMismatch,
    FlowyardError,
    InvalidEtag,
    InvalidRequest,
    SetState,
    StateOptions,
    StateStore,
    StateValue,
)
from flowyard.config import ComponentSpec, resolve
from flowyard.testing.conformance import StateConformance, StateSubject
from flowyard.testing.conformance.state.subject import OpenState
from flowyard_blocks.state.redis import RedisState, RedisStateSettings
from servers.fixtures import StartRedis
from servers.process import ServerProcess, free_port
from servers.redis_server import RedisServer, redis_program
from temporal.certificates import make_authority, make_certificate


class TestRedis(StateConformance):
    @pytest.fixture
    def component_spec(self, redis_server: str) -> ComponentSpec:
        return ComponentSpec(name="redis", type="state.redis", metadata={"redisHost": redis_server})


@pytest.fixture(scope="module")
def mortal(start_redis: StartRedis) -> Iterator[RedisServer]:
    """A server that tests kill and start again."""
    with start_redis() as server:
        yield server


@pytest.mark.long
class TestRedisThatWasKilled(StateConformance):
    """Before each test, the server is killed and restarted while the component is open."""

    @pytest.fixture
    def component_spec(self, mortal: RedisServer) -> ComponentSpec:
        return ComponentSpec("redis", "state.redis", metadata={"redisHost": mortal.address})

    @pytest.fixture
    async def subject(
        self, open_state: OpenState, mortal: RedisServer
    ) -> AsyncIterator[StateSubject]:
        async with open_state() as subject:
            kept = subject.new_key()
            await subject.save(kept, b"kept")
            await asyncio.to_thread(mortal.restart)
            yield subject
            assert await subject.data(kept) == b"kept"


@asynccontextmanager
async def opened(address: str, **more: object) -> AsyncIterator[StateStore]:
    metadata = {"redisHost": address, "redisMaxRetries": "0", **more}
    async with open_store("state.redis", metadata) as store:
        yield store


@pytest.fixture
async def store(redis_server: str) -> AsyncIterator[StateStore]:
    async with opened(redis_server) as store:
        yield store


@pytest.fixture
async def raw(redis_server: str) -> AsyncIterator[Any]:
    """What daprd would have: a client that reads and writes fields."""
    host, _, port = redis_server.partition(":")
    client: Any = Redis(host=host, port=int(port), decode_responses=True)
    async with client:
        yield client


@pytest.fixture
def key() -> str:
    return f"app||{uuid4().hex}"


def first(key: str, value: bytes = b"1", etag: str | None = None) -> SetState:
    return SetState(key, value, etag=etag, options=StateOptions(Concurrency.FIRST_WRITE))


def lasting(key: str, ttl: int) -> SetState:
    return SetState(key, b"1", metadata={"ttlInSeconds": str(ttl)})


async def test_a_value_is_the_hash_that_dapr_has(store: StateStore, raw: Any, key: str) -> None:
    await store.set(SetState(key, b'{"n":1.0000000000000000000001}', is_json=True))
    assert await raw.hgetall(key) == {"data": '{"n":1.0000000000000000000001}', "version": "1"}
    await store.set(SetState(key, b"plain"))
    assert await raw.hgetall(key) == {"data": "plain", "version": "2"}
    await store.set(first(key, b"3", etag="2"))
    assert await raw.hgetall(key) == {"data": "3", "version": "3", "first-write": "0"}


async def test_what_dapr_has_written_is_read_and_written_on(
    store: StateStore, raw: Any, key: str
) -> None:
    await raw.hset(key, mapping={"data": '"by daprd"', "version": "41"})
    assert await store.get(key) == StateValue(b'"by daprd"', "41")
    assert await store.get_many([key]) == [StateValue(b'"by daprd"', "41")]
    with pytest.raises(EtagMismatch):
        await store.set(SetState(key, b"other", etag="40"))
    await store.set(SetState(key, b"other", etag="41"))
    assert await raw.hgetall(key) == {"data": "other", "version": "42"}
    await raw.hset(key, "first-write", "0")
    with pytest.raises(EtagMismatch):
        await store.set(SetState(key, b"third"))
    await store.delete(DeleteState(key, etag="42"))
    assert not await raw.exists(key)


async def test_what_another_program_has_set_as_a_text_has_no_version(
    store: StateStore, raw: Any, key: str
) -> None:
    await raw.set(key, "a text")
    assert await store.get(key) == StateValue(b"a text")
    assert await store.get_many([key]) == [StateValue(b"a text")]
    await store.set(SetState(key, b"a hash", etag="7"))
    assert await raw.hgetall(key) == {"data": "a hash", "version": "1"}


async def test_what_is_of_no_state_store_is_an_error_of_its_key_alone(
    store: StateStore, raw: Any, key: str
) -> None:
    await raw.rpush(key, "a list")
    await raw.hset(f"{key}2", "name", "a hash of something else")
    with pytest.raises(FlowyardError, match="WRONGTYPE"):
        await store.get(key)
    with pytest.raises(FlowyardError, match="has no field 'data' or no field 'version'"):
        await store.get(f"{key}2")
    await store.set(SetState(f"{key}3", b"3"))
    found = await store.get_many([key, f"{key}2", f"{key}3"])
    assert [type(one) for one in found] == [FlowyardError, FlowyardError, StateValue]
    await store.delete(DeleteState(key, etag="1"))
    assert not await raw.exists(key)


@pytest.mark.parametrize("version", ["", "many", "1.5", "0x10", "9223372036854775807"])
async def test_a_version_that_cannot_be_counted_on_leaves_all_as_it_is(
    version: str, store: StateStore, raw: Any, key: str
) -> None:
    await raw.hset(key, mapping={"data": "old", "version": version})
    with pytest.raises(FlowyardError, match="no whole number"):
        await store.transact([SetState(f"{key}2", b"2"), SetState(key, b"new")])
    assert await raw.hgetall(key) == {"data": "old", "version": version}
    assert not await raw.exists(f"{key}2")


async def test_the_rules_of_etags_are_those_of_dapr(store: StateStore, raw: Any, key: str) -> None:
    # An ETag for what is not there is as good as none.
    await store.delete(DeleteState(key, etag="5"))
    await store.set(SetState(key, b"1", etag="5"))
    # A first write goes over what was not written as one.
    await store.set(first(key, b"2"))
    assert await raw.hgetall(key) == {"data": "2", "version": "2", "first-write": "0"}
    # From then on nothing goes without an ETag, until the key is deleted.
    last = StateOptions(Concurrency.LAST_WRITE)
    for refused in (SetState(key, b"3"), SetState(key, b"3", etag="2", options=last), first(key)):
        with pytest.raises(EtagMismatch):
            await store.set(refused)
    with pytest.raises(InvalidEtag):
        await store.set(SetState(key, b"3", etag="two"))
    await store.delete(DeleteState(key))
    await store.set(SetState(key, b"1"))
    # The last write does not ask.
    await store.set(SetState(key, b"2", etag="77", options=last))
    await store.set(SetState(key, b"3", etag="two", options=last))
    assert await raw.hgetall(key) == {"data": "3", "version": "3"}


async def test_a_time_to_live_stays_unless_another_is_given(
    store: StateStore, raw: Any, key: str
) -> None:
    await store.set(lasting(key, 1000))
    assert 900 < await raw.ttl(key) <= 1000
    await store.set(SetState(key, b"2"))
    assert 900 < await raw.ttl(key) <= 1000
    await store.transact([lasting(key, 50)])
    assert 0 < await raw.ttl(key) <= 50
    await store.set(lasting(key, -5))
    assert await raw.ttl(key) == -1


async def test_a_component_may_have_a_time_to_live_for_all(
    redis_server: str, raw: Any, key: str
) -> None:
    async with opened(redis_server, ttlInSeconds="500") as store:
        await store.set(SetState(key, b"1"))
        assert 400 < await raw.ttl(key) <= 500
        await store.set(lasting(key, 0))
        assert await raw.ttl(key) == -1


async def test_a_transaction_goes_by_the_versions_that_it_makes(
    store: StateStore, raw: Any, key: str
) -> None:
    await store.transact(
        [
            SetState(key, b"1"),
            SetState(key, b"2", etag="1"),
            DeleteState(key, etag="2"),
            SetState(key, b"3"),
            SetState(key, b"4", etag="1"),
        ]
    )
    assert await raw.hgetall(key) == {"data": "4", "version": "2"}
    with pytest.raises(EtagMismatch):
        await store.transact([SetState(key, b"5", etag="2"), SetState(key, b"6", etag="2")])
    assert await raw.hgetall(key) == {"data": "4", "version": "2"}
    # As in Dapr, a transaction leaves no mark of a first write.
    await store.transact([first(f"{key}2")])
    assert await raw.hgetall(f"{key}2") == {"data": "1", "version": "1"}


async def test_a_call_that_is_cancelled_takes_no_other_calls_answer(
    redis_server: str, key: str
) -> None:
    async with opened(redis_server, poolSize="1") as store:
        await store.set(SetState(key, b"mine"))
        await store.set(SetState(f"{key}2", b"other"))
        for rounds in range(20):
            reading = asyncio.create_task(store.get(f"{key}2"))
            for _ in range(rounds):
                await asyncio.sleep(0)
            reading.cancel()
            found = await store.get(key)
            assert found is not None
            assert found.data == b"mine"


async def test_calls_wait_for_one_of_the_connections(redis_server: str, raw: Any, key: str) -> None:
    async with opened(redis_server, poolSize="2") as store:
        before = len(await raw.client_list())
        keys = [f"{key}{number}" for number in range(50)]
        await asyncio.gather(*(store.set(SetState(key, key.encode())) for key in keys))
        found = await asyncio.gather(*map(store.get, keys))
        assert [one and one.data for one in found] == [key.encode() for key in keys]
        assert len(await raw.client_list()) <= before + 1


async def test_a_call_that_gets_no_connection_says_so(redis_server: str, key: str) -> None:
    async with opened(redis_server, poolSize="1", poolTimeout="20ms") as store:
        assert isinstance(store, RedisState)
        pool: Any = store._connection.client.connection_pool
        taken = await pool.get_connection()
        with pytest.raises(BackendUnavailable, match="connections have been in use"):
            await store.get(key)
        await pool.release(taken)
        assert await store.get(key) is None


async def test_connections_that_could_not_be_made_are_given_back(
    start_redis: StartRedis,
) -> None:
    with start_redis() as server:
        async with opened(server.address, poolSize="2") as store:
            await asyncio.to_thread(server.kill)
            for _ in range(5):
                with pytest.raises(BackendUnavailable, match="Connect call failed"):
                    await store.get("key")
            assert isinstance(store, RedisState)
            pool: Any = store._connection.client.connection_pool
            assert pool._free._value == 2
            await asyncio.to_thread(server.restart)
            assert await asyncio.gather(*(store.get("key") for _ in range(10))) == [None] * 10


async def test_what_was_acknowledged_is_there_after_the_server_was_killed(
    start_redis: StartRedis,
) -> None:
    with start_redis() as server:
        async with opened(server.address) as store:
            acknowledged: dict[str, bytes] = {}
            half_way, stop = asyncio.Event(), asyncio.Event()

            async def write(number: int) -> None:
                count = 0
                while not stop.is_set():
                    count += 1
                    key, value = f"{number}-{count}", str(count).encode()
                    try:
                        await store.transact([SetState(key, value), SetState(f"{key}b", value)])
                    except BackendUnavailable:
                        return
                    acknowledged.update({key: value, f"{key}b": value})
                    if len(acknowledged) > 500:
                        half_way.set()

            writing = [asyncio.create_task(write(number)) for number in range(8)]
            await half_way.wait()
            await asyncio.to_thread(server.kill)
            await asyncio.gather(*writing)
            with pytest.raises(BackendUnavailable, match=f"Redis at {server.address} does not"):
                await store.get("1-1")
            with pytest.raises(BackendUnavailable):
                await store.set(SetState("away", b"1"))
            with pytest.raises(BackendUnavailable):
                await store.get_many(["1-1"])
            await asyncio.to_thread(server.restart)
            found = await store.get_many(list(acknowledged))
            assert [one and getattr(one, "data", one) for one in found] == [*acknowledged.values()]
            await store.set(SetState("back", b"1"))


async def test_the_calls_after_a_restart_notice_nothing(start_redis: StartRedis) -> None:
    with start_redis() as server:
        async with opened(server.address) as store:
            keys = [str(number) for number in range(10)]
            # Each on a connection of its own.
            await asyncio.gather(*(store.set(SetState(key, key.encode())) for key in keys))
            await asyncio.to_thread(server.restart)
            found = await asyncio.gather(*map(store.get, keys))
            assert [one and one.data for one in found] == [key.encode() for key in keys]
            await asyncio.to_thread(server.restart)
            await asyncio.gather(*(store.set(SetState(key, b"new", etag="1")) for key in keys))


async def test_a_read_is_repeated_until_the_server_is_back(start_redis: StartRedis) -> None:
    with start_redis() as server:
        more = {"redisMaxRetries": "1000", "redisMaxRetryInterval": "20ms"}
        async with opened(server.address, **more) as store:
            await store.set(SetState("key", b"value"))
            await asyncio.to_thread(server.kill)
            reading = asyncio.create_task(store.get("key"))
            await asyncio.to_thread(server.restart)
            assert await reading == StateValue(b"value", "1")


async def test_a_store_that_is_closed_says_so(redis_server: str) -> None:
    async with opened(redis_server) as store:
        pass
    for call in (store.get("key"), store.set(SetState("key", b"1")), store.get_many(["key"])):
        with pytest.raises(BackendUnavailable, match="the component was closed"):
            await call


async def test_a_server_that_is_away_is_told_by_its_address() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(BackendUnavailable, match=f"Redis at {address} does not answer"):
        async with opened(address):
            pass


async def test_a_password_is_used_and_never_told(start_redis: StartRedis) -> None:
    with start_redis("--requirepass", "open-sesame") as server:
        async with opened(server.address, redisPassword="open-sesame") as store:
            await store.set(SetState("key", b"value"))
        with pytest.raises(ConfigurationError, match="refuses 'redisUsername'") as caught:
            async with opened(server.address, redisPassword="shut-sesame"):
                pass
        assert "sesame" not in str(caught.value)
        with pytest.raises(ConfigurationError, match="refuses"):
            async with opened(server.address):
                pass


async def test_a_database_of_a_server_is_apart_from_the_others(
    redis_server: str, store: StateStore, key: str
) -> None:
    async with opened(redis_server, redisDB="3") as third:
        await third.set(SetState(key, b"3"))
        assert await store.get(key) is None


async def replicas_become(server: RedisServer, count: int) -> None:
    """Return once the server has so many replicas that follow it."""
    async with Redis(port=server.port) as client:
        info: Any = client.info
        while True:
            told = await info("replication")
            states = [
                told.get(f"slave{n}", {}).get("state") for n in range(told["connected_slaves"])
            ]
            if states == ["online"] * count:
                return
            await asyncio.sleep(0.02)


async def test_a_strong_write_waits_for_the_replicas(start_redis: StartRedis) -> None:
    strong = SetState("key", b"1", options=StateOptions(consistency=Consistency.STRONG))
    following = ("--enable-debug-command", "yes", "--replicaof", "127.0.0.1")
    with (
        start_redis("--repl-diskless-sync-delay", "0") as server,
        start_redis(*following, str(server.port)) as replica,
    ):
        await replicas_become(server, 1)
        async with opened(server.address) as store, Redis(port=replica.port) as client:
            with suppress(BackendUnavailable):  # a slow machine may take longer than a second
                await store.set(strong)
            with pytest.raises(EtagMismatch):
                await store.set(replace(strong, etag="77"))
            with pytest.raises(BackendUnavailable, match="read only replica"):
                async with opened(replica.address) as other:
                    await other.set(SetState("key", b"2"))
            command: Any = client.execute_command
            sleeping = asyncio.create_task(command("DEBUG", "SLEEP", "60"))

            async def write() -> None:
                while True:
                    await store.set(strong)

            with pytest.raises(BackendUnavailable, match="only 0 of 1 replicas have confirmed"):
                await write()
            replica.kill()
            await asyncio.gather(sleeping, return_exceptions=True)
            await replicas_become(server, 0)
            await store.transact([replace(strong, value=b"2")])
            found = await store.get("key")
            assert found is not None
            assert found.data == b"2"


async def test_a_cluster_keeps_state(start_redis: StartRedis) -> None:
    with start_redis("--cluster-enabled", "yes") as server:
        async with Redis(port=server.port) as client:
            ask: Any = client.execute_command
            await ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while (await ask("CLUSTER INFO"))["cluster_state"] != "ok":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        async with opened(server.address, redisType="cluster") as store:
            await store.set(SetState("one", b"1"))
            await store.set(SetState("two", b"2", metadata={"ttlInSeconds": "1000"}))
            found = await store.get_many(["one", "two", "three"])
            assert found == [StateValue(b"1", "1"), StateValue(b"2", "1"), None]
            with pytest.raises(InvalidRequest, match="different slots"):
                await store.transact([SetState("one", b"3"), SetState("two", b"3")])
            await store.transact([SetState("{a}1", b"3"), SetState("{a}2", b"4")])
            with pytest.raises(EtagMismatch):
                await store.delete(DeleteState("one", etag="3"))
            assert await store.get("{a}2") == StateValue(b"4", "1")
            await asyncio.to_thread(server.kill)
            with pytest.raises(BackendUnavailable):
                await store.get("one")
            await asyncio.to_thread(server.restart)
            # It is down for a moment after its start.
            with suppress(BackendUnavailable):
                await store.get("one")


async def test_sentinels_tell_where_the_server_is(start_redis: StartRedis, tmp_path: Path) -> None:
    with start_redis() as server:
        port = free_port()
        configuration = tmp_path / "sentinel.conf"
        configuration.write_text(
            f"bind 127.0.0.1\nport {port}\nsentinel monitor main 127.0.0.1 {server.port} 1\n"
        )
        command = [str(redis_program()), str(configuration), "--sentinel"]
        log = tmp_path / "sentinel.log"
        with ServerProcess(command, log, ready=lambda said: "+monitor" in said, patience=60):
            more = {"failover": "true", "sentinelMasterName": "main"}
            async with opened(f"127.0.0.1:{port}", **more) as store:
                await store.set(SetState("key", b"value"))
            async with opened(server.address) as store:
                assert await store.get("key") == StateValue(b"value", "1")


async def test_an_encrypted_connection_needs_a_certificate_that_can_be_checked(
    start_redis: StartRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = make_authority(tmp_path, "authority")
    theirs, ours = (
        make_certificate(tmp_path, name, authority, "localhost") for name in ("server", "client")
    )
    port = free_port()
    flags: tuple[str, ...] = ("--tls-port", str(port), "--tls-ca-cert-file", str(authority.file))
    flags += ("--tls-cert-file", str(theirs.file), "--tls-key-file", str(theirs.key))
    with start_redis(*flags):
        address = f"localhost:{port}"
        mine: dict[str, object] = {"enableTLS": "true", "clientCert": ours.file.read_text()}
        mine["clientKey"] = ours.key.read_text()
        with pytest.raises(BackendUnavailable, match="certificate verify failed"):
            async with opened(address, **mine):
                pass
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        async with opened(address, **mine) as store:
            await store.set(SetState("key", b"value"))
            assert await store.get("key") == StateValue(b"value", "1")


async def test_the_message_says_how_to_install_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "redis.exceptions", None)
    with pytest.raises(ConfigurationError, match=re.escape("pip install 'flowyard[redis]'")):
        async with opened("localhost:1"):
            pass


def test_the_component_type_can_be_read_without_redis_py() -> None:
    program = (
        "import sys\nfrom flowyard.config.plugins import component_type\n"
        "print(component_type('state.redis').name, 'redis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "state.redis False\n", done.stderr


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "key 'redisHost' is missing"),
        ({"redisHost": "a:b"}, "must be HOST:PORT"),
        ({"redisHost": "redis://a:1"}, "must be HOST:PORT"),
        ({"redisHost": "a:1,b:2"}, "need 'redisType' cluster, or 'failover'"),
        ({"redisHost": "a:1", "redisType": "ring"}, "'node' or 'cluster'"),
        ({"redisHost": "a:1", "redisType": "cluster", "redisDB": "2"}, "only the database 0"),
        ({"redisHost": "a:1", "failover": "true"}, "needs 'sentinelMasterName'"),
        ({"redisHost": "a:1", "dialTimeout": "soon"}, "a duration such as"),
        ({"redisHost": "a:1", "minIdleConns": "5"}, "opens a connection when it needs one"),
        ({"redisHost": "a:1", "useEntraID": "true"}, "Entra ID is not offered"),
        ({"redisHost": "a:1", "ttlInSeconds": "99999999999"}, "key 'ttlInSeconds' cannot be used"),
        ({"redisHost": "a:1", "queryIndexes": "[]"}, "queries are not offered"),
        ({"redisHost": "a:1", "clientCert": "PEM"}, "'clientCert' and 'clientKey' need each other"),
    ],
)
def test_what_cannot_be_honoured_is_refused(metadata: dict[str, object], message: str) -> None:
    spec = ComponentSpec(name="store", type="state.redis", metadata=metadata)
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        resolve(spec)


def test_the_settings_have_daprs_names() -> None:
    settings = RedisStateSettings.model_validate(
        {
            "redisHost": "a, b:7, [::1]:8, [::1]",
            "redisPort": "5",
            "redisType": "cluster",
            "maxRetries": "-1",
            "maxRetryBackoff": "100",
            "dialTimeout": "1m",
            "readTimeout": "500ms",
            "writeTimeout": "1.5s",
            "poolSize": "3",
            "minIdleConns": "0",
        }
    )
    assert settings.addresses == [("a", 5), ("b", 7), ("::1", 8), ("::1", 5)]
    assert settings.redis_max_retries == -1
    assert settings.redis_max_retry_interval == timedelta(milliseconds=100)
    assert settings.dial_timeout == timedelta(minutes=1)
    assert (settings.answer_timeout, settings.connection_timeout) == (1.5, 2.5)
    assert settings.most_connections == 3
