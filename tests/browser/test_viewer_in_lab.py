"""The viewer of a notebook in a real JupyterLab: it is drawn without another host, left is left, and controls work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from .hub_site import SCREENSHOTS
from .test_lab_warm import WAIT_MS, Lab, Notebook, started, stop
from .test_viewer import CORNER_MM, GRIDS, QUARTER, nifti, phantom, pixels, quarter_of

pytestmark = pytest.mark.full
CELL = """
import numpy as np
from braggbook.imaging.store.nifti_read import read_nifti
from braggbook.imaging.volumes import grid_of, make_volume
from braggbook.notebooks.viewer import show_volume
image = next(iter(read_nifti("oblique.nii.gz").data_vars.values())).assign_attrs(units="HU")
marked = (image == 1000).assign_attrs(image.attrs)
show_volume(image, {more} window=(0, 2000), at_mm={place})
"""


@pytest.fixture(scope="module")
def lab(lab_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("viewer_lab")
    running = started(lab_python, folder)
    try:
        nifti(phantom(GRIDS["oblique"]), folder)
        (folder / "one.nii.gz").rename(folder / "work" / "oblique.nii.gz")
        yield running
    finally:
        stop(running)


def test_an_oblique_volume_stands_upright_in_a_notebook(browser: Browser, lab: Lab, tmp_path: Path) -> None:
    place = str(tuple(CORNER_MM.tolist()))
    plain, masked = CELL.replace("{place}", place).replace("{more}", ""), CELL.replace("{place}", place)
    lab.write("look", plain, masked.replace("{more}", 'masks={"tumour": marked},'))
    notebook = Notebook(browser, lab, "look")
    page = notebook.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    shots = Path(os.environ.get(SCREENSHOTS) or tmp_path)
    output = notebook.cells.nth(0).locator(".jp-OutputArea")
    notebook.run(0)
    expect(output).to_contain_text("Slices of", timeout=WAIT_MS)
    canvas = output.locator("canvas")
    expect(canvas).to_be_visible()
    planes = output.get_by_label("Planes")
    for plane, quarter in QUARTER.items():
        planes.select_option(label=plane)
        page.wait_for_timeout(1000)
        page.screenshot(path=shots / f"lab-{plane}.png")
        assert quarter_of(pixels(canvas)) == quarter, plane
    planes.select_option(label="three planes")
    before = pixels(canvas).mean()
    level = output.get_by_label("Level (HU)")
    level.fill("-900")
    level.press("Enter")
    page.wait_for_timeout(1000)
    assert pixels(canvas).mean() > before + 0.1, "the fat is white now"
    page.screenshot(path=shots / "lab-window.png")
    notebook.run(1)
    second = notebook.cells.nth(1).locator(".jp-OutputArea")
    expect(second.get_by_label("tumour (orange)")).to_be_checked(timeout=WAIT_MS)
    page.wait_for_timeout(2000)
    second.scroll_into_view_if_needed()
    page.screenshot(path=shots / "lab-masks.png")
    strange = [
        url
        for url in asked
        if urlsplit(url).scheme in ("http", "https") and "127.0.0.1" not in url and "localhost" not in url
    ]
    assert strange == []
    page.close()
