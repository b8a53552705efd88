"""What only SDK workers ask for, on Temporal."""

from __future__ import annotations

from uuid import uuid4

from asked_for import check_what_workers_ask_for
from flowyard.config import ComponentSpec


async def test_all_that_sdk_workers_ask_for_is_done_or_answered(temporal_server: str) -> None:
    metadata: dict[str, object] = {"hostPort": temporal_server, "taskQueue": uuid4().hex}
    await check_what_workers_ask_for(
        ComponentSpec(name="orders", type="workflow.temporal", metadata=metadata)
    )
