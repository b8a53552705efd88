"""Whatever is sent, the answer is one that the OpenAPI document names."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from wire.http.service import Served

_CHECKS = (
    "not_a_server_error,status_code_conformance,response_schema_conformance,"
    "content_type_conformance"
)


async def test_no_generated_request_gets_an_answer_that_is_not_documented(
    served: Served, tmp_path: Path
) -> None:
    await served.runtime.start("gate", instance_id="0")
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json"]
    # Older versions of the API have the handlers of the newest; shutdown ends the server; 500 is
    # what Dapr answers to a health check of another application, and where a block has no
    # component; and a long poll takes its time.
    left_out = [
        "--exclude-path-regex",
        r"^/v1\.0-|^/v1\.0/(shutdown|healthz$|state/|secrets/)|/wait$",
    ]
    limits = ["--checks", _CHECKS, "--phases", "coverage,fuzzing", "--max-examples", "10"]
    process = await asyncio.create_subprocess_exec(
        *(*command, *left_out, *limits, "--no-color"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    assert (await served.http.get("/v1.0/healthz")).status_code == 204
