"""Dapr's own Python client publishes and subscribes."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from wire.pubsub.sidecar import beside, components
from wire.sdk.environments import APPS, PYTHON_1_18, PYTHON_1_19, python_with

# The first test makes an environment.
pytestmark = pytest.mark.timeout(1200)


@pytest.mark.parametrize(
    "requirements", [pytest.param(PYTHON_1_18, marks=pytest.mark.long), PYTHON_1_19]
)
async def test_an_application_publishes_and_subscribes_by_a_stream(
    requirements: tuple[str, ...], tmp_path: Path
) -> None:
    python = python_with(*requirements)
    async with beside(components(tmp_path), None) as sidecar:
        assert sidecar.served.grpc is not None
        ports = {
            "DAPR_HTTP_PORT": sidecar.served.http.rpartition(":")[2],
            "DAPR_GRPC_PORT": sidecar.served.grpc.rpartition(":")[2],
        }
        process = await asyncio.create_subprocess_exec(
            python,
            str(APPS / "dapr_python_pubsub.py"),
            env={**os.environ, **ports},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(120):
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, errors.decode()
    assert json.loads(output) == {"seen": [0, 1, 1, 2], "dropped": {"orderId": 2}}
