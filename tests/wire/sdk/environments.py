"""Environments of their own for SDKs that exclude each other, made once and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flowyard" / "sdks"
APPS = Path(__file__).parent / "apps"


def python_with(*requirements: str) -> str:
    """Return a Python that has these installed, and nothing of ours."""

    def make(folder: Path) -> None:
        _run(sys.executable, "-m", "venv", str(folder))
        _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements)

    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = _made("-".join([version, *(one.replace("==", "-") for one in requirements)]), make)
    return str(folder / "bin" / "python")


def python_app(*requirements: str) -> list[str]:
    """Return what runs the Python application with one version of its SDK."""
    return [python_with(*requirements), str(APPS / "dapr_python.py")]


def node_app() -> list[str]:
    """Return what runs the JavaScript application."""

    def make(folder: Path) -> None:
        shutil.copytree(APPS / "dapr_js", folder)
        _run("npm", "install", "--silent", "--no-audit", "--no-fund", folder=folder)

    return ["node", str(_made(f"js-{_digest(APPS / 'dapr_js')}", make) / "app.js")]


def java_app() -> list[str]:
    """Return what runs the Java application."""

    def make(folder: Path) -> None:
        shutil.copytree(APPS / "dapr_java", folder)
        goals = ("compile", "dependency:copy-dependencies", "-DoutputDirectory=lib")
        _run("mvn", "--quiet", "--batch-mode", *goals, folder=folder)

    folder = _made(f"java-{_digest(APPS / 'dapr_java')}", make)
    return ["java", "-cp", f"{folder / 'target' / 'classes'}:{folder / 'lib'}/*", "example.App"]


def _made(name: str, make: Callable[[Path], None]) -> Path:
    folder = _CACHE / name
    made = folder / "made"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        make(folder)
        made.touch()
    return folder


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _run(*command: str, folder: Path | None = None) -> None:
    if shutil.which(command[0]) is None:
        _unavailable(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip()[-500:]
        _unavailable(f"{' '.join(command)} failed: {output}")


def _unavailable(reason: str) -> None:
    if os.environ.get("FLOWYARD_REQUIRE_LIVE"):
        pytest.fail(reason)
    pytest.skip(reason)
