"""docs/state.md tells every setting of the state stores, and its example can be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from docs.pages import DOCS
from flowyard.config import load_components, resolve
from flowyard.config.block_settings import StateSettings
from flowyard.config.settings import keys_of
from flowyard_blocks.state.redis import RedisStateSettings
from flowyard_blocks.state.sqlite_settings import SqliteSettings

PAGE = (DOCS / "state.md").read_text()
# Dapr's older name of the same.
_UNTOLD = {"cleanupIntervalInSeconds"}


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("What all have", StateSettings),
        ("state.sqlite", SqliteSettings),
        ("state.redis", RedisStateSettings),
    ],
)
def test_every_key_is_told_in_its_section(heading: str, model: type[BaseModel]) -> None:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"`(\w+)`", section))
    keys = {key for name, field in model.model_fields.items() for key in keys_of(name, field)}
    assert keys - told - _UNTOLD == set()


def test_the_example_can_be_used(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    engine = text.replace("statestore", "engine").replace("state.sqlite", "workflow.engine")
    engine = engine.replace("state.db", "sqlite:///engine.db")
    file = tmp_path / "components.yaml"
    file.write_text(f"{engine}---\n{text}")
    (spec,) = load_components(file).blocks
    _, settings = resolve(spec)
    assert isinstance(settings, SqliteSettings)
    assert settings.path == Path("state.db")
