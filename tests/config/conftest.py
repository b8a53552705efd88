"""What tests of wrong configurations share."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from config.sample import SAMPLE, Fault
from flowyard.config import load_components, resolve
from flowyard.errors import ConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "components.yaml"


@pytest.fixture
def fault(file: Path) -> Fault:
    """Return the message of a configuration, after its file; no value may be in its traceback."""

    def read(text: str) -> str:
        file.write_text(text)
        with pytest.raises(ConfigurationError) as caught:
            resolve(load_components(file).default, [SAMPLE])
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))
        message = str(caught.value)
        assert message.startswith(f"{file}: ")
        return message.removeprefix(f"{file}: ")

    return read
