"""What a component of type `state.sqlite` may be told."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from flowyard_blocks.durations import Seconds

_MEMORY = ":memory:"
_TABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
_SHORTEST_TIMEOUT = timedelta(seconds=1)


class SqliteSettings(BaseModel):
    """Dapr's keys of the state store on SQLite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True
    )

    connection_string: str = Field(validation_alias=AliasChoices("connectionString", "url"))
    """A path, `file:PATH?OPTIONS`, or `:memory:`."""
    timeout: Seconds = Field(
        default=timedelta(seconds=20), validation_alias=AliasChoices("timeout", "timeoutInSeconds")
    )
    """How long a call may take."""
    busy_timeout: Seconds = timedelta(seconds=2)
    """How long a call waits for the lock of another process."""
    disable_wal: bool = Field(default=False, alias="disableWAL")
    """Whether the file has a rollback journal and no write-ahead log."""
    table_name: str = Field(default="state", pattern=_TABLE, description="a name of a table")
    metadata_table_name: str = Field(
        default="metadata", pattern=_TABLE, description="a name of a table"
    )
    cleanup_interval: Seconds = Field(
        default=timedelta(0),
        validation_alias=AliasChoices("cleanupInterval", "cleanupIntervalInSeconds"),
    )
    """How often what has expired is removed; 0, the default, for never."""

    @field_validator("connection_string")
    @classmethod
    def _is_known(cls, value: str) -> str:
        path, options = _split(value.strip())
        if not path:
            raise ValueError("must name a file, for example data.db")
        for name, option in options:
            # Those of the Go driver that Dapr uses. Immediate transactions are what there is.
            if name.startswith("_") and (name, option.lower()) != ("_txlock", "immediate"):
                raise ValueError(
                    "has an option of another driver, which begins with an underscore. Remove it; "
                    "the keys 'busyTimeout' and 'disableWAL' are for what they say"
                )
        return value.strip()

    @field_validator("timeout")
    @classmethod
    def _is_long_enough(cls, value: timedelta) -> timedelta:
        if value < _SHORTEST_TIMEOUT:
            raise ValueError("must be at least 1s")
        return value

    @field_validator("busy_timeout", "cleanup_interval")
    @classmethod
    def _is_not_negative(cls, value: timedelta) -> timedelta:
        # A negative interval is Dapr's older way to say never.
        return max(value, timedelta(0))

    @property
    def uri(self) -> str:
        """What SQLite opens."""
        path, options = _split(self.connection_string)
        kept = [(name, option) for name, option in options if not name.startswith("_")]
        return f"file:{path}{'?' if kept else ''}{urlencode(kept)}"

    @property
    def is_in_memory(self) -> bool:
        """Whether nothing outlives the component."""
        path, options = _split(self.connection_string)
        return path == _MEMORY or ("mode", "memory") in options

    @property
    def path(self) -> Path | None:
        """The file; None if there is none."""
        path, _ = _split(self.connection_string)
        return (
            None if self.is_in_memory else Path(unquote(re.sub("^//(?:localhost)?(?=/)", "", path)))
        )

    @property
    def label(self) -> str:
        """How messages call it."""
        return (
            "the SQLite database in memory" if self.path is None else f"the SQLite file {self.path}"
        )


def _split(connection_string: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the path, as a URI has it, and the options."""
    is_uri = connection_string.startswith("file:")
    path, _, options = connection_string.removeprefix("file:").partition("?")
    if not is_uri:
        path = path.replace("%", "%25").replace("#", "%23")
    return path, parse_qsl(options, keep_blank_values=True)
