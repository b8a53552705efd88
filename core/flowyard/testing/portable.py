"""The app of the portable workflows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowyard.testing.probe import Probe
from flowyard.testing.workflows import calls, lives, waits
from flowyard.workflow.app import App

_WORKFLOWS: tuple[Callable[..., Any], ...] = (
    calls.nothing,
    calls.relay,
    calls.chain,
    calls.yielding,
    calls.fan_out,
    calls.strands,
    calls.call_facts,
    calls.gated,
    calls.race,
    calls.details,
    calls.partly_broken,
    calls.uncaught,
    calls.retries,
    calls.hopeless,
    calls.hopeless_by_name,
    calls.timed_out_retries,
    waits.waiter,
    waits.late_waiter,
    waits.collector,
    waits.two_events,
    waits.impatient,
    waits.outlived_timeout,
    waits.messenger,
    waits.soliloquist,
    waits.pause_witness,
    waits.timer,
    waits.timers,
    waits.deadline,
    waits.started_at,
    waits.never_or_event,
    lives.echo,
    lives.failing,
    lives.statuses,
    lives.parent,
    lives.late_parent,
    lives.nursery,
    lives.siblings,
    lives.twins,
    lives.own_child,
    lives.teller,
    lives.claimant,
    lives.flaky_child,
    lives.renewed_parent,
    lives.countdown,
    lives.eternal,
    lives.keeper,
    lives.forgetful,
    lives.abandoned_task,
    lives.child_left_behind,
    lives.deterministic,
    lives.evolving,
)


def portable_app(probe: Probe, changed: Mapping[str, Callable[..., Any]] | None = None) -> App:
    """Return an app of the portable workflows, some of them in a changed version."""
    app = App()
    for name, activity in probe.activities.items():
        app.activity(name=name)(activity)
    for workflow in _WORKFLOWS:
        name = workflow.__name__
        app.workflow(name=name)((changed or {}).get(name, workflow))
    return app
