"""The runtime: opens the configured components, and starts workflows on them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowyard.backend.component import (
    Capability,
    ComponentContext,
    ComponentType,
    WorkflowComponent,
)
from flowyard.backend.executor import Executor, RegisteredExecutor
from flowyard.calls.calls import BlockCalls
from flowyard.clock import Clock, SystemClock
from flowyard.config import Components, ComponentSpec, load_components, resolve
from flowyard.config.components import wrong_kind
from flowyard.errors import ConfigurationError, InvalidRequest
from flowyard.executors.local import LocalExecutor
from flowyard.identifier import new_uuid
from flowyard.instances import Instances
from flowyard.models import ReusePolicy, StartRequest, check_instance_id, check_text
from flowyard.payload import ABSENT
from flowyard.workflow.app import App
from flowyard.workflow.registry import Registry, encode_input

# Lazy: a program that imports Flowyard need not open anything.
if TYPE_CHECKING:
    from flowyard.blocks.blocks import Blocks
    from flowyard.config.configuration import Configuration


class Runtime(Instances, BlockCalls):
    """Starts and manages workflows on the configured components; `open` makes one.

    `component` is the name of a component; without it the default does the work, which is the first
    in the configuration. Verbs that return a bool say whether they changed anything: False means
    that the instance was closed (or paused already, or not paused). A verb that has returned is
    durable, unless the component is declared to be volatile.

    Each verb also raises `ComponentNotFound` for a component that is not configured,
    `BackendUnavailable` where the backend does not answer, `InvalidRequest` for an instance ID that
    is not text, and `FlowyardError` in another event loop than that in which the runtime was
    opened. Nothing was done then, but for `BackendUnavailable`, where that is not known.

    Args:
        components: The configuration.
        opened: The open components with their types, by their names.
        registry: The functions that the app has registered.
        executors: The executors of the components, by their names; empty without an app.
        blocks: The components of the other building blocks; none by default.

    Example:
        ```python
        async with Runtime.open("components.yaml", app) as runtime:
            instance_id = await runtime.start(order, input={"item": "tea"})
            state = await runtime.wait(instance_id, timeout=timedelta(minutes=1))
            print(state.result())
        ```
    """

    def __init__(
        self,
        components: Components,
        opened: Mapping[str, tuple[ComponentType[Any], WorkflowComponent]],
        registry: Registry,
        executors: Mapping[str, Executor],
        blocks: Blocks | None = None,
    ) -> None:
        from flowyard.blocks.blocks import NO_BLOCKS

        super().__init__(components, opened, executors)
        self._registry = registry
        self.blocks = NO_BLOCKS if blocks is None else blocks

    @staticmethod
    @asynccontextmanager
    async def open(
        source: str | Path | Sequence[ComponentSpec] | Components = "components.yaml",
        app: App | None = None,
        *,
        clock: Clock | None = None,
        component_types: Sequence[ComponentType[Any, Any]] = (),
        executor: Callable[[str, RegisteredExecutor | None], Executor | None] | None = None,
        drain: timedelta = timedelta(0),
        app_id: str = "flowyard",
        configuration: Configuration | None = None,
    ) -> AsyncIterator[Runtime]:
        """Open every component, and close them at the end of the block.

        Args:
            source: A file, a folder of *.yaml and *.yml files, or the components themselves.
            app: The workflows and activities that this process runs; without it, it only manages.
            clock: The clock of the components; that of the machine by default.
            component_types: Types that no installed plugin offers; they come before those that are.
            executor: Makes what runs the code of a component, from its name and the app's own
                executor (None without an app): `RemoteExecutors().make` has workers run what the
                app has not. By default the app's own runs everything.
            drain: How long running activities may take to end when the runtime is closed; what is
                not recorded by then runs again after the next opening. Nothing waits by default.
            app_id: The name of the application: components whose `scopes` do not name it are left
                out, and its state has keys of its own; `flowyard` by default.
            configuration: What Configuration documents say, as `read_configuration` returns it:
                components of denied types are left out. None, the default, restricts nothing.

        Yields:
            The runtime, for the event loop in which it was opened.

        Raises:
            ConfigurationError: If a component, a plugin or a setting cannot be used.
            BackendUnavailable: If a backend does not answer.
        """
        from flowyard.blocks.blocks import Blocks
        from flowyard.blocks.invocation import Invocation
        from flowyard.config.configuration import NO_CONFIGURATION

        configuration = configuration or NO_CONFIGURATION
        components = configuration.permitted(load_components(source, app_id=app_id))
        resolved = [resolve(spec, component_types) for spec in components.specs]
        opened: dict[str, tuple[ComponentType[Any], WorkflowComponent]] = {}
        executors: dict[str, Executor] = {}
        apps: list[LocalExecutor] = []
        async with AsyncExitStack() as stack:
            invocation = await stack.enter_async_context(
                Invocation.open(app_id, components.http_endpoints)
            )
            blocks = Blocks(app_id, loop=asyncio.get_running_loop())
            if components.blocks:
                # Lazy: most programs have none.
                from flowyard.blocks.opening import open_blocks

                blocks = await stack.enter_async_context(
                    open_blocks(
                        components.blocks,
                        component_types,
                        app_id,
                        clock or SystemClock(),
                        configuration.secret_scopes,
                    )
                )
            blocks = replace(blocks, invocation=invocation)
            for spec, (kind, settings) in zip(components.specs, resolved, strict=True):
                # One executor each: instances of two components may have the same ID.
                local = stack.enter_context(LocalExecutor(app, blocks)) if app is not None else None
                if local is not None:
                    apps.append(local)
                runs: Executor | None = local if executor is None else executor(spec.name, local)
                if runs is not None:
                    executors[spec.name] = runs
                logger = logging.getLogger(f"flowyard.component.{spec.name}")
                context = ComponentContext(
                    spec.name, runs, clock or SystemClock(), logger, app_id=app_id
                )
                component = await stack.enter_async_context(kind.open(settings, context))
                if not isinstance(component, WorkflowComponent):
                    raise ConfigurationError(wrong_kind(spec, WorkflowComponent, component))
                opened[spec.name] = (kind, component)
            stack.push_async_callback(
                _drain, [component for _, component in opened.values()], apps, drain
            )
            registry = app.registry if app is not None else Registry()
            yield Runtime(components, opened, registry, executors, blocks)

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
        """Start a workflow.

        Args:
            workflow: A registered function, or a name.
            input: The input, of the type that the workflow declares. Without one, a parameter takes
                its default; None is an input like any other.
            instance_id: 1 to 255 letters, digits and `_ - . :`; a new UUID by default.
            component: The component that runs it; None for the default one.
            start_at: The time at which it begins, of which a naive one is UTC. Without one, or with
                one that has passed, it begins at once.
            reuse: Whether a closed instance with this ID is replaced, as it is by default.
            options: Settings of this start that only its backend knows; none by default.

        Returns:
            The ID of the instance, which may not have begun yet.

        Raises:
            InvalidRequest: If an argument cannot be used; `InvalidInstanceId` is one, too.
            PayloadError: If the input is not JSON, or not of the declared type.
            RegistrationError: If the function is an activity, or another one has its name.
            WorkflowNotRegistered: If nobody can run the workflow.
            InstanceAlreadyExists: If an active instance has the ID, or a closed one with `REJECT`.
            UnsupportedOperation: If the component takes no start time, and one is given.
        """
        self._check_loop()
        name = check_text(self._registry.workflow_name(workflow), "workflow's name")
        if not name:
            raise InvalidRequest("the name of the workflow is empty")
        if start_at is not None:
            self._require(component, Capability.START_AT, "a start time (start_at)")
            if not isinstance(start_at, datetime):
                raise InvalidRequest(
                    f"start_at must be a datetime, not {type(start_at).__name__!r}"
                )
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

    def _open_blocks(self) -> Blocks:
        self._check_loop()
        return self.blocks


async def _drain(
    components: Sequence[WorkflowComponent], apps: Iterable[LocalExecutor], limit: timedelta
) -> None:
    if limit:
        for own in apps:
            own.leave_missing()
        with suppress(TimeoutError):
            async with asyncio.timeout(limit.total_seconds()):
                await asyncio.gather(*(component.drain() for component in components))
