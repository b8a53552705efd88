"""The docstrings of the public API name every parameter, and every error that the code raises."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

import flowyard.errors

ROOTS = ("flowyard", "flowyard.backend", "flowyard.config", "flowyard.server", "flowyard.testing")
_SECTION = re.compile(r"^(Args|Attributes|Raises):\n((?:    .*\n|\n)+)", re.MULTILINE)
_ENTRY = re.compile(r"^    (\w+): \S", re.MULTILINE)
# The sync face and the client say of a verb only where it is described: "As `Runtime.start`".
_REFERENCE = re.compile(r"\bAs `(\w+(?:\.\w+)?)`")
_ERRORS = {name for name, value in vars(flowyard.errors).items() if inspect.isclass(value)}


@dataclass(frozen=True)
class Called:
    """Something public that is called: a function, a method, or a class by its constructor."""

    doc: str
    parameters: tuple[str, ...]
    code: tuple[Callable[..., Any], ...]


def _from_class(name: str, kind: type) -> Iterator[tuple[str, Called]]:
    has_fields = dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct)
    own = (vars(kind).get(method) for method in ("__init__", "__post_init__"))
    code = tuple(method for method in own if method is not None and _is_written(method))
    if has_fields or _is_written(inspect.getattr_static(kind, "__init__")):
        yield name, Called(_doc(kind), tuple(inspect.signature(kind).parameters), code)
    for member in dir(kind):
        method = getattr(kind, member)
        is_named = not member.startswith("_") or member == "__call__"
        if is_named and inspect.isroutine(method) and _is_written(method):
            called = _from_function(method)
            own_names = called.parameters[called.parameters[:1] == ("self",) :]
            yield f"{name}.{member}", dataclasses.replace(called, parameters=own_names)


def _from_function(function: Callable[..., Any]) -> Called:
    parameters = tuple(inspect.signature(function).parameters)
    return Called(_doc(function), parameters, (inspect.unwrap(function),))


def _doc(thing: object) -> str:
    return f"{inspect.getdoc(thing) or ''}\n"


def _is_written(function: Any) -> bool:
    """Whether its code is in a file of Flowyard's, not made by a decorator or another library."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    module = str(getattr(function, "__module__", ""))
    return code is not None and not code.co_filename.startswith("<") and "flowyard" in module


@functools.cache
def public() -> dict[str, Called]:
    """Return all that is called of what the `__all__` of the public packages name."""
    found: dict[str, Called] = {}
    for root in ROOTS:
        package = importlib.import_module(root)
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isclass(value):
                found.update(_from_class(name, value))
            elif inspect.isfunction(value):
                found[name] = _from_function(value)
    return found


def described(called: Called, *sections: str) -> set[str]:
    """Return what has a line in these sections, here or where the docstring refers to."""
    docs = [called.doc, *(public()[name].doc for name in _REFERENCE.findall(called.doc))]
    texts = [text for doc in docs for name, text in _SECTION.findall(doc) if name in sections]
    return {entry for text in texts for entry in _ENTRY.findall(text)}


def raised(function: Callable[..., Any]) -> set[str]:
    """Return Flowyard's errors that the function's own body raises."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    found: set[str] = set()
    left = list(ast.iter_child_nodes(definition))
    while left:
        node = left.pop()
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found.add(ast.unparse(node.exc.func))
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            left.extend(ast.iter_child_nodes(node))
    return found & _ERRORS


@pytest.mark.parametrize("name", sorted(public()))
def test_a_docstring_names_each_parameter_and_each_error(name: str) -> None:
    called = public()[name]
    assert called.doc.strip(), "there is no docstring"
    assert set(called.parameters) - described(called, "Args", "Attributes") == set()
    errors = {error for function in called.code for error in raised(function)}
    assert errors - described(called, "Raises") == set()


def test_what_is_looked_at_is_all_that_is_called() -> None:
    # One of each kind: a function, a method, a verb that is inherited, a constructor, fields.
    kinds = {"when_all", "Journal.admit", "Runtime.get", "Client", "InstanceQuery", "TurnStarted"}
    assert kinds <= set(public())
    assert public()["Runtime.get"].parameters == ("instance_id", "payloads", "component")
    assert raised(public()["SyncRuntime.list"].code[0]) == set()
    assert raised(public()["Runtime.start"].code[0]) == {"InvalidRequest"}
