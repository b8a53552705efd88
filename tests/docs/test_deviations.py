"""A deviation is cited by its number and its name, and both are those of one row of the page.

So a row that is inserted, which would give the rows after it other numbers, is noticed wherever
one of them is cited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from docs.pages import DOCS, ROOT

_PAGE = DOCS / "deviations.md"
_ROW = re.compile(r"^\| (\d+) \| ([^|]+) \|", re.MULTILINE)
_NUMBERED = re.compile(r"deviations?(?:\.md)?[^\w|]*(?:deviations\.md[^\w|]*)?(\d+)", re.IGNORECASE)
_TABLE = re.compile(r"^\| # \| name \|.*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)
# A citation in a comment may go on in the next line.
_LINE_BREAK = re.compile(r"\s*\n\s*(?:#|//|--)?\s*")

ROWS: Mapping[str, str] = dict(_ROW.findall(_PAGE.read_text()))
"""The names of the deviations, by their numbers."""


def mistakes(text: str, rows: Mapping[str, str] = ROWS) -> Iterator[str]:
    """Yield the citations whose number or name is not that of a row, or that lack a name."""
    line = _LINE_BREAK.sub(" ", text)
    for match in _NUMBERED.finditer(line):
        number = match[1]
        right = f"deviation {number}, {rows[number]}" if number in rows else None
        cited = line[match.start() :][: 80 if right is None else len(right) + 1]
        if right is None or not re.match(rf"{re.escape(right)}\b", cited, re.IGNORECASE):
            yield f"{cited!r} should be {right!r}"
    for table in _TABLE.findall(text):
        for number, name in _ROW.findall(table):
            if rows.get(number) != name:
                yield f"the row '| {number} | {name} |' should have {rows.get(number)!r}"


_CITING = sorted(
    file
    for folder in ("core", "components", "adapters", "tests", "docs", "examples", "bench")
    for suffix in ("py", "proto", "sql", "md")
    for file in (ROOT / folder).rglob(f"*.{suffix}")
    if file not in {_PAGE, Path(__file__)} and "deviation" in file.read_text().lower()
) + [file for file in ROOT.glob("*.md") if "deviation" in file.read_text()]


@pytest.mark.parametrize("file", _CITING, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_citation_has_the_number_and_the_name_of_a_row(file: Path) -> None:
    assert list(mistakes(file.read_text())) == []


def test_each_row_has_a_number_and_a_name_of_its_own() -> None:
    numbers = [int(number) for number, _ in _ROW.findall(_PAGE.read_text())]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(set(ROWS.values())) == len(numbers)


def test_a_row_that_is_inserted_is_noticed_where_the_next_ones_are_cited() -> None:
    shifted = {str(int(number) + 1): name for number, name in ROWS.items()}
    cited = f"# Deviation 57, {ROWS['57']}\n| # | name |\n|---|---|\n| 57 | {ROWS['57']} |\n"
    assert list(mistakes(cited)) == []
    assert len(list(mistakes(cited, shifted))) == 2
    noticed = {file.name for file in _CITING if list(mistakes(file.read_text(), shifted))}
    assert {"conftest.py", "support.md", "verdict.py", "coming-from-temporal.md"} <= noticed


@pytest.mark.parametrize(
    "cited",
    [
        "deviation {number}",
        "deviation {number}: {name}",
        "deviations {number} and 3",
        "docs/deviations.md, {number}",
        "[deviations](deviations.md) {number} to 10",
        "deviation {number}, {name}s",
        "deviation 9999, {name}",
    ],
)
def test_a_citation_of_another_form_is_a_mistake(cited: str) -> None:
    text = cited.format(number=57, name=ROWS["57"])
    assert len(list(mistakes(f"# {text} and\n# more"))) == 1


def test_a_citation_may_be_broken_into_two_lines() -> None:
    first, last = ROWS["57"].split(" ", 1)
    assert list(mistakes(f"    # (deviation\n    # 57, {first}\n    # {last})")) == []
