"""Executing notebooks: Braggbook's engines in turn with papermill, nbclient and ploomber-engine; prints ratios.

    python benchmarks/engine.py [--rounds 7] [--quick] [--only NAME] [--json FILE] [--write docs/explain/performance.md]

Every engine has a process of its own that lives for the whole benchmark, has imported all that it needs, and has
executed each notebook twice before anything counts. In each round every engine executes the same notebook once with the
same parameters, in an order that changes from round to round. A ratio is that of stock papermill and another engine in
one round; its median over the rounds is shown with its range. What the engines computed must be equal in every round,
else the benchmark ends. Wall time is of the execution alone. CPU time is of the engine's process and everything below
it, kernels and templates included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from engine_notebooks import PLAIN
from engine_processes import LIBRARIES, PLOOMBER, Bench, Failed, bench
from engine_tables import AGAIN, LABELS, PAIR, STOCK, compare_table, memory_table, stages_table
from engine_timings import (
    Disagreement,
    Grid,
    heavy_grid,
    measure_memory,
    measure_stages,
    scientific_grid,
    time_commands,
    time_notebook,
    time_sweep,
)

MARKS = ("<!-- benchmark: begin -->", "<!-- benchmark: end -->")


def facts() -> dict[str, str]:
    """Returns what machine and versions these are."""
    model = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    names = ("braggbook", "papermill", "nbclient", "ipykernel", "jupyter-client", *LIBRARIES[:4], "dask")
    return {
        "processor": f"{model[1] if model else platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "versions": f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in names),
        "peer": PLOOMBER.replace("==", " ") + " with the same libraries, in its own environment",
        "date": datetime.now(UTC).date().isoformat(),
        "load average before": f"{os.getloadavg()[0]:.1f}",
    }


def sweep_labels(grid: Grid) -> dict[str, str]:
    """Returns the rows of a sweep's table."""
    ours = [*grid.variants, AGAIN]
    return {
        STOCK: "stock papermill, one after the other *",
        PAIR: "stock papermill in 2 processes *",
        **{name: f"`braggbook sweep`, {name}" for name in ours},
    }


def measure(made: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Does what was asked for; returns all numbers."""
    wanted = options.only or [*PLAIN, "sweep", "heavy", "command", "memory", "stages"]
    found: dict[str, Any] = {}
    for slug in PLAIN:
        if slug in wanted:
            found[slug] = time_notebook(made, slug, options.rounds)
    for name, grid in (("sweep", scientific_grid(options.points)), ("heavy", heavy_grid(options.points))):
        if name in wanted:
            found[name] = time_sweep(made, grid, rounds=options.sweep_rounds, block=options.block)
    if "command" in wanted:
        found["command"] = time_commands(made, options.sweep_rounds)
    if "memory" in wanted:
        found["memory"] = measure_memory(made, options.together)
    if "stages" in wanted:
        found["stages"] = measure_stages(made, 3 * options.rounds)
    return found


def report(found: Mapping[str, Any], made: Bench, options: argparse.Namespace, machine: Mapping[str, str]) -> str:
    """Returns everything as Markdown."""
    parts = ["\n".join(f"- {name}: {value}" for name, value in machine.items())]
    parts += [f"- {engine}: {why}" for engine, why in made.missing.items()]
    for slug, source in PLAIN.items():
        if slug in found:
            told = compare_table(slug, found[slug], labels=LABELS, missing=made.missing, bare="bare")
            parts += [f"### {slug}: {source.about}", f"{options.rounds} rounds.", told]
    for name, grid in (("sweep", scientific_grid(options.points)), ("heavy", heavy_grid(options.points))):
        if name in found:
            count = len(grid.points)
            told = compare_table(name, found[name], labels=sweep_labels(grid), missing={})
            note = (
                f"{options.sweep_rounds} rounds. * Extrapolated: in each round, {options.block} points one after the "
                f"other and {2 * options.block} in two processes, times {count}. `braggbook sweep` is the whole "
                "command, with the start of Python and of the template."
            )
            parts += [f"### {count}-point sweep of the {grid.slug} notebook", note, told]
    if "command" in found:
        labels = {STOCK: "stock papermill"} | {name: name for name in found["command"][0] if name != STOCK}
        told = compare_table("command", found["command"], labels=labels, missing={})
        parts += ["### One notebook, one command", f"{options.sweep_rounds} rounds, the scientific notebook.", told]
    if "memory" in found:
        parts += [f"### Memory of {options.together} scientific notebooks at a time", memory_table(found["memory"])]
    if "stages" in found:
        note = "Medians of each stage, which need not add up."
        parts += ["### Where the time of a whole run goes: scientific notebook, `--engine shell`", note]
        parts += [stages_table(found["stages"])]
    return "\n\n".join(parts) + "\n"


def write_between_marks(path: Path, text: str) -> None:
    """Puts the tables into a page between its two marks."""
    page = path.read_text(encoding="utf-8")
    before, rest = page.split(MARKS[0])
    _, after = rest.split(MARKS[1])
    path.write_text(f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}", encoding="utf-8")


def as_json(found: Mapping[str, Any], machine: Mapping[str, str]) -> str:
    """Returns all numbers as JSON."""
    return json.dumps({"machine": machine, **found}, default=vars, indent=1)


def read_options(words: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="of the engines, for each notebook")
    parser.add_argument("--sweep-rounds", type=int, default=3, help="of the sweeps and the single commands")
    parser.add_argument("--points", type=int, default=100, help="of a sweep")
    parser.add_argument("--block", type=int, default=4, help="points that stock papermill really executes in a round")
    parser.add_argument("--together", type=int, default=4, help="notebooks at a time when memory is measured")
    parser.add_argument("--quick", action="store_true", help="few rounds and points, to see that it works")
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=[*PLAIN, "sweep", "heavy", "command", "memory", "stages"],
        help="only this part; may be given again",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="put the tables between the marks of this page")
    options = parser.parse_args(words)
    if options.quick:
        options.rounds, options.sweep_rounds, options.points, options.block, options.together = 2, 1, 12, 2, 2
    if min(options.rounds, options.sweep_rounds, options.block, options.together) < 1:
        parser.error("numbers of rounds, points and notebooks are 1 or more")
    if 3 * options.block > options.points:
        parser.error("a sweep has at least three times the points of a block")
    return options


def main(words: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 1 when engines disagree or one does not work."""
    options, machine = read_options(words), facts()
    try:
        with bench() as made:
            found = measure(made, options)
            machine["load average after"] = f"{os.getloadavg()[0]:.1f}"
            text = report(found, made, options, machine)
    except (Disagreement, Failed) as error:
        print(f"nothing is compared: {error}", file=sys.stderr)
        return 1
    print(text)
    if options.json:
        options.json.write_text(as_json(found, machine), encoding="utf-8")
    if options.write:
        write_between_marks(options.write, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
