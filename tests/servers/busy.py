"""Tests on Conductor that its server's own database has failed are run again.

SQLite refuses a transaction of the server that reads and then writes while another one writes, and
the server ends the workflow (deviation 57, busy database). No test is about that.
"""

from __future__ import annotations

import pytest
from _pytest.runner import runtestprotocol

_WORDS = "Error scheduling tasks"
_MOST_RUNS = 3


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test again, up to twice, if it failed by what the server says then."""
    if "conductor" not in item.nodeid:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports: list[pytest.TestReport] = []
    for _ in range(_MOST_RUNS):
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if not any(report.failed and _WORDS in report.longreprtext for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
