"""What is told of instances: kept beside the data, so that later code can be held to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import msgspec

from compatibility.files import name_of
from flowyard import InstanceQuery, Runtime, WorkflowState
from flowyard.backend.history import HistoryEvent


class Told(msgspec.Struct, frozen=True):
    """What `get` and `history` say of one instance; the detail may be put into other words."""

    state: WorkflowState
    history: list[HistoryEvent]


ToldOfAll: TypeAlias = Mapping[str, Told]
"""By ID, in the order of a list."""

_decoder = msgspec.json.Decoder(dict[str, Told])


async def told_by(runtime: Runtime) -> ToldOfAll:
    """Return what a runtime says of all instances that it has."""
    page = await runtime.list(InstanceQuery(page_size=100))
    told: dict[str, Told] = {}
    for listed in page.instances:
        state = await runtime.get(listed.instance_id)
        assert listed.status is state.status, (listed, state)
        history = list(await runtime.history(listed.instance_id))
        told[listed.instance_id] = Told(replace(state, detail=None), history)
    return told


def told_with(data: Path) -> ToldOfAll:
    """Return what is told of the instances of a file of data, as it is written beside it."""
    return _decoder.decode(data.with_name(f"{name_of(data)}.json").read_bytes())


def write_told(told: ToldOfAll, data: Path) -> None:
    """Write it beside a file of data, one instance a line."""
    lines = [
        f"{msgspec.json.encode(instance_id).decode()}: {msgspec.json.encode(value).decode()}"
        for instance_id, value in told.items()
    ]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    data.with_name(f"{name_of(data)}.json").write_text(text)
