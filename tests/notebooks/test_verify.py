"""Verifying runs: identical, within tolerance, drifted with the right name, not verifiable with the reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ..conftest import Project

pytestmark = pytest.mark.full

CARD = """format = "braggbook.dataset/1"
title = "Counts"
version = 1
license = "CC0-1.0"
provenance = "made by a test"

[[files]]
path = "counts.csv"
sha256 = "{sha256}"
bytes = {bytes}

[files.columns.colonies]
type = "integer"
unit = "1"
meaning = "colonies counted"
"""
CODE = """import braggbook as bb, numpy as np, pandas as pd, xarray as xr
import matplotlib.pyplot as plt
counts = bb.load("counts@1")
total = float(counts["colonies"].sum()) * factor
bb.result("x", total, unit="1", uncertainty=0.5, interval=(total - 1, total + 1))
bb.result("noise", bb.rng().normal(), unit="Gy")
bb.result("table", pd.DataFrame({"n": counts["colonies"], "dose": [0.5, 1.5, 2.5]}), units={"dose": "Gy"})
bb.result("grid", xr.DataArray(np.linspace(0, total, 5), dims="d", name="grid", attrs={"units": "Gy"}))
figure, axes = plt.subplots()
axes.plot(counts["colonies"] * factor)
bb.result("figure", figure, alt="a line")"""
RESULTS = {
    "x": {"unit": "1"},
    "noise": {"unit": "Gy"},
    "table": {"kind": "table", "units": {"dose": "Gy"}},
    "grid": {"kind": "dataset"},
    "figure": {"kind": "figure"},
}


def make_dataset(project: Project, text: str = "colonies\n12\n34\n56\n") -> Path:
    import hashlib

    folder = project.folder / "datasets" / "counts"
    folder.mkdir(parents=True)
    (folder / "counts.csv").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / "dataset.toml").write_text(CARD.format(sha256=digest, bytes=len(text)))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, kernel_template: Path) -> tuple[Project, Path]:
    """One complete run that every test here tampers with in a copy of its own."""
    folder = tmp_path_factory.mktemp("verify") / "project"
    shutil.copytree(kernel_template, folder)
    project = Project(folder)
    make_dataset(project)
    project.experiment(
        "sums", code=[CODE], parameters="factor: float = 1.0", results=RESULTS, front={"datasets": ["counts@1"]}
    )
    answer = project.run("sums", "-p", "factor=2")
    assert answer.code == 0, answer.err
    return project, Path(answer.json["run_dir"])


@pytest.fixture
def run(made: tuple[Project, Path], tmp_path: Path) -> tuple[Project, Path]:
    project, folder = made
    return project, Path(shutil.copytree(folder, tmp_path / "copied elsewhere" / folder.name))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) >= 1, f"{old!r} is not in {path.name}"
    path.write_text(text.replace(old, new, 1))


def test_a_copy_at_another_path_is_identical(run: tuple[Project, Path]) -> None:
    project, folder = run
    answer = project.call("verify", folder, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["verdict"] == "identical"
    assert {row["name"] for row in answer.json["results"]} == set(RESULTS)
    assert all(row["identical"] and row["same"] for row in answer.json["results"])
    first = answer.json["results"][0]
    assert (first["name"], first["expected"], first["actual"], first["unit"]) == ("x", 204.0, 204.0, "1")
    assert first["tolerance"] == {"rtol": 1e-6, "atol": 1e-12}


def test_the_table_for_people(run: tuple[Project, Path]) -> None:
    project, folder = run
    answer = project.call("verify", folder)
    assert answer.out.strip().splitlines()[-1] == "identical"
    assert "204" in answer.out


@pytest.mark.parametrize(
    ("name", "old", "new", "drifted"),
    [
        ("datasets/counts/counts.csv", "34", "35", {"x", "table", "grid", "figure"}),
        ("notebook/sums.ipynb", "* factor\\n", "* factor * 1.001\\n", {"x", "grid"}),
        ("results.json", '"value": 204.0', '"value": 205.0', {"x"}),
        ("results.json", '"uncertainty": 0.5', '"uncertainty": 0.6', {"x"}),
        ("results.json", '"lower": 203.0', '"lower": 203.5', {"x"}),
        ("results.json", '"unit": "Gy"', '"unit": "cGy"', {"noise"}),
        ("tables/table.csv", "0.5", "0.6", set()),
        ("figures/figure.svg", "<svg", "<svg ", set()),
        ("executed.ipynb", "204", "205", set()),
        ("kernel/kernel.toml", "Radiobiology", "radiobiology", set()),
        ("report.html", "complete", "incomplete", set()),
    ],
)
def test_one_digit_changed_is_named(
    run: tuple[Project, Path], name: str, old: str, new: str, drifted: set[str]
) -> None:
    project, folder = run
    replace(folder / name, old, new)
    answer = project.call("verify", folder, "--json")
    assert answer.code == 1, answer.out + answer.err
    assert answer.json["verdict"] == "drifted"
    assert [issue["where"] for issue in answer.json["files"]] == [name]
    assert {row["name"] for row in answer.json["results"] if not row["same"]} == drifted
    assert name in answer.json["reason"]
    assert all(result in answer.json["reason"] for result in drifted)


def test_an_array_changed_on_disk_is_named(run: tuple[Project, Path]) -> None:
    project, folder = run
    chunk = next(path for path in (folder / "arrays" / "grid.zarr").rglob("c/*") if path.is_file())
    data = bytearray(chunk.read_bytes())
    data[-1] ^= 1
    chunk.write_bytes(data)
    answer = project.call("verify", folder, "--json")
    assert (answer.code, answer.json["verdict"]) == (1, "drifted")
    assert "arrays/grid.zarr" in answer.json["reason"]
    assert answer.json["files"][0]["results"] == ["grid"]


def test_a_result_changed_in_the_executed_notebook_is_named(run: tuple[Project, Path]) -> None:
    project, folder = run
    replace(folder / "executed.ipynb", '"value": 204.0', '"value": 203.0')
    answer = project.call("verify", folder, "--json")
    assert (answer.code, answer.json["verdict"]) == (1, "drifted")
    assert answer.json["reason"] == "executed.ipynb (x)"


def test_a_changed_parameter_does_not_fit_the_id(run: tuple[Project, Path]) -> None:
    project, folder = run
    record = json.loads((folder / "run.json").read_text())
    record["parameters"]["factor"] = record["identity"]["parameters"]["factor"] = 3.0
    (folder / "run.json").write_text(json.dumps(record))
    answer = project.call("verify", folder, "--json")
    assert (answer.code, answer.json["verdict"]) == (1, "drifted")
    assert "run.json" in answer.json["reason"]
    assert "x" in {row["name"] for row in answer.json["results"] if not row["same"]}


@pytest.mark.parametrize("name", ["results.json", "notebook/sums.ipynb", "datasets/counts/counts.csv", "report.html"])
def test_a_missing_file_is_not_verifiable(run: tuple[Project, Path], name: str) -> None:
    project, folder = run
    (folder / name).unlink()
    answer = project.call("verify", folder, "--json")
    assert (answer.code, answer.json["verdict"]) == (3, "not verifiable")
    assert f"{name} is missing" in answer.json["reason"]


def test_a_folder_in_the_place_of_a_file_is_not_verifiable(run: tuple[Project, Path]) -> None:
    project, folder = run
    (folder / "log.jsonl").unlink()
    (folder / "log.jsonl").mkdir()
    answer = project.call("verify", folder, "--json")
    assert (answer.code, answer.json["verdict"]) == (3, "not verifiable")
    assert "log.jsonl is unreadable" in answer.json["reason"]


def test_another_lock_is_not_verifiable(run: tuple[Project, Path]) -> None:
    project, folder = run
    lock = folder / "kernel" / "requirements.lock"
    replace(lock, "numpy==", "numpy==0.0.1+")
    answer = project.call("verify", folder, "--json")
    assert (answer.code, answer.json["verdict"]) == (3, "not verifiable")
    assert "lock" in answer.json["reason"]


def test_within_and_beyond_the_declared_tolerance(project: Project, tmp_path: Path) -> None:
    switch = tmp_path / "shift"
    code = (
        "import os, braggbook as bb\n"
        f"shift = float(open({str(switch)!r}).read())\n"
        'bb.result("x", 100.0 + shift, unit="Gy")\nbb.result("y", 0.0 + shift, unit="Gy")'
    )
    results = {"x": {"unit": "Gy", "rtol": 1e-3}, "y": {"unit": "Gy", "rtol": 0.0, "atol": 0.05}}
    project.experiment("loose", code=[code], results=results)
    switch.write_text("0")
    folder = project.run("loose").json["run_dir"]
    for shift, verdict, code_, same in (
        ("0.04", "within tolerance", 0, [True, True]),
        ("0.06", "drifted", 1, [True, False]),
        ("0.2", "drifted", 1, [False, False]),
    ):
        switch.write_text(shift)
        answer = project.call("verify", folder, "--json")
        assert (answer.code, answer.json["verdict"]) == (code_, verdict)
        assert [row["same"] for row in answer.json["results"]] == same
    switch.unlink()
    answer = project.call("verify", folder, "--json")
    assert (answer.code, answer.json["verdict"]) == (3, "not verifiable")
    assert "FileNotFoundError" in answer.json["reason"]


def test_extra_files_are_noted_and_ignored(run: tuple[Project, Path]) -> None:
    project, folder = run
    (folder / "my notes.txt").write_text("looked at it on Monday")
    answer = project.call("verify", folder, "--json")
    assert (answer.code, answer.json["verdict"]) == (0, "identical")
    assert any("my notes.txt" in note for note in answer.json["notes"])


def test_verify_only_reads_the_run(run: tuple[Project, Path]) -> None:
    project, folder = run
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert project.call("verify", folder, "--json").code == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)


def test_a_run_that_failed_is_not_verifiable(project: Project) -> None:
    project.experiment("bad", code=["1 / 0"])
    folder = project.run("bad").json["run_dir"]
    answer = project.call("verify", folder, "--json")
    assert (answer.code, answer.json["verdict"]) == (3, "not verifiable")
    assert "ZeroDivisionError" in answer.json["reason"]


def test_no_run_at_all(project: Project, tmp_path: Path) -> None:
    for name, words in ((str(tmp_path), "not a run"), ("0123", "no run named"), (str(tmp_path / "nowhere"), "no run")):
        answer = project.call("verify", name, "--json")
        assert answer.code == 2
        assert words in answer.err
        assert "Traceback" not in answer.err
    (tmp_path / "run.json").write_text('{"format": "braggbook.run/1", "id')
    assert "cannot be read" in project.call("verify", str(tmp_path)).err


def test_a_dataset_that_may_not_be_copied_is_found_again(project: Project, tmp_path: Path) -> None:
    folder = make_dataset(project)
    replace(folder / "dataset.toml", "bytes = 18", "bytes = 18\ncopy = false")
    project.experiment(
        "sums", code=[CODE], parameters="factor: float = 1.0", results=RESULTS, front={"datasets": ["counts@1"]}
    )
    answer = project.run("sums").json
    run = Path(answer["run_dir"])
    assert not (run / "datasets" / "counts" / "counts.csv").exists()
    gone = project.call("verify", run, "--json")
    assert (gone.code, gone.json["verdict"]) == (3, "not verifiable")
    assert "counts.csv" in gone.json["reason"]
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    shutil.copyfile(folder / "counts.csv", mirror / "under another name.csv")
    found = project.call("verify", run, "--json", env={"BRAGGBOOK_DATA_MIRROR": str(mirror)})
    assert (found.code, found.json["verdict"]) == (0, "identical")


def test_the_recorded_braggbook_is_what_repeats(run: tuple[Project, Path], tmp_path: Path) -> None:
    """A run made by other code is repeated by that code: here a wheel whose function adds one."""
    project, folder = run
    import io
    import zipfile

    wheel = next((folder / "software").glob("*.whl"))
    files = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            files[name] = archive.read(name)
    files["braggbook/datasets/load.py"] += (
        b"\n_true_load = load\ndef load(*a, **k):\n    return _true_load(*a, **k) + 1\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    wheel.write_bytes(buffer.getvalue())
    answer = project.call("verify", folder, "--json", env={"BRAGGBOOK_CACHE": str(tmp_path / "cache")})
    assert answer.json["verdict"] == "drifted"
    assert wheel.name in answer.json["reason"]
    assert "x" in {row["name"] for row in answer.json["results"] if not row["same"]}


@pytest.mark.parametrize("text", [None, "{", '{"format": "braggbook.run/99"}'])
def test_a_run_whose_own_record_is_lost_or_damaged(run: tuple[Project, Path], text: str | None) -> None:
    project, folder = run
    (folder / "run.json").unlink()
    if text is not None:
        (folder / "run.json").write_text(text)
    answer = project.call("verify", folder, "--json")
    assert (answer.code, answer.json["verdict"]) == (3, "not verifiable")
    assert "run.json" in answer.json["reason"]


def test_verify_from_inside_a_copied_run(run: tuple[Project, Path]) -> None:
    _, folder = run
    before = sorted(folder.rglob("*"))
    answer = Project(folder).call("verify", ".", "--json")
    assert (answer.code, answer.json["verdict"]) == (0, "identical"), answer.err
    assert sorted(folder.rglob("*")) == before, "nothing is left in the record"


def test_a_damaged_run_does_not_answer(project: Project) -> None:
    project.experiment("good", code=['import braggbook as bb\nbb.result("x", 1.5, unit="1")'])
    folder = Path(project.run("good").json["run_dir"])
    replace(folder / "results.json", "1.5", "1.6")
    answer = project.run("good")
    assert answer.code == 2
    assert "results.json: changed since the run" in answer.err
    assert project.run("good", "--force").json["changed"] == ["x (1.6 against 1.5: differs by 0.063 of it)"]
    assert project.run("good").json["cached"] is True
