"""Tests on Conductor run in two processes at most, and all others beside them."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parent
TEST = """
import os

def test_one(tmp_path_factory):
    base = tmp_path_factory.getbasetemp().parent
    (base / f"{__name__}.{os.environ['PYTEST_XDIST_WORKER']}").touch()
"""


def test_two_processes_have_all_tests_on_conductor(tmp_path: Path) -> None:
    names = [f"test_{kind}_{number}" for kind in ("conductor", "other") for number in range(6)]
    for name in names:
        (tmp_path / f"{name}.py").write_text(TEST)
    base = tmp_path / "base"
    options = ("-n", "4", "--dist", "loadscope", "--no-loadscope-reorder", "-p", "parallel")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *options, "--basetemp", str(base)),
            *("-o", f"pythonpath={TESTS}", "--rootdir", str(tmp_path)),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "12 passed" in done.stdout, done.stdout + done.stderr
    workers: dict[str, set[str]] = defaultdict(set)
    for file in base.glob("test_*.gw?"):
        workers[file.name.split("_")[1]].add(file.suffix)
    assert len(workers["conductor"]) == 2
    assert workers["other"] > workers["conductor"] or workers["other"] - workers["conductor"]
