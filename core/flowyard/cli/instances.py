"""Commands that manage instances on a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer

from flowyard.cli import codes, output
from flowyard.cli.options import (
    DEFAULT_URL,
    AsJson,
    Authorities,
    ComponentName,
    Input,
    InstanceId,
    NewId,
    Url,
    connect,
    read_json,
)
from flowyard.client import Client
from flowyard.errors import InvalidRequest
from flowyard.models import InstanceQuery, ReusePolicy, WorkflowState, WorkflowStatus
from flowyard.payload import ABSENT
from flowyard.wire.json.events import event_json
from flowyard.wire.json.states import page_json, state_json

T = TypeVar("T")

# How long a look at an instance may be old while it is watched.
_GLANCE = timedelta(seconds=1)

Seconds = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="SECONDS", min=0, help="How long to wait; by default for ever."
    ),
]


def start(
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="The name of the workflow.")],
    input: Input = None,
    instance_id: NewId = None,
    at: Annotated[
        datetime | None, typer.Option(metavar="TIME", help="Start no earlier than this time (UTC).")
    ] = None,
    unused: Annotated[
        bool, typer.Option("--new", help="Refuse an ID that a closed instance has, too.")
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An option of the engine; repeatable."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the instance is closed, and print its state.")
    ] = False,
    timeout: Seconds = None,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """Start a workflow, and print the ID of the instance."""
    if timeout is not None and not wait:
        raise InvalidRequest("--timeout limits --wait: give both, or neither")
    given = read_json(input, "--input")
    options = dict(_pair(text) for text in option or ())

    async def call(client: Client) -> tuple[str, WorkflowState | None]:
        started = await client.start(
            workflow,
            ABSENT if given is None else given,
            instance_id=instance_id,
            component=component,
            start_at=None if at is None else at.replace(tzinfo=at.tzinfo or UTC),
            reuse=ReusePolicy.REJECT if unused else ReusePolicy.REPLACE_CLOSED,
            options=options,
        )
        if not wait:
            return started, None
        return started, await client.wait(started, timeout=_duration(timeout), component=component)

    started, state = _run(url, ca, call)
    if state is not None:
        _conclude(state, as_json=as_json)
    else:
        _tell_started(started, as_json)


def get(
    instance_id: InstanceId,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """Print the state of an instance."""
    state = _run(url, ca, lambda client: client.get(instance_id, component=component))
    if as_json:
        output.print_json(state_json(state))
    else:
        output.print_state(state)


def list_instances(
    workflow: Annotated[
        str | None, typer.Option(help="List only instances of this workflow.")
    ] = None,
    status: Annotated[
        list[WorkflowStatus] | None,
        typer.Option(
            metavar="STATUS",
            case_sensitive=False,
            help="List only those with this status, such as running or stalled; repeatable.",
        ),
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="List only IDs that begin like this.")] = None,
    created_from: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", help="List only those created at this time (UTC) or later."),
    ] = None,
    created_to: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", help="List only those created before this time (UTC)."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="List at most this many.")] = 100,
    after: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="List what follows the page that gave this token."),
    ] = None,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """List instances, newest first."""
    query = InstanceQuery(
        workflow=workflow,
        status=frozenset(status or ()),
        created_from=created_from,
        created_to=created_to,
        instance_id_prefix=prefix,
        page_size=limit,
        continuation_token=after,
    )
    page = _run(url, ca, lambda client: client.list(query, component=component))
    if as_json:
        output.print_json(page_json(page))
    else:
        output.print_page(page)


def history(
    instance_id: InstanceId,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """Print the history of an instance."""
    events = _run(url, ca, lambda client: client.history(instance_id, component=component))
    if as_json:
        output.print_json({"events": [event_json(event) for event in events]})
    else:
        output.print_history(events)


def watch(
    instance_id: InstanceId,
    timeout: Seconds = None,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """Follow an instance until it is closed, and print its state."""

    async def call(client: Client) -> WorkflowState:
        async with asyncio.timeout(timeout):
            shown = ""
            while True:
                try:
                    return await client.wait(instance_id, timeout=_GLANCE, component=component)
                except TimeoutError:
                    state = await client.get(instance_id, component=component)
                line = output.progress_line(state)
                if line != shown and not as_json:
                    output.say(line)
                shown = line

    try:
        state = _run(url, ca, call)
    except TimeoutError as error:
        raise TimeoutError(f"instance '{instance_id}' was not closed in time") from error
    _conclude(state, as_json=as_json)


def pause(
    instance_id: InstanceId,
    reason: Annotated[str | None, typer.Option(help="A reason to keep in the history.")] = None,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """Pause an instance until it is resumed."""
    changed = _run(
        url, ca, lambda client: client.pause(instance_id, reason=reason, component=component)
    )
    _tell(
        changed, "Paused.", "Nothing to pause: the instance is paused already, or closed.", as_json
    )


def resume(
    instance_id: InstanceId,
    reason: Annotated[str | None, typer.Option(help="A reason to keep in the history.")] = None,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """Resume a paused instance."""
    changed = _run(
        url, ca, lambda client: client.resume(instance_id, reason=reason, component=component)
    )
    _tell(changed, "Resumed.", "Nothing to resume: the instance is not paused.", as_json)


def raise_event(
    instance_id: InstanceId,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The name of the event.")],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="JSON",
            help="The data as JSON; @FILE reads a file, - reads stdin.",
        ),
    ] = None,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """Raise an event to an instance."""
    given = read_json(data, "--data")
    changed = _run(
        url, ca, lambda client: client.raise_event(instance_id, event, given, component=component)
    )
    _tell(changed, "Raised.", "Nothing raised: the instance is closed.", as_json)


def terminate(
    instance_id: InstanceId,
    result: Annotated[
        str | None,
        typer.Option("--output", metavar="JSON", help="The output of the instance, as JSON."),
    ] = None,
    recursive: Annotated[bool, typer.Option(help="Terminate its children too.")] = True,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """End an instance with the status TERMINATED."""
    given = read_json(result, "--output")
    changed = _run(
        url,
        ca,
        lambda client: client.terminate(
            instance_id, output=given, recursive=recursive, component=component
        ),
    )
    _tell(changed, "Terminated.", "Nothing to terminate: the instance is closed.", as_json)


def rerun(
    instance_id: InstanceId,
    event: Annotated[
        int,
        typer.Argument(metavar="EVENT_ID", help="The ID of the event that `history` shows."),
    ],
    input: Annotated[
        str | None,
        typer.Option(
            "--input", "-i", metavar="JSON", help="An input for the event that replaces its own."
        ),
    ] = None,
    new_id: NewId = None,
    child_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="The ID of the child, if the event is one; by default the same."
        ),
    ] = None,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """Start a copy of a closed instance from one of its events, and print the copy's ID.

    The event is the start of an activity, a timer or a child workflow. The copy repeats it and
    everything after it; the closed instance itself is not changed.
    """
    given = read_json(input, "--input")
    copy = _run(
        url,
        ca,
        lambda client: client.rerun(
            instance_id,
            event,
            new_instance_id=new_id,
            input=given,
            overwrite_input=given is not None,
            child_instance_id=child_id,
            component=component,
        ),
    )
    _tell_started(copy, as_json)


def purge(
    instance_id: InstanceId,
    recursive: Annotated[bool, typer.Option(help="Remove its children too.")] = True,
    component: ComponentName = None,
    url: Url = DEFAULT_URL,
    ca: Authorities = None,
    as_json: AsJson = False,
) -> None:
    """Remove a closed instance and its history."""
    purged = _run(
        url, ca, lambda client: client.purge(instance_id, recursive=recursive, component=component)
    )
    if as_json:
        output.print_json({"purged": purged})
    else:
        output.say(f"Removed {purged} {'instance' if purged == 1 else 'instances'}.")


def _run(url: str, ca: str | None, call: Callable[[Client], Awaitable[T]]) -> T:
    async def connected() -> T:
        async with connect(url, ca) as client:
            return await call(client)

    return asyncio.run(connected())


def _conclude(state: WorkflowState, *, as_json: bool) -> None:
    """Print a closed instance; any end but COMPLETED is a failure of the command."""
    if as_json:
        output.print_json(state_json(state))
    else:
        output.print_state(state)
    if state.status is not WorkflowStatus.COMPLETED:
        raise typer.Exit(codes.FAILED)


def _tell_started(instance_id: str, as_json: bool) -> None:
    if as_json:
        output.print_json({"instanceID": instance_id})
    else:
        output.say(instance_id)


def _tell(changed: bool, done: str, undone: str, as_json: bool) -> None:
    if as_json:
        output.print_json({"changed": changed})
    else:
        output.say(done if changed else undone)


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise InvalidRequest(f"--option {text} is not a pair: write it as NAME=VALUE")
    return name, value
