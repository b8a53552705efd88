"""The pages that compare and explain name what there is."""

from __future__ import annotations

import re

import pytest

from docs.pages import DOCS, ROOT

_ROW = re.compile(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|", re.MULTILINE)
_NAMED = re.compile(r"^\| (\d+) \||\(deviation (\d+), ", re.MULTILINE)


@pytest.mark.parametrize("engine", ["Temporal", "Conductor"])
def test_a_page_names_every_deviation_of_its_engine(engine: str) -> None:
    rows = _ROW.findall((DOCS / "deviations.md").read_text())
    page = (DOCS / f"coming-from-{engine.lower()}.md").read_text()
    named = {match[1] or match[2] for match in _NAMED.finditer(page)}
    assert named == {number for number, where in rows if where == engine}


def test_a_class_that_the_architecture_names_exists() -> None:
    page = (DOCS / "architecture.md").read_text()
    named = set(re.findall(r"`(?:flowyard\.backend\.)?([A-Z][a-z]+(?:[A-Z][a-z]+)*)`", page))
    source = "\n".join(
        file.read_text() for part in ("core", "components") for file in (ROOT / part).rglob("*.py")
    )
    assert {"Execution", "Host", "Journal", "Machine", "Store"} <= named
    assert {name for name in named if not re.search(rf"^class {name}\b", source, re.M)} == set()
