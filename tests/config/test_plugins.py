"""Plugins are found by entry point alone, one by one, and told apart from each other's faults."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flowyard.backend import hookspecs
from flowyard.backend.component import ComponentContext, ComponentType, WorkflowComponent
from flowyard.config.plugins import GROUP, component_type, installed_types, new_manager
from flowyard.errors import ConfigurationError

SOUND = """
from pydantic import BaseModel
from flowyard.backend.component import ComponentType
from flowyard.backend.hookspecs import hookimpl

SAMPLE = ComponentType("{name}", BaseModel, lambda settings, context: None, frozenset())

@hookimpl
def flowyard_component_type():
    return SAMPLE
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Lay out a distribution the way an installer does: `install(distribution, type, code)`."""
    monkeypatch.syspath_prepend(tmp_path)

    def lay_out(distribution: str, type_name: str, code: str = "", target: str = "") -> None:
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(code or SOUND.format(name=type_name))
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{type_name} = {target or module}\n")

    return lay_out


def fault(type_name: str) -> str:
    """Return what asking for a type says."""
    with pytest.raises(ConfigurationError) as caught:
        component_type(type_name)
    return str(caught.value)


def never_opened(
    settings: BaseModel, context: ComponentContext
) -> AbstractAsyncContextManager[WorkflowComponent]:
    raise AssertionError("finding a type opens nothing")


def given(name: str) -> ComponentType[Any]:
    """Return a component type made in code."""
    return ComponentType(name, BaseModel, never_opened, frozenset())


def test_an_installed_plugin_is_found_by_its_entry_point(install: Install) -> None:
    install("sample-plugin", "workflow.found")
    assert component_type("workflow.found").name == "workflow.found"


def test_the_built_in_engine_is_a_plugin_like_any_other() -> None:
    owners = [
        point.dist.name for point in entry_points(group=GROUP, name="workflow.engine") if point.dist
    ]
    assert owners == ["flowyard"]
    assert component_type("workflow.engine").name == "workflow.engine"


@pytest.mark.parametrize("spelling", ["workflow.found", "workflows.found", " Workflows.FOUND "])
@pytest.mark.parametrize("declared", ["workflow.found", "workflows.found"])
def test_both_spellings_find_a_type_however_it_is_declared(
    install: Install, declared: str, spelling: str
) -> None:
    install(f"plugin-{declared.partition('.')[0]}", declared)
    assert component_type(spelling).name == declared


def test_a_broken_plugin_does_not_stop_another(install: Install) -> None:
    install("broken-plugin", "workflow.broken", "import a_module_that_is_not_there")
    install("sound-plugin", "workflow.sound")
    assert component_type("workflow.sound").name == "workflow.sound"
    by_name = {kind.name: kind for kind in installed_types()}
    assert by_name["workflow.sound"].type is not None
    assert by_name["workflow.sound"].distribution == "sound-plugin"
    assert by_name["workflow.broken"].type is None
    assert "a_module_that_is_not_there" in str(by_name["workflow.broken"].error)


def test_only_the_plugin_that_is_asked_for_is_imported(install: Install, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    install("loud-plugin", "workflow.loud", f"open({str(trace)!r}, 'w').close()")
    install("quiet-plugin", "workflow.quiet")
    component_type("workflow.quiet")
    assert not trace.exists()
    assert "does not implement the hook" in fault("workflow.loud")
    assert trace.exists()


def test_a_plugin_that_cannot_be_imported_is_told(install: Install) -> None:
    install("unready-plugin", "workflow.unready", "raise RuntimeError('no driver')")
    assert fault("workflow.unready") == (
        "plugin 'workflow.unready' = unready_plugin of distribution 'unready-plugin' cannot be "
        "imported: RuntimeError: no driver. Reinstall or upgrade it, or uninstall it with: "
        "pip uninstall unready-plugin"
    )


def test_a_plugin_without_the_hook_is_told(install: Install) -> None:
    install("empty-plugin", "workflow.empty", "def flowyard_component_type(): ...")
    assert fault("workflow.empty") == (
        "plugin 'workflow.empty' = empty_plugin of distribution 'empty-plugin' does not implement "
        "the hook flowyard_component_type. Its author marks the function with "
        "@flowyard.backend.hookimpl, in the module that the entry point names."
    )


def test_a_plugin_with_a_misspelt_hook_is_told(install: Install) -> None:
    code = SOUND.format(name="workflow.typo").replace(
        "def flowyard_component_type", "def flowyard_typ"
    )
    install("typo-plugin", "workflow.typo", code)
    message = fault("workflow.typo")
    assert "'typo-plugin' does not fit this version of Flowyard" in message
    assert "flowyard_typ" in message


def test_a_hook_with_arguments_that_it_is_not_given_is_told(install: Install) -> None:
    code = SOUND.format(name="workflow.eager").replace("component_type():", "component_type(app):")
    install("eager-plugin", "workflow.eager", code)
    assert "'eager-plugin' does not fit this version of Flowyard" in fault("workflow.eager")


@pytest.mark.parametrize(("answer", "said"), [("None", "NoneType"), ("'x'", "str"), ("{}", "dict")])
def test_a_plugin_that_returns_something_else_is_told(
    install: Install, answer: str, said: str
) -> None:
    code = SOUND.format(name="workflow.odd").replace("return SAMPLE", f"return {answer}")
    install(f"odd-plugin-{said.lower()}", "workflow.odd", code)
    message = fault("workflow.odd")
    assert f"returned {said} from flowyard_component_type" in message
    assert "Its author returns a flowyard.backend.ComponentType." in message


def test_a_hook_that_raises_is_told(install: Install) -> None:
    code = SOUND.format(name="workflow.failing").replace("return SAMPLE", "raise KeyError('x')")
    install("failing-plugin", "workflow.failing", code)
    assert "'failing-plugin' failed in flowyard_component_type: KeyError" in fault(
        "workflow.failing"
    )


def test_a_plugin_whose_type_has_another_name_is_told(install: Install) -> None:
    install("renamed-plugin", "workflow.renamed", SOUND.format(name="workflow.original"))
    message = fault("workflow.renamed")
    assert "returned a component type named 'workflow.original'" in message
    assert "gives the entry point and the component type the same name" in message


@pytest.mark.parametrize("second", ["workflow.twice", "workflows.twice"])
def test_two_distributions_that_claim_one_type_are_refused_by_name(
    install: Install, second: str
) -> None:
    install("first-plugin", "workflow.twice")
    install("second-plugin", second)
    message = fault("workflow.twice")
    assert message.startswith("component type 'workflow.twice' is offered more than once, by ")
    assert "'first-plugin' (first_plugin)" in message
    assert "'second-plugin' (second_plugin)" in message
    assert message.endswith("Uninstall all but one of them.")


def test_a_doubly_claimed_type_does_not_stop_another(install: Install) -> None:
    install("first-plugin", "workflow.twice")
    install("second-plugin", "workflow.twice")
    install("third-plugin", "workflow.once")
    assert component_type("workflow.once").name == "workflow.once"
    claimed = next(kind for kind in installed_types() if kind.name == "workflow.twice")
    assert claimed.distribution == "first-plugin, second-plugin"
    assert claimed.error is not None


def test_an_entry_point_may_name_an_object(install: Install) -> None:
    code = SOUND.format(name="workflow.object") + "class Plugin:\n    pass\n"
    code += "plugin = Plugin()\nplugin.flowyard_component_type = flowyard_component_type\n"
    install("object-plugin", "workflow.object", code, target="object_plugin:plugin")
    assert component_type("workflow.object").name == "workflow.object"


def test_a_type_given_in_code_needs_no_plugin() -> None:
    mine = given("workflow.mine")
    assert component_type("workflows.mine", extra=[mine]) is mine


def test_a_type_given_in_code_goes_before_an_installed_one(install: Install) -> None:
    install("sample-plugin-too", "workflow.mine")
    mine = given("workflow.mine")
    assert component_type("workflow.mine", extra=[mine]) is mine


def test_a_type_given_twice_in_code_is_refused() -> None:
    twice = [given("workflow.mine"), given("workflows.mine")]
    with pytest.raises(ConfigurationError, match=r"'workflow\.mine' was given twice"):
        component_type("workflow.mine", extra=twice)


def test_an_unknown_type_is_told_with_what_is_installed(install: Install) -> None:
    install("sample-plugin", "workflow.found")
    message = fault("something.else")
    assert message.startswith(
        "component type 'something.else' is not installed. Install the package that offers it."
    )
    assert "'workflow.engine'" in message
    assert "'workflow.found'" in message


def test_each_manager_is_its_own() -> None:
    first, second = new_manager(), new_manager()
    first.register(hookspecs, name="anything")
    assert second.list_name_plugin() == []


def test_each_hook_says_what_for() -> None:
    names = [name for name in dir(hookspecs) if name.startswith("flowyard_")]
    assert names == ["flowyard_component_type"]
    assert all(getattr(hookspecs, name).__doc__ for name in names)
