"""An adapter offers its component type, or says that it is not finished and offers nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ADAPTERS = Path(__file__).parents[2] / "adapters"


@pytest.mark.parametrize("engine", ["temporal", "conductor"])
def test_an_unfinished_adapter_registers_no_component_type(engine: str) -> None:
    project = tomllib.loads((ADAPTERS / engine / "pyproject.toml").read_text())["project"]
    is_unfinished = "It is not finished" in (ADAPTERS / engine / "README.md").read_text()
    offered = project.get("entry-points", {}).get("flowyard", {})
    assert list(offered) == ([] if is_unfinished else [f"workflow.{engine}"])
    assert project["name"] == f"flowyard-{engine}"
    assert "flowyard>=0.1,<0.2" in project["dependencies"]
