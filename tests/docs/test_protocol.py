"""The page on the protocol has each section that the code cites, and the numbers of the schema."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.pages import DOCS, ROOT
from flowyard.server.grpc.values import STATUSES
from flowyard.wire.v1 import taskhub_pb2 as wire

_PAGE = DOCS / "protocol.md"
_TEXT = _PAGE.read_text()
_SECTION = re.compile(r"§(\d+)")
_CITING = sorted(
    file
    for folder in ("core", "components", "adapters", "tests", "docs", "examples", "bench")
    for suffix in ("py", "proto", "md")
    for file in (ROOT / folder).rglob(f"*.{suffix}")
    if _SECTION.search(file.read_text())
)


@pytest.mark.parametrize("file", _CITING, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_section_that_is_cited_is_a_heading_of_the_page(file: Path) -> None:
    text = file.read_text()
    headings = re.findall(r"^## (\d+)\. ", _TEXT, re.MULTILINE)
    assert set(_SECTION.findall(text)) <= set(headings)
    if file != _PAGE:
        elsewhere = [line for line in text.splitlines() if _SECTION.search(line)]
        assert [line for line in elsewhere if "docs/protocol.md §" not in line] == []


def test_the_code_cites_the_page() -> None:
    assert len(_CITING) > 5


@pytest.mark.parametrize(
    ("section", "message", "oneof"),
    [(8, wire.HistoryEvent, "event_type"), (9, wire.WorkflowAction, "workflow_action_type")],
    ids=["events", "actions"],
)
def test_a_table_has_the_numbers_of_the_schema(
    section: int, message: type[wire.HistoryEvent | wire.WorkflowAction], oneof: str
) -> None:
    fields = message.DESCRIPTOR.oneofs_by_name[oneof].fields
    assert _numbered(section) == [(field.number, field.name) for field in fields]


def test_the_statuses_have_the_numbers_of_the_code() -> None:
    assert _numbered(14) == list(enumerate(map(str, STATUSES)))


def _numbered(section: int) -> list[tuple[int, str]]:
    """Return the rows of a section's table that begin with a number and a name."""
    text = _TEXT.partition(f"\n## {section}. ")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", text, re.MULTILINE)
    return [(int(number), name) for number, name in rows]
