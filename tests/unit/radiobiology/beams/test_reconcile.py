"""Several codes at the same depth: faults that were put in on purpose must be found, named and explained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ScienceError, UnitError, UnknownName
from braggbook.radiobiology.beams import (
    DepthCurve,
    bortfeld_dose,
    depth_curves,
    distal_depth,
    reconcile,
    wilkens_let,
)
from braggbook.radiobiology.io import read_let_benchmark

DEPTH = np.arange(0.5, 180.0, 1.0)
DOSE = bortfeld_dose(DEPTH, energy_mev=150.0, energy_spread_mev=1.5, fluence_per_cm2=1e9)
LET = wilkens_let(DEPTH[:160], average="dose-averaged", energy_mev=150.0, energy_spread_mev=1.5)
KIND = {
    "quantity": "dose",
    "averaging": "not applicable",
    "particles": "all particles",
    "medium": "water",
    "normalisation": "per primary",
    "frame": "beam",
}
LET_KIND = KIND | {
    "quantity": "LET",
    "averaging": "dose-averaged",
    "particles": "all protons",
    "normalisation": "not applicable",
}


def dose_curve(code: str, value: np.ndarray = DOSE, depth: np.ndarray = DEPTH, **change: object) -> DepthCurve:
    arguments = {"units": "Gy", **KIND, **change}
    return DepthCurve(code, depth, value, **arguments)  # type: ignore[arg-type]


def let_curve(code: str, value: np.ndarray = LET, depth: np.ndarray = DEPTH[:160], **change: object) -> DepthCurve:
    arguments = {"units": "keV/um", **LET_KIND, **change}
    return DepthCurve(code, depth, value, **arguments)  # type: ignore[arg-type]


def noisy(seed: int, size: float = 0.005) -> np.ndarray:
    return DOSE * (1 + size * np.random.default_rng(seed).standard_normal(len(DOSE)))


def shifted(by: float) -> np.ndarray:
    return np.asarray(np.interp(DEPTH - by, DEPTH, DOSE, right=0.0))


class TestOutliers:
    def test_codes_that_agree_have_none(self) -> None:
        found = reconcile([dose_curve(name, noisy(seed)) for seed, name in enumerate("abcde")])
        assert found.outliers == ()
        assert found.codes["distance"].max() < 0.01
        assert found.warnings == ("no uncertainty stated by a, b, c, d, e",)

    @pytest.mark.parametrize("count", [2, 3])
    def test_codes_that_are_identical_are_no_multiple_of_each_other(self, count: int) -> None:
        found = reconcile([dose_curve(name) for name in "abc"[:count]])
        assert found.outliers == ()
        assert found.codes["distance"].tolist() == [0.0] * count
        assert found.codes["ratio"].isna().all()

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_a_curve_of_zeros_is_the_outlier_among_three(self, place: int) -> None:
        curves = [dose_curve(name, noisy(seed)) for seed, name in enumerate("ab")]
        curves.insert(place, dose_curve("nothing", 0.0 * DOSE))
        (outlier,) = reconcile(curves).outliers
        assert (outlier.code, outlier.reason) == ("nothing", "it has no value above 0 to compare")

    @pytest.mark.parametrize("count", [1, 3])
    def test_depths_in_cm_are_suspected(self, count: int) -> None:
        curves = [dose_curve(name, noisy(seed)) for seed, name in enumerate("abc"[:count])]
        found = reconcile([*curves, dose_curve("short", depth=DEPTH / 10)])
        assert "short: its depths span 17.9 mm, those of the others 179 mm; are they in cm?" in found.warnings
        alone = reconcile([*curves, dose_curve("half", DOSE[:90], DEPTH[:90])])
        assert not [text for text in alone.warnings if "cm?" in text]

    def test_a_shift_is_found_and_measured(self) -> None:
        curves = [dose_curve(name, noisy(seed)) for seed, name in enumerate("abcd")]
        (outlier,) = reconcile([*curves, dose_curve("late", shifted(2.5))]).outliers
        assert outlier.code == "late"
        assert outlier.difference.shift_mm == pytest.approx(2.5, abs=0.2)
        assert outlier.reason.startswith("it lies 2.")
        assert "mm deeper than the others; moved back" in outlier.reason

    @pytest.mark.parametrize(("factor", "hint"), [(100.0, "cGy read as Gy"), (0.001, "GeV as MeV"), (1.25, "")])
    def test_a_factor_is_found_and_named(self, factor: float, hint: str) -> None:
        curves = [dose_curve(name, noisy(seed)) for seed, name in enumerate("abc")]
        (outlier,) = reconcile([dose_curve("odd", factor * noisy(9)), *curves]).outliers
        assert outlier.code == "odd"
        assert outlier.difference.factor == pytest.approx(factor, rel=0.01)
        assert f"{outlier.difference.factor:.4g} times the others" in outlier.reason
        assert hint in outlier.reason
        assert ("?" in outlier.reason) == bool(hint)

    def test_let_in_the_wrong_unit_is_a_factor_of_ten(self) -> None:
        curves = [let_curve(name, LET * level) for name, level in (("a", 1.0), ("b", 1.02), ("c", 0.99))]
        found = reconcile([*curves, let_curve("tenfold", 10 * LET)])
        (outlier,) = found.outliers
        assert outlier.code == "tenfold"
        assert "MeV/cm read as keV/um?" in outlier.reason
        assert any("tenfold: up to" in warning for warning in found.warnings)

    def test_another_shape_is_called_one(self) -> None:
        bent = DOSE * (1 + 0.3 * np.sin(DEPTH / 12))
        curves = [dose_curve(name, noisy(seed)) for seed, name in enumerate("abcd")]
        (outlier,) = reconcile([*curves, dose_curve("bent", bent)]).outliers
        assert outlier.reason.startswith("it has another shape, which neither a factor nor a shift in depth explains")

    def test_two_outliers_are_both_named_the_furthest_first(self) -> None:
        curves = [dose_curve(name, noisy(seed)) for seed, name in enumerate("abcd")]
        found = reconcile([*curves, dose_curve("half", 0.5 * noisy(8)), dose_curve("tenth", 0.1 * noisy(7))])
        assert [outlier.code for outlier in found.outliers] == ["tenth", "half"]
        assert list(found.codes.set_index("code")["outlier"]) == [False] * 4 + [True, True]

    def test_of_two_codes_neither_is_the_outlier(self) -> None:
        found = reconcile([dose_curve("a"), dose_curve("b", 3 * DOSE)])
        assert found.outliers == ()
        assert "two codes: they can differ, but neither can be called the outlier" in found.warnings

    def test_a_general_disagreement_has_no_outlier(self) -> None:
        levels = {"a": 0.8, "b": 0.93, "c": 1.08, "d": 1.25}
        assert reconcile([dose_curve(code, level * DOSE) for code, level in levels.items()]).outliers == ()

    def test_an_empty_curve_is_an_outlier_without_numbers(self) -> None:
        curves = [dose_curve(name, noisy(seed)) for seed, name in enumerate("abc")]
        (outlier,) = reconcile([*curves, dose_curve("empty", np.zeros_like(DOSE))]).outliers
        assert (outlier.code, outlier.reason) == ("empty", "it has no value above 0 to compare")

    @given(st.permutations(["a", "b", "c", "late"]))
    def test_the_order_of_the_curves_does_not_matter(self, order: list[str]) -> None:
        values = {"a": noisy(0), "b": noisy(1), "c": noisy(2), "late": shifted(3.0)}
        (outlier,) = reconcile([dose_curve(code, values[code]) for code in order]).outliers
        assert outlier.code == "late"


class TestConsensus:
    def test_it_is_the_median_and_the_spread_a_standard_deviation(self) -> None:
        levels = [0.9, 1.0, 1.2]
        found = reconcile([dose_curve(str(level), level * DOSE) for level in levels])
        assert found.curves["consensus"].to_numpy() == pytest.approx(DOSE)
        assert found.curves["spread"].to_numpy() == pytest.approx(1.4826022 * 0.1 * DOSE)
        assert found.deviations["1.2"].to_numpy() == pytest.approx(np.full(len(DOSE), 0.2))

    def test_one_wild_code_does_not_move_it(self) -> None:
        curves = [dose_curve(name) for name in "abcd"]
        found = reconcile([*curves, dose_curve("wild", 1000 * DOSE)])
        assert found.curves["consensus"].to_numpy() == pytest.approx(DOSE)

    def test_resampling_keeps_the_integral(self) -> None:
        fine = np.arange(0.05, 180.0, 0.1)
        fine_dose = bortfeld_dose(fine, energy_mev=150.0, energy_spread_mev=1.5, fluence_per_cm2=1e9)
        uneven = np.cumsum(np.random.default_rng(3).uniform(0.2, 1.9, 170))
        uneven_dose = bortfeld_dose(uneven, energy_mev=150.0, energy_spread_mev=1.5, fluence_per_cm2=1e9)
        found = reconcile([dose_curve("fine", fine_dose, fine), dose_curve("uneven", uneven_dose, uneven)], step_mm=2.0)
        assert np.diff(found.depth_mm) == pytest.approx(np.full(len(found.depth_mm) - 1, 2.0))
        edges = found.depth_mm[0] - 1, found.depth_mm[-1] + 1
        inside = (fine > edges[0]) & (fine < edges[1])
        assert 2.0 * found.curves["fine"].sum() == pytest.approx(0.1 * fine_dose[inside].sum(), rel=2e-3)

    def test_means_are_interpolated_not_integrated(self) -> None:
        line = 1.0 + 0.01 * DEPTH
        found = reconcile([let_curve("a", line, DEPTH), let_curve("b", line[::2], DEPTH[::2])])
        assert found.curves["b"].to_numpy() == pytest.approx(1.0 + 0.01 * found.depth_mm)

    def test_uncertainties_are_carried(self) -> None:
        curves = [dose_curve(name, uncertainty=0.02 * DOSE) for name in "ab"]
        found = reconcile(curves, step_mm=4.0)
        assert found.codes["noise"].to_numpy() == pytest.approx(np.full(2, 0.01), rel=0.1)  # the mean of four bins
        assert list(found.uncertainties) == ["depth_mm", "a", "b"]

    def test_units_are_converted(self) -> None:
        gray = dose_curve("gray")
        centi = dose_curve("centi", 100 * DOSE, units="cGy")
        energy = dose_curve("energy", DOSE / 1.602176634e-10, units="MeV/g")
        found = reconcile([gray, centi, energy])
        assert found.units == "Gy"
        assert found.codes["distance"].max() < 1e-9

    def test_peaks_can_be_made_equal(self) -> None:
        found = reconcile([dose_curve("a"), dose_curve("b", 7 * DOSE, units="MeV/g")], normalise="peak")
        assert found.units == "1"
        assert found.codes["distance"].max() < 1e-9

    def test_anchors_bring_the_same_place_together(self) -> None:
        other_frame = dose_curve("b", depth=DEPTH - 250.0, frame="isocentre")
        anchors = {"a": distal_depth(DEPTH, DOSE), "b": distal_depth(DEPTH - 250.0, DOSE)}
        found = reconcile([dose_curve("a"), other_frame], anchors_mm=anchors)
        assert list(found.codes["offset_mm"]) == pytest.approx([-125.0, 125.0])
        assert found.codes["distance"].max() < 1e-9


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"averaging": "track-averaged"}, "averaging: not one and the same"),
            ({"particles": "primary protons"}, "particles: not one and the same"),
            (
                {"medium": "silicon"},
                'medium: not one and the same; wanted allow={"medium"}, got water (a); silicon (b)',
            ),
            ({"quantity": "Qeff"}, "quantity: not one and the same; got LET (a); Qeff (b)"),
            ({"frame": "another"}, "frame: not one and the same; wanted anchors_mm="),
        ],
    )
    def test_curves_of_two_kinds_are_not_compared(self, change: dict[str, str], message: str) -> None:
        with pytest.raises(ScienceError) as refused:
            reconcile([let_curve("a"), let_curve("b", **change)])
        assert message in str(refused.value)

    def test_all_differences_are_named_at_once(self) -> None:
        with pytest.raises(ScienceError) as refused:
            reconcile([let_curve("a"), let_curve("b", averaging="track-averaged", medium="silicon", particles="all")])
        assert [issue.where for issue in refused.value.issues] == ["averaging", "particles", "medium"]

    def test_not_stated_is_never_the_same(self) -> None:
        silent = [let_curve(name, medium="not stated") for name in "ab"]
        with pytest.raises(ScienceError, match="not stated"):
            reconcile(silent)
        assert reconcile(silent, allow={"medium"}).warnings[0] == "mixed by request: medium: not stated (a, b)"

    def test_mixing_can_be_allowed_and_is_then_said(self) -> None:
        found = reconcile([let_curve("a"), let_curve("b", medium="silicon")], allow={"medium"})
        assert found.warnings[0] == "mixed by request: medium: water (a); silicon (b)"
        assert found.quantity.startswith("LET; averaging: dose-averaged, particles: all protons, medium: mixed")

    def test_units_of_two_quantities(self) -> None:
        with pytest.raises(UnitError) as refused:
            reconcile([dose_curve("a"), dose_curve("b", units="keV/um")])
        assert str(refused.value) == "b and a: cannot convert between different quantities; wanted Gy, got keV/um"

    def test_depths_in_cm_do_not_meet_those_in_mm(self) -> None:
        with pytest.raises(ScienceError) as refused:
            reconcile([dose_curve("a"), dose_curve("b", depth=DEPTH / 10 - 100)])
        assert "are some depths in cm?" in str(refused.value)

    @pytest.mark.parametrize(
        ("call", "error", "message"),
        [
            (lambda: reconcile([]), ScienceError, "nothing to reconcile; wanted curves of two codes or more, got none"),
            (lambda: reconcile([dose_curve("a")]), ScienceError, "nothing to reconcile"),
            (
                lambda: reconcile([dose_curve("a"), "b"]),
                ScienceError,
                "not curves; wanted a list of DepthCurve, got str",
            ),
            (
                lambda: reconcile([dose_curve("a"), dose_curve("b")], allow="medium"),
                ScienceError,
                "allow: not a set of names; wanted some of averaging, particles, medium, normalisation, got 'medium'",
            ),
            (lambda: reconcile([dose_curve("a"), dose_curve("b")], region_mm=5.0), ScienceError, "not a region"),
            (lambda: reconcile([dose_curve("a"), dose_curve("b")], anchors_mm=5.0), ScienceError, "not anchors"),
            (lambda: depth_curves([1, 2]), ScienceError, "not a table; wanted a pandas DataFrame, got list"),
            (lambda: reconcile([dose_curve("a"), dose_curve("a")]), ScienceError, "two curves of one code"),
            (lambda: reconcile([dose_curve("a"), dose_curve("b")], allow={"quantity"}), UnknownName, "no way in which"),
            (lambda: reconcile([dose_curve("a"), dose_curve("b")], normalise="area"), UnknownName, "no normalisation"),
            (
                lambda: reconcile([dose_curve("a"), dose_curve("b")], anchors_mm={"a": 1.0}),
                ScienceError,
                "codes without an anchor; wanted one per code: a, b, got no b",
            ),
            (lambda: reconcile([dose_curve("a"), dose_curve("b")], region_mm=(50.0, 10.0)), ScienceError, "region_mm"),
            (
                lambda: reconcile([dose_curve("a"), dose_curve("b")], region_mm=(500.0, 510.0)),
                ScienceError,
                "nothing left to compare",
            ),
            (lambda: reconcile([dose_curve("a"), dose_curve("b")], step_mm=0.0), ScienceError, "step_mm"),
            (lambda: reconcile([dose_curve("a"), dose_curve("b")], tolerance=-1.0), ScienceError, "tolerance"),
            (
                lambda: reconcile([dose_curve("a"), dose_curve("b", 0 * DOSE)], normalise="peak"),
                ScienceError,
                "a curve without a peak; wanted a value above 0, got b",
            ),
        ],
    )
    def test_other_arguments(self, call: object, error: type[Exception], message: str) -> None:
        with pytest.raises(error) as refused:
            call()  # type: ignore[operator]
        assert message in str(refused.value)


class TestCurves:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"averaging": "dose averaged"}, "averaging: not known; got 'dose averaged'; did you mean dose-averaged"),
            ({"medium": " "}, "medium: not a text, or empty; wanted a text, or 'not stated', got ' '"),
            ({"units": None}, "units: not a text, or empty"),
            ({"normalisation": ""}, "normalisation: not a text, or empty"),
            ({"units": "Gray"}, "unknown unit"),
            ({"depth": DEPTH[::-1]}, "depth_mm of a, row 2: not above the row before"),
            (
                {"value": DOSE[:-1]},
                "the columns do not go together; wanted one-dimensional, of one length, got depth_mm of a (180,), value of a (179,)",
            ),
            (
                {"value": np.where(DEPTH < 3, np.nan, DOSE)},
                "value of a, row 1: not usable; wanted a finite number, got nan",
            ),
            (
                {"uncertainty": -DOSE},
                "uncertainty of a, row 1: not usable; wanted a finite number, 0 or more, got -1.0",
            ),
            (
                {"value": DOSE[:1], "depth": DEPTH[:1]},
                "depth_mm of a, value of a: too few rows; wanted 2 or more, got 1",
            ),
        ],
    )
    def test_a_curve_must_be_one_and_say_what_it_is(self, change: dict[str, object], message: str) -> None:
        with pytest.raises((ScienceError, UnitError)) as refused:
            dose_curve("a", **change)  # type: ignore[arg-type]
        assert message in str(refused.value)

    def table(self) -> pd.DataFrame:
        parts = [
            pd.DataFrame({"code": code, "plan": plan, **KIND, "units": "Gy", "depth_mm": DEPTH, "value": DOSE})
            for code in ("b", "a")
            for plan in ("one", "two")
        ]
        return pd.concat(parts, ignore_index=True)

    def test_a_table_becomes_one_curve_per_code(self) -> None:
        curves = depth_curves(self.table(), plan="one")
        assert [curve.code for curve in curves] == ["b", "a"]
        assert curves[0].uncertainty is None
        assert curves[0].value == pytest.approx(DOSE)

    def test_an_ambiguous_table_is_refused_with_what_differs(self) -> None:
        with pytest.raises(ScienceError) as refused:
            depth_curves(self.table())
        assert str(refused.value) == "more than one curve of b; wanted one; choose by column, got plan: one, two"

    def test_a_choice_of_nothing_is_refused(self) -> None:
        with pytest.raises(ScienceError, match="plan: no such rows; wanted one of one, two, got 'three'"):
            depth_curves(self.table(), plan="three")
        with pytest.raises(ScienceError, match="the table lacks columns"):
            depth_curves(self.table().drop(columns="medium"))


class TestBenchmark:
    """The DCPT benchmark, doi:10.5281/zenodo.10641085: real codes, of which one ends its range early."""

    @pytest.mark.parametrize(
        ("plan", "shift"), [("plan02_field01_geoD_mono", -1.78), ("plan01_field01_geoA_SOBPcent", -1.49)]
    )
    def test_the_outlier_is_named(self, mirror: Path, plan: str, shift: float) -> None:
        folders = (mirror / "dcpt_let_benchmark" / "data").glob(f"*/results/{plan}")
        table = pd.concat([read_let_benchmark(folder) for folder in folders])
        curves = depth_curves(table, quantity="dose", particles="all particles", medium="solid water with a PMMA plate")
        (outlier,) = reconcile(curves).outliers
        assert outlier.code == "TOPAS"
        assert "mm shallower than the others" in outlier.reason
        r80 = {curve.code: distal_depth(curve.depth_mm, curve.value) for curve in curves}
        others = np.median([value for code, value in r80.items() if code != "TOPAS"])
        assert r80["TOPAS"] - others == pytest.approx(shift, abs=0.01)
        assert reconcile(curves, anchors_mm=r80).codes["distance"].max() < 0.025

    def test_two_definitions_at_one_depth_are_not_mixed(self, mirror: Path) -> None:
        folder = mirror / "dcpt_let_benchmark" / "data" / "mcnp" / "results" / "plan02_field01_geoD_mono"
        table = read_let_benchmark(folder)
        phantom, water = (
            depth_curves(table, averaging="dose-averaged", quantity="LET", particles="primary protons", medium=medium)[
                0
            ]
            for medium in ("solid water with a PMMA plate", "water, unit density")
        )
        with pytest.raises(ScienceError, match="medium: not one and the same"):
            reconcile([phantom, DepthCurve(**{**vars(water), "code": "MCNP in water"})])
