"""From what a participant hands in to a score: how long an evaluation takes, and what of it is ours.

    python benchmarks/challenges.py [--rounds 5] [--markdown FILE]

A challenge is made anew (`braggbook challenge new`), whose scoring notebook does next to nothing, so that all the time
is overhead. Rows, in turn in every round, each a process of its own:

- `predictions`: `braggbook challenge try` with a file: the command line, the airlock, the scoring run.
- `notebook`: the same with a trivial notebook: the sandbox and its self-test, the notebook behind the walls, then as
  above.
- `scoring`: `braggbook run --force` of the scoring notebook alone, which is the part that any run takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from engine_tables import middle_and_range, table
from page import facts, write_tables

MARKS = ("<!-- challenges: begin -->", "<!-- challenges: end -->")
SLUG = "trivial"
AIMS = {"predictions": 3.0, "notebook": 10.0}
SAID = {
    "predictions": "a file of predictions, whole command",
    "notebook": "a trivial notebook in the sandbox, whole command",
    "scoring": "`braggbook run` of the scoring notebook alone",
}


def braggbook(project: Path, *words: str) -> float:
    """Calls the command line, and returns its seconds."""
    environment = {**os.environ, "BRAGGBOOK_VAULT": str(project.parent / "vault")}
    command = [sys.executable, "-m", "braggbook", "--project", str(project), *words]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start


def commands(project: Path) -> dict[str, tuple[str, ...]]:
    """Returns what is measured, by the name of its row."""
    folder = project / "challenges" / SLUG
    return {
        "predictions": ("challenge", "try", SLUG, str(folder / "example_submission")),
        "notebook": ("challenge", "try", SLUG, str(folder / "baseline.ipynb")),
        "scoring": ("run", str(folder / "score.ipynb"), "--force"),
    }


def measure(rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of every row, one number for each round; a first round that nobody counts warms the disk."""
    with tempfile.TemporaryDirectory() as place:
        project = Path(place) / "project"
        (project / "notebooks").mkdir(parents=True)
        braggbook(project, "new", "kernel", "radiobiology")
        braggbook(project, "challenge", "new", SLUG)
        taken: dict[str, list[float]] = {name: [] for name in SAID}
        for number in range(rounds + 1):
            for name, words in commands(project).items():
                for old in (project / "runs").glob("[0-9a-f]*"):  # a scoring run that is there is not done again
                    subprocess.run(["rm", "-rf", str(old)], check=True)
                seconds = braggbook(project, *words)
                if number:
                    taken[name].append(seconds)
    return taken


def page(taken: dict[str, list[float]]) -> str:
    """Returns the tables."""
    rows = []
    for name, seconds in taken.items():
        aim = AIMS.get(name)
        met = "" if aim is None else f"{aim:g} s: {'met' if statistics.median(seconds) < aim else 'not met'}"
        rows.append([SAID[name], middle_and_range(seconds, "{:.2f}"), met])
    return table(["", "wall, s", "aim"], rows)


def main(words: Sequence[str]) -> None:
    """Measures, prints, and writes into a page where one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", type=Path, help="a page with the marks of this benchmark")
    given = parser.parse_args(words)
    load = os.getloadavg()[0]
    tables = page(measure(given.rounds))
    text = "\n".join([facts(["braggbook", "papermill"], rounds=given.rounds, load=load), "", tables, ""])
    print(text)
    if given.markdown:
        write_tables(given.markdown, text, marks=MARKS)


if __name__ == "__main__":
    main(sys.argv[1:])
