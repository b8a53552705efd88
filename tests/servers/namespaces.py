"""Places of their own, for tests whose instance IDs are always the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import grpc
import httpx
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

_MANY = 1000
_PATIENCE = 60.0
_DAY = Duration(seconds=24 * 3600)


def new_namespace(address: str) -> str:
    """Register a namespace at a Temporal server and return its name."""
    name = uuid4().hex
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=_DAY)
    with grpc.insecure_channel(address) as channel:
        WorkflowServiceStub(channel).RegisterNamespace(request)
    return name


@contextmanager
def new_queue(url: str) -> Iterator[str]:
    """Return a task queue of a Conductor server; at the end, remove what was started on it.

    An instance ID is one of the whole server, whatever the task queue.
    """
    name = f"test.{uuid4().hex}"
    since = round(time.time() * 1000) - 1
    yield name
    with httpx.Client(base_url=f"{url}/api", timeout=60) as client:
        query: dict[str, str | int] = {"query": f"startTime>{since}", "size": _MANY}
        deadline = time.monotonic() + _PATIENCE
        there = True
        while there:
            found = client.get("/workflow/search", params=query).json()["results"]
            # Of those that were removed while they ran, the server finds some for ever.
            ours = [one for one in found if one["workflowType"].startswith(name)]
            answers = [_remove(client, one) for one in ours]
            there = any(answer.status_code != httpx.codes.NOT_FOUND for answer in answers)
            if time.monotonic() > deadline:
                raise AssertionError([answer.text for answer in answers])


def _remove(client: httpx.Client, found: dict[str, str]) -> httpx.Response:
    path = f"/workflow/{found['workflowId']}/remove"
    return client.delete(path, params={"archiveWorkflow": False})
