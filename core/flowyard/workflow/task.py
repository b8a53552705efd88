"""Tasks: what workflow code awaits (or yields), and how they combine."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Coroutine, Generator, Iterable, Sequence
from contextvars import ContextVar
from threading import current_thread, main_thread
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast, overload

from flowyard.errors import WorkflowCodeError

T = TypeVar("T")
# Covariant, so that tasks of different results fit into one when_all.
T_co = TypeVar("T_co", covariant=True)


def check_interrupt(error: BaseException) -> None:
    """Raise again what is no failure of the code: Ctrl-C, which Python raises in the main thread.

    The process ends then, and what it was doing is repeated by the next. All else that user code
    raises fails it, also what is no `Exception`: it must neither end the process nor go missing.
    """
    if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
        raise error


class Waiter(Protocol):
    """Who waits for tasks: running code, or a combination of tasks."""

    @property
    def is_waiting(self) -> bool:
        """True while running code wants the result, directly or through combinations."""

    def settled(self, task: Task[Any]) -> None:
        """Take note that a task has settled."""


class Task(Generic[T_co]):
    """A result that the history will bring. Attribute names are Dapr's.

    Calls of a `WorkflowContext` return one. Workflow code awaits it (or yields it in a generator),
    which gives the result or raises the error, or combines several by `when_all` and `when_any`.
    """

    __slots__ = ("_error", "_is_settled", "_value", "_waiters")

    def __init__(self) -> None:
        self._is_settled = False
        self._value: T_co | None = None
        self._error: BaseException | None = None
        self._waiters: list[Waiter] = []

    @property
    def is_complete(self) -> bool:
        """True once the task has a result or an error."""
        return self._is_settled

    @property
    def is_failed(self) -> bool:
        """True if the task has completed with an error."""
        return self._error is not None

    @property
    def is_awaited(self) -> bool:
        """True while running code waits for the task, directly or in a combination."""
        return any(waiter.is_waiting for waiter in self._waiters)

    def get_result(self) -> T_co:
        """Return the result, or raise the task's error.

        Raises:
            WorkflowCodeError: If the task has not completed.
        """
        if not self.is_complete:  # the property: asking may complete it
            raise WorkflowCodeError("the task has not completed: await (or yield) it first")
        if self._error is not None:
            raise self._error
        return cast("T_co", self._value)

    def get_exception(self) -> BaseException:
        """Return the error of a failed task.

        Raises:
            WorkflowCodeError: If the task has not failed.
        """
        if self._error is None:
            raise WorkflowCodeError("the task has not failed")
        return self._error

    def __await__(self) -> Generator[Task[T_co], None, T_co]:
        if not self._is_settled:
            yield self
        return self.get_result()

    def complete(self, value: T_co) -> None:  # type: ignore[misc]
        """Settle the task with a result; only the first settlement counts. Not for workflow code.

        Args:
            value: The result.
        """
        if not self._is_settled:
            self._value = value
            self._settle()

    def fail(self, error: BaseException) -> None:
        """Settle the task with an error; only the first settlement counts. Not for workflow code.

        Args:
            error: The error that is raised where the task is awaited.
        """
        if not self._is_settled:
            self._error = error
            self._settle()

    def claim(self) -> None:
        """Take note that running code begins to wait for the task. Not for workflow code."""

    def add_waiter(self, waiter: Waiter) -> None:
        """Tell a waiter when the task settles; it must not have yet. Not for workflow code.

        Args:
            waiter: The object whose `settled` is called.
        """
        self._waiters.append(waiter)

    def remove_waiter(self, waiter: Waiter) -> None:
        """Do not tell a waiter any more. Not for workflow code.

        Args:
            waiter: One that was added; another one changes nothing.
        """
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def _settle(self) -> None:
        self._is_settled = True
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.settled(self)


class Strands:
    """The running coroutines and generators of one execution."""

    __slots__ = ("live", "ready")

    def __init__(self) -> None:
        self.live: dict[Strand, None] = {}
        self.ready: deque[Strand] = deque()

    def run(self) -> None:
        """Run until everything waits for something."""
        ready = self.ready
        while ready:
            ready.popleft().step()

    def awaited(self) -> list[Task[Any]]:
        """Return the open tasks that the only strand waits for, all of them; none for several."""
        awaited = next(iter(self.live))._awaited if len(self.live) == 1 else None
        if awaited is None:
            return []
        tasks = awaited.get_tasks() if isinstance(awaited, WhenAllTask) else [awaited]
        return [task for task in dict.fromkeys(tasks) if not task._is_settled]

    def close(self) -> None:
        """Abandon them all, the oldest first."""
        for strand in list(self.live):
            strand.close()


class Strand(Task[Any]):
    """A running coroutine or generator of workflow code; settles with what it returns."""

    __slots__ = ("_awaited", "_code", "_is_generator", "_strands")

    is_waiting = True

    def __init__(self, code: Any, strands: Strands) -> None:
        super().__init__()
        self._code = code
        self._is_generator = not hasattr(code, "cr_await")
        self._awaited: Task[Any] | None = None
        self._strands = strands
        strands.live[self] = None
        strands.ready.append(self)

    def step(self) -> None:
        """Run the code until it waits for a task that has not completed, or ends."""
        awaited = self._awaited
        error: BaseException | None = None
        value: object = None
        try:
            while True:
                if self._is_generator and awaited is not None:
                    # A coroutine's `await` fetches the result itself; `yield` has to be answered.
                    error, value = awaited._error, awaited._value
                awaited = self._code.send(value) if error is None else self._code.throw(error)
                error = value = None
                if not isinstance(awaited, Task):
                    error, awaited = _not_a_task(awaited), None
                    continue
                if not awaited._is_settled:
                    awaited.claim()
                if not awaited._is_settled:
                    self._awaited = awaited
                    awaited.add_waiter(self)
                    return
        except StopIteration as stop:
            self.complete(stop.value)
        except BaseException as failure:  # noqa: BLE001 - see check_interrupt
            check_interrupt(failure)
            self.fail(failure)
        del self._strands.live[self]

    def close(self) -> None:
        """Abandon the code; what its `finally` blocks still ask of the context is refused."""
        self._strands.live.pop(self, None)
        try:
            self._code.close()
        except BaseException as failure:  # noqa: BLE001 - see check_interrupt
            check_interrupt(failure)
            # A refused call, "coroutine ignored GeneratorExit": the code is gone either way.

    def settled(self, task: Task[Any]) -> None:
        """Go on when the execution comes to it."""
        self._strands.ready.append(self)


def _not_a_task(awaited: object) -> WorkflowCodeError:
    return WorkflowCodeError(
        f"workflow code awaited {type(awaited).__name__!r}, which is not a task of its context. "
        "Deterministic code waits only for tasks: use ctx.create_timer() instead of "
        "asyncio.sleep(), when_all() instead of asyncio.gather(), and ctx.call_activity() for I/O."
    )


STRANDS: ContextVar[Strands] = ContextVar("STRANDS")
"""Those of the execution whose code is running."""

Step: TypeAlias = Awaitable[T] | Generator[Any, Any, T]
"""A task, or a coroutine or generator of workflow code. A common base, so that lists may mix."""


def _as_tasks(tasks: Iterable[Step[Any]]) -> list[Task[Any]]:
    return [task if isinstance(task, Task) else _as_strand(task) for task in tasks]


def _as_strand(code: object) -> Strand:
    if not isinstance(code, (Coroutine, Generator)):
        raise _not_a_task(code)
    return Strand(code, STRANDS.get())


class WhenAllTask(Task[list[T]]):
    """Completes with all results in the order given, or fails with the first failure."""

    __slots__ = ("_pending", "_tasks")

    def __init__(self, tasks: Iterable[Step[T]]) -> None:
        super().__init__()
        self._tasks: list[Task[T]] = _as_tasks(tasks)
        self._pending = 0
        # A set: a task given twice settles once.
        for task in dict.fromkeys(self._tasks):
            if not task.is_complete:
                self._pending += 1
                task.add_waiter(self)
            elif task._error is not None:
                self._abandon(task._error)
                return
        if self._pending == 0:
            self.complete([task.get_result() for task in self._tasks])

    @property
    def is_waiting(self) -> bool:
        """True while somebody waits for it."""
        return self.is_awaited

    def get_tasks(self) -> list[Task[T]]:
        """Return the tasks it is made of."""
        return self._tasks

    def claim(self) -> None:
        """Claim every task that is open."""
        for task in self._tasks:
            if not task._is_settled and not self._is_settled:
                task.claim()

    def settled(self, task: Task[Any]) -> None:
        """Complete with the last task, or with the first that fails."""
        self._pending -= 1
        if task._error is not None:
            self._abandon(task._error)
        elif self._pending == 0:
            self.complete([task.get_result() for task in self._tasks])

    def _abandon(self, error: BaseException) -> None:
        for task in self._tasks:
            task.remove_waiter(self)
        self.fail(error)


class WhenAnyTask(Task[Task[Any]]):
    """Completes with the first task that settles, be it with a result or an error."""

    __slots__ = ("_tasks",)

    def __init__(self, tasks: Iterable[Step[Any]]) -> None:
        super().__init__()
        self._tasks = _as_tasks(tasks)
        if not self._tasks:
            raise WorkflowCodeError("when_any() needs at least one task: it would wait for ever")
        for task in self._tasks:
            if task.is_complete:
                self.complete(task)
                return
        for task in dict.fromkeys(self._tasks):
            task.add_waiter(self)

    @property
    def is_waiting(self) -> bool:
        """True while somebody waits for it."""
        return self.is_awaited

    def get_tasks(self) -> list[Task[Any]]:
        """Return the tasks it is made of."""
        return self._tasks

    def claim(self) -> None:
        """Claim one task after the other until one completes: the rest keeps its events."""
        for task in self._tasks:
            if not self._is_settled:
                task.claim()

    def settled(self, task: Task[Any]) -> None:
        """Complete with the first task that settles."""
        # The losers are no longer waited for: an event goes to who waits for it now.
        for other in self._tasks:
            other.remove_waiter(self)
        self.complete(task)


@overload
def when_all(tasks: Sequence[Awaitable[T]]) -> WhenAllTask[T]: ...
@overload
def when_all(tasks: Sequence[Generator[Any, Any, T]]) -> WhenAllTask[T]: ...
@overload
def when_all(tasks: Sequence[Step[Any]]) -> WhenAllTask[Any]: ...
def when_all(tasks: Sequence[Step[Any]]) -> WhenAllTask[Any]:
    """Wait for all tasks; the first failure fails it, and the other tasks go on.

    Args:
        tasks: Tasks of the context, and coroutines or generators of workflow code, which then run
            side by side. One may be given twice; without any it completes at once.

    Returns:
        A task whose result is the list of their results, in the order given.

    Raises:
        WorkflowCodeError: If something else is among them.

    Example:
        ```python
        sizes = await when_all([ctx.call_activity(size_of, input=name) for name in names])
        ```
    """
    return WhenAllTask(tasks)


def when_any(tasks: Sequence[Step[Any]]) -> WhenAnyTask:
    """Wait for the first task that settles, with a result or an error; the others go on.

    Args:
        tasks: Tasks of the context, and coroutines or generators of workflow code, which then run
            side by side; at least one.

    Returns:
        A task whose result is the first of the tasks to settle. For a coroutine it is the task that
        runs it, which `get_tasks()` of the returned task has at the same place.

    Raises:
        WorkflowCodeError: If there is none, or something else is among them.

    Example:
        ```python
        answer = ctx.wait_for_external_event("answer", data_type=str)
        first = await when_any([answer, ctx.create_timer(timedelta(days=3))])
        return answer.get_result() if first is answer else "nobody answered"
        ```
    """
    return WhenAnyTask(tasks)
