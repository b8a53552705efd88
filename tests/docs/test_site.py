"""The site of the documentation (`make docs`, which needs more than tests do) has every page."""

from __future__ import annotations

import re

from docs.pages import DOCS, ROOT


def test_every_page_has_a_place_in_the_navigation() -> None:
    navigation = re.search(r"^nav:\n(.*?)\n\n", (ROOT / "mkdocs.yml").read_text(), re.M | re.S)
    assert navigation is not None
    placed = re.findall(r"[\w.-]+\.md$", navigation[1], re.MULTILINE)
    assert {page.name for page in DOCS.glob("*.md")} <= set(placed)


def test_the_programs_of_the_site_are_pinned_and_agree_with_ours() -> None:
    pinned = (DOCS / "requirements.txt").read_text().splitlines()[1:]
    assert [line for line in pinned if re.fullmatch(r"[\w.\-]+==[\w.+!]+", line) is None] == []
    (ruff,) = [line for line in pinned if line.startswith("ruff==")]
    assert ruff in (ROOT / "constraints.txt").read_text().splitlines()
