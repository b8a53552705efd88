"""docs/temporal.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from flowyard.config import load_components, resolve
from flowyard_temporal.settings import TemporalSettings

PAGE = (Path(__file__).parents[2] / "docs" / "temporal.md").read_text()


def test_the_settings_are_all_told_with_their_defaults() -> None:
    told = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", PAGE, re.MULTILINE)
    fields = TemporalSettings.model_fields.values()
    assert told == [(field.alias, str(field.default)) for field in fields]


def test_the_example_of_components_yaml_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "hunter2")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "components.yaml"
    file.write_text(example)
    _, settings = resolve(load_components(file).default)
    assert isinstance(settings, TemporalSettings)
    assert settings.uses_tls
    assert settings.api_key == SecretStr("hunter2")
