"""What the documentation shows of other engines' SDKs is theirs, and prints what the page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from docs.pages import DOCS, blocks, programs, write_files
from docs.test_pages import FOREIGN
from wire.sdk.environments import PYTHON_1_18, python_with
from wire.sdk.programs import serving

_DBOS = "dbos==3.4.0"


@pytest.mark.parametrize("engine", ["conductor", "dapr", "dbos", "temporal"])
def test_a_page_shows_a_program_of_its_engine_that_can_be_read(engine: str) -> None:
    shown = {block.file_name: block.text for block in blocks(_page(engine))}
    assert f"orders_{engine}.py" in FOREIGN
    compile(shown[f"orders_{engine}.py"], f"orders_{engine}.py", "exec")


def test_the_program_for_dapr_runs_on_flowyard_as_it_is(tmp_path: Path) -> None:
    write_files(_page("dapr"), tmp_path)
    python = python_with(*PYTHON_1_18)
    with serving(tmp_path / "components.yaml") as server:
        address = {"DAPR_RUNTIME_HOST": "127.0.0.1", "DAPR_GRPC_PORT": str(server.port)}
        assert _run(python, "orders_dapr.py", tmp_path, **address) == _output("dapr")


def test_the_program_for_dbos_runs(tmp_path: Path) -> None:
    assert _DBOS.replace("==", "` ") in _page("dbos").read_text()
    write_files(_page("dbos"), tmp_path)
    assert _run(python_with(_DBOS), "orders_dbos.py", tmp_path) == _output("dbos")


def test_the_program_for_temporal_runs_is_managed_and_moves(
    tmp_path: Path, temporal_server: str
) -> None:
    _write_for_server(_page("temporal"), tmp_path, "localhost:7233", temporal_server)
    _all_print_what_the_page_says("temporal", tmp_path)


def test_the_program_for_conductor_runs_is_managed_and_moves(
    tmp_path: Path, conductor_server: str
) -> None:
    _write_for_server(_page("conductor"), tmp_path, "http://localhost:8080", conductor_server)
    _all_print_what_the_page_says("conductor", tmp_path)


def _all_print_what_the_page_says(engine: str, folder: Path) -> None:
    """Run the programs of a page in their order, the last one on the same server as the first."""
    # The server is shared, and so is the default queue of its component type.
    queue = f"  - name: taskQueue\n    value: {uuid4().hex}\n"
    server = (folder / f"{engine}.yaml").read_text()
    (folder / "components.yaml").write_text(f"{server}{queue}")
    for program in programs(_page(engine)):
        assert _run(sys.executable, program.name, folder) == program.output


def _write_for_server(page: Path, folder: Path, shown: str, server: str) -> None:
    """Write the files of a page, with the address of a server of ours."""
    for file in write_files(page, folder):
        file.write_text(file.read_text().replace(shown, server))


def _page(engine: str) -> Path:
    return DOCS / f"coming-from-{engine}.md"


def _output(engine: str) -> str:
    (output,) = (
        program.output
        for program in programs(_page(engine))
        if program.name == f"orders_{engine}.py"
    )
    return output


def _run(python: str, program: str, folder: Path, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if python == sys.executable:
        inherited["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    done = subprocess.run(
        [python, program],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{program} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout
