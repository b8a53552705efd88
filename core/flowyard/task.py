"""Tasks: what workflow code awaits (or yields), and how they combine."""

from __future__ import annotations

from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from contextvars import ContextVar
from typing import Any, Generic, TypeAlias, TypeVar, cast

from flowyard.errors import WorkflowCodeError

T = TypeVar("T")

FAILURES = (Exception, CancelledError, SystemExit)
"""What user code may raise and thereby fail; it must not end the process that runs it."""


class Task(Generic[T]):
    """A result that the history will bring. Attribute names are Dapr's."""

    __slots__ = ("_callbacks", "_error", "_value", "is_complete")

    def __init__(self) -> None:
        self.is_complete = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Task[Any]], None]] = []

    @property
    def is_failed(self) -> bool:
        """True if the task has completed with an error."""
        return self._error is not None

    @property
    def is_awaited(self) -> bool:
        """True while somebody waits for the task."""
        return bool(self._callbacks)

    def get_result(self) -> T:
        """Return the result, raise the task's error, or raise if it has not completed."""
        if not self.is_complete:
            raise WorkflowCodeError("the task has not completed: await (or yield) it first")
        if self._error is not None:
            raise self._error
        return cast("T", self._value)

    def get_exception(self) -> BaseException:
        """Return the error of a failed task."""
        if self._error is None:
            raise WorkflowCodeError("the task has not failed")
        return self._error

    def __await__(self) -> Generator[Task[T], None, T]:
        if not self.is_complete:
            yield self
        return self.get_result()

    def complete(self, value: T) -> None:
        """Settle the task with a result; only the first settlement counts."""
        if not self.is_complete:
            self._value = value
            self._settle()

    def fail(self, error: BaseException) -> None:
        """Settle the task with an error; only the first settlement counts."""
        if not self.is_complete:
            self._error = error
            self._settle()

    def on_settled(self, callback: Callable[[Task[Any]], None]) -> None:
        """Call back when the task settles; it must not have yet."""
        self._callbacks.append(callback)

    def ignore(self, callback: Callable[[Task[Any]], None]) -> None:
        """Take a callback back."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def _settle(self) -> None:
        self.is_complete = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


class Strand(Task[Any]):
    """A running coroutine or generator of workflow code; settles with what it returns."""

    __slots__ = ("_awaited", "_code", "_is_generator", "_ready")

    def __init__(self, code: Any, ready: deque[Strand]) -> None:
        super().__init__()
        self._code = code
        self._is_generator = not hasattr(code, "cr_await")
        self._awaited: Task[Any] | None = None
        self._ready = ready
        ready.append(self)

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
                elif not awaited.is_complete:
                    self._awaited = awaited
                    awaited.on_settled(self._wake)
                    return
        except StopIteration as stop:
            self.complete(stop.value)
        except FAILURES as failure:
            self.fail(failure)

    def close(self) -> None:
        """Abandon the code; what its `finally` blocks still ask of the context is refused."""
        try:
            self._code.close()
        except (RuntimeError, WorkflowCodeError):
            # "coroutine ignored GeneratorExit", or a refused call: the code is gone either way.
            return

    def _wake(self, _task: Task[Any]) -> None:
        self._ready.append(self)


def _not_a_task(awaited: object) -> WorkflowCodeError:
    return WorkflowCodeError(
        f"workflow code awaited {type(awaited).__name__!r}, which is not a task of its context. "
        "Deterministic code waits only for tasks: use ctx.create_timer() instead of "
        "asyncio.sleep(), when_all() instead of asyncio.gather(), and ctx.call_activity() for I/O."
    )


READY: ContextVar[deque[Strand]] = ContextVar("READY")
"""The strands to run next, of the execution whose code is running."""

Awaitable: TypeAlias = Task[T] | Coroutine[Any, Any, T] | Generator[Any, Any, T]


def _as_tasks(tasks: Iterable[Awaitable[Any]]) -> list[Task[Any]]:
    return [one if isinstance(one, Task) else Strand(one, READY.get()) for one in tasks]


class WhenAllTask(Task[list[T]]):
    """Completes with all results in the order given, or fails with the first failure."""

    __slots__ = ("_pending", "_tasks")

    def __init__(self, tasks: Iterable[Awaitable[T]]) -> None:
        super().__init__()
        self._tasks: list[Task[T]] = _as_tasks(tasks)
        self._pending = 0
        # A set: a task given twice settles once.
        for task in dict.fromkeys(self._tasks):
            if not task.is_complete:
                self._pending += 1
                task.on_settled(self._on_child)
            elif task._error is not None:
                self._abandon(task._error)
                return
        if self._pending == 0:
            self.complete([task.get_result() for task in self._tasks])

    def get_tasks(self) -> list[Task[T]]:
        """Return the tasks it is made of."""
        return self._tasks

    def _on_child(self, task: Task[Any]) -> None:
        self._pending -= 1
        if task._error is not None:
            self._abandon(task._error)
        elif self._pending == 0:
            self.complete([one.get_result() for one in self._tasks])

    def _abandon(self, error: BaseException) -> None:
        for task in self._tasks:
            task.ignore(self._on_child)
        self.fail(error)


class WhenAnyTask(Task[Task[Any]]):
    """Completes with the first task that settles, be it with a result or an error."""

    __slots__ = ("_tasks",)

    def __init__(self, tasks: Iterable[Awaitable[Any]]) -> None:
        super().__init__()
        self._tasks = _as_tasks(tasks)
        if not self._tasks:
            raise WorkflowCodeError("when_any() needs at least one task: it would wait for ever")
        for task in self._tasks:
            if task.is_complete:
                self.complete(task)
                return
        for task in dict.fromkeys(self._tasks):
            task.on_settled(self._on_child)

    def get_tasks(self) -> list[Task[Any]]:
        """Return the tasks it is made of."""
        return self._tasks

    def _on_child(self, task: Task[Any]) -> None:
        # The losers are no longer waited for: an event goes to who waits for it now.
        for other in self._tasks:
            other.ignore(self._on_child)
        self.complete(task)


def when_all(tasks: Sequence[Awaitable[T]]) -> WhenAllTask[T]:
    """Wait for all tasks (or coroutines of workflow code); the first failure fails it."""
    return WhenAllTask(tasks)


def when_any(tasks: Sequence[Awaitable[Any]]) -> WhenAnyTask:
    """Wait for the first of the tasks (or coroutines of workflow code) and return that task."""
    return WhenAnyTask(tasks)
