"""Every error a caller can meet. One root; each says what happened, to what, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from flowyard.failure import FailureDetails


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known names resemble `name`, as the tail of an error message."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(repr(one) for one in close)}?"
    return f"Known: {', '.join(repr(one) for one in names)}." if names else "None is registered."


class FlowyardError(Exception):
    """The root of every error that Flowyard raises."""

    rules_out_retries: bool = False
    """Whether a task that raises it is not to be tried again."""


class InvalidRequest(FlowyardError):
    """An argument is not acceptable; nothing was changed."""


class PayloadError(InvalidRequest):
    """A value does not fit its declared type, is not JSON, or would be read as another value."""

    is_unfit = False
    """Whether it is JSON, but not of the declared type."""
    readable: str | None = None
    """The JSON text that would be read as another value of the declared type."""


class InvalidInstanceId(InvalidRequest):
    """An instance ID has characters that it may not have, or too many of them."""

    def __init__(
        self, instance_id: str, allowed: str = "letters, digits, '_', '-', '.' and ':'"
    ) -> None:
        shown = instance_id if len(instance_id) <= 64 else f"{instance_id[:64]}…"
        super().__init__(f"instance ID {shown!r} is not valid: use 1 to 255 of {allowed}")
        self.instance_id = instance_id


class InstanceNotFound(FlowyardError):
    """The component knows no instance of that ID."""

    def __init__(self, instance_id: str) -> None:
        # SDKs match on "no such instance exists" (docs/protocol.md §6).
        super().__init__(
            f"no such instance exists: '{instance_id}'. It was never started here, or was purged."
        )
        self.instance_id = instance_id


class InstanceAlreadyExists(FlowyardError):
    """The ID belongs to an instance that this start may not replace."""

    def __init__(self, instance_id: str, status: str) -> None:
        super().__init__(
            f"an instance with ID '{instance_id}' already exists and is {status}. "
            "Choose another ID, or wait until it has closed and allow the ID to be reused."
        )
        self.instance_id = instance_id
        self.status = status


class InstanceNotClosed(FlowyardError):
    """Only a closed instance can be purged or rerun."""

    def __init__(self, instance_id: str, status: str, wanted: str = "purged") -> None:
        super().__init__(
            f"instance '{instance_id}' is {status}: only a closed instance can be {wanted}. "
            "Terminate it or wait for it first."
        )
        self.instance_id = instance_id
        self.status = status


class EventNotFound(FlowyardError):
    """An instance was to be rerun from an event that it never had, or not in its last execution."""

    def __init__(self, instance_id: str, event_id: int) -> None:
        # The words that daprd has for it (docs/protocol.md §6).
        super().__init__(
            f"instance '{instance_id}' does not have history event with ID '{event_id}': "
            "only the call of an activity or of a child workflow, or a timer, has such an ID"
        )
        self.instance_id = instance_id


class UnsupportedOperation(FlowyardError):
    """The component's backend cannot do this; the message says why."""

    def __init__(self, component: str, operation: str, reason: str = "") -> None:
        why = f": {reason}" if reason else ""
        super().__init__(f"component '{component}' does not support {operation}{why}")
        self.component = component
        self.operation = operation
        self.reason = reason


class BackendUnavailable(FlowyardError):
    """The backend did not answer. The call may be repeated."""


class AccessDenied(FlowyardError):
    """The server wants an API token, and none or another one was sent."""


class ConfigurationError(FlowyardError):
    """components.yaml, or a plugin that it names, cannot be used as it stands."""


class ComponentNotFound(FlowyardError):
    """No configured component has that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no component is named '{name}'. {nearest(name, known)}")
        self.name = name


class WorkflowNotRegistered(FlowyardError):
    """The app has no workflow of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"workflow '{name}' is not registered. {nearest(name, known)} "
            "Register it with @app.workflow."
        )
        self.name = name


class ActivityNotRegistered(FlowyardError):
    """The app has no activity of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"activity '{name}' is not registered. {nearest(name, known)} "
            "Register it with @app.activity."
        )
        self.name = name


class RegistrationError(FlowyardError):
    """A function cannot be registered as it is."""


class WorkflowCodeError(FlowyardError):
    """Workflow code did what deterministic code must not; the message says what to do instead."""


class NonDeterminismError(WorkflowCodeError):
    """The code no longer does what the history says it did. The instance waits as STALLED."""


class NonRetryableError(FlowyardError):
    """Raise it (or a subclass) in an activity or a child workflow to rule out further attempts."""

    rules_out_retries = True


class TaskFailedError(FlowyardError):
    """An activity or a child workflow failed for good; `details` says how."""

    def __init__(self, message: str, details: FailureDetails) -> None:
        super().__init__(message)
        self.details = details
        self.rules_out_retries = details.non_retryable
