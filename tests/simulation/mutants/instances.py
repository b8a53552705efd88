"""Mutants of which instances are in memory, and what becomes of those that are given up."""

from __future__ import annotations

import pytest

from flowyard.backend.journal import Journal
from flowyard.failure import FailureDetails
from flowyard_engine import commits
from flowyard_engine.instance import Batch, Entry, Instance
from flowyard_engine.instance_cache import InstanceCache
from flowyard_engine.store import Child, Outcome
from flowyard_engine.turns import Turns


def stalled_instances_are_forgotten_at_once(patch: pytest.MonkeyPatch) -> None:
    """Fault 84: a stalled instance leaves memory before its commit is written."""

    def stall(turns: Turns, instance: Instance, failure: FailureDetails, batch: Batch) -> None:
        turns._executor.forget(instance.record.id)
        instance.take_back(batch)
        instance.save_from_now_on()
        commit = commits.of_stall(instance, failure)
        entries, instance.unsaved = instance.unsaved, []
        turns.cache.remove(instance)

        def done(outcome: Outcome) -> None:
            turns.under_way -= 1
            for entry in entries:
                if outcome.error is None:
                    entry.acknowledge(True)
                else:
                    entry.refuse(outcome.error)
            if instance.changes != turns.stalled.changes:
                turns.background.run(turns.recovery.load(instance.record.id))
            turns.background.notice()

        if commit is None:
            done(Outcome())
        else:
            turns._store.submit(commit, done)

    patch.setattr(Turns, "_stall", stall)


def stalls_save_what_comes_meanwhile(patch: pytest.MonkeyPatch) -> None:
    """Found by simulation: what comes beside the commit of a stall is stored, and that refused."""
    stall = Turns._stall

    def stall_and_save(
        turns: Turns, instance: Instance, failure: FailureDetails, batch: Batch
    ) -> None:
        stall(turns, instance, failure, batch)
        if instance.busy:
            instance.saves = True

    patch.setattr(Turns, "_stall", stall_and_save)


def new_instances_are_dropped(patch: pytest.MonkeyPatch) -> None:
    """Fault 86: a turn is begun again from the store, where a new instance is not."""

    def begin_again(turns: Turns, instance: Instance, batch: Batch) -> None:
        turns.under_way -= 1
        instance.busy = False
        if turns.is_stopped:
            batch.refuse(turns.end)
        else:
            turns.cache.remove(instance)
            came = (*batch.entries, *instance.inbox)
            turns.background.run(turns._take_up(instance.record.id, *came))
        turns.background.notice()

    patch.setattr(Turns, "_begin_again", begin_again)


def children_go_to_who_had_their_id(patch: pytest.MonkeyPatch) -> None:
    """Fault 87: what starts a child goes to the closing instance that had its ID."""

    def begin_child(turns: Turns, child: Child) -> None:
        if not turns.cache.knows(child.record.id):
            turns.cache.add(Instance(child.record, Journal(child.record.id)))
        holder = turns.cache.get(child.record.id)
        if holder is None:
            turns._pick_up(child.message)
        else:
            turns.post(holder, Entry.of(child.message))

    patch.setattr(Turns, "_begin_child", begin_child)


def reads_in_flight_are_believed(patch: pytest.MonkeyPatch) -> None:
    """Fault 88: what was read before a child got the ID is believed."""

    def outdate(cache: InstanceCache, instance_id: str) -> bool:
        return instance_id in cache._reading

    patch.setattr(InstanceCache, "outdate", outdate)
