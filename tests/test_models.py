"""The values that callers meet: IDs, statuses, results, failures."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from flowyard import (
    FailureDetails,
    InstanceQuery,
    InvalidRequest,
    NonRetryableError,
    PayloadError,
    TaskFailedError,
    WorkflowFailed,
    WorkflowState,
    WorkflowStatus,
)
from flowyard.backend.history import TaskFailed, decode_events, encode_events
from flowyard.models import check_instance_id

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Receipt(BaseModel):
    total: int


def state(status: WorkflowStatus, output: str | None = None) -> WorkflowState:
    failure = FailureDetails("ValueError", "no stock") if status is WorkflowStatus.FAILED else None
    return WorkflowState("order-7", "order", status, NOW, NOW, output=output, failure=failure)


@pytest.mark.parametrize("instance_id", ["a", "Z9_-.:", "x" * 255, "..", "7"])
def test_an_id_of_allowed_characters_is_taken(instance_id: str) -> None:
    assert check_instance_id(instance_id) == instance_id


@pytest.mark.parametrize("instance_id", ["", "a b", "ä", "a/b", "a\n", "x" * 256, "a\x00"])
def test_any_other_id_is_refused_and_shown_in_short(instance_id: str) -> None:
    with pytest.raises(InvalidRequest, match="is not valid: use 1 to 255") as refused:
        check_instance_id(instance_id)
    assert len(str(refused.value)) < 200


def test_four_statuses_are_closed() -> None:
    closed = {status.value for status in WorkflowStatus if status.is_closed}
    assert closed == {"COMPLETED", "FAILED", "CANCELED", "TERMINATED"}


def test_the_result_is_the_output_in_the_type_asked_for() -> None:
    done = state(WorkflowStatus.COMPLETED, '{"total": 3}')
    assert done.result(Receipt) == Receipt(total=3)
    assert done.result() == {"total": 3}
    assert state(WorkflowStatus.COMPLETED, "null").result() is None
    assert state(WorkflowStatus.COMPLETED).result() is None


def test_a_result_that_does_not_fit_names_the_field() -> None:
    with pytest.raises(PayloadError, match="output of instance 'order-7' does not fit: total: Fi"):
        state(WorkflowStatus.COMPLETED, "{}").result(Receipt)


@pytest.mark.parametrize("status", [it for it in WorkflowStatus if it != "COMPLETED"])
def test_only_a_completed_instance_has_a_result(status: WorkflowStatus) -> None:
    with pytest.raises(WorkflowFailed, match=f"has no result: it is {status}") as failed:
        state(status).result()
    assert failed.value.state.status is status
    assert ("ValueError: no stock" in str(failed.value)) is (status is WorkflowStatus.FAILED)


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_has_1_to_1000_instances(size: int) -> None:
    with pytest.raises(InvalidRequest, match="use 1 to 1000"):
        InstanceQuery(page_size=size)


def caught(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause  # noqa: TRY301 - it needs a traceback
    except BaseException as raised:  # noqa: BLE001 - any error may be asked for
        return raised


def test_a_failure_tells_type_message_stack_and_cause() -> None:
    failure = FailureDetails.of(caught(KeyError("cup"), caught(ValueError("no stock"))))
    assert (failure.error_type, failure.message) == ("KeyError", "'cup'")
    assert "raise error from cause" in (failure.stack_trace or "")
    assert failure.cause is not None
    assert failure.cause.message == "no stock"
    assert failure.cause.cause is None


def replace_error(*, suppress: bool) -> None:
    try:
        int("first")
    except ValueError as error:
        if suppress:
            raise KeyError("second") from None
        raise KeyError("second", type(error).__name__)  # noqa: B904 - for its context


def test_an_error_raised_while_handling_another_has_that_as_its_cause() -> None:
    with pytest.raises(KeyError) as raised:
        replace_error(suppress=False)
    failure = FailureDetails.of(raised.value)
    assert failure.cause is not None
    assert "'first'" in failure.cause.message


def test_a_cause_that_was_suppressed_is_not_told() -> None:
    with pytest.raises(KeyError) as raised:
        replace_error(suppress=True)
    failure = FailureDetails.of(raised.value)
    assert failure.cause is None
    assert "ValueError" not in (failure.stack_trace or "")


def test_the_failure_of_a_task_is_the_cause_of_its_error() -> None:
    details = FailureDetails("ValueError", "no stock")
    assert FailureDetails.of(TaskFailedError("activity failed", details)).cause == details


def test_only_errors_that_say_so_rule_out_retries() -> None:
    assert FailureDetails.of(NonRetryableError("no")).non_retryable
    assert not FailureDetails.of(ValueError("no")).non_retryable


def test_an_error_that_is_its_own_cause_is_told_in_the_end() -> None:
    error = ValueError("round")
    error.__cause__ = error
    failure: FailureDetails | None = FailureDetails.of(error)
    depth = 0
    while failure is not None:
        failure = failure.cause
        depth += 1
    assert depth == 11


def test_a_long_chain_of_causes_is_told_up_to_ten() -> None:
    error: BaseException | None = None
    for number in range(1200):
        error = caught(ValueError(number), error)
    assert error is not None
    encode_events([TaskFailed(1, FailureDetails.of(error))])


def test_an_error_whose_message_breaks_is_still_told() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    failure = FailureDetails.of(caught(Broken()))
    assert failure.error_type == "Broken"
    assert "RuntimeError" in failure.message


def test_a_message_that_is_not_unicode_can_be_stored() -> None:
    name = os.fsdecode(b"cup\xff.png")
    failure = FailureDetails.of(caught(FileNotFoundError(2, "No such file", name)))
    event = TaskFailed(1, failure)
    assert decode_events(encode_events([event])) == [event]
    assert "cup" in failure.message


@pytest.mark.parametrize("status", [WorkflowStatus.FAILED, "FAILED", ["FAILED"], {"FAILED"}])
def test_a_query_takes_a_status_as_it_is_written(status: Any) -> None:
    assert InstanceQuery(status=status).status == {WorkflowStatus.FAILED}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"status": "failed"}, "status must be a set of RUNNING"),
        ({"status": 3}, "status must be a set of RUNNING"),
        ({"workflow": state}, "workflow must be text, not 'function'"),
        ({"instance_id_prefix": 7}, "instance_id_prefix must be text"),
        ({"created_from": "2030-01-01"}, "created_from must be a datetime, not 'str'"),
        ({"page_size": "7"}, "page_size is '7'"),
    ],
)
def test_a_query_for_what_no_instance_can_have_is_refused(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        InstanceQuery(**wrong)


def test_an_id_is_text() -> None:
    with pytest.raises(InvalidRequest, match="an instance ID must be text, not 'UUID'"):
        check_instance_id(UUID(int=7))  # type: ignore[arg-type]


def test_a_custom_status_is_read_in_the_type_asked_for() -> None:
    def of(text: str | None) -> WorkflowState:
        return WorkflowState("i", "w", WorkflowStatus.RUNNING, NOW, NOW, custom_status=text)

    assert of('{"total": 3}').read_custom_status(Receipt) == Receipt(total=3)
    assert of('{"total": 3}').read_custom_status() == {"total": 3}
    assert of("half way").read_custom_status() == "half way"
    assert of("5").read_custom_status(str) == "5"
    assert of("5").read_custom_status(int) == 5
    assert of(None).read_custom_status(int) is None
    with pytest.raises(PayloadError, match="custom status of instance 'i'"):
        of("half way").read_custom_status(Receipt)


def test_a_failure_names_the_classes_that_its_error_derives_from() -> None:
    assert FailureDetails.of(ConnectionResetError()).base_types == ("ConnectionError", "OSError")


def test_a_failure_shows_its_causes_first() -> None:
    failure = FailureDetails("A", "a", "stack of a\n", FailureDetails("B", "b"))
    assert failure.trace == "B: b\n\nwhich caused:\n\nstack of a"


@pytest.mark.parametrize("is_final", [True, False])
def test_who_passes_a_failure_on_rules_out_retries_as_it_does(is_final: bool) -> None:
    details = FailureDetails("Declined", "no", non_retryable=is_final)
    assert FailureDetails.of(TaskFailedError("no", details)).non_retryable is is_final
