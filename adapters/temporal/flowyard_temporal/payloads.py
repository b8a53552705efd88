"""Temporal's payloads as JSON text, and JSON text as Temporal's payloads."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import msgspec
from temporalio.api.common.v1 import Payload, Payloads

_NULL = b"binary/null"
_EMPTY = "flowyard-empty"
_JSON = frozenset({b"json/plain", b"json/protobuf"})

_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def text_of(payload: Payload) -> str:
    """Return the JSON text of a payload.

    Bytes are a string of base64. What only its sender can read (a codec's ciphertext, binary
    protobuf) is an object with the `encoding` and its `data` in base64.
    """
    encoding = payload.metadata.get("encoding", b"")
    if encoding in _JSON:
        return payload.data.decode("utf-8", "replace")
    if encoding == _NULL:
        return "" if _EMPTY in payload.metadata else "null"
    data = base64.b64encode(payload.data).decode()
    if encoding == b"binary/plain":
        return json.dumps(data)
    return json.dumps({"encoding": encoding.decode("utf-8", "replace"), "data": data})


def hosted_text_of(payloads: Sequence[Payload], index: int = 0) -> str | None:
    """Return the JSON text at an index, None where our hosting has written that there is none."""
    if index >= len(payloads):
        return None
    payload = payloads[index]
    is_absent = payload.metadata.get("encoding") == _NULL and _EMPTY not in payload.metadata
    return None if is_absent else text_of(payload)


def hosted_payload_of(text: str | bytes | None) -> Payload:
    """Return the payload of a JSON text, or Temporal's null where there is none."""
    if text is None:
        return Payload(metadata={"encoding": _NULL})
    return payload_of(text)


def text_of_all(payloads: Sequence[Payload]) -> str | None:
    """Return the JSON text of arguments or of a result: an array where there are several."""
    if not payloads:
        return None
    if len(payloads) == 1:
        return text_of(payloads[0])
    return f"[{','.join(text_of(payload) or 'null' for payload in payloads)}]"


def payload_of(text: str | bytes) -> Payload:
    """Return the payload of JSON text as every SDK of Temporal's writes it; empty text is null."""
    if text:
        data = text.encode() if isinstance(text, str) else text
        return Payload(metadata={"encoding": b"json/plain"}, data=data)
    return Payload(metadata={"encoding": _NULL, _EMPTY: b"true"})


def payloads_of(text: str | None) -> Payloads | None:
    """Return one argument, or none where there is no text."""
    return Payloads(payloads=[payload_of(text)]) if text is not None else None


def spread_payloads_of(text: str | None) -> Payloads | None:
    """Return an argument for each element of a JSON array, None for what is no array."""
    try:
        elements = _array_decoder.decode(text or "")
    except msgspec.DecodeError:
        return None
    return Payloads(payloads=[payload_of(bytes(element)) for element in elements])
