"""The engine as a component: runs turns if this process owns the file, else leaves messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from flowyard.backend import (
    BackendUnavailable,
    ComponentContext,
    EventRaised,
    ExecutionResumed,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    InstanceNotClosed,
    InstanceNotFound,
    InstancePage,
    InstanceQuery,
    RerunRequest,
    StartRequest,
    WorkflowComponent,
    WorkflowState,
    WorkflowStatus,
    obstacle,
)
from flowyard_engine.commits import of_start
from flowyard_engine.engine import Engine
from flowyard_engine.reruns import of_rerun
from flowyard_engine.settings import EngineSettings
from flowyard_engine.state import to_state
from flowyard_engine.store import LeaseLost, Message, Store
from flowyard_engine.stores import open_store

# How often a process that does not own the file looks at it, in seconds.
_LOOK_SECONDS = 0.05
# How long the owner may take to act on a message of another process, in seconds.
_OWNER_PATIENCE_SECONDS = 30.0
_WAITS = "a worker is to run the next turn, and none has answered yet"


class EngineComponent(WorkflowComponent):
    """One SQLite file, shared by any number of processes of which one runs the turns."""

    def __init__(self, settings: EngineSettings, context: ComponentContext, store: Store) -> None:
        super().__init__(context.name)
        self._settings = settings
        self._context = context
        self._store = store
        self._engine: Engine | None = None
        self._lost = asyncio.Event()

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: EngineSettings, context: ComponentContext
    ) -> AsyncIterator[EngineComponent]:
        """Open the store; own it if nobody does and there is an app to run."""
        async with (
            open_store(settings, context.logger, context.machine) as store,
            EngineComponent.on(store, settings, context) as component,
        ):
            yield component

    @staticmethod
    @asynccontextmanager
    async def on(
        store: Store, settings: EngineSettings, context: ComponentContext
    ) -> AsyncIterator[EngineComponent]:
        """Run on a store that is open."""
        component = EngineComponent(settings, context, store)
        store.listen(component._foreign_write, component._lost.set)
        if context.executor is None:
            yield component
            return
        if await store.take_lease():
            await component._own()
        keeper = asyncio.create_task(component._keep())
        try:
            yield component
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            if component._engine is not None:
                await component._engine.stop(
                    BackendUnavailable(
                        f"component '{context.name}' was closed: open it again, and repeat the call"
                    )
                )

    @property
    def is_owner(self) -> bool:
        """True while this process runs the turns."""
        return self._engine is not None

    async def idle(self) -> None:
        """Return once nothing is under way in this process."""
        if self._engine is not None:
            await self._engine.idle()

    async def drain(self) -> None:
        if self._engine is not None:
            await self._engine.drain()

    async def start(self, request: StartRequest) -> None:
        if self._context.executor is not None:
            self._context.executor.check_workflow(request.workflow)
        if self._engine is not None:
            try:
                await self._engine.start(request)
            except LeaseLost:
                self._context.logger.info(
                    "the start of instance '%s' is passed to the new owner of the file",
                    request.instance_id,
                )
            else:
                return
        record, message = of_start(request, self._context.clock.now(), self._context.machine)
        await self._store.create(record, message, request.reuse)
        self._look_for_messages()

    async def get(self, instance_id: str, *, payloads: bool = True) -> WorkflowState:
        snapshot = await self._store.read(instance_id, payloads=payloads)
        if snapshot is None:
            raise InstanceNotFound(instance_id)
        state = to_state(snapshot)
        if self._engine is not None and self._engine.is_waiting(instance_id):
            state = replace(state, detail=_WAITS)
        elif (executor := self._context.executor) is not None and state.detail is None:
            state = replace(state, detail=obstacle(executor, instance_id))
        return state

    async def wait(self, instance_id: str) -> WorkflowState:
        while self._engine is not None:
            try:
                state = await self._engine.wait(instance_id)
            except LeaseLost:
                break
            if state is None:
                raise InstanceNotFound(instance_id)
            return state
        return await super().wait(instance_id)

    async def raise_event(self, instance_id: str, name: str, data: str | None = None) -> bool:
        return await self._deliver(instance_id, EventRaised(name, data), settles=False)

    async def terminate(
        self, instance_id: str, *, output: str | None = None, recursive: bool = True
    ) -> bool:
        return await self._deliver(instance_id, ExecutionTerminated(output, recursive))

    async def pause(self, instance_id: str, *, reason: str | None = None) -> bool:
        return await self._deliver(instance_id, ExecutionSuspended(reason))

    async def resume(self, instance_id: str, *, reason: str | None = None) -> bool:
        return await self._deliver(instance_id, ExecutionResumed(reason))

    async def purge(self, instance_id: str, *, recursive: bool = True) -> int:
        return await self._store.purge(instance_id, recursive=recursive)

    async def list(self, query: InstanceQuery) -> InstancePage:
        snapshots, token = await self._store.list(query)
        return InstancePage(tuple(to_state(snapshot) for snapshot in snapshots), token)

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        loaded = await self._store.load(instance_id)
        if loaded is None:
            raise InstanceNotFound(instance_id)
        return loaded.history

    async def rerun(self, request: RerunRequest) -> None:
        source = await self._store.load(request.source_id)
        if source is None:
            raise InstanceNotFound(request.source_id)
        if not source.record.status.is_closed:
            raise InstanceNotClosed(request.source_id, source.record.status, "rerun")
        if self._context.executor is not None:
            self._context.executor.check_workflow(source.record.workflow)
        now = self._context.clock.now()
        copy = of_rerun(request, source.record, source.history, now, self._context.machine)
        await self._store.copy(copy)
        self._look_for_messages()

    async def _deliver(
        self, instance_id: str, event: HistoryEvent, *, settles: bool = True
    ) -> bool:
        """Hand an event over, directly or as a message; False if it changed nothing."""
        if self._engine is not None:
            try:
                admitted = await self._engine.deliver(instance_id, event)
            except LeaseLost:
                self._context.logger.info(
                    "an event for instance '%s' is passed to the new owner of the file", instance_id
                )
            else:
                if admitted is not None:
                    return admitted
                state = await self.get(instance_id, payloads=False)
                if state.status.is_closed:
                    return False
                # It was started between the two looks.
                return await self._deliver(instance_id, event, settles=settles)
        message = Message(instance_id, event)
        status = await self._store.send(message)
        # This process may have become the owner meanwhile; of its own writes nobody tells it.
        self._look_for_messages()
        if status.is_closed:
            return False
        if status is WorkflowStatus.STALLED and not isinstance(event, ExecutionTerminated):
            # Only fitting code can take it up.
            return True
        if not settles:
            return True
        await self._taken_up(message)
        return await self._took_effect(message, status)

    async def _took_effect(self, message: Message, before: WorkflowStatus) -> bool:
        """Whether a message has changed its instance: it may have closed before it was read."""
        snapshot = await self._store.read(message.instance_id, payloads=False)
        if snapshot is None or snapshot.record.birth != message.birth:
            return False
        event, status = message.event, snapshot.record.status
        if isinstance(event, ExecutionTerminated):
            return status is WorkflowStatus.TERMINATED
        was_suspended = before is WorkflowStatus.SUSPENDED
        if was_suspended is isinstance(event, ExecutionSuspended):
            return False
        if not status.is_closed:
            return True
        if was_suspended and status is not WorkflowStatus.TERMINATED:
            return True  # it has gone on since
        return await self._came_last(message)

    async def _came_last(self, message: Message) -> bool:
        """Whether a closed instance was last paused, or resumed, as the message has it."""
        loaded = await self._store.load(message.instance_id)
        history = [] if loaded is None else loaded.history
        kinds = (ExecutionSuspended, ExecutionResumed)
        last = next((event for event in reversed(history) if isinstance(event, kinds)), None)
        return type(last) is type(message.event)

    async def _taken_up(self, message: Message) -> None:
        """Wait until the owner has acted on a message."""
        try:
            async with asyncio.timeout(_OWNER_PATIENCE_SECONDS):
                while await self._store.is_waiting(message.id):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError as error:
            raise BackendUnavailable(
                f"no process runs the workflows of {self._settings.path}: the request for instance "
                f"'{message.instance_id}' is stored and takes effect when one does"
            ) from error

    async def _keep(self) -> None:
        """Own the file whenever nobody else does; step back when another process has it."""
        trouble = ""
        while True:
            if self._engine is not None:
                await self._lost.wait()
                self._context.logger.warning(
                    "another process has become the owner of the file, and runs its workflows"
                )
                engine, self._engine = self._engine, None
                await engine.stop(LeaseLost("another process has become the owner of the file"))
            await asyncio.sleep(self._settings.lease_seconds / 10)
            try:
                if await self._store.take_lease():
                    await self._own()
                trouble = ""
            except BackendUnavailable as error:
                if str(error) != trouble:
                    trouble = str(error)
                    self._context.logger.warning(
                        "this process cannot become the owner of the file yet: %s", error
                    )

    async def _own(self) -> None:
        assert self._context.executor is not None  # noqa: S101
        self._lost.clear()
        engine = Engine(
            self._store,
            self._context.executor,
            self._context.clock,
            self._context.machine,
            self._context.logger,
            self._settings.cached_instances,
        )
        await engine.recover()
        self._engine = engine
        # What this process has stored meanwhile for another owner: nobody else tells of it.
        engine.look_for_messages()

    def _foreign_write(self) -> None:
        if self._engine is not None:
            self._engine.foreign_write()

    def _look_for_messages(self) -> None:
        if self._engine is not None:
            self._engine.look_for_messages()
