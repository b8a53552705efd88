"""Each example, run as its docstring says, prints what its docstring says, on each engine."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from examples.conftest import StartProgram

EXAMPLES = Path(__file__).parents[2] / "examples"
PROMPT = "$ python examples/"
CHANCE = re.compile(r"^\d+%$|^Round \d+ is done|^Resuming \S+ round \d+ was done")


def documentation(example: Path) -> list[str]:
    """The indented lines of an example's docstring."""
    text = ast.get_docstring(ast.parse(example.read_text())) or ""
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


def sessions(example: Path) -> list[tuple[list[str], list[str]]]:
    """The commands of a docstring, each with the lines that follow it."""
    found: list[tuple[list[str], list[str]]] = []
    for line in documentation(example):
        if line.startswith(PROMPT):
            found.append((line.removeprefix(PROMPT).split(), []))
        else:
            found[-1][1].append(line)
    return found


def matches(promised: str, printed: str) -> bool:
    """Compare two lines; an ellipsis stands for any text."""
    pattern = ".*".join(map(re.escape, promised.split("…")))
    return re.fullmatch(pattern, printed) is not None


def first_missing(promised: list[str], printed: list[str]) -> str | None:
    """Return the first promised line that does not follow those before it."""
    rest = iter(printed)
    for line in promised:
        if line.strip() != "…" and not any(matches(line, candidate) for candidate in rest):
            return line
    return None


def comparable(printed: list[str]) -> list[str]:
    """Return what does not depend on chance: what runs side by side prints in any order.

    Percentages are looked at now and then, and an endless workflow goes on before anybody looks.
    """
    return sorted(line for line in printed if not CHANCE.search(line))


@pytest.fixture(scope="session")
def printed_first() -> dict[Path, list[str]]:
    """What each example has printed on the engine that was the first to run it."""
    return {}


@pytest.mark.parametrize(
    "example",
    [path for path in sorted(EXAMPLES.glob("*.py")) if PROMPT in path.read_text()],
    ids=lambda path: path.stem,
)
def test_an_example_prints_what_its_docstring_promises_and_the_same_on_every_engine(
    start_program: StartProgram, printed_first: dict[Path, list[str]], example: Path
) -> None:
    documented = sessions(example)
    assert any(promised for _, promised in documented)
    everything: list[str] = []
    for command, promised in documented:
        printed = start_program(*command, "--pace", "0.02").finish()
        assert first_missing(promised, printed) is None, "\n".join(printed)
        everything += printed
    assert comparable(everything) == printed_first.setdefault(example, comparable(everything))


def test_every_example_that_runs_documents_its_output() -> None:
    runnable = {path for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text()}
    assert len(runnable) >= 10
    assert all(sessions(path) for path in runnable)
