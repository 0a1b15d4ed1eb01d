"""Three planes through a volume: which side is where, to one scale, with what a reader needs to know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

import braggbook as bb
from braggbook.errors import ImagingError
from braggbook.imaging.geometry import Grid
from braggbook.imaging.volumes import make_volume
from braggbook.notebooks.figures import draw_figure

mpl.use("agg")
SHAPE, SPACING_MM = (6, 20, 30), (5.0, 2.0, 1.0)  # z, y, x
AXIAL, CORONAL, SAGITTAL = range(3)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def volume(values: Any = None, *, grid: Grid | None = None, **attrs: Any) -> xr.DataArray:
    grid = grid or Grid.from_axes(SHAPE, spacing_mm=SPACING_MM)
    data = np.zeros(grid.shape) if values is None else np.asarray(values, dtype=float)
    return make_volume(data, grid, name="ct", units=attrs.pop("units", "HU"), attrs=attrs)


def marked(index: tuple[int, int, int], grid: Grid | None = None) -> xr.DataArray:
    """Returns a volume with one voxel (z, y, x) of 100 HU."""
    made = volume(grid=grid)
    made[index] = 100.0
    return made


def at(image: xr.DataArray, index: tuple[int, int, int]) -> tuple[float, float, float]:
    x, y, z = bb.imaging.grid_of(image).to_patient(index[::-1])
    return float(x), float(y), float(z)


def planes(figure: Figure) -> list[Axes]:
    return figure.axes[:3]


def picture(axes: Axes, number: int = 0) -> npt.NDArray[Any]:
    """Returns an image as it is seen: first row at the top of the page."""
    shown = axes.images[number]
    values: npt.NDArray[Any] = np.ma.filled(np.ma.asarray(shown.get_array(), dtype=float), np.nan)
    return values[::-1] if shown.origin == "lower" else values


def letters(axes: Axes) -> dict[str, str]:
    sides = {(0.98, 0.5): "right", (0.02, 0.5): "left", (0.5, 0.97): "top", (0.5, 0.03): "bottom"}
    return {sides[text.get_position()]: text.get_text() for text in axes.texts}


def bars(figure: Figure) -> list[str]:
    return [axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes[3:]]


def test_left_is_on_the_right_and_the_head_is_up() -> None:
    figure = bb.three_planes(volume())
    assert letters(planes(figure)[AXIAL]) == {"right": "L", "left": "R", "top": "A", "bottom": "P"}
    assert letters(planes(figure)[CORONAL]) == {"right": "L", "left": "R", "top": "H", "bottom": "F"}
    assert letters(planes(figure)[SAGITTAL]) == {"right": "P", "left": "A", "top": "H", "bottom": "F"}


TURNED = {
    "as it is": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "columns to the right of the patient": ((-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "rows to the front": ((1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "slices to the feet": ((1, 0, 0), (0, 1, 0), (0, 0, -1)),
    "sagittal": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    "coronal": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
}


@pytest.mark.parametrize("directions", TURNED.values(), ids=TURNED.keys())
def test_a_place_in_the_patient_is_at_the_same_place_on_the_page(directions: Any) -> None:
    """A voxel in the left, front, upper part is right of, above and above the middle, however the grid lies."""
    grid = Grid.from_axes((9, 9, 9), spacing_mm=(2, 2, 2), directions=directions)
    middle = grid.to_patient([4, 4, 4])
    place = middle + np.array([6, -4, 2])  # towards L, A, H
    column, row, plane = np.rint(grid.to_index(place)).astype(int)
    image = marked((plane, row, column), grid)
    figure = bb.three_planes(image, at_mm=tuple(place))
    found = [tuple(np.argwhere(picture(axes) == 100)[0]) for axes in planes(figure)]
    assert found == [(2, 7), (3, 7), (3, 2)]  # rows from the top, columns from the left
    assert letters(planes(figure)[AXIAL]) == {"right": "L", "left": "R", "top": "A", "bottom": "P"}


def test_planes_go_through_the_point_that_is_asked_for_and_say_so() -> None:
    image = volume()
    figure = bb.three_planes(image, at_mm=at(image, (2, 7, 11)))
    assert [axes.get_title() for axes in planes(figure)] == [
        "axial, z = 10.0 mm",
        "coronal, y = 14.0 mm",
        "sagittal, x = 11.0 mm",
    ]


def test_a_negative_place_has_the_minus_sign_of_the_colour_bars() -> None:
    image = volume(grid=Grid.from_axes(SHAPE, spacing_mm=SPACING_MM, origin_mm=(-50.0, -50.0, -50.0)))
    titles = [axes.get_title() for axes in planes(bb.three_planes(image, at_mm=at(image, (2, 7, 11))))]
    assert [title.partition(" = ")[2] for title in titles] == [
        f"\N{MINUS SIGN}{mm} mm" for mm in ("40.0", "36.0", "39.0")
    ]


def test_five_names_are_three_and_two() -> None:
    image = volume()
    figure = bb.three_planes(image, masks={name: marked((2, 7, 11)) for name in "abcde"})
    figure.canvas.draw()
    places = [round(text.get_window_extent().y0) for text in figure.legends[0].get_texts()]
    assert sorted(places.count(place) for place in set(places)) == [2, 3]


def test_an_oblique_grid_has_two_letters() -> None:
    s, c = np.sin(np.radians(20)), np.cos(np.radians(20))
    grid = Grid.from_axes(SHAPE, spacing_mm=SPACING_MM, directions=((c, s, 0), (-s, c, 0), (0, 0, 1)))
    found = letters(planes(bb.three_planes(volume(grid=grid)))[AXIAL])
    assert found == {"right": "LP", "left": "RA", "top": "AL", "bottom": "PR"}


def test_all_planes_are_to_one_scale() -> None:
    figure = bb.three_planes(volume())
    figure.canvas.draw()
    per_mm = []
    for axes in planes(figure):
        box = axes.get_window_extent()
        per_mm += [box.width / abs(np.subtract(*axes.get_xlim())), box.height / abs(np.subtract(*axes.get_ylim()))]
    assert per_mm == pytest.approx([per_mm[0]] * 6, rel=0.02)
    widths = [abs(np.subtract(*axes.get_xlim())) for axes in planes(figure)]
    assert widths == pytest.approx([30, 30, 40])  # mm, whole voxels


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    axes = planes(bb.three_planes(volume()))[AXIAL]
    bar: Any = next(each for each in axes.artists if hasattr(each, "size_bar"))
    line = bar.size_bar.get_children()[0]
    assert (bar.txt_label.get_text(), line.get_width()) == ("10 mm", 10)


def test_planes_go_through_the_middle_of_the_masks() -> None:
    image = volume()
    mask = marked((1, 4, 25)) > 0
    figure = bb.three_planes(image, masks={"GTV": mask.assign_attrs(image.attrs)})
    assert planes(figure)[AXIAL].get_title() == "axial, z = 5.0 mm"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["GTV"]
    assert all(axes.collections for axes in planes(figure))  # an outline in each


def test_an_outline_lies_on_the_edge_of_its_voxels() -> None:
    image = volume()
    inside = np.zeros(SHAPE)
    inside[2:4, 5:10, 20:] = 1  # up to the image's edge
    figure = bb.three_planes(image, masks={"part": volume(inside, units="1")})
    (outline,) = planes(figure)[AXIAL].collections
    points = np.concatenate([path.vertices for path in outline.get_paths()])
    assert points.min(axis=0) == pytest.approx([20, 10])  # mm from the page's left and top edge
    assert points.max(axis=0) == pytest.approx([30, 20])


def test_colour_bars_say_what_and_in_which_unit() -> None:
    dose = volume(np.linspace(0, 20, 3600).reshape(SHAPE), units="Gy", long_name="planned dose")
    figure = bb.three_planes(volume(modality="CT"), overlay=dose)
    assert bars(figure) == ["CT (HU)", "planned dose (Gy)"]
    assert bars(bb.three_planes(volume(units="1"))) == ["ct"]


def test_a_bar_points_where_values_lie_beyond_it() -> None:
    values = np.linspace(-1000, 1000, 3600).reshape(SHAPE)
    extends = [axes._colorbar.extend for axes in bb.three_planes(volume(values)).axes[3:]]  # type: ignore[attr-defined]
    assert extends == ["both"]
    figure = bb.three_planes(volume(values), limits=(-1000, 1000), overlay=volume(values), overlay_limits=(0, 500))
    assert [axes._colorbar.extend for axes in figure.axes[3:]] == ["neither", "max"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("units", "expected"),
    [("HU", (-160.0, 240.0)), ("Gy", (0.0, 3599.0)), ("1", (35.99, 3563.01))],
)
def test_limits_follow_the_unit(units: str, expected: tuple[float, float]) -> None:
    figure = bb.three_planes(volume(np.arange(3600.0).reshape(SHAPE), units=units))
    assert planes(figure)[0].images[0].get_clim() == pytest.approx(expected)


def test_an_overlay_of_another_grid_is_brought_to_the_image() -> None:
    coarse = Grid.from_axes((3, 5, 5), spacing_mm=(10, 8, 6), origin_mm=(2.5, 3.0, 2.5))
    dose = volume(np.full(coarse.shape, 7.0), grid=coarse, units="Gy")
    figure = bb.three_planes(volume(), overlay=dose, overlay_limits=(1, 10))
    shown = picture(planes(figure)[AXIAL], 1)
    assert shown.shape == (20, 30)
    assert np.nanmax(shown) == pytest.approx(7.0)
    assert np.isnan(shown[0, 0])  # beyond the coarse grid's centres there is no dose


def test_an_overlay_below_its_limits_is_not_drawn() -> None:
    dose = np.zeros(SHAPE)
    dose[:, 10:] = 5.0
    shown = picture(planes(bb.three_planes(volume(), overlay=volume(dose, units="Gy"), overlay_limits=(1, 10)))[0], 1)
    assert np.isnan(shown[:10]).all()
    assert (shown[10:] == 5).all()


def test_a_colour_map_by_name_is_half_transparent_and_an_object_is_taken_as_it_is() -> None:
    dose = volume(np.ones(SHAPE), units="Gy")
    named = bb.three_planes(volume(), overlay=dose, overlay_cmap="viridis")
    taken = bb.three_planes(volume(), overlay=dose, overlay_cmap=mpl.colormaps["viridis"])
    alphas = [planes(figure)[0].images[1].get_alpha() for figure in (named, taken)]
    assert alphas == [pytest.approx(0.55), None]
    assert isinstance(planes(taken)[0].images[1].get_cmap(), Colormap)


def test_the_same_volume_gives_the_same_drawing() -> None:
    one, other = (draw_figure(bb.three_planes(marked((2, 3, 4))), name="planes") for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda image: {"image": image.expand_dims("t")}, "not one volume"),
        (lambda image: {"image": image, "at_mm": (500.0, 0.0, 0.0)}, "a point outside the image"),
        (lambda image: {"image": image, "masks": {"other": image.isel(z=slice(1, 4))}}, "a mask on another grid"),
        (lambda image: {"image": (image * np.nan).assign_attrs(image.attrs | {"units": "1"})}, "nothing to draw"),
    ],
    ids=["four dimensions", "outside", "another grid", "only NaN"],
)
def test_what_cannot_be_drawn_is_refused(given: Any, message: str) -> None:
    arguments = given(volume())
    with pytest.raises(ImagingError, match=message):
        bb.three_planes(arguments.pop("image"), **arguments)
    assert not plt.get_fignums(), "no half-drawn figure is left"
