"""The runtime: one API over the configured components."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flowyard.backend.component import (
    Capability,
    ComponentContext,
    ComponentType,
    WorkflowComponent,
)
from flowyard.backend.executor import Executor, RegisteredExecutor, obstacle
from flowyard.backend.history import HistoryEvent
from flowyard.clock import Clock, SystemClock
from flowyard.config import Components, ComponentSpec, load_components, resolve
from flowyard.errors import FlowyardError, InvalidRequest, UnsupportedOperation
from flowyard.executors.local import LocalExecutor
from flowyard.identifier import new_uuid
from flowyard.models import (
    InstancePage,
    InstanceQuery,
    RerunRequest,
    ReusePolicy,
    StartRequest,
    WorkflowState,
    check_duration,
    check_instance_id,
    check_text,
)
from flowyard.payload import ABSENT, encode
from flowyard.workflow.app import App
from flowyard.workflow.registry import Registry, encode_input


class Runtime:
    """Starts and manages workflows on whichever component is asked for; see `open`.

    Every verb takes the name of a component; without one the default does the work, which is the
    first in the configuration. Verbs that return a bool say whether they changed anything.
    """

    def __init__(
        self,
        components: Components,
        opened: Mapping[str, tuple[ComponentType[Any], WorkflowComponent]],
        registry: Registry,
        executors: Mapping[str, Executor],
    ) -> None:
        self._components = components
        self._opened = opened
        self._executors = executors
        self._registry = registry
        self._loop = asyncio.get_running_loop()

    @staticmethod
    @asynccontextmanager
    async def open(
        source: str | Path | Sequence[ComponentSpec] = "components.yaml",
        app: App | None = None,
        *,
        clock: Clock | None = None,
        component_types: Sequence[ComponentType[Any]] = (),
        executor: Callable[[str, RegisteredExecutor | None], Executor | None] | None = None,
        drain: timedelta = timedelta(0),
    ) -> AsyncIterator[Runtime]:
        """Open every component of a file, a folder or a list, and close them at the end.

        Without an app the process only manages: it runs no workflow code. `component_types` adds
        types that no installed plugin offers. `executor` makes what runs the code of a component,
        given its name and the app's own executor: `RemoteExecutors().make` has workers run what
        the app has not. `drain` is how long running activities may take to end when the runtime is
        closed; what is not recorded by then runs again after the next opening. Raises
        `ConfigurationError`, `BackendUnavailable`.
        """
        components = load_components(source)
        resolved = [resolve(spec, component_types) for spec in components.specs]
        opened: dict[str, tuple[ComponentType[Any], WorkflowComponent]] = {}
        executors: dict[str, Executor] = {}
        async with AsyncExitStack() as stack:
            for spec, (kind, settings) in zip(components.specs, resolved, strict=True):
                # One executor each: instances of two components may have the same ID.
                local = stack.enter_context(LocalExecutor(app)) if app is not None else None
                runs: Executor | None = local if executor is None else executor(spec.name, local)
                if runs is not None:
                    executors[spec.name] = runs
                logger = logging.getLogger(f"flowyard.component.{spec.name}")
                context = ComponentContext(spec.name, runs, clock or SystemClock(), logger)
                opened[spec.name] = (
                    kind,
                    await stack.enter_async_context(kind.open(settings, context)),
                )
            stack.push_async_callback(
                _drain, [component for _, component in opened.values()], executors.values(), drain
            )
            registry = app.registry if app is not None else Registry()
            yield Runtime(components, opened, registry, executors)

    def component(self, name: str | None = None) -> WorkflowComponent:
        """Return an open component, the default without a name; raises `ComponentNotFound`."""
        return self._opened[self._components.find(name).name][1]

    @property
    def component_types(self) -> Mapping[str, ComponentType[Any]]:
        """What is open, by the names of the components; the default comes first."""
        return {name: kind for name, (kind, _) in self._opened.items()}

    def capabilities(self, component: str | None = None) -> frozenset[Capability]:
        """Return what a component has declared that it can do."""
        return self._opened[self._components.find(component).name][0].capabilities

    async def start(
        self,
        workflow: Callable[..., Any] | str,
        input: object = ABSENT,
        *,
        instance_id: str | None = None,
        component: str | None = None,
        start_at: datetime | None = None,
        reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED,
        options: Mapping[str, str] | None = None,
    ) -> str:
        """Start a workflow and return its instance ID, a new UUID unless given.

        Raises `PayloadError`, `InvalidRequest`, `WorkflowNotRegistered`, `InstanceAlreadyExists`.
        """
        self._check_loop()
        name = check_text(self._registry.workflow_name(workflow), "workflow's name")
        if not name:
            raise InvalidRequest("the workflow's name is empty")
        if start_at is not None:
            self._require(component, Capability.START_AT, "a start time (start_at)")
            if not isinstance(start_at, datetime):
                raise InvalidRequest(f"start_at is a datetime, not {type(start_at).__name__!r}")
            if start_at.tzinfo is None:
                start_at = start_at.replace(tzinfo=UTC)
        definition = self._registry.workflows.get(name)
        text = encode_input(definition, input, f"input of workflow '{name}'")
        request = StartRequest(
            workflow=name,
            instance_id=str(new_uuid()) if instance_id is None else check_instance_id(instance_id),
            input=text,
            start_at=start_at,
            reuse=reuse,
            options=options or {},
            is_new_id=instance_id is None,
        )
        await self.component(component).start(request)
        return request.instance_id

    async def get(
        self, instance_id: str, *, payloads: bool = True, component: str | None = None
    ) -> WorkflowState:
        """Return the state of an instance; raises `InstanceNotFound`."""
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
        """Return the state once the instance is closed; raises `TimeoutError` if it is not by then.

        The timeout is in real time, also under a virtual clock.
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
        """Raise an event to an instance; False if it is closed and the event is dropped."""
        if not check_text(name, "event's name"):
            raise InvalidRequest("the event's name is empty")
        text = None if data is None else encode(data, f"data of event '{name}'")
        return await self._at(component, instance_id).raise_event(instance_id, name, text)

    async def pause(
        self, instance_id: str, *, reason: str | None = None, component: str | None = None
    ) -> bool:
        """Let the instance take no turn until it is resumed."""
        return await self._at(component, instance_id).pause(instance_id, reason=reason)

    async def resume(
        self, instance_id: str, *, reason: str | None = None, component: str | None = None
    ) -> bool:
        """Let a paused instance go on."""
        return await self._at(component, instance_id).resume(instance_id, reason=reason)

    async def terminate(
        self,
        instance_id: str,
        *,
        output: object = None,
        recursive: bool = True,
        component: str | None = None,
    ) -> bool:
        """End an instance as TERMINATED, with its children unless told otherwise."""
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
        """Remove a closed instance and its children; return how many were removed."""
        return await self._at(component, instance_id).purge(instance_id, recursive=recursive)

    async def list(
        self, query: InstanceQuery | None = None, *, component: str | None = None
    ) -> InstancePage:
        """Return one page of instances, newest first, without payloads."""
        self._check_loop()
        return await self.component(component).list(query or InstanceQuery())

    async def history(
        self, instance_id: str, *, component: str | None = None
    ) -> Sequence[HistoryEvent]:
        """Return the events of an instance's current execution, oldest first."""
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
        """Start a copy of a closed instance from one of its events; return the new instance ID.

        `event_id` is the ID of a TaskScheduled, TimerCreated or ChildCreated of its history, which
        is done anew, with `input` if `overwrite_input` says so. The source stays as it is.
        """
        self._at(component, instance_id)
        new_id = str(new_uuid()) if new_instance_id is None else check_instance_id(new_instance_id)
        if child_instance_id is not None:
            check_instance_id(child_instance_id)
        text = None
        if input is not None:
            if not overwrite_input:
                raise InvalidRequest("an input is given for a rerun that does not overwrite it")
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


async def _drain(
    components: Sequence[WorkflowComponent], executors: Iterable[Executor], limit: timedelta
) -> None:
    if limit:
        for executor in executors:
            if isinstance(executor, LocalExecutor):
                executor.leave_missing()
        with suppress(TimeoutError):
            async with asyncio.timeout(limit.total_seconds()):
                await asyncio.gather(*(component.drain() for component in components))
