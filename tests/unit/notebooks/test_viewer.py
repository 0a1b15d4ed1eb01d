"""The viewer of volumes in a notebook: what reaches the browser, what is said, and when a figure stands in its place."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from ipyniivue import Volume
from matplotlib import pyplot as plt

from braggbook.errors import ImagingError, InputError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.store.nifti_read import read_nifti
from braggbook.imaging.volumes import grid_of, make_volume
from braggbook.notebooks import viewer
from braggbook.notebooks.viewer import VolumeView, show_volume

mpl.use("agg")
TURN = np.deg2rad(25.0)
VIEW = "application/vnd.jupyter.widget-view+json"
DIRECTIONS = {
    "axial": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "sagittal": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
    "left_handed": ((1, 0, 0), (0, 1, 0), (0, 0, -1)),
    "oblique": ((np.cos(TURN), np.sin(TURN), 0), (-np.sin(TURN), np.cos(TURN), 0), (0, 0, 1)),
}


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("BRAGGBOOK_SEED", raising=False)
    yield
    assert not plt.get_fignums(), "the figure would be shown a second time"


def grid_along(name: str, shape: tuple[int, int, int] = (8, 10, 12)) -> Grid:
    return Grid.from_axes(shape, spacing_mm=(4, 3, 2), origin_mm=(5.0, -7.0, 11.0), directions=DIRECTIONS[name])


def ct(grid: Grid) -> xr.DataArray:
    """A volume in which every voxel is another."""
    return make_volume(np.arange(np.prod(grid.shape), dtype=np.int16).reshape(grid.shape), grid, name="ct", units="HU")


def like(values: Any, *, units: str = "HU") -> xr.DataArray:
    return make_volume(values, grid_along("axial"), name="ct", units=units)


def far_away() -> xr.DataArray:
    grid = Grid.from_axes((8, 10, 12), spacing_mm=(4, 3, 2), origin_mm=(900.0, 0.0, 0.0))
    return make_volume(np.ones(grid.shape), grid, name="dose", units="Gy")


AXIAL = ct(grid_along("axial"))


def loaded(view: VolumeView) -> list[Volume]:
    """Returns what the browser is given."""
    return list(view.widget.children[0].volumes)


def as_read(volume: Volume, folder: Path) -> xr.DataArray:
    path = folder / "one.nii.gz"
    path.write_bytes(volume.data)
    found: Any = read_nifti(path)
    return next(iter(found.data_vars.values())).load()  # the next one lies at the same place


@pytest.mark.parametrize("name", list(DIRECTIONS))
def test_voxels_reach_the_browser_at_their_place_in_the_patient(name: str, tmp_path: Path) -> None:
    grid = grid_along(name)
    image = ct(grid)
    mask, dose = image > 500, make_volume(np.full(grid.shape, 2.0), grid, name="dose", units="Gy")
    mask.attrs = image.attrs
    for volume in loaded(show_volume(image, masks={"lung": mask}, dose=dose)):
        assert grid_of(as_read(volume, tmp_path)).is_same(grid)
    found = as_read(loaded(show_volume(image))[0], tmp_path)
    np.testing.assert_array_equal(found, image)


def test_a_large_volume_is_made_coarser_and_says_by_how_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "MOST_VOXELS", 240)
    image = ct(grid_along("oblique"))
    mask = (image >= 0).assign_attrs(image.attrs)
    view = show_volume(image, masks={"all": mask})
    assert "each voxel is the mean of 2 x 2 x 1 of the volume" in view.says
    small, marked = (as_read(one, tmp_path) for one in loaded(view))
    assert small.shape == (8, 5, 6)
    block = image.values[3, 4:6, 6:8]
    assert float(small[3, 2, 3]) == np.rint(block.mean())
    middle = grid_of(image).to_patient([6.5, 4.5, 3.0])
    np.testing.assert_allclose(grid_of(small).to_patient([3, 2, 3]), middle, atol=1e-4)
    assert int(marked.min()) == 1
    assert grid_of(marked).is_same(grid_of(small))


def test_window_masks_and_dose_are_as_they_are_said() -> None:
    grid = grid_along("axial")
    image, dose = ct(grid), make_volume(np.linspace(0, 50, 960).reshape(grid.shape), grid, name="dose", units="Gy")
    masks = {name: (image > limit).assign_attrs(image.attrs) for name, limit in (("lung", 100), ("heart", 500))}
    view = show_volume(image, masks=masks, dose=dose, window=(40, 400))
    assert "black is -160 HU, white 240 HU" in view.says
    assert "Masks: lung orange, heart sky blue." in view.says
    assert "Dose: black to yellow is 5 to 50 Gy; less is not coloured." in view.says
    first, lung, heart, wash = loaded(view)
    assert (first.cal_min, first.cal_max) == (-160, 240)
    assert (lung.colormap_label.lut[-4:], heart.colormap_label.lut[-4:]) == ([230, 159, 0, 255], [86, 180, 233, 255])
    assert (wash.cal_min, wash.cal_max, wash.colormap) == (5, 50, "inferno")


def controls(view: VolumeView, kind: str) -> list[Any]:
    rows = [row for row in view.widget.children if hasattr(row, "children")]
    return [one for row in rows for one in row.children if type(one).__name__ == kind]


def test_controls_change_what_is_shown_and_have_names() -> None:
    grid = grid_along("axial")
    image = ct(grid)
    mask = (image > 100).assign_attrs(image.attrs)
    view = show_volume(image, masks={"lung": mask}, dose=image.assign_attrs({**image.attrs, "units": "Gy"}))
    (level,), (width,) = controls(view, "FloatText"), controls(view, "BoundedFloatText")
    (tick,), (slider,), (planes,) = (controls(view, kind) for kind in ("Checkbox", "FloatSlider", "Dropdown"))
    assert [one.description for one in (level, width, tick, slider, planes)] == [
        "Level (HU)", "Width (HU)", "lung (orange)", "Dose", "Planes",
    ]  # fmt: skip
    first, lung, wash = loaded(view)
    level.value, width.value = 100.0, 50.0
    assert (first.cal_min, first.cal_max) == (75, 125)
    width.value = 0.0
    assert (first.cal_min, first.cal_max) == (75, 125), "a window without width shows nothing"
    tick.value, slider.value = False, 1.0
    assert (lung.opacity, wash.opacity) == (0, 1)
    planes.value = "sagittal"
    assert view.widget.children[0].opts.slice_type.name == "SAGITTAL"


def test_the_planes_begin_where_it_is_asked_for() -> None:
    image = ct(grid_along("axial"))
    middle = grid_of(image).to_patient([5.5, 4.5, 3.5])
    view = show_volume(image, at_mm=tuple(middle))
    np.testing.assert_allclose(view.widget.children[0].scene.crosshair_pos, [0.5, 0.5, 0.5])
    left, back, head = middle + np.array([4, 3, 8])
    right = show_volume(image, at_mm=(left, back, head)).widget.children[0].scene.crosshair_pos
    assert [np.sign(part - 0.5) for part in right] == [-1, -1, 1], "the viewer counts towards right, front and head"


def test_a_page_without_widgets_gets_the_figure() -> None:
    bundle, metadata = show_volume(ct(grid_along("axial")))._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert re.fullmatch(r"[0-9a-f]{32}", bundle[VIEW]["model_id"])
    assert metadata["image/png"]["alt"] == bundle["text/plain"]
    assert bundle["text/plain"].startswith("Slices of ct (12 x 10 x 8 voxels) in three planes")


def test_a_run_gets_the_figure_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAGGBOOK_SEED", "1")
    monkeypatch.setattr(viewer, "MOST_VOXELS", 200)
    view = show_volume(ct(grid_along("axial")))
    bundle, _ = view._repr_mimebundle_()
    assert (view.widget, view.why_static) == (None, "a run has no screen")
    assert set(bundle) == {"text/plain", "image/png"}
    assert "coarser" not in view.says, "the figure is of the whole volume"


def test_without_ipyniivue_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    find = viewer.importlib.util.find_spec
    monkeypatch.setattr(viewer.importlib.util, "find_spec", lambda name: None if name == "ipyniivue" else find(name))
    view = show_volume(ct(grid_along("axial")))
    assert view.widget is None
    assert "Static: ipyniivue not installed." in view._repr_mimebundle_()[0]["text/plain"]


STRANGE: dict[str, tuple[str, dict[str, Any]]] = {
    "a window without width": ("not a window", {"window": (40, 0)}),
    "a window of one number": ("not a window", {"window": 40}),
    "a window of words": ("not a window", {"window": ("bone", "wide")}),
    "a point of two numbers": ("not a point", {"at_mm": (1, 2)}),
    "a point of NaN": ("not a point", {"at_mm": (np.nan, 0, 0)}),
    "a point far away": ("a point outside the image", {"at_mm": (1e4, 0, 0)}),
    "a height below nothing": ("not a height", {"height_px": -1}),
    "masks without names": ("not masks by name", {"masks": [AXIAL]}),
    "a mask by number": ("not masks by name.*got 3", {"masks": {3: AXIAL}}),
    "a mask that is an array": ("lung: not a volume.*make_volume.*got ndarray", {"masks": {"lung": AXIAL.values}}),
    "a mask on another grid": ("a mask on another grid", {"masks": {"lung": ct(grid_along("sagittal"))}}),
    "a mask of fractions": ("lung: not a mask", {"masks": {"lung": like(AXIAL.values + 0.5)}}),
    "a mask of NaN": ("lung: not a mask", {"masks": {"lung": like(AXIAL.values * np.nan)}}),
    "a mask below 0": ("lung: not a mask", {"masks": {"lung": like(AXIAL.values - 1)}}),
    "a dose that is an array": ("the dose: not a volume", {"dose": AXIAL.values}),
    "a dose of NaN": ("the dose: nothing to draw", {"dose": like(AXIAL.values * np.nan)}),
    "a complex dose": ("the dose: not real numbers", {"dose": like(AXIAL.values * 1j)}),
    "a dose beside it": ("wholly beside the image", {"dose": far_away()}),
}  # fmt: skip


@pytest.mark.parametrize("name", list(STRANGE))
def test_what_cannot_be_shown_is_refused(name: str) -> None:
    message, given = STRANGE[name]
    with pytest.raises(InputError, match=message):
        show_volume(AXIAL, **given)


def test_what_is_no_image_is_refused() -> None:
    plane, filled = AXIAL.isel(z=0), like(np.full(AXIAL.shape, np.nan))
    messages = {
        "not a volume": [AXIAL.values, None, AXIAL.to_dataset(name="ct")],
        "not one volume": [plane, AXIAL.expand_dims("t"), AXIAL.transpose("x", "y", "z")],
        "not real numbers": [like(AXIAL.values * 1j), AXIAL.astype(object)],
        "nothing to draw": [filled],
        "too large": [like(AXIAL.values * 1e300)],
        "too close to 0": [like(AXIAL.values * 1e-60, units="1")],
    }
    for message, images in messages.items():
        for image in images:
            with pytest.raises(ImagingError, match=message):
                show_volume(image)


def test_what_is_odd_is_said_in_words() -> None:
    labels, nothing = like(AXIAL.values % 41), like(AXIAL.values * 0)
    says = show_volume(AXIAL, masks={"organs": labels, "lost": nothing}, dose=nothing).says
    assert "Masks: organs orange (all its labels), lost sky blue (empty)." in says
    assert "Dose: nowhere above 0, so nothing is coloured." in says
    many = show_volume(AXIAL, masks={f"organ {label}": like(AXIAL.values == label) for label in range(1, 9)}).says
    assert "organ 7 blue, organ 8 orange; colours repeat." in many
    flat = show_volume(like(AXIAL.values >= 0, units="1"))
    assert "black is 1, white 2." in flat.says
    assert loaded(flat)[0].data, "True and False are 1 and 0"
