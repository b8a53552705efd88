"""The backends of the tests with applications of SDKs, and which of them run each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends import BACKENDS, backend, write_components
from wire.sdk.environments import PYTHON_1_19

NEWEST = "python-1.19"


@pytest.fixture(params=BACKENDS)
def components(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A components file of the backend under test."""
    return write_components(backend(request.param, tmp_path, request), tmp_path)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each time, the newest version of each SDK runs on the engine, and Python's on the others."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            params = item.callspec.params
            sdk = params.get("sdk", params.get("requirements", NEWEST))
            on = params.get("shared_components", params.get("components", "engine"))
            is_newest = sdk in (NEWEST, PYTHON_1_19)
            if not is_newest and (on != "engine" or str(sdk).startswith("python")):
                item.add_marker(pytest.mark.long)
