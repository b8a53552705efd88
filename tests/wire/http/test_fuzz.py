"""Whatever is sent, the answer is one that the OpenAPI document names."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from flowyard.config import ComponentSpec
from wire.http.service import Served, serving

_CHECKS = (
    "not_a_server_error,status_code_conformance,response_schema_conformance,"
    "content_type_conformance"
)


_NO_ERROR_CHECK = _CHECKS.replace("not_a_server_error,", "")


async def test_no_generated_request_gets_an_answer_that_is_not_documented(
    served: Served, tmp_path: Path
) -> None:
    await served.runtime.start("gate", instance_id="0")
    # Older versions of the API have the handlers of the newest; shutdown ends the server; 500 is
    # what Dapr answers to a health check of another application, and where a block has no
    # component; and a long poll takes its time.
    left_out = [
        "--exclude-path-regex",
        r"^/v1\.0-|^/v1\.0/(shutdown|healthz$|state/|secrets/|bindings/)|/wait$",
    ]
    await generated(served, tmp_path, "--checks", _CHECKS, *left_out)


async def test_the_other_blocks_answer_only_what_is_documented(tmp_path: Path) -> None:
    files = {"rootPath": str(tmp_path / "files")}
    blocks = [
        ComponentSpec("0", "state.in-memory"),
        ComponentSpec("1", "secretstores.local.env"),
        ComponentSpec("2", "pubsub.in-memory"),
        ComponentSpec("3", "bindings.localstorage", metadata=files),
    ]
    async with serving(tmp_path, blocks=blocks) as served:
        # 500 is one of Dapr's answers to what a caller has done wrong.
        only = ["--include-path-regex", r"^/v1\.0(-alpha1)?/(state|secrets|publish|bindings)/"]
        await generated(served, tmp_path, "--checks", _NO_ERROR_CHECK, *only)


async def generated(served: Served, folder: Path, *options: str) -> None:
    """Send what the document allows, and what it does not."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json"]
    limits = ["--phases", "coverage,fuzzing", "--max-examples", "10"]
    process = await asyncio.create_subprocess_exec(
        *(*command, *options, *limits, "--no-color"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    assert (await served.http.get("/v1.0/healthz")).status_code == 204
