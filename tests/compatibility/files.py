"""The files of data: `NAME.sql`, `NAME.sql.xz` or `NAME.runs.xz`, and `NAME.json` beside it."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

_KIND = re.compile(r"\.(sql|runs)(\.xz)?$")


def name_of(file: Path) -> str:
    """Return the name of the data in a file."""
    return _KIND.sub("", file.name)


def read_text(file: Path) -> str:
    """Read a file that is compressed if its name says so."""
    if file.suffix == ".xz":
        return lzma.decompress(file.read_bytes()).decode()
    return file.read_text()


def write_text(file: Path, text: str) -> None:
    """Write one."""
    if file.suffix == ".xz":
        file.write_bytes(lzma.compress(text.encode(), preset=9))
    else:
        file.write_text(text)
