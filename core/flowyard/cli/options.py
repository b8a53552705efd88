"""Options that several commands have, and what is read from them."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from flowyard.client import DEFAULT_URL, Client
from flowyard.errors import ConfigurationError, InvalidRequest
from flowyard.payload import JsonText
from flowyard.server.defaults import TOKEN_VARIABLE
from flowyard.workflow.app import App

Url = Annotated[
    str,
    typer.Option(
        "--url", envvar="FLOWYARD_URL", help="The address of the server.", show_default=True
    ),
]
Authorities = Annotated[
    str | None,
    typer.Option(
        "--ca",
        envvar="FLOWYARD_CA",
        metavar="FILE",
        help="A file of the authorities to trust for https.",
    ),
]
ComponentName = Annotated[
    str | None,
    typer.Option(
        "--component", "-c", metavar="NAME", help="The component; by default the first one."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs to read.")]
ComponentsFile = Annotated[
    Path,
    typer.Option(
        "--components", metavar="PATH", help="The file of components, or a folder of files."
    ),
]
InstanceId = Annotated[str, typer.Argument(metavar="ID", help="The ID of the instance.")]
Input = Annotated[
    str | None,
    typer.Option(
        "--input",
        "-i",
        metavar="JSON",
        help="The input as JSON; @FILE reads a file, - reads stdin.",
    ),
]
NewId = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="The ID of the new instance; by default a UUID."),
]

COMPONENTS = Path("components.yaml")

__all__ = ["DEFAULT_URL"]


def connect(url: str, authorities: str | None) -> Client:
    """Return a client; its token comes from the environment, where `ps` does not show it."""
    _load_http()
    return Client(url, token=os.environ.get(TOKEN_VARIABLE) or None, verify=authorities)


def _load_http() -> None:
    """Load httpx without what it takes along if it is installed: its own command, and HTTP/2."""
    hidden = [name for name in ("httpx._main", "h2") if name not in sys.modules]
    # None stands for a module that cannot be imported. httpx and httpcore do without these.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        importlib.import_module("httpcore")
        importlib.import_module("httpx")
    finally:
        for name in hidden:
            del sys.modules[name]


def read_json(text: str | None, option: str) -> JsonText | None:
    """Return JSON as it was given, from the option, a file or stdin; raise `InvalidRequest`."""
    if text is None:
        return None
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{option} {text} cannot be read: {error}") from error
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            f"{option} is not JSON: {error}. Text needs its own quotes: {option} '\"text\"'"
        ) from error
    return JsonText(text)


def load_app(place: str) -> App:
    """Import the app that `module:name` names; raise `ConfigurationError`."""
    module_name, separator, name = place.partition(":")
    if not (separator and module_name and name):
        raise ConfigurationError(
            f"'{place}' does not name an app: write module:name, for example main:app"
        )
    # As `python -m` does it: programs live where they are called.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    # The module is the user's: whatever it raises is told in one line.
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        place_of_error = (
            "" if "importlib" in where.filename else f" ({where.filename}:{where.lineno})"
        )
        raise ConfigurationError(
            f"module '{module_name}' cannot be imported: {type(error).__name__}: "
            f"{error}{place_of_error}"
        ) from error
    app = getattr(module, name, None)
    if not isinstance(app, App):
        found = f"is of type {type(app).__name__}" if app is not None else "does not exist"
        raise ConfigurationError(f"'{place}' {found}: name a flowyard.App of the module")
    return app
