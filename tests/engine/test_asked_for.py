"""What only SDK workers ask for, on the built-in engine, and on a host of a plugin."""

from __future__ import annotations

from pathlib import Path

from asked_for import check_what_workers_ask_for
from flowyard.config import ComponentSpec


async def test_all_that_sdk_workers_ask_for_is_done_or_answered(tmp_path: Path) -> None:
    metadata: dict[str, object] = {"connectionString": f"sqlite:///{tmp_path / 'flowyard.db'}"}
    await check_what_workers_ask_for(
        ComponentSpec(name="orders", type="workflow.engine", metadata=metadata)
    )
