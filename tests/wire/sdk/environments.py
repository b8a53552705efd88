"""Environments of their own for SDKs that exclude each other, made once and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flowyard" / "sdks"


def python_with(*requirements: str) -> str:
    """Return a Python that has these installed; skip the test where they cannot be had."""
    name = "-".join(one.replace("==", "-") for one in requirements)
    folder = _CACHE / f"py{sys.version_info.major}{sys.version_info.minor}-{name}"
    python = folder / "bin" / "python"
    made = folder / "made"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", *requirements)
        made.touch()
    return str(python)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    reason = f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}"
    if os.environ.get("FLOWYARD_REQUIRE_LIVE"):
        pytest.fail(reason)
    pytest.skip(reason)
