"""What hosted CI and commit hooks run is what the Makefile has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_hosted_ci_runs_only_what_there_is() -> None:
    for command in (step["run"] for step in STEPS if "run" in step):
        program, *words = command.split()
        if program == "make":
            assert re.search(rf"^{words[0]}: ", MAKEFILE, re.MULTILINE), command
        else:
            assert (ROOT / program).exists()
        for path in (word.removeprefix("ARGS=") for word in words if word.startswith("ARGS=")):
            assert (ROOT / path).exists()


def test_hosted_ci_runs_everything_that_has_to_pass_before_a_change_lands() -> None:
    commands = {step.get("run") for step in STEPS}
    assert {"make check", "make test LIVE=0", ".ci/run"} <= commands


def test_hosted_ci_runs_each_python_that_the_distribution_names() -> None:
    prefix = "Programming Language :: Python :: 3."
    named = {
        "3." + classifier.removeprefix(prefix)
        for classifier in PROJECT["classifiers"]
        if prefix in classifier
    }
    tested = WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert named <= set(tested)
    assert PROJECT["requires-python"] == f">={tested[0]}"


def test_an_action_is_pinned_by_its_major_version() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert [
        action for action in used if re.fullmatch(r"actions/[a-z-]+@v\d+", action) is None
    ] == []


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_a_commit_hook_does_what_make_does(hook: dict[str, Any]) -> None:
    code = re.search(r"^CODE := (.*)$", MAKEFILE, re.MULTILINE)
    assert code is not None
    # The hooks name files, also those that are excluded; make names none.
    entry = hook["entry"].replace(".venv/bin", "$(BIN)").replace(" --force-exclude", "")
    commands = MAKEFILE.replace("$(CODE)", code[1]).splitlines()
    assert f"\t{entry}" in commands
