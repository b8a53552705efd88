"""Registered functions: their names, their payload types, their versions."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.errors import RegistrationError, nearest
from flowyard.payload import UNTYPED, JsonText, PayloadType, encode

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """A registered workflow or activity."""

    name: str
    function: Function
    takes_input: bool
    input: PayloadType
    output: PayloadType
    is_async: bool
    version: str | None = None
    has_default: bool = False
    """Whether the input may be left out."""

    def arguments(self, context: object, text: str | None, what: str) -> tuple[object, ...]:
        """Return what to call the function with, or raise `PayloadError`."""
        if not self.takes_input or (not text and self.has_default):
            return (context,)
        return context, self.input.decode(text, what)


class Registry:
    """The functions of an app. Workflows of one name may have several versions."""

    def __init__(self) -> None:
        self.activities: dict[str, Definition] = {}
        self.workflows: dict[str, Definition] = {}
        """By name; of a versioned workflow, the latest."""
        self._versions: dict[tuple[str, str], Definition] = {}
        self._names: dict[Function, str] = {}

    def add_activity(self, definition: Definition) -> None:
        """Register an activity; a second one of the same name is refused."""
        if definition.name in self.activities:
            raise RegistrationError(f"activity '{definition.name}' is registered twice")
        self.activities[definition.name] = definition
        self._names[definition.function] = definition.name

    def add_workflow(self, definition: Definition, *, is_latest: bool = True) -> None:
        """Register a workflow or one version of it."""
        name, version = definition.name, definition.version
        known = self.workflows.get(name)
        if version is not None:
            if (name, version) in self._versions:
                raise RegistrationError(
                    f"version '{version}' of workflow '{name}' is registered twice"
                )
            self._versions[name, version] = definition
        if is_latest:
            if known is not None:
                what = "has two latest versions" if version else "is registered twice"
                raise RegistrationError(f"workflow '{name}' {what}")
            self.workflows[name] = definition
        self._names[definition.function] = name

    def workflow(self, name: str, version: str | None) -> Definition | None:
        """Return a workflow in the version that its history names, the latest if it names none."""
        if version is None:
            return self.workflows.get(name)
        return self._versions.get((name, version))

    def versions(self, name: str) -> list[str]:
        """Return the registered versions of a workflow."""
        return [version for known, version in self._versions if known == name]

    def name_of(self, function: Function | str) -> str:
        """Return the name that a function goes by; an unregistered one goes by its own."""
        if isinstance(function, str):
            return function
        return self._names.get(function) or function.__name__

    def copy(self) -> Registry:
        """Return a registry of its own with the same functions."""
        copy = Registry()
        copy.activities = dict(self.activities)
        copy.workflows = dict(self.workflows)
        copy._versions = dict(self._versions)
        copy._names = dict(self._names)
        return copy

    def replace_activity(self, definition: Definition) -> None:
        """Put another function in the place of an activity that is registered already."""
        if definition.name not in self.activities:
            raise RegistrationError(
                f"activity '{definition.name}' is not registered: there is nothing to replace. "
                f"{nearest(definition.name, self.activities)}"
            )
        self.activities[definition.name] = definition


def encode_input(definition: Definition | None, value: object, what: str) -> str | None:
    """Return the JSON text of an input, None where none is given and none is needed."""
    if definition is None:
        return None if value is None else encode(value, what)
    if isinstance(value, JsonText) and not value:
        return ""  # an empty body, as callers over HTTP send it where there is no input
    if value is not None:
        return definition.input.encode(value, what)
    if definition.takes_input and not definition.has_default:
        definition.input.encode(None, what)
    return None


def define(
    function: Function,
    *,
    name: str | None,
    namespace: Mapping[str, Any],
    version: str | None = None,
) -> Definition:
    """Describe a function by its signature: `(ctx)` or `(ctx, input)`.

    `namespace` holds the names visible where it was defined, to resolve annotations of classes
    that are local there.
    """
    name = name or getattr(function, "__name__", None)
    if name is None:
        raise RegistrationError(f"{function!r} has no name of its own: register it with name=…")
    if inspect.isasyncgenfunction(function):
        raise RegistrationError(
            f"'{name}' cannot be registered: it is an async generator. "
            "Use `await` in an `async def`, or `yield` in a plain `def`, not both."
        )
    given = inspect.signature(function).parameters.values()
    parameters = [
        parameter
        for parameter in given
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    required = [
        parameter
        for parameter in given
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if not parameters or len(required) > 2 or not set(required) <= set(parameters[:2]):
        raise RegistrationError(
            f"'{name}' cannot be registered: a workflow or an activity takes the context and at "
            f"most one input, but its signature is {inspect.signature(function)}"
        )
    takes_input = len(parameters) > 1
    annotations = inspect.get_annotations(inspect.unwrap(function))

    def payload_type(key: str) -> PayloadType:
        annotation = _resolve(annotations.get(key), function, namespace, name)
        try:
            return PayloadType.of(annotation)
        except RegistrationError as error:
            raise RegistrationError(f"'{name}' cannot be registered: {error}") from error

    is_generator = inspect.isgeneratorfunction(function)
    return Definition(
        name=name,
        function=function,
        takes_input=takes_input,
        input=payload_type(parameters[1].name) if takes_input else UNTYPED,
        # A generator's annotation is that of the generator, not of what it returns.
        output=UNTYPED if is_generator else payload_type("return"),
        is_async=inspect.iscoroutinefunction(function),
        version=version,
        has_default=takes_input and parameters[1].default is not inspect.Parameter.empty,
    )


def _resolve(
    annotation: object, function: Function, namespace: Mapping[str, Any], name: str
) -> object:
    if isinstance(annotation, str):
        # A decorator may come from another module: the names are those of the function inside.
        inner = inspect.unwrap(function)
        own = getattr(inner, "__globals__", {})
        is_local = "<locals>" in getattr(inner, "__qualname__", "")
        # Who registers a function of another module may have other things by the same names.
        scope = {**own, **namespace} if is_local else {**namespace, **own}
        try:
            # Only this one annotation: the context's may be imported for type checkers alone.
            annotation = eval(annotation, scope)  # noqa: S307 - the program's own source text
        except Exception as error:
            raise RegistrationError(
                f"'{name}' cannot be registered: its annotation {annotation!r} cannot be resolved "
                f"({error}). Import it at run time, not only under TYPE_CHECKING."
            ) from error
    if annotation is typing.NoReturn or annotation is type(None):
        return None
    return annotation
