"""The command that tells the version."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of

from flowyard.cli import output
from flowyard.cli.options import AsJson


def version(as_json: AsJson = False) -> None:
    """Print the version of Flowyard."""
    number = version_of("flowyard")
    if as_json:
        output.print_json({"flowyard": number, "python": sys.version.split()[0]})
    else:
        output.say(f"flowyard {number}")
