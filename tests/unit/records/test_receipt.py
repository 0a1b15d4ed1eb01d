"""What is kept of a publication, and the run's report in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from braggbook.errors import RecordError
from braggbook.formats.record import Deposit, PlanFile, PublishPlan
from braggbook.records.receipt import keep_receipt, with_citation
from braggbook.runs.links import binder_link, doi_link
from braggbook.testing.archive import make_metadata

from .folder.archive_helpers import HARMLESS, make_zip

REPORT = HARMLESS.replace("as it was", "<main><header><h1>Counts</h1></header><p>as it was</p></main>")
HOSTILE = "</pre><script>alert(1)</script></section>"


def plan_of(kind: str = "run", **metadata: Any) -> PublishPlan:
    file = PlanFile(name="run.zip", sha256="0" * 64, md5="0" * 32, bytes=1)
    return PublishPlan(kind=kind, source="x", metadata=make_metadata(**metadata), files=[file])


def deposit(doi: str = "10.5281/zenodo.7", **changes: Any) -> Deposit:
    said = {"archive": "zenodo", "url": "https://zenodo.org/records/7", "published": "2026-11-22", **changes}
    return Deposit(plan="a" * 64, step=said.pop("step", "checked"), doi=doi, **said)


def test_the_report_of_a_run_says_where_it_was_published(tmp_path: Path) -> None:
    zipped = make_zip(tmp_path / "run.zip", report_html=REPORT)
    before = zipped.read_bytes()
    written = keep_receipt(plan_of(), deposit(), paths={"run.zip": zipped}, place=tmp_path / "place")
    assert [path.name for path in written] == ["record.bib", "CITATION.cff", "report.html"]
    assert zipped.read_bytes() == before
    text = written[2].read_text()
    assert text.index("<h1>Counts") < text.index('id="published"') < text.index("as it was")
    for part in (
        '<a href="https://doi.org/10.5281/zenodo.7">10.5281/zenodo.7</a>',
        '<a href="https://zenodo.org/records/7">',
        "downloaded again, and every byte is what was sent",
        "https://mybinder.org/v2/zenodo/10.5281/zenodo.7/?urlpath=lab%2Ftree%2Fexecuted.ipynb",
        "<code>braggbook verify 10.5281/zenodo.7</code>",
        "@dataset{",
        "cff-version: 1.2.0",
    ):
        assert part in text
    assert yaml.safe_load((tmp_path / "place/CITATION.cff").read_text())["doi"] == "10.5281/zenodo.7"


def test_a_test_identifier_leads_nowhere() -> None:
    local = deposit("10.5072/braggbook.abc234.2", archive="folder", url="file:///archive/records/2/index.html")
    text = with_citation(REPORT.encode(), plan=plan_of(), deposit=local).decode()
    assert "not registered" in text
    assert "doi.org" not in text
    assert "mybinder" not in text


@pytest.mark.parametrize("kind", ["dataset", "sweep"])
def test_what_is_no_run_has_no_report(tmp_path: Path, kind: str) -> None:
    zipped = make_zip(tmp_path / "run.zip", report_html=REPORT)
    written = keep_receipt(plan_of(kind), deposit(), paths={"run.zip": zipped}, place=tmp_path)
    assert [path.name for path in written] == ["record.bib", "CITATION.cff"]


def test_nothing_that_is_said_is_obeyed() -> None:
    plan = plan_of(title=HOSTILE, keywords=[HOSTILE])
    odd = deposit("10.1234/x<b>", archive=HOSTILE, url="javascript:alert(1)", published=HOSTILE)
    text = with_citation(REPORT.encode(), plan=plan, deposit=odd).decode()
    assert "<script>" not in text
    assert "javascript:" not in text
    assert "<b>" not in text


def test_only_what_was_published_has_a_receipt(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="not published"):
        keep_receipt(plan_of(), deposit(step="uploaded"), paths={}, place=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_is_not_ours_stays_as_it_is() -> None:
    assert with_citation(b"<p>odd</p>", plan=plan_of(), deposit=deposit()) == b"<p>odd</p>"


@pytest.mark.parametrize(
    ("doi", "page", "binder"),
    [
        ("10.5281/zenodo.7", "https://doi.org/10.5281/zenodo.7", True),
        ("10.5072/zenodo.7", None, False),
        ("10.5072/braggbook.abc234.2", None, False),
        ("10.1234/a<b>c", "https://doi.org/10.1234/a%3Cb%3Ec", False),
        ("10.5281/zenodo.7/../x", "https://doi.org/10.5281/zenodo.7/../x", False),
    ],
)
def test_where_a_doi_leads(doi: str, page: str | None, binder: bool) -> None:
    assert doi_link(doi) == page
    assert (binder_link(doi) is not None) == binder
