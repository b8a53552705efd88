"""What was asked for and answered, as the model keeps it in mind."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Beginning:
    """A word that an execution may begin with."""

    word: str
    instance_id: str
    at: int
    origin: str
    """The word of its birth: its own, unless it continues another execution."""
    why_not: str = ""
    """Why what asked for it can have had no effect; empty if it may have had one."""
    parent: tuple[str, int] | None = None
    """For a child: its parent's execution, and the ID of the action."""
    parent_id: str = ""
    was_refused: bool = False
    """Whether it was a start that was refused: a worker may have had its turn, but no more."""
    carried: tuple[str, ...] = ()
    consumed: tuple[str, ...] = ()
    """The new events of the turn whose answer asked for it."""
    is_certain: bool = True
    """Whether it was asked for in an answer to that turn, for certain."""
    is_seen: bool = False


@dataclass(slots=True)
class Result:
    """A word that was answered: of an activity, or at the end of an instance."""

    instance_id: str
    execution: str
    """Empty where it may be any of the instance."""
    task_id: int | None
    why_not: str
    """Why the answer can have had no effect; empty if it may have had one."""


@dataclass(slots=True)
class Task:
    """An activity that was asked for."""

    instance_id: str
    execution: str
    task_id: int
    why_not: str
    outlives: bool = False
    """Whether its instance has ended in the very answer that asked for it: it runs all the same."""


@dataclass(slots=True)
class Termination:
    """A call that may have ended an instance, and when it had returned."""

    instance_id: str
    ended: float = math.inf


@dataclass(slots=True)
class Event:
    """A payload that was raised, sent or carried."""

    instance_id: str
    is_acknowledged: bool = False
    origin: str = ""
    """The birth that was there before it was raised, if that is known."""
    ended: float = math.inf
    """When the call had returned: a later birth has nothing to do with it."""
