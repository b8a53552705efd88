"""The README, executed: its code, its configuration, what it says is printed, and its commands."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from shutil import copytree, ignore_patterns

import httpx
import pytest
from temporalio.client import Client

from servers.fixtures import StartConductor, StartTemporal

ROOT = Path(__file__).parent.parent
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Under `make test`, a make started from here must not inherit its variables.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
_FILE_NAME = re.compile(r"# (\S+\.(?:py|yaml))\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of the README."""

    language: str
    text: str

    @property
    def file_name(self) -> str:
        """What the block's first line says it is called."""
        match = _FILE_NAME.match(self.text)
        assert match is not None, f"the first line of a block has to name its file:\n{self.text}"
        return match[1]


BLOCKS = [Block(*found) for found in _FENCE.findall((ROOT / "README.md").read_text())]
COMMANDS = [
    line.removeprefix("$ ")
    for block in BLOCKS
    if block.language == "console"
    for line in block.text.splitlines()
]

# What changes the engine, and what the README tells to do then.
CHANGES = [
    (change, commands)
    for change, commands in pairwise(BLOCKS)
    if change.language == "diff" and commands.language == "console"
]
AFTER_A_CHANGE = {
    line.removeprefix("$ ") for _, block in CHANGES for line in block.text.splitlines()
}
# Where the README has the servers.
TEMPORAL_PORT, CONDUCTOR_PORT = 7233, 8080


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write every file that the README shows into one folder."""
    for block in BLOCKS:
        if block.language in {"python", "yaml"}:
            (tmp_path / block.file_name).write_text(block.text)
    return tmp_path


def test_the_programs_print_what_the_readme_says(folder: Path) -> None:
    programs = [
        block.file_name
        for block in BLOCKS
        if block.language == "python" and not block.file_name.startswith("test_")
    ]
    printed = "".join(_run([sys.executable, program], folder) for program in programs)
    assert printed == "".join(block.text for block in BLOCKS if block.language == "text")


def test_the_test_of_the_readme_passes(folder: Path) -> None:
    (folder / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n")
    printed = _run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], folder)
    assert "1 passed" in printed


def test_the_types_of_the_readme_are_strict(folder: Path) -> None:
    # Where the packages are is told by path: type checkers do not follow an editable installation.
    path = os.pathsep.join(str(ROOT / part) for part in ("core", "components"))
    files = [str(file) for file in sorted(folder.glob("*.py"))]
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache")]
    _run([*command, *files], folder, MYPYPATH=path)


@pytest.mark.timeout(1200)
def test_the_commands_work_in_a_fresh_checkout(tmp_path: Path) -> None:
    checkout = _copy_to(tmp_path)
    python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    printed = {}
    # Into an environment of its own, as the README says; this one is in use.
    _run([sys.executable, "-m", "venv", "own"], checkout)
    for command in COMMANDS:
        if command.startswith("flowyard ") or command in AFTER_A_CHANGE:
            continue
        command = command.replace("python3", "own/bin/python")
        printed[command] = _run(["sh", "-c", command], checkout, PATH=python)
    assert "COMPLETED" in printed["make demo"]
    assert "make demo" in printed["make help"]
    _run(["own/bin/python", "-c", "import flowyard, flowyard_engine"], checkout)


@pytest.mark.timeout(1200)
async def test_the_demo_runs_on_temporal_after_the_change_of_one_line(
    tmp_path: Path, start_temporal: StartTemporal
) -> None:
    in_use = _somebody_listens_on(TEMPORAL_PORT)
    with nullcontext() if in_use else start_temporal(port=TEMPORAL_PORT):
        client = await Client.connect(f"localhost:{TEMPORAL_PORT}")
        began = datetime.now(UTC)
        instance_id = await asyncio.to_thread(_run_changed, "temporal", tmp_path)
        found = await client.get_workflow_handle(instance_id).describe()
    assert found.workflow_type == "process_order"
    assert found.start_time > began


@pytest.mark.timeout(900)
def test_the_demo_runs_on_conductor_after_the_change_of_one_line(
    tmp_path: Path, start_conductor: StartConductor
) -> None:
    in_use = _somebody_listens_on(CONDUCTOR_PORT)
    with nullcontext() if in_use else start_conductor(port=CONDUCTOR_PORT):
        began = time.time()
        instance_id = _run_changed("conductor", tmp_path)
        query = {"query": f"correlationId='{instance_id}'", "sort": "startTime:DESC"}
        url = f"http://localhost:{CONDUCTOR_PORT}/api/workflow/search"
        found = httpx.get(url, params=query).raise_for_status().json()["results"][0]
    assert found["workflowType"] == "flowyard.process_order"
    assert found["status"] == "COMPLETED"
    assert datetime.fromisoformat(found["startTime"]).timestamp() > began - 1


def test_what_the_readme_serves_can_be_managed_as_it_says(folder: Path) -> None:
    serve, *manage = [command for command in COMMANDS if command.startswith("flowyard ")]
    assert serve.startswith("flowyard serve ")
    commands = Path(sys.executable).parent
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    # On free ports: the usual ones may be in use here.
    ports = ["--http-port", "0", "--grpc-port", "0"]
    server = subprocess.Popen(
        [commands / "flowyard", *shlex.split(serve)[1:], *ports],
        cwd=folder,
        env=_ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout is not None
    try:
        said = server.stdout.readline()
        url = said.partition("HTTP on ")[2].partition(" ")[0].strip()
        assert url, said
        printed = [
            _run(["sh", "-c", command], folder, PATH=path, FLOWYARD_URL=url) for command in manage
        ]
        assert "COMPLETED" in printed[-1]
    finally:
        server.terminate()
        server.communicate()
    assert server.returncode == 0


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_figure_of_the_readme_is_on_the_page_of_benchmarks() -> None:
    figures = _figures(ROOT / "README.md")
    assert len(figures) == 6
    assert set(figures) <= set(_figures(ROOT / "docs" / "benchmarks.md"))


def _figures(page: Path) -> list[str]:
    """Return the rows of the tables of figures: what was measured has its range in brackets."""
    return re.findall(r"^\| .*? \| [\d.,]+ \(.*$", page.read_text(), re.MULTILINE)


def _run_changed(engine: str, folder: Path) -> str:
    """Do what the README says to run the demo on an engine; return the ID of its order."""
    checkout = _copy_to(folder)
    components = checkout / "components.yaml"
    (change, commands), *others = [
        change for change in CHANGES if f"workflow.{engine}" in change[0].text
    ]
    assert not others
    title, *changed = change.text.splitlines()
    assert title == "--- components.yaml"
    (removed,) = [line[1:] for line in changed if line.startswith("-")]
    (added,) = [line[1:] for line in changed if line.startswith("+")]
    lines = components.read_text().splitlines()
    assert lines.count(removed) == 1
    components.write_text("\n".join(added if line == removed else line for line in lines))

    # Into an environment of its own, as the README says; this one is in use.
    _run([sys.executable, "-m", "venv", "own"], checkout)
    printed = ""
    for line in commands.text.splitlines():
        command = line.removeprefix("$ ").replace("python3", "own/bin/python")
        printed = _run(["sh", "-c", command], checkout)
    assert "COMPLETED" in printed
    assert not (checkout / "flowyard.db").exists()
    *_, instance_id = re.findall(r"Started (\S+)\.", printed)
    return str(instance_id)


def _copy_to(folder: Path) -> Path:
    checkout = folder / "checkout"
    copytree(ROOT, checkout, ignore=ignore_patterns(".git", ".*_cache", ".venv*", "build", "*.db*"))
    return checkout


def _somebody_listens_on(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _run(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**_ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}"
    return done.stdout
