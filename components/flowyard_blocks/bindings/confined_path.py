"""Paths below a folder, which neither `..` nor a symbolic link leads out of."""

from __future__ import annotations

import os
from pathlib import Path

_MOST_LINKS = 255


def confined(root: Path, name: str) -> Path:
    """Return where a name leads if the folder were the root of all files.

    Raises `OSError` where links lead to each other.
    """
    left = _parts(name)
    done: list[str] = []
    links = 0
    while left:
        part = left.pop()
        if part == "..":
            del done[-1:]
            continue
        try:
            target = os.readlink(root.joinpath(*done, part))  # noqa: PTH115 - a str, unresolved
        except OSError:
            done.append(part)  # not a link, or not there
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(f"too many symbolic links in '{name}'")
        if target.startswith("/"):
            done.clear()
        left.extend(_parts(target))
    return root.joinpath(*done)


def _parts(name: str) -> list[str]:
    """Return the parts of a path, the last one first."""
    return [part for part in reversed(name.split("/")) if part not in {"", "."}]
