"""What live tests need and we do not keep: made once, outside the tree."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

Say = Callable[[str], None]


class Unavailable(Exception):
    """What a live test needs cannot be had here."""


def silently(_: str) -> None:
    """Say nothing."""


def kept(name: str, make: Callable[[Path], None], say: Say = silently) -> Path:
    """Return the folder of this name; unless it is there, make it, in one process at a time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "flowyard" / name
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        say(f"Making {folder}: once, this takes some minutes.")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


def digest(folder: Path) -> str:
    """Return what changes with any file of the folder."""
    found = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{file.relative_to(folder)}\0".encode())
        found.update(file.read_bytes())
    return found.hexdigest()[:16]


def run(*command: str, folder: Path | None = None) -> None:
    """Run a command that makes something."""
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip()[-500:]
        raise Unavailable(f"{' '.join(command)} failed: {output}")
