"""A run as a record: what is sent, and when nothing is."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import InputError
from braggbook.formats.record import Relation
from braggbook.records.run_plan import Planned, plan_run, software_identifier

from .plan_helpers import GITHUB, HOME, SCRUBBER, published_run, settle

SOFTWARE = "10.5281/zenodo.1234"


def plan(folder: Path, target: Path, **more: Any) -> Planned:
    return plan_run(folder, target, scrubber=SCRUBBER, **{"software": SOFTWARE, **more})


def names(planned: Planned) -> list[str]:
    (path,) = planned.paths.values()
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_exactly_what_the_record_lists_and_binder_is_sent(tmp_path: Path) -> None:
    folder = published_run(tmp_path / "runs", files={"files/a b#?.csv": b"1,2\n"})
    (folder / "put here later.txt").write_text("x", encoding="utf-8")
    planned = plan(folder, tmp_path / "out")
    listed = json.loads((folder / "run.json").read_text(encoding="utf-8"))["files"]
    assert names(planned) == sorted(
        [*listed, "run.json", *(f"binder/{n}" for n in ("postBuild", "requirements.txt", "runtime.txt"))]
    )
    assert planned.plan.files[0].name == f"experiment-{folder.name}.zip"
    assert planned.plan.source == folder.name


def test_the_same_run_gives_the_same_plan_whatever_the_machine_does(tmp_path: Path) -> None:
    first = plan(published_run(tmp_path / "a", files={"files/b": b"b", "files/a": b"a"}), tmp_path / "one")
    folder = published_run(tmp_path / "b", files={"files/a": b"a", "files/b": b"b"})
    for number, path in enumerate(sorted(folder.rglob("*"))):
        os.utime(path, (number, number))
        path.chmod(0o700)
    before = os.umask(0o077)
    try:
        second = plan(folder, tmp_path / "two")
    finally:
        os.umask(before)
    assert first.plan == second.plan
    assert first.plan.digest == second.plan.digest


def test_metadata_come_from_the_front_matter(tmp_path: Path) -> None:
    folder = published_run(tmp_path / "runs")
    more = [Relation(relation="isVariantFormOf", identifier="10.5281/zenodo.99", resource_type="dataset")]
    metadata = plan(folder, tmp_path / "out", relations=more).plan.metadata
    assert metadata.title == "Run of: A test experiment"
    assert [(one.name, one.orcid) for one in metadata.creators] == [("Lovelace, Ada", "0000-0002-1825-0097")]
    assert (metadata.license, metadata.language, metadata.version) == ("CC-BY-4.0", "eng", folder.name[:12])
    assert "factor = 2.0" in metadata.description
    assert [(one.relation, one.identifier) for one in metadata.relations] == [
        ("isCompiledBy", SOFTWARE), ("isVariantFormOf", "10.5281/zenodo.99"),
    ]  # fmt: skip


@pytest.mark.parametrize("verdict", ["failed", "timed out", "killed", "interrupted"])
def test_only_a_complete_run_is_published(tmp_path: Path, verdict: str) -> None:
    folder = published_run(tmp_path / "runs", verdict=verdict)
    with pytest.raises(InputError, match=f"the run is not complete; wanted a complete run, got {verdict}"):
        plan(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_changed_run_is_not_published(tmp_path: Path) -> None:
    folder = published_run(tmp_path / "runs")
    (folder / "results.json").write_text("{}", encoding="utf-8")
    (folder / "report.html").unlink()
    with pytest.raises(InputError, match="the run is not as it was") as caught:
        plan(folder, tmp_path / "out")
    assert {issue.where for issue in caught.value.issues} == {"results.json", "report.html"}


def test_a_link_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_bytes(b"x")
    folder = published_run(tmp_path / "runs", files={"files/x": b"x", "more/x": b"x"})
    (folder / "files" / "x").unlink()
    (folder / "files" / "x").symlink_to(tmp_path / "elsewhere" / "x")
    (folder / "more" / "x").unlink()
    (folder / "more").rmdir()
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="links among the files") as caught:
        plan(folder, tmp_path / "out")
    assert [issue.where for issue in caught.value.issues] == ["files/x", "more/x"]


def test_traces_and_bad_metadata_are_said_together_and_nothing_is_written(tmp_path: Path) -> None:
    folder = published_run(tmp_path / "runs", files={"log.jsonl": f"saved {GITHUB}\n{HOME}/x\n".encode()})
    notebook = folder / "notebook" / "experiment.ipynb"
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("CC-BY-4.0", "LicenseRef-mine"), encoding="utf-8")
    settle(folder)
    with pytest.raises(InputError) as caught:
        plan(folder, tmp_path / "out")
    told = [f"{issue.where}: {issue.what}" for issue in caught.value.issues]
    assert "metadata license: a licence that archives do not know" in told
    assert "log.jsonl:1: a GitHub token" in told
    assert "log.jsonl:2: a path in somebody's home" in told
    assert GITHUB not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("doi: https://doi.org/10.5281/zenodo.1\nurl: https://a.org", "10.5281/zenodo.1"),
        ("repository-code: https://example.org/code", "https://example.org/code"),
        ("title: x", None), ("", None),
    ],
)  # fmt: skip
def test_the_software_is_known_by_its_citation_file(tmp_path: Path, text: str, wanted: str | None) -> None:
    (tmp_path / "CITATION.cff").write_text(text, encoding="utf-8")
    assert software_identifier(tmp_path / "CITATION.cff") == wanted
    assert software_identifier(tmp_path / "none.cff") is None


@pytest.mark.parametrize("data", [b"a: [", b"- a\n- b", b"\xff\xfe"])
def test_a_citation_file_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "CITATION.cff").write_bytes(data)
    with pytest.raises(InputError, match=r"CITATION\.cff"):
        software_identifier(tmp_path / "CITATION.cff")
