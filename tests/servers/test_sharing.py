"""The processes of one test run share a server, and it ends with the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

TESTS = Path(__file__).parents[1]
PLUGINS = ("servers.sharing", "servers.fixtures")
TEST = """
def test_it(temporal_server, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp().parent
    (folder / __name__).write_text(temporal_server)
"""


@pytest.mark.usefixtures("start_temporal")  # its program is there
def test_the_first_process_starts_it_and_the_last_ends_it(tmp_path: Path) -> None:
    for name in ("test_one", "test_other"):
        (tmp_path / f"{name}.py").write_text(TEST)
    run = run_tests(tmp_path, "-n", "2", "--dist", "loadfile", "--basetemp", str(tmp_path / "base"))
    assert "2 passed" in run.stdout, run.stdout
    one, other = ((tmp_path / "base" / name).read_text() for name in ("test_one", "test_other"))
    assert one == other
    with grpc.insecure_channel(one) as channel, pytest.raises(grpc.FutureTimeoutError):
        grpc.channel_ready_future(channel).result(timeout=1)


def run_tests(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests in the folder with the plugins of ours."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--rootdir", str(folder), "-c", os.devnull),
            *(word for plugin in PLUGINS for word in ("-p", plugin)),
            *arguments,
            str(folder),
        ],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
