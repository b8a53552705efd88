"""How the server knows whether an instance takes another step, without a script.

A loop of Conductor's goes on by a script, which the server fails for good where it does not come
to it within 4 s, or for as long as a list has items. So there is a list that is always longer than
the number of steps so far, and none once a step has ended the instance. The list is made when it
is looked at: `[0,0]` behind the path of a list means its first item twice, and several of them
multiply. What a step puts out says how many it takes; where it was lost, what it was given does.
"""

from __future__ import annotations

from flowyard_conductor.instances import Json

MOST_STEPS = 1_000_000
"""How many steps an instance may take."""

# How many steps may be lost one after the other; a commit comes before.
_MOST_LOST = 128
_FEW = 256
# The server needs about a microsecond for each item, at each step.
_SIZES = (1_000, 2_500, 6_000, 15_000, 40_000, 100_000, 250_000, MOST_STEPS)
LAST_STEP = MOST_STEPS - 2 * _MOST_LOST
"""The step that has to end an instance."""
_LEVELS = 4
_ONE_ITEM = [[[[0]]]]


def rounds_of(number: int) -> str:
    """Return what the step of this number puts out, for the server to go on after it."""
    needed = number + _MOST_LOST
    if needed < _FEW:
        return "few"
    return f"to{next((size for size in _SIZES if needed < size), MOST_STEPS)}"


def inputs() -> Json:
    """Return what the loop, `steps`, has to be given for `ITEMS`."""
    sizes = {f"to{size}": _repeated(size) for size in _SIZES}
    return {
        "items": {"null": _ONE_ITEM, "nullfew": [0] * _FEW},
        # Nothing is known only as long as the first steps were lost.
        "rounds": {"null": "few", "few": "few", **sizes},
        "told": {"null": "step.input", "few": "step.output"} | dict.fromkeys(sizes, "step.output"),
    }


GIVEN = "${${steps.input.told.${step.output.rounds}}.rounds}"
"""What each step has to be given as `rounds`."""

ITEMS = f"${{steps.input.items.${{step.output.end}}${{steps.input.rounds.{GIVEN}}}}}"
"""As long as no step has put out an `end`, that is `null`."""


def _repeated(size: int) -> str:
    width = 1
    while width**_LEVELS <= size:
        width += 1
    return f"[{','.join('0' * width)}]" * _LEVELS
