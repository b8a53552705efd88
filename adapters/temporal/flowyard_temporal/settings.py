"""What components.yaml may say of a Temporal cluster."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.alias_generators import to_camel


class TemporalSettings(BaseModel):
    """`hostPort`, `namespace` and `identity` are as in Dapr's old Temporal component.

    Certificates and the key are PEM text, or the path of a file that holds it.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True
    )

    host_port: str = "localhost:7233"
    namespace: str = Field(default="default", min_length=1)
    identity: str | None = None
    """What Temporal shows as the origin of a call. Without it, process and machine."""
    task_queue: str = Field(default="flowyard", min_length=1)
    """Where workflows are started, unless the start's option `task_queue` says otherwise."""
    spread_signals: frozenset[str] | None = None
    """Signals of native workflows to which each element of an array is an argument of its own."""
    api_key: SecretStr | None = None
    tls: bool | None = None
    """Without it, TLS is on as soon as there is an API key or any of the keys below."""
    tls_server_ca: str | None = None
    tls_server_name: str | None = None
    tls_client_cert: str | None = None
    tls_client_key: SecretStr | None = None
    heartbeat_timeout: float = Field(default=10.0, ge=0.5)
    """How many seconds after the death of its worker an activity is given to another one."""
    max_cached_workflows: int = Field(default=1000, ge=0)
    """How many hosted instances stay in memory; others are replayed when something happens."""
    max_concurrent_activities: int = Field(default=1000, ge=1)
    """How many activities this process takes at a time."""
    connect_timeout: float = Field(default=10.0, gt=0)
    """How many seconds opening may take."""
    request_timeout: float = Field(default=5.0, gt=0)
    """How many seconds a call may take, with everything that is tried again."""
    purge_timeout: float = Field(default=60.0, gt=0)
    """How many seconds a purge may wait until the server has really removed everything."""

    @field_validator("host_port")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if re.fullmatch(r"[^\s/]+:\d{1,5}", value) is None:
            raise ValueError("must be HOST:PORT without a scheme, for example localhost:7233")
        return value

    @field_validator("spread_signals", mode="before")
    @classmethod
    def _are_names(cls, value: object) -> object:
        """Split names that are separated by commas."""
        if not isinstance(value, str):
            return value
        return frozenset(name for part in value.split(",") if (name := part.strip()))

    @property
    def uses_tls(self) -> bool:
        """True where the connection is encrypted."""
        if self.tls is not None:
            return self.tls
        material = (self.tls_server_ca, self.tls_server_name, self.tls_client_cert)
        return any(
            setting is not None for setting in (*material, self.tls_client_key, self.api_key)
        )
