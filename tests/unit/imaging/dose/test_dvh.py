"""Histograms against closed forms, and the rules by which a body is counted."""

from __future__ import annotations

import numpy as np
import pytest

from braggbook.errors import ImagingError
from braggbook.imaging.dose.dvh import conformity, dose_volume_histogram
from braggbook.imaging.dose.histogram import Histogram, from_cumulative
from braggbook.imaging.geometry import Grid
from braggbook.imaging.phantoms import ClosedForm, Cone, Cylinder, LinearDose, sphere
from braggbook.imaging.structures.contours import Contour, Structure
from braggbook.imaging.volumes import make_volume

CENTRE = (3.3, -2.2, 5.1)
BODIES = {
    "sphere": sphere(24, centre_mm=CENTRE),
    "cylinder": Cylinder(diameter_mm=24, length_mm=24, centre_mm=CENTRE),
    "cone": Cone(diameter_mm=24, length_mm=24, centre_mm=CENTRE),
}
DIRECTIONS = [(0, 0, 1.0), (1.0, 0, 0), (0, -1.0, 0), (0.6, 0, 0.8)]
VOLUME = 0.01  # relative, and
DOSE_GY = 0.1  # absolute: what is asked of a 1 mm grid


def drawn(contours, name: str = "target", kind: str = "CLOSED_PLANAR") -> Structure:
    return Structure(name=name, number=1, contours=tuple(Contour(points, kind) for points in contours))


def around(spacing: float, *, size: float = 44.0, shift: float = 0.123) -> Grid:
    """A grid around the bodies, whose planes are none of theirs."""
    count = int(size / spacing)
    origin = tuple(place - (count - 1) / 2 * spacing + shift for place in CENTRE)
    return Grid.from_axes((count,) * 3, spacing_mm=(spacing,) * 3, origin_mm=origin)


def slices(spacing: float = 1.0) -> np.ndarray:
    """Planes in the middle of slices that fill the bodies' height."""
    return CENTRE[2] - 12 + spacing / 2 + spacing * np.arange(int(24 / spacing))


def square(side: float, *, z: float, middle=(0.0, 0.0)) -> np.ndarray:
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * side / 2 + middle
    return np.column_stack([corners, np.full(4, z)])


def flat_dose(value: float = 2.0, *, shape=(20, 40, 40)) -> object:
    origin = tuple(-(n - 1) / 2 for n in shape[::-1])
    grid = Grid.from_axes(shape, spacing_mm=(1, 1, 1), origin_mm=origin)
    return make_volume(np.full(shape, value), grid, name="dose", units="Gy")


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("spacing", [1, 2, 3])
def test_closed_forms_come_out_of_contours(name, direction, spacing) -> None:
    body, dose = BODIES[name], LinearDose(direction=direction)
    exact = ClosedForm(body, dose)
    structure = drawn(body.contours(slices()))
    found = dose_volume_histogram(dose.volume(around(spacing), centre_mm=CENTRE), structure)
    assert found.converged
    assert found.outside_cc == 0
    assert found.histogram.volume_cc == pytest.approx(body.volume_cc, rel=VOLUME)
    for percent in (98, 95, 50, 5, 2):
        assert found.metric(f"D{percent}%") == pytest.approx(exact.dose_at_percent(percent), abs=DOSE_GY)
    for at in (12, 16, 20, 22):
        assert found.metric(f"V{at}Gy") == pytest.approx(exact.percent_at_dose(at), abs=100 * VOLUME)
    assert found.metric("mean") == pytest.approx(exact.mean_gy, abs=DOSE_GY)
    assert found.metric("sd") == pytest.approx(exact.sd_gy, abs=DOSE_GY)


def test_the_geud_of_the_sphere() -> None:
    dose = LinearDose().volume(around(1), centre_mm=CENTRE)
    found = dose_volume_histogram(dose, drawn(BODIES["sphere"].contours(slices())))
    assert found.metric("gEUD(a=2)") == pytest.approx(16.876018, abs=DOSE_GY)


@pytest.mark.parametrize("name", BODIES)
def test_closed_forms_come_out_of_masks_with_coverage(name) -> None:
    body, dose = BODIES[name], LinearDose(direction=(0.6, 0, 0.8))
    mask = body.mask(around(1, size=26, shift=0), coverage=True)
    found = dose_volume_histogram(dose.volume(around(2), centre_mm=CENTRE), mask)
    assert found.histogram.volume_cc == pytest.approx(body.volume_cc, rel=VOLUME)
    exact = ClosedForm(body, dose)
    for percent in (98, 50, 2):
        assert found.metric(f"D{percent}%") == pytest.approx(exact.dose_at_percent(percent), abs=2 * DOSE_GY)


@pytest.mark.parametrize("between", ["shape", "slabs"])
def test_the_same_body_lying_on_its_side_has_the_same_histogram(between) -> None:
    body = BODIES["cone"]
    structure = drawn(body.contours(slices()))
    turned = drawn([contour.points_mm[:, [1, 2, 0]] for contour in structure.contours])
    upright = LinearDose(direction=(0.6, 0, 0.8)).volume(around(2), centre_mm=CENTRE)
    grid = upright.attrs["affine"]
    lying_affine = np.reshape(grid, (4, 4))[[1, 2, 0, 3]]
    lying = make_volume(upright.values, Grid(upright.shape, lying_affine), name="dose", units="Gy")
    one = dose_volume_histogram(upright, structure, between=between)
    other = dose_volume_histogram(lying, turned, between=between)
    assert other.histogram.volume_cc == pytest.approx(one.histogram.volume_cc, rel=2e-3)
    assert other.metric("D95%") == pytest.approx(one.metric("D95%"), abs=0.03)


def test_native_sampling_is_kept_beside_and_shows_what_refinement_changed() -> None:
    dose = LinearDose().volume(around(3), centre_mm=CENTRE)
    table = dose_volume_histogram(dose, drawn(BODIES["sphere"].contours(slices()))).table(["volume", "D98%", "V20Gy"])
    assert list(table["unit"]) == ["cm3", "Gy", "%"]
    assert abs(table["native"] - table["value"]).max() > 0.1, "3 mm voxels are coarse for 24 mm"
    assert (abs(table["change"]) < [0.03, 0.06, 0.5]).all()


def test_a_hole_an_island_and_a_keyhole() -> None:
    ring = [square(20, z=z) for z in range(-4, 5)] + [square(10, z=z) for z in range(-4, 5)]
    assert dose_volume_histogram(flat_dose(), drawn(ring)).histogram.volume_cc == pytest.approx(2.7, rel=1e-3)
    islands = [square(6, z=z, middle=(side, 0)) for z in range(-4, 5) for side in (-10, 10)]
    assert dose_volume_histogram(flat_dose(), drawn(islands)).histogram.volume_cc == pytest.approx(0.648, rel=1e-3)
    outer, inner = square(20, z=0), square(10, z=0)[::-1]
    bridged = np.vstack([outer, outer[:1], inner[-1:], inner, outer[:1]])
    keyholes = [np.add(bridged, (0, 0, z)) for z in range(-4, 5)]
    assert dose_volume_histogram(flat_dose(), drawn(keyholes)).histogram.volume_cc == pytest.approx(2.7, rel=1e-3)


def test_end_caps() -> None:
    prism = drawn([square(20, z=z) for z in range(-4, 5)])  # planes 8 mm apart in all
    volumes = {
        caps: dose_volume_histogram(flat_dose(), prism, end_caps=caps).histogram.volume_cc
        for caps in ("auto", "half_slice", "taper", "none")
    }
    assert volumes["none"] == pytest.approx(3.2, rel=1e-3)
    assert volumes["half_slice"] == volumes["auto"] == pytest.approx(3.6, rel=1e-3)
    assert volumes["taper"] == pytest.approx(3.2 + 0.4 / 3, rel=2e-3), "two pyramids"


def test_auto_tapers_an_end_that_closes() -> None:
    closing = drawn([square(side, z=z) for z, side in enumerate((20, 20, 20, 10))])
    auto, flat = (
        dose_volume_histogram(flat_dose(), closing, end_caps=caps).histogram.volume_cc
        for caps in ("auto", "half_slice")
    )
    assert flat - auto == pytest.approx(0.1 / 2 * 2 / 3, rel=0.05)


def test_a_gap_is_an_end_on_both_sides_and_said_so() -> None:
    apart = drawn([square(10, z=z) for z in (-6, -5, -4, 4, 5, 6)])
    found = dose_volume_histogram(flat_dose(), apart)
    assert found.histogram.volume_cc == pytest.approx(0.6, rel=1e-3)
    assert found.notes == ("no contour between -4 and 4 mm: an end on both sides",)


def test_one_plane_has_the_thickness_given_or_the_dose_grids() -> None:
    plane = drawn([square(10, z=0)])
    assert dose_volume_histogram(flat_dose(), plane).histogram.volume_cc == pytest.approx(0.1)
    assert dose_volume_histogram(flat_dose(), plane, thickness_mm=3).histogram.volume_cc == pytest.approx(0.3)


def test_what_is_beyond_the_dose_is_never_zero_silently() -> None:
    half_out = drawn([square(20, z=z, middle=(19.5, 0)) for z in range(-4, 5)])
    dose = flat_dose(2.0)
    found = dose_volume_histogram(dose, half_out)
    assert found.outside_cc == pytest.approx(1.8, rel=1e-2)
    assert found.metric("mean") == pytest.approx(2)
    assert "have no dose and are left out" in found.notes[0]
    zero = dose_volume_histogram(dose, half_out, outside="zero")
    assert zero.metric("mean") == pytest.approx(1, rel=1e-2)
    assert zero.metric("minimum") == 0
    with pytest.raises(ImagingError, match="of the structure have no dose"):
        dose_volume_histogram(dose, half_out, outside="refuse")
    with pytest.raises(ImagingError, match="no dose in the structure"):
        dose_volume_histogram(dose, drawn([square(4, z=z, middle=(90, 0)) for z in range(3)]))


def test_a_uniform_dose_is_one_number() -> None:
    found = dose_volume_histogram(flat_dose(2.003), drawn([square(10, z=z) for z in range(-4, 5)]))
    names = ["D98%", "D50%", "D2%", "D0.1cc", "mean", "minimum", "maximum"]
    assert [found.metric(name) for name in names] == pytest.approx([2.003] * 7)
    assert found.metric("V2Gy") == 100
    assert found.metric("V2.01Gy") == 0
    assert found.metric("HI") == pytest.approx(0)


def test_a_dose_that_is_unknown_in_part_is_left_out_and_said_so() -> None:
    dose = flat_dose(2.0)
    dose.values[:, :20] = np.nan
    prism = drawn([square(10, z=z) for z in range(-4, 5)])
    found = dose_volume_histogram(dose, prism)
    assert found.outside_cc + found.histogram.volume_cc == pytest.approx(0.9, rel=1e-3)
    assert found.outside_cc == pytest.approx(0.45 + 0.045, rel=0.01), "a voxel without a number spoils its neighbour's"
    assert found.metric("mean") == 2
    zero = dose_volume_histogram(dose, prism, outside="zero")
    assert zero.metric("mean") == pytest.approx(2 * (1 - found.outside_cc / 0.9), rel=1e-3)
    dose.values[:] = np.nan
    with pytest.raises(ImagingError, match=r"target: no dose in the structure.*NaN everywhere around it"):
        dose_volume_histogram(dose, prism)


def test_infinite_dose_is_refused_where_it_matters() -> None:
    dose, prism = flat_dose(2.0), drawn([square(10, z=z) for z in range(-4, 5)])
    dose.values[0, 0, 0] = np.inf
    assert dose_volume_histogram(dose, prism).metric("maximum") == 2
    dose.values[10, 20, 20] = np.inf
    with pytest.raises(ImagingError, match="a dose without numbers"):
        dose_volume_histogram(dose, prism)


def test_no_dose_at_all_is_a_histogram_at_zero() -> None:
    found = dose_volume_histogram(flat_dose(0.0), drawn([square(10, z=z) for z in range(-4, 5)]))
    assert [found.metric(name) for name in ("D95%", "mean", "maximum", "sd")] == [0, 0, 0, 0]
    assert (found.metric("V0Gy"), found.metric("V1Gy")) == (100, 0)
    with pytest.raises(ImagingError, match="no homogeneity"):
        found.metric("HI")


def test_the_order_of_slices_changes_nothing_and_that_of_dimensions_is_refused() -> None:
    dose = LinearDose(direction=(0.6, 0, 0.8)).volume(around(2), centre_mm=CENTRE)
    structure = drawn(BODIES["cone"].contours(slices()))
    one = dose_volume_histogram(dose, structure)
    other = dose_volume_histogram(dose.isel(z=slice(None, None, -1), x=slice(None, None, -1)), structure)
    assert other.histogram.volume_cc == pytest.approx(one.histogram.volume_cc, rel=1e-9)
    assert other.metric("D95%") == pytest.approx(one.metric("D95%"), abs=1e-6)
    turned = dose.transpose("x", "y", "z")
    for arguments in ((turned, structure), (dose, turned)):
        with pytest.raises(ImagingError, match="wanted dimensions z, y, x in this order"):
            dose_volume_histogram(*arguments)


def test_a_lazy_dose_and_one_of_single_precision_do_as_well() -> None:
    dose = LinearDose().volume(around(2), centre_mm=CENTRE)
    structure = drawn(BODIES["sphere"].contours(slices()))
    one = dose_volume_histogram(dose, structure)
    other = dose_volume_histogram(dose.astype(np.float32).chunk({"z": 5}), structure)
    assert other.metric("D95%") == pytest.approx(one.metric("D95%"), abs=1e-5)


def test_contours_far_apart_are_two_parts() -> None:
    """No image has slices so thick that planes 40 mm apart are neighbours, though there are no others."""
    tall = Grid.from_axes((100, 40, 40), spacing_mm=(1, 1, 1), origin_mm=(-19.5, -19.5, -49.5))
    dose = make_volume(np.full(tall.shape, 2.0), tall, name="dose", units="Gy")
    apart = drawn([square(10, z=-20), square(10, z=20)])
    found = dose_volume_histogram(dose, apart, thickness_mm=3)
    assert found.histogram.volume_cc == pytest.approx(0.6, rel=1e-3)
    assert found.notes == ("no contour between -20 and 20 mm: an end on both sides",)


def test_what_has_no_volume_or_too_much_is_refused() -> None:
    dose = flat_dose()
    with pytest.raises(ImagingError, match=r"a structure without a volume.*around an area"):
        dose_volume_histogram(dose, drawn([square(10, z=0), square(10, z=0)]))
    with pytest.raises(ImagingError, match=r'without a volume.*other end_caps than "none", got one plane'):
        dose_volume_histogram(dose, drawn([square(10, z=0)]), end_caps="none")
    with pytest.raises(ImagingError, match=r"a structure too large for its dose.*got 4 x 1e"):
        dose_volume_histogram(dose, drawn([square(1e9, z=z) for z in range(3)]))
    with pytest.raises(ImagingError, match=r"no thickness.*got nan"):
        dose_volume_histogram(dose, drawn([square(10, z=0)]), thickness_mm=float("nan"))


def test_other_things_and_other_frames_of_reference_are_refused() -> None:
    dose, prism = flat_dose(), drawn([square(10, z=z) for z in range(3)])
    with pytest.raises(ImagingError, match=r"not a dose; wanted a volume.*got ndarray"):
        dose_volume_histogram(dose.values, prism)
    with pytest.raises(ImagingError, match=r"not a structure; .*got str"):
        dose_volume_histogram(dose, "PTV")
    framed = dose.assign_attrs(frame_of_reference_uid="1.2")
    mask = dose.copy(data=np.ones(dose.shape)).assign_attrs(frame_of_reference_uid="1.3")
    there = Structure(name="target", number=1, contours=prism.contours, frame_of_reference_uid="1.3")
    for structure in (mask, there):
        with pytest.raises(ImagingError, match=r"two frames of reference; wanted 1\.2, got 1\.3"):
            dose_volume_histogram(framed, structure)


def test_threads_change_nothing() -> None:
    dose = LinearDose(direction=(0.6, 0, 0.8)).volume(around(1), centre_mm=CENTRE)
    structure = drawn(BODIES["sphere"].contours(slices()))
    one, other = (dose_volume_histogram(dose, structure).histogram for _ in range(2))
    np.testing.assert_array_equal(one.differential_cc, other.differential_cc)


@pytest.mark.parametrize(
    ("doses", "volumes", "got"),
    [
        ([0], [1], r"\(1,\) doses"),
        ([0, 1, 2], [1, 0], r"\(2,\) volumes"),
        ([0, np.nan], [1, 0], "not finite"),
        ([0, 0], [1, 0], "doses that do not rise"),
        ([0, 1], [0, 0], "no volume above 0"),
        ([0, 1, 2], [1, 5, 3], "volumes that rise: a differential histogram"),
    ],
)
def test_what_is_no_cumulative_curve_is_refused(doses, volumes, got) -> None:
    with pytest.raises(ImagingError, match=f"not a cumulative curve.*{got}"):
        from_cumulative(doses, volume_cc=volumes)


def test_metrics_read_the_curve_by_linear_interpolation() -> None:
    curve = from_cumulative([0, 1, 2, 3], volume_cc=[10, 8, 2, 0])
    assert curve.dose_at_percent([80, 50, 20]) == pytest.approx([1, 1.5, 2])
    assert curve.dose_at_cc(5) == pytest.approx(1.5)
    assert curve.volume_cc_at([0, 1.5, 2.5, 9]) == pytest.approx([10, 5, 1, 0])
    assert curve.metric("V1.5Gy[cc]") == pytest.approx(5)
    assert curve.mean_gy == pytest.approx((2 * 0.5 + 6 * 1.5 + 2 * 2.5) / 10)
    for name in ("D200cc", "D101%"):
        with pytest.raises(ImagingError, match="no such part"):
            curve.metric(name)
    for name in ("D20", "V20%", "V20cc", "mode", "gEUD", "D95Gy"):
        with pytest.raises(ImagingError, match=r"no such metric.*for example D95%"):
            curve.metric(name)


def test_the_histogram_goes_into_models_of_outcome() -> None:
    curve = from_cumulative([0, 1, 2, 3], volume_cc=[10, 8, 2, 0])
    assert curve.as_outcome().mean_gy == pytest.approx(curve.mean_gy)


def test_conformity() -> None:
    target = from_cumulative([0, 10, 20], volume_cc=[10, 10, 8])
    body = from_cumulative([0, 10, 20], volume_cc=[1000, 100, 16])
    found = conformity(target, body=body, prescription_gy=20)
    assert dict(found) == pytest.approx({"rtog": 1.6, "coverage": 0.8, "paddick": 64 / 160})
    with pytest.raises(ImagingError, match="an isodose without a volume"):
        conformity(target, body=body, prescription_gy=60)


def test_the_order_of_the_contours_and_their_winding_change_nothing() -> None:
    contours = BODIES["cone"].contours(slices(2))
    dose = LinearDose(direction=(0, 1.0, 0)).volume(around(2), centre_mm=CENTRE)
    one = dose_volume_histogram(dose, drawn(contours)).histogram
    other = dose_volume_histogram(dose, drawn([points[::-1] for points in contours[::-1]])).histogram
    assert other.volume_cc == pytest.approx(one.volume_cc, rel=1e-9)
    assert other.mean_gy == pytest.approx(one.mean_gy, rel=1e-9)


def test_what_bounds_no_volume_is_refused_with_the_reason() -> None:
    dose = flat_dose()
    with pytest.raises(ImagingError, match=r"a structure without a volume.*closed contours, got no contour"):
        dose_volume_histogram(dose, drawn([]))
    with pytest.raises(ImagingError, match="1 contours that are not closed left out"):
        dose_volume_histogram(dose, drawn([np.zeros((1, 3))], kind="POINT"))
    with pytest.raises(ImagingError, match="1 contours without an area left out"):
        dose_volume_histogram(dose, drawn([np.zeros((4, 3))]))
    tilted = np.add(square(10, z=0), [[0, 0, 0], [0, 0, 0], [0, 0, 4], [0, 0, 4]])
    with pytest.raises(ImagingError, match="do not lie on parallel planes") as caught:
        dose_volume_histogram(dose, drawn([square(20, z=-2), tilted, tilted + 3]))
    assert [issue.where for issue in caught.value.issues] == ["target, contour 2", "target, contour 3"]


def test_what_is_no_dose_no_mask_and_no_rule_is_refused() -> None:
    dose, prism = flat_dose(), drawn([square(10, z=z) for z in range(3)])
    with pytest.raises(ImagingError, match=r"not a dose in Gy.*got 1"):
        dose_volume_histogram(dose.assign_attrs(units="1"), prism)
    with pytest.raises(ImagingError, match="not a mask"):
        dose_volume_histogram(dose, dose)
    with pytest.raises(ImagingError, match="voxels above 0"):
        dose_volume_histogram(dose, dose.copy(data=np.zeros(dose.shape)))
    for wrong in ({"outside": "guess"}, {"end_caps": "round"}, {"between": "lines"}):
        with pytest.raises(ImagingError, match="no such rule"):
            dose_volume_histogram(dose, prism, **wrong)
    with pytest.raises(ImagingError, match="too many bins"):
        dose_volume_histogram(dose, prism, bin_gy=1e-9)
    with pytest.raises(ImagingError, match="not a width of bins"):
        dose_volume_histogram(dose, prism, bin_gy=-1)
    with pytest.raises(ImagingError, match=r"not a width of bins.*got x"):
        dose_volume_histogram(dose, prism, bin_gy="x")


def test_a_histogram_says_its_bins() -> None:
    found = dose_volume_histogram(flat_dose(2), drawn([square(10, z=z) for z in range(3)]), bin_gy=0.05)
    assert isinstance(found.histogram, Histogram)
    assert found.histogram.bin_gy == pytest.approx(0.05)
    doses, volumes = found.histogram.cumulative
    assert volumes[0] == found.histogram.volume_cc
    assert volumes[-1] == 0
    assert (np.diff(doses) >= 0).all()
    assert (np.diff(volumes) <= 0).all()


@pytest.mark.parametrize("spacing", [0.5, 1, 2])
def test_a_large_mask_is_compared_with_finer_samples_and_not_with_itself(spacing) -> None:
    body, dose = BODIES["sphere"], LinearDose(direction=(0.6, 0, 0.8)).volume(around(1), centre_mm=CENTRE)
    found = dose_volume_histogram(dose, body.mask(around(spacing, size=26, shift=0)))
    assert found.levels[0].factor == 1
    assert (np.diff([level.samples for level in found.levels]) > 0).all()
    assert found.native.volume_cc == pytest.approx(found.histogram.volume_cc, rel=1e-9)
