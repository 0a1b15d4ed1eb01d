"""The page for people: everything in it, nothing of the input in it, honest about what was not done."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from braggbook.formats.deidentification import DeidentificationReport
from braggbook.imaging.deidentify import OPTIONS, Deidentified, Region, deidentify, make_options, write_reports
from braggbook.imaging.deidentify.report import html

from .planting import shipped

NAMES = ("CT_small.dcm", "MR_small.dcm", "MR_truncated.dcm", "rtplan.dcm", "waveform_ecg.dcm", "SC_rgb.dcm")
_EMPTY_TAGS = {"meta", "link", "br"}


class _Checker(HTMLParser):
    """Collects text and what is not closed, and refuses anything that asks a network."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.identifiers: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _EMPTY_TAGS:
            self.open.append(tag)
        given = dict(attrs)
        assert not {"src", "onclick", "onload"} & given.keys()
        assert tag != "script"
        self.identifiers += [given["id"] or ""] if "id" in given else []
        self.targets += [given["href"] or ""] if "href" in given else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Deidentified:
    folder = tmp_path_factory.mktemp("report")
    (folder / "in").mkdir()
    for name in NAMES:
        (folder / "in" / name).write_bytes(shipped(name).read_bytes())
    return deidentify(folder / "in", folder / "out", options=make_options(["clean-descriptors"]), workers=1)


def _read(page: str) -> _Checker:
    checker = _Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


def test_the_page_is_whole_and_its_links_lead_somewhere(done: Deidentified) -> None:
    page = _read(html(done.report))
    assert page.targets
    assert {target.removeprefix("#") for target in page.targets} <= set(page.identifiers)
    assert len(set(page.identifiers)) == len(page.identifiers)


def test_every_attribute_reason_and_option_is_on_the_page(done: Deidentified) -> None:
    text = " ".join("".join(_read(html(done.report)).text).split())
    for step in done.report.steps:
        assert step.element in text
        assert step.why in text
    for code, meaning in OPTIONS.values():
        assert code in text
        assert meaning in text
    for sentence in done.report.not_done:
        assert sentence in text
    assert "3 of 6 files went out" in text
    total = sum(step.count for step in done.report.steps)
    assert sum(int(number) for number in re.findall(r"attributes?, (\d+) elements?", text)) == total


def test_the_json_is_the_report(done: Deidentified, tmp_path: Path) -> None:
    data = write_reports(done.report, tmp_path / "deep/report.html")
    assert DeidentificationReport.model_validate_json(data.read_text()) == done.report


def test_nothing_of_the_input_is_on_the_page(done: Deidentified) -> None:
    page = html(done.report)
    for word in ("CompressedSamples", "JFK IMAGING", "Last^First", "id00001", "CT_small", "1CT1", "/in/"):
        assert word not in page


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "were held back (1)"),
        ({"pixels_reviewed": True}, "A person has declared all images free of it"),
        ({"regions": [Region(0, 0, 9, 9)], "names": ["clean-pixel-data"]}, "1 region was blanked"),
        ({"faces_removed": True}, "A person has declared that a defacer"),
        ({"names": ["retain-full-dates"]}, "Dates and times were kept"),
        ({"remove_dates": True}, "Dates and times were removed"),
        ({"names": ["retain-safe-private"]}, "private elements of a short list stay"),
    ],
)
def test_what_was_not_done_is_said(tmp_path: Path, options: dict[str, object], says: str) -> None:
    names = options.pop("names", [])
    chosen = make_options(names, **options)  # type: ignore[arg-type]
    done = deidentify(shipped("SC_rgb.dcm"), tmp_path / "out", options=chosen, workers=1)
    assert says in " ".join(done.report.not_done)
