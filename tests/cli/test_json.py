"""With `--json`, standard output is JSON and nothing else, and so is what is told of an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from cli.conftest import FOLDER, Command, Ended
from flowyard.cli.main import build

_MEMORY = FOLDER.parent / "plugins" / "flowyard-memory" / "src"
_COMMANDS = sorted(typer.main.get_group(build()).commands)
# tests/cli/test_serving.py reads what `serve` prints, which goes on until a signal.
_ENDING = [command for command in _COMMANDS if command != "serve"]

_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "run": ("errands:app", "echo", "--components", "{components}"),
    "start": ("gate", "--id", "json-new"),
    "get": ("json-done",),
    "list": ("--prefix", "json-"),
    "history": ("json-done",),
    "watch": ("json-done",),
    "pause": ("json-paused",),
    "resume": ("json-done",),
    "raise": ("json-done", "go"),
    "terminate": ("json-done",),
    "rerun": ("json-call", "1"),
    "purge": ("json-old",),
    "components": ("--components", "{components}"),
    "conformance": ("--components", "{components}", "-k", "test_a_purged_instance_is_gone"),
    "schema": (),
    "version": (),
}
_KEYS = {
    "run": {"instanceID", "status", "output"},
    "start": {"instanceID"},
    "get": {"instanceID", "status", "output"},
    "list": {"instances"},
    "history": {"events"},
    "watch": {"instanceID", "status", "output"},
    **{verb: {"changed"} for verb in ("pause", "resume", "raise", "terminate")},
    "rerun": {"instanceID"},
    "purge": {"purged"},
    "components": {"types", "components"},
    "conformance": {"passed", "failed", "error", "skipped", "tests"},
    "schema": {"$schema", "properties"},
    "version": {"flowyard", "python"},
}
# Nothing can be wrong with `schema` and `version`.
_MISTAKES: dict[str, tuple[tuple[str, ...], str, int]] = {
    "serve": (("--components", "nowhere.yaml"), "ConfigurationError", 3),
    "run": (("errands:nothing", "echo"), "ConfigurationError", 3),
    "start": (("echo", "--input", "{"), "InvalidRequest", 3),
    "get": (("nobody",), "InstanceNotFound", 4),
    "list": (("--after", "nonsense"), "InvalidRequest", 3),
    "history": (("nobody",), "InstanceNotFound", 4),
    "watch": (("json-paused", "--timeout", "0"), "TimeoutError", 8),
    "pause": (("nobody",), "InstanceNotFound", 4),
    "resume": (("nobody", "--component", "other"), "ComponentNotFound", 4),
    "raise": (("nobody", "go"), "InstanceNotFound", 4),
    "terminate": (("nobody", "--url", "http://127.0.0.1:9"), "BackendUnavailable", 6),
    "rerun": (("json-call", "99"), "EventNotFound", 4),
    "purge": (("json-paused",), "InstanceNotClosed", 5),
    "components": (("--components", "nowhere.yaml"), "ConfigurationError", 3),
    "conformance": (("--components", "nowhere.yaml"), "ConfigurationError", 3),
}


@pytest.fixture(autouse=True)
def instances(flowyard: Command, server: object) -> None:
    """Instances that the commands find, whatever the tests before have done to them."""
    for instance_id in ("json-done", "json-old"):
        assert flowyard("start", "echo", "--id", instance_id, "--wait").code == 0
    assert flowyard("start", "call", "--id", "json-call", "--wait").code == 0
    flowyard("terminate", "json-new")
    assert flowyard("start", "gate", "--id", "json-paused").code in {0, 5}
    flowyard("resume", "json-paused")


def _run(flowyard: Command, command: str, arguments: tuple[str, ...]) -> Ended:
    if command != "conformance":
        return flowyard(command, *arguments, "--json")
    # pytest inside pytest needs a process of its own.
    program = [sys.executable, "-c", "from flowyard.cli.main import main; main()", command]
    done = subprocess.run(
        [*program, *arguments, "--json"], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("command", _ENDING)
def test_every_command_prints_json_and_nothing_else(
    flowyard: Command, command: str, components: Path
) -> None:
    arguments = tuple(argument.format(components=components) for argument in _ARGUMENTS[command])
    ended = _run(flowyard, command, arguments)
    assert ended.code == 0, ended.err
    assert ended.out.count("\n") == 1
    assert _KEYS[command] <= ended.json.keys()


@pytest.mark.parametrize(
    "command", [command for command in _COMMANDS if command not in {"schema", "version"}]
)
def test_every_command_tells_an_error_as_json(flowyard: Command, command: str) -> None:
    arguments, error, code = _MISTAKES[command]
    ended = _run(flowyard, command, arguments)
    told = json.loads(ended.err)
    assert (ended.out, ended.err.count("\n")) == ("", 1)
    assert (told["error"], told["exitCode"], ended.code) == (error, code, code)
    assert told["message"]


def test_a_program_reads_how_each_conformance_test_ended(
    flowyard: Command, components: Path, tmp_path: Path
) -> None:
    only = ("-k", "test_a_purged_instance_is_gone")
    done = _run(flowyard, "conformance", ("errands", "--components", str(components), *only))
    assert done.json == {
        "component": "errands",
        "type": "workflow.engine",
        "passed": 1,
        "failed": 0,
        "error": 0,
        "skipped": 0,
        "tests": [{"test": only[1], "outcome": "passed", "message": None}],
    }
    # SQLite cannot open a folder.
    components.write_text(components.read_text().replace("errands.db", ""))
    failing = _run(flowyard, "conformance", ("--components", str(components), *only))
    assert failing.code == 1
    assert (failing.json["passed"], failing.json["failed"] + failing.json["error"]) == (0, 1)
    assert str(tmp_path) in failing.json["tests"][0]["message"]


def test_a_program_reads_why_a_conformance_test_was_skipped(
    flowyard: Command, components: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Installed, as far as Python can tell: a component type that declares less than the engine.
    about = tmp_path / "flowyard_memory-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: flowyard-memory\nVersion: 1\n")
    entry = "[flowyard]\nworkflow.memory = flowyard_memory.plugin\n"
    (about / "entry_points.txt").write_text(entry)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{_MEMORY}")
    text = components.read_text().replace("workflow.engine", "workflow.memory")
    components.write_text(text.partition("  metadata:\n  -")[0])
    arguments = ("--components", str(components), "-k", "test_a_failed_instance_can_be_rerun")
    skipped = _run(flowyard, "conformance", arguments)
    assert (skipped.code, skipped.json["passed"]) == (0, 0)
    assert skipped.json["skipped"] == 1
    assert skipped.json["tests"][0]["outcome"] == "skipped"
    assert "does not declare" in skipped.json["tests"][0]["message"]
