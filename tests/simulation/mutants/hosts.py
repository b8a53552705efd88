"""Mutants of `flowyard.backend.host.Host`: of what is stored of an instance, and shown of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from flowyard.backend.backlog import BacklogEvent
from flowyard.backend.history import HistoryEvent
from flowyard.backend.host_instance import HostedInstance
from flowyard.backend.outbox import Following


def sends_are_not_stored(patch: pytest.MonkeyPatch) -> None:
    """What a turn has sent and started is in memory only."""

    def backlog(instance: HostedInstance) -> list[BacklogEvent]:
        return [*instance.received, *instance.waiting]

    patch.setattr(HostedInstance, "backlog", property(backlog))


def arrivals_are_not_marked(patch: pytest.MonkeyPatch) -> None:
    """Found by simulation: what was sent is sent again, and nobody knows that it has come."""

    def backlog(instance: HostedInstance) -> list[BacklogEvent]:
        return [*instance.unsent, *instance.waiting]

    patch.setattr(HostedInstance, "backlog", property(backlog))


def closed_instances_are_not_settled(patch: pytest.MonkeyPatch) -> None:
    """Found by simulation: an instance is replaced or removed before its parent knows its end."""

    async def settle(host: Following, instance: HostedInstance) -> None:
        pass

    patch.setattr(Following, "settle", settle)


def unsaved_turns_are_shown(patch: pytest.MonkeyPatch) -> None:
    """Found by simulation: a history shows a turn that is not saved, and may never be."""

    def history(instance: HostedInstance) -> Sequence[HistoryEvent]:
        return tuple(instance.journal.history)

    patch.setattr(HostedInstance, "history", property(history))
