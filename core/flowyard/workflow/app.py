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

    Args:
        max_activity_threads: The largest number of activities written as plain `def` that run at
            once for each component; 32 by default. Others wait for a thread.
        strict_results: Whether a workflow or an activity fails whose result does not fit its
            annotation. By default it is accepted with a warning: the work is done.
        unknown_activities: Whether a call of an activity that the app does not have waits until a
            process has it (`wait`, the default) or fails at once (`fail`).

    Example:
        ```python
        app = App()

        @app.activity
        def price_of(ctx: ActivityContext, item: str) -> int:
            return len(item)

        @app.workflow
        async def order(ctx: WorkflowContext, item: str) -> int:
            return await ctx.call_activity(price_of, input=item)
        ```
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
        """Register a workflow: `async def`, a generator that yields tasks, or a plain function.

        It takes a `WorkflowContext` and at most one input. Annotations say of which types the input
        and the result are. Use it as a decorator, with or without arguments, or call it.

        Args:
            function: The workflow; None where the decorator has arguments.
            name: The name by which it is started; the function's own name by default.

        Returns:
            The function as it was, or the decorator.

        Raises:
            RegistrationError: If the signature or an annotation cannot be used, or another function
                is registered by the name.
        """
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

        Args:
            name: The name by which the workflow is started, the same for all of its versions.
            version_name: The name of this version in histories, which must therefore not change; by
                default the function's own name.
            is_latest: Whether new instances run this version.

        Returns:
            The decorator, which returns the function as it was.

        Raises:
            RegistrationError: If the function cannot be registered, the version is registered
                already, or another one is the latest.

        Example:
            ```python
            @app.versioned_workflow(name="order", version_name="v1", is_latest=False)
            async def order_v1(ctx: WorkflowContext, item: str) -> str: ...

            @app.versioned_workflow(name="order", version_name="v2", is_latest=True)
            async def order_v2(ctx: WorkflowContext, item: str) -> str: ...
            ```
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
        """Register an activity: `async def`, or a plain `def` that runs in a thread.

        It takes an `ActivityContext` and at most one input. Use it as a decorator, with or without
        arguments, or call it.

        Args:
            function: The activity; None where the decorator has arguments.
            name: The name by which it is called and recorded; the function's own name by default.

        Returns:
            The function as it was, or the decorator.

        Raises:
            RegistrationError: If the signature or an annotation cannot be used, or another function
                is registered by the name.
        """
        namespace = _namespace()

        def register(function: F) -> F:
            self.registry.add_activity(self._define_activity(function, name, namespace))
            return function

        return register if function is None else register(function)

    def with_activities(self, activities: Mapping[str, Callable[..., Any]]) -> App:
        """Return a copy of the app in which some activities are replaced, for tests.

        Args:
            activities: The functions that replace registered activities, by the names of these.

        Returns:
            An app of its own; this one stays as it is.

        Raises:
            RegistrationError: If no activity of a name is registered, or the function that
                replaces it cannot be registered.
        """
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
