"""Environments of their own for SDKs that exclude each other, made once and kept."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from servers.cache import digest, kept, run
from servers.fixtures import required

APPS = Path(__file__).parent / "apps"
# The last whose `DaprClient` manages workflows.
PYTHON_1_17 = ("dapr==1.17.5", "dapr-ext-workflow==1.17.5")
PYTHON_1_18 = ("dapr==1.18.3", "dapr-ext-workflow==1.18.3")
PYTHON_1_19 = ("dapr==1.19.0",)


def python_with(*requirements: str) -> str:
    """Return a Python that has these installed, and nothing of ours."""

    def make(folder: Path) -> None:
        run(sys.executable, "-m", "venv", str(folder))
        run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements)

    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    name = "-".join([version, *(requirement.replace("==", "-") for requirement in requirements)])
    return str(_made(name, make) / "bin" / "python")


def python_app(*requirements: str) -> list[str]:
    """Return what runs the Python application with one version of its SDK."""
    return [python_with(*requirements), str(APPS / "dapr_python.py")]


def node_app(name: str = "app.js") -> list[str]:
    """Return what runs a JavaScript application."""

    def make(folder: Path) -> None:
        shutil.copytree(APPS / "dapr_js", folder, dirs_exist_ok=True)
        run("npm", "install", "--silent", "--no-audit", "--no-fund", folder=folder)

    return ["node", str(_made(f"js-{digest(APPS / 'dapr_js')}", make) / name)]


def java_app() -> list[str]:
    """Return what runs the Java application."""

    def make(folder: Path) -> None:
        shutil.copytree(APPS / "dapr_java", folder, dirs_exist_ok=True)
        goals = ("compile", "dependency:copy-dependencies", "-DoutputDirectory=lib")
        run("mvn", "--quiet", "--batch-mode", *goals, folder=folder)

    folder = _made(f"java-{digest(APPS / 'dapr_java')}", make)
    return ["java", "-cp", f"{folder / 'target' / 'classes'}:{folder / 'lib'}/*", "example.App"]


def _made(name: str, make: Callable[[Path], None]) -> Path:
    return required(lambda: kept(f"sdks/{name}", make))
