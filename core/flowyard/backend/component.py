"""The seam: what a backend implements to run under Flowyard."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic

from pydantic import BaseModel
from typing_extensions import TypeVar

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
    """What a component may do beyond start, get, raise_event and terminate.

    HOSTING runs the app's workflows, not only those that its engine knows already. PAUSE, PURGE,
    LIST, HISTORY and RERUN are the verbs of that name (PAUSE with `resume`), START_AT the start
    time of `start` and TERMINATE_OUTPUT the output of `terminate`. With SHARED several processes
    may open the same backend at once. VOLATILE takes away: nothing outlives the component.
    """

    HOSTING = "hosting"
    PAUSE = "pause"
    PURGE = "purge"
    LIST = "list"
    HISTORY = "history"
    RERUN = "rerun"
    START_AT = "start-at"
    TERMINATE_OUTPUT = "terminate-output"
    SHARED = "shared"
    VOLATILE = "volatile"


class Component:
    """Something open that the configuration names; each kind of component derives from it.

    Args:
        name: The name of the component in the configuration, kept as `name`.
    """

    def __init__(self, name: str) -> None:
        self.name = name


class WorkflowComponent(Component, ABC):
    """An open backend; a plugin derives from it.

    Payloads are JSON text, None if absent. Every method may raise `BackendUnavailable`, and one
    that names an instance raises `InstanceNotFound` where there is none. Verbs that return a bool
    say whether they changed anything: False means the instance was closed (or already paused, or
    not paused), and nothing was done. A call that returns is durable, unless the type declares that
    it is volatile. A verb that is not overridden raises `UnsupportedOperation`.

    Args:
        name: The name of the component in the configuration, kept as `name`.
    """

    @abstractmethod
    async def start(self, request: StartRequest) -> None:
        """Start an instance; return once that is durable.

        Args:
            request: The workflow, its input and the new ID. It has a start time only where the type
                declares `Capability.START_AT`.

        Raises:
            InstanceAlreadyExists: If an active instance has the ID, or a closed one that `reuse`
                does not give up; it is left alone.
            WorkflowNotRegistered: If nobody can run the workflow.
        """

    @abstractmethod
    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        """Return the state of an instance, as it is after every call that has returned.

        Args:
            instance_id: The ID of the instance.
            payloads: Whether the state has input, output and failure; True by default.
        """

    @abstractmethod
    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        """Deliver an event; it is kept while nobody waits for it.

        Args:
            instance_id: The ID of the receiver.
            name: The name of the event; names match without case.
            data: JSON text; None, the default, for none.

        Returns:
            False if the instance is closed, and the event is dropped.
        """

    @abstractmethod
    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        """End an instance as TERMINATED.

        Args:
            instance_id: The ID of the instance.
            output: The output that it gets, as JSON text; None by default, and always where the
                type does not declare `Capability.TERMINATE_OUTPUT`.
            recursive: Whether its children end with it; True by default.

        Returns:
            False if it was closed already.
        """

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        """Let an instance take no turn until it is resumed; running activities finish.

        Args:
            instance_id: The ID of the instance.
            reason: The reason, for the history; None by default.

        Returns:
            False if it was paused already, or is closed.

        Raises:
            UnsupportedOperation: Unless overridden.
        """
        raise UnsupportedOperation(self.name, "pause")

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        """Let a paused instance go on.

        Args:
            instance_id: The ID of the instance.
            reason: The reason, for the history; None by default.

        Returns:
            False if it was not paused, or is closed.

        Raises:
            UnsupportedOperation: Unless overridden.
        """
        raise UnsupportedOperation(self.name, "resume")

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        """Remove a closed instance with its history.

        Args:
            instance_id: The ID of the instance.
            recursive: Whether its children are removed with it; True by default.

        Returns:
            How many instances were removed.

        Raises:
            InstanceNotClosed: If one of them is still active; nothing is removed then.
            UnsupportedOperation: Unless overridden.
        """
        raise UnsupportedOperation(self.name, "purge")

    async def list(self, query: InstanceQuery) -> InstancePage:
        """Return one page of instances, newest first, without payloads.

        Args:
            query: The instances that are wanted, and the page.

        Raises:
            InvalidRequest: If the continuation token is none of this component's.
            UnsupportedOperation: Unless overridden.
        """
        raise UnsupportedOperation(self.name, "list")

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        """Return the events of the instance's current execution, oldest first.

        Args:
            instance_id: The ID of the instance.

        Raises:
            UnsupportedOperation: Unless overridden.
        """
        raise UnsupportedOperation(self.name, "history")

    async def rerun(self, request: RerunRequest) -> None:
        """Start a copy of a closed instance from one of its events, which is done anew.

        The copy's history is that of the source up to the end of the turn that asked for the
        event; all that was open then is done anew, the rest left out. The source stays as it is.

        Args:
            request: The source, the event, the new ID, and what differs from the source.

        Raises:
            InstanceNotClosed: If the source is still active.
            EventNotFound: If its last execution has no such event.
            InstanceAlreadyExists: If an active instance has the new ID.
            InvalidRequest: If an input is given for an event that has none, or a child's ID for one
                that calls no child, if the source ended in the turn that asked for the event, and
                if the new ID is the source's.
            UnsupportedOperation: Unless overridden.
        """
        raise UnsupportedOperation(self.name, "rerun")

    async def wait(self, instance_id: str) -> WorkflowState:
        """Return the state of an instance once it is closed.

        The default asks again and again, after 0.02 s and then less and less often, up to 1 s.

        Args:
            instance_id: The ID of the instance.
        """
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
    """What a component is lent when it is opened.

    Attributes:
        name: The name of the component in the configuration.
        executor: The executor of its instances; None where the process only manages, and for all
            but workflow components.
        clock: The clock of its timers and turns, which in tests is not the machine's.
        logger: Its logger, `flowyard.component.<name>`.
        machine: The source of what processes have in common, such as unique names; by default the
            machine that this process runs on.
        app_id: The name of the application that it is opened for; `flowyard` by default.
    """

    name: str
    executor: Executor | None
    clock: Clock
    logger: logging.Logger
    machine: Machine = SYSTEM
    app_id: str = "flowyard"


S = TypeVar("S", bound=BaseModel)
C = TypeVar("C", bound=Component, default=WorkflowComponent, covariant=True)


@dataclass(frozen=True, slots=True)
class ComponentType(Generic[S, C]):
    """A kind of component that a plugin offers. Readable without a connection.

    Build it as a module constant: inline in a hook, type checkers infer `Any`.

    Attributes:
        name: As in `spec.type`, and as the entry point: for example `workflow.memory`.
        settings: A pydantic model of `spec.metadata`, which has
            `model_config = ConfigDict(extra="forbid", alias_generator=to_camel, …)`.
        open: Opens a component from its settings, and closes it at the end of the block. The name
            of the type says what it has to be: `workflow.…` a `WorkflowComponent`, `state.…` a
            `StateStore`, `pubsub.…` a `PubSub`, `bindings.…` a `Binding`, `secretstores.…` a
            `SecretStore`.
        capabilities: The verbs and features that its components have: those of `Capability`, of
            `StateCapability`, of `BindingCapability` or of `SecretCapability`.
        version: The value that `spec.version` has to have; `v1` by default.

    Example:
        ```python
        MEMORY = ComponentType(
            name="workflow.memory",
            settings=MemorySettings,
            open=open_memory,
            capabilities=frozenset({Capability.HOSTING, Capability.VOLATILE}),
        )

        @hookimpl
        def flowyard_component_type() -> ComponentType[MemorySettings]:
            return MEMORY
        ```
    """

    name: str
    settings: type[S]
    open: Callable[[S, ComponentContext], AbstractAsyncContextManager[C]]
    capabilities: frozenset[StrEnum]
    version: str = "v1"
