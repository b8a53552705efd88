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


def _pairs(config: pytest.Config, option: str) -> dict[str, str]:
    pairs = {}
    for pair in config.getoption(option):
        key, is_pair, value = pair.partition("=")
        if not is_pair:
            raise pytest.UsageError(f"{option}={pair}: write it as NAME=VALUE")
        pairs[key] = value
    return pairs


class TestComponent(ComponentConformance):
    """The component that the command line names."""

    @pytest.fixture
    def component_spec(self, request: pytest.FixtureRequest, tmp_path: Path) -> ComponentSpec:
        config = request.config
        component_type = config.getoption("--component-type")
        if component_type is None:
            raise pytest.UsageError("say which component to test: --component-type=workflow.…")
        pairs = _pairs(config, "--component-metadata")
        return ComponentSpec(
            name="conformance",
            type=component_type,
            version=config.getoption("--component-version"),
            metadata={key: one.replace("{tmp_path}", str(tmp_path)) for key, one in pairs.items()},
        )

    @pytest.fixture
    def native_workflows(self, request: pytest.FixtureRequest) -> Mapping[str, str]:
        return _pairs(request.config, "--native-workflow")
