"""`flowyard components` and `flowyard conformance`: what is installed, and whether it works."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from flowyard.cli import codes, output
from flowyard.cli.options import COMPONENTS, AsJson, ComponentsFile
from flowyard.clock import SystemClock
from flowyard.component import ComponentContext
from flowyard.config import ComponentSpec, load_components, resolve
from flowyard.errors import FlowyardError
from flowyard.plugins import InstalledType, installed_types
from flowyard.secrets import SecretRef

# How long a backend may take to answer before it counts as unreachable, in seconds.
_PATIENCE = 10.0


def components(
    path: ComponentsFile = COMPONENTS,
    installed: Annotated[
        bool, typer.Option("--installed", help="Only what is installed; reads no file.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the installed component types, and which of the configured components answer."""
    types = installed_types()
    # Without a file of the usual name there is still what is installed.
    none = installed or (path == COMPONENTS and not path.exists())
    specs = [] if none else list(load_components(path).specs)
    answers = asyncio.run(_reach_all(specs))
    if as_json:
        output.print_json(
            {
                "types": [_type_json(one) for one in types],
                "components": [
                    {"name": spec.name, "type": spec.type, "reachable": not fault, "fault": fault}
                    for spec, fault in zip(specs, answers, strict=True)
                ],
            }
        )
    else:
        rows = [(one.name, one.distribution, _can(one)) for one in types]
        output.print_table(("TYPE", "FROM", "CAN"), rows)
        if specs:
            output.say("")
            output.print_table(
                ("COMPONENT", "TYPE", "ANSWERS"),
                [
                    (spec.name, spec.type, fault or "yes")
                    for spec, fault in zip(specs, answers, strict=True)
                ],
            )
    if any(answers):
        raise typer.Exit(codes.UNREACHABLE)


def conformance(
    name: Annotated[
        str | None, typer.Argument(metavar="COMPONENT", help="Which one; else the default.")
    ] = None,
    path: ComponentsFile = COMPONENTS,
    only: Annotated[
        str | None, typer.Option("-k", metavar="EXPRESSION", help="Only tests that match.")
    ] = None,
    native: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NATIVE", help="The engine's own workflow; repeatable."),
    ] = None,
) -> None:
    """Run the conformance suite on a configured component.

    It starts and purges instances there, whose IDs begin with `conformance-`. Needs pytest.
    """
    try:
        import pytest
    except ImportError as error:
        raise FlowyardError(
            "the suite needs pytest. Install it with: pip install 'flowyard[testing]'"
        ) from error
    spec = load_components(path).find(name)
    resolve(spec)
    # The suite's own settings, not those of the project that this is called in.
    arguments = ["-c", os.devnull, "--rootdir", str(Path.cwd()), "-p", "no:cacheprovider", "-q"]
    arguments += ["--pyargs", "flowyard.testing.suite", "-o", "anyio_mode=auto"]
    arguments += ["--component-type", spec.type, "--component-version", spec.version or "v1"]
    for key, value in spec.metadata.items():
        text = value.read() if isinstance(value, SecretRef) else value
        arguments += ["--component-metadata", f"{key}={text}"]
    for pair in native or ():
        arguments += ["--native-workflow", pair]
    if only is not None:
        arguments += ["-k", only]
    if pytest.main(arguments) != 0:
        raise typer.Exit(codes.FAILED)


async def _reach_all(specs: list[ComponentSpec]) -> list[str | None]:
    return list(await asyncio.gather(*(_reach(spec) for spec in specs)))


async def _reach(spec: ComponentSpec) -> str | None:
    """Open a component to manage only, and close it; return what is wrong with it."""
    try:
        kind, settings = resolve(spec)
        logger = logging.getLogger(f"flowyard.component.{spec.name}")
        context = ComponentContext(spec.name, None, SystemClock(), logger)
        async with asyncio.timeout(_PATIENCE), kind.open(settings, context):
            return None
    except FlowyardError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {_PATIENCE:g} s"


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
