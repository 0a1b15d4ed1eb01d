"""``braggbook verify``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.cli.run import with_limits
from braggbook.records.archives import Shelf
from braggbook.records.receive import is_record, receive_run
from braggbook.runs.folder import find_run
from braggbook.runs.verify import Verification, verify

EXIT_CODES = {"identical": 0, "within tolerance": 0, "drifted": 1, "not verifiable": 3}
_STYLES = {
    "identical": "bold green",
    "within tolerance": "green",
    "drifted": "bold red",
    "not verifiable": "bold yellow",
}


@click.command("verify")
@click.argument("run")
@click.option("--cell-timeout", type=click.FloatRange(1), metavar="SECONDS", help="Stop a cell that takes longer.")
@click.option("--memory-limit", type=click.IntRange(64), metavar="MB", help="Memory that the kernel may take.")
@verb
def command(face: Face, run: str, cell_timeout: float | None, memory_limit: int | None) -> None:
    """Repeat RUN from its record alone, and compare.

    RUN is an id, its beginning, or a folder; or a record: its DOI, its address, or its zip.

    Verdicts: identical, within tolerance (exit code 0), drifted (1), not verifiable (3).
    """
    settings = with_limits(face.settings, cell_timeout, memory_limit)
    found = verify(_folder(face, run), settings=settings, progress=face.bar)
    face.emit(found.as_json(), *shown(found))
    if code := EXIT_CODES[found.verdict]:
        raise click.exceptions.Exit(code)


def _folder(face: Face, run: str) -> Path:
    if not is_record(run):
        return find_run(run, runs=face.settings.runs)
    shelf = Shelf(face.settings.archive, os.environ)
    return receive_run(run, shelf=shelf, cache=face.settings.cache, progress=face.bar)


def shown(found: Verification) -> list[Any]:
    """Returns a verification for a terminal: the table, what differs, the verdict."""
    lines: list[Any] = []
    if found.rows:
        rows = [
            (
                row.name,
                row.expected,
                row.actual,
                row.tolerance,
                _mark(row.same, row.identical),
                f"{row.where} {row.difference}".strip(),
            )
            for row in found.rows
        ]
        lines += [table("result", "record", "repeated", "tolerance", "", "difference", rows=rows), ""]
    lines += [f"file  {issue}" for issue in found.files]
    lines += [f"note  {note}" for note in found.notes]
    lines.append(Text(found.verdict + (f": {found.reason}" if found.reason else ""), style=_STYLES[found.verdict]))
    return [Text(line) if isinstance(line, str) else line for line in lines]


def _mark(same: bool, identical: bool) -> str:
    return "identical" if identical else "within" if same else "drifted"


COMMANDS = {"verify": command}
