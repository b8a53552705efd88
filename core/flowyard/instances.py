"""The instances of the open components: all that can be done with one that was started."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flowyard.backend.component import Capability, ComponentType, WorkflowComponent
from flowyard.backend.executor import Executor, obstacle
from flowyard.backend.history import HistoryEvent
from flowyard.config import Components
from flowyard.errors import FlowyardError, InvalidRequest, UnsupportedOperation
from flowyard.identifier import new_uuid
from flowyard.models import (
    InstancePage,
    InstanceQuery,
    RerunRequest,
    WorkflowState,
    check_duration,
    check_instance_id,
    check_text,
)
from flowyard.payload import encode


class Instances:
    """The verbs of `Runtime` that ask for, change and remove instances."""

    def __init__(
        self,
        components: Components,
        opened: Mapping[str, tuple[ComponentType[Any], WorkflowComponent]],
        executors: Mapping[str, Executor],
    ) -> None:
        self._components = components
        self._opened = opened
        self._executors = executors
        self._loop = asyncio.get_running_loop()

    def component(self, name: str | None = None) -> WorkflowComponent:
        """Return an open component, to call its backend directly.

        Args:
            name: The name of the component; None for the default one.

        Returns:
            The component, which the runtime closes.

        Raises:
            ComponentNotFound: If no component has the name.
        """
        return self._opened[self._components.find(name).name][1]

    @property
    def component_types(self) -> Mapping[str, ComponentType[Any]]:
        """What is open, by the names of the components; the default comes first."""
        return {name: kind for name, (kind, _) in self._opened.items()}

    def capabilities(self, component: str | None = None) -> frozenset[Capability]:
        """Return what a component has declared that it can do.

        Args:
            component: The name of the component; None for the default one.

        Returns:
            Its capabilities. A verb that needs another one raises `UnsupportedOperation`.

        Raises:
            ComponentNotFound: If no component has the name.
        """
        declared = self._opened[self._components.find(component).name][0].capabilities
        return frozenset(verb for verb in declared if isinstance(verb, Capability))

    async def get(
        self, instance_id: str, *, payloads: bool = True, component: str | None = None
    ) -> WorkflowState:
        """Return the state of an instance.

        Args:
            instance_id: The ID of the instance, as `start` returned it.
            payloads: Whether the state has input, output and failure; True by default.
            component: The component that has the instance; None for the default one.

        Raises:
            InstanceNotFound: If the component has no such instance.
        """
        opened = self._at(component, instance_id)
        state = await opened.get(instance_id, payloads=payloads)
        executor = self._executors.get(opened.name)
        if state.detail is None and executor is not None and not state.status.is_closed:
            state = replace(state, detail=obstacle(executor, instance_id))
        return state

    async def wait(
        self,
        instance_id: str,
        *,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - it is part of what is asked for
        component: str | None = None,
    ) -> WorkflowState:
        """Return the state of an instance once it is closed.

        Args:
            instance_id: The ID of the instance, as `start` returned it.
            timeout: The longest time to wait, in real time even under a virtual clock; without one
                it waits for ever.
            component: The component that has the instance; None for the default one.

        Raises:
            InstanceNotFound: If the component has no such instance.
            TimeoutError: If it is not closed by then. The instance goes on.
        """
        opened = self._at(component, instance_id)
        check_duration(timeout, "timeout")
        if timeout is None:
            return await opened.wait(instance_id)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                return await opened.wait(instance_id)
        except TimeoutError as error:
            raise TimeoutError(
                f"instance '{instance_id}' had not closed after {timeout.total_seconds():g} s"
            ) from error

    async def raise_event(
        self, instance_id: str, name: str, data: object = None, *, component: str | None = None
    ) -> bool:
        """Raise an event to an instance; it is kept while nobody waits for it.

        Args:
            instance_id: The ID of the instance, as `start` returned it.
            name: The name for which the workflow waits; case does not count.
            data: The value that the waiting code gets, written as JSON; None by default.
            component: The component that has the instance; None for the default one.

        Returns:
            False if the instance is closed and the event is dropped.

        Raises:
            InvalidRequest: If the name is empty, or no text.
            PayloadError: If the data is not JSON.
            InstanceNotFound: If the component has no such instance.
        """
        if not check_text(name, "event's name"):
            raise InvalidRequest("the name of the event is empty")
        text = None if data is None else encode(data, f"data of event '{name}'")
        return await self._at(component, instance_id).raise_event(instance_id, name, text)

    async def pause(
        self, instance_id: str, *, reason: str | None = None, component: str | None = None
    ) -> bool:
        """Let an instance take no turn until it is resumed; running activities end and are kept.

        Args:
            instance_id: The ID of the instance, as `start` returned it.
            reason: The reason, which the history keeps; none by default.
            component: The component that has the instance; None for the default one.

        Returns:
            False if it was paused already, or is closed.

        Raises:
            InstanceNotFound: If the component has no such instance.
            UnsupportedOperation: If the component cannot pause.
        """
        return await self._at(component, instance_id).pause(instance_id, reason=reason)

    async def resume(
        self, instance_id: str, *, reason: str | None = None, component: str | None = None
    ) -> bool:
        """Let a paused instance go on.

        Args:
            instance_id: The ID of the instance, as `start` returned it.
            reason: The reason, which the history keeps; none by default.
            component: The component that has the instance; None for the default one.

        Returns:
            False if it was not paused, or is closed.

        Raises:
            InstanceNotFound: If the component has no such instance.
            UnsupportedOperation: If the component cannot pause.
        """
        return await self._at(component, instance_id).resume(instance_id, reason=reason)

    async def terminate(
        self,
        instance_id: str,
        *,
        output: object = None,
        recursive: bool = True,
        component: str | None = None,
    ) -> bool:
        """End an instance as TERMINATED, in the midst of what it does.

        Args:
            instance_id: The ID of the instance, as `start` returned it.
            output: The output that the instance gets, written as JSON; none by default.
            recursive: Whether its children end with it; True by default.
            component: The component that has the instance; None for the default one.

        Returns:
            False if it was closed already.

        Raises:
            InstanceNotFound: If the component has no such instance.
            PayloadError: If the output is not JSON.
            UnsupportedOperation: If an output is given and the component takes none.
        """
        text = None
        if output is not None:
            self._require(component, Capability.TERMINATE_OUTPUT, "an output of terminate")
            text = encode(output, f"output of instance '{instance_id}'")
        return await self._at(component, instance_id).terminate(
            instance_id, output=text, recursive=recursive
        )

    async def purge(
        self, instance_id: str, *, recursive: bool = True, component: str | None = None
    ) -> int:
        """Remove a closed instance with its history.

        Args:
            instance_id: The ID of the instance, as `start` returned it.
            recursive: Whether its children are removed with it; True by default.
            component: The component that has the instance; None for the default one.

        Returns:
            How many instances were removed.

        Raises:
            InstanceNotFound: If the component has no such instance.
            InstanceNotClosed: If one of them is still active; nothing is removed then.
            UnsupportedOperation: If the component cannot purge.
        """
        return await self._at(component, instance_id).purge(instance_id, recursive=recursive)

    async def list(
        self, query: InstanceQuery | None = None, *, component: str | None = None
    ) -> InstancePage:
        """Return one page of instances, newest first, without payloads.

        Args:
            query: The instances that are wanted, and the page; by default the first 100 of all.
            component: The component whose instances are listed; None for the default one.

        Raises:
            InvalidRequest: If the continuation token is none of the component's.
            UnsupportedOperation: If the component cannot list.
        """
        self._check_loop()
        return await self.component(component).list(query or InstanceQuery())

    async def history(
        self, instance_id: str, *, component: str | None = None
    ) -> Sequence[HistoryEvent]:
        """Return the events of an instance's current execution, oldest first.

        Args:
            instance_id: The ID of the instance, as `start` returned it.
            component: The component that has the instance; None for the default one.

        Raises:
            InstanceNotFound: If the component has no such instance.
            UnsupportedOperation: If the component tells no history.
        """
        return await self._at(component, instance_id).history(instance_id)

    async def rerun(
        self,
        instance_id: str,
        event_id: int,
        *,
        new_instance_id: str | None = None,
        input: object = None,
        overwrite_input: bool = False,
        child_instance_id: str | None = None,
        component: str | None = None,
    ) -> str:
        """Start a copy of a closed instance, which goes on from one of its events.

        What was done before is kept; the event, and all that was open with it, is done anew. The
        source stays as it is.

        Args:
            instance_id: The ID of the closed instance.
            event_id: The ID of a TaskScheduled, TimerCreated or ChildCreated of its history.
            new_instance_id: The ID of the copy; a new UUID by default.
            input: The new input of the activity or child, if `overwrite_input` is given; None by
                default.
            overwrite_input: Whether `input` replaces the recorded one; False by default.
            child_instance_id: The ID of the new child, where the event calls one; made by default.
            component: The component that has the instance; None for the default one.

        Returns:
            The ID of the copy.

        Raises:
            InvalidRequest: If an argument does not fit the event or the others, or the instance had
                ended when it asked for the event.
            InstanceNotFound: If the component has no such instance.
            InstanceNotClosed: If the instance is still active.
            EventNotFound: If its last execution has no such event.
            InstanceAlreadyExists: If an active instance has the new ID.
            UnsupportedOperation: If the component cannot rerun.
        """
        self._at(component, instance_id)
        new_id = str(new_uuid()) if new_instance_id is None else check_instance_id(new_instance_id)
        if child_instance_id is not None:
            check_instance_id(child_instance_id)
        text = None
        if input is not None:
            if not overwrite_input:
                raise InvalidRequest(
                    "an input was given for a rerun that does not overwrite it: set "
                    "overwrite_input=True, or leave the input out"
                )
            text = encode(input, f"input of event {event_id} of instance '{instance_id}'")
        await self.component(component).rerun(
            RerunRequest(instance_id, event_id, new_id, text, overwrite_input, child_instance_id)
        )
        return new_id

    def _at(self, component: str | None, instance_id: str) -> WorkflowComponent:
        """Return where a verb is to be done, once it is sure that it can be."""
        self._check_loop()
        if not isinstance(instance_id, str):
            check_instance_id(instance_id)
        return self.component(component)

    def _check_loop(self) -> None:
        """Refuse a call from another event loop, before it has done a part of its work."""
        if asyncio.get_running_loop() is not self._loop:
            raise FlowyardError(
                "this Runtime belongs to another event loop (or to the process that this one was "
                "forked from), and nothing was done. Call it in the loop in which it was opened; "
                "for threads, and for code that calls asyncio.run(), open a SyncRuntime, which "
                "any thread may use."
            )

    def _require(self, component: str | None, capability: Capability, operation: str) -> None:
        if capability not in self.capabilities(component):
            name = self._components.find(component).name
            raise UnsupportedOperation(name, operation)
