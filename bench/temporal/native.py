"""Ordinary code for Temporal; apart from the rest, because Temporal's sandbox imports it anew."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

_MINUTE = timedelta(minutes=1)


@activity.defn
async def add(value: int) -> int:
    """Return the next number."""
    return value + 1


@workflow.defn
class Chain:
    """Adds as often as it is told to."""

    @workflow.run
    async def run(self, count: int) -> int:
        """Return the number of steps."""
        value = 0
        while value < count:
            value = await workflow.execute_activity(add, value, start_to_close_timeout=_MINUTE)
        return value
