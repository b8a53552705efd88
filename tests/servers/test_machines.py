"""Live tests where nothing is installed: they use a server that runs already, or say what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
TEMPORAL = "test_temporal_server.py::test_a_namespace_is_ready_and_can_pause"
CONDUCTOR = "test_conductor_server.py::test_the_server_of_the_session_is_healthy"


def test_a_running_temporal_server_is_used(temporal_server: str, tmp_path: Path) -> None:
    said = live_test(TEMPORAL, tmp_path, FLOWYARD_TEMPORAL_ADDRESS=temporal_server)
    assert "1 passed" in said
    assert "Making" not in said


def test_a_running_conductor_server_is_used(conductor_server: str, tmp_path: Path) -> None:
    said = live_test(CONDUCTOR, tmp_path, FLOWYARD_CONDUCTOR_URL=conductor_server)
    assert "1 passed" in said
    assert "Making" not in said


def test_without_one_a_live_test_is_skipped_and_says_what_to_install(tmp_path: Path) -> None:
    said = live_test(TEMPORAL, tmp_path)
    assert "1 skipped" in said
    assert "SKIPPED [1]" in said
    assert "Install Go" in said


def test_where_everything_is_required_it_fails_and_says_what_to_install(tmp_path: Path) -> None:
    said = live_test(TEMPORAL, tmp_path, FLOWYARD_REQUIRE_LIVE="1")
    assert "1 error" in said
    assert "Install Go" in said


def live_test(test: str, folder: Path, **environment: str) -> str:
    """Run a test where nothing is installed or kept, and return what pytest says."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("FLOWYARD_")}
    bare = {"PATH": str(folder), "XDG_CACHE_HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", FOLDER / test],
        env={**own, **bare, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
