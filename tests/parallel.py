"""Which tests share a process, where a run has several, and which of them come first."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# A Conductor server is slow, and its leases would run out where several asked it for much.
_CONDUCTOR = "conductor"
# Compares what all engines have printed.
_COMPARING = "tests/examples/test_documented_output.py"
# Its fixtures have parameters and are kept for many tests; the parameters come last in the ID.
_BY_PARAMETERS = "tests/wire/sdk/test_applications.py"
_FEW_BUT_LONG = ("chaos", "killed", "mutants", "readme", "simulation")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # is not typed
    """Hands out what belongs together at once."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, name = nodeid.partition("::")
        if _is_for_conductor(nodeid):
            return _CONDUCTOR
        if path == _BY_PARAMETERS:
            return f"{path}[{name.partition('[')[2]}"
        scope: str = super()._split_scope(nodeid)
        return scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Schedule so by `--dist loadscope`."""
    return Scheduling(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what would be waited for at the end."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    if _is_for_conductor(nodeid):
        return 0
    return 1 if any(word in nodeid for word in _FEW_BUT_LONG) else 2


def _is_for_conductor(nodeid: str) -> bool:
    return _CONDUCTOR in nodeid or nodeid.startswith(_COMPARING)
