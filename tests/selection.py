"""Which tests a run has: `--long` for what takes long as well, `--no-live` for no servers."""

from __future__ import annotations

import pytest

from servers.fixtures import SERVERS


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.addoption("--long", action="store_true", help="run those marked `long` as well")
    parser.addoption("--no-live", action="store_true", help="run none that needs a foreign server")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not to be run."""
    has_long, has_live = config.getoption("long"), not config.getoption("no_live")
    wanted: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        _mark_what_is_affected_by_nothing(item)
        is_out = (_is_long(item) and not has_long) or (_is_live(item) and not has_live)
        (left_out if is_out else wanted).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = wanted


def _mark_what_is_affected_by_nothing(item: pytest.Item) -> None:
    """Mark a test as `long` if it has passed already where the backend runs in its first way."""
    features = [feature for mark in item.iter_markers("second_way") for feature in mark.args]
    name = getattr(item, "originalname", item.name)
    if any(name in vars(feature) for feature in features):
        item.add_marker(pytest.mark.long)


def _is_long(item: pytest.Item) -> bool:
    return item.get_closest_marker("long") is not None


def _is_live(item: pytest.Item) -> bool:
    fixtures = item.fixturenames if isinstance(item, pytest.Function) else ()
    return item.get_closest_marker("live") is not None or not SERVERS.isdisjoint(fixtures)
