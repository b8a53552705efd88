"""Refusals: unknown instances, closed instances, and what the component does not declare."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from flowyard.backend.component import Capability
from flowyard.errors import (
    InstanceNotClosed,
    InstanceNotFound,
    InvalidRequest,
    UnsupportedOperation,
)
from flowyard.models import InstanceQuery, WorkflowStatus
from flowyard.testing.conformance.starting import INVALID_IDS
from flowyard.testing.conformance.subject import ACTIVE, Subject, requires

Verb = Callable[[Subject, str], Awaitable[object]]

REQUIRED: dict[str, Verb] = {
    "get": lambda subject, id_: subject.runtime.get(id_),
    "raise_event": lambda subject, id_: subject.runtime.raise_event(id_, "go", 1),
    "terminate": lambda subject, id_: subject.runtime.terminate(id_),
}
OPTIONAL: dict[str, tuple[Capability, Verb]] = {
    "pause": (Capability.PAUSE, lambda subject, id_: subject.runtime.pause(id_)),
    "resume": (Capability.PAUSE, lambda subject, id_: subject.runtime.resume(id_)),
    "purge": (Capability.PURGE, lambda subject, id_: subject.runtime.purge(id_)),
    "history": (Capability.HISTORY, lambda subject, id_: subject.runtime.history(id_)),
    "rerun": (Capability.RERUN, lambda subject, id_: subject.runtime.rerun(id_, 1)),
}
_VERBS = [
    *(pytest.param(verb, id=name) for name, verb in REQUIRED.items()),
    *(
        pytest.param(verb, id=name, marks=requires(capability))
        for name, (capability, verb) in OPTIONAL.items()
    ),
]


class Refusing:
    """A verb does what it says, or says that it did not."""

    @pytest.mark.parametrize("verb", _VERBS)
    async def test_an_unknown_instance_is_not_found_by_any_verb(
        self, subject: Subject, verb: Verb
    ) -> None:
        unknown = subject.new_id()
        with pytest.raises(InstanceNotFound, match=f"no such instance exists.*{unknown}"):
            await verb(subject, unknown)

    @pytest.mark.parametrize("verb", _VERBS)
    async def test_an_invalid_id_is_refused_or_not_found_by_any_verb(
        self, subject: Subject, verb: Verb
    ) -> None:
        for instance_id in INVALID_IDS:
            with pytest.raises((InvalidRequest, InstanceNotFound)):
                await verb(subject, instance_id)

    async def test_an_id_is_taken_literally_by_every_verb(self, subject: Subject) -> None:
        unique = subject.new_id()
        instance_id = await subject.start("waiter", instance_id=f"{unique}-x")
        for pattern in (f"{unique}-*", f"{unique}-%", f"{unique}_x", f"{unique}-X"):
            for verb in REQUIRED.values():
                with pytest.raises((InvalidRequest, InstanceNotFound)):
                    await verb(subject, pattern)
        await subject.runtime.raise_event(instance_id, "go", "unharmed")
        assert (await subject.finish(instance_id)).result() == "unharmed"

    @pytest.mark.parametrize("end", ["completed", "failed", "terminated"])
    async def test_a_closed_instance_is_changed_by_no_verb(
        self, subject: Subject, end: str
    ) -> None:
        if end == "terminated":
            instance_id = await subject.start("waiter")
            await subject.runtime.terminate(instance_id)
        else:
            instance_id = await subject.start("echo" if end == "completed" else "failing", "x")
        before = await subject.finish(instance_id)
        assert await subject.runtime.raise_event(instance_id, "go", 1) is False
        assert await subject.runtime.terminate(instance_id, recursive=True) is False
        if Capability.TERMINATE_OUTPUT in subject.capabilities:
            assert await subject.runtime.terminate(instance_id, output="other") is False
        if Capability.PAUSE in subject.capabilities:
            assert await subject.runtime.pause(instance_id) is False
            assert await subject.runtime.resume(instance_id) is False
        assert await subject.runtime.get(instance_id) == before
        assert before.status is WorkflowStatus(end.upper())

    @pytest.mark.parametrize("operation", [*OPTIONAL, "list"])
    async def test_an_operation_is_refused_by_name_exactly_where_it_is_not_declared(
        self, subject: Subject, operation: str
    ) -> None:
        capability, verb = OPTIONAL.get(operation, (Capability.LIST, _list))
        instance_id = await subject.start("waiter")
        refusal = await _refusal(verb(subject, instance_id))
        assert (refusal is None) is (capability in subject.capabilities)
        if refusal is not None:
            assert refusal.component == subject.component.name
            assert refusal.operation == operation
            assert (await subject.runtime.get(instance_id)).status in ACTIVE

    async def test_a_start_time_is_refused_exactly_where_it_is_not_declared(
        self, subject: Subject
    ) -> None:
        instance_id = subject.new_id()
        start_at = datetime.now(UTC) + timedelta(hours=1)
        refusal = await _refusal(
            subject.start("waiter", instance_id=instance_id, start_at=start_at)
        )
        assert (refusal is None) is (Capability.START_AT in subject.capabilities)
        if refusal is not None:
            assert refusal.component == subject.component.name
            assert "start" in refusal.operation
            with pytest.raises(InstanceNotFound):
                await subject.runtime.get(instance_id)

    async def test_an_output_of_a_termination_is_refused_exactly_where_it_is_not_declared(
        self, subject: Subject
    ) -> None:
        instance_id = await subject.start("waiter")
        refusal = await _refusal(subject.runtime.terminate(instance_id, output="given"))
        assert (refusal is None) is (Capability.TERMINATE_OUTPUT in subject.capabilities)
        if refusal is not None:
            assert refusal.component == subject.component.name
            assert "terminate" in refusal.operation
            assert (await subject.runtime.get(instance_id)).status in ACTIVE


async def _refusal(operation: Awaitable[object]) -> UnsupportedOperation | None:
    try:
        await operation
    except UnsupportedOperation as error:
        return error
    except InstanceNotClosed:
        # A purge or a rerun that is offered has looked at the instance.
        return None
    return None


async def _list(subject: Subject, _instance_id: str) -> object:
    return await subject.runtime.list(InstanceQuery())
