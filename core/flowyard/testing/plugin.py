"""The pytest plugin: the fixture `workflow_kit`, and the options of the conformance suite."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# The kit is imported when it is used: pytest loads this module in every project of the environment
# and before coverage starts, so what a project does not use must cost it nothing.
if TYPE_CHECKING:
    from flowyard.testing.kit import OpenWorkflowKit, WorkflowKit
    from flowyard.workflow.app import App

# Its assertions explain themselves only if pytest rewrites them before the first import.
pytest.register_assert_rewrite("flowyard.testing.conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `pytest --pyargs flowyard.testing.suite`."""
    group = parser.getgroup("flowyard", "the conformance suite (flowyard.testing.suite)")
    group.addoption(
        "--component-type", help="component type to test, e.g. workflow.memory or state.sqlite"
    )
    group.addoption("--component-version", default="v1", help="version of the component type")
    group.addoption(
        "--component-metadata",
        action="append",
        default=[],
        type=_pair,
        metavar="KEY=VALUE",
        help="a metadata item as in components.yaml; {tmp_path} is a fresh folder; repeatable",
    )
    group.addoption(
        "--native-workflow",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=NATIVE",
        help="the engine's own workflow that does what the suite's NAME does; repeatable",
    )


def _pair(text: str) -> tuple[str, str]:
    key, is_pair, value = text.partition("=")
    if not is_pair:
        raise ArgumentTypeError(f"{text!r} is not a pair: write it as NAME=VALUE")
    return key, value


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the suites of other blocks; refuse to run one on nothing, once and not per test."""
    suite = [item for item in items if item.path.parts[-3:] == ("flowyard", "testing", "suite.py")]
    if not suite:
        return
    kind = config.getoption("--component-type")
    if kind is None:
        raise pytest.UsageError("say which component to test: --component-type=workflow.…")
    from flowyard.config.plugins import canonical

    block = canonical(kind).partition(".")[0]
    others = {item for item in suite if _block_of(item) != block}
    if len(others) == len(suite):
        raise pytest.UsageError(f"there is no suite for components of type '{kind}'")
    config.hook.pytest_deselected(items=list(others))
    items[:] = [item for item in items if item not in others]


def _block_of(item: pytest.Item) -> str | None:
    """Return the block that a test of the suite is of."""
    return getattr(getattr(item, "cls", None), "block", None)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks that the suite skips by."""
    config.addinivalue_line(
        "markers", "flowyard_requires(*capabilities): skip where the component does not declare it"
    )
    config.addinivalue_line(
        "markers", "flowyard_lasting: skip where the component declares that it is volatile"
    )


@pytest.fixture
def workflow_kit(tmp_path: Path) -> OpenWorkflowKit:
    """Open a runtime under a virtual clock: `async with workflow_kit(app) as kit:`."""
    numbers = count(1)

    def open_workflow_kit(
        app: App, *, activities: Mapping[str, Callable[..., object]] | None = None
    ) -> AbstractAsyncContextManager[WorkflowKit]:
        from flowyard.testing.kit import open_kit

        return open_kit(app, tmp_path / f"kit-{next(numbers)}.db", activities=activities)

    return open_workflow_kit
