"""Repeated measurements of one thing, and the rows of the table that they end in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Sample:
    """One number per round."""

    values: tuple[float, ...]

    def __str__(self) -> str:
        middle, low, high = median(self.values), min(self.values), max(self.values)
        return f"{_short(middle)} ({_short(low)} to {_short(high)})"

    def milliseconds(self) -> Sample:
        """Turn rates per second into the time that each took."""
        return Sample(tuple(1000 / value for value in self.values))

    def divided(self, by: float) -> Sample:
        """Divide every round by the same number."""
        return Sample(tuple(value / by for value in self.values))

    def over(self, other: Sample) -> Sample:
        """Divide round by round: what disturbed a round disturbed both."""
        return Sample(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the figure, what it is compared with, and the ratio of the two."""

    figure: str
    measured: str
    against: str
    ratio: Sample | str
    target: str = ""


def interleave(
    rounds: int, measurements: Mapping[str, Callable[[], Mapping[str, float]]]
) -> dict[str, dict[str, Sample]]:
    """Take every measurement once per round; return a sample for each number they report."""
    taken: dict[str, list[Mapping[str, float]]] = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, measure in measurements.items():
            taken[name].append(measure())
    return {
        name: {key: Sample(tuple(result[key] for result in results)) for key in results[0]}
        for name, results in taken.items()
    }


def table(rows: Sequence[Row]) -> str:
    """Write the rows as a markdown table."""
    lines = ["| figure | Flowyard | against | ratio | target |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.figure} | {row.measured} | {row.against} | {row.ratio} | {row.target} |"
        for row in rows
    ]
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
