"""The parts of a site that need no network, no builder and no browser."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from braggbook.browser import _show
from braggbook.errors import DatasetMissing, HashMismatch, InputError, NetworkError
from braggbook.kernels.lock import read_pins
from braggbook.lite import pins
from braggbook.lite.build import Wishes, build_site
from braggbook.lite.contents import collect, listings
from braggbook.lite.materials import gather
from braggbook.lite.packages import SCIENCE, site_lock, take_science
from braggbook.lite.start_page import start_page
from braggbook.lite.wheel import ELSEWHERE, browser_wheel
from braggbook.settings import Settings, load_settings

FRONT = """---
title: Two <fields>
authors:
  - name: Braggbook contributors
license: CC-BY-4.0
keywords: [test]
abstract: A notebook of the tests.
braggbook:
  kernel: radiobiology
  datasets: [colony_counts_cal33_okf6@1]
  results:
    dose: {unit: Gy}
---
"""
DATASET = "colony_counts_cal33_okf6"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "notebooks" / "tutorials" / "two_fields.ipynb"
    path.parent.mkdir(parents=True)
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    parameters = new_code_cell("dose: float = 2.0", id="parameters", metadata={"tags": ["parameters"]})
    node = new_notebook(cells=[new_markdown_cell(FRONT, id="front"), parameters], metadata=metadata)
    path.write_text(str(nbformat.writes(node)), encoding="utf-8")
    (path.parent / "two_fields.py").write_text("LESSON = None\n", encoding="utf-8")
    shutil.copytree(ROOT / "datasets" / DATASET, tmp_path / "project" / "datasets" / DATASET)
    return tmp_path / "project"


@pytest.fixture
def settings(project: Path, tmp_path: Path) -> Settings:
    return load_settings({"project": project, "cache": tmp_path / "cache"})[0]


def core(folder: Path, packages: dict[str, dict[str, object]]) -> Path:
    folder.mkdir()
    (folder / "pyodide-lock.json").write_text(json.dumps({"info": {}, "packages": packages}), encoding="utf-8")
    return folder


def entry(name: str, *depends: str, data: bytes = b"") -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    facts = {"name": name, "version": "1", "file_name": f"{name}-1.whl", "sha256": digest}
    return {**facts, "depends": [*depends], "imports": [name]}


def test_pins_are_whole_and_name_no_host() -> None:
    assert {"pyodide.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"} <= set(pins.CORE)
    for path in (pins.TOOLS, pins.WHEELS):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        assert len(read_pins(path)) == text.count("==") - text.count(" == '")
        assert text.count("--hash=sha256:") >= text.count("==") - text.count(" == '")
    tools = {pin.name for pin in read_pins(pins.TOOLS)}
    assert "jupyterlab" not in tools  # its extensions would go into every site
    wheels = {pin.name for pin in read_pins(pins.WHEELS)}
    assert {"comm", "ipython", "ipywidgets", "micropip", "pydantic", "pydantic-core"} <= wheels


def test_contents_hold_the_notebook_its_lesson_and_its_data(project: Path) -> None:
    found = collect(project)
    assert [page.path for page in found.pages] == ["notebooks/tutorials/two_fields.ipynb"]
    assert found.pages[0].left_out == ()
    assert set(found.files) == {
        "notebooks/tutorials/two_fields.ipynb",
        "notebooks/tutorials/two_fields.py",
        f"datasets/{DATASET}/dataset.toml",
        f"datasets/{DATASET}/counts.csv",
    }
    node = json.loads(found.files["notebooks/tutorials/two_fields.ipynb"])
    assert node["metadata"]["kernelspec"]["name"] == "python"  # the browser's


def test_a_dataset_without_its_file_is_named_on_the_first_page(project: Path) -> None:
    (project / "datasets" / DATASET / "counts.csv").unlink()
    found = collect(project)
    assert found.pages[0].left_out == (DATASET,)
    assert f"Too large for a browser: {DATASET}" in start_page(found.pages, "", "")


def test_what_lies_outside_the_project_is_refused(project: Path, tmp_path: Path) -> None:
    strange = tmp_path / "two_fields.ipynb"
    shutil.copy(project / "notebooks" / "tutorials" / "two_fields.ipynb", strange)
    with pytest.raises(InputError, match="outside the project"):
        collect(project, [str(strange)])


def test_without_notebooks_there_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no notebooks for the site"):
        collect(tmp_path)


def test_listings_name_every_file_once() -> None:
    files = {"a/b/c.ipynb": b"{}", "a/d.csv": b"1,2"}
    found = {path: json.loads(data) for path, data in listings(files, changed="2026-11-23T00:00:00Z").items()}
    assert set(found) == {"all.json", "a/all.json", "a/b/all.json"}
    inside = [(entry["path"], entry["type"], entry["size"]) for entry in found["a/all.json"]["content"]]
    assert inside == [("a/b", "directory", None), ("a/d.csv", "file", 3)]
    assert found["a/b/all.json"]["content"][0]["type"] == "notebook"
    assert found["all.json"]["path"] == ""


def test_packages_of_the_site_come_before_those_elsewhere(tmp_path: Path) -> None:
    folder = core(
        tmp_path / "core", {"numpy": entry("numpy"), "six": entry("six"), "pydantic_core": entry("pydantic_core")}
    )
    wheels = [
        tmp_path / name for name in ("six-2-py3-none-any.whl", "pydantic_core-3-x.whl", "braggbook-0-py3-none-any.whl")
    ]
    for wheel in wheels:
        wheel.write_bytes(wheel.name.encode())
    packages = site_lock(folder, wheels, address="https://mirror.example/full/")["packages"]
    assert packages["numpy"]["file_name"] == "https://mirror.example/full/numpy-1.whl"
    assert packages["six"]["file_name"] == "six-2-py3-none-any.whl"
    assert packages["six"]["sha256"] == hashlib.sha256(b"six-2-py3-none-any.whl").hexdigest()
    assert packages["pydantic_core"]["version"] == "3"  # under the name that others depend on
    assert packages["braggbook"]["imports"] == ["braggbook"]
    assert "numpy" not in site_lock(folder, wheels, address=None)["packages"]


def test_science_is_copied_whole_or_not_at_all(tmp_path: Path) -> None:
    packages = {name: entry(name, "shared", data=b"right") for name in SCIENCE} | {
        "shared": entry("shared", data=b"right")
    }
    folder, mirror = core(tmp_path / "core", packages), tmp_path / "mirror"
    mirror.mkdir()
    for name in SCIENCE:
        (mirror / f"{name}-1.whl").write_bytes(b"right")
    with pytest.raises(InputError, match=r"shared-1\.whl"):
        take_science(folder, mirror, [])
    (mirror / "shared-1.whl").write_bytes(b"wrong")
    with pytest.raises(HashMismatch, match=r"shared-1\.whl"):
        take_science(folder, mirror, [])
    (mirror / "shared-1.whl").write_bytes(b"right")
    assert len(take_science(folder, mirror, [])) == len(SCIENCE) + 1


def test_the_wheel_holds_what_a_browser_can_run() -> None:
    wheel = browser_wheel()
    assert wheel.data == browser_wheel().data
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        names = archive.namelist()
        record = next(name for name in names if name.endswith("RECORD"))
        listed = [line.partition(",")[0] for line in archive.read(record).decode().splitlines()]
    assert {"braggbook/__init__.py", "braggbook/units.py", "braggbook/browser.py"} <= set(names)
    assert not [name for name in names if name.startswith(tuple(f"braggbook/{room}/" for room in ELSEWHERE))]
    assert sorted(listed) == sorted(names)


def test_the_first_page_escapes_and_links(project: Path) -> None:
    page = start_page(collect(project).pages, "https://mirror.example/full/", "https://mybinder.org/v2/gh/o/r/v1")
    assert "Two &lt;fields&gt;" in page
    assert 'href="notebooks/index.html?path=notebooks/tutorials/two_fields.ipynb"' in page
    assert "https://mybinder.org/v2/gh/o/r/v1?labpath=notebooks%2Ftutorials%2Ftwo_fields.ipynb" in page
    assert "mirror.example" in page
    assert not re.search(r'(src|href)="//', page)


class Shell:
    """What IPython's shell has of an error's display."""

    def __init__(self) -> None:
        self.shown: list[tuple[type[Exception], Exception]] = []

    def showtraceback(self, exc: tuple[type[Exception], Exception, object], *, tb_offset: int | None) -> None:
        assert tb_offset is None
        self.shown.append(exc[:2])


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (DatasetMissing("none of its sources has it", where="scan.dcm"), "not part of this site"),
        (NetworkError("the download failed"), "not part of this site"),
        (ModuleNotFoundError("No module named 'pooch'", name="pooch"), "These data are not part"),
        (ModuleNotFoundError("No module named 'numpy.x'", name="numpy.x"), "numpy is not part"),
        (OSError(138, "emscripten does not support processes."), "runs no other programs"),
        (FileNotFoundError("no.csv"), ""),
    ],
)
def test_what_a_browser_cannot_do_says_where_it_runs(
    error: Exception, note: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAGGBOOK_BINDER", "https://mybinder.org/v2/gh/o/r/v1")
    shell = Shell()
    _show(shell, type(error), error, None)
    assert shell.shown == [(type(error), error)]
    notes = "".join(getattr(error, "__notes__", []))
    assert note in notes
    assert ("https://mybinder.org/v2/gh/o/r/v1" in notes) is bool(note)


def test_another_core_is_refused(tmp_path: Path, settings: Settings) -> None:
    for name in pins.CORE:
        (tmp_path / name).write_bytes(b"another")
    with pytest.raises(HashMismatch, match="not Pyodide") as caught:
        pins.check_core(tmp_path)
    assert "npm pack pyodide@" in str(caught.value)


@pytest.mark.parametrize(
    "wish", [{"pyodide": "no/such/folder"}, {"pyodide": "ftp://example.org/"}, {"binder": "mybinder.org"}]
)
def test_addresses_that_are_none(wish: dict[str, str], tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(InputError):
        build_site(tmp_path / "site", Wishes(**wish), settings=settings)
    assert not (tmp_path / "site").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="there is something already") as caught:
        build_site(tmp_path / "site", Wishes(), settings=settings)
    assert "--to" in caught.value.next_command
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["mine.txt"]


@pytest.mark.full
class TestTools:
    """With a real environment, npm and pip."""

    def test_a_wrong_core_leaves_no_site(self, tmp_path: Path, settings: Settings) -> None:
        tarball = tmp_path / "pyodide.tgz"
        with tarfile.open(tarball, "w:gz") as archive:
            archive.add(ROOT / "LICENSE", "package/pyodide.mjs")
        shared = load_settings({"project": settings.project})[0]  # its tools are there already
        for given, kind in ((tarball, InputError), (ROOT / "LICENSE", InputError), (tmp_path, HashMismatch)):
            with pytest.raises(kind):
                build_site(tmp_path / "site", Wishes(core=given), settings=shared)
            assert not (tmp_path / "site").exists()
            assert not [*tmp_path.glob(".site.*")]

    def test_without_npm_it_says_what_to_do(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cache = load_settings()[0].cache
        kept = gather(cache)
        (tmp_path / "lite").mkdir()
        for part in (kept.tools.parents[1], kept.wheels[0].parent):
            (tmp_path / "lite" / part.name).symlink_to(part)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(InputError, match="npm is not installed") as caught:
            gather(tmp_path)
        assert "--core" in caught.value.next_command

    def test_without_a_network_nothing_half_made_is_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("PIP_FIND_LINKS", "")
        monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
        monkeypatch.setenv("PIP_RETRIES", "0")
        with pytest.raises(NetworkError, match="JupyterLite could not be installed") as caught:
            gather(tmp_path)
        assert "again" in caught.value.next_command
        assert [path.name for path in (tmp_path / "lite").iterdir()] == [".lock"]

    def test_two_builds_have_the_same_bytes(self, tmp_path: Path, settings: Settings) -> None:
        shared = load_settings({"project": settings.project})[0]
        for name in ("one", "two"):
            build_site(tmp_path / name, Wishes(), settings=shared)
        assert digests(tmp_path / "one") == digests(tmp_path / "two")


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
