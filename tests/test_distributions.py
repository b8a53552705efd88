"""What the distributions say of themselves: what they need, and under which license they are."""

from __future__ import annotations

import ast
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from distributions import CHECKOUT, DISTRIBUTIONS, build

# Declared for what others do when they find it: the reason is beside the declaration.
NOT_IMPORTED = {"sniffio"}


@dataclass(frozen=True, slots=True)
class Import:
    """A module that one of ours imports from elsewhere."""

    module: str
    needed_by: Path
    is_always_needed: bool


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_import_of_a_distribution_is_declared(name: str) -> None:
    declared, extra = (_names(wanted) for wanted in (_dependencies(name), _extras(name)))
    missing = [
        f"{found.needed_by.relative_to(CHECKOUT)} imports {found.module}"
        for found in _imports(name)
        if not _provided_by(found.module)
        & (declared if found.is_always_needed else declared | extra)
    ]
    assert missing == []


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_declared_dependency_is_imported(name: str) -> None:
    used = {provider for found in _imports(name) for provider in _provided_by(found.module)}
    assert _names(_dependencies(name)) - NOT_IMPORTED <= used


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_dependency_has_an_oldest_version(name: str) -> None:
    wanted = _dependencies(name) + _extras(name)
    assert [
        str(requirement) for requirement in wanted if ">=" not in str(requirement.specifier)
    ] == []


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_our_distributions_fit_each_other_until_the_next_minor_version(name: str) -> None:
    ours = [
        dependency
        for dependency in _dependencies(name) + _extras(name)
        if dependency.name in DISTRIBUTIONS
    ]
    assert ours
    for our in ours:
        version = Version(_project(our.name)["version"])
        assert version in our.specifier
        assert f"{version.major}.{version.minor + 1}.0" not in our.specifier


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_built_distribution_holds_its_license(name: str, tmp_path: Path) -> None:
    text = (CHECKOUT / "LICENSE").read_bytes()
    source, wheel = build(name, tmp_path)
    folder = source.name.removesuffix(".tar.gz")
    with tarfile.open(source) as archive:
        packed = archive.extractfile(f"{folder}/LICENSE")
        assert packed is not None
        assert packed.read() == text
    with zipfile.ZipFile(wheel) as files:
        assert files.read(f"{folder}.dist-info/licenses/LICENSE") == text
        metadata = files.read(f"{folder}.dist-info/METADATA").decode()
    assert "\nLicense-Expression: Apache-2.0\nLicense-File: LICENSE\n" in metadata


def test_the_source_distribution_of_flowyard_holds_nothing_but_its_code(tmp_path: Path) -> None:
    source, _ = build("flowyard", tmp_path)
    with tarfile.open(source) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    code = ("core/flowyard/", "components/flowyard_blocks/", "components/flowyard_engine/")
    assert {name for name in files if not name.startswith(code)} == {
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
    }


def _project(name: str) -> dict[str, Any]:
    file = CHECKOUT / DISTRIBUTIONS[name].folder / "pyproject.toml"
    project: dict[str, Any] = tomllib.loads(file.read_text())["project"]
    assert project["name"] == name
    return project


def _dependencies(name: str) -> list[Requirement]:
    return [Requirement(requirement) for requirement in _project(name)["dependencies"]]


def _extras(name: str) -> list[Requirement]:
    extras = _project(name).get("optional-dependencies", {})
    return [Requirement(requirement) for wanted in extras.values() for requirement in wanted]


def _names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def _imports(name: str) -> Iterator[Import]:
    for package in DISTRIBUTIONS[name].packages:
        folder = CHECKOUT / package
        for file in sorted(folder.rglob("*.py")):
            # pytest loads these, so whoever needs them has it.
            is_for_tests = folder / "testing" in file.parents
            # Each is imported for a component of its type alone, which says what is missing.
            is_lazy = folder.name == "flowyard_blocks"
            tree = ast.parse(file.read_text())
            for statement in ast.walk(tree):
                is_always_needed = statement in tree.body and not is_for_tests and not is_lazy
                for module in _modules(statement):
                    is_own = _provided_by(module) == {name}
                    if not is_own and module.partition(".")[0] not in sys.stdlib_module_names:
                        yield Import(module, file, is_always_needed)


def _modules(statement: ast.AST) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        assert statement.module is not None, "an import is absolute"
        return [statement.module]
    return []


def _provided_by(module: str) -> set[str]:
    """Return the distributions that this module may come from."""
    top = module.partition(".")[0]
    for name, distribution in DISTRIBUTIONS.items():
        if top in {Path(package).name for package in distribution.packages}:
            return {name}
    return {canonicalize_name(name) for name in _FOUND.get(top, ())}


_FOUND = packages_distributions()
