"""A component that works but for one thing, and the clauses of the suite that have to fail it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.filed import Folder, folder_type
from flowyard.backend import (
    Action,
    ActivityResult,
    ActivityTask,
    ComponentType,
    Executor,
    Host,
    LocalCode,
    Turn,
    TurnResult,
    WorkflowComponent,
)
from flowyard.config.plugins import component_type
from flowyard.testing.delegate import DelegatingComponent, in_front_of

ENGINE = component_type("workflow.engine")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A component type with one fault."""

    type: ComponentType[Any]
    caught_by: tuple[str, ...]
    """The names of tests that have to fail."""


def in_front(
    component: Callable[[str, WorkflowComponent], WorkflowComponent], *caught_by: str
) -> Mutant:
    """Return the built-in engine with this component in front of it."""
    return Mutant(in_front_of(ENGINE, "workflow.mutant", component), caught_by)


def run_by(executor: Callable[[Executor], Executor], *caught_by: str) -> Mutant:
    """Return the built-in engine with this executor in front of its own."""
    kind = in_front_of(ENGINE, "workflow.mutant", DelegatingComponent, executor=executor)
    return Mutant(kind, caught_by)


def stored_in(store: Callable[[Path], Folder], *caught_by: str) -> Mutant:
    """Return the folder of files with this store."""
    return Mutant(folder_type(store), caught_by)


def hosted_by(host: type[Host], *caught_by: str) -> Mutant:
    """Return the folder of files with this host."""
    return Mutant(folder_type(host=host), caught_by)


class DelegatingExecutor:
    """Passes every call on."""

    def __init__(self, inner: Executor) -> None:
        self.inner = inner

    def check_workflow(self, name: str) -> None:
        self.inner.check_workflow(name)

    def local_code(self, workflow: str) -> LocalCode | None:
        return self.inner.local_code(workflow)

    def run_turn(self, turn: Turn) -> TurnResult | Any:
        return self.inner.run_turn(turn)

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        return await self.inner.run_activity(task)

    def forget(self, instance_id: str) -> None:
        self.inner.forget(instance_id)


class ChangesActions(DelegatingExecutor):
    """Changes what the code decides: derive from it and change an action."""

    def run_turn(self, turn: Turn) -> TurnResult | Any:
        result = self.inner.run_turn(turn)
        assert isinstance(result, TurnResult)
        result.actions = [self.changed(turn, action) for action in result.actions]
        return result

    def changed(self, turn: Turn, action: Action) -> Action:
        return action
