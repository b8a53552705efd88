"""The conformance suite, run as its user would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree as ET

Ended: TypeAlias = Mapping[str, set[str]]
"""The names of tests by how they ended: passed, failure, error, skipped."""


# Nothing that the suite does not need: some plugins of this environment take seconds to load.
NO_OTHER_PLUGINS = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "anyio.pytest_plugin,pytest_timeout,flowyard.testing.plugin",
}


def run_suite(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Mapping[str, Ended]:
    """Run pytest in a process of its own; return how the tests of each class ended."""
    report = folder / "report.xml"
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(f"--basetemp={folder / 'basetemp'}", f"--junitxml={report}"),
            *arguments,
        ],
        env={**os.environ, **(environment or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr
    ended: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest's own report
        outcomes = [
            element.tag for element in case if element.tag in ("failure", "error", "skipped")
        ]
        of_class = ended[case.attrib["classname"].rpartition(".")[2]]
        of_class[outcomes[0] if outcomes else "passed"].add(case.attrib["name"])
    return ended
