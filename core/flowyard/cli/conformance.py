"""`flowyard conformance`: whether a configured component does what the API promises."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowyard.cli import codes, output
from flowyard.cli.options import COMPONENTS, AsJson, ComponentsFile
from flowyard.config import Components, ComponentSpec, load_components, resolve
from flowyard.config.plugins import component_type
from flowyard.config.secrets import SecretRef
from flowyard.errors import FlowyardError

# Only this command needs it, and it may be missing.
if TYPE_CHECKING:
    import pytest


def conformance(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="COMPONENT", help="The component; by default the first one of workflows."
        ),
    ] = None,
    path: ComponentsFile = COMPONENTS,
    only: Annotated[
        str | None, typer.Option("-k", metavar="EXPRESSION", help="Run only the tests that match.")
    ] = None,
    native: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NATIVE",
            help="The native workflow that stands for a workflow of the suite; repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the conformance suite on a configured component.

    It starts and purges instances whose IDs begin with `conformance-`, or sets and deletes values
    whose keys begin with `conformance||`. It needs pytest.
    """
    try:
        import pytest
    except ImportError as error:
        raise FlowyardError(
            "the conformance suite needs pytest. Install it with: pip install 'flowyard[testing]'"
        ) from error
    spec = _find(load_components(path), name)
    if spec.block == "workflow":
        resolve(spec)
    else:
        # Its settings are also Flowyard's own; the suite says what is wrong with them.
        component_type(spec.type)
    arguments = _arguments(spec, native or ())
    if only is not None:
        arguments += ["-k", only]
    outcomes = _Outcomes()
    with ExitStack() as stack:
        if as_json:
            # What pytest prints is for people; standard output is for the JSON alone.
            stack.enter_context(redirect_stdout(sys.stderr))
        ended = pytest.main(arguments, plugins=[outcomes])
    if as_json:
        output.print_json({"component": spec.name, "type": spec.type, **outcomes.document()})
    if ended != 0:
        raise typer.Exit(codes.FAILED)


def _find(components: Components, name: str | None) -> ComponentSpec:
    """Return the component of that name, of whatever block."""
    return next((spec for spec in components.blocks if spec.name == name), None) or components.find(
        name
    )


class _Outcomes:
    """Listens to pytest and keeps how each test ended."""

    def __init__(self) -> None:
        self._tests: dict[str, dict[str, str | None]] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._note(report, "error")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._note(report, "failed" if report.when == "call" else "error")
        elif report.skipped or report.when == "call":
            self._note(report, report.outcome)

    def document(self) -> dict[str, Any]:
        """Return the counts, and each test in the order in which they ran."""
        counts = Counter(test["outcome"] for test in self._tests.values())
        return {
            **{outcome: counts[outcome] for outcome in ("passed", "failed", "error", "skipped")},
            "tests": list(self._tests.values()),
        }

    def _note(self, report: pytest.CollectReport | pytest.TestReport, outcome: str) -> None:
        name = report.nodeid.split("::", 2)[-1]
        self._tests[name] = {"test": name, "outcome": outcome, "message": _message(report)}


def _message(report: pytest.CollectReport | pytest.TestReport) -> str | None:
    why = report.longrepr
    if why is None:
        return None
    if isinstance(why, tuple):  # the file, the line and the reason of a skip
        return why[2].removeprefix("Skipped: ")
    crash = getattr(why, "reprcrash", None)
    return str(why if crash is None else crash.message)


def _arguments(spec: ComponentSpec, native: Iterable[str]) -> list[str]:
    # The suite's own settings, not those of the project that this is called in.
    arguments = ["-c", os.devnull, "--rootdir", str(Path.cwd()), "-p", "no:cacheprovider", "-q"]
    arguments += ["--pyargs", "flowyard.testing.suite", "-o", "anyio_mode=auto"]
    arguments += ["--component-type", spec.type, "--component-version", spec.version or "v1"]
    for key, value in spec.metadata.items():
        text = value.read() if isinstance(value, SecretRef) else value
        arguments += ["--component-metadata", f"{key}={text}"]
    for pair in native:
        arguments += ["--native-workflow", pair]
    return arguments
