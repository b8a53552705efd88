"""The runtime and the client for scripts without an event loop of their own."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from flowyard.backend.history import HistoryEvent
from flowyard.client import DEFAULT_URL, Client
from flowyard.config import ComponentSpec
from flowyard.errors import FlowyardError
from flowyard.models import InstancePage, InstanceQuery, ReusePolicy, WorkflowState
from flowyard.payload import ABSENT
from flowyard.runtime import Runtime
from flowyard.workflow.app import App

T = TypeVar("T")
V = TypeVar("V")


class SyncVerbs:
    """The verbs, each waiting for its answer. The loop runs in a thread of its own."""

    def __init__(self, runtime: Runtime | Client, portal: BlockingPortal) -> None:
        self._runtime = runtime
        self._portal = portal
        self._process = os.getpid()

    def start(
        self,
        workflow: Callable[..., Any] | str,
        input: object = ABSENT,
        *,
        instance_id: str | None = None,
        component: str | None = None,
        start_at: datetime | None = None,
        reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED,
        options: Mapping[str, str] | None = None,
    ) -> str:
        """Start a workflow and return its instance ID. As `Runtime.start`."""
        return self._call(
            partial(
                self._runtime.start,
                workflow,
                input,
                instance_id=instance_id,
                component=component,
                start_at=start_at,
                reuse=reuse,
                options=options,
            )
        )

    def get(
        self, instance_id: str, *, payloads: bool = True, component: str | None = None
    ) -> WorkflowState:
        """Return the state of an instance. As `Runtime.get`."""
        call = partial(self._runtime.get, instance_id, payloads=payloads, component=component)
        return self._call(call)

    def wait(
        self, instance_id: str, *, timeout: timedelta | None = None, component: str | None = None
    ) -> WorkflowState:
        """Return the state of an instance once it is closed. As `Runtime.wait`."""
        call = partial(self._runtime.wait, instance_id, timeout=timeout, component=component)
        return self._call(call)

    def raise_event(
        self, instance_id: str, name: str, data: object = None, *, component: str | None = None
    ) -> bool:
        """Raise an event to an instance; False if it is closed. As `Runtime.raise_event`."""
        call = partial(self._runtime.raise_event, instance_id, name, data, component=component)
        return self._call(call)

    def pause(
        self, instance_id: str, *, reason: str | None = None, component: str | None = None
    ) -> bool:
        """Let an instance take no turn until it is resumed. As `Runtime.pause`."""
        call = partial(self._runtime.pause, instance_id, reason=reason, component=component)
        return self._call(call)

    def resume(
        self, instance_id: str, *, reason: str | None = None, component: str | None = None
    ) -> bool:
        """Let a paused instance go on. As `Runtime.resume`."""
        call = partial(self._runtime.resume, instance_id, reason=reason, component=component)
        return self._call(call)

    def terminate(
        self,
        instance_id: str,
        *,
        output: object = None,
        recursive: bool = True,
        component: str | None = None,
    ) -> bool:
        """End an instance as TERMINATED. As `Runtime.terminate`."""
        call = partial(
            self._runtime.terminate,
            instance_id,
            output=output,
            recursive=recursive,
            component=component,
        )
        return self._call(call)

    def purge(
        self, instance_id: str, *, recursive: bool = True, component: str | None = None
    ) -> int:
        """Remove a closed instance with its history. As `Runtime.purge`."""
        call = partial(self._runtime.purge, instance_id, recursive=recursive, component=component)
        return self._call(call)

    def list(
        self, query: InstanceQuery | None = None, *, component: str | None = None
    ) -> InstancePage:
        """Return one page of instances, newest first, without payloads. As `Runtime.list`."""
        return self._call(partial(self._runtime.list, query, component=component))

    def history(self, instance_id: str, *, component: str | None = None) -> Sequence[HistoryEvent]:
        """Return the events of an instance's current execution. As `Runtime.history`."""
        return self._call(partial(self._runtime.history, instance_id, component=component))

    def rerun(
        self,
        instance_id: str,
        event_id: int,
        *,
        new_instance_id: str | None = None,
        input: object = None,
        overwrite_input: bool = False,
        child_instance_id: str | None = None,
        component: str | None = None,
    ) -> str:
        """Start a copy of a closed instance from one of its events. As `Runtime.rerun`."""
        return self._call(
            partial(
                self._runtime.rerun,
                instance_id,
                event_id,
                new_instance_id=new_instance_id,
                input=input,
                overwrite_input=overwrite_input,
                child_instance_id=child_instance_id,
                component=component,
            )
        )

    def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        if os.getpid() != self._process:
            raise FlowyardError(
                f"this {type(self).__name__} was opened before the process was forked, and its "
                "thread was not forked with it: nothing was done. Open it in the process that uses "
                "it (after the fork: gunicorn's post_fork, Celery's worker_process_init), or have "
                "multiprocessing spawn instead of fork."
            )
        return self._portal.call(call)


class SyncRuntime(SyncVerbs):
    """A [`Runtime`][flowyard.Runtime] to be used without `await`, from any thread.

    Each verb also raises `FlowyardError` in a process that was forked since `open`.

    Args:
        runtime: The object that does the work; `open` makes it.
        portal: The way into the thread that has its event loop.

    Example:
        ```python
        with SyncRuntime.open("components.yaml", app) as runtime:
            instance_id = runtime.start(order, input={"item": "tea"})
            print(runtime.wait(instance_id).result())
        ```
    """

    def __init__(self, runtime: Runtime, portal: BlockingPortal) -> None:
        super().__init__(runtime, portal)
        self._opened = runtime

    @staticmethod
    @contextmanager
    def open(
        source: str | Path | Sequence[ComponentSpec] = "components.yaml",
        app: App | None = None,
        *,
        drain: timedelta = timedelta(0),
    ) -> Iterator[SyncRuntime]:
        """Open every component, in a thread of their own, and close them at the end of the block.

        As `Runtime.open`.
        """
        with _portal_to(Runtime.open(source, app, drain=drain)) as (runtime, portal):
            yield SyncRuntime(runtime, portal)

    def publish_event(
        self,
        pubsub_name: str,
        topic_name: str,
        data: object = b"",
        *,
        data_content_type: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Publish an event. As `Runtime.publish_event`."""
        call = partial(
            self._opened.publish_event,
            pubsub_name,
            topic_name,
            data,
            data_content_type=data_content_type,
            metadata=metadata,
        )
        self._call(call)


class SyncClient(SyncVerbs):
    """A [`Client`][flowyard.Client] to be used without `await`, from any thread.

    Each verb also raises `FlowyardError` in a process that was forked since `open`.

    Args:
        runtime: The object that does the work; `open` makes it.
        portal: The way into the thread that has its event loop.
    """

    @staticmethod
    @contextmanager
    def open(
        url: str = DEFAULT_URL, *, token: str | None = None, verify: str | None = None
    ) -> Iterator[SyncClient]:
        """Make a client, and close its connections at the end of the block. As `Client`."""
        with _portal_to(Client(url, token=token, verify=verify)) as (client, portal):
            yield SyncClient(client, portal)


@contextmanager
def _portal_to(opening: AbstractAsyncContextManager[V]) -> Iterator[tuple[V, BlockingPortal]]:
    """Open something in a thread with an event loop, and close it there."""
    process = os.getpid()
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        opened = stack.enter_context(portal.wrap_async_context_manager(opening))
        try:
            yield opened, portal
        finally:
            if os.getpid() != process:
                # It is the parent's to close, and closing it here would wait for ever.
                _FORKED.append(stack.pop_all())


_FORKED: list[ExitStack] = []
"""What a forked process has come out of; kept, for to collect it would be to close it."""
