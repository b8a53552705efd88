"""Every link of the documentation leads somewhere, and no page is too long to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.pages import DOCS, ROOT, headings, links

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
_LONGEST = 250
# It is looked up by its numbers, and not read.
_REFERENCE = "protocol.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    broken: list[str] = []
    for link in links(page):
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        is_there = target.exists()
        if not is_there or (heading and heading not in headings(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_a_page_is_short(page: Path) -> None:
    if page.name != _REFERENCE:
        assert len(page.read_text().splitlines()) <= _LONGEST
