"""What the pages of the documentation show: files, the output of programs, links and headings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Indented ones too: a list may hold a block.
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"# (\w+\.(?:py|yaml))\n")
_HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`]*`")
_SCHEME = re.compile(r"[a-z]+:")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str

    @property
    def file_name(self) -> str | None:
        """What the first line says that it is called, where it does."""
        match = _FILE_NAME.match(self.text)
        return None if match is None else match[1]


@dataclass(frozen=True, slots=True)
class Program:
    """A file of a page that is followed by what it prints."""

    page: str
    name: str
    output: str

    def __str__(self) -> str:
        return f"{self.page}-{self.name}"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    return [Block(language, text) for _, language, text in _FENCE.findall(page.read_text())]


def programs(page: Path) -> list[Program]:
    """Return the programs of a page."""
    return [
        Program(page.stem, block.file_name, printed.text)
        for block, printed in itertools.pairwise(blocks(page))
        if block.language == "python" and block.file_name and printed.language == "text"
    ]


def write_files(page: Path, folder: Path) -> list[Path]:
    """Write every file that a page shows into a folder."""
    written: list[Path] = []
    for block in blocks(page):
        if block.language in {"python", "yaml"} and block.file_name:
            file = folder / block.file_name
            assert file not in written, f"{page.name} shows {file.name} twice"
            file.write_text(block.text)
            written.append(file)
    return written


def headings(page: Path) -> set[str]:
    """Return what links to a heading of the page may end with."""
    found: set[str] = set()
    for heading in _HEADING.findall(_prose(page)):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names = itertools.chain([anchor], (f"{anchor}-{number}" for number in itertools.count(1)))
        found.add(next(name for name in names if name not in found))
    return found


def links(page: Path) -> Iterator[str]:
    """Yield the links of a page to what the repository holds."""
    for link in _LINK.findall(_CODE.sub("", _prose(page))):
        if not _SCHEME.match(link):
            yield link


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text())
