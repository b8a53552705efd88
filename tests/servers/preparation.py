"""Gets the servers of the live tests before the first test, whose timeout this would exceed."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

from servers import builds
from servers.cache import Unavailable
from servers.fixtures import CONDUCTOR_URL, TEMPORAL_ADDRESS

_SERVERS = (
    ("temporal_server", "start_temporal", TEMPORAL_ADDRESS, builds.temporal_server),
    ("conductor_server", "start_conductor", CONDUCTOR_URL, builds.conductor_server),
)
# What the first test that uses a server may take, which starts it.
_FIRST = pytest.mark.timeout(600)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Get those that the selected tests use."""
    if session.config.getoption("collectonly"):
        return
    tests = [item for item in session.items if isinstance(item, pytest.Function)]
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    for session_wide, further, running, make in _SERVERS:
        starting = {further} if running in os.environ else {session_wide, further}
        users = [test for test in tests if starting.intersection(test.fixturenames)]
        if users:
            users[0].add_marker(_FIRST, append=False)
            # The tests say why it cannot be had.
            with suppress(Unavailable):
                make(reporter.write_line)
