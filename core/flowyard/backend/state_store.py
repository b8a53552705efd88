"""The seam of state stores: values by keys, as `state.…` components keep them."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from flowyard.backend.component import Component
from flowyard.errors import InvalidRequest, UnsupportedOperation

TTL_KEY = "ttlInSeconds"
"""The key of `metadata` that says for how long a value is kept (docs/protocol.md §15)."""

_LONGEST_TTL = 2**31 - 1
_WHOLE = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)


class StateCapability(StrEnum):
    """What a state store can do beyond get, set and delete, in Dapr's words.

    With ETAG each value has one, and a write can ask for it. TRANSACTIONAL is `transact`. With TTL
    a value goes away by itself.
    """

    ETAG = "ETAG"
    TRANSACTIONAL = "TRANSACTIONAL"
    TTL = "TTL"


class Concurrency(StrEnum):
    """What a write does with what is there: FIRST_WRITE refuses it, LAST_WRITE replaces it."""

    FIRST_WRITE = "first-write"
    LAST_WRITE = "last-write"


class Consistency(StrEnum):
    """Whether a call waits for the replicas of the store, where it has some."""

    STRONG = "strong"
    EVENTUAL = "eventual"


@dataclass(frozen=True, slots=True)
class StateOptions:
    """How a value is read or written.

    Attributes:
        concurrency: The rule for writes; None, the default, leaves it to the store.
        consistency: The rule for replicas; None, the default, leaves it to the store.
    """

    concurrency: Concurrency | None = None
    consistency: Consistency | None = None


@dataclass(frozen=True, slots=True)
class StateValue:
    """A value that is there.

    Attributes:
        data: The bytes as they were set.
        etag: The version of the value; None where the store has none.
        expires_at: The time at which it goes away, in UTC; None if it stays, or where the store
            does not say.
    """

    data: bytes
    etag: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SetState:
    """What `StateStore.set` is asked for.

    Attributes:
        key: The key, with its prefix.
        value: The bytes to be kept, JSON text in UTF-8 if `is_json`.
        is_json: Whether the value is JSON, which some stores keep as text; False by default.
        etag: The version that has to be there; None, the default, for any.
        options: How it is written.
        metadata: Settings of this call, such as `ttlInSeconds`; none by default.
    """

    key: str
    value: bytes
    is_json: bool = False
    etag: str | None = None
    options: StateOptions = field(default_factory=StateOptions)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeleteState:
    """What `StateStore.delete` is asked for.

    Attributes:
        key: The key, with its prefix.
        etag: The version that has to be there; None, the default, for any.
        options: How it is deleted.
        metadata: Settings of this call; none by default.
    """

    key: str
    etag: str | None = None
    options: StateOptions = field(default_factory=StateOptions)
    metadata: Mapping[str, str] = field(default_factory=dict)


class StateStore(Component, ABC):
    """An open state store; a plugin derives from it.

    Keys come with their prefix, which says whose they are. A call that returns is durable, unless
    the type declares `Capability.VOLATILE`; with `Capability.SHARED`, several processes may open
    the same store at once. Every method may raise `BackendUnavailable`. What a call asks for and
    the type does not declare (an ETag, `FIRST_WRITE`, a time to live) is refused with
    `UnsupportedOperation`, and never passed over.

    Args:
        name: The name of the component in the configuration, kept as `name`.
    """

    @abstractmethod
    async def get(
        self,
        key: str,
        *,
        options: StateOptions | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> StateValue | None:
        """Return a value, None if there is none.

        Args:
            key: The key, with its prefix.
            options: How it is read; None, the default, leaves it to the store.
            metadata: Settings of this call; none by default.
        """

    @abstractmethod
    async def set(self, request: SetState) -> None:
        """Keep a value.

        Args:
            request: The key, the value and the version that has to be there.

        Raises:
            EtagMismatch: If another version is there; with `FIRST_WRITE` and no ETag, if one is
                there that was written with `FIRST_WRITE`, or, where the store does not keep these
                apart, any.
            InvalidEtag: If the ETag cannot be one of this store's.
            InvalidRequest: If a setting of the call cannot be used, such as a time to live.
            UnsupportedOperation: If the type does not declare what is asked for.
        """

    @abstractmethod
    async def delete(self, request: DeleteState) -> None:
        """Remove a value; without an ETag a missing one is no error.

        Args:
            request: The key and the version that has to be there.

        Raises:
            EtagMismatch: If another version is there.
            InvalidEtag: If the ETag cannot be one of this store's.
            UnsupportedOperation: If there is an ETag, and the type does not declare them.
        """

    async def get_many(
        self,
        keys: Sequence[str],
        *,
        metadata: Mapping[str, str] | None = None,
        parallelism: int | None = None,
    ) -> Sequence[StateValue | Exception | None]:
        """Return the values of several keys, in their order.

        The default calls `get` for each.

        Args:
            keys: The keys, with their prefix.
            metadata: Settings of this call; none by default.
            parallelism: How many may be asked for at once; None, the default, for all.

        Returns:
            For each key its value, None if there is none, or the error of reading it.
        """
        slots = asyncio.Semaphore(parallelism or max(1, len(keys)))

        async def read(key: str) -> StateValue | Exception | None:
            async with slots:
                try:
                    return await self.get(key, metadata=metadata)
                except Exception as error:  # noqa: BLE001 - it is the answer for this key
                    return error

        return await asyncio.gather(*(read(key) for key in keys))

    async def transact(
        self,
        operations: Sequence[SetState | DeleteState],
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Do all of it or nothing, in the given order.

        Args:
            operations: What is set and deleted.
            metadata: Settings of this call; none by default.

        Raises:
            EtagMismatch: If a version that has to be there is not.
            InvalidEtag: If an ETag cannot be one of this store's.
            UnsupportedOperation: Unless overridden, as it is with `StateCapability.TRANSACTIONAL`.
        """
        raise UnsupportedOperation(self.name, "transact")


def ttl_seconds(metadata: Mapping[str, str]) -> int | None:
    """Return for how long a value is to be kept.

    Args:
        metadata: The settings of a call, in which `ttlInSeconds` counts without case.

    Returns:
        The number of seconds as it was given, which may be 0 or less; None if there is none.

    Raises:
        InvalidRequest: If it is not a whole number, or more than 2147483647.
    """
    for key, value in metadata.items():
        if key.lower() == TTL_KEY.lower():
            if not _WHOLE.fullmatch(value) or abs(int(value)) > _LONGEST_TTL:
                raise InvalidRequest(
                    f"metadata '{TTL_KEY}' is not a whole number of seconds of at most "
                    f"{_LONGEST_TTL}: {value[:40]!r}"
                )
            return int(value)
    return None
