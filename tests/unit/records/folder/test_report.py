"""The report in a record's zip: copied when it is one of ours, and otherwise left where it is."""

from __future__ import annotations

import importlib.resources
import zipfile
from pathlib import Path

import pytest

from braggbook.records.folder import report
from braggbook.records.folder.report import copy_report, has_run, read_report

from .archive_helpers import HARMLESS, make_zip, open_archive, publish


def test_it_is_copied_as_it_is(tmp_path: Path) -> None:
    archive = open_archive(tmp_path / "archive")
    data = make_zip(tmp_path / "run.zip", report_html=HARMLESS, other="x").read_bytes()
    publish(archive, tmp_path, content={"a.txt": b"x", "run.ZIP": data})
    assert (archive.root / "records/2/report.html").read_text() == HARMLESS


def test_one_of_an_earlier_attempt_goes(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("of another zip")
    assert copy_report([], tmp_path) is False
    assert not (tmp_path / "report.html").exists()


def test_it_may_lie_in_a_folder_at_the_top(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "run.zip", run__report_html=HARMLESS, run__deep__report_html="deep")
    assert read_report(path) == HARMLESS.encode()
    path = make_zip(tmp_path / "both.zip", a__report_html="<p>another</p>", report_html=HARMLESS)
    assert read_report(path) == HARMLESS.encode()


def test_the_reports_of_runs_are_harmless() -> None:
    template = importlib.resources.files("braggbook.runs") / "templates" / "report.html"
    assert report._HARMLESS.match(template.read_bytes())


@pytest.mark.parametrize(
    "text",
    [
        "<!doctype html><html><head><script>alert(1)</script></head></html>",
        "<script>alert(1)</script>" + HARMLESS,
        HARMLESS.replace("default-src 'none'", "default-src *"),
        HARMLESS.replace("style-src 'unsafe-inline'", "style-src 'unsafe-inline'; script-src 'unsafe-inline'"),
        HARMLESS.replace('<html lang="en">', '<html lang="en" onload="alert(1)">'),
        HARMLESS.replace('<meta charset="utf-8">', '<meta http-equiv="refresh" content="0; url=https://example.org">'),
        HARMLESS.replace(
            'name="viewport"',
            'name="viewport" http-equiv="refresh" content="0; url=x"><script>alert(1)</script><meta name="',
        ),
        HARMLESS.replace('name="viewport"', 'name="viewport" http-equiv="refresh"'),
        "<!-- " + HARMLESS,
        "",
    ],
)
def test_one_that_could_act_is_not_shown(tmp_path: Path, text: str) -> None:
    assert read_report(make_zip(tmp_path / "run.zip", report_html=text)) is None


def test_what_is_no_zip_is_none(tmp_path: Path) -> None:
    good = make_zip(tmp_path / "good.zip", report_html=HARMLESS).read_bytes()
    for name, data in {
        "text": b"x",
        "empty": b"",
        "short": good[:-30],
        "odd": good.replace(b"report", b"\xff\xfeport"),
    }.items():
        path = tmp_path / f"{name}.zip"
        path.write_bytes(data)
        assert copy_report([path], tmp_path) is False
        assert has_run(path) is False
    assert copy_report([tmp_path / "missing.zip"], tmp_path) is False
    assert not (tmp_path / "report.html").exists()


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "run.zip", report_html=HARMLESS)
    path.write_bytes(path.read_bytes().replace(b"as it was", b"as it Was"))
    assert read_report(path) is None


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "run.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("report.html", "w", force_zip64=True) as member,
    ):
        member.write(HARMLESS.encode())
        for _ in range(report._LARGEST_BYTES // 10_000_000 + 1):
            member.write(bytes(10_000_000))
    assert path.stat().st_size < 1_000_000
    assert read_report(path) is None
