"""JSON text as Temporal's payloads, without reading it."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

_JSON = {"encoding": b"json/plain"}
_NULL = {"encoding": b"binary/null"}


def payload_of(text: str | bytes | None) -> Payload:
    """Return the payload of a JSON text, or Temporal's null where there is none."""
    if text is None:
        return Payload(metadata=_NULL)
    return Payload(metadata=_JSON, data=text.encode() if isinstance(text, str) else text)


def raw(text: str | bytes | None) -> RawValue:
    """Return what Temporal's converter passes on as it is."""
    return RawValue(payload_of(text))


def text_of(values: Sequence[RawValue], index: int = 0) -> str | None:
    """Return the JSON text at an index; None where there is none."""
    if index >= len(values):
        return None
    payload = values[index].payload
    return payload.data.decode() if payload.metadata.get("encoding") != _NULL["encoding"] else None
