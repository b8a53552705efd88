"""Namespaces of their own, for tests whose instance IDs are always the same."""

from __future__ import annotations

from uuid import uuid4

import grpc
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

_DAY = Duration(seconds=24 * 3600)


def new_namespace(address: str) -> str:
    """Register a namespace at a Temporal server and return its name."""
    name = uuid4().hex
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=_DAY)
    with grpc.insecure_channel(address) as channel:
        WorkflowServiceStub(channel).RegisterNamespace(request)
    return name
