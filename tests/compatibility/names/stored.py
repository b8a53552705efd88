"""Names in the engine's file, and in the events that every backend stores."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import fields
from typing import get_args, get_type_hints

from flowyard.backend.history import HistoryChunk, HistoryEvent, Parent, Propagated, TimerCreated
from flowyard.failure import FailureDetails
from flowyard.identifier import CHILD_IDS
from flowyard.models import WorkflowStatus
from flowyard_engine.migrations import LATEST, MIGRATIONS

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_sequence'"


def tables() -> dict[str, object]:
    """Return the tables of a new file with their columns, in their order."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for script in MIGRATIONS:
            connection.executescript(script)
        names = [name for (name,) in connection.execute(_TABLES)]
        columns = {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            for name in names
        }
    return {"version": LATEST, "tables": columns}


def events() -> dict[str, object]:
    """Return what a stored event is called, and its fields: they are told apart by their order."""
    parts = (Parent, HistoryChunk, Propagated)
    return {
        "events": {kind.__name__: list(kind.__struct_fields__) for kind in get_args(HistoryEvent)},
        "parts": {part.__name__: list(part.__struct_fields__) for part in parts},
        "failure": [field.name for field in fields(FailureDetails)],
        "origins of timers": list(get_args(get_type_hints(TimerCreated)["origin"])),
        "statuses": [str(status) for status in WorkflowStatus],
        "patch of the IDs of children": CHILD_IDS,
    }
