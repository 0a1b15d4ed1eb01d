"""What `benchmarks/engine.py` measures: engines in turn, sweeps, single commands, memory, stages of a run."""

from __future__ import annotations

import json
import random
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from engine_notebooks import SLEEPER, write_plain
from engine_processes import Bench, Failed, Worker, say
from engine_tables import AGAIN, BARE, LABELS, PAIR, STOCK, WHOLE, Cost, Memory, Rounds
from engine_worker import values_of_file


class Disagreement(Exception):
    """Two engines computed different values from the same notebook and parameters."""


def require_equal(values: Mapping[str, Mapping[str, float]], where: str) -> None:
    """Checks that all engines computed the very same values.

    Raises:
        Disagreement: They did not.
    """
    reference = dict(values[STOCK])
    for engine, found in values.items():
        if dict(found) != reference:
            raise Disagreement(f"{where}: {engine} computed {dict(found)}, {STOCK} {reference}")


def time_notebook(made: Bench, slug: str, rounds: int) -> Rounds:
    """Has every engine execute a notebook in turn."""
    engines = list(LABELS)
    for turn in range(2):
        for engine in list(engines):
            try:
                made.worker(engine).ask(made.notebook_for(engine, slug), {"alpha": 0.11 + turn * 0.01})
            except Failed as error:
                if engine != "ploomber":  # the peer that may not be had here
                    raise
                made.missing[engine] = str(error)
                engines.remove(engine)
    found: Rounds = []
    for turn in range(rounds):
        say(f"{slug}: round {turn + 1} of {rounds}")
        parameters = {"alpha": round(0.2 + turn * 0.01, 2)}
        costs, values = {}, {}
        for engine in _rotated(engines, turn):
            told = made.worker(engine).ask(made.notebook_for(engine, slug), parameters)
            costs[engine], values[engine] = Cost(told["seconds"], told["cpu_s"]), told["values"]
        require_equal(values, f"{slug} with {parameters}")
        found.append(costs)
    return found


def _rotated(engines: Sequence[str], turn: int) -> list[str]:
    at = turn % len(engines)
    return [*engines[at:], *engines[:at]]


@dataclass(frozen=True)
class Grid:
    """The points of a sweep: every combination of the values."""

    slug: str
    values: Mapping[str, Sequence[Any]]
    variants: Mapping[str, Sequence[str]]

    @property
    def points(self) -> list[dict[str, Any]]:
        """All points."""
        points: list[dict[str, Any]] = [{}]
        for name, values in self.values.items():
            points = [{**point, name: value} for point in points for value in values]
        return points

    @property
    def words(self) -> list[str]:
        """The options of ``braggbook sweep``."""
        return [w for name, values in self.values.items() for w in ("-p", f"{name}={','.join(map(str, values))}")]


def scientific_grid(points: int) -> Grid:
    """Returns the sweep of the scientific notebook."""
    rows = max(2, round(points**0.5))
    alphas = [round(0.1 + 0.02 * k, 2) for k in range(points // rows)]
    variants = {
        "1 worker, nothing shared": ["--workers", "1", "--no-share"],
        "1 worker": ["--workers", "1"],
        "2 workers, nothing shared": ["--workers", "2", "--no-share"],
        "2 workers, real kernels": ["--workers", "2", "--engine", "warm"],
        "2 workers": ["--workers", "2"],
    }
    return Grid("scientific", {"alpha": alphas, "fractions": list(range(1, rows + 1))}, variants)


def heavy_grid(points: int) -> Grid:
    """Returns the sweep of the notebook whose first cells take long and are the same for all points."""
    variants = {
        "1 worker": ["--workers", "1"],
        "2 workers": ["--workers", "2"],
    }
    return Grid("heavy", {"shift_mm": [0.25 * k for k in range(points)]}, variants)


def time_sweep(made: Bench, grid: Grid, *, rounds: int, block: int) -> Rounds:
    """Sweeps a notebook in every way in turn with stock papermill, which executes only some of the points."""
    points, notebook = grid.points, made.experiment(grid.slug)
    stock = [made.worker(STOCK), made.worker(f"{STOCK}:2")]
    for worker in stock:
        worker.ask(notebook, points[0])
    found: Rounds = []
    for turn in range(rounds):
        say(f"sweep of {grid.slug}: round {turn + 1} of {rounds}")
        chosen = random.Random(turn).sample(points, 3 * block)
        costs, values = _stock_blocks(stock, notebook, chosen, block)
        costs = {name: Cost(c.seconds * len(points), c.cpu_s * len(points)) for name, c in costs.items()}
        for variant in _rotated(list(grid.variants), turn):
            with tempfile.TemporaryDirectory(dir=made.folder) as runs:
                words = ["braggbook", "sweep", grid.slug, *grid.words, *grid.variants[variant], "--json"]
                costs[variant], told = made.command(*words, runs=Path(runs))
                _require_stored(json.loads(told), points, values, f"sweep of {grid.slug}, {variant}")
                if variant == "2 workers":
                    costs[AGAIN], _ = made.command(*words, runs=Path(runs))
        found.append(costs)
    return found


def _stock_blocks(
    stock: Sequence[Worker], notebook: Path, chosen: Sequence[Mapping[str, Any]], block: int
) -> tuple[dict[str, Cost], list[tuple[Mapping[str, Any], dict[str, float]]]]:
    """Returns what stock papermill takes for one point, in one process and in two, and the values of the points."""
    told = [stock[0].ask(notebook, point) for point in chosen[:block]]
    alone = Cost(statistics.mean(each["seconds"] for each in told), statistics.mean(each["cpu_s"] for each in told))
    began = time.perf_counter()
    for at, point in enumerate(chosen[block:]):
        worker = stock[at % 2]
        worker.send(worker.request(notebook, point))
    pair = [stock[at % 2].receive() for at in range(2 * block)]
    seconds = (time.perf_counter() - began) / len(pair)
    costs = {STOCK: alone, PAIR: Cost(seconds, statistics.mean(each["cpu_s"] for each in pair))}
    return costs, [(point, each["values"]) for point, each in zip(chosen, [*told, *pair], strict=True)]


def _require_stored(
    told: Mapping[str, Any],
    points: Sequence[Mapping[str, Any]],
    known: Iterable[tuple[Mapping[str, Any], Mapping[str, float]]],
    where: str,
) -> None:
    """Checks a sweep's results against those of stock papermill.

    Raises:
        Disagreement: They differ, or a point is not complete.
    """
    import xarray as xr  # noqa: PLC0415 - nothing that is timed must wait for it

    if told["ended"] != {"complete": len(points)}:
        raise Disagreement(f"{where}: {told['ended']}")
    with xr.open_zarr(told["store"], consolidated=False) as store:
        for point, values in known:
            here = store.sel(point)
            stored = {name: float(here[name].values) for name in values}
            require_equal({STOCK: values, "sweep": stored}, f"{where} at {dict(point)}")


def time_commands(made: Bench, rounds: int) -> Rounds:
    """Times single commands, each in a new process: what a template costs and gains when it serves one notebook."""
    found: Rounds = []
    output = str(made.folder / "command.ipynb")
    plain = str(made.plain["scientific"])
    for turn in range(-1, rounds):
        say(f"single commands: round {turn + 1} of {rounds}")
        alpha = round(0.31 + 0.01 * turn, 2)
        cases = {
            STOCK: ["papermill", plain, output, "-p", "alpha", str(alpha)],
            "papermill, `--engine braggbook`": [
                "papermill", plain, output, "--engine", "braggbook", "-p", "alpha", str(alpha)
            ],
        }  # fmt: skip
        for engine in ("kernel", "warm", "shell"):
            words = ["braggbook", "run", "scientific", "-p", f"alpha={alpha}", "--engine", engine, "--json"]
            cases[f"`braggbook run --engine {engine}`"] = words
        costs, values = {}, {}
        for case in _rotated(list(cases), max(turn, 0)):
            with tempfile.TemporaryDirectory(dir=made.folder) as runs:
                costs[case], told = made.command(*cases[case], runs=Path(runs))
            results = json.loads(told)["results"] if cases[case][0] == "braggbook" else None
            values[case] = {k: v["value"] for k, v in results.items()} if results else values_of_file(output)
        require_equal(values, f"single commands with alpha = {alpha}")
        if turn >= 0:
            found.append(costs)
    return found


def measure_memory(made: Bench, count: int) -> dict[str, Memory]:
    """Looks at kernels and shells while several notebooks wait in their last cell."""
    found = {}
    for engine in (STOCK, "warm", "shell"):
        say(f"memory: {LABELS[engine]}")
        worker, notebook = made.worker(engine), write_plain(SLEEPER, made.folder / "plain")
        flags = [made.folder / f"flag-{engine}-{number}" for number in range(count)]
        for _ in range(2):
            _together(worker, notebook, flags[:1], _nothing)
        alone = {pid: _smaps(pid)["Pss"] for pid in _templates(worker.pid)}
        found[engine] = _together(worker, notebook, flags, partial(_memory_of, alone=alone))
    return found


def _nothing(pids: Sequence[int]) -> None:
    """Looks at nothing."""


def _together(worker: Worker, notebook: Path, flags: Sequence[Path], look: Callable[[list[int]], Any]) -> Any:
    """Executes the waiting notebook several times at once; looks at the processes while all of them wait."""
    asked = [
        {**worker.request(notebook, {"flag": str(flag)}), "output": f"{worker.output}-{number}.ipynb"}
        for number, flag in enumerate(flags)
    ]
    worker.send({"together": asked})
    end = time.monotonic() + 300
    while not all(flag.is_file() and flag.read_text() for flag in flags):
        if time.monotonic() > end:
            raise Failed(f"{worker.engine}: the waiting notebooks did not come to their last cell")
        time.sleep(0.05)
    time.sleep(0.5)  # whatever is still being sent to the client
    seen = look([int(flag.read_text()) for flag in flags])
    for flag in flags:
        flag.unlink()
    worker.receive()
    return seen


def _templates(root: int) -> list[int]:
    below = psutil.Process(root).children(recursive=True)
    return [process.pid for process in below if any(word.endswith("template.py") for word in process.cmdline()[1:2])]


def _smaps(pid: int) -> dict[str, float]:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text() + Path(f"/proc/{pid}/status").read_text()
    return {name: int(number) / 1024 for name, number in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def _memory_of(pids: list[int], *, alone: Mapping[int, float]) -> Memory:
    parents = {psutil.Process(pid).ppid() for pid in pids}
    template = next((pid for pid in alone if pid in parents), None)
    seen = [_smaps(pid) for pid in pids]
    together = sum(each["Pss"] for each in seen)
    if template is not None:
        together += _smaps(template)["Pss"] - alone[template]

    def middle(*names: str) -> float:
        return statistics.median(sum(each[name] for name in names) for each in seen)

    return Memory(
        template=None if template is None else alone[template],
        rss=middle("Rss"),
        peak=middle("VmHWM"),
        pss=middle("Pss"),
        uss=middle("Private_Clean", "Private_Dirty"),
        extra=together / len(pids),
    )


def measure_stages(made: Bench, rounds: int) -> dict[str, float]:
    """Returns the seconds of each stage of a whole run with the in-process engine, and of the bare cells beside it."""
    found: dict[str, list[float]] = defaultdict(list)
    for turn in range(-2, rounds):
        say(f"stages of a run: round {turn + 1} of {rounds}")
        parameters = {"alpha": round(0.41 + 0.01 * turn, 2)}
        told = made.worker("stages").ask(made.experiment("scientific"), parameters)
        bare = made.worker("bare").ask(made.plain["scientific"], parameters)
        if turn >= 0:
            for stage, seconds in {**told["stages"], WHOLE: told["seconds"], BARE: bare["seconds"]}.items():
                found[stage].append(seconds)
    return {stage: statistics.median(seconds) for stage, seconds in found.items()}
