"""``braggbook sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.cli.run import home_of, with_limits
from braggbook.formats.run import Engine
from braggbook.notebooks.catalogue import find_notebook
from braggbook.runs.design import build_design
from braggbook.runs.plan import plan_run
from braggbook.runs.sweep import Sweep, SweepPlan, plan_sweep, run_sweep

_FAILED = 3
_MOST_REASONS = 10


@click.command("sweep")
@click.argument("notebook")
@click.option(
    "-p",
    "--parameter",
    "expressions",
    multiple=True,
    metavar="NAME=VALUES",
    help="Values of a parameter: 1,2,5 or 1:100:log20 or 0:1:lin11 or 0:1:step0.1; one value fixes it. "
    "A unit may follow (-p dose_gy='100:400:lin4 cGy').",
)
@click.option(
    "--together",
    multiple=True,
    metavar="NAME,NAME",
    help="Parameters whose values go together, one by one, along one dimension.",
)
@click.option(
    "--design",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Points from a file: grids, lists that go together, Latin hypercubes.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of bb.rng() in every run.")
@click.option(
    "--engine",
    type=click.Choice(["shell", "warm", "kernel"]),
    help="A forked shell without a kernel (the quickest), a forked kernel, or a kernel of its own for every point. "
    "Without it: the quickest that has what the notebook needs.",
)
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Points at a time; else one for each processor.")
@click.option("--cluster", metavar="ADDRESS", help="A running Dask scheduler, in place of this machine.")
@click.option("--no-share", is_flag=True, help="Execute every cell for every point, also those no parameter can reach.")
@click.option("--retry-failed", is_flag=True, help="Execute points again that have failed before.")
@click.option("--stop-on-failure", is_flag=True, help="Begin no more points after one that fails.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--cell-timeout", type=click.FloatRange(1), metavar="SECONDS", help="Stop a cell that takes longer.")
@click.option("--memory-limit", type=click.IntRange(64), metavar="MB", help="Memory that each point may take.")
@verb
def command(
    face: Face,
    notebook: str,
    expressions: tuple[str, ...],
    together: tuple[str, ...],
    design: Path | None,
    seed: int,
    engine: Engine | None,
    workers: int | None,
    cluster: str | None,
    no_share: bool,
    retry_failed: bool,
    stop_on_failure: bool,
    dry_run: bool,
    cell_timeout: float | None,
    memory_limit: int | None,
) -> None:
    """Execute NOTEBOOK at many points of its parameters and gather the results.

    Every point is a run with an id, in a folder of its own, and is answered from there when it has been executed
    before: the same command again, after a crash or with more values, does only what is missing. The results come as
    one xarray Dataset in a Zarr store, with the parameters as dimensions. Points that fail are kept with their reason.
    """
    settings = with_limits(home_of(notebook, face), cell_timeout, memory_limit)
    source = find_notebook(notebook, project=settings.project)
    points = build_design(source.parameters, expressions, file=design, together=together, where=source.path.name)
    base = plan_run(source, {}, settings=settings, seed=seed, progress=face.bar)
    plan = plan_sweep(base, points, engine=engine, share=not no_share)
    if not face.json:
        for line in [*points.describe(), f"{len(points):,} points, engine {plan.engine}", *plan.why]:
            face.say(line)
    if dry_run:
        show_plan(face, plan, runs=settings.runs)
        return
    sweep = run_sweep(
        plan,
        settings=settings,
        workers=workers,
        cluster=cluster,
        retry_failed=retry_failed,
        stop_on_failure=stop_on_failure,
        progress=face.bar,
        say=face.say,
    )
    show_sweep(face, sweep, order=list(source.front.braggbook.results))
    if sweep.failed:
        raise click.exceptions.Exit(_FAILED)


def show_plan(face: Face, plan: SweepPlan, *, runs: Path) -> None:
    """Prints what a sweep would do."""
    there = sum((runs / plan.run_id(point)).is_dir() for point in plan.design.points())
    data = {
        "sweep_id": plan.id,
        "shape": plan.design.shape,
        "points": len(plan.design),
        "there": there,
        "engine": plan.engine,
        "shared_cells": plan.shared,
        "why": list(plan.why),
    }
    face.emit(data, f"would execute {len(plan.design) - there:,} points; {there:,} are there")


def show_sweep(face: Face, sweep: Sweep, *, order: list[str]) -> None:
    """Prints how a sweep ended: counts, reasons of failures, what the results are and where they lie."""
    data = {
        "sweep_id": sweep.id,
        "sweep_dir": str(sweep.folder),
        "store": str(sweep.store),
        "points": sweep.points,
        "ended": dict(sweep.ended),
        "cached": sweep.cached,
        "engine": sweep.engine,
        "shared_cells": sweep.shared_cells,
        "failures": sweep.reasons,
        "left_out": sweep.left_out,
    }
    if face.json:
        face.emit(data)
        return
    lines: list[Any] = [_ranges(sweep, order), ""]
    for reason, ids in list(sweep.reasons.items())[:_MOST_REASONS]:
        lines.append(Text(f"{len(ids):,} x {reason}  (run {ids[0]})", style="red"))
    if len(sweep.reasons) > _MOST_REASONS:
        lines.append(f"and {len(sweep.reasons) - _MOST_REASONS} more reasons; they are in the store, as reason")
    lines += [f"{name} is not in the store: {why}" for name, why in sweep.left_out.items()]
    missing = sweep.points - sweep.done
    counts = [f"{sweep.ended['complete']:,} of {sweep.points:,} points complete"]
    counts += [f"{sweep.failed:,} failed"] if sweep.failed else []
    counts += [f"{missing:,} missing"] if missing else []
    counts += [f"{sweep.cached:,} answered from their folders"] if sweep.cached else []
    style = "bold red" if sweep.failed or missing else "bold green"
    lines += [Text(", ".join(counts), style=style), f"results  {sweep.store}"]
    lines += ["read them: xarray.open_zarr(..., consolidated=False)"]
    face.emit(data, *(Text(line) if isinstance(line, str) else line for line in lines))


def _ranges(sweep: Sweep, order: list[str]) -> Any:
    """Returns a table of every number's range over the points, in the order of the notebook's results."""
    import xarray as xr  # noqa: PLC0415 - help and errors of this verb must not wait for it

    rows = []
    with xr.open_zarr(sweep.store, consolidated=False) as found:
        for name, array in found.data_vars.items():
            number = array.dtype.kind == "f" and set(array.dims) <= set(sweep.dims)
            if number and array.attrs.get("part") == "value" and bool(array.notnull().any()):
                unit = array.attrs.get("units", "1")
                limits = (f"{float(array.min()):.6g}", f"{float(array.max()):.6g}")
                rows.append((order.index(array.attrs["result"]), str(name), *limits, "" if unit == "1" else unit))
    return table("result", "least", "greatest", "unit", rows=[row[1:] for row in sorted(rows)])


COMMANDS = {"sweep": command}
