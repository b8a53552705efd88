"""Hosted instances: the app's workflows, kept and delivered by the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from flowyard.component import ComponentContext
from flowyard.errors import (
    BackendUnavailable,
    InstanceAlreadyExists,
    InstanceNotFound,
    InvalidRequest,
    UnsupportedOperation,
)
from flowyard.executor import TurnResult
from flowyard.history import (
    ChildCreated,
    EventRaised,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    Parent,
    encode_events,
    to_microseconds,
)
from flowyard.identifier import new_uuid
from flowyard.local import LocalExecutor
from flowyard.models import StartRequest, WorkflowState
from flowyard_conductor.claims import Claims
from flowyard_conductor.definitions import Definitions
from flowyard_conductor.host import Host
from flowyard_conductor.instances import ACTIVE, Found, Instances, Json
from flowyard_conductor.live import Live, state_of
from flowyard_conductor.mailbox import Mailbox, is_suspended_by, is_terminated_by
from flowyard_conductor.natives import Natives
from flowyard_conductor.records import LARGEST_INPUT, Record, packed, too_large
from flowyard_conductor.roster import read_live
from flowyard_conductor.sides import Sides
from flowyard_conductor.starting import Starts
from flowyard_conductor.tasks import Tasks
from flowyard_conductor.waking import Waking

# How long an instance of this process is trusted to be here, in seconds.
_LONGEST_WAIT = 5.0
# How long a termination may take while its caller waits, in seconds.
_LONGEST_END = 2.0


class Hosted:
    """Starts and steers hosted instances, and runs them where there is an app."""

    def __init__(
        self,
        instances: Instances,
        claims: Claims,
        starts: Starts,
        natives: Natives,
        context: ComponentContext,
    ) -> None:
        connection, names = instances.connection, instances.names
        self._instances = instances
        self._claims = claims
        self._starts = starts
        self._natives = natives
        self._executor = context.executor
        self._clock = context.clock
        self._definitions = Definitions(names, connection.settings.lease_seconds)
        self._mailbox = Mailbox(connection, names, self._definitions)
        self._sides = Sides(connection, names, self._definitions)
        tasks = Tasks(connection)
        self._is_run_by_others = False
        self._host: Host | None = None
        self._waking = Waking(tasks, names, partial(read_live, connection), lambda _: None)
        if context.executor is not None:
            self._host = Host(
                instances,
                tasks,
                self._mailbox,
                self._sides,
                context.executor,
                context.clock,
                context.logger,
                self._begin_child,
                self._send,
                self._tell,
            )
            self._waking = self._host.waking

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run instances until the block is left, if there is an app."""
        if self._host is None:
            yield
            return
        async with self._host.running():
            yield

    async def is_run_by_others(self) -> bool:
        """Whether there has ever been a process with an app on our task queue."""
        if not self._is_run_by_others:
            self._is_run_by_others = bool(
                await self._instances.connection.get(
                    "/tasks/queue/polldata", taskType=self._instances.names.step
                )
            )
        return self._is_run_by_others

    async def start(self, request: StartRequest) -> str:
        """Start an instance under a claimed ID, and return the ID of its workflow."""
        start_at = to_microseconds(request.start_at) if request.start_at is not None else None
        started = ExecutionStarted(
            request.workflow, request.input, new_uuid().hex, start_at=start_at
        )
        return await self._begin(request.instance_id, started, None)

    async def state(self, found: Found, *, payloads: bool) -> WorkflowState:
        """Return the state as it is now, with mail that no turn has taken."""
        now = self._clock.now()
        if not found.is_active:
            workflow = await self._instances.read(found, tasks=False)
            if workflow["status"] not in ACTIVE:
                return state_of(workflow, None, None, now, payloads=payloads)
        # In this order: what is taken meanwhile is then in the workflow.
        mail = await self._mailbox.letters(found.workflow_id)
        workflow = await self._instances.read(found, tasks=True)
        if workflow["status"] not in ACTIVE:
            return state_of(workflow, None, None, now, payloads=payloads)
        live = Live.of(workflow)
        unread = [one for one in mail if one.key not in live.mail]
        suspended = is_suspended_by(unread, live.journal.suspended)
        return state_of(workflow, live, suspended, now, payloads=payloads)

    async def wait(self, instance_id: str) -> WorkflowState | None:
        """Return the state of an instance of this process once it has closed; None if unsure."""
        live = self._host.find(instance_id) if self._host is not None else None
        if live is None:
            return None
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                await live.closed.wait()
        except TimeoutError:
            return None
        name = self._instances.names.definition(live.started.workflow)
        found = Found(instance_id, live.workflow_id, name, "", live.started.workflow)
        workflow = await self._instances.read(found, tasks=False)
        if workflow["status"] in ACTIVE:
            return None
        return state_of(workflow, None, None, self._clock.now(), payloads=True)

    async def raise_event(self, found: Found, name: str, data: str | None) -> bool:
        """Make an event durable, and have a turn look."""
        if not found.is_active:
            return False
        await self._post(found, EventRaised(name, data))
        return True

    async def terminate(self, found: Found, *, output: str | None, recursive: bool) -> bool:
        """Have the next turn end the instance, let it come at once, and wait a while for it."""
        async with self._claims.hold(found.instance_id):
            active, _, ends = await self._progress(found)
            if not active or ends:
                return False
            terminated = ExecutionTerminated(output, recursive)
            await self._mailbox.post(found.workflow_id, terminated)
        await self._wake(found, ends=True)
        # It is durable; without a process that runs the instance, it takes effect later.
        with suppress(TimeoutError, BackendUnavailable, InstanceNotFound):
            async with asyncio.timeout(_LONGEST_END):
                await self._until_closed(found)
        return True

    async def pause(self, found: Found, reason: str | None) -> bool:
        """Let no further turn run code."""
        async with self._claims.hold(found.instance_id):
            active, suspended, ends = await self._progress(found)
            if not active or suspended or ends:
                return False
            await self._mailbox.post(found.workflow_id, ExecutionSuspended(reason))
        # A worker may have a turn for as long as it likes; the claim is not held meanwhile.
        await self._wake(found, pauses=True)
        return True

    async def resume(self, found: Found, reason: str | None) -> bool:
        """Let turns run code again; also where somebody has paused the workflow in Conductor."""
        if found.status == "PAUSED":
            return await self._natives.resume(found)
        async with self._claims.hold(found.instance_id):
            active, suspended, ends = await self._progress(found)
            if not active or not suspended or ends:
                return False
            await self._mailbox.post(found.workflow_id, ExecutionResumed(reason))
        await self._wake(found)
        return True

    async def history(self, found: Found) -> Sequence[HistoryEvent]:
        """Return the history of the current execution."""
        return Live.of(await self._instances.read(found, tasks=True)).journal.history

    async def children(self, found: Found) -> list[Found]:
        """Return the instances that this one has started, as far as they are still its own."""
        live = Live.of(await self._instances.read(found, tasks=True))
        children: list[Found] = []
        for child_id in dict.fromkeys(live.children):
            for child in await self._instances.runs(child_id):
                if child.workflow is not None:
                    workflow = await self._instances.read(child, tasks=False)
                    if workflow["input"].get("parentWorkflow") == found.workflow_id:
                        children.append(child)
        return children

    async def belongings(self, found: Found) -> list[Found]:
        """Return the workflows that carry its mail, and that ran beside it."""
        mail = await self._mailbox.workflows(found.workflow_id)
        sides = await self._sides.workflows(found.workflow_id)
        return [
            Found(found.instance_id, one["workflowId"], one["workflowName"], one["status"], None)
            for one in (*mail, *sides)
        ]

    async def _until_closed(self, found: Found) -> None:
        delay = 0.02
        while (await self._instances.read(found, tasks=False))["status"] in ACTIVE:
            await asyncio.sleep(delay)
            delay *= 1.5

    async def _progress(self, found: Found) -> tuple[bool, bool, bool]:
        """Return whether an instance is active, paused, and about to be terminated."""
        mail = await self._mailbox.letters(found.workflow_id)
        workflow = await self._instances.read(found, tasks=True)
        if workflow["status"] not in ACTIVE:
            return False, False, False
        live = Live.of(workflow)
        unread = [one for one in mail if one.key not in live.mail]
        ends = is_terminated_by(unread) or live.journal.completion is not None
        return True, is_suspended_by(unread, live.journal.suspended), ends

    async def _post(
        self,
        found: Found,
        event: HistoryEvent,
        *,
        key: str | None = None,
        ends: bool = False,
    ) -> None:
        await self._mailbox.post(found.workflow_id, event, key=key)
        await self._wake(found, ends=ends)

    async def _wake(self, found: Found, *, ends: bool = False, pauses: bool = False) -> None:
        await self._waking.wake(
            found.workflow_id, self._find(found.workflow_id), ends=ends, pauses=pauses
        )

    def _find(self, workflow_id: str) -> Live | None:
        return self._host.roster.find(workflow_id) if self._host is not None else None

    async def _begin(
        self, instance_id: str, started: ExecutionStarted, parent_workflow_id: str | None
    ) -> str:
        """Start the workflow of an instance, with its first turn if the code is here."""
        given: Json = {"started": packed(encode_events([started]).decode())}
        if parent_workflow_id is not None:
            given["parentWorkflow"] = parent_workflow_id
        live = Live("", instance_id, given, self._clock.now() // 1000)
        first = self._first(live, started)
        if first is not None:
            given["first"] = first.to_output()
        if (excess := too_large(given, LARGEST_INPUT)) is not None:
            if self._executor is not None:
                self._executor.forget(instance_id)
            raise InvalidRequest(f"instance '{instance_id}' cannot be started: {excess.message}")
        names = self._instances.names
        body: Json = {
            "name": names.definition(started.workflow),
            "version": 1,
            "workflowDef": self._definitions.instance(started.workflow),
            "correlationId": instance_id,
            "input": given,
        }
        connection = self._instances.connection
        if first is None or self._host is None:
            workflow_id = str(await connection.post("/workflow", body))
        else:
            async with self._host.roster.starting(live):
                try:
                    live.workflow_id = workflow_id = str(await connection.post("/workflow", body))
                except BaseException:
                    self._host.roster.drop(live)
                    raise
                live.note(first, 0)
                if first.backlog is not None:
                    live.pending_execution = started.execution_id
                    live.begin((), first.backlog)
                self._host.roster.add(live)
        if self._host is not None:
            self._host.nudge()
        return workflow_id

    def _first(self, live: Live, started: ExecutionStarted) -> Record | None:
        """Take the first turn before there is anything: it is committed with the start."""
        if (
            self._host is None
            or started.start_at is not None
            or not isinstance(self._executor, LocalExecutor)
            or started.workflow not in self._executor.registry.workflows
        ):
            return None
        live.journal.admit(started)
        turn = live.journal.turn(self._clock.now(), [started])
        result: TurnResult = self._executor.run_turn(turn)
        if result.stalled is not None:
            return None
        return self._host.turns.record(live, turn, result, 0)

    async def _begin_child(self, live: Live, link: Parent, child: ChildCreated) -> None:
        """Start a child, unless the turn that wanted it was done before."""
        started = ExecutionStarted(child.name, child.input, new_uuid().hex, link)

        async def begin(request: StartRequest) -> str:
            return await self._begin(request.instance_id, started, live.workflow_id)

        try:
            if live.is_redone and await self._is_begun(live, link, child):
                return
            await self._starts.start(
                StartRequest(child.name, child.instance_id, child.input), begin
            )
        except InstanceAlreadyExists:
            if not await self._is_begun(live, link, child):
                raise

    async def _is_begun(self, live: Live, link: Parent, child: ChildCreated) -> bool:
        for run in await self._instances.runs(child.instance_id):
            if run.workflow is not None:
                workflow = await self._instances.read(run, tasks=False)
                given = workflow["input"]
                if given.get("parentWorkflow") == live.workflow_id:
                    its = Live(run.workflow_id, run.instance_id, given, 0).started.parent
                    if its == link:
                        return True
        return False

    async def _send(self, instance_id: str, event: HistoryEvent, key: str) -> None:
        """Send an event of one instance to another, if there is one that can take it."""
        try:
            found = await self._instances.find(instance_id)
        except InstanceNotFound:
            return
        if not found.is_active:
            return
        ends = isinstance(event, ExecutionTerminated)
        if found.workflow is not None:
            await self._post(found, event, key=key, ends=ends)
            return
        try:
            if isinstance(event, EventRaised):
                await self._natives.raise_event(found, event.name, event.input)
            elif ends:
                await self._natives.terminate(found, output=None, recursive=True)
        except (InstanceNotFound, InvalidRequest, UnsupportedOperation):
            # Nobody waits for it there, and a sender is told of nothing.
            return

    async def _tell(
        self, workflow_id: str, event: HistoryEvent, key: str, execution_id: str
    ) -> None:
        """Tell an execution of a parent how its child has ended."""
        await self._mailbox.post(workflow_id, event, key=key, execution_id=execution_id)
        await self._waking.wake(workflow_id, self._find(workflow_id))
