"""What a component on Redis may be told of its connection, under Dapr's keys (docs/state.md)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from flowyard_blocks.durations import Milliseconds

_PORT = 6379
_MOST_PER_CORE = 10
_NOTHING = frozenset({"", "0", "-1", "false"})
_NOT_OFFERED = {
    "min_idle_conns": "redis-py opens a connection when it needs one. Remove it",
    "max_conn_age": "redis-py keeps its connections open. Remove it",
    "idle_timeout": "redis-py keeps its connections open. Remove it",
    "idle_check_frequency": "redis-py looks at a connection when it uses it. Remove it",
    "use_entra_id": "signing in with Entra ID is not offered. Use a user and a password",
}


class RedisSettings(BaseModel):
    """The keys of all components on Redis; each type derives its own from it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True
    )

    redis_host: str = Field(min_length=1)
    """`HOST` or `HOST:PORT`; several of a cluster or of sentinels, parted by commas."""
    redis_port: int = Field(default=_PORT, ge=1, le=65_535)
    """The port where `redisHost` has none."""
    redis_username: str = ""
    redis_password: SecretStr = SecretStr("")
    redis_db: int = Field(default=0, ge=0, alias="redisDB")
    redis_type: Literal["node", "cluster"] = "node"
    failover: bool = False
    """Whether `redisHost` names sentinels, which know the server."""
    sentinel_master_name: str = ""
    sentinel_username: str = ""
    sentinel_password: SecretStr = SecretStr("")
    enable_tls: bool = Field(default=False, alias="enableTLS")
    """Whether the connection is encrypted; the certificate of the server is then checked."""
    client_cert: SecretStr = SecretStr("")
    """The certificate of the client, as PEM text."""
    client_key: SecretStr = SecretStr("")
    """The key of that certificate, as PEM text."""
    redis_max_retries: int = Field(
        default=3, ge=-1, validation_alias=AliasChoices("redisMaxRetries", "maxRetries")
    )
    """How often a call that only reads is repeated where the server cannot be reached."""
    redis_min_retry_interval: Milliseconds = timedelta(milliseconds=8)
    redis_max_retry_interval: Milliseconds = Field(
        default=timedelta(milliseconds=512),
        validation_alias=AliasChoices("redisMaxRetryInterval", "maxRetryBackoff"),
    )
    dial_timeout: Milliseconds = timedelta(seconds=5)
    """How long it may take to connect."""
    read_timeout: Milliseconds = timedelta(seconds=3)
    """How long an answer may take."""
    write_timeout: Milliseconds | None = None
    """How long it may take to send; redis-py has one limit for both, the longer one."""
    pool_size: int = Field(default=0, ge=0)
    """The most connections; 0, the default, for ten for each core."""
    pool_timeout: Milliseconds | None = None
    """How long a call waits for a connection; by default a second more than for an answer."""
    min_idle_conns: str = ""
    max_conn_age: str = ""
    idle_timeout: str = ""
    idle_check_frequency: str = ""
    use_entra_id: str = Field(default="", alias="useEntraID")

    @field_validator(*_NOT_OFFERED)
    @classmethod
    def _is_not_offered(cls, value: str, info: ValidationInfo) -> str:
        if value.strip().lower() not in _NOTHING:
            raise ValueError(_NOT_OFFERED[str(info.field_name)])
        return value

    @field_validator("redis_host")
    @classmethod
    def _has_hosts(cls, value: str) -> str:
        _addresses(value, _PORT)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.failover and not self.sentinel_master_name:
            raise ValueError("'failover' needs 'sentinelMasterName'")
        if self.failover and self.redis_type == "cluster":
            raise ValueError("'failover' is for a node, and redis-py has none for a cluster")
        if self.redis_type == "cluster" and self.redis_db:
            raise ValueError("a cluster has only the database 0: remove 'redisDB'")
        if self.redis_type == "node" and not self.failover and len(self.addresses) > 1:
            raise ValueError("several hosts need 'redisType' cluster, or 'failover'")
        if bool(self.client_cert.get_secret_value()) != bool(self.client_key.get_secret_value()):
            raise ValueError("'clientCert' and 'clientKey' need each other")
        if self.client_cert.get_secret_value() and not self.enable_tls:
            raise ValueError("'clientCert' needs 'enableTLS'")
        return self

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """The hosts and their ports."""
        return _addresses(self.redis_host, self.redis_port)

    @property
    def label(self) -> str:
        """How messages call it."""
        return f"Redis at {self.redis_host}"

    @property
    def answer_timeout(self) -> float | None:
        """How long sending or answering may take, in seconds; None for any time."""
        longest = max(self.read_timeout, self.write_timeout or self.read_timeout)
        return longest.total_seconds() if longest > timedelta(0) else None

    @property
    def most_connections(self) -> int:
        """How many connections there may be."""
        return self.pool_size or _MOST_PER_CORE * (os.cpu_count() or 1)

    @property
    def connection_timeout(self) -> float | None:
        """How long a call waits for one of the connections, in seconds; None for any time."""
        if self.pool_timeout is not None:
            return self.pool_timeout.total_seconds()
        return None if self.answer_timeout is None else self.answer_timeout + 1


def _addresses(hosts: str, port: int) -> list[tuple[str, int]]:
    found = []
    for part in filter(None, (part.strip() for part in hosts.split(","))):
        host, colon, number = part.rpartition(":")
        if not colon or part.endswith("]"):
            host, number = part, str(port)
        if not number.isdecimal() or not host or ("/" in host):
            raise ValueError("must be HOST:PORT, or several of them with commas between")
        found.append((host.strip("[]"), int(number)))
    if not found:
        raise ValueError("must be HOST:PORT, or several of them with commas between")
    return found
