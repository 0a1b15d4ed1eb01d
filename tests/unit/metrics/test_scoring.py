"""Scores by id: kinds, cases, policies, spacings, and what is refused."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import braggbook.metrics as m
from braggbook.errors import DuplicateName, InputError, UnknownName
from braggbook.imaging import Grid, make_volume
from braggbook.metrics import EmptyPolicy
from braggbook.metrics.definitions import Option
from braggbook.metrics.mask_pair import MaskPair

SPACING = (3.0, 1.0, 0.5)
DIAGONAL = math.hypot(4 * 3, 5 * 1, 6 * 0.5)
EMPTY, FULL = np.zeros((4, 5, 6), bool), np.zeros((4, 5, 6), bool)
FULL[1:3, 1:4, 2:5] = True
HD95 = "hd95.voxel.directed_max.linear@1"


def test_the_door_offers_what_it_lists() -> None:
    assert [name for name in m.__all__ if getattr(m, name) is None] == []
    assert dir(m) == sorted(m.__all__)
    assert {*m._HOMES, *m._ROOMS} == set(m.__all__)
    with pytest.raises(AttributeError, match="no attribute 'dise'"):
        m.dise  # noqa: B018 - looking is the test


def test_numbers_need_neither_images_nor_statistics() -> None:
    code = (
        "import sys, braggbook.metrics as m\n"
        "assert m.score('absolute_error@1', reference=2.0, estimate=2.5) == 0.5\n"
        "heavy = {'numba', 'skimage', 'xarray', 'pandas', 'pydicom', 'scipy.stats', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"did you mean hd95\.voxel\.directed_max\.linear@1"):
        m.score("hd95.voxel.directed_max.linear", FULL, FULL, spacing_mm=SPACING)
    with pytest.raises(UnknownName, match="next: braggbook list metric"):
        m.definition("hd")


def test_two_metrics_of_one_id_are_refused() -> None:
    with pytest.raises(DuplicateName, match=r"braggbook\.metrics\.segmentation"):
        m.define("dice@1", says="", kind="masks", unit="1", better="larger", bounds=(0.0, 1.0), source="")(len)


def test_ids_by_kind() -> None:
    assert m.ids() == sorted(m.ids())
    assert {m.definition(id).kind for id in m.ids("intervals")} == {"intervals"}
    assert {"interval_score@1", "coverage@1"} <= set(m.ids("intervals"))


# what the kinds take


def test_numbers_and_intervals_of_one_case() -> None:
    assert m.score("signed_error@1", 2.0, np.float32(1.5)) == -0.5
    assert m.score("interval_score@1", 2.0, (1.5, 1.75), confidence=0.9) == pytest.approx(0.25 + 20 * 0.25)
    assert m.score("relative_error@1", 0.0, 1.0) is None


def test_all_cases_together() -> None:
    true, low, high = [1.0, 2.0, 3.0, 4.0], [0.5, 2.5, 2.5, 3.5], [1.5, 3.0, 3.5, 4.5]
    assert m.score("coverage@1", true, (low, high), confidence=0.95) == 0.75
    assert m.score("coverage_error@1", true, (low, high), confidence=0.95) == pytest.approx(0.2)
    assert m.score("accuracy@1", ["a", "b"], ["a", "c"]) == 0.5


def test_lists_with_keys_are_put_into_one_order() -> None:
    truth = pd.DataFrame({"case": ["a", "b", "c"], "dose": [1.0, 2.0, 3.0]}).set_index("case")
    said = pd.DataFrame({"case": ["c", "a", "b"], "low": [2.0, 0.0, 3.0], "high": [4.0, 2.0, 4.0]}).set_index("case")
    assert m.score("coverage@1", truth.dose, (said.low, said.high), confidence=0.95) == pytest.approx(2 / 3)
    by_case = m.score_cases("interval_score@1", truth.dose, (said.low, said.high), confidence=0.5)
    assert by_case == {"a": 2.0, "b": 1.0 + 4 * 1.0, "c": 2.0}
    assert m.score_cases("absolute_error@1", {"a": 1.0, "b": 2.0}, {"b": 2.5, "a": 1.0}) == {"a": 0.0, "b": 0.5}


@pytest.mark.parametrize(
    ("reference", "estimate", "message"),
    [
        ({"a": 1.0, "b": 2.0}, {"a": 1.0}, r"estimate: cases that are missing; got 1: b"),
        ({"a": 1.0}, {"a": 1.0, "z": 2.0}, r"estimate: cases that are not known; got 1: z"),
        (pd.Series([1.0, 2.0], index=["a", "a"]), {"a": 1.0}, r"reference: cases that are there twice; got 1"),
        ({"a": 1.0}, [1.0], r"estimate: a list without cases"),
        ([1.0], [1.0], r"no cases"),
    ],
)
def test_cases_must_be_the_same(reference, estimate, message) -> None:
    with pytest.raises(InputError, match=message):
        m.score_cases("absolute_error@1", reference, estimate)


def test_a_metric_of_all_cases_has_no_score_for_each() -> None:
    with pytest.raises(InputError, match="a metric of all cases together"):
        m.score_cases("mean_absolute_error@1", {"a": 1.0}, {"a": 1.0})


@pytest.mark.parametrize("estimate", [[1.0, 2.0], np.array([1.0, 2.0]), (1.0,), (1.0, 2.0, 3.0), 1.0, "ab"])
def test_an_interval_is_a_tuple_of_two(estimate) -> None:
    with pytest.raises(InputError, match="not an interval"):
        m.score("interval_score@1", 2.0, estimate, confidence=0.9)


def test_numbers_that_leave_all_bounds_are_no_score() -> None:
    with pytest.raises(InputError, match=r"case c9(.|\n)*too large"):
        m.score("squared_error@1", 1e300, -1e300, case="c9")


@settings(max_examples=200)
@given(st.lists(st.tuples(*[st.floats()] * 3), min_size=1, max_size=6))
def test_whatever_the_numbers_there_is_a_score_or_an_error(rows) -> None:
    true, first, second = (list(column) for column in zip(*rows, strict=True))
    said = (
        [min(pair) for pair in zip(first, second, strict=True)],
        [max(pair) for pair in zip(first, second, strict=True)],
    )
    for id in (*m.ids("numbers"), *m.ids("intervals")):
        metric = m.definition(id)
        options = {option.name: option.example for option in metric.options}
        estimate = said if metric.kind == "intervals" else first
        of_one = (true[0], tuple(part[0] for part in said) if metric.kind == "intervals" else first[0])
        given = of_one if metric.scope == "case" else (true, estimate)
        try:
            found = m.score(id, *given, case="c1", **options)
        except InputError as error:
            found = None if "c1" in str(error) else math.nan
        assert found is None or math.isfinite(found)


# empty masks


@pytest.mark.parametrize("id", [HD95, "hd.surfel@1", "assd.voxel@1", "masd.surfel@1"])
def test_the_worst_distance_is_the_diagonal(id) -> None:
    assert m.score(id, FULL, EMPTY, spacing_mm=SPACING) == pytest.approx(DIAGONAL)
    assert m.score(id, EMPTY, FULL, spacing_mm=SPACING) == pytest.approx(DIAGONAL)
    assert m.score(id, EMPTY, EMPTY, spacing_mm=SPACING) == 0


def test_overlap_with_nothing() -> None:
    for id in ("dice@1", "iou@1", "boundary_iou.voxel@1", "cldice.voxel@1"):
        assert [m.score(id, *pair) for pair in ((FULL, EMPTY), (EMPTY, FULL), (EMPTY, EMPTY))] == [0, 0, 1]


def test_a_volume_difference_has_a_value_where_a_mask_is_empty() -> None:
    volume = 18 * 1.5 / 1000
    pairs = (FULL, EMPTY), (EMPTY, FULL), (EMPTY, EMPTY)
    found = [m.score("volume_difference_cc@1", *pair, spacing_mm=SPACING) for pair in pairs]
    assert found == pytest.approx([volume, volume, 0])
    assert [m.score("relative_volume_difference@1", *pair) for pair in pairs] == [1, None, None]


def test_a_policy_may_be_a_number_or_none_at_all() -> None:
    policy = EmptyPolicy(both="not_applicable", only_reference=99.5, only_estimate="perfect")
    found = [
        m.score(HD95, *pair, spacing_mm=SPACING, empty=policy)
        for pair in ((EMPTY, EMPTY), (EMPTY, FULL), (FULL, EMPTY))
    ]
    assert found == [None, 99.5, 0]


def test_a_policy_is_checked_before_anything_is_scored() -> None:
    with pytest.raises(InputError, match=r"empty\.both: not a policy(.|\n)*empty\.only_estimate: not a policy"):
        EmptyPolicy(both="zero", only_estimate=float("nan"))
    with pytest.raises(InputError, match=r"empty\.both: the metric has no value there"):
        m.score(HD95, FULL, FULL, spacing_mm=SPACING, empty=EmptyPolicy(both="value"))
    with pytest.raises(InputError, match=r"empty\.only_reference: the metric has no worst value"):
        m.score("relative_volume_difference@1", FULL, FULL, empty=EmptyPolicy())
    with pytest.raises(InputError, match="only masks can be empty"):
        m.score("absolute_error@1", 1.0, 2.0, empty=EmptyPolicy())


@settings(max_examples=40)
@given(arrays(np.bool_, (3, 4, 4)), arrays(np.bool_, (3, 4, 4)))
def test_whatever_the_masks_there_is_a_score(reference, estimate) -> None:
    options = {id: {option.name: option.example for option in m.definition(id).options} for id in m.ids("masks")}
    found = m.scores(options, reference, estimate, spacing_mm=SPACING)
    assert list(found) == list(options)
    for id, value in found.items():
        metric = m.definition(id)
        if value is None:
            assert id == "relative_volume_difference@1"
            assert not reference.any()
            continue
        worst = metric.worst_for(options[id], shape=reference.shape, spacing_mm=SPACING)
        assert math.isfinite(value)
        assert worst is None or metric.loss(value, options[id]) <= metric.loss(worst, options[id]) + 1e-9
        assert value == m.score(id, reference, estimate, spacing_mm=SPACING, **options[id])


# spacing


def volume(mask: np.ndarray, spacing=SPACING):
    return make_volume(mask, Grid.from_axes(mask.shape, spacing_mm=spacing), name="mask", units="1")


def test_a_volume_knows_its_spacing() -> None:
    moved = np.roll(FULL, 1, axis=0)
    wanted = m.score("hd.voxel@1", FULL, moved, spacing_mm=SPACING)
    assert wanted == 3
    assert m.score("hd.voxel@1", volume(FULL), volume(moved)) == wanted
    assert m.score("hd.voxel@1", volume(FULL), moved) == wanted
    assert m.score("hd.voxel@1", volume(FULL), moved, spacing_mm=SPACING) == wanted
    assert m.volume_difference_cc(volume(FULL), EMPTY) == pytest.approx(-18 * 1.5 / 1000)
    assert m.surface_distances(volume(FULL), volume(moved)).hausdorff_mm() == wanted


def test_what_xarray_took_the_affine_from_is_still_placed() -> None:
    whole = volume(FULL)
    bare = volume(np.roll(FULL, 1, axis=0)).drop_attrs()
    assert m.score("hd.voxel@1", whole, bare) == m.score("hd.voxel@1", bare, whole) == 3
    with pytest.raises(InputError, match="spacing_mm: no spacing"):
        m.score("hd.voxel@1", bare, bare)
    for other in (bare.assign_coords(z=bare.z + 3), bare.rename(z="y", y="z")):
        with pytest.raises(InputError, match="estimate: voxels at other places"):
            m.score("dice@1", whole, other)


def test_so_does_a_plane_of_one() -> None:
    whole, moved = volume(FULL), volume(np.roll(FULL, 1, axis=2))
    assert m.score("hd.voxel@1", whole.isel(z=1), moved.isel(z=1)) == 0.5
    turned = volume(np.roll(FULL, 1, axis=0))
    assert m.score("hd.voxel@1", whole.isel(y=2), turned.isel(y=2)) == 3.0
    assert m.score("hd.voxel@1", whole.isel(x=slice(None, None, 2)), turned.isel(x=slice(None, None, 2))) == 3.0


@pytest.mark.parametrize(
    ("reference", "estimate", "spacing", "message"),
    [
        (FULL, FULL, None, "spacing_mm: no spacing; wanted 3 numbers in mm"),
        (FULL, FULL, (1, 1), "spacing_mm: not a spacing"),
        (FULL, FULL, (1, 1, float("nan")), "spacing_mm: not a spacing"),
        (volume(FULL), volume(FULL), (1, 1, 3), r"spacing_mm: not the masks' own; wanted \[3.0, 1.0, 0.5\]"),
        (volume(FULL), volume(FULL, (3, 1, 1)), None, "estimate: voxels at other places"),
        (volume(FULL), volume(FULL[:3]), None, "estimate: of another shape"),
        (volume(FULL).drop_vars("z"), volume(FULL), None, "reference: not a volume"),
    ],
)
def test_spacings_that_cannot_be_are_refused(reference, estimate, spacing, message) -> None:
    with pytest.raises(InputError, match=message):
        m.score("hd.voxel@1", reference, estimate, spacing_mm=spacing)


def test_a_skewed_grid_has_no_spacing() -> None:
    affine = np.eye(4)
    affine[0, 1] = 0.2
    leaning = make_volume(FULL, Grid(FULL.shape, affine), name="mask", units="1")
    with pytest.raises(InputError, match="not at right angles"):
        m.score("hd.voxel@1", leaning, leaning)


def test_only_masks_have_a_spacing() -> None:
    with pytest.raises(InputError, match="only masks have a spacing"):
        m.score("absolute_error@1", 1.0, 2.0, spacing_mm=(1, 1, 1))


# several at once


def test_several_metrics_find_surfaces_once() -> None:
    moved = np.roll(FULL, 1, axis=1)
    wanted = {"hd.voxel@1": {}, HD95: {}, "nsd.voxel@1": {"tolerance_mm": 1.0}, "nsd.surfel@1": {"tolerance_mm": 1.0}}
    found = m.scores(wanted, FULL, moved, spacing_mm=SPACING)
    assert found == {id: m.score(id, FULL, moved, spacing_mm=SPACING, **wanted[id]) for id in wanted}
    pair = MaskPair.of(FULL, moved, SPACING)
    assert pair.distances("voxel") is pair.distances("voxel")
    assert pair.distances("voxel") is not pair.distances("surfel")


def test_several_metrics_are_of_one_kind() -> None:
    with pytest.raises(InputError, match="metrics of several kinds"):
        m.scores(["dice@1", "absolute_error@1"], FULL, FULL)
    with pytest.raises(InputError, match="policies for metrics that are not asked for"):
        m.scores(["dice@1"], FULL, FULL, empty={"iou@1": EmptyPolicy()})
    assert m.scores([], FULL, FULL) == {}


# what a definition says


def test_units_follow_the_data() -> None:
    assert m.definition("absolute_error@1").unit_for("Gy") == "Gy"
    assert m.definition("squared_error@1").unit_for("Gy") == "Gy2"
    assert m.definition("squared_error@1").unit_for("keV/um") == "keV/um*keV/um"
    assert m.definition("hd.voxel@1").unit_for("Gy") == "mm"


def test_a_target_is_approached_from_both_sides() -> None:
    coverage, options = m.definition("coverage@1"), {"confidence": 0.9}
    assert coverage.loss(0.85, options) == pytest.approx(coverage.loss(0.95, options))
    assert (coverage.perfect_for(options), coverage.worst_for(options)) == (0.9, 0.0)
    assert coverage.worst_for({"confidence": 0.25}) == 1.0


def test_a_worst_value_that_depends_on_a_grid_needs_one() -> None:
    with pytest.raises(InputError, match="depends on the grid"):
        m.definition("hd.voxel@1").worst_for({})
    image = m.definition("volume_difference_cc@1").worst_for({}, shape=(10, 10, 10), spacing_mm=(1, 2, 5))
    assert image == pytest.approx(10)


def test_options_say_what_they_take() -> None:
    assert Option("part", "", 0.5, above=0, most=1).range_text() == "above 0 and at most 1"
    assert Option("point", "", "D95%").range_text() == "a name"
    metric = m.definition("nsd.voxel@1")
    assert [str(issue) for issue in metric.issues({"tolerance": 1})] == [
        "tolerance_mm: missing; wanted distance in mm that counts as none",
        "tolerance: no such option; wanted tolerance_mm",
    ]


def test_probabilities_by_a_named_label() -> None:
    found = m.score("roc_auc@1", ["dicentric", "normal", "normal"], [0.75, 0.5, 0.8], positive="dicentric")
    assert found == 0.5
    assert m.score("roc_auc@1", ["normal", "normal"], [0.5, 0.8], positive="dicentric") is None
