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
        while left := _removed(client, query, name):
            if time.monotonic() > deadline:
                raise AssertionError([answer.text for answer in left])


def _removed(client: httpx.Client, query: dict[str, str | int], name: str) -> list[httpx.Response]:
    """Remove the workflows of a queue; returns the answers of those that may still be there."""
    found = client.get("/workflow/search", params=query).json()["results"]
    # Of those that were removed while they ran, the server finds some for ever.
    paths = [
        f"/workflow/{namespace['workflowId']}/remove"
        for namespace in found
        if namespace["workflowType"].startswith(name)
    ]
    answers = [client.delete(path, params={"archiveWorkflow": False}) for path in paths]
    return [answer for answer in answers if answer.status_code != httpx.codes.NOT_FOUND]
