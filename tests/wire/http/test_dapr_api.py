"""Dapr's management API over HTTP: what docs/protocol.md §4 lists, and our numbered deviations."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from flowyard import WorkflowStatus
from wire.http.service import Served

_BASE = "/v1.0/workflows/dapr"


async def _fault(
    http: httpx.AsyncClient, method: str, path: str, **request: str
) -> tuple[int, str]:
    answer = await http.request(method, path, **request)  # type: ignore[arg-type]  # content only
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"errorCode", "message"}
    return answer.status_code, answer.json()["errorCode"]


@pytest.mark.parametrize("version", ["v1.0", "v1.0-beta1", "v1.0-alpha1"])
async def test_every_version_serves_the_same(http: httpx.AsyncClient, version: str) -> None:
    started = await http.post(f"/{version}/workflows/dapr/gate/start", params={"instanceID": "a"})
    assert (started.status_code, started.json()) == (202, {"instanceID": "a"})
    for verb in ("pause", "resume", "raiseEvent/other", "terminate", "purge"):
        answer = await http.post(f"/{version}/workflows/dapr/a/{verb}")
        assert (answer.status_code, answer.json()) == (202, {}), verb
    assert (await http.get(f"/{version}/workflows/dapr/a")).status_code == 404


async def test_without_an_id_the_instance_gets_a_uuid(http: httpx.AsyncClient) -> None:
    instance_id = (await http.post(f"{_BASE}/gate/start")).json()["instanceID"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", instance_id)


async def test_a_body_of_any_type_becomes_the_input_as_it_is(served: Served) -> None:
    text = '{"b": 1,  "a": [1.0, "ä"]}'
    await served.http.post(
        f"{_BASE}/echo/start?instanceID=a", content=text, headers={"content-type": "image/png"}
    )
    state = await served.runtime.wait("a")
    assert state.input == text
    assert state.result() == json.loads(text)


async def test_an_empty_body_is_an_empty_input(served: Served) -> None:
    await served.http.post(f"{_BASE}/echo/start?instanceID=a")
    assert (await served.runtime.wait("a")).result() == "nothing"
    properties = (await served.http.get(f"{_BASE}/a")).json()["properties"]
    assert properties == {"dapr.workflow.input": "", "dapr.workflow.output": '"nothing"'}


async def test_a_failure_is_told_in_the_properties(served: Served) -> None:
    await served.http.post(f"{_BASE}/fail/start?instanceID=a", content='"too small"')
    await served.runtime.wait("a")
    state = (await served.http.get(f"{_BASE}/a")).json()
    assert state["runtimeStatus"] == "FAILED"
    properties = state["properties"]
    assert properties["dapr.workflow.failure.error_type"] == "TaskFailedError"
    assert "too small" in properties["dapr.workflow.failure.error_message"]
    assert "Traceback" in properties["dapr.workflow.failure.stack_trace"]
    assert "dapr.workflow.output" not in properties


async def test_times_are_rfc_3339_in_utc(served: Served) -> None:
    await served.http.post(f"{_BASE}/echo/start?instanceID=a")
    state = (await served.http.get(f"{_BASE}/a")).json()
    for time in (state["createdAt"], state["lastUpdatedAt"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", time)


async def test_an_event_reaches_a_workflow_whatever_its_case_and_letters(served: Served) -> None:
    await served.http.post(f"{_BASE}/gate/start?instanceID=a")
    await served.http.post(f"{_BASE}/a/raiseEvent/a%2Fb%20c", content="1")
    await served.http.post(f"{_BASE}/a/raiseEvent/GO", content='{"x": 1}')
    assert (await served.runtime.wait("a")).result() == {"x": 1}
    names = [getattr(event, "name", None) for event in await served.runtime.history("a")]
    assert "a/b c" in names


@pytest.mark.parametrize("verb", ["pause", "resume", "terminate", "raiseEvent/go"])
async def test_a_closed_instance_takes_everything_and_changes_nothing(
    served: Served, verb: str
) -> None:
    await served.http.post(f"{_BASE}/echo/start?instanceID=a")
    closed = await served.runtime.wait("a")
    assert (await served.http.post(f"{_BASE}/a/{verb}")).status_code == 202
    assert await served.runtime.get("a") == closed


async def test_pausing_twice_and_resuming_twice_is_accepted(http: httpx.AsyncClient) -> None:
    await http.post(f"{_BASE}/gate/start?instanceID=a")
    for verb, status in (("pause", "SUSPENDED"), ("resume", "RUNNING")):
        assert (await http.post(f"{_BASE}/a/{verb}")).status_code == 202
        assert (await http.post(f"{_BASE}/a/{verb}")).status_code == 202
        assert (await http.get(f"{_BASE}/a")).json()["runtimeStatus"] == status


async def test_terminating_ends_the_children_too(served: Served) -> None:
    await served.http.post(f"{_BASE}/parent/start?instanceID=a")
    await served.http.post(f"{_BASE}/a:child/raiseEvent/other")
    await served.http.post(f"{_BASE}/a/terminate")
    state = await served.runtime.wait("a:child")
    assert state.status is WorkflowStatus.TERMINATED


async def test_a_closed_id_is_used_again(served: Served) -> None:
    for value in ("1", "2"):
        answer = await served.http.post(f"{_BASE}/echo/start?instanceID=a", content=value)
        assert answer.status_code == 202
        assert (await served.runtime.wait("a")).output == value


async def test_the_path_names_the_component(served: Served) -> None:
    await served.http.post("/v1.0/workflows/menus/gate/start?instanceID=a")
    assert (await served.http.get("/v1.0/workflows/menus/a")).status_code == 200
    assert (await served.http.get("/v1.0/workflows/orders/a")).status_code == 404
    await served.http.post("/v1.0/workflows/orders/gate/start?instanceID=b")
    assert (await served.http.get("/v1.0/workflows/dapr/b")).status_code == 200


async def test_an_unknown_instance_is_not_found(http: httpx.AsyncClient) -> None:
    # Deviation 2, unknown instance over HTTP: daprd answers 500 to pause, resume and raiseEvent.
    assert await _fault(http, "GET", f"{_BASE}/x") == (404, "ERR_INSTANCE_ID_NOT_FOUND")
    for verb, code in (
        ("terminate", "ERR_INSTANCE_ID_NOT_FOUND"),
        ("purge", "ERR_INSTANCE_ID_NOT_FOUND"),
        ("pause", "ERR_PAUSE_WORKFLOW"),
        ("resume", "ERR_RESUME_WORKFLOW"),
        ("raiseEvent/go", "ERR_RAISE_EVENT_WORKFLOW"),
    ):
        assert await _fault(http, "POST", f"{_BASE}/x/{verb}") == (404, code)
    paused = (await http.post(f"{_BASE}/x/pause")).json()["message"]
    assert "no such instance exists" in paused


async def test_an_active_id_is_a_conflict(http: httpx.AsyncClient) -> None:
    # Deviation 3, active instance over HTTP: daprd answers 500.
    await http.post(f"{_BASE}/gate/start?instanceID=a")
    for verb in ("pause", "resume"):
        fault = await _fault(http, "POST", f"{_BASE}/gate/start?instanceID=a")
        assert fault == (409, "ERR_START_WORKFLOW")
        await http.post(f"{_BASE}/a/{verb}")


async def test_purging_an_active_instance_is_a_conflict(http: httpx.AsyncClient) -> None:
    # Deviation 3, active instance over HTTP.
    await http.post(f"{_BASE}/gate/start?instanceID=a")
    assert await _fault(http, "POST", f"{_BASE}/a/purge") == (409, "ERR_PURGE_WORKFLOW")
    assert (await http.get(f"{_BASE}/a")).json()["runtimeStatus"] == "RUNNING"


async def test_what_the_runtime_cannot_accept_is_the_callers_fault(http: httpx.AsyncClient) -> None:
    # Deviation 4, input that does not fit, and deviation 5, unknown workflow: daprd starts any
    # workflow with any input, and the instance fails.
    start = f"{_BASE}/OrderProcessingWorkflow/start?instanceID=a"
    for body in ("{", '{"Name": "x"}', ""):
        expected = (202, None) if body == "" else (400, "ERR_START_WORKFLOW")
        answer = await http.post(start, content=body)
        assert (answer.status_code, answer.json().get("errorCode")) == expected
    unknown = await _fault(http, "POST", f"{_BASE}/unknown/start")
    assert unknown == (404, "ERR_START_WORKFLOW")


@pytest.mark.parametrize(
    ("instance_id", "code"),
    [
        ("a b", "ERR_INSTANCE_ID_INVALID"),
        ("ä", "ERR_INSTANCE_ID_INVALID"),
        ("a/b", "ERR_INSTANCE_ID_INVALID"),
        ("x" * 256, "ERR_INSTANCE_ID_TOO_LONG"),
    ],
)
async def test_an_id_that_cannot_be_is_refused(
    http: httpx.AsyncClient, instance_id: str, code: str
) -> None:
    answer = await http.post(f"{_BASE}/gate/start", params={"instanceID": instance_id})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)


async def test_an_id_may_be_longer_and_have_more_letters_than_at_dapr(
    http: httpx.AsyncClient,
) -> None:
    # Deviation 6, form of instance IDs.
    for instance_id in ("x" * 255, "order:7.b"):
        answer = await http.post(f"{_BASE}/gate/start", params={"instanceID": instance_id})
        assert answer.status_code == 202


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", f"{_BASE}//start", (400, "ERR_WORKFLOW_NAME_MISSING")),
        ("GET", f"{_BASE}/", (400, "ERR_INSTANCE_ID_PROVIDED_MISSING")),
        ("POST", f"{_BASE}//pause", (400, "ERR_INSTANCE_ID_PROVIDED_MISSING")),
        ("POST", f"{_BASE}/a/raiseEvent/", (400, "ERR_WORKFLOW_EVENT_NAME_MISSING")),
        ("GET", "/v1.0/workflows/who/a", (400, "ERR_WORKFLOW_COMPONENT_NOT_FOUND")),
        ("POST", "/v1.0/workflows/who/gate/start", (400, "ERR_WORKFLOW_COMPONENT_NOT_FOUND")),
        ("GET", f"{_BASE}/gate/start", (404, "ERR_DIRECT_INVOKE")),
        ("GET", "/v1.1/workflows/dapr/a", (404, "ERR_DIRECT_INVOKE")),
        ("DELETE", f"{_BASE}/a", (404, "ERR_DIRECT_INVOKE")),
        ("GET", "/", (404, "ERR_DIRECT_INVOKE")),
    ],
)
async def test_a_request_that_says_too_little_is_answered_as_by_daprd(
    http: httpx.AsyncClient, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert await _fault(http, method, path) == expected


@pytest.mark.parametrize("verb", ["pause", "resume", "terminate", "purge"])
async def test_a_verb_takes_json_or_nothing(http: httpx.AsyncClient, verb: str) -> None:
    await http.post(f"{_BASE}/gate/start?instanceID=a")
    for body in ("{", "x", "[" * 100_000):
        fault = await _fault(http, "POST", f"{_BASE}/a/{verb}", content=body)
        assert fault == (400, "ERR_MALFORMED_REQUEST")
    assert (await http.get(f"{_BASE}/a")).json()["runtimeStatus"] == "RUNNING"
    if verb == "purge":
        await http.post(f"{_BASE}/a/terminate")
    assert (await http.post(f"{_BASE}/a/{verb}", json={"any": "thing"})).status_code == 202


@pytest.mark.parametrize("body", ["{bad", "[" * 10_000 + "]" * 10_000, " ", "NaN", "1 2"])
async def test_a_payload_that_is_no_json_is_refused_at_the_call(served: Served, body: str) -> None:
    # Deviation 39, text that is not JSON: daprd takes it, and the instance fails.
    start = await _fault(served.http, "POST", f"{_BASE}/echo/start?instanceID=b", content=body)
    assert start == (400, "ERR_START_WORKFLOW")
    assert (await served.http.get(f"{_BASE}/b")).status_code == 404
    await served.http.post(f"{_BASE}/gate/start?instanceID=a")
    event = await _fault(served.http, "POST", f"{_BASE}/a/raiseEvent/go", content=body)
    assert event == (400, "ERR_RAISE_EVENT_WORKFLOW")
    await served.http.post(f"{_BASE}/a/raiseEvent/go", content="1")
    assert (await served.runtime.wait("a")).result() == 1


async def test_a_body_that_is_no_text_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{_BASE}/echo/start", content=b"\xff\xfe")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "ERR_BODY_READ")
