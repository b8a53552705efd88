"""Opens a connection to Redis, and puts its errors into words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flowyard.backend import BackendUnavailable, ConfigurationError, FlowyardError
from flowyard_blocks.redis.settings import RedisSettings

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

# What a server says that cannot do now what it could do later.
_PASSING = ("LOADING", "READONLY", "MASTERDOWN", "OOM", "MISCONF", "NOREPLICAS", "TRYAGAIN", "BUSY")
_MISSING = (
    "component '{name}' needs redis-py, which is not installed. Install it with: "
    "pip install 'flowyard[redis]'"
)


class RedisConnection:
    """An open client of redis-py.

    Args:
        client: The client; for a cluster a `RedisCluster`, which has the same commands.
    """

    def __init__(self, settings: RedisSettings, client: Redis) -> None:
        from redis import exceptions

        self.settings = settings
        self.client = client
        self._errors = exceptions
        self._is_closed = False

    @staticmethod
    @asynccontextmanager
    async def open(name: str, settings: RedisSettings) -> AsyncIterator[RedisConnection]:
        """Connect, and close the connections at the end of the block.

        Raises:
            ConfigurationError: If redis-py is missing, or the server refuses the password.
            BackendUnavailable: If it does not answer.
        """
        try:
            from redis.exceptions import AuthenticationError
        except ImportError as error:
            raise ConfigurationError(_MISSING.format(name=name)) from error
        async with AsyncExitStack() as stack:
            client = _client(settings, stack)
            stack.push_async_callback(client.aclose)
            connection = RedisConnection(settings, client)
            try:
                with connection.told():
                    await client.ping()
            except BackendUnavailable as error:
                if not isinstance(error.__cause__, AuthenticationError):
                    raise
                raise ConfigurationError(
                    f"component '{name}': {settings.label} refuses 'redisUsername' and "
                    f"'redisPassword': {error.__cause__}"
                ) from error.__cause__
            try:
                yield connection
            finally:
                # Otherwise redis-py would connect again, and nobody would close that.
                connection._is_closed = True

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raise Flowyard's errors in the place of those of redis-py."""
        errors = self._errors
        if self._is_closed:
            raise BackendUnavailable("the component was closed: open it again, and repeat the call")
        try:
            yield
        except (errors.ConnectionError, errors.TimeoutError, errors.ClusterDownError, OSError) as e:
            raise BackendUnavailable(f"{self.settings.label} does not answer: {e}") from e
        except errors.ResponseError as error:
            text = f"{self.settings.label} refuses the call: {error}"
            is_passing = isinstance(error, errors.ReadOnlyError) or str(error).startswith(_PASSING)
            raise (BackendUnavailable if is_passing else FlowyardError)(text) from error
        except errors.RedisError as error:
            raise FlowyardError(f"{self.settings.label} cannot be used: {error}") from error

    async def repeated(self, read: Callable[[], Awaitable[T]]) -> T:
        """Do what only reads, again and again for a while where the server does not answer."""
        pause = self.settings.redis_min_retry_interval.total_seconds()
        longest = self.settings.redis_max_retry_interval.total_seconds()
        for _ in range(self.settings.redis_max_retries):
            try:
                with self.told():
                    return await read()
            except BackendUnavailable:
                await asyncio.sleep(max(0.0, min(pause, longest)))
                pause *= 2
        with self.told():
            return await read()


def _client(settings: RedisSettings, stack: AsyncExitStack) -> Redis:
    from redis.asyncio import Redis, RedisCluster
    from redis.asyncio.connection import Connection, SSLConnection
    from redis.asyncio.retry import Retry
    from redis.asyncio.sentinel import Sentinel
    from redis.backoff import NoBackoff

    from flowyard_blocks.redis.pool import LimitedPool

    dialling = settings.dial_timeout.total_seconds()
    shared: dict[str, Any] = {
        "socket_connect_timeout": dialling if dialling > 0 else None,
        "socket_timeout": settings.answer_timeout,
        "protocol": 2,  # servers before version 6 know no other
        # Not by redis-py: what has been sent may have been done, and must not be done twice.
        "retry": Retry(NoBackoff(), 0),
        **_certificate(settings, stack),
    }
    signed_in: dict[str, Any] = {
        "username": settings.redis_username or None,
        "password": settings.redis_password.get_secret_value() or None,
    }
    if settings.redis_type == "cluster":
        from redis.asyncio.cluster import ClusterNode

        nodes = [ClusterNode(host, port) for host, port in settings.addresses]
        most = settings.most_connections
        tls: dict[str, Any] = {"ssl": True} if settings.enable_tls else {}
        # The commands are the same.
        return cast(
            "Redis",
            RedisCluster(startup_nodes=nodes, max_connections=most, **tls, **shared, **signed_in),
        )
    if settings.failover:
        sentinels = Sentinel(  # type: ignore[no-untyped-call]  # redis-py gives it no types
            list(settings.addresses),
            sentinel_kwargs={
                **shared,
                "username": settings.sentinel_username or None,
                "password": settings.sentinel_password.get_secret_value() or None,
                "ssl": settings.enable_tls,
            },
            ssl=settings.enable_tls,
            db=settings.redis_db,
            **shared,
            **signed_in,
        )
        for sentinel in sentinels.sentinels:
            stack.push_async_callback(sentinel.aclose)
        master: Redis = sentinels.master_for(settings.sentinel_master_name)
        return master
    ((host, port),) = settings.addresses
    pool = LimitedPool(
        settings.most_connections,
        settings.connection_timeout,
        connection_class=SSLConnection if settings.enable_tls else Connection,
        host=host,
        port=port,
        db=settings.redis_db,
        **shared,
        **signed_in,
    )
    return Redis.from_pool(pool)


def _certificate(settings: RedisSettings, stack: AsyncExitStack) -> dict[str, str]:
    """Return where the certificate of the client is: in files, as redis-py wants it."""
    if not settings.client_cert.get_secret_value():
        return {}
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="flowyard-redis-")))  # mode 700
    certificate, key = folder / "client.crt", folder / "client.key"
    certificate.write_text(settings.client_cert.get_secret_value())
    key.write_text(settings.client_key.get_secret_value())
    return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
