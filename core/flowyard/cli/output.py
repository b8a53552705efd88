"""What the command prints: JSON for programs, tables for people, errors on one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from flowyard.backend.history import HistoryEvent
from flowyard.models import InstancePage, WorkflowState, WorkflowStatus
from flowyard.printable import printable
from flowyard.wire.json.events import event_json
from flowyard.wire.json.states import time_text

# Lazy where it is used: what prints no table shall not wait for it.
if TYPE_CHECKING:
    from rich.console import Console

_COLORS = {
    WorkflowStatus.COMPLETED: "green",
    WorkflowStatus.FAILED: "red",
    WorkflowStatus.TERMINATED: "red",
    WorkflowStatus.CANCELED: "red",
    WorkflowStatus.STALLED: "yellow",
    WorkflowStatus.SUSPENDED: "yellow",
}
_WIDE = 200
_GAP = "  "


def print_json(value: object) -> None:
    """Print one line of JSON."""
    sys.stdout.write(f"{_json(value)}\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{_shown(text)}\n")
    sys.stdout.flush()


def say_payload(text: str) -> None:
    """Print a payload, which stays the same JSON."""
    sys.stdout.write(f"{_escaped(text)}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Print an error on one line."""
    sys.stderr.write(f"flowyard: {printable(' '.join(text.split()))}\n")


def complain_json(error: Exception, code: int) -> None:
    """Print an error as one line of JSON, where errors go."""
    document = {"error": type(error).__name__, "message": str(error), "exitCode": code}
    sys.stderr.write(f"{_json(document)}\n")


def print_state(state: WorkflowState) -> None:
    """Print what is known of an instance, one line each, and where a failed one failed."""
    failure = state.failure
    rows = {
        "instance": state.instance_id,
        "workflow": state.workflow,
        "status": state.status,
        "created": time_text(state.created_at),
        "updated": time_text(state.last_updated_at),
        "parent": state.parent_instance_id,
        "custom status": state.custom_status,
        "input": state.input,
        "output": state.output,
        "failure": f"{failure.error_type}: {failure.message}" if failure is not None else None,
        "detail": state.detail,
    }
    shown = {name: _shown(str(value)) for name, value in rows.items() if value is not None}
    if failure is None and _is_plain(shown):
        _print_plain(shown)
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, value in shown.items():
        style = _COLORS.get(state.status, "") if name == "status" else ""
        grid.add_row(Text(name, "bold"), Text(value, style, overflow="fold"))
    console = _console()
    console.print(grid)
    if failure is not None and state.status is WorkflowStatus.FAILED:
        trace = _shown(failure.trace)
        console.print(Text(f"\n{trace}"), soft_wrap=True)


def _is_plain(rows: Mapping[str, str]) -> bool:
    """Whether rich would change nothing about the rows: no colors, and no line that is folded."""
    # As rich does it.
    colored = os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE") == "1"
    if sys.stdout.isatty() or colored:
        return False
    is_simple = all(value.isascii() and value.isprintable() for value in rows.values())
    return is_simple and sum(_widths(rows)) + len(_GAP) <= _WIDE


def _print_plain(rows: Mapping[str, str]) -> None:
    # Loading rich takes longer than the rest of `flowyard get`.
    names, values = _widths(rows)
    for name, value in rows.items():
        sys.stdout.write(f"{name:<{names}}{_GAP}{value:<{values}}\n")
    sys.stdout.flush()


def _widths(rows: Mapping[str, str]) -> tuple[int, int]:
    return max(map(len, rows)), max(map(len, rows.values()))


def print_page(page: InstancePage) -> None:
    """Print a listing."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("INSTANCE", "WORKFLOW", "STATUS", "CREATED", "UPDATED", "CUSTOM STATUS"):
        table.add_column(title, no_wrap=title != "CUSTOM STATUS", overflow="fold")
    for instance in page.instances:
        table.add_row(
            Text(_shown(instance.instance_id)),
            Text(_shown(instance.workflow)),
            Text(instance.status, _COLORS.get(instance.status, "")),
            time_text(instance.created_at),
            time_text(instance.last_updated_at),
            Text(_shown(instance.custom_status or "")),
        )
    _console().print(table)
    if page.continuation_token is not None:
        _console().print(Text(f"More: --after {_shown(page.continuation_token)}", "dim"))


def print_history(events: Iterable[HistoryEvent]) -> None:
    """Print one line per event."""
    from rich.text import Text

    console = _console()
    for number, event in enumerate(events):
        document = event_json(event)
        kind = document.pop("type")
        fields = {name: value for name, value in document.items() if value is not None}
        line = Text(f"{number:>4}  ")
        line.append(f"{kind:<19}", "bold")
        line.append("  ".join(f"{name}={_short(value)}" for name, value in fields.items()))
        console.print(line, soft_wrap=True)


def print_table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print rows under titles."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(cell)) for cell in row))
    _console().print(table)


def progress_line(state: WorkflowState) -> str:
    """Return what there is to say of an instance that is under way."""
    return _shown(": ".join(filter(None, [str(state.status), state.custom_status, state.detail])))


def _shown(text: str) -> str:
    return printable(text, keep="\n\t")


def _json(value: object) -> str:
    return _escaped(json.dumps(value, ensure_ascii=False))


def _escaped(text: str) -> str:
    # In JSON such characters stand in strings only, where they may be written as escapes.
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in "\n\t\r"
        else json.dumps(character)[1:-1]
        for character in text
    )


def _short(value: object) -> str:
    text = printable(value) if isinstance(value, str) else _json(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _console() -> Console:
    from rich.console import Console

    # A pipe has no width; nothing shall be folded there.
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
