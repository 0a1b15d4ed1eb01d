"""The list of runs, a run, and which files of it can be had."""

from __future__ import annotations

import datetime
import json
import os
import shutil
from pathlib import Path

import pytest

from braggbook.challenges.vault import open_vault
from braggbook.errors import RecordError, UnknownName
from braggbook.files import write_json
from braggbook.formats.record import Deposit
from braggbook.hub.look.run_index import all_runs
from braggbook.hub.look.runs import list_runs, run_file, runs_of_dataset, show_run
from braggbook.records.deposit import DEPOSIT
from braggbook.records.run_plan import place_of
from braggbook.runs.folder import FAILED, RECORD, RESULTS
from braggbook.settings import Settings

from ...runs.run_helpers import digest, make_run, scalar, table
from .look_helpers import run_with_files, settings_of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = settings_of(tmp_path)
    made.runs.mkdir(parents=True)
    return made


def edit(folder: Path, **changes: object) -> None:
    record = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps({**record, **changes}))


def test_no_runs(settings: Settings) -> None:
    settings.runs.rmdir()
    page = list_runs(settings)
    assert (page.items, page.number, page.pages, page.total) == ((), 1, 1, 0)


def test_line(settings: Settings) -> None:
    results = {"counts": table({"a": [1, 2]}), "rbe": scalar(1.25, uncertainty=0.02, unit="1")}
    results = {name: one.model_copy(update={"name": name}) for name, one in results.items()}
    folder = make_run(settings.runs, results=results)
    (line,) = list_runs(settings).items
    assert (line.id, line.notebook, line.verdict, line.problem) == (folder.name, "experiment", "complete", "")
    assert line.when == datetime.datetime(2026, 5, 4, 10, 0, 2, tzinfo=datetime.UTC)
    assert line.seconds == 2
    assert [(one.name, one.value) for one in line.results] == [("rbe", "1.250 ± 0.020"), ("counts", "table, 2 rows: a")]
    assert line.more_results == 0


def test_newest_first_and_pages(settings: Settings) -> None:
    made = []
    for number in range(53):
        folder = make_run(settings.runs, seed=number)
        edit(folder, ended=f"2026-05-04T10:00:{number:02}+00:00")
        made.append(folder.name)
    pages = [list_runs(settings, page=number) for number in (1, 2)]
    assert [line.id for page in pages for line in page.items] == made[::-1]
    assert [(page.number, page.pages, page.total, len(page.items)) for page in pages] == [(1, 2, 53, 50), (2, 2, 53, 3)]
    assert list_runs(settings, page=99) == pages[1]
    assert list_runs(settings, page=-3) == pages[0]


def test_chosen_by_notebook_and_dataset(settings: Settings) -> None:
    one = make_run(settings.runs)
    other = make_run(settings.runs, datasets={"counts@2": digest("new"), "doses@1": digest("d")})
    edit(other, notebook="another")
    assert [line.id for line in list_runs(settings, notebook="another").items] == [other.name]
    assert [line.id for line in runs_of_dataset("counts@1", settings).items] == [one.name]
    assert {line.id for line in runs_of_dataset("counts", settings).items} == {one.name, other.name}
    assert runs_of_dataset("count", settings).total == 0


def test_damaged_runs_are_listed(settings: Settings) -> None:
    folders = [make_run(settings.runs, seed=seed) for seed in range(4)]
    (folders[0] / RECORD).write_text("{")
    (folders[1] / RESULTS).write_text("[]")
    (folders[2] / RECORD).unlink()
    os.truncate(folders[3] / RESULTS, 20 << 20)
    problems = {line.id: line.problem for line in list_runs(settings).items}
    assert problems == {
        folders[0].name: "the run's record cannot be read",
        folders[1].name: "the run's results are not valid",
        folders[2].name: "not a run",
        folders[3].name: "results.json has 20,971,520 bytes, too many for a page",
    }


def test_the_record_of_another_run(settings: Settings) -> None:
    one, other = make_run(settings.runs), make_run(settings.runs, seed=1)
    shutil.copy(one / RECORD, other / RECORD)
    assert {line.problem for line in list_runs(settings).items} == {
        "",
        f"its record is that of another run, {one.name}",
    }


def test_a_repetition_takes_the_place_of_what_was_read(settings: Settings) -> None:
    folder = make_run(settings.runs, results={"x": scalar(2.0)})
    assert list_runs(settings).items[0].results[0].value == "2"
    make_run(settings.runs, results={"x": scalar(3.0)})
    assert list_runs(settings).items[0].results[0].value == "3"
    shutil.rmtree(folder)
    assert list_runs(settings).total == 0


def test_failed_runs(settings: Settings) -> None:
    failed = make_run(settings.runs, verdict="failed", results={})
    issue = {"where": "x", "what": "not declared", "wanted": "a number", "got": ""}
    edit(failed, failure={"kind": "results", "message": "a result is missing", "issues": [issue]})
    (settings.runs / FAILED).mkdir()
    failed = failed.rename(settings.runs / FAILED / failed.name)
    shown = show_run(failed.name, settings)
    assert (shown.verdict, shown.failure) == ("failed", "a result is missing")
    assert shown.failure_issues == ("x: not declared; wanted a number",)
    complete = make_run(settings.runs)
    assert complete.name == failed.name
    assert [line.verdict for line in list_runs(settings).items] == ["complete"]
    assert show_run(failed.name, settings).verdict == "complete"


def test_shown(settings: Settings) -> None:
    interval = {"lower": 1.9, "upper": 2.1, "level": 0.95, "method": "profile"}
    results = {"x": scalar(2.0, unit="Gy").model_copy(update={"uncertainty": None})}
    results["x"] = type(results["x"]).model_validate({**results["x"].model_dump(), "interval": interval})
    folder = run_with_files(settings.runs, {"report.html": b"<p>", "figures/x.png": b"png"}, results=results,
                            parameters={"factor": 2.5})  # fmt: skip
    shown = show_run(folder.name, settings)
    assert [(p.name, p.value, p.default, p.changed) for p in shown.parameters] == [("factor", "2.5", "2", True)]
    (result,) = shown.results
    assert (result.value, result.unit, result.interval) == ("2.000 Gy", "Gy", "95 %: 1.900 to 2.100 (profile)")
    assert [(used.reference, used.slug) for used in shown.datasets] == [("counts@1", "counts")]
    assert (shown.kernel, shown.lock_sha256, shown.report) == ("radiobiology", digest("lock"), "report.html")
    media = {file.name: (file.media.type, file.media.inline) for file in shown.files}
    assert media["report.html"] == ("application/octet-stream", False)
    assert media["figures/x.png"] == ("image/png", True)
    assert media["results.json"] == ("text/plain; charset=utf-8", True)
    assert shown.bytes == sum(file.bytes for file in shown.files)
    assert shown.commands == (f"braggbook verify {folder.name}", f"braggbook diff {folder.name} OTHER_RUN")
    assert (shown.doi, shown.doi_link, shown.binder, shown.problems) == ("", None, None, ())


def test_what_cannot_be_read_is_said(settings: Settings) -> None:
    folder = make_run(settings.runs)
    shutil.rmtree(folder / "notebook")
    (folder / RESULTS).write_text("{}{")
    shown = show_run(folder.name, settings)
    assert [parameter.value for parameter in shown.parameters] == ["2"]
    assert shown.results == ()
    assert len(shown.problems) == 2
    (folder / RECORD).write_text("no")
    with pytest.raises(RecordError):
        show_run(folder.name, settings)


def test_published(settings: Settings) -> None:
    folder = make_run(settings.runs)
    for archive, doi, step in (
        ("zenodo", "10.5281/zenodo.17", "published"),
        ("folder", "10.5072/braggbook.1", "checked"),
        ("sandbox", "10.5072/zenodo.9", "drafted"),
    ):
        place = place_of(folder, archive)
        place.mkdir(parents=True)
        when = {"zenodo": "2026-06-02", "folder": "2026-06-01", "sandbox": None}[archive]
        url = {"zenodo": "https://zenodo.org/records/17", "folder": "file:///secret", "sandbox": None}[archive]
        deposit = Deposit(archive=archive, plan=digest("plan"), step=step, doi=doi, url=url, published=when)  # type: ignore[arg-type]
        write_json(place / DEPOSIT, deposit.model_dump(mode="json"))
    (place_of(folder, "zenodo").parent / "broken").mkdir()
    (place_of(folder, "zenodo").parent / "broken" / DEPOSIT).write_text("{")
    shown = show_run(folder.name, settings)
    assert [(one.doi, one.link, one.page, one.checked) for one in shown.records] == [
        ("10.5281/zenodo.17", "https://doi.org/10.5281/zenodo.17", "https://zenodo.org/records/17", False),
        ("10.5072/braggbook.1", None, None, True),
    ]
    assert shown.binder == "https://mybinder.org/v2/zenodo/10.5281/zenodo.17/?urlpath=lab%2Ftree%2Fexecuted.ipynb"
    assert "braggbook verify 10.5281/zenodo.17" in shown.commands


def test_listed_files_are_given(settings: Settings) -> None:
    folder = run_with_files(settings.runs, {"files/odd name%2e.txt": b"odd"})
    for file in show_run(folder.name, settings).files:
        assert run_file(folder.name, file.name, settings).stat().st_size == file.bytes
    assert run_file(folder.name, "run.json", settings) == folder / RECORD
    assert run_file(folder.name, "files/odd name%2e.txt", settings).read_bytes() == b"odd"


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../secret.txt", "../../secret.txt", "files/../../secret.txt", "/etc/passwd", "//etc/passwd",
        "..%2fsecret.txt", "%2e%2e/secret.txt", "..\\secret.txt", "files\0.txt", "results.json\0", "./results.json",
        "files//inner.txt", "files", "files/", "not_listed.txt", "\N{FULLWIDTH FULL STOP}\N{FULLWIDTH FULL STOP}/x",
    ],
)  # fmt: skip
def test_nothing_else_is_given(settings: Settings, name: str) -> None:
    folder = run_with_files(settings.runs, {"files/inner.txt": b"inner"})
    (folder / "not_listed.txt").write_text("private")
    (settings.runs / "secret.txt").write_text("private")
    (settings.project / "secret.txt").write_text("private")
    with pytest.raises(UnknownName):
        run_file(folder.name, name, settings)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a//b"])
def test_a_manifest_cannot_list_a_way_out(settings: Settings, name: str) -> None:
    folder = run_with_files(settings.runs, {})
    edit(folder, files={name: {"sha256": digest("x"), "bytes": 1}})
    with pytest.raises(RecordError):
        run_file(folder.name, name, settings)


def test_a_nul_in_a_manifest(settings: Settings) -> None:
    folder = run_with_files(settings.runs, {})
    edit(folder, files={"a\0b": {"sha256": digest("x"), "bytes": 1}})
    with pytest.raises(RecordError, match="not there as it was"):
        run_file(folder.name, "a\0b", settings)


def test_links_are_not_followed(settings: Settings, tmp_path: Path) -> None:
    folder = run_with_files(settings.runs, {"files/a.txt": b"1234567", "b.txt": b"1234567"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("private")
    shutil.rmtree(folder / "files")
    (folder / "files").symlink_to(outside)
    (folder / "b.txt").unlink()
    (folder / "b.txt").symlink_to(outside / "a.txt")
    for name in ("files/a.txt", "b.txt"):
        with pytest.raises(RecordError, match="not there as it was"):
            run_file(folder.name, name, settings)
    moved = folder.rename(outside / folder.name)
    folder.symlink_to(moved)
    assert all_runs(settings.runs) == []
    with pytest.raises(UnknownName):
        show_run(folder.name, settings)


def test_changed_and_missing_files(settings: Settings) -> None:
    folder = run_with_files(settings.runs, {"a.txt": b"one", "b.txt": b"two"})
    (folder / "a.txt").write_bytes(b"longer")
    (folder / "b.txt").unlink()
    with pytest.raises(RecordError, match="has changed since the run") as caught:
        run_file(folder.name, "a.txt", settings)
    assert str(folder) not in str(caught.value)
    with pytest.raises(RecordError, match="not there as it was"):
        run_file(folder.name, "b.txt", settings)


@pytest.mark.parametrize("give", ["{id}", "{folder}", "../runs/{id}", "{id}/", "{id}\n", "{start}", ""])
def test_scoring_runs_of_a_vault_are_out_of_reach(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, give: str
) -> None:
    vault = open_vault("liver", settings=settings)
    hidden = run_with_files(vault.runs, {"secret.txt": b"truth"})
    make_run(settings.runs, seed=5)
    monkeypatch.chdir(vault.runs)  # where a path of one part would be found
    given = give.format(id=hidden.name, folder=hidden, start=hidden.name[:8])
    assert hidden.name not in {line.id for line in list_runs(settings).items}
    with pytest.raises(UnknownName):
        show_run(given, settings)
    with pytest.raises(UnknownName):
        run_file(given, "secret.txt", settings)
