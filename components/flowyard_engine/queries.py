"""The SQL of the engine, read from the .sql files by name."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_FOLDER = files("flowyard_engine") / "sql"

QUERIES: dict[str, str] = {
    name: text.strip()
    for name, text in re.findall(
        r"^-- name: (\w+)\n(.*?)(?=^-- name:|\Z)",
        (_FOLDER / "queries.sql").read_text(),
        re.MULTILINE | re.DOTALL,
    )
}


@cache
def for_rows(query: str, count: int) -> str:
    """Return an INSERT of one row made into one of many."""
    return re.sub(r"(?<=VALUES )\([?, ]+\)", lambda row: ", ".join([row[0]] * count), query)
