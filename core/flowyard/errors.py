"""Every error a caller can meet. One root; each says what happened, to what, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from flowyard.failure import FailureDetails


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known names resemble `name`, as the tail of an error message."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(repr(name) for name in close)}?"
    return f"Known: {', '.join(repr(name) for name in names)}." if names else "None is registered."


class FlowyardError(Exception):
    """The root of every error that Flowyard raises.

    It is raised itself where no other error fits, as by a `Runtime` that is called from another
    event loop, or by a `Client` whose server has had an internal error.

    Attributes:
        rules_out_retries: Whether a task that raises it is not to be tried again; False by default.
    """

    rules_out_retries: bool = False


class InvalidRequest(FlowyardError):
    """An argument is not acceptable; nothing was changed."""


class PayloadError(InvalidRequest):
    """A value does not fit its declared type, is not JSON, or would be read as another value.

    Attributes:
        is_unfit: Whether it is JSON, but not of the declared type.
        readable: The JSON text that would be read as another value of the declared type; None
            where that is not what is wrong.
    """

    is_unfit = False
    readable: str | None = None


class InvalidInstanceId(InvalidRequest):
    """An instance ID has characters that it may not have, or too many of them, or none.

    Args:
        allowed: The characters that an ID may have, in words, for the message.

    Attributes:
        instance_id: The ID that was refused, in full; the message shows 64 characters at most.
    """

    def __init__(
        self, instance_id: str, allowed: str = "letters, digits, '_', '-', '.' and ':'"
    ) -> None:
        shown = instance_id if len(instance_id) <= 64 else f"{instance_id[:64]}…"
        super().__init__(f"instance ID {shown!r} is not valid: use 1 to 255 of {allowed}")
        self.instance_id = instance_id


class InstanceNotFound(FlowyardError):
    """The component knows no instance of that ID: it was never started there, or was purged.

    Attributes:
        instance_id: The ID that was asked for.
    """

    def __init__(self, instance_id: str) -> None:
        # SDKs match on "no such instance exists" (docs/protocol.md §6).
        super().__init__(
            f"no such instance exists: '{instance_id}'. It was never started here, or was purged."
        )
        self.instance_id = instance_id


class InstanceAlreadyExists(FlowyardError):
    """The ID belongs to an instance that this start may not replace.

    An active instance is never replaced; a closed one is unless `ReusePolicy.REJECT` was given.

    Attributes:
        instance_id: The ID that is taken.
        status: The `WorkflowStatus` of the instance that has it, as text.
    """

    def __init__(self, instance_id: str, status: str) -> None:
        super().__init__(
            f"an instance with ID '{instance_id}' already exists and is {status}. "
            "Choose another ID, or wait until it has closed and allow the ID to be reused."
        )
        self.instance_id = instance_id
        self.status = status


class InstanceNotClosed(FlowyardError):
    """Only a closed instance can be purged or rerun.

    Args:
        wanted: The participle of the verb that was refused, for the message; `purged` by default.

    Attributes:
        instance_id: The ID of the instance that is still active. In a recursive purge it may be
            that of a child.
        status: Its `WorkflowStatus`, as text.
    """

    def __init__(self, instance_id: str, status: str, wanted: str = "purged") -> None:
        super().__init__(
            f"instance '{instance_id}' is {status}: only a closed instance can be {wanted}. "
            "Terminate it or wait for it first."
        )
        self.instance_id = instance_id
        self.status = status


class EventNotFound(FlowyardError):
    """An instance was to be rerun from an event that it never had, or not in its last execution.

    Args:
        event_id: The ID of the event that was asked for. Only the call of an activity or of a child
            workflow, and a timer, have one.

    Attributes:
        instance_id: The ID of the instance that was to be rerun.
    """

    def __init__(self, instance_id: str, event_id: int) -> None:
        # The words that daprd has for it (docs/protocol.md §6).
        super().__init__(
            f"instance '{instance_id}' does not have history event with ID '{event_id}': "
            "only the call of an activity or of a child workflow, or a timer, has such an ID"
        )
        self.instance_id = instance_id


class UnsupportedOperation(FlowyardError):
    """The component's backend cannot do this. Asking again changes nothing.

    `Runtime.capabilities` tells beforehand what a component can do.

    Attributes:
        component: The name of the component.
        operation: The operation that was refused, in words, such as `purge`.
        reason: The reason, or what to do instead; empty by default.
    """

    def __init__(self, component: str, operation: str, reason: str = "") -> None:
        why = f": {reason}" if reason else ""
        super().__init__(f"component '{component}' does not support {operation}{why}")
        self.component = component
        self.operation = operation
        self.reason = reason


class BackendUnavailable(FlowyardError):
    """The backend did not answer. The call may be repeated."""


class AccessDenied(FlowyardError):
    """The API token of the caller is missing or wrong, or a Configuration denies what it wants."""


class ConfigurationError(FlowyardError):
    """components.yaml, an option or a plugin cannot be used as it stands.

    The message names the file, the component and the key where there are such.
    """


class ComponentTypeNotInstalled(ConfigurationError):
    """No installed distribution offers the type of a component."""


class ComponentNotFound(FlowyardError):
    """No configured component has that name.

    Args:
        known: The names of the components that there are, from which the message suggests some.

    Attributes:
        name: The name that was asked for.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no component is named '{name}'. {nearest(name, known)}")
        self.name = name


class TopicForbidden(FlowyardError):
    """The configuration of a broker keeps a topic from an application; nothing was published.

    Attributes:
        topic: The name of the topic.
        app_id: The ID of the application.
    """

    def __init__(self, topic: str, app_id: str) -> None:
        # As Dapr says it (docs/protocol.md §16).
        super().__init__(f"topic {topic} is not allowed for app id {app_id}")
        self.topic = topic
        self.app_id = app_id


class EtagMismatch(FlowyardError):
    """Another version of the value is there than the caller wrote of; nothing was changed.

    Attributes:
        key: The key of the value.
    """

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the value of '{key}' has changed, or is there already. Read it and try again."
        )
        self.key = key


class InvalidEtag(InvalidRequest):
    """The ETag cannot be one of this store's; nothing was changed.

    Attributes:
        key: The key of the value.
    """

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the ETag for '{key}' is none of this store's. Send one that it has given."
        )
        self.key = key


class SecretNotFound(FlowyardError):
    """The secret store has no secret of that name.

    Attributes:
        name: The name that was asked for.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"secret {name} not found")
        self.name = name


class BindingFailed(FlowyardError):
    """What a binding speaks to has answered that the call failed.

    Args:
        message: What it said.

    Attributes:
        metadata: What it told besides, by keys; nothing by default.
    """

    def __init__(self, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.metadata = dict(metadata or {})


class InvocationFailed(FlowyardError):
    """A method of an application could not be called, or has answered with an error.

    Args:
        target: The application, the HTTPEndpoint or the URL that was called.
        reason: What went wrong.
        status: The HTTP status that was answered; None, the default, if nothing was.
        data: The body of the answer; empty by default.

    Attributes:
        status: The HTTP status that was answered; None if nothing was.
        data: The body of the answer.
    """

    def __init__(
        self, target: str, reason: str, status: int | None = None, data: bytes = b""
    ) -> None:
        super().__init__(f"failed to invoke, id: {target}, err: {reason}")
        self.status = status
        self.data = data


class WorkflowNotRegistered(FlowyardError):
    """The app has no workflow of that name.

    Args:
        known: The names of its workflows, from which the message suggests some.

    Attributes:
        name: The name that was asked for.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"workflow '{name}' is not registered. {nearest(name, known)} "
            "Register it with @app.workflow."
        )
        self.name = name


class ActivityNotRegistered(FlowyardError):
    """The app has no activity of that name, and `App(unknown_activities="fail")` was given.

    An activity fails of it; `FailureDetails.error_type` is then `ActivityNotRegistered`.

    Args:
        known: The names of its activities, from which the message suggests some.

    Attributes:
        name: The name that was asked for.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"activity '{name}' is not registered. {nearest(name, known)} "
            "Register it with @app.activity."
        )
        self.name = name


class RegistrationError(FlowyardError):
    """A function cannot be registered as it is, or is called as what it is not registered as."""


class WorkflowCodeError(FlowyardError):
    """Workflow code did what deterministic code must not; the message says what to do instead."""


class NonDeterminismError(WorkflowCodeError):
    """The code no longer does what the history says it did. The instance waits as STALLED."""


class NonRetryableError(FlowyardError):
    """Raise it (or a subclass) in an activity or a child workflow to rule out further attempts.

    Example:
        ```python
        @app.activity
        def ship(ctx: ActivityContext, address: str) -> None:
            if not address:
                raise NonRetryableError("no such address")
        ```
    """

    rules_out_retries = True


class TaskFailedError(FlowyardError):
    """An activity or a child workflow failed for good: no further attempt follows.

    It is raised where the task is awaited. A workflow that does not catch it fails.

    Args:
        message: The name of the task, the number of its attempts, and the last error.

    Attributes:
        details: The failure of the last attempt, with its type, message and stack.
        rules_out_retries: Whether `details` says that a retry is useless, which then holds for the
            workflow that passes the error on, too.
    """

    def __init__(self, message: str, details: FailureDetails) -> None:
        super().__init__(message)
        self.details = details
        self.rules_out_retries = details.non_retryable
