"""Why a task or an instance failed, as a value that can be stored and passed on."""

from __future__ import annotations

import traceback
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailureDetails:
    """Why a task or an instance failed, as a value that can be stored and passed on.

    Attributes:
        error_type: The name of the error's class, without its module.
        message: The text of the error.
        stack_trace: Its traceback, as Python prints it, without those of its causes; None by
            default, and where a worker of another language gives none.
        cause: The cause of the error, such as the failure of an activity that a workflow did not
            catch; None by default.
        non_retryable: Whether the error rules out further attempts; False by default.
        base_types: The names of the classes that the error's class derives from, the nearest first,
            without `Exception`, `BaseException` and `object`; empty by default.
    """

    error_type: str
    message: str
    stack_trace: str | None = None
    cause: FailureDetails | None = None
    non_retryable: bool = False
    base_types: tuple[str, ...] = ()

    @property
    def trace(self) -> str:
        """The stacks of the error and its causes, the root first, as Python shows them."""
        own = (self.stack_trace or f"{self.error_type}: {self.message}").rstrip("\n")
        if self.cause is None:
            return own
        return f"{self.cause.trace}\n\nwhich caused:\n\n{own}"

    @staticmethod
    def of(error: BaseException, *, causes: int = 10) -> FailureDetails:
        """Describe an exception with its stack and its chain of causes.

        Args:
            error: The exception; the cause of a `TaskFailedError` is what has failed.
            causes: The largest number of causes that are described; 10 by default.

        Returns:
            The description, whose texts can be stored as JSON.
        """
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        # A TaskFailedError carries what failed elsewhere; that is the more telling cause.
        inner = getattr(error, "details", None)
        if not isinstance(inner, FailureDetails):
            inner = None
            if cause is not None and causes > 0:
                inner = FailureDetails.of(cause, causes=causes - 1)
        return FailureDetails(
            error_type=type(error).__name__,
            message=_text_of(error),
            stack_trace=_storable("".join(traceback.format_exception(error, chain=False))),
            cause=inner,
            non_retryable=getattr(error, "rules_out_retries", False) is True,
            base_types=tuple(
                base.__name__ for base in type(error).__mro__[1:] if base not in _ROOTS
            ),
        )


_ROOTS = frozenset({Exception, BaseException, object})


def _text_of(error: BaseException) -> str:
    try:
        return _storable(str(error))
    except Exception as fault:  # noqa: BLE001 - an error that cannot be told is still an error
        return f"(its message cannot be shown: {type(fault).__name__})"


def _storable(text: str) -> str:
    # File names that are not UTF-8 reach messages as lone surrogates, which JSON cannot hold.
    return text.encode("utf-8", "backslashreplace").decode()
