"""From a DOI back to a run: on a machine with nothing but the package and the archive, and against strangers."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from braggbook.kernels.lock import uv_command
from braggbook.records.serve import open_server
from braggbook.runs.wheel import build_wheel

from ..conftest import ROOT, Answer, Project

pytestmark = pytest.mark.full

CODE = """import os, braggbook as bb
seen = sorted(name for name in os.environ if "TOKEN" in name)
bb.result("x", 2.0 * factor, unit="1")
bb.result("secrets", len(seen), unit="1")"""
RESULTS = {"x": {"unit": "1"}, "secrets": {"unit": "1"}}
SIGNED = ("--publish", "--creator", "Curie, Marie", "--orcid", "0000-0002-1825-0097")
TITLE = "Reproduction: Run of: A test experiment"


@dataclass(frozen=True)
class Published:
    """A run in a folder archive, and its zip."""

    project: Project
    archive: Path
    doi: str
    zip: Path

    @property
    def record(self) -> Path:
        return self.archive / "records" / self.doi.rpartition(".")[2]


def publish(project: Project, archive: Path, notebook: str, *options: str) -> Published:
    env = {"BRAGGBOOK_ARCHIVE": str(archive)}
    run = project.run(notebook, *options)
    assert run.code == 0, run.err
    for step in (("push",), ("mint", "--yes", "--json")):
        answer = project.call("publish", step[0], run.json["run_id"], *step[1:], env=env)
        assert answer.code == 0, answer.err
    doi = answer.json["doi"]
    return Published(project, archive, doi, next((archive / "records" / doi.rpartition(".")[2]).rglob("*.zip")))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, kernel_template: Path) -> Published:
    folder = tmp_path_factory.mktemp("published")
    shutil.copytree(kernel_template, folder / "project")
    project = Project(folder / "project")
    project.experiment("sums", code=[CODE], parameters="factor: float = 1.0", results=RESULTS)
    return publish(project, folder / "archive", "sums", "-p", "factor=2")


@dataclass(frozen=True)
class Elsewhere:
    """Another machine: a home, a cache and a working folder with nothing in them."""

    folder: Path
    archive: Path
    cache: Path | None = None

    def call(self, *words: str | Path, python: Path | None = None, **more: str) -> Answer:
        for name in ("home", "work"):
            (self.folder / name).mkdir(exist_ok=True)
        given = {name: value for name, value in os.environ.items() if not name.startswith(("BRAGGBOOK_", "XDG_"))}
        kept = {"BRAGGBOOK_CACHE": str(self.cache)} if self.cache else {}
        env = {**given, "HOME": str(self.folder / "home"), "BRAGGBOOK_ARCHIVE": str(self.archive), **kept, **more}
        command = [str(python or sys.executable), "-m", "braggbook", *map(str, words)]
        work = self.folder / "work"
        done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False, timeout=900)
        assert "Traceback" not in done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of tests that do not ask what is in it: code is compiled and fonts are listed once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def elsewhere(tmp_path: Path, published: Published, cache: Path) -> Elsewhere:
    return Elsewhere(tmp_path, published.archive, cache)


@pytest.fixture
def fresh(tmp_path: Path, published: Published) -> Elsewhere:
    return Elsewhere(tmp_path, published.archive)


def repacked(published: Published, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Returns a zip in which a stranger has changed something."""
    with zipfile.ZipFile(published.zip) as source, zipfile.ZipFile(target, "w") as out:
        for name in source.namelist():
            out.writestr(name, change(name, source.read(name)))
    return target


def test_a_run_is_verified_from_its_doi_alone(published: Published, fresh: Elsewhere) -> None:
    answer = fresh.call("verify", published.doi, "--json", SOME_TOKEN="a-secret-of-the-reader")
    assert answer.code == 0, answer.err
    said = answer.json
    assert said["verdict"] == "identical"
    assert {row["name"]: (row["expected"], row["actual"]) for row in said["results"]} == {
        "x": (4.0, 4.0),
        "secrets": (0, 0),
    }
    assert (said["record"]["doi"], said["record"]["kind"]) == (published.doi, "run")
    for told in ("about to run", "A test experiment", "Ada Lovelace", published.doi, "with your rights"):
        assert told in answer.err
    assert list((fresh.folder / "work").iterdir()) == []
    shown = fresh.call("verify", f"https://doi.org/{published.doi}")
    assert shown.out.strip().splitlines()[-1] == "identical"


def test_a_second_time_nothing_is_downloaded(published: Published, elsewhere: Elsewhere, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(published.archive, tmp_path / "archive"))
    there = Elsewhere(elsewhere.folder, copy, elsewhere.cache)
    assert there.call("verify", published.doi).code == 0
    next((copy / "records").rglob("*.zip")).unlink()
    assert there.call("verify", published.doi).code == 0
    gone = there.call("verify", published.doi, "--json", BRAGGBOOK_CACHE=str(tmp_path / "other"))
    assert gone.code != 0


def test_only_the_wheel_and_the_archive(tmp_path: Path) -> None:
    """A fresh environment with the wheel and what it needs, less one package: the kernel is made from its lock."""
    project = Project(tmp_path / "project")
    shutil.copytree(ROOT / "kernels" / "radiobiology", project.folder / "kernels" / "radiobiology")
    project.experiment("sums", code=[CODE], parameters="factor: float = 1.0", results=RESULTS)
    published = publish(project, tmp_path / "archive", "sums")
    uv, python = uv_command(), tmp_path / "fresh" / "bin" / "python"
    wheel = build_wheel()
    (tmp_path / wheel.name).write_bytes(wheel.data)
    pins = re.sub(r" \\\n(?: +--hash=\S+(?: \\\n)?)+", "", (ROOT / "requirements.lock").read_text())
    (tmp_path / "pins.txt").write_text(pins)
    install = [*uv, "pip", "install", "--quiet", "--python", str(python), "--constraint", str(tmp_path / "pins.txt")]
    for command in (
        [*uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "fresh")],
        [*install, str(tmp_path / wheel.name)],
        [*uv, "pip", "uninstall", "--quiet", "--python", str(python), "openpyxl"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    cache = subprocess.run([*uv, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "machine").mkdir()
    there = Elsewhere(tmp_path / "machine", published.archive)
    # no index can be reached from there: what uv has in its cache must do
    offline = {"UV_CACHE_DIR": cache, "HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
    answer = there.call("verify", published.doi, "--json", python=python, VIRTUAL_ENV="", **offline)
    assert answer.code == 0, answer.err + answer.out
    assert answer.json["verdict"] == "identical"
    assert "making one from its lock" in answer.err
    made = list((tmp_path / "machine" / "home").rglob("kernels/*/braggbook.json"))  # in its cache
    assert len(made) == 1
    again = there.call("verify", published.doi, python=python, UV_CACHE_DIR=str(tmp_path / "none"), UV_OFFLINE="1")
    assert again.code == 0
    assert "making one" not in again.err


def test_without_packages_it_is_not_verifiable_and_says_why(
    published: Published, elsewhere: Elsewhere, tmp_path: Path, cache: Path
) -> None:
    def other_pin(name: str, data: bytes) -> bytes:
        return data.replace(b"\nnumpy==", b"\nnumpy==0.0.") if name == "kernel/requirements.lock" else data

    path = repacked(published, tmp_path / "z.zip", other_pin)
    nowhere = {"UV_CACHE_DIR": str(tmp_path / "none"), "UV_OFFLINE": "1"}
    answer = elsewhere.call("verify", path, "--json", **nowhere)
    assert (answer.code, answer.json["verdict"]) == (3, "not verifiable")
    for told in ("none can be made", "numpy", "next:"):
        assert told in answer.json["reason"]
    assert not list(cache.rglob("kernels/*/braggbook.json"))


def test_a_lock_that_would_install_from_elsewhere_is_refused(
    published: Published, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    def more(name: str, data: bytes) -> bytes:
        line = b"# a comment \\\n--index-url https://example.org/simple\n"
        return data + line if name == "kernel/requirements.lock" else data

    answer = elsewhere.call("verify", repacked(published, tmp_path / "z.zip", more), "--json")
    assert (answer.code, answer.json["verdict"]) == (3, "not verifiable")
    assert "says more than versions" in answer.json["reason"]
    assert "making one" not in answer.err


def test_a_changed_digit_in_the_zip_is_named(published: Published, elsewhere: Elsewhere, tmp_path: Path) -> None:
    def other(name: str, data: bytes) -> bytes:
        return data.replace(b'"value": 4.0', b'"value": 5.0') if name == "results.json" else data

    answer = elsewhere.call("verify", repacked(published, tmp_path / "z.zip", other), "--json")
    assert (answer.code, answer.json["verdict"]) == (1, "drifted")
    assert answer.json["reason"].startswith("results.json")
    assert answer.json["record"]["doi"] is None


def test_the_wheel_that_came_is_never_loaded_by_us(published: Published, elsewhere: Elsewhere, tmp_path: Path) -> None:
    mark = tmp_path / "loaded"
    loud = f"\nimport os, sys\nopen({str(mark)!r}, 'a').write(' '.join(sys.orig_argv) + chr(10))\n".encode()

    def other(name: str, data: bytes) -> bytes:
        if not name.endswith(".whl"):
            return data
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
            for inner in source.namelist():
                target.writestr(inner, source.read(inner) + (loud if inner == "braggbook/__init__.py" else b""))
        return out.getvalue()

    answer = elsewhere.call("verify", repacked(published, tmp_path / "z.zip", other), "--json")
    assert answer.json["verdict"] == "drifted"
    lines = mark.read_text().splitlines()
    assert lines
    assert all("ipykernel" in line and " verify " not in line for line in lines)


def test_a_wheel_that_is_a_bomb_does_not_go_off(published: Published, elsewhere: Elsewhere, tmp_path: Path) -> None:
    def other(name: str, data: bytes) -> bytes:
        if not name.endswith(".whl"):
            return data
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
            target.writestr("braggbook/zeros", bytes(100 << 20))
        return out.getvalue()

    answer = elsewhere.call("verify", repacked(published, tmp_path / "z.zip", other), "--json")
    assert (answer.code, answer.json["verdict"]) == (3, "not verifiable")
    assert "grow too much" in answer.json["reason"]


def test_words_of_strangers_do_nothing_to_the_terminal(
    published: Published, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    def other(name: str, data: bytes) -> bytes:
        if not name.startswith("notebook/"):
            return data
        node = json.loads(data)
        node["cells"][0]["source"] = "".join(node["cells"][0]["source"]).replace(
            "A test experiment", '"\\e]0;owned\\a [bold]A test"'
        )
        return json.dumps(node).encode()

    answer = elsewhere.call("verify", repacked(published, tmp_path / "z.zip", other))
    assert "[bold]A test" in answer.err
    assert "\x1b" not in answer.out + answer.err


def test_a_record_by_the_address_of_its_page(published: Published, elsewhere: Elsewhere) -> None:
    with open_server(published.archive) as server:
        page = f"{server.url}/records/{published.record.name}"
        answer = elsewhere.call("verify", page, "--json")
        assert answer.code == 0, answer.err
        assert answer.json["record"]["doi"] == published.doi
    assert elsewhere.call("verify", (published.record / "index.html").as_uri(), "--json").json["verdict"] == "identical"


def test_the_verdict_is_published_once_and_relates_to_the_record(
    published: Published, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    own = tmp_path / "own archive"
    shutil.copytree(published.archive, own)
    there = Elsewhere(elsewhere.folder, own, elsewhere.cache)
    nobody = there.call("verify", published.doi, "--publish", "--json")
    assert nobody.code == 2
    assert "nobody to sign" in nobody.json["what"]
    silent = there.call("verify", published.doi, *SIGNED, "--json")
    assert silent.code == 2
    assert "--yes" in silent.json["next"]
    answer = there.call("verify", published.doi, *SIGNED, "--yes", "--json")
    assert answer.code == 0, answer.err
    deposit = answer.json["reproduction"]
    assert (deposit["step"], [file["name"] for file in deposit["files"]]) == (
        "checked",
        ["README.md", "verification.json"],
    )
    record = json.loads((own / "records" / deposit["id"] / "record.json").read_text())
    metadata = record["metadata"]
    assert metadata["title"] == TITLE
    related = {(one["relation"], one["identifier"]) for one in metadata["related_identifiers"]}
    assert related >= {("reviews", published.doi), ("isVariantFormOf", published.doi)}
    again = there.call("verify", published.doi, *SIGNED, "--yes", "--json")
    assert again.json["reproduction"]["doi"] == deposit["doi"]
    assert len(list((own / "records").glob("*/record.json"))) == 2
    assert not list((own / "drafts").glob("*/entry.json"))
    asked = there.call("verify", deposit["doi"])
    assert asked.code == 3
    assert "how another one was verified" in asked.err


def test_a_verdict_on_what_is_in_no_archive_is_not_published(
    published: Published, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    zipped = repacked(published, tmp_path / "z.zip", lambda _, data: data)
    unsigned = elsewhere.call("verify", zipped, *SIGNED, "--yes", "--json")
    assert unsigned.code == 2
    assert "nothing that others could find" in unsigned.json["what"]
    local = elsewhere.call("verify", "0123", *SIGNED, "--yes", "--json")
    assert local.code == 2


def test_a_dataset_is_verified_by_its_hashes(published: Published, elsewhere: Elsewhere, tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    name = "colony_counts_cal33_okf6"
    shutil.copytree(ROOT / "datasets" / name, project.folder / "datasets" / name)
    env = {"BRAGGBOOK_ARCHIVE": str(tmp_path / "archive")}
    for step in (("push",), ("mint", "--yes", "--json")):
        answer = project.call("publish", step[0], name, *step[1:], env=env)
        assert answer.code == 0, answer.err
    there = Elsewhere(elsewhere.folder, tmp_path / "archive", elsewhere.cache)
    said = there.call("verify", answer.json["doi"], "--json")
    assert (said.code, said.json["verdict"], said.json["record"]["kind"]) == (0, "identical", "dataset")
    assert "about to run" not in said.err
    zipped = next((tmp_path / "archive" / "records").rglob("*.zip"))
    mine = Published(project, tmp_path / "archive", answer.json["doi"], zipped)

    def other(name: str, data: bytes) -> bytes:
        return data.replace(b"1", b"2", 1) if name.endswith(".csv") else data

    changed = there.call("verify", repacked(mine, tmp_path / "z.zip", other), "--json")
    assert (changed.code, changed.json["verdict"]) == (1, "drifted")
    assert ".csv" in changed.json["reason"]


def test_every_point_of_a_sweep_is_repeated(published: Published, elsewhere: Elsewhere, tmp_path: Path) -> None:
    project, env = published.project, {"BRAGGBOOK_ARCHIVE": str(tmp_path / "archive")}
    sweep = project.call("sweep", "sums", "-p", "factor=2,3", "--json")
    assert sweep.code == 0, sweep.err
    (folder,) = (project.runs / "sweeps").iterdir()
    for step in (("push",), ("mint", "--yes", "--json")):
        answer = project.call("publish", step[0], folder.name, *step[1:], env=env)
        assert answer.code == 0, answer.err
    said = Elsewhere(elsewhere.folder, tmp_path / "archive", elsewhere.cache).call(
        "verify", answer.json["doi"], "--json"
    )
    assert (said.code, said.json["verdict"]) == (0, "identical"), said.err
    assert sorted(row["actual"] for row in said.json["results"] if row["name"].endswith("/x")) == [4.0, 6.0]
    assert "about to run the 2 points" in said.err
