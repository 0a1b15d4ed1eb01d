"""``braggbook diff`` and ``braggbook collect``."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.files import write_text
from braggbook.runs.diff import collect_runs, diff_runs
from braggbook.runs.folder import find_run, run_folders


@click.command("diff")
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@verb
def diff_command(face: Face, first: str, second: str) -> None:
    """Show what differs between two runs: code, parameters, data, packages, results. Exit code 1 if anything does."""
    one, other = (find_run(name, runs=face.settings.runs) for name in (first, second))
    found, lines = diff_runs(one, other)
    rows = [(d.part, d.name, d.first, d.second) for d in found]
    data = {
        "first": one.name,
        "second": other.name,
        "differences": [vars(d) for d in found],
        "notebook_diff": lines,
    }
    shown: list[Any] = (
        [table("part", "name", one.name[:12], other.name[:12], rows=rows)]
        if rows
        else [Text("the runs do not differ", style="bold green")]
    )
    face.emit(data, *shown, *(Text(line, style={"+": "green", "-": "red"}.get(line[:1], "")) for line in lines))
    if found:
        raise click.exceptions.Exit(1)


@click.command("collect")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--notebook", help="Every complete run of this notebook.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the table as CSV to this file.",
)
@verb
def collect_command(face: Face, runs: tuple[str, ...], notebook: str | None, output: Path | None) -> None:
    """Gather the scalar results of many RUNs (all complete ones, if none is named) into one table."""
    folders = [find_run(name, runs=face.settings.runs) for name in runs] or [
        folder for folder in run_folders(face.settings.runs) if folder.parent == face.settings.runs
    ]
    rows, units = collect_runs(folders)
    rows = [row for row in rows if notebook in (None, row["notebook"])]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if output is not None:
        write_text(output, _csv(columns, rows))
        face.say(f"{len(rows)} runs written to {output}")
    titles = [f"{column} ({units[column]})" if units.get(column, "1") != "1" else column for column in columns]
    shown = [tuple(f"{v:.6g}" if isinstance(v := row.get(c), float) else v for c in columns) for row in rows]
    face.emit(
        {"rows": rows, "units": units},
        table(*titles, rows=shown) if rows else Text("no runs; make one: braggbook run NOTEBOOK"),
    )


def _csv(columns: list[str], rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


COMMANDS = {"diff": diff_command, "collect": collect_command}
