"""What the calls of state take and return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar, overload

from flowyard.backend.state_store import StateOptions
from flowyard.errors import PayloadError
from flowyard.payload import PayloadType, encode

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StateItem:
    """A value to be saved.

    Attributes:
        key: The key, without `||`.
        value: Bytes, which are kept as they are, or anything that can be written as JSON.
        etag: The version that has to be there; None, the default, for any.
        options: How it is saved; None, the default, leaves it to the store.
        metadata: Settings of this value, such as `ttlInSeconds`; none by default.
    """

    key: str
    value: object
    etag: str | None = None
    options: StateOptions | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class TransactionOperationType(StrEnum):
    """What an operation of a transaction does: UPSERT saves a value, DELETE removes it."""

    UPSERT = "upsert"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class TransactionalStateOperation:
    """One operation of a transaction.

    Attributes:
        key: The key, without `||`.
        data: The value that UPSERT saves: bytes, or anything that can be written as JSON; None by
            default.
        etag: The version that has to be there; None, the default, for any.
        operation_type: What is done; UPSERT by default.
        metadata: Settings of this operation, such as `ttlInSeconds`; none by default.
    """

    key: str
    data: object = None
    etag: str | None = None
    operation_type: TransactionOperationType = TransactionOperationType.UPSERT
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StateResponse:
    """What a state store has under a key.

    Attributes:
        key: The key.
        data: The bytes of the value; None if there is none, and where it could not be read.
        etag: The version of the value; None if there is none, or where the store has no versions.
        expires_at: The time at which the value goes away, in UTC; None if it stays, or where the
            store does not say.
        error: Why this value could not be read, in a call for several; empty by default.

    Example:
        ```python
        response = await runtime.get_state("inventory", "car")
        stock = response.value(int) or 0
        ```
    """

    key: str
    data: bytes | None = None
    etag: str | None = None
    expires_at: datetime | None = None
    error: str = ""

    @overload
    def value(self) -> Any: ...

    @overload
    def value(self, type: type[T]) -> T | None: ...

    def value(self, type: Any = None) -> Any:
        """Return the value that was saved as JSON.

        Args:
            type: The type that it has to have; None, the default, for a plain JSON value.

        Returns:
            The value; None if there is none.

        Raises:
            PayloadError: If the bytes are not JSON, or not of this type.
        """
        if self.data is None:
            return None
        what = f"state '{self.key}'"
        try:
            text = self.data.decode()
        except UnicodeDecodeError as error:
            raise PayloadError(f"{what} is not JSON: read its bytes from `data`") from error
        return PayloadType.of(type).decode(text, what)


def to_bytes(key: str, value: object) -> tuple[bytes, bool]:
    """Return the bytes of a value to be saved, and whether they are JSON."""
    if isinstance(value, bytes | bytearray):
        return bytes(value), False
    return encode(value, f"state '{key}'").encode(), True
