"""What is built and installed: one distribution of our own, and one for each adapter."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Distribution:
    """Where one is built from, and the packages that it has."""

    folder: str
    packages: tuple[str, ...]


DISTRIBUTIONS = {
    "flowyard": Distribution(
        ".", ("core/flowyard", "components/flowyard_blocks", "components/flowyard_engine")
    ),
    "flowyard-temporal": Distribution(
        "adapters/temporal", ("adapters/temporal/flowyard_temporal",)
    ),
    "flowyard-conductor": Distribution(
        "adapters/conductor", ("adapters/conductor/flowyard_conductor",)
    ),
}


def build(name: str, into: Path) -> tuple[Path, Path]:
    """Build the source distribution from its folder, and the wheel from that."""
    hatch = (sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", into)
    run(*hatch, cwd=CHECKOUT / DISTRIBUTIONS[name].folder)
    stem = name.replace("-", "_")
    (source,) = into.glob(f"{stem}-*.tar.gz")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps")
    run(*pip, "--no-build-isolation", "--wheel-dir", into, source, cwd=into)
    (wheel,) = into.glob(f"{stem}-*.whl")
    return source, wheel


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that knows nothing of this checkout, and return what it prints."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
