"""The tables of `benchmarks/engine.py`: what was measured, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

STOCK, PAIR = "papermill", "papermill in 2 processes"
AGAIN = "2 workers, again: all points are there"
WHOLE, BARE = "the whole run", "the cells' own work in a bare process"
MET = 0.8  # an aim counts as met from this part of it on
LABELS = {
    "papermill": "stock papermill",
    "nbclient": "nbclient",
    "ploomber": "ploomber-engine, all notebooks in one process",
    "provisioner": "stock papermill, kernels by our provisioner",
    "provisioner_modules": "the same, and its kernelspec names the libraries",
    "warm": "papermill, `--engine braggbook`",
    "shell": "in-process engine, without a record",
    "run_kernel": "whole run with its record, `--engine kernel`",
    "run_warm": "whole run with its record, `--engine warm`",
    "run_shell": "whole run with its record, `--engine shell`",
    "bare_cold": "bare cells in a new Python",
    "bare": "bare cells, everything imported",
}
AIMS = {
    ("scientific", "warm"): 4.0, ("scientific", "shell"): 8.0, ("cells100", "warm"): 5.0, ("cells100", "shell"): 25.0,
    ("sweep", "2 workers"): 15.0, ("heavy", "2 workers"): 50.0,
}  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What an execution took."""

    seconds: float
    cpu_s: float


Rounds = list[dict[str, Cost]]  # by engine


@dataclass(frozen=True)
class Memory:
    """Memory of several executions at a time, all waiting in their last cell, in MB.

    Attributes:
        template: Of the template alone, before (proportional set size); None where there is none.
        rss: Of one execution's process: its pages, shared or not.
        peak: The most of that so far.
        pss: With each shared page divided by the number of those that share it.
        uss: Its own pages alone.
        extra: What the machine needs more for one more execution.
    """

    template: float | None
    rss: float
    peak: float
    pss: float
    uss: float
    extra: float


def middle_and_range(values: Sequence[float], form: str) -> str:
    """Returns the median of values, and their range."""
    if len(values) == 1:
        return form.format(values[0])
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} – {form.format(max(values))})"


def seconds_text(value: float) -> str:
    """Returns seconds with three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 1 else f"{value:.3f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table; all columns but the first hold numbers, which break before their range alone."""
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(["---", *["--:"] * (len(head) - 1)]) + "|"]
    return "\n".join([*lines, *("| " + " | ".join([row[0], *map(_unbroken, row[1:])]) + " |" for row in rows)])


def _unbroken(cell: str) -> str:
    number, _, span = cell.replace("–", "–\N{WORD JOINER}").partition(" (")  # a line may end behind a dash
    return " (".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in (number, span) if part)


def ratios(rounds: Rounds, engine: str, *, what: str = "seconds") -> list[float]:
    """Returns, for each round, how many times as much stock papermill took."""
    return [getattr(costs[STOCK], what) / max(getattr(costs[engine], what), 1e-6) for costs in rounds]


def aim_text(aim: float | None, reached: float) -> str:
    """Returns an aim, and whether it was met."""
    if aim is None:
        return ""
    return f"{aim:g}: {'met' if reached >= MET * aim else 'not met'}"


def compare_table(
    name: str, rounds: Rounds, *, labels: Mapping[str, str], missing: Mapping[str, str], bare: str | None = None
) -> str:
    """Returns the table of one comparison."""
    rows = []
    for engine, label in labels.items():
        if engine in missing:
            rows.append([label, "not installed", *[""] * (5 if bare else 4)])
            continue
        wall = [costs[engine].seconds for costs in rounds]
        faster = ratios(rounds, engine)
        row = [
            label, seconds_text(statistics.median(wall)),
            seconds_text(statistics.median(costs[engine].cpu_s for costs in rounds)),
            "1" if engine == STOCK else middle_and_range(faster, "{:.1f}"),
            "1" if engine == STOCK else f"{statistics.median(ratios(rounds, engine, what='cpu_s')):.1f}",
        ]  # fmt: skip
        if bare:
            floor = statistics.median(costs[engine].seconds / costs[bare].seconds for costs in rounds)
            row.append(f"{floor:.0f}" if floor >= 100 else f"{floor:.1f}")
        rows.append([*row, aim_text(AIMS.get((name, engine)), statistics.median(faster))])
    head = ["", "wall, s", "CPU, s", "times faster, wall", "CPU", *(["of bare cells"] if bare else []), "aim"]
    return table(head, rows)


def memory_table(found: Mapping[str, Memory]) -> str:
    """Returns the table of memory."""
    rows = []
    for engine, memory in found.items():
        numbers = [memory.rss, memory.peak, memory.pss, memory.uss, memory.extra]
        template = "–" if memory.template is None else f"{memory.template:.0f}"
        rows.append([LABELS[engine], template, *(f"{number:.0f}" for number in numbers)])
    return table(["MB", "template alone", "RSS", "peak RSS", "PSS", "USS", "extra for one more"], rows)


def stages_table(found: Mapping[str, float]) -> str:
    """Returns the table of stages, the longest first."""
    whole = found[WHOLE]
    parts = sorted(((k, v) for k, v in found.items() if k not in (WHOLE, BARE)), key=lambda item: -item[1])
    rows = [[name, f"{1e3 * value:.1f}", f"{100 * value / whole:.0f} %"] for name, value in parts]
    rows.append([f"**{WHOLE}**", f"{1e3 * whole:.1f}", "100 %"])
    rows.append([BARE, f"{1e3 * found[BARE]:.1f}", f"{100 * found[BARE] / whole:.0f} %"])
    return table(["stage", "ms", "share"], rows)
