"""What Conductor's refusals mean, in one place."""

from __future__ import annotations

from flowyard.errors import BackendUnavailable, ConfigurationError, FlowyardError
from flowyard_conductor.sdk import ApiException

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
        return BackendUnavailable(f"{where} has had too many requests: {message}. Try again later.")
    if status in _OVERLOADED:
        return BackendUnavailable(f"{where} did not answer ({status}): {message}")
    return Rejected(f"{where} refuses the request ({status}): {message}", status)
