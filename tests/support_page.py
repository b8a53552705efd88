"""docs/support.md: what each backend can do, as this session's runs of the conformance suite show.

A run that has had the first way of running each backend compares the page with what it has seen,
and fails if they differ; with `--write-support` it writes the page.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flowyard.testing.conformance import ComponentConformance
from servers.fixtures import REQUIRE_LIVE

PAGE = Path(__file__).parents[1] / "docs" / "support.md"
_HOSTED = "temporal/test_hosted_conformance.py::"
HOSTING: Mapping[str, tuple[str, ...]] = {
    "built-in engine": (
        "conformance/test_engine.py::TestEngineOnSqlite",
        "conformance/test_engine.py::TestEngineThatKeepsNothingInMemory",
        "wire/grpc/test_remote_conformance.py::TestEngineWithWorkers",
    ),
    "Temporal": (
        f"{_HOSTED}TestTemporal",
        f"{_HOSTED}TestTemporalThatKeepsNothingInMemory",
        f"{_HOSTED}TestTemporalWithWorkers",
        f"{_HOSTED}TestTemporalWithWorkersThatKeepsNothingInMemory",
        f"{_HOSTED}TestTemporalThatHasNoPause",
    ),
    "Conductor": (
        "conductor/test_conformance.py::TestHosted",
        "conductor/test_conformance.py::TestHostedWithWorkers",
    ),
}
NATIVE: Mapping[str, tuple[str, ...]] = {
    "Temporal": ("temporal/test_native_conformance.py::TestNative",),
    "Conductor": ("conductor/test_conformance.py::TestNative",),
}
_CLASSES = {kind for part in (HOSTING, NATIVE) for classes in part.values() for kind in classes}
_FEATURES = [
    feature for feature in ComponentConformance.__mro__ if "test_" in " ".join(vars(feature))
]

# And what says that nothing outlives it has nothing to show of what does.
_NEEDS_CODE = re.compile(
    r"declares no hosting, and `native_workflows`|not declare [^:]*hosting|not declare volatile$"
)
_UNDECLARED = re.compile(r"does not declare (.+)$")

_HEAD = """# What works where

The [conformance suite](plugins.md) states every rule of the interface as a test. This page is \
written from runs of the suite on real servers, and a run with another outcome fails (`make \
support` writes the page again). The numbers count the tests that pass. Each of them has passed in \
every way in which the backend is run: with the app in the process and with SDK workers, with \
instances in memory and without. When SDK workers run the code, it also depends on the SDK whether \
a change of the code is noticed: [.NET's does not compare names](workers.md#what-to-know).
"""
_NATIVE = """
## Native workflows

Workflows that other people's workers run are managed through the same interface. Tests that need \
Flowyard to run the code of the workflow do not apply to them.
"""
_MISSING = """
## What does not work, and why

[Deviations](deviations.md) explains each deviation that is cited here.
"""


@dataclass(slots=True)
class Outcome:
    """What has become of one test on one backend, in all ways in which it is run."""

    passed: bool = True
    why: str = ""
    applies: bool = True


@dataclass(slots=True)
class Matrix:
    """The outcomes, by class and test."""

    feature_of: dict[str, str] = field(default_factory=dict)
    """By the name of a test."""
    outcomes: dict[str, dict[str, Outcome]] = field(default_factory=dict)
    """By class, and then by the name of a test."""
    functions: dict[str, set[str]] = field(default_factory=dict)
    """The functions whose tests are to be run."""
    selected: dict[str, set[str]] = field(default_factory=dict)
    """And those tests."""

    def note(self, nodeid: str) -> None:
        """Remember which feature a test is of."""
        class_id, name = _parts_of(nodeid)
        if class_id not in _CLASSES:
            return
        function = name.partition("[")[0]
        self.functions.setdefault(class_id, set()).add(function)
        self.selected.setdefault(class_id, set()).add(name)
        feature = next(feature for feature in _FEATURES if function in vars(feature))
        self.feature_of[name] = feature.__name__

    def add(self, report: pytest.TestReport) -> None:
        """Take what has become of a test."""
        class_id, name = _parts_of(report.nodeid)
        if class_id not in _CLASSES or (report.when != "call" and report.passed):
            return
        outcome = Outcome()
        if hasattr(report, "wasxfail"):
            outcome = Outcome(passed=False, why=report.wasxfail)
        elif report.skipped:
            assert isinstance(report.longrepr, tuple)
            why = report.longrepr[2].removeprefix("Skipped: ")
            if not _NEEDS_CODE.search(why) and not _UNDECLARED.search(why):
                return  # its server cannot be had
            outcome = Outcome(passed=False, why=why, applies=not _NEEDS_CODE.search(why))
        self.outcomes.setdefault(class_id, {})[name] = outcome

    @property
    def is_whole(self) -> bool:
        """Whether every test of the suite has run on every backend, in the first of its ways."""
        functions = {
            name
            for feature in _FEATURES
            for name, _ in inspect.getmembers(feature, inspect.isfunction)
            if name.startswith("test_")
        }
        return all(
            self.functions.get(first) == functions
            and self.selected[first] == self.outcomes.get(first, {}).keys()
            for part in (HOSTING, NATIVE)
            for first, *_ in part.values()
        )

    def page(self) -> str:
        """Return the page."""
        hosting = self._table(HOSTING)
        native = self._table(NATIVE)
        missing = [*self._missing(HOSTING, ""), *self._missing(NATIVE, ", native")]
        return "\n".join([_HEAD, *hosting, _NATIVE, *native, _MISSING, *missing, ""])

    def _table(self, columns: Mapping[str, Sequence[str]]) -> list[str]:
        lines = [
            f"| | the rule | {' | '.join(columns)} |",
            f"|---|---|{'---|' * len(columns)}",
        ]
        for feature in _FEATURES:
            name = feature.__name__
            cells = [self._cell(self._of(classes, name)) for classes in columns.values()]
            rule = (inspect.getdoc(feature) or "").partition("\n")[0]
            lines.append(f"| {name} | {rule} | {' | '.join(cells)} |")
        return lines

    def _of(self, classes: Iterable[str], feature: str) -> dict[str, Outcome]:
        """Return the outcomes of a feature's tests; the worst of the classes counts."""
        found: dict[str, Outcome] = {}
        for kind in classes:
            for name, outcome in self.outcomes.get(kind, {}).items():
                if self.feature_of[name] == feature and (name not in found or found[name].passed):
                    found[name] = outcome
        return found

    @staticmethod
    def _cell(outcomes: Mapping[str, Outcome]) -> str:
        apply = [outcome for outcome in outcomes.values() if outcome.applies]
        passed = sum(outcome.passed for outcome in apply)
        if not apply:
            return "does not apply"
        if passed == len(apply):
            return f"all {passed}"
        return f"{passed} of {len(apply)}" if passed else "no"

    def _missing(self, columns: Mapping[str, Sequence[str]], kind: str) -> list[str]:
        lines = []
        for name, classes in columns.items():
            reasons: dict[str, list[str]] = {}
            for feature in _FEATURES:
                for test, outcome in sorted(self._of(classes, feature.__name__).items()):
                    if outcome.applies and not outcome.passed:
                        sentence = test.removeprefix("test_").replace("_", " ")
                        reasons.setdefault(_reason(outcome.why), []).append(sentence)
            for why, tests in reasons.items():
                lines += [f"- {name}{kind}, {why}:", *(f"  - {test}" for test in tests)]
        return lines


def _reason(why: str) -> str:
    if (found := _UNDECLARED.search(why)) is not None:
        return f"does not declare `{found[1]}`"
    return why


def _parts_of(nodeid: str) -> tuple[str, str]:
    path, _, rest = nodeid.partition("::")
    of, _, name = rest.partition("::")
    return f"{path.removeprefix('tests/')}::{of}", name


matrix = Matrix()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--write-support", action="store_true", help="write docs/support.md")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note what is going to be run."""
    for item in items:
        matrix.note(item.nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(ids: Sequence[str]) -> None:
    """Note what is going to be run by other processes."""
    for nodeid in ids:
        matrix.note(nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what has become of it."""
    matrix.add(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Compare the page with what was seen, or write it."""
    config = session.config
    if hasattr(config, "workerinput") or config.getoption("collectonly"):
        return
    if not matrix.is_whole:
        if _is_everything(config) and os.environ.get(REQUIRE_LIVE):
            _fail(session, "docs/support.md was not compared: part of the suite has not run")
        return
    seen = matrix.page()
    if config.getoption("write_support") and not session.testsfailed:
        PAGE.write_text(seen)
    elif not PAGE.exists() or PAGE.read_text() != seen:
        _fail(session, "docs/support.md differs from what this run has seen: run `make support`")


def _is_everything(config: pytest.Config) -> bool:
    chosen = ("keyword", "markexpr", "no_live", "deselect", "lf", "maxfail")
    return config.args_source is not pytest.Config.ArgsSource.ARGS and not any(
        config.getoption(name) for name in chosen
    )


def _fail(session: pytest.Session, why: str) -> None:
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    reporter.write_line(why, red=True)
    session.exitstatus = pytest.ExitCode.TESTS_FAILED
