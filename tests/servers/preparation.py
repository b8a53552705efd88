"""Gets the servers of the live tests before the first test, whose timeout this would exceed."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import partial

import pytest

from servers import builds
from servers.cache import Unavailable
from servers.fixtures import CONDUCTOR_URL, TEMPORAL_ADDRESS

_SERVERS = (
    ("temporal_server", "start_temporal", TEMPORAL_ADDRESS, builds.temporal_server),
    ("conductor_server", "start_conductor", CONDUCTOR_URL, builds.conductor_server),
)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Get those that the selected tests use."""
    if session.config.getoption("collectonly"):
        return
    tests = [item for item in session.items if isinstance(item, pytest.Function)]
    # A process of many has no reporter, and only the first of them makes anything.
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    say = reporter.write_line if reporter else partial(print, file=sys.stderr)
    for session_wide, further, running, make in _SERVERS:
        starting = {further} if running in os.environ else {session_wide, further}
        if any(starting.intersection(test.fixturenames) for test in tests):
            # The tests say why it cannot be had.
            with suppress(Unavailable):
                make(say)
