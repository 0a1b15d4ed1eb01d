"""Datasets and runs as pages and over the API: who sees them, and that nothing of them acts on the hub."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from braggbook.files import sha256_file
from braggbook.hub.pages.runs import may_see_runs, zipped
from braggbook.hub.web.visitor import Visitor
from braggbook.runs.folder import RECORD

from ..unit.hub.look.look_helpers import COLUMNS, ROWS, make_dataset, run_with_files
from .conftest import Client, Hub

_EVIL = b"<!doctype html><script>document.title = 'taken'</script><h1>Report</h1>"
_OUTSIDE = ("..%2F..%2Frun.json", "..%2f" * 6 + "etc/passwd", "%2Fetc%2Fpasswd", "nothing.txt", "report.html%00.txt")


@pytest.fixture
def run(hub: Hub) -> Path:
    """A run with a report that would like to act, and files of odd names."""
    files = {"report.html": _EVIL, "page.svg": b"<svg onload='alert(1)'/>", "written/a b é.csv": b"a,b\n1,2\n"}
    return run_with_files(hub.desk.settings.runs, files)


@pytest.fixture
def dataset(hub: Hub) -> Path:
    return make_dataset(hub.desk.settings, {"counts.csv": ROWS, "notes.txt": b"hello"}, columns=COLUMNS)


@pytest.fixture
def browser(hub: Hub) -> Client:
    """Somebody who is signed in, and no organiser."""
    return hub.client(hub.person("Ben")[0])


class TestWhoSeesRuns:
    def test_a_visitor_does_not(self, hub: Hub, run: Path) -> None:
        browser = hub.client()
        for address in (
            "/runs",
            f"/runs/{run.name}",
            f"/runs/{run.name}/files/report.html",
            f"/runs/{run.name}/crate.zip",
        ):
            answer = browser.get(address)
            assert (answer.status_code, "sign-in" in answer.headers.get("location", "")) == (303, True)
        assert browser.get("/api/v1/runs").status_code == 401
        assert browser.get(f"/api/v1/runs/{run.name}").status_code == 401

    def test_a_token_needs_the_scope(self, hub: Hub, run: Path) -> None:
        ben, _ = hub.person("Ben")
        address = f"/api/v1/runs/{run.name}"
        assert hub.client().get(address, headers=hub.token(ben, "submit")).status_code == 403
        assert hub.client().get(address, headers=hub.token(ben, "read")).status_code == 200

    def test_nobody_sees_a_run_of_a_vault(self, hub: Hub, browser: Client) -> None:
        hub.opened.vault.runs.mkdir(parents=True, exist_ok=True)
        hidden = run_with_files(hub.opened.vault.runs, {"secret.txt": b"the truth"})
        assert browser.get(f"/runs/{hidden.name}").status_code == 404
        assert browser.get(f"/runs/{hidden.name}/files/secret.txt").status_code == 404
        assert hidden.name not in browser.get("/runs").text

    def test_scopes_and_persons_decide(self, hub: Hub) -> None:
        ben, _ = hub.person("Ben")
        seen = [
            may_see_runs(hub.desk, one)
            for one in (Visitor(), Visitor(person=ben), Visitor(person=ben, scopes=frozenset({"submit"})))
        ]
        assert seen == [False, True, False]


class TestRuns:
    def test_a_run_is_listed_and_shown(self, browser: Client, run: Path) -> None:
        listed = browser.get("/runs").text
        assert f"/runs/{run.name}" in listed
        text = browser.get(f"/runs/{run.name}").text
        assert f"braggbook verify {run.name}" in text
        assert sha256_file(run / "report.html") in text
        assert "a%20b%20%C3%A9.csv" in text

    def test_an_empty_list_and_an_empty_choice_say_so(self, hub: Hub, browser: Client) -> None:
        assert "No run here" in browser.get("/runs").text
        run_with_files(hub.desk.settings.runs, {})
        assert "No such run" in browser.get("/runs?notebook=nothing").text
        assert browser.get("/runs?number=x").status_code == 422

    def test_the_report_opens_and_can_do_nothing(self, browser: Client, run: Path) -> None:
        answer = browser.get(f"/runs/{run.name}/files/report.html")
        assert answer.content == _EVIL
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = {one.split()[0]: one.split()[1:] for one in answer.headers["content-security-policy"].split(";")}
        assert policy["sandbox"] == []
        assert policy["default-src"] == ["'none'"]
        assert policy["img-src"] == ["data:"]
        assert "script-src" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize("name", ["page.svg", "written/a b é.csv", RECORD])
    def test_every_other_file_is_saved(self, browser: Client, run: Path, name: str) -> None:
        answer = browser.get(f"/runs/{run.name}/files/{name}")
        assert answer.content == (run / name).read_bytes()
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert not any(kind in answer.headers["content-type"] for kind in ("html", "svg", "xml", "javascript"))

    @pytest.mark.parametrize("name", _OUTSIDE)
    def test_no_way_leads_out_of_a_run(self, hub: Hub, browser: Client, run: Path, name: str) -> None:
        (hub.desk.settings.runs / "nothing.txt").write_text("not yours")
        assert browser.get(f"/runs/{run.name}/files/{name}").status_code in (404, 422)

    def test_a_file_that_became_a_link_is_not_followed(self, browser: Client, run: Path) -> None:
        (run / "page.svg").unlink()
        (run / "page.svg").symlink_to("/etc/hostname")
        assert browser.get(f"/runs/{run.name}/files/page.svg").status_code == 422

    @pytest.mark.parametrize("id", ["0" * 24, "nope", "..", "%2e%2e", "0" * 400])
    def test_unknown_runs_are_none(self, browser: Client, id: str) -> None:
        assert browser.get(f"/runs/{id}").status_code in (200, 404)
        assert browser.get(f"/runs/{id}/files/run.json").status_code == 404
        assert browser.get(f"/api/v1/runs/{id}").status_code in (200, 404, 422)

    def test_the_crate_is_all_of_it(self, browser: Client, run: Path) -> None:
        answer = browser.get(f"/runs/{run.name}/crate.zip")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            inside = {name: archive.read(name) for name in archive.namelist()}
        wanted = {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}
        assert inside == wanted

    def test_a_zip_needs_little_memory(self, tmp_path: Path) -> None:
        large = tmp_path / "large"
        with large.open("wb") as out:
            out.truncate(40 << 20)
        blocks = list(map(len, zipped({"large": large, "small": large.with_name("large")})))
        assert max(blocks) < 2 << 20
        assert sum(blocks) > 80 << 20

    def test_over_the_api(self, browser: Client, run: Path) -> None:
        listed = browser.get("/api/v1/runs").json()
        assert [one["id"] for one in listed["runs"]] == [run.name]
        assert (listed["page"], listed["pages"], listed["total"]) == (1, 1, 1)
        shown = browser.get(f"/api/v1/runs/{run.name}").json()
        assert {one["name"]: one["sha256"] for one in shown["files"]}["report.html"] == hashlib.sha256(
            _EVIL
        ).hexdigest()
        assert browser.get("/api/v1/runs?page=0").status_code == 422


class TestDatasets:
    def test_everybody_sees_list_and_card(self, hub: Hub, dataset: Path) -> None:
        browser = hub.client()
        assert "/datasets/counts/1" in browser.get("/datasets").text
        text = browser.get("/datasets/counts/1").text
        assert hashlib.sha256(ROWS).hexdigest() in text
        assert "absorbed dose" in text
        assert "https://spdx.org/licenses/CC0-1.0.html" in text
        assert "&lt;b&gt;bold&lt;/b&gt;" in text
        assert "<b>bold" not in text
        assert "<svg" in text
        assert "signed in" in text

    def test_no_page_has_styles_or_scripts_of_its_own(self, hub: Hub, dataset: Path, run: Path) -> None:
        browser = hub.client(hub.person("Ben")[0])
        for address in ("/datasets", "/datasets/counts/1", "/runs", f"/runs/{run.name}"):
            text = browser.get(address).text
            assert " style=" not in text
            assert "<script>" not in text
            assert " onload=" not in text

    def test_a_long_list_is_counted_and_opened_by_who_wants_it(self, hub: Hub) -> None:
        make_dataset(hub.desk.settings, {f"part{number:02}.csv": ROWS for number in range(30)}, columns=COLUMNS)
        text = hub.client().get("/datasets/counts/1").text
        assert "24 more are listed below; each has a glance of its own." in text
        assert "<summary>All 30 files</summary>" in text
        assert "dataset fetch" not in text

    def test_what_is_not_here_is_said_once_with_the_command(self, hub: Hub, dataset: Path) -> None:
        for name in ("counts.csv", "notes.txt"):
            (dataset / name).unlink()
        text = hub.client().get("/datasets/counts/1").text
        assert "None of its files is here yet" in text
        assert "braggbook dataset fetch counts@1" in text
        assert "No preview" not in text

    def test_an_empty_project_says_so(self, hub: Hub) -> None:
        assert "No dataset here" in hub.client().get("/datasets").text

    def test_a_card_that_cannot_be_used_is_listed_with_what_is_wrong(self, hub: Hub, dataset: Path) -> None:
        (dataset / "dataset.toml").write_text("title = 3")
        browser = hub.client()
        assert "Its card cannot be used" in browser.get("/datasets").text
        assert browser.get("/datasets/counts/1").status_code == 422

    @pytest.mark.parametrize("address", ["nothing/1", "counts/2", "counts/1/files/no.csv", "counts/1?file=no.csv"])
    def test_unknown_ones_are_none(self, hub: Hub, dataset: Path, address: str) -> None:
        assert hub.client().get(f"/datasets/{address}").status_code == 404

    def test_one_file_is_looked_at(self, hub: Hub, dataset: Path) -> None:
        text = hub.client().get("/datasets/counts/1?file=notes.txt").text
        assert "hello" in text
        assert "The first files again" in text

    def test_a_file_is_handed_out_as_the_card_names_it(self, hub: Hub, dataset: Path) -> None:
        browser = hub.client()
        answer = browser.get("/datasets/counts/1/files/counts.csv")
        assert answer.content == ROWS
        assert answer.headers["content-disposition"] == 'attachment; filename="counts.csv"'
        (dataset / "counts.csv").write_bytes(ROWS.replace(b"200", b"201"))
        changed = browser.get("/datasets/counts/1/files/counts.csv")
        assert changed.status_code == 422
        assert str(hub.desk.settings.project) not in changed.text

    def test_a_file_that_may_not_be_handed_on_is_not(self, hub: Hub) -> None:
        folder = make_dataset(hub.desk.settings, {"counts.csv": ROWS}, columns=COLUMNS)
        card = folder / "dataset.toml"
        card.write_text(card.read_text().replace("[[files]]", "[[files]]\ncopy = false", 1))
        answer = hub.client().get("/datasets/counts/1/files/counts.csv")
        assert answer.status_code == 403

    def test_runs_that_used_it_are_for_who_may_see_runs(self, hub: Hub, dataset: Path) -> None:
        assert "are shown to people who are" in hub.client().get("/datasets/counts/1").text
        assert "None here" in hub.client(hub.person("Ben")[0]).get("/datasets/counts/1").text

    def test_over_the_api(self, hub: Hub, dataset: Path) -> None:
        browser = hub.client()
        listed = browser.get("/api/v1/datasets").json()["datasets"]
        assert [(one["slug"], one["version"], one["files"]) for one in listed] == [("counts", 1, 2)]
        shown = browser.get("/api/v1/datasets/counts/1").json()
        files = {one["path"]: one for one in shown["files"]}
        assert files["counts.csv"]["columns"][0] == {
            "name": "dose_gy", "type": "number", "unit": "Gy", "meaning": "absorbed dose",
        }  # fmt: skip
        assert browser.get(files["counts.csv"]["address"]).content == ROWS
        assert browser.get("/api/v1/datasets/counts/0").status_code == 422
        assert browser.get("/api/v1/datasets/nothing/1").status_code == 404


def test_addresses_hold_below_a_prefix(make_hub: Callable[..., Any]) -> None:
    hub = make_hub(prefix="/proxy/8000")
    make_dataset(hub.desk.settings, {"counts.csv": ROWS}, columns=COLUMNS)
    text = hub.client().get("/proxy/8000/datasets").text
    assert "/proxy/8000/datasets/counts/1" in text
    shown = hub.client().get("/proxy/8000/api/v1/datasets/counts/1").json()
    assert shown["files"][0]["address"].startswith("/proxy/8000/datasets/")


def test_everybody_sees_runs_where_the_hub_says_so(make_hub: Callable[..., Any]) -> None:
    hub = make_hub(public_runs=True)
    run = run_with_files(hub.desk.settings.runs, {"report.html": _EVIL})
    browser = hub.client()
    assert browser.get(f"/runs/{run.name}").status_code == 200
    assert browser.get(f"/api/v1/runs/{run.name}").status_code == 200
