"""What authors see: the context of a workflow and that of an activity. Names are Dapr's."""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeVar, overload

from flowyard.backend.history import NEVER, to_datetime, to_microseconds
from flowyard.errors import InvalidRequest, WorkflowCodeError
from flowyard.models import check_instance_id, check_text
from flowyard.payload import ABSENT, UNTYPED, PayloadType, ResultType, encode
from flowyard.workflow.commands import Schedule
from flowyard.workflow.registry import Registry, encode_input
from flowyard.workflow.retry import RetryPolicy
from flowyard.workflow.task import Task

T = TypeVar("T")
_MICROSECOND = timedelta(microseconds=1)


class ReplayAwareLogger(logging.LoggerAdapter[logging.Logger]):
    """Says nothing while history is replayed, so that each line appears once."""

    def __init__(self, logger: logging.Logger, schedule: Schedule) -> None:
        super().__init__(logger)
        self._schedule = schedule

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        return not self._schedule.replaying and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        extra = {**(kwargs.get("extra") or {}), "instance_id": self._schedule.instance_id}
        return f"[{self._schedule.instance_id}] {msg}", {**kwargs, "extra": extra}


class WorkflowContext:
    """The only thing that workflow code may wait for, ask the time of, and act through."""

    __slots__ = ("_logger", "_registry", "_schedule", "workflow_name")

    def __init__(self, schedule: Schedule, registry: Registry, workflow_name: str) -> None:
        self._schedule = schedule
        self._registry = registry
        self._logger: ReplayAwareLogger | None = None
        self.workflow_name = workflow_name

    @property
    def instance_id(self) -> str:
        """The ID of this instance."""
        return self._schedule.instance_id

    @property
    def current_utc_datetime(self) -> datetime:
        """The time of the current turn, the same in every replay; naive UTC, as in Dapr's SDK."""
        return to_datetime(self._schedule.now).replace(tzinfo=None)

    @property
    def current_datetime(self) -> datetime:
        """The same time as `current_utc_datetime`, with its time zone (UTC)."""
        return to_datetime(self._schedule.now)

    @property
    def is_replaying(self) -> bool:
        """True while the code repeats what history has recorded."""
        return self._schedule.replaying

    @property
    def logger(self) -> ReplayAwareLogger:
        """A logger that is silent during replay."""
        if self._logger is None:
            name = f"flowyard.workflow.{self.workflow_name}"
            self._logger = ReplayAwareLogger(logging.getLogger(name), self._schedule)
        return self._logger

    def new_uuid(self) -> uuid.UUID:
        """Return a UUID that is the same in every replay."""
        self._schedule.uuids += 1
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{self._schedule.seed}/{self._schedule.uuids}")

    def new_random(self) -> random.Random:
        """Return a random generator that gives the same numbers in every replay."""
        return random.Random(self.new_uuid().int)  # noqa: S311 - not for secrets

    def set_custom_status(self, custom_status: object) -> None:
        """Publish a status with the instance: text as it is, other values as JSON; None clears."""
        if custom_status is None:
            custom_status = ""
        elif not isinstance(custom_status, str):
            custom_status = encode(custom_status, "custom status")
        self._schedule.custom_status = check_text(custom_status, "custom status")

    @overload
    def call_activity(
        self,
        activity: Callable[..., Awaitable[T]],
        *,
        input: object = ABSENT,
        retry_policy: RetryPolicy | None = None,
        app_id: str | None = None,
    ) -> Task[T]: ...
    @overload
    def call_activity(
        self,
        activity: Callable[..., T],
        *,
        input: object = ABSENT,
        retry_policy: RetryPolicy | None = None,
        app_id: str | None = None,
    ) -> Task[T]: ...
    @overload
    def call_activity(
        self,
        activity: str,
        *,
        input: object = ABSENT,
        retry_policy: RetryPolicy | None = None,
        app_id: str | None = None,
        result_type: type[T],
    ) -> Task[T]: ...
    @overload
    def call_activity(
        self,
        activity: str,
        *,
        input: object = ABSENT,
        retry_policy: RetryPolicy | None = None,
        app_id: str | None = None,
    ) -> Task[Any]: ...
    def call_activity(
        self,
        activity: Callable[..., Any] | str,
        *,
        input: object = ABSENT,
        retry_policy: RetryPolicy | None = None,
        app_id: str | None = None,
        result_type: object = None,
    ) -> Task[Any]:
        """Schedule an activity, by function or by name; it runs at least once.

        The task fails with `TaskFailedError`. Raises `PayloadError` if the input does not fit.
        """
        _refuse_app_id(app_id)
        name = check_text(self._registry.activity_name(activity), "activity's name")
        definition = self._registry.activities.get(name)
        what = f"input of activity '{name}'"
        output: PayloadType | ResultType = UNTYPED
        if result_type is not None:
            output = PayloadType.of(result_type)
        elif definition is not None and not isinstance(activity, str):
            output = definition.output
        text = encode_input(definition, input, what)
        return self._schedule.call(name, text, output, retry_policy)

    @overload
    def call_child_workflow(
        self,
        workflow: Callable[..., Generator[Any, Any, T]] | Callable[..., Awaitable[T]],
        *,
        input: object = ABSENT,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        app_id: str | None = None,
    ) -> Task[T]: ...
    @overload
    def call_child_workflow(
        self,
        workflow: str,
        *,
        input: object = ABSENT,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        app_id: str | None = None,
        result_type: type[T],
    ) -> Task[T]: ...
    @overload
    def call_child_workflow(
        self,
        workflow: Callable[..., Any] | str,
        *,
        input: object = ABSENT,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        app_id: str | None = None,
    ) -> Task[Any]: ...
    def call_child_workflow(
        self,
        workflow: Callable[..., Any] | str,
        *,
        input: object = ABSENT,
        instance_id: str | None = None,
        retry_policy: RetryPolicy | None = None,
        app_id: str | None = None,
        result_type: object = None,
    ) -> Task[Any]:
        """Start a child workflow, an instance of its own, and wait for its result.

        Its ID is made of the parent's, the execution and the action's ID unless one is given. The
        task fails with `TaskFailedError`.
        """
        _refuse_app_id(app_id)
        name = check_text(self._registry.workflow_name(workflow), "workflow's name")
        definition = self._registry.workflows.get(name)
        if instance_id is not None:
            check_instance_id(instance_id)
        output: PayloadType | ResultType = UNTYPED
        if result_type is not None:
            output = PayloadType.of(result_type)
        elif definition is not None and not isinstance(workflow, str):
            output = definition.output
        text = encode_input(definition, input, f"input of workflow '{name}'")
        return self._schedule.call_child(name, text, output, retry_policy, instance_id)

    def create_timer(self, fire_at: datetime | timedelta) -> Task[None]:
        """Wait until a time (naive means UTC) or for a duration; it survives restarts."""
        return self._schedule.timer(self._when(fire_at))

    @overload
    def wait_for_external_event(
        self, name: str, *, timeout: datetime | timedelta | None = None, data_type: type[T]
    ) -> Task[T]: ...
    @overload
    def wait_for_external_event(
        self, name: str, *, timeout: datetime | timedelta | None = None
    ) -> Task[Any]: ...
    def wait_for_external_event(
        self,
        name: str,
        *,
        timeout: datetime | timedelta | None = None,
        data_type: object = None,
    ) -> Task[Any]:
        """Wait for an event of that name (case does not count) and return its data.

        Without a timeout, or with a negative one, it waits for ever; otherwise the task fails with
        `TimeoutError` when the event has not arrived by then.
        """
        name = check_text(name, "event's name")
        fire_at: int | None = None
        if timeout is not None and timeout != datetime.max:
            indefinite = isinstance(timeout, timedelta) and timeout < timedelta(0)
            fire_at = None if indefinite else self._when(timeout)
        return self._schedule.wait_for_event(name, PayloadType.of(data_type), fire_at)

    def send_event(self, instance_id: str, name: str, *, data: object = None) -> None:
        """Raise an event to another instance; one that does not exist or is closed drops it."""
        check_instance_id(instance_id)
        text = None if data is None else encode(data, f"data of event '{name}'")
        self._schedule.send_event(instance_id, check_text(name, "event's name"), text)

    def continue_as_new(self, new_input: object, *, save_events: bool = False) -> Task[NoReturn]:
        """End this execution and begin again with a new input and an empty history.

        Return right after it, or wait for what it returns (`yield ctx.continue_as_new(…)`): it is
        decided, also if the code then waits for something else or fails. With `save_events`, events
        nobody has waited for are kept. What was asked for and has not completed by then is given
        up; activities asked for in the same turn are not begun.
        """
        definition = self._registry.workflows.get(self.workflow_name)
        what = f"new input of workflow '{self.workflow_name}'"
        text = encode_input(definition, new_input, what)
        return self._schedule.continue_as_new(text, save_events=save_events)

    def is_patched(self, patch_name: str) -> bool:
        """True where code behind the patch runs; False in an execution that is older than it."""
        return self._schedule.is_patched(check_text(patch_name, "patch's name"))

    def _when(self, when: datetime | timedelta) -> int:
        if isinstance(when, timedelta):
            return min(self._schedule.now + max(when // _MICROSECOND, 0), NEVER)
        if isinstance(when, datetime):
            return to_microseconds(when)
        raise WorkflowCodeError(
            f"a time is a datetime or a timedelta, not {type(when).__name__!r}: "
            "write timedelta(seconds=…)"
        )


def _refuse_app_id(app_id: str | None) -> None:
    if app_id is not None:
        raise InvalidRequest(
            f"app_id={app_id!r}: calls across apps are not supported. Leave app_id out."
        )


@dataclass(frozen=True, slots=True)
class ActivityContext:
    """What an activity knows of its call.

    `task_execution_id` is the same for every attempt of one call, also after a crash: use it as
    the idempotency key towards the outside. `attempt` counts the attempts of the retry policy,
    from 1; a repetition after a crash is the same attempt.
    """

    workflow_id: str
    task_id: int
    task_execution_id: str
    attempt: int = 1
