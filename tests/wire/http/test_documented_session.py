"""The session that Dapr's documentation shows (v1.11, "How to: manage workflows"), with curl."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from wire.http.service import Served

_ORDER = '{"Name":"Paperclips","Quantity":1,"TotalCost":9.95}'


async def _curl(served: Served, *arguments: str) -> tuple[int, Any]:
    """Call curl as a reader would type it, on our port; return the status and the JSON answer."""
    placed = [argument.replace("http://localhost:3500", served.url) for argument in arguments]
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-w", "\n%{http_code}", *placed, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    assert process.returncode == 0
    body, _, status = told.decode().rpartition("\n")
    return int(status), json.loads(body)


async def test_the_documented_session_gives_the_documented_answers(served: Served) -> None:
    workflows = "http://localhost:3500/v1.0-alpha1/workflows/dapr"
    order = f"{workflows}/12345678"

    start = f"{workflows}/OrderProcessingWorkflow/start?instanceID=12345678"
    assert await _curl(served, "-X", "POST", start, "-d", _ORDER) == (
        202,
        {"instanceID": "12345678"},
    )

    status, state = await _curl(served, order)
    assert status == 200
    assert set(state) == {
        "instanceID",
        "workflowName",
        "createdAt",
        "lastUpdatedAt",
        "runtimeStatus",
        "properties",
    }
    assert state["instanceID"] == "12345678"
    assert state["workflowName"] == "OrderProcessingWorkflow"
    assert state["runtimeStatus"] in {"PENDING", "RUNNING"}
    assert state["properties"] == {"dapr.workflow.input": _ORDER}

    assert await _curl(served, "-X", "POST", f"{order}/pause") == (202, {})
    assert (await _curl(served, order))[1]["runtimeStatus"] == "SUSPENDED"
    assert await _curl(served, "-X", "POST", f"{order}/resume") == (202, {})
    assert (await _curl(served, order))[1]["runtimeStatus"] == "RUNNING"

    approval = ("-X", "POST", f"{order}/raiseEvent/approval", "-d", "true")
    assert await _curl(served, *approval) == (202, {})
    await served.runtime.wait("12345678")
    state = (await _curl(served, order))[1]
    assert state["runtimeStatus"] == "COMPLETED"
    assert json.loads(state["properties"]["dapr.workflow.output"]) == {"Processed": True}

    assert await _curl(served, "-X", "POST", f"{order}/purge") == (202, {})
    status, fault = await _curl(served, order)
    assert (status, fault["errorCode"]) == (404, "ERR_INSTANCE_ID_NOT_FOUND")

    assert (await _curl(served, "-X", "POST", start, "-d", _ORDER))[0] == 202
    assert await _curl(served, "-X", "POST", f"{order}/terminate") == (202, {})
    assert (await _curl(served, order))[1]["runtimeStatus"] == "TERMINATED"
