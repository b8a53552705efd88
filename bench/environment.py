"""Environments of their own for what is measured against but excludes our dependencies."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "build" / "environments"


def python_with(*requirements: str) -> str:
    """Return a Python that has these installed, and nothing of ours; it is made once and kept."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = _FOLDER / "-".join(
        [version, *(requirement.replace("==", "-") for requirement in requirements)]
    )
    python = str(folder / "bin" / "python")
    made = folder / "made"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        made.touch()
    return python
