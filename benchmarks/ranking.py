"""Rankings: five methods with 1,000 bootstrap draws, in turn with challengeR's way written as a plain loop.

    python benchmarks/ranking.py [--rows small,large,fresh] [--rounds 5] [--quick] [--markdown FILE]

The peer is what challengeR does (Wiesenfarth et al., Sci. Rep. 11, 2369 (2021), doi:10.1038/s41598-021-82017-6), in
Python with NumPy and SciPy: in each draw it makes the table of the cases that were drawn, ranks it anew, and for
test_then_rank calls Wilcoxon's test for every ordered pair. One thing is not taken over: the copies of a case are cases
of their own, so that both sides draw the same and must give the same ranks.

- `small`: 5 algorithms, 50 cases; the peer makes all draws.
- `large`: 50 algorithms, 1,000 cases; the peer makes a few draws, which stand for the rest.
- `fresh`: everything that a board shows, by test_then_rank, in a process of its own, from its start to its end. Small
  boards are made by NumPy alone; large ones by compiled loops, which are compiled once and then found on the disk.

Before a time is printed, how often each algorithm had each rank is compared with the peer's, for the peer's draws.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from engine_tables import middle_and_range, table
from page import facts, write_tables
from scipy.stats import rankdata, wilcoxon

from braggbook.challenges.ranking import METHODS, Rules, Scores, bootstrap
from braggbook.challenges.ranking.bootstrap import draw_cases

MARKS = ("<!-- ranking: begin -->", "<!-- ranking: end -->")
DRAWS, SEED = 1000, 2026
FRESH_ROWS = (
    ("5 algorithms, 50 cases", ("5", "50")),
    ("50 algorithms, 1,000 cases, where nothing was ever compiled", ("50", "1000")),
    ("the same again, with the compiled loops on the disk", ("50", "1000")),
)
FRESH = """
import sys
import numpy as np
from braggbook.challenges.ranking import RankedMetric, Rules, Scores, Task, standings
algorithms, cases = map(int, sys.argv[1:])
values = np.random.default_rng(1).beta(5, 1.4, size=(algorithms, cases))
scores = Scores(tuple(map(str, range(algorithms))), tuple(map(str, range(cases))), values, "larger")
metric = RankedMetric(scores, Rules("test_then_rank"))
found = standings({"task": Task({"metric": metric})}, rng=np.random.default_rng(2), draws=1000)
assert found.certainty.draws == 1000
"""


@dataclass(frozen=True)
class Size:
    """What is ranked.

    Attributes:
        algorithms: How many.
        cases: How many.
        peer_draws: Draws that the peer makes; by method where they are fewer.
        aim_s: For all methods, with 1,000 draws.
    """

    algorithms: int
    cases: int
    peer_draws: dict[str, int]
    aim_s: float

    def scores(self) -> Scores:
        """Returns scores without ties, whose algorithms differ a little."""
        rng = np.random.default_rng(SEED)
        values = rng.beta(5, 1.4, size=(self.algorithms, self.cases)) + np.linspace(0.1, 0, self.algorithms)[:, None]
        names = tuple(f"a{i}" for i in range(self.algorithms))
        return Scores(names, tuple(f"c{i}" for i in range(self.cases)), values, "larger")


SMALL = Size(5, 50, {}, 1.0)
LARGE = Size(50, 1000, {"rank_then_mean": 50, "rank_then_median": 50, "test_then_rank": 2}, 5.0)


def wins(table: np.ndarray) -> np.ndarray:
    """For how many others each algorithm is significantly better."""
    count = np.zeros(len(table))
    for one in range(len(table)):
        for other in range(len(table)):
            if one != other:
                differences = table[one] - table[other]
                found = wilcoxon(differences, alternative="greater", method="asymptotic", correction=True)
                count[one] += found.pvalue <= 0.05
    return count


def case_ranks(table: np.ndarray) -> np.ndarray:
    """The rank of each algorithm in each case, larger is better."""
    return rankdata(-table, method="min", axis=0)


PEER: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean_then_rank": lambda table: -table.mean(axis=1),
    "median_then_rank": lambda table: -np.median(table, axis=1),
    "rank_then_mean": lambda table: case_ranks(table).mean(axis=1),
    "rank_then_median": lambda table: np.median(case_ranks(table), axis=1),
    "test_then_rank": lambda table: -wins(table),
}


def peer(scores: Scores, method: str, *, draws: int) -> np.ndarray:
    """Draws and ranks one draw after the other; returns how often each algorithm had each rank."""
    counts = np.zeros((len(scores.algorithms),) * 2, int)
    for weights in draw_cases(len(scores.cases), draws=draws, rng=np.random.default_rng(SEED)):
        drawn = scores.values[:, np.repeat(np.arange(len(weights)), weights)]
        ranks = rankdata(PEER[method](drawn), method="min").astype(int)
        counts[np.arange(len(ranks)), ranks - 1] += 1
    return counts


def ours(scores: Scores, method: str, *, draws: int) -> np.ndarray:
    """Our whole bootstrap; returns the same."""
    return bootstrap(scores, Rules(method), rng=np.random.default_rng(SEED), draws=draws).counts  # type: ignore[arg-type]


def seconds_of(work: Callable[[], object]) -> float:
    """Returns wall seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def methods(size: Size, *, rounds: int, quick: bool) -> str:
    """All methods at one size, both sides in turn."""
    scores, draws = size.scores(), DRAWS // 10 if quick else DRAWS
    rows, total = [], [0.0] * rounds
    for method in METHODS:
        few = min(draws, size.peer_draws.get(method, draws))
        if (ours(scores, method, draws=few) != peer(scores, method, draws=few)).any():
            raise SystemExit(f"{method}: ours and the peer's ranks differ")
        mine, theirs = [], []
        for _ in range(rounds):
            mine.append(seconds_of(lambda: ours(scores, method, draws=draws)))  # noqa: B023 - called at once
            theirs.append(seconds_of(lambda: peer(scores, method, draws=few)) * draws / few)  # noqa: B023
        total = [sum(pair) for pair in zip(total, mine, strict=True)]
        ratio = [other / one for one, other in zip(mine, theirs, strict=True)]
        rows.append(
            [
                f"`{method}`",
                middle_and_range(mine, "{:.3f}"),
                middle_and_range(theirs, "{:.2f}") + ("" if few == draws else f", from {few} of {draws:,} draws"),
                middle_and_range(ratio, "{:.0f}"),
            ]
        )
    met = "met" if statistics.median(total) < size.aim_s else "not met"
    rows.append(["all five", middle_and_range(total, "{:.3f}"), "", f"aim: less than {size.aim_s:g} s, {met}"])
    head = ["", "ours, s", "plain loop, s", "times faster"]
    return f"### {size.algorithms} algorithms, {size.cases:,} cases, {draws:,} draws\n\n" + table(head, rows)


def small(*, rounds: int, quick: bool) -> str:
    """5 algorithms, 50 cases."""
    return methods(SMALL, rounds=rounds, quick=quick)


def large(*, rounds: int, quick: bool) -> str:
    """50 algorithms, 1,000 cases."""
    return methods(Size(20, 200, LARGE.peer_draws, LARGE.aim_s) if quick else LARGE, rounds=rounds, quick=quick)


def fresh(*, rounds: int, quick: bool) -> str:
    """Boards in processes of their own, before and after loops were compiled."""
    times: dict[str, list[float]] = {}
    for _ in range(1 if quick else rounds):
        with tempfile.TemporaryDirectory() as cache:
            told = {**os.environ, "NUMBA_CACHE_DIR": cache}
            for label, size in FRESH_ROWS:
                command = [sys.executable, "-c", FRESH, *size]
                seconds = seconds_of(lambda: subprocess.run(command, env=told, check=True))  # noqa: B023
                times.setdefault(label, []).append(seconds)
    rows = [[label, middle_and_range(seconds, "{:.2f}")] for label, seconds in times.items()]
    return "### All that a board with test_then_rank shows, in a new process\n\n" + table(["", "wall, s"], rows)


ROWS = {"small": small, "large": large, "fresh": fresh}


def main(words: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="which, with commas between them; all, if not given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help=f"write the tables; between the marks {MARKS[0]}")
    options, load = parser.parse_args(words), os.getloadavg()[0]
    sections = []
    for name in options.rows.split(","):
        sections.append(ROWS[name](rounds=options.rounds, quick=options.quick))
        print(sections[-1], file=sys.stderr)
    text = (
        "\n\n".join([facts(("braggbook", "numpy", "scipy", "numba"), rounds=options.rounds, load=load), *sections])
        + "\n"
    )
    print(text)
    if options.markdown:
        write_tables(options.markdown, text, marks=MARKS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
