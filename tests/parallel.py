"""Which tests share a process, where a run has several, and which of them come first."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# A Conductor server is slow, and its leases would run out where several asked it for much. So each
# process that runs tests on it has its own, and a machine bears two.
_CONDUCTOR = "conductor"
_SERVERS = 2
# Compares what all engines have printed.
_COMPARING = "tests/examples/test_documented_output.py"
# Its fixtures have parameters and are kept for many tests; the parameters come last in the ID.
_BY_PARAMETERS = "tests/wire/sdk/test_applications.py"
_FEW_BUT_LONG = ("chaos", "killed", "mutants", "readme", "simulation")
# They only write of it.
_WITHOUT_SERVER = ("tests/config/", "tests/docs/")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # is not typed
    """Hands out what belongs together at once."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, name = nodeid.partition("::")
        scope: str = super()._split_scope(nodeid)
        if path == _BY_PARAMETERS:
            scope = f"{path}[{name.partition('[')[2]}"
        return f"{_CONDUCTOR}: {scope}" if _is_for_conductor(nodeid) else scope

    def _assign_work_unit(self, node: WorkerController) -> None:
        scope = next((scope for scope in self.workqueue if self._may_run(node, scope)), None)
        if scope is None:
            node.shutdown()  # what is left is for those that have a Conductor server
            return
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _may_run(self, node: WorkerController, scope: str) -> bool:
        if not scope.startswith(_CONDUCTOR):
            return True
        having = [
            other
            for other, scopes in self.assigned_work.items()
            if any(scope.startswith(_CONDUCTOR) for scope in scopes)
        ]
        return node in having or len(having) < _SERVERS


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
    if nodeid.startswith(_WITHOUT_SERVER):
        return False
    return _CONDUCTOR in nodeid or nodeid.startswith(_COMPARING)
