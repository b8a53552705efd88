"""The conformance suite for any installed component, from the command line.

::

    pytest --pyargs flowyard.testing.suite --component-type=workflow.memory

See `pytest --help` for the options; `{tmp_path}` in a metadata value is a fresh folder per test.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from flowyard.config import ComponentSpec
from flowyard.testing.conformance import ComponentConformance


class TestComponent(ComponentConformance):
    """The component that the command line names."""

    @pytest.fixture
    def component_spec(self, request: pytest.FixtureRequest, tmp_path: Path) -> ComponentSpec:
        config = request.config
        pairs: list[tuple[str, str]] = config.getoption("--component-metadata")
        return ComponentSpec(
            name="conformance",
            type=config.getoption("--component-type"),
            version=config.getoption("--component-version"),
            metadata={key: value.replace("{tmp_path}", str(tmp_path)) for key, value in pairs},
        )

    @pytest.fixture
    def native_workflows(self, request: pytest.FixtureRequest) -> Mapping[str, str]:
        return dict(request.config.getoption("--native-workflow"))
