"""`flowyard schema`: what an editor needs to check components.yaml."""

from __future__ import annotations

import json

from flowyard.cli import output
from flowyard.cli.options import AsJson
from flowyard.config.plugins import installed_types


def schema(as_json: AsJson = False) -> None:
    """Print a JSON Schema of components.yaml, with the settings of the installed types."""
    # Lazy: no other command needs it.
    from flowyard.config.schema import components_schema

    installed = installed_types()
    for found in installed:
        if found.error is not None:
            output.complain(str(found.error))
    document = components_schema(found.type for found in installed if found.type is not None)
    if as_json:
        output.print_json(document)
    else:
        output.say_payload(json.dumps(document, indent=2, ensure_ascii=False))
