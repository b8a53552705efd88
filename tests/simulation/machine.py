"""The clocks, the chance and the names of a simulated process."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from flowyard.clock import Alarm
from simulation.loop import SimulatedLoop
from simulation.world import World


class SimulatedMachine:
    """A `Machine` and a `Clock`, by which a process knows the time; somebody may set it."""

    def __init__(self, world: World, loop: SimulatedLoop, name: str) -> None:
        self._world = world
        self._loop = loop
        self._name = name
        self._last_number = 0
        self.ahead = 0
        """By how many microseconds the clock is wrong."""

    @property
    def process(self) -> str:
        return self._name

    def has_died(self, process: str) -> bool:
        """As on another machine, nobody can tell."""
        return False

    def nanoseconds(self) -> int:
        return (self._world.now + self.ahead) * 1000

    def monotonic(self) -> float:
        return self._world.now / 1e6

    def new_uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self._world.choices.getrandbits(128), version=4)

    def new_number(self) -> int:
        # Two processes may ask within a microsecond.
        chance = self._world.choices.randrange(1000)
        self._last_number = max(self._last_number + 1, self._world.now * 1000 + chance)
        return self._last_number

    def now(self) -> int:
        return self._world.now + self.ahead

    def call_at(self, when: int, callback: Callable[[], None]) -> Alarm:
        return self._loop.call_at((when - self.ahead) / 1e6, callback)
