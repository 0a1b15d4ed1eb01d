"""The tables of `benchmarks/imaging.py`: what was measured, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine_tables import Rounds, middle_and_range, seconds_text, table

OURS = "Braggbook"


@dataclass(frozen=True)
class Section:
    """One row of the issue: what was asked, what was done to compare, and its tables, in Markdown."""

    title: str
    parts: Sequence[str]

    def __str__(self) -> str:
        return "\n\n".join([f"### {self.title}", *self.parts])


def ratios(rounds: Rounds, name: str, *, what: str = "seconds") -> list[float]:
    """Returns, for each round, how many times as much as ours a side took."""
    return [getattr(costs[name], what) / max(getattr(costs[OURS], what), 1e-9) for costs in rounds]


def aim_text(aim: float | None, reached: float) -> str:
    """Returns an aim, and whether it was met: by the median, without an allowance."""
    return "" if aim is None else f"{aim:g}: {'met' if reached >= aim else 'not met'}"


def compare_table(rounds: Rounds, *, aims: Mapping[str, float], unit: str = "s") -> str:
    """Returns the table of a comparison: a row a side, ours first."""
    rows = []
    for name in [OURS, *(name for name in rounds[0] if name != OURS)]:
        wall, cpu = ([getattr(costs[name], what) for costs in rounds] for what in ("seconds", "cpu_s"))
        row = [name, middle_and_range_s(wall), seconds_text(statistics.median(cpu))]
        if name == OURS:
            rows.append([*row, "1", "1", ""])
            continue
        slower = ratios(rounds, name)
        row += [middle_and_range(slower, "{:.2f}"), f"{statistics.median(ratios(rounds, name, what='cpu_s')):.2f}"]
        rows.append([*row, aim_text(aims.get(name), statistics.median(slower))])
    return table(["", f"wall, {unit}", f"CPU, {unit}", "times as long as ours", "times the CPU", "aim"], rows)


def middle_and_range_s(values: Sequence[float]) -> str:
    """Returns the median of seconds, and their range."""
    middle = seconds_text(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({seconds_text(min(values))} – {seconds_text(max(values))})"
