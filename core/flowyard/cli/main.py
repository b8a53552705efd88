"""The command line: every command, and how an error ends it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import typer

from flowyard.cli import codes, components, conformance, instances, output, runs, schema, serving
from flowyard.cli.command import Command
from flowyard.cli.options import AsJson


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    # Lazy: no other command needs it.
    from importlib.metadata import version as version_of

    number = version_of("flowyard")
    if as_json:
        output.print_json({"flowyard": number, "python": sys.version.split()[0]})
    else:
        output.say(f"flowyard {number}")


_PANELS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "Run": {"serve": serving.serve, "run": runs.run},
    "Instances on a server": {
        "start": instances.start,
        "get": instances.get,
        "list": instances.list_instances,
        "history": instances.history,
        "watch": instances.watch,
        "pause": instances.pause,
        "resume": instances.resume,
        "raise": instances.raise_event,
        "terminate": instances.terminate,
        "rerun": instances.rerun,
        "purge": instances.purge,
    },
    "Set-up": {
        "components": components.components,
        "schema": schema.schema,
        "conformance": conformance.conformance,
        "version": version,
    },
}


def build(only: str | None = None) -> typer.Typer:
    """Return the command line, with that command alone if there is one of the name."""
    known = {name for commands in _PANELS.values() for name in commands}
    app = typer.Typer(
        name="flowyard",
        help="One workflow API over any workflow engine.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for panel, commands in _PANELS.items():
        for name, command in commands.items():
            # To set up a command takes longer than to run some of them.
            if only not in known or name == only:
                app.command(name, cls=Command, rich_help_panel=panel)(command)
    # Without a callback, typer would take a single command for the whole command line.
    app.callback()(lambda: None)
    return app


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    for number, argument in enumerate(given, start=1):
        # What is not UTF-8 comes as halves of surrogate pairs.
        if any("\ud800" <= character <= "\udfff" for character in argument):
            output.complain(f"argument {number} is not UTF-8 text")
            sys.exit(codes.USAGE)
    try:
        build(given[0] if given else None)(args=given, prog_name="flowyard")
    except KeyboardInterrupt:
        sys.exit(codes.INTERRUPTED)
    sys.exit(0)
