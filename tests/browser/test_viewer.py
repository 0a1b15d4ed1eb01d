"""The viewer of volumes on a hub's page: left is left, in any orientation of a file, without a mouse and without scripts.

The phantom is a dark box with one bright cube in the patient's left front upper corner. A viewer that mixes up an axis
shows it in another quarter.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from playwright.sync_api import Browser, Locator, Page, expect

from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.nifti import write_nifti
from braggbook.imaging.store.zarr_store import write_volume
from braggbook.imaging.volumes import make_volume

from ..unit.hub.look.look_helpers import make_dataset
from .hub_site import Site, Window, make_site, open_window

pytestmark = pytest.mark.full
CORNER_MM = np.array([20.0, -25.0, 30.0])  # left, front, head
HALF_MM = np.array([40.0, 50.0, 60.0])  # of the box
_TURN = np.deg2rad(25.0)
GRIDS = {
    "axial": Grid.from_axes((30, 34, 40), spacing_mm=(4.0, 3.0, 2.0), origin_mm=(-39.0, -49.5, -58.0)),
    # slices along the patient's right, rows towards the feet, columns towards the back
    "sagittal": Grid.from_axes(
        (40, 30, 34), spacing_mm=(2.0, 4.0, 3.0), origin_mm=(39.0, -49.5, 58.0),
        directions=((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
    ),
    # slices towards the feet while rows and columns are those of an axial one: a left-handed frame
    "left_handed": Grid.from_axes(
        (30, 34, 40), spacing_mm=(4.0, 3.0, 2.0), origin_mm=(-39.0, -49.5, 58.0),
        directions=((1, 0, 0), (0, 1, 0), (0, 0, -1)),
    ),
    "oblique": Grid.from_axes(
        (40, 50, 60), spacing_mm=(3.4, 3.0, 2.5), origin_mm=(-40.0, -88.0, -66.0),
        directions=((np.cos(_TURN), np.sin(_TURN), 0), (-np.sin(_TURN), np.cos(_TURN), 0), (0, 0, 1)),
    ),
}  # fmt: skip
ALT = re.compile(
    r"with dose\.zarr and organs\.nii\.gz laid over it, through x 20\.0, y -24\.0, z 32\.0 mm of the patient"
)
QUARTER = {"axial": ("right", "top"), "coronal": ("right", "top"), "sagittal": ("left", "top")}


def points_of(grid: Grid) -> Any:
    """Returns (z, y, x, 3) LPS mm of all voxels."""
    z, y, x = np.indices(grid.shape)
    return grid.to_patient(np.stack([x, y, z], axis=-1))


def phantom(grid: Grid) -> Any:
    """Returns (z, y, x) HU: air, a box of fat, and a bright cube in its left front upper corner."""
    points = points_of(grid)
    values = np.full(grid.shape, -1000, dtype=np.int16)
    values[(np.abs(points) <= HALF_MM).all(axis=-1)] = -100
    values[(np.abs(points - CORNER_MM) <= 12).all(axis=-1)] = 1000
    return make_volume(values, grid, name="ct", units="HU")


def nifti(volume: Any, folder: Path) -> bytes:
    return write_nifti(volume, folder / "one.nii.gz", sidecar=False, overwrite=True).read_bytes()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A hub with a dataset of phantoms, a mask and a dose."""
    folder = tmp_path_factory.mktemp("viewer")
    made = make_site(folder / "site", fresh=False)
    settings = made.opened.settings
    for name, grid in GRIDS.items():
        make_dataset(settings, {f"{name}.nii.gz": nifti(phantom(grid), folder)}, slug=name, title=f"Phantom, {name}")
    ct = phantom(GRIDS["axial"])
    points = points_of(GRIDS["axial"])
    mask = (ct.values == 1000).astype(np.uint8) + 2 * (np.abs(points + CORNER_MM) <= 10).all(axis=-1).astype(np.uint8)
    dose = 50 * np.exp(-((points - CORNER_MM) ** 2).sum(axis=-1) / 800)
    parts = {"ct.nii.gz": ct, "organs.nii.gz": make_volume(mask, GRIDS["axial"], name="mask", units="1")}
    files = {name: nifti(one, folder) for name, one in parts.items()}
    store = write_volume(make_volume(dose.astype(np.float32), GRIDS["axial"], name="dose", units="Gy"), folder / "d")
    files |= {f"dose.zarr/{one.relative_to(store)}": one.read_bytes() for one in store.rglob("*") if one.is_file()}
    make_dataset(settings, files, slug="plan", title="A plan")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def window(browser: Browser, site: Site, tmp_path: Path) -> Iterator[Window]:
    """A browser; nothing may have been asked of another host, and nothing complained about."""
    opened = open_window(browser, site, "viewer", shots=tmp_path / "shots", allowed=("GPU stall due to ReadPixels",))
    yield opened
    opened.close()


def open_viewer(page: Page, name: str) -> Locator:
    """Asks for the viewer of an image, and waits until it shows it."""
    page.get_by_role("button", name=f"Look through all slices of {name}").click()
    canvas = page.get_by_role("img", name=f"Slices of {name}")
    expect(canvas).to_be_visible(timeout=60_000)
    return canvas


def go_to(page: Page, point_mm: Any) -> None:
    """Moves all three sliders."""
    for label, mm in zip(("x, towards the left", "y, towards the back", "z, towards the head"), point_mm, strict=True):
        page.get_by_label(label).evaluate(
            "(one, mm) => { one.value = mm; one.dispatchEvent(new Event('input')); }", float(mm)
        )


def pixels(canvas: Locator) -> Any:
    """Returns (row, column) brightness of what is on the screen."""
    return imread(io.BytesIO(canvas.screenshot()), format="png")[:, :, :3].mean(axis=2)


def quarter_of(picture: Any) -> tuple[str, str]:
    """Returns in which quarter of the box the bright cube is."""
    shown = np.argwhere(picture > 0.05)
    bright = np.argwhere(picture > 0.9)
    assert len(bright) > 100, "the cube is on the screen"
    row, column = np.median(bright, axis=0) - (shown.min(axis=0) + shown.max(axis=0)) / 2
    return ("right" if column > 0 else "left", "bottom" if row > 0 else "top")


@pytest.mark.parametrize("name", list(GRIDS))
def test_left_is_left(window: Window, name: str) -> None:
    page = window.page
    window.go(f"/datasets/{name}/1")
    canvas = open_viewer(page, f"{name}.nii.gz")
    go_to(page, CORNER_MM)
    status = page.locator(".viewer").get_by_role("status")
    expect(status).to_contain_text("1000")
    page.get_by_label("Window level").fill("0")
    page.get_by_label("Window width").fill("2000")
    page.keyboard.press("Enter")
    for plane, quarter in QUARTER.items():
        page.get_by_label("Planes").select_option(label=plane)
        assert quarter_of(pixels(canvas)) == quarter, plane
    page.get_by_label("Planes").select_option(label="three planes")
    window.look(name)


def test_masks_and_dose_lie_over_the_image(window: Window) -> None:
    page = window.page
    window.go("/datasets/plan/1")
    canvas = open_viewer(page, "ct.nii.gz")
    go_to(page, CORNER_MM)
    viewer = page.locator(".viewer").filter(has=canvas)
    status = viewer.get_by_role("status")
    plain = canvas.screenshot()
    for name, says in (("dose.zarr", "Gy"), ("organs.nii.gz", "label 1")):
        slider = viewer.get_by_label(f"{name} over it")
        slider.evaluate("one => { one.value = 0.6; one.dispatchEvent(new Event('input')); }")
        expect(status).to_contain_text(says)
    expect(viewer).to_contain_text("Black to yellow is 4.992 to 49.92 Gy")
    expect(viewer).to_contain_text("Colours: label 1 orange, label 2 sky blue")
    expect(canvas).to_have_attribute("aria-label", ALT)
    assert canvas.screenshot() != plain
    red, green, blue = imread(io.BytesIO(canvas.screenshot()), format="png")[:, :, :3].reshape(-1, 3).T
    assert ((red > green + 0.2) & (green > blue + 0.2)).sum() > 500, "orange, as the label is in the list"
    window.look("plan")


def test_without_a_mouse(window: Window) -> None:
    page = window.page
    window.go("/datasets/axial/1")
    page.get_by_role("button", name="Look through all slices of axial.nii.gz").focus()
    page.keyboard.press("Enter")
    canvas = page.get_by_role("img", name="Slices of axial.nii.gz")
    expect(canvas).to_be_focused(timeout=60_000)
    status = page.locator(".viewer").get_by_role("status")
    expect(status).to_contain_text("x 0.0, y 0.0, z 0.0 mm")
    for key in ("ArrowRight", "ArrowUp", "PageUp"):
        page.keyboard.press(key)
    expect(status).to_contain_text("x 2.0, y -3.0, z 4.0 mm")
    names = []
    for _ in range(7):
        page.keyboard.press("Tab")
        names.append(page.evaluate("(document.activeElement.labels?.[0] || document.activeElement).textContent"))
    assert names == [
        "x, towards the left (mm)", "y, towards the back (mm)", "z, towards the head (mm)", "Window level",
        "Window width", "Planes", "To the middle",
    ]  # fmt: skip
    before = pixels(canvas)
    page.get_by_label("Window level").fill("-100")
    page.get_by_label("Window width").fill("50")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert pixels(canvas).mean() > before.mean() + 0.1, "the fat is grey now"
    page.get_by_role("button", name="To the middle").click()
    expect(status).to_contain_text("x 0.0, y 0.0, z 0.0 mm")


def test_without_scripts_the_slices_stay(browser: Browser, site: Site, tmp_path: Path) -> None:
    plain = open_window(browser, site, "viewer-plain", shots=tmp_path / "shots", java_script_enabled=False)
    plain.go("/datasets/plan/1")
    expect(plain.page.get_by_role("img", name="Slice of ct.nii.gz: axial")).to_be_visible()
    expect(plain.page.get_by_role("button", name="Look through")).to_have_count(0)
    plain.close()


def test_a_hub_that_refuses_is_quoted_and_the_slices_stay(window: Window) -> None:
    page = window.page
    window.go("/datasets/axial/1")
    page.route("**/volumes/**", lambda route: route.fulfill(status=429))
    page.get_by_role("button", name="Look through all slices").click()
    expect(page.locator(".viewer")).to_contain_text("asked for too often", timeout=60_000)
    expect(page.get_by_role("img", name="Slice of axial.nii.gz: axial")).to_be_visible()
