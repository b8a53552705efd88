"""How a hosted execution begins: what its workflow and its activities are given besides inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from temporalio.common import RawValue

from flowyard.backend import (
    ActivityTask,
    ExecutionStarted,
    Executor,
    HistoryEvent,
    RegisteredExecutor,
    TaskScheduled,
)
from flowyard_temporal.hosted.raw import raw, text_of
from flowyard_temporal.native.states import HOSTED

_FORMAT = 3


class Beginning(msgspec.Struct, frozen=True):
    """The second argument of a hosted workflow; the first one is its input.

    `events` begin the execution, its ExecutionStarted among them without the input. `inline`
    says where the turns run, for the whole execution: in the workflow itself, or (by workers of
    any SDK) in a local activity. `version` is that of the code where turns run inline. Since
    `format` 1, the IDs of children carry the execution of their parent; since 2, of children that
    are asked for with one ID the first one gets it; since 3, an event for a child that is being
    started is sent once the server has it.
    """

    events: Sequence[HistoryEvent]
    inline: bool
    version: str | None = None
    created_at: int | None = None
    format: int = 0

    @staticmethod
    def of(
        events: Sequence[HistoryEvent],
        workflow: str,
        executor: Executor,
        created_at: int | None = None,
    ) -> Beginning:
        """Return how an execution begins whose turns this executor is to run."""
        code = executor.local_code(workflow)
        version = code.version if code is not None else None
        return Beginning(events, runs_inline(executor, workflow), version, created_at, _FORMAT)

    def arguments(self) -> list[RawValue]:
        """Return the arguments of the workflow."""
        given = next(event for event in self.events if isinstance(event, ExecutionStarted))
        bare = msgspec.structs.replace(given, input=None)
        events = [bare if event is given else event for event in self.events]
        beginning = msgspec.structs.replace(self, events=events)
        return [raw(given.input), raw(msgspec.json.encode(beginning))]

    def memo(self) -> Mapping[str, RawValue]:
        """Return the memo that a first execution begins with."""
        return {HOSTED: raw("true")}


def runs_inline(executor: Executor, workflow: str) -> bool:
    """Whether the app's own code runs the turns of a workflow, and not a worker."""
    # Where there are no workers, code that is not there is yet to be registered.
    return executor.local_code(workflow) is not None or isinstance(executor, RegisteredExecutor)


_decoder = msgspec.json.Decoder(Beginning)


def read_beginning(arguments: Sequence[RawValue], workflow: str, run_id: str) -> Beginning:
    """Read the arguments of a hosted workflow; an input alone is what Temporal's CLI gives."""
    given = text_of(arguments)
    text = text_of(arguments, 1)
    if text is None:
        return Beginning([ExecutionStarted(workflow, given, run_id)], inline=False, format=_FORMAT)
    beginning = _decoder.decode(text)
    events = [
        msgspec.structs.replace(event, input=given)
        if isinstance(event, ExecutionStarted)
        else event
        for event in beginning.events
    ]
    return msgspec.structs.replace(beginning, events=events)


class Call(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """The second argument of an activity; the first one is its input.

    `execution_id` is there only where `task_execution_id` does not begin with it: histories keep
    every byte.
    """

    task_execution_id: str
    first_id: int
    call_id: str | None = None
    execution_id: str | None = None
    attempt: int = 1
    propagation: int = 0

    @staticmethod
    def arguments(scheduled: TaskScheduled, execution_id: str) -> list[RawValue]:
        """Return the arguments of an activity."""
        call_id = scheduled.call_id
        call = Call(
            scheduled.task_execution_id(execution_id),
            scheduled.first_id,
            call_id,
            execution_id if call_id is not None else None,
            scheduled.attempt,
            scheduled.propagation,
        )
        return [raw(scheduled.input), raw(msgspec.json.encode(call))]

    @property
    def execution(self) -> str:
        """The ID of the execution that has asked for it."""
        return self.execution_id or self.task_execution_id.rpartition(":")[0]


_call_decoder = msgspec.json.Decoder(Call)


def read_call(
    arguments: Sequence[RawValue], instance_id: str, run_id: str, activity_id: str, name: str
) -> ActivityTask:
    """Read the arguments of an activity. With an input alone, a native workflow has called it."""
    text = text_of(arguments, 1)
    call = Call(f"{run_id}:{activity_id}", 0) if text is None else _call_decoder.decode(text)
    return ActivityTask(
        instance_id,
        int(activity_id) if activity_id.isdecimal() else 0,
        name,
        text_of(arguments),
        call.task_execution_id,
        call.execution,
        call.attempt,
        call.propagation,
    )
