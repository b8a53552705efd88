"""The proof: pytest runs the clauses of the wheel on the broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowyard.config import ComponentSpec
from flowyard.testing.conformance import PubSubConformance


class TestMailbox(PubSubConformance):
    @pytest.fixture
    def component_spec(self, tmp_path: Path) -> ComponentSpec:
        metadata = {"path": str(tmp_path / "mail")}
        return ComponentSpec(name="mail", type="pubsub.mailbox", metadata=metadata)
