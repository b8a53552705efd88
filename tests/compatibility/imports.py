"""Brings a run to a Temporal server as if it had begun there: by the server's admin API.

The SDK does not have that API, so that its message is put together here.
"""

from __future__ import annotations

from pathlib import Path

import grpc
from google.protobuf.wrappers_pb2 import BytesValue
from temporalio.api.common.v1 import DataBlob
from temporalio.api.enums.v1 import EncodingType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.client import Client

from compatibility.runs import Run, namespace_id, read_runs

_METHOD = "/temporal.server.api.adminservice.v1.AdminService/ImportWorkflowExecution"
_BYTES = 2
"""The kind of a field whose length stands before it."""


async def import_runs(address: str, namespace: str, file: Path) -> set[str]:
    """Import the current runs of a file, and have the server go on with them; returns their IDs.

    Of a run that the server itself has paused it makes none.
    """
    client = await Client.connect(address, namespace=namespace)
    moved = read_runs(file, (namespace, await namespace_id(client)))
    imported = [run for run in moved if run.is_current and not run.is_paused_by_server]
    with grpc.insecure_channel(address) as channel:
        for run in imported:
            _import_run(channel, namespace, run)
    return {run.instance_id for run in imported}


def _import_run(channel: grpc.Channel, namespace: str, run: Run) -> None:
    execution = run.description.workflow_execution_info.execution
    whose = _field(1, namespace.encode()) + _field(2, execution.SerializeToString())
    last = run.history.events[-1]
    # All events are of one version, for the server has never been one of several.
    versions = _field(4, _field(2, _number(1, last.event_id) + _number(2, last.version)))
    batches = [_field(3, _blob(event).SerializeToString()) for event in run.history.events]
    call = channel.unary_unary(_METHOD, bytes, BytesValue.FromString)
    # The answer, too, has a single field, of bytes.
    token: bytes = call(b"".join((whose, *batches, versions))).value
    # Without events, the server is told that these were all.
    call(whose + versions + _field(5, token))


def _blob(event: HistoryEvent) -> DataBlob:
    history = History(events=[event])
    return DataBlob(
        encoding_type=EncodingType.ENCODING_TYPE_PROTO3, data=history.SerializeToString()
    )


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
