"""What a Temporal server leaves in its history that dies between writing and committing it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from flowyard import App, Runtime, WorkflowContext, WorkflowStatus
from servers.temporal_server import TemporalServer
from temporal.programs.standing import spec_of

app = App()

# The valid one of two writes is the later: the numbers of transactions are stored negated.
LEAVE_BEHIND = """
    INSERT INTO history_node
      (shard_id, tree_id, branch_id, node_id, txn_id, prev_txn_id, data, data_encoding)
    SELECT shard_id, tree_id, branch_id, node_id, txn_id + 1, prev_txn_id, data, data_encoding
    FROM history_node
    WHERE (tree_id, node_id) IN (SELECT tree_id, max(node_id) FROM history_node GROUP BY tree_id)
"""


@app.workflow
async def echo(ctx: WorkflowContext, text: str) -> str:
    return text


async def test_an_invalid_end_does_not_hide_the_valid_one(
    server: TemporalServer, tmp_path: Path
) -> None:
    async with Runtime.open([spec_of(server.address, "echo")], app) as runtime:
        await runtime.start(echo, input="hello", instance_id="echo")
        await runtime.wait("echo")
    server.kill()
    with closing(sqlite3.connect(tmp_path / "temporal.db")) as database, database:
        assert database.execute(LEAVE_BEHIND).rowcount > 0
    server.restart()
    async with Runtime.open([spec_of(server.address, "echo")]) as runtime:
        state = await runtime.get("echo")
    assert state.status is WorkflowStatus.COMPLETED
    assert state.result(str) == "hello"
