"""The command line: every command, and how an error ends it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version as version_of
from typing import NoReturn

import typer

from flowyard.cli import codes, components, instances, output, runs, serving
from flowyard.cli.options import AsJson
from flowyard.errors import FlowyardError


def build() -> typer.Typer:
    """Return the command line."""
    app = typer.Typer(
        name="flowyard",
        help="One workflow API over any workflow engine.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command(rich_help_panel="Run")(serving.serve)
    app.command(rich_help_panel="Run")(runs.run)
    instances.add_to(app)
    app.command(rich_help_panel="Set-up")(components.components)
    app.command(rich_help_panel="Set-up")(components.conformance)
    app.command(rich_help_panel="Set-up")(version)
    return app


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    number = version_of("flowyard")
    if as_json:
        output.print_json({"flowyard": number, "python": sys.version.split()[0]})
    else:
        output.say(f"flowyard {number}")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit; errors that are known are told on one line."""
    try:
        build()(args=None if arguments is None else list(arguments), prog_name="flowyard")
    except (FlowyardError, TimeoutError) as error:
        output.complain(str(error))
        sys.exit(codes.exit_code(error))
    except KeyboardInterrupt:
        sys.exit(codes.INTERRUPTED)
    sys.exit(0)
