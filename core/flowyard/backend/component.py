"""The seam: what a backend implements to run under Flowyard."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import BaseModel

from flowyard.backend.backoff import Backoff
from flowyard.backend.executor import Executor
from flowyard.backend.history import HistoryEvent
from flowyard.clock import Clock
from flowyard.errors import UnsupportedOperation
from flowyard.machine import SYSTEM, Machine
from flowyard.models import (
    InstancePage,
    InstanceQuery,
    RerunRequest,
    StartRequest,
    WorkflowState,
)


class Capability(StrEnum):
    """What a component may do beyond start, get, raise_event and terminate."""

    HOSTING = "hosting"  # runs the app's workflows, not only those its engine knows already
    PAUSE = "pause"
    PURGE = "purge"
    LIST = "list"
    HISTORY = "history"
    RERUN = "rerun"
    START_AT = "start-at"
    TERMINATE_OUTPUT = "terminate-output"
    SHARED = "shared"  # several processes may open the same backend at once
    VOLATILE = "volatile"  # its instances end with it: nothing outlives the component


class WorkflowComponent(ABC):
    """An open backend. Every method may raise `BackendUnavailable`.

    Payloads are JSON text, None if absent. An unknown instance raises `InstanceNotFound`. Verbs
    that return a bool say whether they changed anything: False means the instance was closed (or
    already paused, or not paused), and nothing was done. A call that returns is durable, unless the
    type declares that it is volatile.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    async def start(self, request: StartRequest) -> None:
        """Start an instance; raises `InstanceAlreadyExists` and then leaves the old one alone."""

    @abstractmethod
    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        """Return the instance's state, without input, output and failure if told so."""

    @abstractmethod
    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        """Deliver an event; it is kept while nobody waits for it. Names match without case."""

    @abstractmethod
    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        """End the instance as TERMINATED with this output, and its children if recursive."""

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        """Let the instance take no turn until it is resumed; running activities finish."""
        raise UnsupportedOperation(self.name, "pause")

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        """Let a paused instance go on."""
        raise UnsupportedOperation(self.name, "resume")

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        """Remove a closed instance (and its children); return how many instances were removed.

        Raises `InstanceNotClosed` and removes nothing if one of them is still active.
        """
        raise UnsupportedOperation(self.name, "purge")

    async def list(self, query: InstanceQuery) -> InstancePage:
        """Return one page of instances, newest first."""
        raise UnsupportedOperation(self.name, "list")

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        """Return the events of the instance's current execution, oldest first."""
        raise UnsupportedOperation(self.name, "history")

    async def rerun(self, request: RerunRequest) -> None:
        """Start a copy of a closed instance from one of its events, which is done anew.

        The copy's history is that of the source up to the end of the turn that asked for the
        event; all that was open then is done anew, the rest left out. The source stays as it is.
        Raises `InstanceNotClosed`, `EventNotFound`, `InstanceAlreadyExists` for an active new ID,
        and `InvalidRequest` where the event has no input to overwrite or ended the instance.
        """
        raise UnsupportedOperation(self.name, "rerun")

    async def wait(self, instance_id: str) -> WorkflowState:
        """Return the state once the instance is closed. The default asks again and again."""
        backoff = Backoff(0.02, 1.0)
        while not (state := await self.get(instance_id)).status.is_closed:
            await backoff.sleep()
        return state

    async def drain(self) -> None:
        """Begin no more activities, and return once those that run have ended and are recorded.

        Called at most once, before the component is closed, and cancelled when the time that the
        program gives is over. A component that runs no activities of its own has nothing to do.
        """
        return


@dataclass(frozen=True, slots=True)
class ComponentContext:
    """What a component is lent when it is opened. Without an executor it only manages."""

    name: str
    executor: Executor | None
    clock: Clock
    logger: logging.Logger
    machine: Machine = SYSTEM


S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ComponentType(Generic[S]):
    """A kind of component that a plugin offers. Readable without a connection.

    Build it as a module constant: inline in a hook, type checkers infer `Any`.
    """

    name: str
    """As in `spec.type`, for example `workflow.memory`."""
    settings: type[S]
    """Has `model_config = ConfigDict(extra="forbid", alias_generator=to_camel, …)`."""
    open: Callable[[S, ComponentContext], AbstractAsyncContextManager[WorkflowComponent]]
    capabilities: frozenset[Capability]
    version: str = "v1"
