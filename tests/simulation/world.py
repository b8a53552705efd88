"""Simulated time: what happens when, drawn from one seed and repeated exactly by it."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count

BEGIN = 1_800_000_000_000_000
"""When every simulation begins, in microseconds since the Unix epoch."""


class World:
    """The one queue of all that is to happen. Times are microseconds."""

    def __init__(self, seed: int | str) -> None:
        self.now = BEGIN
        self.choices = random.Random(str(seed))  # noqa: S311 - not for secrets
        self.steps = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._numbers = count(1)

    def at(self, when: int, callback: Callable[[], None]) -> None:
        """Have something happen at a time; what is due together happens in the order asked for."""
        heapq.heappush(self._queue, (max(when, self.now), next(self._order), callback))

    def after(self, delay: int, callback: Callable[[], None]) -> None:
        """Have something happen after so many microseconds."""
        self.at(self.now + delay, callback)

    def new_number(self) -> int:
        """Return the next number of something: what ran before must not show in names."""
        return next(self._numbers)

    def draw(self, most: int, share_of_long: float = 0.02, long: int = 40) -> int:
        """Draw a delay: mostly short, now and then `long` times as long."""
        chance = self.choices.random()
        if chance < share_of_long:
            return int((chance / share_of_long) ** 3 * most) * long
        return int(((chance - share_of_long) / (1 - share_of_long)) ** 3 * most)

    def run(self, is_over: Callable[[], bool], until: int) -> bool:
        """Have things happen until it is over; false if it is not by that time."""
        queue = self._queue
        while not is_over():
            if not queue or queue[0][0] > until:
                self.now = max(self.now, until)
                return False
            self.now, _, callback = heapq.heappop(queue)
            self.steps += 1
            callback()
        return True
