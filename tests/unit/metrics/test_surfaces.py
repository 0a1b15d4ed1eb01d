"""Surface metrics against published values: surface-distance's, MetricsReloaded's and MONAI's own tests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from braggbook.errors import InputError, NoValue
from braggbook.metrics.overlap import count_voxels, dice, iou, relative_volume_difference, volume_difference_cc
from braggbook.metrics.surfaces import border_voxels, surface_distances

DIGITS = 1e-6  # relative: sources print seven digits or more


def mask(shape, *boxes):
    made = np.zeros(shape, bool)
    for box in boxes:
        made[tuple(slice(*part) if isinstance(part, tuple) else part for part in box)] = True
    return made


S1 = mask((128, 128), (50, 70)), mask((128, 128), (50, 72)), (2, 1)
S2 = mask((6, 6), ((1, 3), (1, 3))), mask((6, 6), ((1, 4), (1, 3))), (2, 1)
S3 = mask((100, 100, 100), (50, 60, 70)), mask((100, 100, 100), (50, 60, 72)), (3, 2, 1)
S4 = mask((100, 100, 100), ((0, 50),)), mask((100, 100, 100), ((0, 51),)), (2, 1, 1)
S9 = mask((14, 14), ((5, 9), (5, 9))), mask((14, 14), ((6, 8), (6, 8))), (1, 1)
S10 = S9[0], mask((14, 14), ((4, 10), (4, 10))), (1, 1)
S11 = mask((14, 14), (1, 1), ((9, 12), (9, 12))), mask((14, 14), ((9, 12), (9, 12))), (1, 1)
S12 = (
    mask((11, 11), ((3, 8), (3, 8))),
    mask((11, 11), ((3, 8), (3, 8)), (5, (1, 10)), ((1, 10), 5)),
    (1, 1),
)


def measured(case, border):
    reference, estimate, spacing = case
    found = surface_distances(reference, estimate, spacing_mm=spacing, border=border)
    return {
        "hd": found.hausdorff_mm(),
        "hd95": found.quantile_mm(0.95),
        "asd": found.averages_mm(),
        "assd": found.assd_mm(),
        "masd": found.masd_mm(),
        "overlap": found.overlaps(1),
        "nsd": found.nsd(1),
        "nsd2": found.nsd(2),
    }


@pytest.mark.parametrize(
    ("case", "border", "wanted"),
    [
        (S1, "surfel", {"asd": (1.5, 1.5), "hd": 2, "hd95": 2, "overlap": (0.5, 0.5), "nsd": 0.5}),
        (S1, "voxel", {"hd": 2, "assd": 2, "nsd": 0}),
        (
            S2,
            "surfel",
            {
                "asd": (0.0954915028, 0.4472135955),
                "hd": 2,
                "hd95": 2,
                "overlap": (1, 0.7763932023),
                "nsd": 0.8702680924,
            },
        ),
        (S2, "voxel", {"assd": 0.4, "masd": 0.3333333333, "nsd": 0.8}),
        (S3, "surfel", {"asd": (1.5, 1.5), "hd": 2, "hd95": 2, "overlap": (0.5, 0.5), "nsd": 0.5}),
        (
            S4,
            "surfel",
            {
                "asd": (0.3224470, 0.3393962),
                "hd": 2,
                "hd95": 2,
                "overlap": (0.8420663, 0.8303018),
                "nsd": 0.8361450,
            },
        ),
        (S4, "voxel", {"assd": 0.4950772, "nsd": 0.7549354}),
        (S9, "voxel", {"hd": 1.4142136, "assd": 1.1035534, "masd": 1.0690356, "nsd": 0.75}),
        (S9, "surfel", {"asd": (1.0790086, 1), "nsd": 0.8693981}),
        (S10, "voxel", {"hd": 1.4142136, "assd": 1.0517767, "masd": 1.0414214, "nsd": 0.875}),
        (S10, "surfel", {"nsd": 0.9248894}),
        (S11, "voxel", {"hd": 11.3137085, "hd95": 6.7882251, "assd": 0.6655123, "nsd": 0.9411765}),
        (S11, "surfel", {"hd": 11.3137085, "hd95": 11.3137085, "nsd": 0.8844846}),
        (S12, "voxel", {"hd": 2, "assd": 0.4444444, "masd": 0.425, "nsd": 0.8888889, "nsd2": 1}),
    ],
)
def test_published_values(case, border, wanted) -> None:
    found = measured(case, border)
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=DIGITS), name


def test_one_name_three_numbers() -> None:
    reference, estimate, spacing = S11
    voxel = surface_distances(reference, estimate, spacing_mm=spacing)
    surfel = surface_distances(reference, estimate, spacing_mm=spacing, border="surfel")
    assert voxel.quantile_mm(0.95, rule="pooled") == pytest.approx(2.2627417)
    assert voxel.quantile_mm(0.95) == pytest.approx(6.7882251)
    assert surfel.quantile_mm(0.95) == pytest.approx(11.3137085)


@pytest.mark.parametrize(
    ("case", "value"),
    [(S1, 0), (S2, 0.8), (S3, 0), (S4, 0.990099), (S9, 0.4), (S10, 0.6153846), (S11, 0.9473684), (S12, 0.862069)],
)
def test_dice(case, value) -> None:
    assert dice(case[0], case[1]) == pytest.approx(value, rel=DIGITS)


def test_elements_of_single_pixels() -> None:
    """S1: four elements each, half a diagonal long."""
    reference, estimate, spacing = S1
    found = surface_distances(reference, estimate, spacing_mm=spacing, border="surfel")
    for distances in (found.of_reference_mm, found.of_estimate_mm):
        assert distances.tolist() == [1, 1, 2, 2]
    for weights in (found.reference_weights, found.estimate_weights):
        assert weights == pytest.approx([1.118034] * 4, rel=DIGITS)


@pytest.mark.parametrize("border", ["voxel", "surfel"])
def test_what_is_at_a_tolerance_is_within_it_wherever_it_is(border) -> None:
    """Two voxels of 0.9 mm are 1.8 mm, though 46.8 - 45.0 is less and 3.6 - 1.8 is not."""
    for start in range(1, 60):
        reference, estimate = mask((70, 3), (start, 1)), mask((70, 3), (start + 2, 1))
        found = surface_distances(reference, estimate, spacing_mm=(0.9, 1), border=border)
        assert found.hausdorff_mm() == 1.8
        assert found.nsd(1.8) == 1


def test_counts_and_what_follows_from_them() -> None:
    more = count_voxels(S10[0], S10[1])
    assert (more.both, more.only_estimate, more.only_reference, more.neither) == (16, 20, 0, 160)
    counts = count_voxels(S9[0], S9[1])
    assert (counts.both, counts.only_estimate, counts.only_reference, counts.neither) == (4, 0, 12, 180)
    assert iou(S12[0], S12[1]) == pytest.approx(0.7575758, rel=DIGITS)
    assert volume_difference_cc(S4[0], S4[1], spacing_mm=(2, 1, 1)) == pytest.approx(20)
    assert relative_volume_difference(S4[0], S4[1]) == pytest.approx(0.02)


@pytest.mark.parametrize("border", ["voxel", "surfel"])
@pytest.mark.parametrize(("reference", "estimate"), [(False, True), (True, False), (False, False)])
def test_there_is_no_distance_to_nothing(border, reference, estimate) -> None:
    full, empty = mask((4, 4), (1, 1)), mask((4, 4))
    with pytest.raises(NoValue, match="there is no distance to nothing"):
        surface_distances(full if reference else empty, full if estimate else empty, spacing_mm=(1, 1), border=border)


def test_two_empty_masks_have_no_overlap() -> None:
    with pytest.raises(NoValue):
        dice(mask((3, 3)), mask((3, 3)))


def test_all_that_is_wrong_is_said() -> None:
    with pytest.raises(InputError) as caught:
        surface_distances(np.full((3, 3), 2), np.ones((3, 4), bool), spacing_mm=(1, 0))
    assert [issue.where for issue in caught.value.issues] == ["reference", "estimate", "spacing_mm"]


masks = arrays(np.bool_, (4, 5, 6)).filter(np.any)


@settings(max_examples=60)
@given(masks, masks, st.sampled_from(["voxel", "surfel"]))
def test_what_holds_for_all_masks(reference, estimate, border) -> None:
    spacing = (3.0, 1.0, 0.5)
    found = surface_distances(reference, estimate, spacing_mm=spacing, border=border)
    turned = surface_distances(estimate, reference, spacing_mm=spacing, border=border)
    larger = surface_distances(reference, estimate, spacing_mm=np.multiply(spacing, 2), border=border)
    same = surface_distances(reference, reference, spacing_mm=spacing, border=border)
    assert (same.hausdorff_mm(), same.assd_mm(), same.nsd(0)) == (0, 0, 1)
    assert found.hausdorff_mm() == turned.hausdorff_mm()
    assert found.assd_mm() == pytest.approx(turned.assd_mm())
    assert larger.hausdorff_mm() == pytest.approx(2 * found.hausdorff_mm())
    assert found.quantile_mm(0.95) <= found.hausdorff_mm()
    assert found.nsd(0.5) <= found.nsd(1) <= found.nsd(4)


@settings(max_examples=30)
@given(arrays(np.bool_, (7, 9)).filter(np.any), arrays(np.bool_, (7, 9)).filter(np.any), st.floats(0.1, 10))
def test_what_holds_for_all_planes(reference, estimate, scale) -> None:
    for border in ("voxel", "surfel"):
        found = surface_distances(reference, estimate, spacing_mm=(2.0, 0.7), border=border)
        scaled = surface_distances(reference, estimate, spacing_mm=(2.0 * scale, 0.7 * scale), border=border)
        for name in ("hausdorff_mm", "assd_mm", "masd_mm"):
            assert getattr(scaled, name)() == pytest.approx(scale * getattr(found, name)())
        parts = [found.quantile_mm(part) for part in (0.0, 0.5, 0.95, 1.0)]
        assert parts == sorted(parts)
        assert parts[-1] == found.hausdorff_mm()
        assert dice(reference, reference) == iou(reference, reference) == 1


@pytest.mark.parametrize("spacing", [(1, 1, 1), (2.5, 0.9, 0.9), (0.01, 1, 100), (3, 1), (1e-3, 1e3)])
@pytest.mark.parametrize("filled", [0.002, 0.05, 0.6])
def test_distances_are_the_smallest_of_all(spacing, filled) -> None:
    """Near ones and far ones, beside a loop over all pairs."""
    random = np.random.default_rng(5)
    shape = (17, 19, 23) if len(spacing) == 3 else (60, 70)
    reference, estimate = (random.random(shape) < filled for _ in range(2))
    reference[0, 0], estimate[-1, -1] = True, True
    found = surface_distances(reference, estimate, spacing_mm=spacing)
    ours, theirs = (np.argwhere(border_voxels(mask)) * spacing for mask in (reference, estimate))
    pairs = cdist(ours, theirs)
    assert found.of_reference_mm == pytest.approx(np.sort(pairs.min(axis=1)), rel=1e-9, abs=1e-12)
    assert found.of_estimate_mm == pytest.approx(np.sort(pairs.min(axis=0)), rel=1e-9, abs=1e-12)


@settings(max_examples=30)
@given(masks, masks)
def test_background_around_changes_no_surfel(reference, estimate) -> None:
    one = surface_distances(reference, estimate, spacing_mm=(1, 1, 1), border="surfel")
    other = surface_distances(np.pad(reference, 2), np.pad(estimate, 2), spacing_mm=(1, 1, 1), border="surfel")
    for name in ("of_reference_mm", "of_estimate_mm", "reference_weights", "estimate_weights"):
        assert (getattr(one, name) == getattr(other, name)).all()
