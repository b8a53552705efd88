"""What components.yaml may say of the built-in engine."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

LONGEST_LEASE_SECONDS = 60.0
"""In seconds."""


class EngineSettings(BaseModel):
    """`connectionString` is `sqlite:///PATH`; a relative path is relative to the working folder."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True
    )

    connection_string: str = "sqlite:///flowyard.db"
    synchronous: Literal["full", "normal", "off"] = "full"
    """SQLite's setting. Anything but `full` may lose the last moments when the power goes."""
    cached_instances: int = Field(default=1000, ge=0)
    """How many idle instances stay in memory; others are read again when something happens."""
    lease_seconds: float = Field(default=5.0, ge=0.2, le=LONGEST_LEASE_SECONDS)
    """How long after the death of its owner another process takes the file over."""

    journal_size_limit: int = Field(default=16 * 1024 * 1024, ge=0)
    """To how many bytes the write-ahead log (`-wal`) is cut after it had to grow beyond that."""

    @field_validator("connection_string")
    @classmethod
    def _is_sqlite(cls, value: str) -> str:
        if not value.startswith("sqlite:///") or value == "sqlite:///":
            raise ValueError("must be sqlite:///PATH, for example sqlite:///flowyard.db")
        if value == "sqlite:///:memory:":
            # Each connection would have a database of its own.
            raise ValueError("must name a file: nothing is durable in memory")
        return value

    @property
    def path(self) -> str:
        """The path of the SQLite file."""
        return self.connection_string.removeprefix("sqlite:///")
