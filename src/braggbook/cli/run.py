"""``braggbook run``."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.errors import InputError
from braggbook.formats.result import Result, ScalarResult
from braggbook.formats.run import Engine
from braggbook.kernels.warm import can_fork
from braggbook.notebooks.catalogue import find_notebook
from braggbook.notebooks.show import interval_text, short_text, value_text
from braggbook.runs.folder import read_results
from braggbook.runs.plan import RunPlan, plan_run, require_no_kernel
from braggbook.runs.report import REPORT
from braggbook.runs.run import Run, run
from braggbook.settings import Settings, find_project

_INTERRUPTED, _FAILED = 130, 3


@click.command("run")
@click.argument("notebook")
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter; a number may carry a unit (-p dose_gy='200 cGy').",
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="Parameters from a TOML file; -p wins over it.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of bb.rng().")
@click.option("--force", is_flag=True, help="Execute even if this very run is already there.")
@click.option(
    "--engine",
    type=click.Choice(["kernel", "warm", "shell"]),
    default="kernel",
    show_default=True,
    help="A kernel of its own, one forked from a process that has its libraries, or a forked shell without a kernel.",
)
@click.option(
    "--reserve",
    metavar="ARCHIVE",
    help="Reserve a DOI there first (folder, zenodo, ...), which the notebook sees as bb.run_doi().",
)
@click.option("--cell-timeout", type=click.FloatRange(1), metavar="SECONDS", help="Stop a cell that takes longer.")
@click.option("--memory-limit", type=click.IntRange(64), metavar="MB", help="Memory that the kernel may take.")
@verb
def command(
    face: Face,
    notebook: str,
    parameters: tuple[str, ...],
    files: tuple[Path, ...],
    seed: int,
    force: bool,
    engine: Engine,
    reserve: str | None,
    cell_timeout: float | None,
    memory_limit: int | None,
) -> None:
    """Execute NOTEBOOK (a name in the project, or a path) and record the run.

    Everything is checked before a kernel starts. The run's folder is named by a digest of what went into it; the same
    notebook with the same parameters, data, kernel and code is answered from that folder at once.
    """
    settings = with_limits(home_of(notebook, face), cell_timeout, memory_limit)
    source = find_notebook(notebook, project=settings.project)
    given = read_parameters(parameters, files)
    plan = plan_run(source, given, settings=settings, seed=seed, progress=face.bar)
    if reserve:
        plan = dataclasses.replace(plan, doi=_reserved(face, plan, settings, reserve))
    if engine == "shell":
        require_no_kernel(source)
    if engine != "kernel" and not can_fork():
        face.say("this system cannot fork a process that has loaded libraries; the kernel is started cold")
    done = run(
        plan,
        settings=settings,
        force=force,
        engine=engine,
        progress=face.bar,
        on_wait=lambda: face.say("another process is executing this run; waiting for it"),
    )
    show_run(face, done)
    if done.record.verdict != "complete":
        raise click.exceptions.Exit(_INTERRUPTED if done.record.verdict == "interrupted" else _FAILED)


def _reserved(face: Face, plan: RunPlan, settings: Settings, archive: str) -> str:
    """Returns the DOI that an archive keeps for a run; the same run asks for the same one."""
    from braggbook.records.archives import Shelf  # noqa: PLC0415 - a run without a DOI needs no archive
    from braggbook.records.deposit import reserve  # noqa: PLC0415 - the same
    from braggbook.records.run_plan import metadata_of_run, place_of  # noqa: PLC0415 - the same

    opened = Shelf(settings.archive, os.environ).open(archive, own=True)
    metadata = metadata_of_run(plan.notebook.front, run_id=plan.id, parameters=plan.values)
    deposit = reserve(plan.id, metadata, archive=opened, place=place_of(settings.runs / plan.id, archive))
    face.say(f"reserved {deposit.doi}; it is registered when the run is published")
    return str(deposit.doi)


def home_of(notebook: str, face: Face) -> Settings:
    """Returns the settings of the project that a notebook lies in, when it is named by a path and no project is."""
    path = Path(notebook)
    if not path.is_file() or face.origins["project"] != "default":
        return face.settings
    project = find_project(path.resolve().parent)
    if not (project / "kernels").is_dir():
        return face.settings
    runs = project / "runs" if face.origins["runs"] == "default" else face.settings.runs
    return dataclasses.replace(face.settings, project=project, runs=runs)


def with_limits(settings: Settings, cell_timeout: float | None, memory_limit: int | None) -> Settings:
    """Returns the settings with a verb's own limits over them."""
    limits: dict[str, Any] = {"cell_timeout_s": cell_timeout, "memory_limit_mb": memory_limit}
    return dataclasses.replace(settings, **{name: value for name, value in limits.items() if value is not None})


def read_parameters(pairs: tuple[str, ...], files: tuple[Path, ...]) -> dict[str, Any]:
    """Joins parameters from files and from ``name=value`` texts; later ones win.

    Raises:
        InputError: A file is not TOML, or a text is no pair.
    """
    given: dict[str, Any] = {}
    for path in files:
        try:
            given |= tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                "parameters cannot be read", where=str(path), wanted="a TOML file", got=str(error)
            ) from None
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise InputError("not a parameter", wanted="-p name=value", got=pair)
        given[name.strip()] = value
    return given


def show_run(face: Face, done: Run) -> None:
    """Prints a run: its verdict, results with units and intervals, and where it lies."""
    results = list(read_results(done.folder).results.values())
    record, report = done.record, done.folder / REPORT
    data = {
        "run_id": record.id,
        "run_dir": str(done.folder),
        "report": str(report),
        "verdict": record.verdict,
        "cached": done.cached,
        "changed": list(done.changed),
        "failure": record.failure.model_dump(mode="json") if record.failure else None,
        "results": {result.name: summary(result) for result in results},
    }
    lines: list[Any] = []
    for change in done.changed:
        face.say(f"differs from the earlier execution of this same run: {change}")
    if results:
        lines += [results_table(results), ""]
    if record.failure:
        lines.append(Text(f"{record.verdict}: {record.failure.message}", style="bold red"))
        lines += [
            f"  - {i['where']}: {i['what']}; wanted {i['wanted']}, got {i['got'] or 'nothing'}"
            for i in record.failure.issues
        ]
    else:
        lines.append(
            Text(
                "complete" + (" (answered from the folder; --force executes again)" if done.cached else ""),
                style="bold green",
            )
        )
    lines += [f"run     {done.folder}", f"report  {report}"]
    if record.failure:
        lines.append(f"next: open the report, or {done.folder / 'executed.ipynb'}")
    face.emit(data, *(Text(line) if isinstance(line, str) else line for line in lines))


def results_table(results: list[Result]) -> Any:
    """Returns declared results as a table for a terminal."""
    first = sorted(results, key=lambda result: not isinstance(result, ScalarResult))
    rows = [(r.name, short_text(r), interval_text(r) if isinstance(r, ScalarResult) else "") for r in first]
    return table("result", "value", "interval", rows=rows)


def summary(result: Result) -> dict[str, Any]:
    """Returns a result for ``--json``: a scalar whole, anything else by what it is."""
    if isinstance(result, ScalarResult):
        return result.model_dump(mode="json", exclude_none=True, exclude={"name"})
    return {"kind": result.kind, "text": value_text(result)}


COMMANDS = {"run": command}
