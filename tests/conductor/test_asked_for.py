"""What only SDK workers ask for, on Conductor."""

from __future__ import annotations

from asked_for import check_what_workers_ask_for
from flowyard.config import ComponentSpec


async def test_all_that_sdk_workers_ask_for_is_done_or_answered(conductor_server: str) -> None:
    metadata: dict[str, object] = {"url": f"{conductor_server}/api", "taskQueue": "asked"}
    await check_what_workers_ask_for(
        ComponentSpec(name="orders", type="workflow.conductor", metadata=metadata)
    )
