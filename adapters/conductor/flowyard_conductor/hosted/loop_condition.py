"""How the server knows whether an instance takes another step, without a script.

A loop of Conductor's goes on by a script, which the server fails for good where it does not come
to it within 4 s, or for as long as a list has items. So there is a list that is always longer than
the number of steps so far, and none once a step has ended the instance. The list is made when it
is looked at: `[0,0]` behind the path of a list means its first item twice, and several of them
multiply. What a step puts out says how many it takes; where it was lost, what it was given does.
"""

from __future__ import annotations

from flowyard_conductor.api.connection import Json

MOST_STEPS = 1_000_000
"""How many steps an instance may take."""

# How many steps may be lost one after the other; a commit comes before.
_MOST_LOST = 128
_FEW = 256
# The definition of an instance names them, so an instance that runs knows no others.
# The server needs about a microsecond for each item, at each step.
_SIZES = (1_000, 2_500, 6_000, 15_000, 40_000, 100_000, 250_000, MOST_STEPS)
LAST_STEP = MOST_STEPS - 2 * _MOST_LOST
"""The step that has to end an instance."""
_LEVELS = 4
_ONE_ITEM = [[[[0]]]]


def iterations_of(number: int) -> str:
    """Return what the step of this number puts out, for the server to go on after it."""
    needed = number + _MOST_LOST
    return _up_to(next((size for size in (_FEW, *_SIZES) if needed < size), MOST_STEPS))


def output_of(number: int) -> Json:
    """Return what the step of this number puts out at least."""
    return {"iterations": iterations_of(number)}


def inputs() -> Json:
    """Return what the loop, `steps`, has to be given for `ITEMS`."""
    few = _up_to(_FEW)
    sizes = {_up_to(size): _repeated(size) for size in _SIZES}
    return {
        "items": {"null": _ONE_ITEM, f"null{few}": [0] * _FEW},
        # Nothing is known only as long as the first steps were lost.
        "iterations": {"null": few, few: few, **sizes},
        "iterationsSources": {"null": "step.input"} | dict.fromkeys((few, *sizes), "step.output"),
    }


GIVEN = "${${steps.input.iterationsSources.${step.output.iterations}}.iterations}"
"""What each step has to be given as `iterations`."""

ITEMS = f"${{steps.input.items.${{step.output.end}}${{steps.input.iterations.{GIVEN}}}}}"
"""As long as no step has put out an `end`, that is `null`."""


def _up_to(size: int) -> str:
    return f"upTo{size}"


def _repeated(size: int) -> str:
    width = 1
    while width**_LEVELS <= size:
        width += 1
    return f"[{','.join('0' * width)}]" * _LEVELS
