"""How much Temporal takes: what is larger fails where it came from, and is not tried for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from temporalio.common import RawValue

from flowyard.backend import (
    Action,
    ActivityResult,
    ChildCreated,
    ContinuedAsNew,
    EventSent,
    ExecutionCompleted,
    FailureDetails,
    TaskScheduled,
    TurnResult,
    WorkflowStatus,
)

# What a payload takes besides its text, and what else is in a list of arguments.
_WRAPPING = 2048
_BYTES_PER_CHARACTER = 4
# What the server takes in one message, but for what else is in it.
_MESSAGE = 4 * 1024 * 1024 - 64 * 1024
_WITH_INPUT = (TaskScheduled, ChildCreated, EventSent)
# How much of a message is told that is too long.
_SHOWN = 500
_UNKNOWN_LIMIT = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a namespace, in bytes."""

    value: int

    @staticmethod
    def of(blob_size_limit_error: int) -> Limits:
        """Return the limits that a namespace tells; an old server tells none."""
        return Limits((blob_size_limit_error or _UNKNOWN_LIMIT) - _WRAPPING)

    def refusal(self, text: str | None, what: str) -> FailureDetails | None:
        """Return why a value cannot be stored, None if it can."""
        if text is None or len(text) * _BYTES_PER_CHARACTER <= self.value:
            return None
        size = len(text.encode())
        if size <= self.value:
            return None
        return FailureDetails(
            "PayloadTooLarge",
            f"the {what} has {size} bytes, and Temporal stores at most {self.value} in one value "
            "(limit.blobSize.error of its namespace). Store it elsewhere, and pass a reference.",
            non_retryable=True,
        )

    def call_refusal(self, action: TaskScheduled | ChildCreated) -> FailureDetails | None:
        """Return why something cannot be called, None if it can."""
        if action.refused is not None:
            return action.refused
        kind = "activity" if isinstance(action, TaskScheduled) else "child workflow"
        return self.refusal(action.input, f"input of {kind} '{action.name}'")

    def activity_result(self, name: str, result: ActivityResult) -> ActivityResult:
        """Return the result, or the failure that it is too large."""
        refusal = self.refusal(result.output, f"result of activity '{name}'")
        return result if refusal is None else ActivityResult(failure=refusal)

    def turn_result(self, result: TurnResult) -> TurnResult:
        """Return the result, or that of a workflow which fails as it wants to keep too much."""
        refusal = self.refusal(result.custom_status, "custom status")
        for action in result.actions:
            refusal = refusal or self._refusal_of(action)
        refusal = refusal or _message_refusal(result.actions)
        return result if refusal is None else _failed(refusal)

    def recorded(self, result: TurnResult, data: bytes) -> TurnResult:
        """Return the result of a worker's turn, or a failure if all of it together is too large."""
        if len(data) <= self.value:
            return result
        return _failed(_too_much(len(data), self.value))

    def carried_refusal(self, arguments: Sequence[RawValue]) -> FailureDetails | None:
        """Return why an execution cannot begin anew with these arguments, None if it can."""
        size = sum(len(argument.payload.data) for argument in arguments)
        if size <= self.value:
            return None
        return FailureDetails(
            "PayloadTooLarge",
            f"the new input of the workflow and the events that it keeps have {size} bytes, and "
            f"Temporal stores at most {self.value} at a time. Take more events before "
            "continue_as_new, or pass references to their data.",
            non_retryable=True,
        )

    def _refusal_of(self, action: Action) -> FailureDetails | None:
        if isinstance(action, ExecutionCompleted):
            return self.refusal(action.output, "result of the workflow") or self._failure_refusal(
                action.failure
            )
        if isinstance(action, ContinuedAsNew):
            return self.refusal(action.input, "new input of the workflow")
        if isinstance(action, EventSent):
            return self.refusal(action.input, f"data of event '{action.name}'")
        return None

    def _failure_refusal(self, failure: FailureDetails | None) -> FailureDetails | None:
        # Temporal has the message three times: as such, in the details, and in the stack.
        size = len(msgspec.json.encode(failure)) * 3
        if size <= self.value:
            return None
        return FailureDetails(
            "PayloadTooLarge",
            f"the failure of the workflow has {size} bytes as Temporal stores it, and may have "
            f"{self.value}. It begins: {failure.message[:_SHOWN] if failure is not None else ''}",
            non_retryable=True,
        )


def _message_refusal(actions: Sequence[Action]) -> FailureDetails | None:
    """Return why a turn cannot be told, None if it can: the server ends who tells too much."""
    texts = [action.input for action in actions if isinstance(action, _WITH_INPUT) and action.input]
    if sum(map(len, texts)) * _BYTES_PER_CHARACTER <= _MESSAGE:
        return None
    size = sum(len(text.encode()) + _WRAPPING for text in texts)
    return _too_much(size, _MESSAGE) if size > _MESSAGE else None


def _too_much(size: int, most: int) -> FailureDetails:
    return FailureDetails(
        "PayloadTooLarge",
        f"the inputs of one turn of the workflow have {size} bytes, and Temporal takes at most "
        f"{most} at a time. Pass less, or spread the calls over several turns.",
        non_retryable=True,
    )


def _failed(refusal: FailureDetails) -> TurnResult:
    return TurnResult([ExecutionCompleted(WorkflowStatus.FAILED, failure=refusal)])
