"""The engines that every example and every SDK's application runs on."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from flowyard.config import ComponentSpec
from servers.namespaces import new_namespace, new_queue

BACKENDS = (
    "engine",
    pytest.param("temporal", marks=pytest.mark.live),
    pytest.param("conductor", marks=pytest.mark.live),
    pytest.param(
        "temporal that keeps nothing in memory", marks=[pytest.mark.live, pytest.mark.long]
    ),
)


def backend(name: str, folder: Path, request: pytest.FixtureRequest) -> ComponentSpec:
    """Return a component of this backend that has no instances yet."""
    if name == "engine":
        # A killed program's successor need not wait for as long as in earnest.
        file = {"connectionString": f"sqlite:///{folder}/flowyard.db", "leaseSeconds": "2"}
        return ComponentSpec(name="flowyard", type="workflow.engine", metadata=file)
    if name == "conductor":
        url = request.getfixturevalue("conductor_server")
        places = ExitStack()
        request.addfinalizer(places.close)
        queue = places.enter_context(new_queue(url))
        server = {"url": f"{url}/api", "taskQueue": queue, "leaseSeconds": "15"}
        return ComponentSpec(name="flowyard", type="workflow.conductor", metadata=server)
    address = request.getfixturevalue("temporal_server")
    metadata = {"hostPort": address, "namespace": new_namespace(address), "heartbeatTimeout": "3"}
    if name != "temporal":
        metadata["maxCachedWorkflows"] = "0"
    return ComponentSpec(name="flowyard", type="workflow.temporal", metadata=metadata)


def write_components(spec: ComponentSpec, folder: Path) -> Path:
    """Write the component's components.yaml into the folder."""
    metadata = [{"name": name, "value": value} for name, value in spec.metadata.items()]
    document = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": spec.name},
        "spec": {"type": spec.type, "version": spec.version, "metadata": metadata},
    }
    path = folder / "components.yaml"
    path.write_text(yaml.safe_dump(document))
    return path
