"""The programs of the documentation print what their pages say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs.pages import DOCS, ROOT, Program, blocks, programs, write_files

PROGRAMS = [program for page in sorted(DOCS.glob("*.md")) for program in programs(page)]
# What is written with the SDK of another engine, or for a server: `test_before.py` runs it.
FOREIGN = {
    "manage_conductor.py",
    "manage_temporal.py",
    "orders_conductor.py",
    "orders_dapr.py",
    "orders_dbos.py",
    "orders_temporal.py",
}
OWN = [program for program in PROGRAMS if program.name not in FOREIGN]
PAGES = sorted({program.page for program in OWN})
TESTED = [
    page
    for page in sorted(DOCS.glob("*.md"))
    if any((block.file_name or "").startswith("test_") for block in blocks(page))
]


@pytest.mark.parametrize("program", OWN, ids=str)
def test_a_program_prints_what_its_page_says(program: Program, tmp_path: Path) -> None:
    write_files(DOCS / f"{program.page}.md", tmp_path)
    assert run(program.name, folder=tmp_path) == program.output


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where mypy keeps what it knows of the libraries, from one page to the next."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize("page", PAGES)
def test_the_types_of_a_page_are_strict(page: str, tmp_path: Path, cache: Path) -> None:
    files = [
        file.name
        for file in write_files(DOCS / f"{page}.md", tmp_path)
        if file.suffix == ".py" and file.name not in FOREIGN
    ]
    # Where the packages are is told by path: type checkers do not follow an editable installation.
    path = os.pathsep.join(str(ROOT / part) for part in ("core", "components"))
    command = ("-m", "mypy", "--strict", "--cache-dir", str(cache))
    run(*command, *files, folder=tmp_path, MYPYPATH=path)


@pytest.mark.parametrize("page", TESTED, ids=lambda page: page.stem)
def test_the_tests_of_a_page_pass(page: Path, tmp_path: Path) -> None:
    files = [file.name for file in write_files(page, tmp_path)]
    tests = [name for name in files if name.startswith("test_")]
    (tmp_path / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n")
    printed = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, folder=tmp_path)
    assert " passed" in printed


def run(*arguments: str, folder: Path, **environment: str) -> str:
    """Return what a program prints that ends well."""
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join(str(Path(place).absolute()) for place in inherited if place)
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "error", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{arguments} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout
