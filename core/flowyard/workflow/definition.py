"""A registered function: its name, its payload types, its version."""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.errors import RegistrationError
from flowyard.payload import UNTYPED, PayloadType, ResultType

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """A registered workflow or activity."""

    name: str
    function: Function
    takes_input: bool
    input: PayloadType
    output: PayloadType | ResultType
    is_async: bool
    version: str | None = None
    has_default: bool = False
    """Whether the input may be left out."""

    def arguments(self, context: object, text: str | None, what: str) -> tuple[object, ...]:
        """Return what to call the function with, or raise `PayloadError`."""
        if not self.takes_input or (not text and self.has_default):
            return (context,)
        return context, self.input.decode(text, what)


def define(
    function: Function,
    *,
    name: str | None,
    namespace: Mapping[str, Any],
    version: str | None = None,
    is_activity: bool = False,
    strict_result: bool = False,
) -> Definition:
    """Describe a function by its signature: `(ctx)` or `(ctx, input)`.

    `namespace` holds the names visible where it was defined, to resolve annotations of classes
    that are local there.
    """
    if not callable(function):
        raise RegistrationError(
            f"{function!r} cannot be registered: it is not a function"
            f"{' (in a class body: register the bound method)' * isinstance(function, classmethod)}"
        )
    name = name or getattr(function, "__name__", None)
    if name is None:
        raise RegistrationError(f"{function!r} has no name of its own: register it with name=…")
    _check_kind(function, name, is_activity=is_activity)
    signature = inspect.signature(function)
    parameters = _parameters(signature, name)
    _refuse_method(function, [parameter.name for parameter in parameters], name)

    def payload_type(annotation: object) -> PayloadType:
        resolved = _resolve(annotation, function, namespace, name)
        try:
            return PayloadType.of(resolved)
        except RegistrationError as error:
            raise RegistrationError(f"'{name}' cannot be registered: {error}") from error

    takes_input = len(parameters) > 1
    output: PayloadType | ResultType = UNTYPED
    # A generator's annotation is that of the generator, not of what it returns.
    if not inspect.isgeneratorfunction(_called(function)):
        declared = payload_type(signature.return_annotation)
        if declared is not UNTYPED:
            kind = "activity" if is_activity else "workflow"
            output = ResultType(declared, f"{kind} '{name}'", strict=strict_result)
    return Definition(
        name=name,
        function=function,
        takes_input=takes_input,
        input=payload_type(parameters[1].annotation) if takes_input else UNTYPED,
        output=output,
        is_async=inspect.iscoroutinefunction(_called(function)),
        version=version,
        has_default=takes_input and parameters[1].default is not inspect.Parameter.empty,
    )


def same_place(function: Function, other: Function) -> bool:
    """Whether both are made by the same lines of a program that have run again.

    So it is after a module was reloaded or imported under another name, and after a cell of a
    notebook was run once more. A loop that makes several functions runs its lines once.
    """
    code, of_other = (
        getattr(inspect.unwrap(candidate), "__code__", None) for candidate in (function, other)
    )
    if code is None or of_other is None or code is of_other:
        return False
    if code.co_qualname != of_other.co_qualname:
        return False
    if (code.co_filename, code.co_firstlineno) == (of_other.co_filename, of_other.co_firstlineno):
        return True
    modules = {getattr(candidate, "__module__", None) for candidate in (function, other)}
    return modules == {"__main__"} and _is_interactive()


def _is_interactive() -> bool:
    return not hasattr(sys.modules.get("__main__"), "__file__")


def _called(function: Function) -> Function:
    """Return the function whose code runs when this is called."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) or inspect.isclass(function):
        return function
    return type(function).__call__


def _check_kind(function: Function, name: str, *, is_activity: bool) -> None:
    called = _called(function)
    if inspect.isasyncgenfunction(called):
        raise RegistrationError(
            f"'{name}' cannot be registered: it is an async generator. "
            "Use `await` in an `async def`, or `yield` in a plain `def`, not both."
        )
    if is_activity and inspect.isgeneratorfunction(called):
        raise RegistrationError(
            f"'{name}' cannot be registered: an activity that yields has no result. Return a "
            "list (only workflows yield, and what they yield are tasks)."
        )


def _parameters(signature: inspect.Signature, name: str) -> list[inspect.Parameter]:
    given = signature.parameters.values()
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
            f"most one input, but its signature is {signature}"
        )
    return parameters


def _refuse_method(function: Function, parameters: list[str], name: str) -> None:
    """Refuse a function of a class body, whose `self` would be taken for the context."""
    place = getattr(function, "__qualname__", "").rpartition(".")[0]
    is_in_class = inspect.isfunction(function) and place and not place.endswith("<locals>")
    if is_in_class and parameters[0] in {"self", "cls"}:
        raise RegistrationError(
            f"'{name}' cannot be registered: it is a method of {place!r} and would get the "
            f"context as its {parameters[0]}. Register it bound to an object: "
            f"app.activity({place.rpartition('.')[2]}().{function.__name__})"
        )


def _resolve(
    annotation: object, function: Function, namespace: Mapping[str, Any], name: str
) -> object:
    if annotation is inspect.Signature.empty:
        return None
    if isinstance(annotation, str):
        # A decorator may come from another module: the names are those of the function inside.
        inner = inspect.unwrap(_called(inspect.unwrap(function)))
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
                f"({error}). {_advice(error)}"
            ) from error
    if annotation is typing.NoReturn or annotation is type(None):
        return None
    return annotation


def _advice(error: Exception) -> str:
    if isinstance(error, NameError):
        return (
            "Define the class above the function, and import it at run time, "
            "not only under TYPE_CHECKING."
        )
    return "It must be an expression that can be evaluated at run time."
