"""What components.yaml may say of a Conductor server."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.alias_generators import to_camel


class ConductorSettings(BaseModel):
    """`url` is that of the API; `keyId` and `keySecret` are an application's (Orkes).

    A certificate is PEM text, or the path of a file that holds it. Times are in seconds.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True
    )

    url: str = "http://localhost:8080/api"
    key_id: str | None = None
    key_secret: SecretStr | None = None
    tls_verify: bool = True
    """Whether the certificate of an https server is checked."""
    tls_server_ca: str | None = None
    connect_timeout: float = Field(default=10.0, gt=0)
    """How many seconds opening may take."""
    request_timeout: float = Field(default=30.0, gt=0)
    """How many seconds a call may take."""
    task_queue: str = Field(
        default="flowyard",
        pattern=r"^[A-Za-z0-9_.]{1,64}$",
        description="1 to 64 of letters, digits, '_' and '.'",
    )
    """What the names of our definitions and tasks begin with; processes of one app share it."""
    poll_interval: float = Field(default=0.2, ge=0.005, le=10.0)
    """How long an idle process waits at most before it asks for tasks again."""
    worker_concurrency: int = Field(default=100, ge=1, le=10_000)
    """How many activities run in this process at once."""
    lease_seconds: int = Field(default=10, ge=1, le=300)
    """How long after the death of a process its tasks are given to another one."""

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        if re.fullmatch(r"https?://[^\s/]+(/\S*)?", value) is None:
            raise ValueError("must be a URL, for example http://localhost:8080/api")
        return value.rstrip("/")
