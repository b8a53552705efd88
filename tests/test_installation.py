"""The three distributions, installed beside each other where nothing else is."""

from __future__ import annotations

import json
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from distributions import CHECKOUT, DISTRIBUTIONS, build, run

# The first test also makes the environment, which takes as long as the index does.
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an environment `env`, in which only our wheels were installed."""
    folder = tmp_path_factory.mktemp("elsewhere")
    wheels = [build(name, folder)[1] for name in DISTRIBUTIONS]
    venv.create(folder / "env")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    into = ("--python", folder / "env/bin/python")
    run(*pip, *into, "install", "-c", CHECKOUT / "constraints.txt", *wheels, cwd=folder)
    return folder


def test_what_is_installed_fits_together(elsewhere: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    told = run(*pip, "--python", elsewhere / "env/bin/python", "check", cwd=elsewhere)
    assert told == "No broken requirements found.\n"


def test_every_package_can_be_imported(elsewhere: Path) -> None:
    names = [Path(package).name for own in DISTRIBUTIONS.values() for package in own.packages]
    code = f"import {', '.join(names)}; print(*({', '.join(names)}), sep='\\n')"
    places = run(elsewhere / "env/bin/python", "-c", code, cwd=elsewhere).splitlines()
    assert len(places) == len(names)
    assert all(str(elsewhere / "env/lib") in place for place in places)


def test_the_command_says_its_version(elsewhere: Path) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    told = run(elsewhere / "env/bin/flowyard", "version", cwd=elsewhere)
    assert told == f"flowyard {project['version']}\n"


def test_the_command_shows_the_component_types_of_all_three(elsewhere: Path) -> None:
    told = run(elsewhere / "env/bin/flowyard", "components", "--json", cwd=elsewhere)
    types = {
        load["name"]: (load["distribution"], load["error"]) for load in json.loads(told)["types"]
    }
    assert types == {
        "workflow.conductor": ("flowyard-conductor", None),
        "workflow.engine": ("flowyard", None),
        "workflow.temporal": ("flowyard-temporal", None),
    }
