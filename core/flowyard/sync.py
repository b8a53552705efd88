"""The runtime and the client for scripts without an event loop of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from flowyard.app import App
from flowyard.client import DEFAULT_URL, Client
from flowyard.config import ComponentSpec
from flowyard.history import HistoryEvent
from flowyard.models import InstancePage, InstanceQuery, ReusePolicy, WorkflowState
from flowyard.runtime import Runtime


class SyncVerbs:
    """The verbs, each waiting for its answer. The loop runs in a thread of its own."""

    def __init__(self, runtime: Runtime | Client, portal: BlockingPortal) -> None:
        self._runtime = runtime
        self._portal = portal

    def start(
        self,
        workflow: Callable[..., Any] | str,
        input: object = None,
        *,
        instance_id: str | None = None,
        component: str | None = None,
        start_at: datetime | None = None,
        reuse: ReusePolicy = ReusePolicy.REPLACE_CLOSED,
        options: Mapping[str, str] | None = None,
    ) -> str:
        """Start a workflow and return its instance ID."""
        return self._portal.call(
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
        """Return the state of an instance."""
        call = partial(self._runtime.get, instance_id, payloads=payloads, component=component)
        return self._portal.call(call)

    def wait(
        self, instance_id: str, *, timeout: timedelta | None = None, component: str | None = None
    ) -> WorkflowState:
        """Return the state once the instance is closed."""
        call = partial(self._runtime.wait, instance_id, timeout=timeout, component=component)
        return self._portal.call(call)

    def raise_event(
        self, instance_id: str, name: str, data: object = None, *, component: str | None = None
    ) -> bool:
        """Raise an event to an instance."""
        call = partial(self._runtime.raise_event, instance_id, name, data, component=component)
        return self._portal.call(call)

    def pause(
        self, instance_id: str, *, reason: str | None = None, component: str | None = None
    ) -> bool:
        """Let the instance take no turn until it is resumed."""
        call = partial(self._runtime.pause, instance_id, reason=reason, component=component)
        return self._portal.call(call)

    def resume(
        self, instance_id: str, *, reason: str | None = None, component: str | None = None
    ) -> bool:
        """Let a paused instance go on."""
        call = partial(self._runtime.resume, instance_id, reason=reason, component=component)
        return self._portal.call(call)

    def terminate(
        self,
        instance_id: str,
        *,
        output: object = None,
        recursive: bool = True,
        component: str | None = None,
    ) -> bool:
        """End an instance as TERMINATED."""
        call = partial(
            self._runtime.terminate,
            instance_id,
            output=output,
            recursive=recursive,
            component=component,
        )
        return self._portal.call(call)

    def purge(
        self, instance_id: str, *, recursive: bool = True, component: str | None = None
    ) -> int:
        """Remove a closed instance and its children."""
        call = partial(self._runtime.purge, instance_id, recursive=recursive, component=component)
        return self._portal.call(call)

    def list(
        self, query: InstanceQuery | None = None, *, component: str | None = None
    ) -> InstancePage:
        """Return one page of instances."""
        return self._portal.call(partial(self._runtime.list, query, component=component))

    def history(self, instance_id: str, *, component: str | None = None) -> Sequence[HistoryEvent]:
        """Return the events of an instance's current execution."""
        return self._portal.call(partial(self._runtime.history, instance_id, component=component))

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
        """Start a copy of a closed instance from one of its events."""
        return self._portal.call(
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


class SyncRuntime(SyncVerbs):
    """A `Runtime` to be used without `await`."""

    @staticmethod
    @contextmanager
    def open(
        source: str | Path | Sequence[ComponentSpec] = "components.yaml", app: App | None = None
    ) -> Iterator[SyncRuntime]:
        """Open every component, and close them at the end; see `Runtime.open`."""
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(Runtime.open(source, app)) as runtime,
        ):
            yield SyncRuntime(runtime, portal)


class SyncClient(SyncVerbs):
    """A `Client` to be used without `await`."""

    @staticmethod
    @contextmanager
    def open(
        url: str = DEFAULT_URL, *, token: str | None = None, verify: str | None = None
    ) -> Iterator[SyncClient]:
        """Connect to a server, and close the connections at the end; see `Client`."""
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(Client(url, token=token, verify=verify)) as client,
        ):
            yield SyncClient(client, portal)
