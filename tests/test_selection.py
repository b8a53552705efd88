"""What takes long, or needs a server, is left out, and what was to be compared is missed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_plain(): pass

@pytest.mark.long
def test_long(): pass

@pytest.mark.live
def test_marked(): pass

def test_with_a_server(temporal_server): pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with tests, and the options and hooks of ours."""
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(
        "import pytest\npytest_plugins = ('selection', 'support_page')\n"
        "@pytest.fixture\ndef temporal_server(): pass\n"
    )
    markers = "markers = long\n  live\n"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\ntestpaths = .\n{markers}")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ([], "3 passed, 1 deselected"),
        (["--long"], "4 passed"),
        (["--long", "-m", "long"], "1 passed, 3 deselected"),
        (["--no-live"], "1 passed, 3 deselected"),
        (["-n", "2", "--no-live"], "1 passed"),
    ],
)
def test_a_run_has_what_its_options_say(folder: Path, options: list[str], counts: str) -> None:
    run = run_tests(folder, *options)
    assert run.returncode == 0, run.stdout
    assert f" {counts} in " in run.stdout, run.stdout


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_run_of_everything_has_to_have_the_whole_suite(folder: Path, processes: str) -> None:
    run = run_tests(folder, "-n", processes, required=True)
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "docs/support.md was not compared" in run.stdout
    assert run_tests(folder, "-n", processes, "test_it.py", required=True).returncode == 0


def run_tests(
    folder: Path, *arguments: str, required: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run them; `required` is for a run in which nothing may be left out for want of a server."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    environment["FLOWYARD_REQUIRE_LIVE"] = "1" if required else ""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
