"""Mends of known faults, each of which can be taken back: a simulation has to find the fault then.

The numbers are those of the list of reported faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from simulation.mutants import families, hosts, instances, messages, workers

MUTANTS: Mapping[str, Callable[[pytest.MonkeyPatch], None]] = {
    replace.__name__: replace
    for replace in (
        messages.consumed_is_counted_too_early,
        messages.children_wake_their_parents,
        messages.known_messages_are_forgotten,
        families.purges_walk_in_circles,
        instances.stalled_instances_are_forgotten_at_once,
        instances.stalls_save_what_comes_meanwhile,
        messages.messages_lose_their_execution,
        instances.new_instances_are_dropped,
        instances.children_go_to_who_had_their_id,
        instances.reads_in_flight_are_believed,
        families.refused_children_are_terminated,
        messages.ends_of_children_are_read_from_them,
        workers.results_are_acknowledged_too_early,
        workers.activities_outlive_their_executions,
        workers.answers_without_token_are_for_the_newest,
        hosts.sends_are_not_stored,
        hosts.arrivals_are_not_marked,
        hosts.closed_instances_are_not_settled,
        hosts.unsaved_turns_are_shown,
    )
}
"""What takes one mend back, by replacing functions of the engine; by its name."""


@contextmanager
def taken_back(name: str | None) -> Iterator[None]:
    """Do without one mend meanwhile; with None, without none."""
    with pytest.MonkeyPatch.context() as patch:
        if name is not None:
            MUTANTS[name](patch)
        yield
