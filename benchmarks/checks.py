"""How long a student waits for a check: numbers, figures, and functions in each of the three ways they are called.

    python benchmarks/checks.py [--rounds 20] [--markdown FILE]

One process stands for the kernel: it has begun the tutorial on dose and survival, and has imported what its notebook
imports. Rows, in turn in every round; what a check costs includes that its attempt is written to the disk:

- `number`, `choice`, `figure`: judged in the kernel.
- `function, fork`: Linux.
- `function, new Python, warm`: macOS and Windows, with the Python that was started ahead and has had its time.
- `function, new Python, cold`: the same without it: what each check took before there was one, and what one takes that
  comes right after another.
- `function, counted steps`: the browser's way, in this Python; Pyodide's takes longer by its own factor.

No figure is drawn within the time, and no round begins before the Python that waits has come to rest.
"""

from __future__ import annotations

import argparse
import functools
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from engine_tables import middle_and_range, table
from page import facts, write_tables

mpl.use("Agg")
from matplotlib import pyplot as plt

from braggbook import learn
from braggbook.learn import calling, functions, spare
from braggbook.learn.session import _open

MARKS = ("<!-- checks: begin -->", "<!-- checks: end -->")
LESSON = "dose_and_survival"
AIM_MS = 300.0
WAYS = {
    "function, fork": "fork",
    "function, new Python, warm": "new python",
    "function, new Python, cold": "new python",
    "function, counted steps": "steps",
}
NO_AIM = "function, new Python, cold"


def surviving_fraction(dose_gy: Any, alpha_per_gy: float, beta_per_gy2: float) -> Any:
    """The exercise's answer, with NumPy, as most write it."""
    return np.exp(-alpha_per_gy * dose_gy - beta_per_gy2 * np.asarray(dose_gy) ** 2)


def at_rest() -> None:
    """Waits until the Python that was started ahead has used no processor time for a while."""
    for python in spare.waiting():
        used, since = -1, time.monotonic()
        while time.monotonic() < since + 0.5:
            now = sum(map(int, Path(f"/proc/{python.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
            if now != used:
                used, since = now, time.monotonic()
            time.sleep(0.02)


def answers() -> dict[str, tuple[str, Any]]:
    """Returns question and answer by the name of the row."""
    figure, axes = plt.subplots()
    doses = np.linspace(0, 12, 241)
    for line in ("CAL 33", "OKF6/TERT1"):
        axes.plot(doses, np.exp(-0.3 * doses - 0.03 * doses**2), label=line)
    axes.set(xlabel="dose (Gy)", ylabel="surviving fraction", yscale="log")
    plt.close(figure)
    return {
        "number": ("q2", 0.4),
        "choice": ("q1", "a"),
        "figure": ("q9", figure),
        **dict.fromkeys(WAYS, ("q5", surviving_fraction)),
    }


def prepared(name: str) -> None:
    """Brings about what a row begins with."""
    if name not in WAYS:
        return
    functions.call = functools.partial(calling.call, way=WAYS[name])  # type: ignore[arg-type]
    if name.endswith("cold"):
        spare.end_waiting()
    elif name.endswith("warm"):
        spare.start_ahead(_open[0].lesson.file, ["numpy"])
        at_rest()
    else:
        spare.end_waiting()


def timed(check: Callable[[], learn.Verdict]) -> tuple[float, float]:
    """Returns wall and processor time in milliseconds, that of children with it."""

    def used() -> float:
        both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
        return sum(each.ru_utime + each.ru_stime for each in both)

    processor, wall = used(), time.perf_counter()
    check()
    return 1000 * (time.perf_counter() - wall), 1000 * (used() - processor)


def measure(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Returns the times of every row; a first round that nobody counts warms everything."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in answers()}
    with tempfile.TemporaryDirectory() as place:
        os.environ["BRAGGBOOK_LEARN"] = place
        learn.begin(LESSON)
        given = answers()
        for number in range(rounds + 1):
            for name, (question, answer) in given.items():
                prepared(name)
                times = timed(functools.partial(learn.check, question, answer))
                if number:
                    taken[name].append(times)
        spare.end_waiting()
    return taken


def page(taken: dict[str, list[tuple[float, float]]]) -> str:
    """Returns the table."""
    rows = []
    for name, times in taken.items():
        wall = sorted(each for each, _ in times)
        aim = "" if name == NO_AIM else f"{AIM_MS:g} ms: {'met' if wall[-1] < AIM_MS else 'not met'}"
        rows.append(
            [name, middle_and_range(wall, "{:.1f}"), middle_and_range([each for _, each in times], "{:.1f}"), aim]
        )
    return table(["a check of a", "wall, ms", "CPU, ms", "aim (slowest)"], rows)


def main(words: Sequence[str]) -> None:
    """Measures, prints, and writes into a page where one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--markdown", type=Path, help="a page with the marks of this benchmark")
    given = parser.parse_args(words)
    load = os.getloadavg()[0]
    tables = page(measure(given.rounds))
    text = "\n".join([facts(["braggbook", "numpy", "matplotlib"], rounds=given.rounds, load=load), "", tables, ""])
    print(text)
    if given.markdown:
        write_tables(given.markdown, text, marks=MARKS)


if __name__ == "__main__":
    main(sys.argv[1:])
