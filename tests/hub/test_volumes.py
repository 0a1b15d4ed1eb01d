"""The voxels that the viewer on a page asks for: who gets them, how large they are, and what is said with them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from braggbook.hub.look import viewing
from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.nifti import write_nifti
from braggbook.imaging.store.nifti_read import read_nifti
from braggbook.imaging.volumes import grid_of, make_volume

from ..unit.hub.look.look_helpers import SAGITTAL, describe, entry, make_dataset, run_with_files
from .conftest import Hub

PATH = "/datasets/scans/1/volumes/ct.nii.gz"


def nifti(folder: Path, *, grid: Grid = SAGITTAL, units: str = "HU", values: Any = None) -> bytes:
    data = np.arange(np.prod(grid.shape), dtype=np.int16).reshape(grid.shape) if values is None else values
    path = folder / "one.nii.gz"
    return write_nifti(
        make_volume(data, grid, name="ct", units=units), path, sidecar=False, overwrite=True
    ).read_bytes()


def read(answer: Any, folder: Path) -> Any:
    path = folder / "answer.nii.gz"
    path.write_bytes(answer.content)
    return next(iter(read_nifti(path).data_vars.values()))


def said(answer: Any, what: str) -> str:
    return unquote(answer.headers[f"x-volume-{what}"])


@pytest.fixture
def scans(hub: Hub, tmp_path: Path) -> Path:
    """A dataset with an image, a mask, and a text."""
    mask = (np.arange(np.prod(SAGITTAL.shape)).reshape(SAGITTAL.shape) % 3).astype(np.uint8)
    files = {"ct.nii.gz": nifti(tmp_path), "mask.nii.gz": nifti(tmp_path, values=mask), "notes.txt": b"hello"}
    return make_dataset(hub.desk.settings, files, slug="scans")


def test_every_voxel_lies_where_the_file_says(hub: Hub, scans: Path, tmp_path: Path) -> None:
    answer = hub.client().get(PATH)
    found = read(answer, tmp_path)
    assert grid_of(found).is_same(SAGITTAL)
    assert found.values.ravel().tolist() == list(range(found.size))
    assert (said(answer, "kind"), said(answer, "says")) == ("image", "Every voxel is shown.")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"].startswith("private")


def test_labels_say_how_many_colours_they_need(hub: Hub, scans: Path) -> None:
    answer = hub.client().get("/datasets/scans/1/volumes/mask.nii.gz")
    assert (said(answer, "kind"), said(answer, "largest")) == ("labels", "2")


def test_a_large_image_is_made_coarser_and_says_so(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "MOST_VOXELS", 300)
    make_dataset(hub.desk.settings, {"ct.nii.gz": nifti(tmp_path)}, slug="scans")
    answer = hub.client().get(PATH)
    assert said(answer, "says").startswith("Made coarser for the screen: each voxel is the mean of ")
    found = read(answer, tmp_path)
    assert found.size <= 300
    inner, outer = (one.to_patient(one.corner_indices()) for one in (grid_of(found), SAGITTAL))
    assert (inner.min(axis=0) >= outer.min(axis=0)).all()
    assert (inner.max(axis=0) <= outer.max(axis=0)).all()
    assert len(gzip.decompress(answer.content)) < 1200


def test_the_page_offers_it_where_there_is_something_to_look_through(hub: Hub, scans: Path) -> None:
    text = hub.client().get("/datasets/scans/1").text
    assert text.count("data-viewer=") == 2
    assert PATH in text
    assert "volumes/notes.txt" not in text


def test_what_may_not_be_handed_on_is_not(hub: Hub, tmp_path: Path) -> None:
    data = nifti(tmp_path)
    folder = make_dataset(hub.desk.settings, {"ct.nii.gz": data}, slug="scans")
    describe(folder, [entry("ct.nii.gz", data, copy=False, **{"from": [{"url": "https://data.example/ct.nii.gz"}]})])
    page = hub.client().get("/datasets/scans/1").text
    assert "Slice of ct.nii.gz" in page, "its slices are shown as before"
    assert "data-viewer" not in page
    assert hub.client().get(PATH).status_code == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [("notes.txt", 422), ("nothing.nii.gz", 404), ("../scans/ct.nii.gz", 404), ("%2e%2e%2fscans%2fct.nii.gz", 404)],
)
def test_nothing_else_is_given_out(hub: Hub, scans: Path, path: str, status: int) -> None:
    assert hub.client().get(f"/datasets/scans/1/volumes/{path}").status_code == status


def test_a_file_that_is_not_the_cards_is_refused(hub: Hub, scans: Path, tmp_path: Path) -> None:
    changed = bytearray((scans / "ct.nii.gz").read_bytes())
    changed[-5] ^= 1
    (scans / "ct.nii.gz").write_bytes(bytes(changed))
    assert hub.client().get(PATH).status_code == 422


def test_who_asks_too_often_waits(hub: Hub, scans: Path) -> None:
    client = hub.client()
    statuses = [client.get(PATH).status_code for _ in range(61)]
    assert (set(statuses[:60]), statuses[60]) == ({200}, 429)


class TestRuns:
    """Who sees a run sees its images."""

    @pytest.fixture
    def run(self, hub: Hub, tmp_path: Path) -> Path:
        files = {"written/dose.nii.gz": nifti(tmp_path), "datasets/scans@1/ct.nii.gz": nifti(tmp_path)}
        return run_with_files(hub.desk.settings.runs, files)

    def test_an_image_of_a_run_is_shown_and_can_be_looked_through(self, hub: Hub, run: Path, tmp_path: Path) -> None:
        browser = hub.client(hub.person("Ben")[0])
        text = browser.get(f"/runs/{run.name}").text
        assert "Slice of written/dose.nii.gz" in text
        assert text.count("data-viewer=") == 1, "a dataset has a page of its own"
        answer = browser.get(f"/runs/{run.name}/volumes/written/dose.nii.gz")
        assert grid_of(read(answer, tmp_path)).is_same(SAGITTAL)

    def test_a_visitor_does_not_get_it(self, hub: Hub, run: Path) -> None:
        answer = hub.client().get(f"/runs/{run.name}/volumes/written/dose.nii.gz")
        assert (answer.status_code, "sign-in" in answer.headers["location"]) == (303, True)

    @pytest.mark.parametrize(
        ("name", "status"), [("run.json", 422), ("written/other.nii.gz", 404), ("..%2f..%2fa.nii.gz", 404)]
    )
    def test_nothing_else_of_it(self, hub: Hub, run: Path, name: str, status: int) -> None:
        browser = hub.client(hub.person("Ben")[0])
        assert browser.get(f"/runs/{run.name}/volumes/{name}").status_code == status

    def test_a_file_that_changed_is_no_image(self, hub: Hub, run: Path) -> None:
        path = run / "written" / "dose.nii.gz"
        changed = bytearray(path.read_bytes())
        changed[-5] ^= 1
        path.write_bytes(bytes(changed))
        browser = hub.client(hub.person("Ben")[0])
        assert "the file has changed since the run" in browser.get(f"/runs/{run.name}").text
        assert browser.get(f"/runs/{run.name}/volumes/written/dose.nii.gz").status_code == 422
