"""The backends of the tests with applications of SDKs."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends import BACKENDS, backend, write_components


@pytest.fixture(params=BACKENDS)
def components(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A components file of the backend under test."""
    return write_components(backend(request.param, tmp_path, request), tmp_path)
