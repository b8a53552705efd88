"""Our own API over HTTP: what it answers besides what the client reads."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from flowyard import Client
from wire.http.service import Served

_INSTANCES = "/flowyard/v1/instances"


async def test_a_start_says_where_the_state_is_and_when_to_look(http: httpx.AsyncClient) -> None:
    body = {"workflow": "echo", "instanceID": "a.b", "input": "7"}
    started = await http.post(_INSTANCES, json=body, params={"component": "menus"})
    assert (started.status_code, started.json()) == (202, {"instanceID": "a.b"})
    assert int(started.headers["retry-after"]) > 0
    waited = await http.get(started.headers["location"].replace("?", "/wait?"))
    assert waited.status_code == 200
    assert (waited.json()["status"], waited.json()["output"]) == ("COMPLETED", "7")
    state = await http.get(started.headers["location"])
    assert state.json() == waited.json()


async def test_a_long_poll_ends_with_the_instance(served: Served) -> None:
    await served.runtime.start("gate", instance_id="a")
    polling = asyncio.create_task(served.http.get(f"{_INSTANCES}/a/wait", params={"timeout": 60}))
    await served.runtime.raise_event("a", "go", 1)
    answer = await polling
    assert (answer.status_code, answer.json()["output"]) == (200, "1")


async def test_a_long_poll_ends_with_its_time(served: Served) -> None:
    await served.runtime.start("gate", instance_id="a")
    answer = await served.http.get(f"{_INSTANCES}/a/wait", params={"timeout": 0.01})
    assert (answer.status_code, answer.json()["status"]) == (202, "RUNNING")
    assert answer.headers["retry-after"] == "0"


async def test_a_long_poll_ends_when_the_server_stops(served: Served) -> None:
    await served.runtime.start("gate", instance_id="a")
    async with asyncio.TaskGroup() as group:
        polls = [
            group.create_task(served.http.get(f"{_INSTANCES}/a/wait", params={"timeout": 60}))
            for _ in range(5)
        ]
        assert (await served.http.get(f"{_INSTANCES}/a")).status_code == 200
        await served.http.post("/v1.0/shutdown")
    assert {poll.result().status_code for poll in polls} == {202}


async def test_a_long_poll_whose_caller_has_gone_leaves_nothing_behind(served: Served) -> None:
    await served.runtime.start("gate", instance_id="a")
    before = len(asyncio.all_tasks())
    async with httpx.AsyncClient(base_url=served.url) as http:
        polling = asyncio.create_task(http.get(f"{_INSTANCES}/a/wait", params={"timeout": 60}))
        async with asyncio.timeout(30):
            while len(asyncio.all_tasks()) < before + 4:  # noqa: ASYNC110 - tasks tell nobody
                await asyncio.sleep(0)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
    async with asyncio.timeout(30):
        while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_payloads_may_be_left_out(served: Served) -> None:
    await served.runtime.start("echo", input="large", instance_id="a")
    await served.runtime.wait("a")
    answer = await served.http.get(f"{_INSTANCES}/a", params={"payloads": "false"})
    assert (answer.json()["input"], answer.json()["output"]) == (None, None)


async def test_history_names_its_events_and_fields(served: Served) -> None:
    await served.runtime.start("fail", input="why not", instance_id="a")
    await served.runtime.wait("a")
    events = (await served.http.get(f"{_INSTANCES}/a/history")).json()["events"]
    assert [event["type"] for event in events] == [
        "TurnStarted",
        "ExecutionStarted",
        "TaskScheduled",
        "TurnStarted",
        "TaskFailed",
        "ExecutionCompleted",
    ]
    assert events[2]["name"] == "refuse"
    assert events[4]["taskID"] == events[2]["id"]
    assert events[4]["failure"]["errorType"] == "ValueError"


@pytest.mark.parametrize(
    ("method", "path", "request_", "expected"),
    [
        ("POST", _INSTANCES, {"content": "{"}, (400, "ERR_MALFORMED_REQUEST")),
        ("POST", _INSTANCES, {"content": "[]"}, (400, "ERR_MALFORMED_REQUEST")),
        ("POST", _INSTANCES, {"json": {}}, (400, "ERR_MALFORMED_REQUEST")),
        (
            "POST",
            _INSTANCES,
            {"json": {"workflow": "echo", "x": 1}},
            (400, "ERR_MALFORMED_REQUEST"),
        ),
        ("POST", _INSTANCES, {"json": {"workflow": ""}}, (400, "ERR_MALFORMED_REQUEST")),
        ("POST", _INSTANCES, {"json": {"workflow": "none"}}, (404, "ERR_WORKFLOW_NOT_REGISTERED")),
        (
            "POST",
            _INSTANCES,
            {"json": {"workflow": "OrderProcessingWorkflow", "input": "{}"}},
            (400, "ERR_PAYLOAD_INVALID"),
        ),
        ("GET", f"{_INSTANCES}?pageSize=0", {}, (400, "ERR_REQUEST_INVALID")),
        ("GET", f"{_INSTANCES}?pageSize=x", {}, (400, "ERR_REQUEST_INVALID")),
        ("GET", f"{_INSTANCES}?status=DONE", {}, (400, "ERR_REQUEST_INVALID")),
        ("GET", f"{_INSTANCES}?createdFrom=soon", {}, (400, "ERR_REQUEST_INVALID")),
        ("GET", f"{_INSTANCES}?continuationToken={2**63}", {}, (400, "ERR_REQUEST_INVALID")),
        ("GET", f"{_INSTANCES}?continuationToken=-1", {}, (400, "ERR_REQUEST_INVALID")),
        ("POST", f"{_INSTANCES}/x/events/go", {"content": "{bad"}, (400, "ERR_PAYLOAD_INVALID")),
        (
            "POST",
            f"{_INSTANCES}/x/terminate",
            {"json": {"output": "{bad"}},
            (400, "ERR_PAYLOAD_INVALID"),
        ),
        ("GET", f"{_INSTANCES}?component=who", {}, (400, "ERR_WORKFLOW_COMPONENT_NOT_FOUND")),
        ("GET", f"{_INSTANCES}/x", {}, (404, "ERR_INSTANCE_ID_NOT_FOUND")),
        ("GET", f"{_INSTANCES}/x/history", {}, (404, "ERR_INSTANCE_ID_NOT_FOUND")),
        ("GET", f"{_INSTANCES}/x/wait", {}, (404, "ERR_INSTANCE_ID_NOT_FOUND")),
        ("GET", f"{_INSTANCES}/x/wait?timeout=nan", {}, (400, "ERR_REQUEST_INVALID")),
        ("GET", f"{_INSTANCES}/x/wait?timeout=-1", {}, (400, "ERR_REQUEST_INVALID")),
        ("GET", f"{_INSTANCES}/x/nothing", {}, (404, "ERR_NO_ROUTE")),
        ("DELETE", f"{_INSTANCES}/x", {}, (404, "ERR_NO_ROUTE")),
    ],
)
async def test_a_fault_of_the_caller_is_told_as_one(
    http: httpx.AsyncClient,
    method: str,
    path: str,
    request_: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    answer = await http.request(method, path, **request_)
    assert (answer.status_code, answer.json()["errorCode"]) == expected


async def test_a_listing_goes_on_after_its_token(served: Served, client: Client) -> None:
    for number in range(5):
        await served.runtime.start("echo", instance_id=f"order-{number}")
    seen: list[str] = []
    query = {"pageSize": "2", "prefix": "order-", "workflow": "echo"}
    while True:
        page = (await served.http.get(_INSTANCES, params=query)).json()
        seen += [item["instanceID"] for item in page["instances"]]
        if page["continuationToken"] is None:
            break
        query["continuationToken"] = page["continuationToken"]
    assert seen == [f"order-{number}" for number in reversed(range(5))]
