"""The app's own code, whose turns now and then take as long as those that a worker runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from flowyard.backend.executor import (
    ActivityResult,
    ActivityTask,
    LocalCode,
    RegisteredExecutor,
    Turn,
    TurnResult,
)
from flowyard.failure import FailureDetails
from simulation.loop import SimulatedLoop
from simulation.world import World

_LONGEST_TURN = 40_000
_LONGEST_MISSING = 100_000
_SHARE_OF_STALLS = 0.2
_NO_CODE = FailureDetails("NoCode", "its code is missing for a while")


class SlowTurns:
    """Implements `Executor` and `ChangingExecutor`: some turns are slow, and a few fit no code."""

    def __init__(
        self, local: RegisteredExecutor, world: World, loop: SimulatedLoop, share: float
    ) -> None:
        self._local = local
        self._world = world
        self._loop = loop
        self._share = share
        self._on_more: Callable[[], None] = lambda: None

    def check_workflow(self, name: str) -> None:
        self._local.check_workflow(name)

    def local_code(self, workflow: str) -> LocalCode | None:
        return self._local.local_code(workflow)

    def run_turn(self, turn: Turn) -> TurnResult | Awaitable[TurnResult]:
        if self._world.choices.random() < self._share:
            return self._run_slowly(turn)
        return self._local.run_turn(turn)

    async def run_activity(self, task: ActivityTask) -> ActivityResult:
        return await self._local.run_activity(task)

    def forget(self, instance_id: str) -> None:
        self._local.forget(instance_id)

    def watch(self, on_more: Callable[[], None]) -> Callable[[], None]:
        self._on_more = on_more

        def close() -> None:
            self._on_more = lambda: None

        return close

    async def _run_slowly(self, turn: Turn) -> TurnResult:
        world = self._world
        await asyncio.sleep(world.draw(_LONGEST_TURN, long=10) / 1e6)
        if world.choices.random() < _SHARE_OF_STALLS:
            seconds = world.choices.random() * _LONGEST_MISSING / 1e6
            self._loop.call_later(seconds, lambda: self._on_more())
            return TurnResult(stalled=_NO_CODE)
        result = self._local.run_turn(turn)
        assert isinstance(result, TurnResult)
        return result
