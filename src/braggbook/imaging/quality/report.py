"""The quality report as one HTML file that opens from disk and asks nothing of any network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2

from braggbook.files import write_json, write_text
from braggbook.formats.quality import CheckRecord, FindingRecord, Quality


class Same(NamedTuple):
    """Findings that differ in their place alone."""

    where: list[str]
    tag: str
    wanted: str
    found: str


def as_html(quality: Quality) -> str:
    """Returns a report as a page: grade and rule, the eight scores, every finding, every check, the measurements."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("braggbook.imaging.quality", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("quality.html").render(
        quality=quality,
        failed=quality.failed,
        together=together,
        checks=_by_dimension(quality),
        series=quality.series,
        modality={each.uid: each.modality for each in quality.series},
    )


def together(findings: Sequence[FindingRecord]) -> list[Same]:
    """Returns findings with those that differ in their place alone as one, in their order."""
    found: dict[tuple[str, str, str], Same] = {}
    for each in findings:
        key = each.tag, each.wanted, each.found
        found.setdefault(key, Same([], *key)).where.append(each.where)
    return list(found.values())


def _by_dimension(quality: Quality) -> list[tuple[str, list[CheckRecord]]]:
    return [
        (each.name, [check for check in quality.checks if check.dimension == each.name]) for each in quality.dimensions
    ]


def write_report(quality: Quality, path: Path) -> None:
    """Writes a report: HTML, or JSON where the name ends so.

    Raises:
        StorageError: It cannot be written.
    """
    if path.suffix == ".json":
        write_json(path, quality.model_dump(mode="json"))
    else:
        write_text(path, as_html(quality))
