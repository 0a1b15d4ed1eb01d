"""What is kept here of a publication: how it is cited, and the report with that in it.

The run's own files stay as they were published. So its report is copied beside the deposit, in
``runs/records/<id>/<archive>/``, and the copy says what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jinja2

from braggbook.errors import RecordError
from braggbook.files import storage, write_bytes, write_text
from braggbook.formats.record import Deposit, PublishPlan
from braggbook.records.citation import bibtex, citation_cff, citation_line
from braggbook.records.folder.report import REPORT, read_report
from braggbook.runs.links import binder_link, doi_link

BIBTEX, CITATION = "record.bib", "CITATION.cff"
_END_OF_HEADER = b"</header>"  # of our own report: nothing before it is raw HTML of the notebook


def keep_receipt(plan: PublishPlan, deposit: Deposit, *, paths: Mapping[str, Path], place: Path) -> list[Path]:
    """Writes how a record is cited, and a run's report with it, beside the deposit.

    Args:
        plan: What was published.
        deposit: What came of it.
        paths: Where the plan's files are; a run's report is read from its zip.
        place: The deposit's folder.

    Returns:
        What was written: BibTeX, CITATION.cff, and the report of a run.

    Raises:
        RecordError: It has not been published.
        StorageError: The disk refuses.
    """
    if deposit.step not in ("published", "checked"):
        raise RecordError("not published", where=str(place), got=deposit.step)
    with storage(place):
        place.mkdir(parents=True, exist_ok=True)
    write_text(place / BIBTEX, bibtex(plan.metadata, deposit))
    write_text(place / CITATION, citation_cff(plan.metadata, deposit))
    written = [place / BIBTEX, place / CITATION]
    report = _report_of(plan, paths)
    if report is not None:
        write_bytes(place / REPORT, with_citation(report, plan=plan, deposit=deposit))
        written.append(place / REPORT)
    return written


def with_citation(report: bytes, *, plan: PublishPlan, deposit: Deposit) -> bytes:
    """Returns a run's report that says where it was published and how it is cited; otherwise as it was.

    Args:
        report: As it is in what was published.
        plan: What was published.
        deposit: What came of it.
    """
    doi = deposit.doi or ""
    address = deposit.url if (deposit.url or "").startswith(("https://", "http://", "file://")) else None
    section = _template().render(
        deposit=deposit,
        link=doi_link(doi) if doi else None,
        page=address,
        binder=binder_link(doi) if plan.kind == "run" else None,
        line=citation_line(plan.metadata, deposit),
        bibtex=bibtex(plan.metadata, deposit),
        cff=citation_cff(plan.metadata, deposit),
    )
    head, end, rest = report.partition(_END_OF_HEADER)
    return head + end + b"\n" + section.encode() + rest if end else report


def _report_of(plan: PublishPlan, paths: Mapping[str, Path]) -> bytes | None:
    if plan.kind != "run":
        return None
    found = (read_report(paths[file.name]) for file in plan.files if file.name in paths)
    return next((report for report in found if report is not None), None)


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("braggbook.records", "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("receipt.html")
