"""Who has delivered the result of an activity, and is to hear that it is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from flowyard.backend.executor import ActivityTask
from flowyard.clock import Clock
from flowyard.executors.deadlines import Deadlines
from flowyard.executors.work import Work

logger = logging.getLogger(__name__)

_Execution: TypeAlias = tuple[str, str]


@dataclass(eq=False, slots=True)
class _Delivered:
    """A result that is with the host, and the workers that wait to hear of it."""

    work: Work
    waiting: list[asyncio.Future[bool]] = field(default_factory=list)


class Acknowledgements:
    """Holds back the answer to a result until the host has made the result durable.

    A host that never says so does not hold anybody up: once one acknowledgement has waited for the
    whole time in vain, results are acknowledged at once, until the host says a first word.
    """

    def __init__(
        self, component: str, seconds: float, clock: Clock, on_all_told: Callable[[], None]
    ) -> None:
        self._component = component
        self._seconds = seconds
        self._on_all_told = on_all_told
        self._host_tells: bool | None = None
        self._delivered: dict[_Execution, dict[int, _Delivered]] = {}
        self._by_name: dict[str, Work] = {}
        self._deadlines: Deadlines[_Delivered] = Deadlines(seconds, self._late, clock)

    def __bool__(self) -> bool:
        return bool(self._delivered)

    def expect(self, work: Work) -> asyncio.Future[bool] | None:
        """Return what becomes true once the result is durable, and false if it is not to be.

        None where the host does not tell: then nobody can wait for it.
        """
        if self._host_tells is False:
            return None
        task = _task(work)
        tasks = self._delivered.setdefault((task.instance_id, task.execution_id), {})
        delivered = tasks.get(task.task_id)
        if delivered is None:
            delivered = tasks[task.task_id] = _Delivered(work)
            self._by_name[work.name] = work
            self._deadlines.add(delivered)
        known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        delivered.waiting.append(known)
        return known

    def find(self, name: str) -> Work | None:
        """Return the work of this name, if its result was delivered and is not yet kept."""
        return self._by_name.get(name)

    def is_pending(self, work: Work) -> bool:
        """Whether the result was delivered, and is not known to be durable yet."""
        return work.name in self._by_name

    def recorded(self, instance_id: str, execution_id: str, task_id: int) -> None:
        """Acknowledge a result: it is durable, or not wanted any more."""
        self._host_tells = True
        self._tell((instance_id, execution_id), task_id, is_kept=True)

    def asked_again(self, task: ActivityTask) -> None:
        """Take back what was delivered: the host could not keep it, and asks once more."""
        self._tell((task.instance_id, task.execution_id), task.task_id, is_kept=False)

    def closed(self, instance_id: str, execution_id: str) -> None:
        """Acknowledge all results of an execution that has ended."""
        execution = (instance_id, execution_id)
        for task_id in list(self._delivered.get(execution, ())):
            self._tell(execution, task_id, is_kept=True)

    def close(self) -> None:
        """Give up on what has not been kept until now: nobody is there to say so later."""
        for execution, tasks in list(self._delivered.items()):
            for task_id in list(tasks):
                self._tell(execution, task_id, is_kept=False)

    def _tell(self, execution: _Execution, task_id: int, *, is_kept: bool) -> None:
        tasks = self._delivered.get(execution)
        delivered = tasks.pop(task_id, None) if tasks is not None else None
        if delivered is None:
            return
        if not tasks:
            del self._delivered[execution]
        del self._by_name[delivered.work.name]
        self._deadlines.remove(delivered)
        for known in delivered.waiting:
            if not known.done():
                known.set_result(is_kept)
        if not self._delivered:
            self._on_all_told()

    def _late(self, delivered: _Delivered) -> None:
        task = _task(delivered.work)
        if self._host_tells:
            logger.error(
                "the result of activity '%s' of instance '%s' was not stored within %g s: "
                "its worker is told so, and the activity may run again",
                task.name,
                task.instance_id,
                self._seconds,
            )
            self._tell((task.instance_id, task.execution_id), task.task_id, is_kept=False)
            return
        self._host_tells = False
        logger.warning(
            "component '%s' does not tell when the result of an activity is on disk: workers "
            "are answered at once, and a result that they have sent may be lost in a crash",
            self._component,
        )
        for execution in list(self._delivered):
            self.closed(*execution)


def _task(work: Work) -> ActivityTask:
    task = work.request
    assert isinstance(task, ActivityTask)  # noqa: S101  # turns are not acknowledged
    return task
