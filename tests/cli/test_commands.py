"""The other commands, and what the documentation says of all of them."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer.main

from cli.conftest import FOLDER, Command, Server
from flowyard import Runtime, WorkflowStatus
from flowyard.cli import codes
from flowyard.cli.main import build

_DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"


def _commands() -> list[str]:
    group = typer.main.get_group(build())
    return sorted(group.commands)


def test_a_workflow_runs_to_its_end(flowyard: Command, components: Path) -> None:
    run = ("run", "errands:app")
    where = ("--components", str(components))
    echoed = flowyard(*run, "echo", "--input", '{"x":1}', *where)
    assert (echoed.code, echoed.out) == (0, '{"x":1}\n')
    state = flowyard(*run, "echo", "--id", "chosen", "--json", *where).json
    assert (state["instanceID"], state["output"]) == ("chosen", "null")
    failed = flowyard(*run, "fail", *where)
    assert failed.code == 1
    assert "ValueError: it rains" in failed.out
    unknown = flowyard(*run, "ecko", *where)
    assert unknown.code == 4
    assert "Did you mean 'echo'" in unknown.err
    assert flowyard(*run, "post", "--input", "{}", *where).code == 3


def test_a_run_that_was_interrupted_is_taken_up_again(flowyard: Command, components: Path) -> None:
    arguments = ["run", "errands:app", "gate", "--id", "one", "--components", str(components)]
    program = [sys.executable, "-c", "from flowyard.cli.main import main; main()", *arguments]
    with subprocess.Popen(program, cwd=FOLDER, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "one  RUNNING: at the [bold]gate" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == codes.INTERRUPTED

    async def open_the_gate() -> None:
        async with Runtime.open(components) as runtime:
            assert (await runtime.get("one")).status is WorkflowStatus.RUNNING
            await runtime.raise_event("one", "go", "open")

    asyncio.run(open_the_gate())
    resumed = flowyard(*arguments)
    assert (resumed.code, resumed.out) == (0, '"open"\n')
    other = flowyard(*["echo" if argument == "gate" else argument for argument in arguments])
    assert (other.code, other.out) == (0, "null\n")  # a closed instance's ID is free


def test_components_say_what_they_can_and_whether_they_answer(
    flowyard: Command, components: Path, tmp_path: Path
) -> None:
    shown = flowyard("components", "--components", str(components))
    assert shown.code == 0
    assert re.search(r"^errands +workflow.engine +yes", shown.out, re.MULTILINE)
    told = flowyard("components", "--components", str(components), "--json").json
    (engine,) = (kind for kind in told["types"] if kind["name"] == "workflow.engine")
    assert "history" in engine["capabilities"]
    assert told["components"] == [
        {"name": "errands", "type": "workflow.engine", "reachable": True, "fault": None}
    ]
    broken = tmp_path / "broken.yaml"
    text = components.read_text().replace("connectionString", "conectionString")
    broken.write_text(text)
    refused = flowyard("components", "--components", str(broken))
    assert refused.code == codes.REFUSED
    assert "Did you mean" in " ".join(refused.out.split())
    assert flowyard("components", "--installed").code == 0
    missing = flowyard("components", "--components", str(tmp_path / "missing.yaml"))
    assert (missing.code, missing.out) == (codes.REFUSED, "")


def test_the_conformance_suite_runs_on_a_configured_component(components: Path) -> None:
    arguments = ["conformance", "errands", "--components", str(components)]
    program = [sys.executable, "-c", "from flowyard.cli.main import main; main()", *arguments]
    done = subprocess.run(
        [*program, "-k", "purge"], cwd=components.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE)


def test_the_conformance_suite_runs_on_a_component_of_another_block(
    components: Path, tmp_path: Path
) -> None:
    file = tmp_path / "with_state.yaml"
    file.write_text(
        f"{components.read_text()}\n---\napiVersion: dapr.io/v1alpha1\nkind: Component\n"
        "metadata: {name: kept}\nspec:\n  type: state.sqlite\n  metadata:\n"
        f"  - {{name: url, value: {tmp_path}/state.db}}\n  - {{name: keyPrefix, value: none}}\n"
    )
    arguments = ["conformance", "kept", "--components", str(file), "-k", "etag", "--json"]
    program = [sys.executable, "-c", "from flowyard.cli.main import main; main()", *arguments]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["component"], told["type"]) == ("kept", "state.sqlite")
    assert told["passed"] >= 10
    assert {test["outcome"] for test in told["tests"]} == {"passed"}


def test_the_version_is_told(flowyard: Command) -> None:
    assert flowyard("version").out == f"flowyard {version('flowyard')}\n"
    assert flowyard("version", "--json").json["flowyard"] == version("flowyard")


@pytest.mark.parametrize("command", _commands())
def test_every_command_has_help_and_is_documented(flowyard: Command, command: str) -> None:
    ended = flowyard(command, "--help")
    assert ended.code == 0
    assert f"flowyard {command}" in ended.out
    assert f"`flowyard {command}" in _DOCUMENT.read_text()


def test_a_shell_completes_commands_and_options() -> None:
    program = [sys.executable, "-c", "from flowyard.cli.main import main; main()"]
    for words, expected in (("flowyard re", {"resume", "rerun"}), ("flowyard get --j", {"--json"})):
        typed = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        environment = {**os.environ, "_FLOWYARD_COMPLETE": "complete_bash", **typed}
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
        assert set(done.stdout.split()) == expected


def test_every_exit_code_is_documented() -> None:
    text = _DOCUMENT.read_text()
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert documented == {0, *(var for var in vars(codes).values() if isinstance(var, int))}


def _imported_by(program: str, *libraries: str) -> list[str]:
    """Return which of the libraries a new process has imported at its end."""
    told = f"print([one for one in {libraries} if one in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"import atexit, sys; atexit.register(lambda: {told}); {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [str(warning) for warning in ast.literal_eval(done.stderr)]


def _command(*arguments: str) -> str:
    return f"from flowyard.cli.main import main; main({arguments})"


_SERVERS = ("starlette", "uvicorn", "grpc", "google.protobuf", "pytest")
# What httpx would take along, because it is installed in this environment.
_NEEDLESS = ("rich", "pygments", "click", "h2")


def test_the_library_is_imported_without_the_command_and_its_servers() -> None:
    assert _imported_by("import flowyard", *_SERVERS, *_NEEDLESS, "httpx", "typer") == []


def test_the_version_is_told_without_the_libraries_of_servers_and_clients() -> None:
    assert _imported_by(_command("version"), *_SERVERS, *_NEEDLESS, "httpx") == []


def test_a_state_is_printed_without_the_libraries_of_servers_and_tables(
    flowyard: Command, server: Server
) -> None:
    flowyard("start", "echo", "--id", "light", "--wait")
    for arguments in (("get", "light"), ("get", "light", "--json")):
        assert _imported_by(_command(*arguments), *_SERVERS, *_NEEDLESS) == []
