"""The conformance suite for any installed component, from the command line.

::

    pytest --pyargs flowyard.testing.suite --component-type=workflow.memory

The type says which suite it is. See `pytest --help` for the options; `{tmp_path}` in a metadata
value is a fresh folder per test.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from flowyard.config import ComponentSpec
from flowyard.testing.conformance import ComponentConformance, StateConformance


class OfTheCommandLine:
    """The component that the command line names."""

    block: ClassVar[str]
    """What its type begins with; the tests of other blocks are not run."""

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


class TestComponent(OfTheCommandLine, ComponentConformance):
    """A workflow component."""

    block = "workflow"

    @pytest.fixture
    def native_workflows(self, request: pytest.FixtureRequest) -> Mapping[str, str]:
        return dict(request.config.getoption("--native-workflow"))


class TestStateStore(OfTheCommandLine, StateConformance):
    """A state store."""

    block = "state"
