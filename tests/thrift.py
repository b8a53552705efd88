"""What keeps the processor time of a test run small, and changes nothing that a test sees."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import sys
from collections.abc import Generator
from functools import cache
from importlib.metadata import EntryPoints
from typing import Any

import pytest

# Plugins of libraries that we use in other ways. They import seconds' worth of modules, also in
# each pytest that a test starts.
_OPTIONS = "-p no:schemathesis -p no:conductor-agents-testing"
_given = os.environ.get("PYTEST_ADDOPTS", "")
if _OPTIONS not in _given:  # a process of several inherits it
    os.environ["PYTEST_ADDOPTS"] = f"{_given} {_OPTIONS}".strip()

_find: Any = importlib.metadata.entry_points  # has another type without arguments


@cache
def _found(_: tuple[tuple[str, int], ...], params: tuple[tuple[str, str], ...]) -> EntryPoints:
    found: EntryPoints = _find(**dict(params))
    return found


def _entry_points(**params: str) -> EntryPoints:
    """Read the metadata of all distributions once, and again where a folder of them has changed."""
    folders = tuple((folder, _changed(folder)) for folder in sys.path)
    return _found(folders, tuple(sorted(params.items())))


def _changed(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns  # noqa: PTH116 - hundreds of times a test file
    except OSError:
        return 0


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage, and never look for it among the tests themselves."""
    importlib.metadata.entry_points = _entry_points  # type: ignore[assignment]
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
