"""The app: where a program registers its workflows and activities."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, overload

from flowyard.errors import RegistrationError
from flowyard.workflow.definition import Definition, define
from flowyard.workflow.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])


class App:
    """The workflows and activities of a program.

    `max_activity_threads` bounds how many activities written as plain `def` run at once.
    `strict_results` fails a workflow or an activity whose result does not fit its annotation,
    which otherwise is accepted with a warning: the work is done. `unknown_activities` says what
    becomes of a call of an activity that the app has not: it waits until a process has it, or
    fails at once.
    """

    def __init__(
        self,
        *,
        max_activity_threads: int = 32,
        strict_results: bool = False,
        unknown_activities: Literal["wait", "fail"] = "wait",
    ) -> None:
        self.registry = Registry()
        self.max_activity_threads = max_activity_threads
        self.strict_results = strict_results
        self.unknown_activities = unknown_activities

    @overload
    def workflow(self, function: F) -> F: ...
    @overload
    def workflow(self, *, name: str | None = None) -> Callable[[F], F]: ...
    def workflow(
        self, function: F | None = None, *, name: str | None = None
    ) -> F | Callable[[F], F]:
        """Register a workflow: `async def`, a generator that yields tasks, or a plain function."""
        namespace = _namespace()

        def register(function: F) -> F:
            strict = self.strict_results
            definition = define(function, name=name, namespace=namespace, strict_result=strict)
            self.registry.add_workflow(definition)
            return function

        return register if function is None else register(function)

    def versioned_workflow(
        self, *, name: str, version_name: str | None = None, is_latest: bool
    ) -> Callable[[F], F]:
        """Register one version of a workflow: new instances run the latest, others stay in theirs.

        `version_name` is the function's name unless given.
        """
        namespace = _namespace()

        def register(function: F) -> F:
            version = version_name or getattr(function, "__name__", None)
            if version is None:
                raise RegistrationError(
                    f"{function!r} has no name of its own: register it with version_name=…"
                )
            definition = define(
                function,
                name=name,
                namespace=namespace,
                version=version,
                strict_result=self.strict_results,
            )
            self.registry.add_workflow(definition, is_latest=is_latest)
            return function

        return register

    @overload
    def activity(self, function: F) -> F: ...
    @overload
    def activity(self, *, name: str | None = None) -> Callable[[F], F]: ...
    def activity(
        self, function: F | None = None, *, name: str | None = None
    ) -> F | Callable[[F], F]:
        """Register an activity: `async def`, or a plain `def` that runs in a thread."""
        namespace = _namespace()

        def register(function: F) -> F:
            self.registry.add_activity(self._define_activity(function, name, namespace))
            return function

        return register if function is None else register(function)

    def with_activities(self, activities: Mapping[str, Callable[..., Any]]) -> App:
        """Return a copy of the app with some activities replaced by name, for tests."""
        namespace = _namespace()
        copy = App(
            max_activity_threads=self.max_activity_threads,
            strict_results=self.strict_results,
            unknown_activities=self.unknown_activities,
        )
        copy.registry = self.registry.copy()
        for name, function in activities.items():
            copy.registry.replace_activity(self._define_activity(function, name, namespace))
        return copy

    def _define_activity(
        self, function: Callable[..., Any], name: str | None, namespace: Mapping[str, Any]
    ) -> Definition:
        return define(
            function,
            name=name,
            namespace=namespace,
            is_activity=True,
            strict_result=self.strict_results,
        )


def _namespace() -> Mapping[str, Any]:
    """The names visible where the decorator stands: classes local to a function live there."""
    return sys._getframe(2).f_locals  # noqa: SLF001 - the only way to see them
