"""Registered functions: which there are, and by which names they go."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from flowyard.errors import InvalidRequest, PayloadError, RegistrationError, nearest
from flowyard.payload import ABSENT, JsonText, encode
from flowyard.workflow.definition import Definition, Function, same_place


class Registry:
    """The functions of an app. Workflows of one name may have several versions."""

    def __init__(self) -> None:
        self.activities: dict[str, Definition] = {}
        self.workflows: dict[str, Definition] = {}
        """By name; of a versioned workflow, the latest."""
        self._versions: dict[tuple[str, str], Definition] = {}
        self._activity_names: dict[object, tuple[str, Function]] = {}
        self._workflow_names: dict[object, tuple[str, Function]] = {}
        self._watchers: list[Callable[[str], None]] = []

    def add_activity(self, definition: Definition) -> None:
        """Register an activity; a second one of the same name is refused."""
        known = self.activities.get(definition.name)
        if known is not None and not same_place(definition.function, known.function):
            raise RegistrationError(
                f"activity '{definition.name}' is registered twice: give one of the functions "
                "another name (name=…)"
            )
        self.activities[definition.name] = definition
        _name(definition, self._activity_names)
        for on_added in list(self._watchers):
            on_added(definition.name)

    def add_workflow(self, definition: Definition, *, is_latest: bool = True) -> None:
        """Register a workflow or one version of it."""
        name, version = definition.name, definition.version
        known = self.workflows.get(name)
        if version is not None:
            of_version = self._versions.get((name, version))
            if of_version is not None and not same_place(definition.function, of_version.function):
                raise RegistrationError(
                    f"version '{version}' of workflow '{name}' is registered twice: give one of "
                    "the functions another version_name"
                )
            self._versions[name, version] = definition
            if known is of_version:
                known = None
        if is_latest:
            if known is not None and not same_place(definition.function, known.function):
                what = (
                    "has two latest versions: give is_latest=True to one of them"
                    if version
                    else "is registered twice: give one of the functions another name (name=…)"
                )
                raise RegistrationError(f"workflow '{name}' {what}")
            self.workflows[name] = definition
        _name(definition, self._workflow_names)

    def watch(self, on_activity: Callable[[str], None]) -> Callable[[], None]:
        """Have it called with the name of each activity that is added; returns what ends that."""
        self._watchers.append(on_activity)
        return lambda: self._watchers.remove(on_activity)

    def workflow(self, name: str, version: str | None) -> Definition | None:
        """Return a workflow in the version that its history names, the latest if it names none."""
        if version is None:
            return self.workflows.get(name)
        return self._versions.get((name, version))

    def versions(self, name: str) -> list[str]:
        """Return the registered versions of a workflow."""
        return [version for known, version in self._versions if known == name]

    def activity_name(self, activity: Function | str) -> str:
        """Return the name of an activity; a function that is not registered goes by its own.

        Raises `RegistrationError` where another function is registered by that name.
        """
        if isinstance(activity, str):
            return activity
        named = self._activity_names.get(_key(activity))
        if named is not None:
            return named[0]
        if _key(activity) in self._workflow_names:
            raise RegistrationError(
                f"{_described(activity)} is registered as a workflow, not as an activity: "
                "ctx.call_child_workflow() calls it"
            )
        return _own_name(activity, self.activities)

    def workflow_name(self, workflow: Function | str) -> str:
        """Return the name of a workflow; otherwise as `activity_name`."""
        if isinstance(workflow, str):
            return workflow
        named = self._workflow_names.get(_key(workflow))
        if named is not None:
            return named[0]
        if _key(workflow) in self._activity_names:
            raise RegistrationError(
                f"{_described(workflow)} is registered as an activity, not as a workflow: "
                "ctx.call_activity() calls it, from a workflow"
            )
        return _own_name(workflow, self.workflows)

    def copy(self) -> Registry:
        """Return a registry of its own with the same functions."""
        copy = Registry()
        copy.activities = dict(self.activities)
        copy.workflows = dict(self.workflows)
        copy._versions = dict(self._versions)
        copy._activity_names = dict(self._activity_names)
        copy._workflow_names = dict(self._workflow_names)
        return copy

    def replace_activity(self, definition: Definition) -> None:
        """Put another function in the place of an activity that is registered already."""
        if definition.name not in self.activities:
            raise RegistrationError(
                f"activity '{definition.name}' is not registered: there is nothing to replace. "
                f"{nearest(definition.name, self.activities)}"
            )
        self.activities[definition.name] = definition


def _name(definition: Definition, names: dict[object, tuple[str, Function]]) -> None:
    # The function too: of one that cannot be hashed the ID must stay its own.
    names[_key(definition.function)] = (definition.name, definition.function)


def _own_name(function: Function, registered: Mapping[str, Definition]) -> str:
    name: str | None = getattr(function, "__name__", None)
    if name is None:
        raise InvalidRequest(
            f"{function!r} is neither a registered function nor a name: give one of the two"
        )
    other = registered.get(name)
    if other is not None and not _is_same(function, other.function):
        raise RegistrationError(
            f"{_described(function)} is not registered: another function is registered as "
            f"'{name}', {_described(other.function)}. Register it under a name of its own "
            "(name=…), or give the name as text."
        )
    return name


def _key(function: Function) -> object:
    try:
        hash(function)
    except TypeError:
        return id(function)
    return function


def _is_same(function: Function, registered: Function) -> bool:
    """Whether both are one, perhaps decorated or from a module that was loaded twice."""
    inner, of_registered = inspect.unwrap(function), inspect.unwrap(registered)
    return inner is of_registered or same_place(inner, of_registered)


def _described(function: Function) -> str:
    module = getattr(function, "__module__", None) or "?"
    return f"{module}.{getattr(function, '__qualname__', None) or type(function).__qualname__}"


def encode_input(definition: Definition | None, value: object, what: str) -> str | None:
    """Return the JSON text of an input, None where none is given and none is needed."""
    if isinstance(value, JsonText) and not value:
        return ""  # an empty body, as callers over HTTP send it where there is no input
    if definition is None:
        return None if value is ABSENT else encode(value, what)
    if not definition.takes_input:
        if value is ABSENT or value is None or (isinstance(value, JsonText) and value == "null"):
            return None
        raise PayloadError(
            f"{what}: '{definition.name}' takes no input. Leave it out, or give the function a "
            "second parameter."
        )
    if value is ABSENT:
        if not definition.has_default:
            definition.input.encode(None, what)
        return None
    text = definition.input.encode(value, what)
    # Where there is no default, none is the same as null.
    return text if value is not None or definition.has_default else None
