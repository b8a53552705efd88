"""What Conductor's refusals mean, in one place."""

from __future__ import annotations

from flowyard.backend import (
    BackendUnavailable,
    ConfigurationError,
    FlowyardError,
    WorkflowNotRegistered,
)
from flowyard_conductor.api.sdk import ApiException

_DENIED = frozenset({401, 403})
_TOO_MANY = 429
_OVERLOADED = frozenset({502, 503, 504})


class Rejected(FlowyardError):
    """An answer whose meaning depends on what was asked; `status` says which answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_not_found(self) -> bool:
        """True if there is no such thing."""
        return self.status == 404

    @property
    def is_fault(self) -> bool:
        """True if the server has failed, whatever was asked."""
        return self.status >= 500


class DefinitionNotFound(WorkflowNotRegistered):
    """The server has no definition of that name, or not in that version."""

    def __init__(self, where: str, definition: str, version: int | None = None) -> None:
        which = f"version {version} of a definition" if version is not None else "definition"
        FlowyardError.__init__(
            self,
            f"{where} has no {which} '{definition}'. Register it there, or correct the name"
            f"{' or the version' if version is not None else ''}.",
        )
        self.name = definition


class WorkflowUnknown(WorkflowNotRegistered):
    """The server has no definition of that name, and no app of ours has such a workflow."""

    def __init__(self, where: str, task_queue: str, workflow: str) -> None:
        FlowyardError.__init__(
            self,
            f"{where} has no definition '{workflow}', and no app has ever run a workflow of that "
            f"name on task queue '{task_queue}'. Correct the name or the key 'taskQueue', or start "
            "the app first.",
        )
        self.name = workflow


def error_of(error: ApiException, where: str) -> FlowyardError:
    """Return what a failed call means to a caller; `where` names component and server."""
    status = int(error.status or 0)
    message = str(error.message or error.reason or "no reason given")
    if status in _DENIED:
        return ConfigurationError(
            f"{where} refuses access: {message}. Check keyId, keySecret and what they are "
            "allowed to do."
        )
    if status == 0:
        return BackendUnavailable(f"{where} did not answer: {message}")
    if status == _TOO_MANY:
        return BackendUnavailable(
            f"{where} has received too many requests: {message}. Try again later."
        )
    if status in _OVERLOADED:
        return BackendUnavailable(f"{where} did not answer ({status}): {message}")
    return Rejected(f"{where} refuses the request ({status}): {message}", status)
