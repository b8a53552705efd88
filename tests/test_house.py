"""The house: what the Makefile promises, where things may be, and what goes into the wheel."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (ROOT / "core", ROOT / "components", ROOT / "adapters")
MODULES = sorted(module for folder in PACKAGES for module in folder.rglob("*.py"))
_LONGEST = 400
_NAMES_OF_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def test_help_names_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    shown = _run(["make", "--silent", "help"], ROOT)
    assert re.findall(r"^make ([\w-]+) +\S", shown, re.MULTILINE) == phony[1].split()


def test_make_alone_says_what_there_is() -> None:
    assert _run(["make", "--silent"], ROOT) == _run(["make", "--silent", "help"], ROOT)


def test_a_python_that_is_on_the_path_but_does_not_work_is_passed_over(tmp_path: Path) -> None:
    path = _path_with(
        tmp_path, {"python3": "exit 127", "python3.12": f'exec {sys.executable} "$@"'}
    )
    shown = _make_environment(tmp_path, path)
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "venv" / "bin" / "python").exists()


def test_without_a_usable_python_the_message_says_what_to_do(tmp_path: Path) -> None:
    path = _path_with(tmp_path, {"python3": "exit 127"})
    shown = _make_environment(tmp_path, path)
    assert shown.returncode != 0
    assert "needs Python 3.11 or newer" in shown.stderr
    assert "make PYTHON=" in shown.stderr


def test_every_dependency_is_pinned_to_one_version() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert len(lines) > 10
    assert [line for line in lines if re.fullmatch(r"[\w.\-]+==[\w.+!]+", line) is None] == []


def test_no_file_of_locks_is_kept() -> None:
    # It would name the registry that it was made with.
    assert not (ROOT / "uv.lock").exists()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_a_module_is_small_and_named_by_a_noun(module: Path) -> None:
    lines = len(module.read_text().splitlines())
    assert lines <= _LONGEST, f"{lines} lines: split it by noun"
    assert module.stem not in _NAMES_OF_NOTHING


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


def test_importing_flowyard_loads_nothing_that_only_some_programs_need() -> None:
    # yaml serves the configuration, pytest the tests, sqlite3 the engine.
    heavy = ["yaml", "pytest", "sqlite3", "flowyard_engine", "flowyard.testing"]
    program = f"import sys, flowyard; print([name for name in {heavy} if name in sys.modules])"
    assert _run([sys.executable, "-c", program], ROOT).strip() == "[]"


def test_only_a_usable_adapter_registers_its_component_type() -> None:
    names = {point.name for point in entry_points(group="flowyard")}
    assert "workflow.engine" in names
    assert "workflow.temporal" in names
    assert "workflow.conductor" in names


def test_a_figure_can_be_measured() -> None:
    shown = _run([sys.executable, "-m", "bench", "fanout", "--rounds", "1"], ROOT)
    assert re.search(
        r"^\| fan-out of 1,000 activities \| [\d.]+ .* \| bound: ", shown, re.MULTILINE
    )


def test_the_wheel_holds_the_core_and_the_engine_with_their_data(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    _run([*build, "--wheel-dir", str(tmp_path), str(ROOT)], tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    found = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        str(file.relative_to(folder))
        for folder in (ROOT / "core", ROOT / "components")
        for file in folder.rglob("*")
        if file.suffix in {".lua", ".proto", ".py", ".pyi", ".sql", ".typed"}
    }
    assert {"flowyard/py.typed", "flowyard_engine/py.typed"} <= expected
    packaged = {name for name in found if not name.startswith("flowyard-")}
    assert packaged == expected


def test_every_adapter_is_installed_for_development() -> None:
    requirements = (ROOT / "requirements-dev.txt").read_text()
    for file in sorted(ROOT.glob("adapters/*/pyproject.toml")):
        project = tomllib.loads(file.read_text())["project"]
        assert f"-e ./{file.parent.relative_to(ROOT)}" in requirements.splitlines()
        assert project["name"] == f"flowyard-{file.parent.name}"


def _path_with(folder: Path, programs: dict[str, str]) -> str:
    """Make a PATH that holds these programs, what make itself needs, and no other Python."""
    path = folder / "bin"
    path.mkdir()
    for name in ("sh", "touch", "test", "echo", "make"):
        found = shutil.which(name)
        assert found is not None
        (path / name).symlink_to(found)
    for name, script in programs.items():
        (path / name).write_text(f"#!{shutil.which('sh')}\n{script}\n")
        (path / name).chmod(0o755)
    return str(path)


def _make_environment(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = folder / "venv"
    return subprocess.run(
        ["make", f"VENV={environment}", f"{environment}/.made"],
        cwd=ROOT,
        env={"PATH": path},
        capture_output=True,
        text=True,
    )


def _run(command: list[str], folder: Path) -> str:
    # Under `make test`, a make started from here must not inherit its variables.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"
    return done.stdout
