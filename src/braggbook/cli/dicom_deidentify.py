"""``braggbook dicom deidentify``."""

from __future__ import annotations

import re
from pathlib import Path

import click
from rich.text import Text

from braggbook.cli.face import Face, table, verb
from braggbook.errors import InputError
from braggbook.formats.deidentification import FileRecord
from braggbook.imaging.deidentify import OPTIONS, Deidentified, Region, deidentify, make_options, write_reports
from braggbook.imaging.deidentify.file import NO_PIXELS
from braggbook.imaging.deidentify.key import check_outside

_SHOWN = 20  # files on the terminal; the report has all
_HINTS = {
    "clean-pixel-data": "blank what --blank names",
    "clean-recognizable-visual-features": "refused: there is no defacer",
    "clean-graphics": "overlays and curves: always gone",
    "clean-structured-content": "known words of reports stay",
    "clean-descriptors": "known words of descriptions stay",
    "retain-full-dates": "dates stay",
    "retain-modified-dates": "dates move; so it is by default",
    "retain-patient-characteristics": "age, sex, size, weight; for SUV",
    "retain-device-identity": "model, serial number, station",
    "retain-uids": "UIDs stay",
    "retain-safe-private": "a short list of private elements",
    "retain-institution-identity": "name and address of the place",
}
_OPTIONS = "\n".join(f"  {name:<35}{code}  {_HINTS[name]}" for name, (code, _) in OPTIONS.items())
_EPILOG = f"\b\nOptions of the profile, for --option:\n{_OPTIONS}"


@click.command("deidentify", epilog=_EPILOG)
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write to: new, or of an earlier run.",
)
@click.option(
    "--option", "options", multiple=True, metavar="NAME", help="Option of the profile, by name or code, below."
)
@click.option(
    "--remove-dates", is_flag=True, help="Remove dates rather than move them by one number of days per patient."
)
@click.option("--key", type=click.Path(path_type=Path), help="Secret of the pseudonyms [default: OUTPUT.key.json].")
@click.option(
    "--report", "page", type=click.Path(path_type=Path), help="Report to write [default: OUTPUT.report.html]."
)
@click.option("--blank", multiple=True, metavar="LEFT,TOP,WIDTH,HEIGHT", help="Blank these pixels in every frame.")
@click.option("--pixels-reviewed", is_flag=True, help="Somebody has looked: no text is burnt into the pixels.")
@click.option("--faces-removed", is_flag=True, help="A defacer has been at work, or no head is shown.")
@click.option("--workers", type=click.IntRange(1), help="Processes [default: one per processor].")
@verb
def command(
    face: Face,
    source: Path,
    output: Path,
    options: tuple[str, ...],
    remove_dates: bool,
    key: Path | None,
    page: Path | None,
    blank: tuple[str, ...],
    pixels_reviewed: bool,
    faces_removed: bool,
    workers: int | None,
) -> None:
    """De-identify a DICOM file or folder SOURCE by PS3.15 annex E: what may stay is listed, everything else goes.

    Writes clean files to OUTPUT, a report for people and programs, and a secret key that makes the same pseudonyms
    again. The key must not be given away. Text burnt into pixels and faces are not removed: images that may show them
    are held back or reported.

    Exit code 1 says that something is open: files held back, faces that were not removed, or no DICOM object at all.
    """
    wanted = make_options(
        options,
        remove_dates=remove_dates,
        regions=[_region(text) for text in blank],
        pixels_reviewed=pixels_reviewed,
        faces_removed=faces_removed,
    )
    where = page or output.parent / f"{output.name}.report.html"
    if page is not None and source.is_dir():
        check_outside(page, source, what="report", of="source")
    done = deidentify(source, output, options=wanted, key=key, workers=workers, progress=face.bar)
    data = write_reports(done.report, where)
    _show(face, done, page=where, data=data, output=output)
    if not done.report.complete:
        raise click.exceptions.Exit(1)


def _region(text: str) -> Region:
    found = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*,\s*(\d{1,6})\s*,\s*(\d{1,6})\s*", text)
    if not found:
        raise InputError("not a region", wanted="--blank LEFT,TOP,WIDTH,HEIGHT in pixels", got=text)
    return Region(*(int(number) for number in found.groups()))


def _why(record: FileRecord) -> str:
    return record.reason or record.face or (NO_PIXELS if NO_PIXELS in record.notes else "")


def _show(face: Face, done: Deidentified, *, page: Path, data: Path, output: Path) -> None:
    report = done.report
    opened = [(record, why) for record in report.files if (why := _why(record))]
    rows = [(record.number, record.outcome, str(done.sources[record.number]), why) for record, why in opened[:_SHOWN]]
    lines = [Text(f"{name:<13} {count}") for name, count in report.outcomes.items()]
    lines += [Text(f"warning  {warning}", style="yellow") for warning in report.warnings]
    if done.new_key:
        lines.append(Text(f"key     {done.key}: keep it secret, apart from the output; later runs need it"))
    lines += [Text(f"output  {output}"), Text(f"report  {page}")]
    verdict = (
        "complete" if report.complete else ", ".join(f"{count} {name}" for name, count in report.open_findings.items())
    )
    lines.append(Text(verdict, style="bold green" if report.complete else "bold red"))
    shown = [table("file", "outcome", "path", "why", rows=rows)] if rows else []
    left = [Text(f"and {len(opened) - _SHOWN} more, in the report")] if len(opened) > _SHOWN else []
    face.emit(
        {
            "output": str(output),
            "report": str(page),
            "report_json": str(data),
            "key": str(done.key),
            "complete": report.complete,
            "outcomes": report.outcomes,
            "open_findings": report.open_findings,
            "warnings": report.warnings,
            "files": [
                {"number": r.number, "source": str(done.sources[r.number]), "outcome": r.outcome, "why": why}
                for r, why in opened
            ],
        },
        *shown,
        *left,
        *lines,
    )


COMMANDS = {"deidentify": command}
