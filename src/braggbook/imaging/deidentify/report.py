"""The report of a de-identification: JSON for programs, one HTML page for people; no value of the input in either."""

from __future__ import annotations

from pathlib import Path

import jinja2

from braggbook.files import write_json, write_text
from braggbook.formats.deidentification import DeidentificationReport, FileRecord

_MOST_FILES = 2000  # rows of the page; the JSON has all


def write_reports(report: DeidentificationReport, page: Path) -> Path:
    """Writes the page and, beside it, the JSON of the same name; returns the JSON's path.

    Raises:
        StorageError: One of them cannot be written.
    """
    data = page.with_suffix(".json")
    page.parent.mkdir(parents=True, exist_ok=True)
    write_json(data, report.model_dump(mode="json"))
    write_text(page, html(report))
    return data


def html(report: DeidentificationReport) -> str:
    """Returns the report as one HTML page that asks nothing of any network."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("braggbook.imaging.deidentify", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    opened = [record for record in report.files if _is_open(record)]
    return environment.get_template("report.html").render(
        report=report, opened=opened[:_MOST_FILES], left_out=max(0, len(opened) - _MOST_FILES), noted=_noted(report)
    )


def _is_open(record: FileRecord) -> bool:
    return bool(record.face) or record.outcome in ("quarantined", "blocked", "not readable")


def _noted(report: DeidentificationReport) -> list[tuple[str, int]]:
    """Returns notes of files with how many files have each."""
    counts: dict[str, int] = {}
    for record in report.files:
        for note in record.notes:
            counts[note] = counts.get(note, 0) + 1
    return sorted(counts.items())
