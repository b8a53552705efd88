"""How every command ends."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

from flowyard.cli import codes, output
from flowyard.errors import FlowyardError


class Command(TyperCommand):
    """A command whose errors, if they are known, are told on one line and as an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (FlowyardError, TimeoutError) as error:
            code = codes.exit_code(error)
            if ctx.params["as_json"]:
                output.complain_json(error, code)
            else:
                output.complain(str(error))
            raise typer.Exit(code) from error
