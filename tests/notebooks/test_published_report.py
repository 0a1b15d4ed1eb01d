"""A DOI reserved before a run is in its notebook, crate and report; publishing adds a receipt and changes no file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from braggbook.files import sha256_file
from braggbook.records.folder.report import read_report

from ..conftest import Project

pytestmark = pytest.mark.full

CODE = """import braggbook as bb
print("my DOI is", bb.run_doi())
bb.result("x", 1.5, unit="Gy")"""


def digests(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in folder.rglob("*") if path.is_file()}


def test_a_reserved_doi_is_everywhere_and_nothing_is_changed(project: Project, tmp_path: Path) -> None:
    env = {"BRAGGBOOK_ARCHIVE": str(tmp_path / "archive")}
    project.experiment("made", code=[CODE], results={"x": {"unit": "Gy"}})
    run = project.run("made", "--reserve", "folder", env=env)
    assert run.code == 0, run.err
    folder = Path(run.json["run_dir"])
    before = digests(folder)
    doi = json.loads((folder / "run.json").read_text())["doi"]
    assert doi.startswith("10.5072/braggbook.")
    assert f"my DOI is {doi}" in (folder / "executed.ipynb").read_text()
    header = (folder / "report.html").read_text().partition("</header>")[0]
    assert f'DOI {doi} <span class="soft">(test identifier, not registered)</span>' in header
    assert f"braggbook verify {doi} " in (folder / "report.html").read_text()
    graph = {entity["@id"]: entity for entity in json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]}
    assert graph["./"]["identifier"] == [run.json["run_id"], f"doi:{doi}"]
    for step in (["push"], ["mint", "--yes"]):
        answer = project.call("publish", step[0], run.json["run_id"], "--to", "folder", *step[1:], env=env)
        assert answer.code == 0, answer.err
    assert digests(folder) == before, "what was published is what lies here"
    place = project.runs / "records" / run.json["run_id"] / "folder"
    receipt = (place / "report.html").read_text()
    assert receipt.index('id="published"') < receipt.index("<h2>Results</h2>")
    for part in (doi, "@dataset{", "cff-version: 1.2.0", "every byte is what was sent"):
        assert part in receipt
    record = tmp_path / "archive" / "records" / doi.rpartition(".")[2]
    (zipped,) = record.glob("files/*/*.zip")
    assert read_report(zipped) == (record / "report.html").read_bytes() == (folder / "report.html").read_bytes()
    assert f"braggbook verify {doi}" in (record / "index.html").read_text()
