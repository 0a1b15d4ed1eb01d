"""The report of a de-identification: JSON for programs, one HTML page for people; no value of the input in either."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jinja2

from braggbook.files import write_json, write_text
from braggbook.formats.deidentification import DeidentificationReport, FileRecord
from braggbook.imaging.deidentify.file import NO_PIXELS
from braggbook.imaging.deidentify.options import BASIC, BASIC_MEANING, OPTIONS

_MOST_FILES = 2000  # rows of the page; the JSON has all
_MOST_PLACES = 4  # sequences that a row names
_OUTCOMES = {
    "written": "put in place",
    "there already": "from an earlier run",
    "quarantined": "held back",
    "blocked": "held back",
    "not readable": "held back",
    "skipped": "no DICOM object",
}
_TITLES = {  # in the order of the page
    "kept": "Kept as it was",
    "cleaned": "Kept in part",
    "date moved": "Dates moved",
    "UID replaced": "UIDs replaced",
    "replaced": "Replaced by a dummy or a pseudonym",
    "emptied": "Emptied",
    "removed": "Removed",
}


@dataclass(frozen=True)
class Row:
    """One attribute to which one thing was done for one reason."""

    element: str
    places: str
    why: str
    count: int


@dataclass(frozen=True)
class Group:
    """All attributes to which one thing was done."""

    title: str
    rows: list[Row]

    @property
    def attributes(self) -> int:
        """How many attributes there are, each counted once."""
        return len({row.element for row in self.rows})

    @property
    def count(self) -> int:
        """Elements of all attributes."""
        return sum(row.count for row in self.rows)


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
        report=report,
        out=sum(record.outcome in ("written", "there already") for record in report.files),
        outcomes=_OUTCOMES,
        opened=opened[:_MOST_FILES],
        left_out=max(0, len(opened) - _MOST_FILES),
        no_pixels=NO_PIXELS,
        noted=sorted(Counter(note for record in report.files for note in record.notes).items()),
        choices=_choices(report),
        groups=_groups(report),
    )


def _is_open(record: FileRecord) -> bool:
    return (
        bool(record.face) or NO_PIXELS in record.notes or record.outcome in ("quarantined", "blocked", "not readable")
    )


def _choices(report: DeidentificationReport) -> list[tuple[str, str, bool]]:
    """Returns all options of the profile, and whether each was in force."""
    on = {method.code for method in report.methods}
    return [(code, meaning, code in on) for code, meaning in [(BASIC, BASIC_MEANING), *OPTIONS.values()]]


def _groups(report: DeidentificationReport) -> list[Group]:
    """Returns what was done by what it was, places of one attribute together."""
    places: dict[tuple[str, str, str], Counter[str]] = {}
    for step in report.steps:
        places.setdefault((step.done, step.element, step.why), Counter())[step.inside] += step.count
    titles = _TITLES | {done: done for done, _, _ in places if done not in _TITLES}
    groups = [
        Group(title, [Row(e, _named(where), why, where.total()) for (d, e, why), where in places.items() if d == done])
        for done, title in titles.items()
    ]
    return [group for group in groups if group.rows]


def _named(places: Counter[str]) -> str:
    names = ["at the top"] * ("" in places) + [f"in {name}" for name, _ in places.most_common() if name]
    more = len(names) - _MOST_PLACES
    return ", ".join(names[:_MOST_PLACES]) + (f" and {more} more" if more > 0 else "")
