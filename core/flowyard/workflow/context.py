"""What the author of a workflow sees: its context. Names are Dapr's."""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Generator
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeVar, overload

from flowyard.backend.timestamps import NEVER, to_datetime, to_microseconds
from flowyard.errors import InvalidRequest, WorkflowCodeError
from flowyard.models import check_instance_id, check_text
from flowyard.payload import ABSENT, UNTYPED, PayloadType, ResultType, encode
from flowyard.workflow.commands import Schedule
from flowyard.workflow.logger import ReplayAwareLogger
from flowyard.workflow.registry import Registry, encode_input
from flowyard.workflow.retry import RetryPolicy
from flowyard.workflow.task import Task

T = TypeVar("T")
_MICROSECOND = timedelta(microseconds=1)


class WorkflowContext:
    """The only thing that workflow code may wait for, ask the time of, and act through.

    A workflow gets it as its first argument and uses it only while it runs. Once it has ended or
    called `continue_as_new`, a call that schedules something raises `WorkflowCodeError`.

    Args:
        schedule: The actions that the code of the execution has asked for.
        registry: The functions of the app.
        workflow_name: The name by which the workflow was started, kept as `workflow_name`.
    """

    __slots__ = ("_logger", "_registry", "_schedule", "workflow_name")

    def __init__(self, schedule: Schedule, registry: Registry, workflow_name: str) -> None:
        self._schedule = schedule
        self._registry = registry
        self._logger: ReplayAwareLogger | None = None
        self.workflow_name = workflow_name

    @property
    def instance_id(self) -> str:
        """The ID of this instance, by which others raise events to it."""
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
        """The logger `flowyard.workflow.<name of the workflow>`, which is silent during replay."""
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
        """Publish a status with the instance, which `WorkflowState.custom_status` shows.

        Args:
            custom_status: Text as it stands, any other value as JSON; None clears it.

        Raises:
            PayloadError: If the value is not JSON.
            InvalidRequest: If the text is not Unicode.
        """
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
        """Schedule an activity, which runs at least once.

        Args:
            activity: A registered function, or a name.
            input: The input, of the type that the activity declares. Without one, a parameter takes
                its default; None is an input like any other.
            retry_policy: When it is tried again after a failure; by default it never is.
            app_id: Dapr's argument for another app, which is refused: leave it out.
            result_type: The type that the result is read as. By default it is the annotation of the
                function, and plain JSON where the activity is given by name.

        Returns:
            A task that completes with the result, or fails with `TaskFailedError` after the last
            attempt and with `PayloadError` if the result does not fit `result_type`.

        Raises:
            PayloadError: If the input is not JSON, or not of the declared type.
            RegistrationError: If the function is a workflow, or another one has its name, or JSON
                cannot be read as `result_type`.
            InvalidRequest: If `app_id` is given, or the activity is neither function nor name.
            WorkflowCodeError: If the workflow has ended or called `continue_as_new`.
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
        """Start a child workflow, an instance of its own, whose result comes back.

        Args:
            workflow: A registered function, or a name.
            input: The input, of the type that the child declares; by default as in `call_activity`.
            instance_id: The child's ID, 1 to 255 letters, digits and `_ - . :`; by default made of
                the parent's ID, its execution and the number of the call. A child fails whose ID an
                active instance has.
            retry_policy: When it is started again after a failure; by default it never is.
            app_id: Dapr's argument for another app, which is refused: leave it out.
            result_type: The type that the result is read as; by default as in `call_activity`.

        Returns:
            A task that completes and fails as that of `call_activity` does; a child that was
            terminated fails it, too.

        Raises:
            PayloadError: If the input is not JSON, or not of the declared type.
            RegistrationError: If the function is an activity; else as in `call_activity`.
            InvalidRequest: If `app_id` is given, or the ID or the workflow cannot be used.
            WorkflowCodeError: If the workflow has ended or called `continue_as_new`.
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
        """Set a timer, which survives restarts.

        Args:
            fire_at: A duration from the time of the turn, or a time; a naive one is UTC. What has
                gone by fires at once.

        Returns:
            A task that completes then, with None.

        Raises:
            WorkflowCodeError: If it is neither of the two, or the workflow has ended.
        """
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
        """Wait for an event; one that came before is kept until somebody waits for it.

        Args:
            name: The name of the event; case does not count.
            timeout: A duration, or a time (a naive one is UTC), after which the task fails with
                `TimeoutError`. By default, and if the duration is negative, it waits for ever.
            data_type: The type that the event's data is read as; plain JSON by default.

        Returns:
            A task that completes with the data of the oldest such event, or fails with
            `PayloadError` if it does not fit `data_type`.

        Raises:
            InvalidRequest: If the name is no text.
            RegistrationError: If JSON cannot be read as `data_type`.
            WorkflowCodeError: If the timeout is neither of the two, or the workflow has ended.
        """
        name = check_text(name, "event's name")
        fire_at: int | None = None
        if timeout is not None and timeout != datetime.max:
            indefinite = isinstance(timeout, timedelta) and timeout < timedelta(0)
            fire_at = None if indefinite else self._when(timeout)
        return self._schedule.wait_for_event(name, PayloadType.of(data_type), fire_at)

    def send_event(self, instance_id: str, name: str, *, data: object = None) -> None:
        """Raise an event to another instance of the same component, without waiting for it.

        Args:
            instance_id: The ID of the receiver. If it does not exist or is closed, the event is
                dropped.
            name: The name of the event; case does not count.
            data: The value that the waiting code gets, written as JSON; None by default.

        Raises:
            InvalidRequest: If the ID or the name cannot be used.
            PayloadError: If the data is not JSON.
            WorkflowCodeError: If the workflow has ended or called `continue_as_new`.
        """
        check_instance_id(instance_id)
        text = None if data is None else encode(data, f"data of event '{name}'")
        self._schedule.send_event(instance_id, check_text(name, "event's name"), text)

    def continue_as_new(self, new_input: object, *, save_events: bool = False) -> Task[NoReturn]:
        """End this execution and begin again with a new input and an empty history.

        Return right after it, or wait for what it returns: it is decided, also if the code then
        waits for something else or fails. What was asked for and has not completed by then is given
        up; activities asked for in the same turn are not begun.

        Args:
            new_input: The input of the next execution, of the type that the workflow declares.
            save_events: Whether events that nobody has waited for are kept; False by default.

        Returns:
            A task that never completes: `return await ctx.continue_as_new(…)`.

        Raises:
            PayloadError: If the input is not JSON, or not of the declared type.
            WorkflowCodeError: If the workflow has ended or called it already.
        """
        definition = self._registry.workflows.get(self.workflow_name)
        what = f"new input of workflow '{self.workflow_name}'"
        text = encode_input(definition, new_input, what)
        return self._schedule.continue_as_new(text, save_events=save_events)

    def is_patched(self, patch_name: str) -> bool:
        """Say whether code behind a patch runs, so that code can change while instances run.

        Args:
            patch_name: A name for the change, which histories keep.

        Returns:
            True in new executions and those that have not come this far; False in an execution that
            had passed this place before the code was changed.

        Raises:
            InvalidRequest: If the name is no text.

        Example:
            `activity = message if ctx.is_patched("messages") else letter`
        """
        return self._schedule.is_patched(check_text(patch_name, "patch's name"))

    def _when(self, when: datetime | timedelta) -> int:
        if isinstance(when, timedelta):
            return min(self._schedule.now + max(when // _MICROSECOND, 0), NEVER)
        if isinstance(when, datetime):
            return to_microseconds(when)
        raise WorkflowCodeError(
            f"a time must be a datetime or a timedelta, not {type(when).__name__!r}: "
            "write timedelta(seconds=…)"
        )


def _refuse_app_id(app_id: str | None) -> None:
    if app_id is not None:
        raise InvalidRequest(
            f"app_id={app_id!r}: calls across apps are not supported. Leave app_id out."
        )
