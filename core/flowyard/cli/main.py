"""The command line: every command, and how an error ends it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import typer

from flowyard.cli import codes, output
from flowyard.cli.command import Command

# Where each command is, by its panel of the help: a command imports no other's module.
_PANELS: Mapping[str, Mapping[str, str]] = {
    "Serve and run": {"serve": "serving:serve", "run": "runs:run"},
    "Instances on a server": {
        "start": "instances:start",
        "get": "instances:get",
        "list": "instances:list_instances",
        "history": "instances:history",
        "watch": "instances:watch",
        "pause": "instances:pause",
        "resume": "instances:resume",
        "raise": "instances:raise_event",
        "terminate": "instances:terminate",
        "rerun": "instances:rerun",
        "purge": "instances:purge",
    },
    "Installation": {
        "components": "components:components",
        "schema": "schema:schema",
        "conformance": "conformance:conformance",
        "version": "version:version",
    },
}

_HELP = """One workflow API over any workflow engine.

`serve` and `run` open the components of a file and run workflows. The commands for instances call \
a server, which `--url` or FLOWYARD_URL names, with the API token of DAPR_API_TOKEN.
"""
_EXAMPLES = """Examples:

* `flowyard run orders:app process_order --input @order.json`
* `flowyard serve --app orders:app`
* `flowyard start process_order --id order-1 --input @order.json`
* `flowyard raise order-1 approval --data true`
* `flowyard list --status running --status stalled`
"""


def build(only: str | None = None) -> typer.Typer:
    """Return the command line, with that command alone if there is one of the name."""
    known = {name for commands in _PANELS.values() for name in commands}
    app = typer.Typer(
        name="flowyard",
        help=_HELP,
        epilog=_EXAMPLES,
        rich_markup_mode="markdown",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for panel, commands in _PANELS.items():
        for name, place in commands.items():
            # To set up a command takes longer than to run some of them.
            if only not in known or name == only:
                module, _, function = place.partition(":")
                command = getattr(importlib.import_module(f"flowyard.cli.{module}"), function)
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
