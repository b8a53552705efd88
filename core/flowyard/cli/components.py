"""`flowyard components`: what is installed and configured, and what answers."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from flowyard.backend.component import ComponentContext
from flowyard.cli import codes, output
from flowyard.cli.options import COMPONENTS, AsJson, ComponentsFile
from flowyard.clock import SystemClock
from flowyard.config import ComponentSpec, load_components, resolve
from flowyard.config.plugins import InstalledType, installed_types
from flowyard.errors import FlowyardError

# How long a backend may take to answer before it counts as unreachable, in seconds.
_PATIENCE_SECONDS = 10.0


def components(
    path: ComponentsFile = COMPONENTS,
    installed: Annotated[
        bool, typer.Option("--installed", help="Show only the installed types; read no file.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the installed component types, and whether each configured component answers."""
    types = installed_types()
    # Without a file of the usual name there is still what is installed.
    none = installed or (path == COMPONENTS and not path.exists())
    specs = [] if none else _configured(path)
    answers = asyncio.run(_reach_all(specs))
    if as_json:
        output.print_json(
            {
                "types": [_type_json(kind) for kind in types],
                "components": [
                    {
                        "name": spec.name,
                        "type": spec.type,
                        "reachable": fault is None,
                        "fault": None if fault is None else fault.text,
                    }
                    for spec, fault in zip(specs, answers, strict=True)
                ],
            }
        )
    else:
        rows = [(kind.name, kind.distribution, _can(kind)) for kind in types]
        output.print_table(("TYPE", "FROM", "CAN"), rows)
        if specs:
            output.say("")
            output.print_table(
                ("COMPONENT", "TYPE", "ANSWERS"),
                [
                    (spec.name, spec.type, "yes" if fault is None else fault.text)
                    for spec, fault in zip(specs, answers, strict=True)
                ],
            )
    ends = {fault.code for fault in answers if fault is not None}
    if ends:
        # What is configured wrongly never answers, however often it is tried.
        raise typer.Exit(min(ends))


def _configured(path: Path) -> list[ComponentSpec]:
    """Return the components of all blocks that Flowyard has."""
    from flowyard.server.default_engine import DEFAULT_ENGINE

    found = load_components(path, fallback=DEFAULT_ENGINE)
    return [*found.specs, *found.blocks]


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong with a component, and the exit code that it leads to."""

    text: str
    code: int


async def _reach_all(specs: list[ComponentSpec]) -> list[_Fault | None]:
    return list(await asyncio.gather(*(_reach(spec) for spec in specs)))


async def _reach(spec: ComponentSpec) -> _Fault | None:
    """Open a component to manage only, and close it; return what is wrong with it."""
    try:
        if spec.block != "workflow":
            return await _reach_block(spec)
        kind, settings = resolve(spec)
        logger = logging.getLogger(f"flowyard.component.{spec.name}")
        context = ComponentContext(spec.name, None, SystemClock(), logger)
        async with asyncio.timeout(_PATIENCE_SECONDS), kind.open(settings, context):
            return None
    except FlowyardError as error:
        return _Fault(str(error), codes.exit_code(error))
    except TimeoutError:
        return _Fault(f"no answer within {_PATIENCE_SECONDS:g} s", codes.UNREACHABLE)


async def _reach_block(spec: ComponentSpec) -> _Fault | None:
    from flowyard.blocks.opening import open_blocks

    async with (
        asyncio.timeout(_PATIENCE_SECONDS),
        # Whether it may be left out is not the question here.
        open_blocks([replace(spec, ignore_errors=False)], (), "flowyard", SystemClock()) as blocks,
    ):
        not_installed = blocks.unserved.get(spec.name)
        return None if not_installed is None else _Fault(not_installed, codes.REFUSED)


def _can(installed: InstalledType) -> str:
    if installed.type is None:
        return f"nothing: {installed.error}"
    return ", ".join(sorted(installed.type.capabilities)) or "manage"


def _type_json(installed: InstalledType) -> dict[str, Any]:
    kind = installed.type
    return {
        "name": installed.name,
        "distribution": installed.distribution,
        "version": kind.version if kind is not None else None,
        "capabilities": sorted(kind.capabilities) if kind is not None else [],
        "error": str(installed.error) if installed.error is not None else None,
    }
