"""JSON text as what Temporal's converter passes on as it is."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.common import RawValue

from flowyard_temporal.payloads import hosted_payload_of, hosted_text_of


def raw(text: str | bytes | None) -> RawValue:
    """Return JSON text as a value; None stands for no value."""
    return RawValue(hosted_payload_of(text))


def text_of(values: Sequence[RawValue], index: int = 0) -> str | None:
    """Return the JSON text at an index, None where there is none."""
    return hosted_text_of([value.payload for value in values], index)
