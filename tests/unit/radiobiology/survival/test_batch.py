"""Many fits at once against one fit at a time, statsmodels, and every curve that has no fit."""

from __future__ import annotations

import math
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from braggbook.errors import FitError, ScienceError, UnknownName
from braggbook.radiobiology.survival import (
    bootstrap_batch,
    fit_survival,
    fit_survival_batch,
    profile_intervals_batch,
)
from braggbook.radiobiology.survival.batch import STATUSES
from braggbook.radiobiology.survival.batch_layout import read_batch
from braggbook.radiobiology.survival.poisson_slope import best_slope

ROOT = Path(__file__).parents[4]
DOSES = np.array([0.0, 1.0, 2.0, 4.0, 6.0, 8.0])
CELLS = np.array([200.0, 300.0, 600.0, 2000.0, 8000.0, 20000.0])


class Made:
    """Made counts of many curves: arrays for the batch, a table for one curve."""

    def __init__(self, curves: int, *, replicates: int = 3, seed: int = 1, scale: float = 1.0, dispersion: float = 1.0):
        random = np.random.default_rng(seed)
        self.dose = np.tile(DOSES, replicates)
        self.cells = np.ceil(np.tile(CELLS, replicates) * scale)
        self.replicate = np.repeat(np.arange(replicates), len(DOSES))
        alpha, beta = random.uniform(0.1, 0.6, curves), random.uniform(0.01, 0.08, curves)
        log_pe = random.normal(-1.2, 0.2, (curves, replicates))
        mean = self.cells * np.exp(
            log_pe[:, self.replicate] - alpha[:, None] * self.dose - beta[:, None] * self.dose**2
        )
        if dispersion > 1:
            mean = random.gamma(mean / (dispersion - 1), dispersion - 1)
        self.colonies = np.minimum(random.poisson(mean), self.cells).astype(float)

    def ragged(self, seed: int = 2) -> dict[str, np.ndarray]:
        """Returns the arrays with a tenth of the counts missing and each curve's plates in an order of its own."""
        random = np.random.default_rng(seed)
        shape = self.colonies.shape
        order = random.permuted(np.broadcast_to(np.arange(shape[1]), shape), axis=1)
        colonies = np.where(random.random(shape) < 0.1, np.nan, self.colonies)
        shared = {"dose_gy": self.dose, "cells_seeded": self.cells, "replicate": self.replicate}
        arrays = {"colonies": colonies, **{name: np.broadcast_to(values, shape) for name, values in shared.items()}}
        return {name: np.take_along_axis(values, order, axis=1) for name, values in arrays.items()}

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "colonies": self.colonies,
            "dose_gy": self.dose,
            "cells_seeded": self.cells,
            "replicate": self.replicate,
        }


def _table(arrays: dict[str, np.ndarray], curve: int) -> pd.DataFrame:
    shape = arrays["colonies"].shape
    return pd.DataFrame({name: np.broadcast_to(values, shape)[curve] for name, values in arrays.items()})


def _fit(arrays: dict[str, np.ndarray], **options: object):
    arrays = dict(arrays)
    return fit_survival_batch(arrays.pop("colonies"), **arrays, **options)  # type: ignore[arg-type]


def _statsmodels(table: pd.DataFrame):
    table = table.dropna()
    dose = table["dose_gy"].to_numpy()
    design = np.column_stack([pd.get_dummies(table["replicate"]).to_numpy(dtype=float), -dose, -(dose**2)])
    offset = np.log(table["cells_seeded"].to_numpy())
    model = sm.GLM(table["colonies"], design, family=sm.families.Poisson(), offset=offset)
    return model.fit(scale="X2", tol=1e-13, maxiter=100)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(("replicates", "scale"), [(1, 1.0), (3, 1.0), (8, 1.0), (4, 0.1)])
def test_equals_statsmodels(ragged: bool, replicates: int, scale: float) -> None:
    made = Made(12, replicates=replicates, scale=scale, seed=replicates)
    arrays = made.ragged() if ragged else made.arrays()
    batch = _fit(arrays)
    assert batch.fitted.sum() >= 11  # of one replicate with missing counts too little may be left
    assert profile_intervals_batch(batch).searched == 0
    for curve in np.flatnonzero(batch.fitted):
        oracle = _statsmodels(_table(arrays, curve))
        params, errors = oracle.params.to_numpy(), oracle.bse.to_numpy()
        assert (batch.alpha_per_gy[curve], batch.beta_per_gy2[curve]) == pytest.approx(tuple(params[-2:]), rel=1e-8)
        assert (batch.alpha_se_per_gy[curve], batch.beta_se_per_gy2[curve]) == pytest.approx(
            tuple(errors[-2:]), rel=1e-8
        )
        assert batch.alpha_beta_covariance[curve] == pytest.approx(oracle.cov_params().to_numpy()[-2, -1], rel=1e-8)
        assert batch.dispersion[curve] == pytest.approx(oracle.scale, rel=1e-8)
        assert batch.deviance[curve] == pytest.approx(oracle.deviance, rel=1e-8)
        assert batch.df[curve] == oracle.df_resid
        by_label = np.argsort(batch.replicates[curve].astype(int))
        assert batch.log_plating_efficiency[curve][by_label] == pytest.approx(params[:-2], rel=1e-8)
        assert batch.log_plating_efficiency_se[curve][by_label] == pytest.approx(errors[:-2], rel=1e-8)
        half = stats.t.ppf(0.975, oracle.df_resid) * errors[-2]
        assert batch.alpha_interval_per_gy[curve] == pytest.approx([params[-2] - half, params[-2] + half], rel=1e-8)


@pytest.mark.parametrize("plating", ["fitted", "pooled"])
@pytest.mark.parametrize("stopping", ["converged", "r"])
def test_equals_one_fit_at_a_time(plating: str, stopping: str) -> None:
    made = Made(20, replicates=4, dispersion=3.0)
    arrays = made.arrays()
    batch = _fit(arrays, plating=plating, stopping=stopping)
    # By R's rule every number is that of fit_survival. Going on moves the deviance by less than R's 1e-8, the
    # coefficients by its root of a standard error, and the dispersion, which carries older weights in R, by more.
    tight = 1e-12 if stopping == "r" else 1e-8
    for curve in range(20):
        fit = fit_survival(_table(arrays, curve), plating=plating)  # type: ignore[arg-type]
        for name, tolerance in (
            ("alpha_per_gy", tight),
            ("beta_per_gy2", tight),
            ("deviance", tight),
            ("alpha_se_per_gy", 1e-12 if stopping == "r" else 1e-3),
            ("dispersion", 1e-12 if stopping == "r" else 1e-3),
        ):
            assert getattr(batch, name)[curve] == pytest.approx(getattr(fit, name), rel=tolerance), name
        assert batch.df[curve] == fit.df
        logs = batch.log_plating_efficiency[curve]
        assert logs == pytest.approx(list(fit.log_plating_efficiencies.values()), rel=tight)
        assert np.isnan(batch.log_plating_efficiency_se[curve]).all() == (plating == "pooled")
    assert batch.dispersion_limit == (9 if plating == "fitted" else 12)


def test_cal33(cal33: pd.DataFrame) -> None:
    arrays = {name: cal33[name].to_numpy() for name in ("dose_gy", "cells_seeded", "replicate")}
    batch = fit_survival_batch([cal33["colonies"]], **arrays, stopping="r")
    # CFAssay's output for these counts.
    assert batch.alpha_per_gy[0] == pytest.approx(0.2683191794, rel=1e-9)
    assert batch.alpha_se_per_gy[0] == pytest.approx(0.0642744703, rel=1e-8)
    assert batch.dispersion[0] == pytest.approx(4.695344078, rel=1e-9)
    assert list(batch.replicates[0]) == ["e1", "e2", "e3", "e4"]
    parameters = batch.parameters(0)
    assert parameters.alpha_beta_covariance == pytest.approx(-6.310150506e-4, rel=1e-9)


def test_a_curve_does_not_depend_on_its_company() -> None:
    made = Made(900, replicates=3)
    arrays = made.ragged()
    batch = _fit(arrays)
    some = np.array([3, 899, 450])
    alone = _fit({name: values[some] for name, values in arrays.items()})
    # Sums may be added up in another order; nothing else depends on the other curves.
    assert alone.alpha_per_gy == pytest.approx(batch.alpha_per_gy[some], rel=1e-13)
    assert alone.dispersion == pytest.approx(batch.dispersion[some], rel=1e-13)
    assert alone.replicates.tolist() == batch.replicates[some].tolist()


def test_padding_and_labels() -> None:
    made = Made(2, replicates=2)
    colonies = np.full((2, 16), np.nan)
    colonies[:, :12] = made.colonies
    colonies[1, 6:12] = np.nan  # the second curve has one replicate only
    dose = np.full((2, 16), np.nan)
    cells = np.full((2, 16), -1.0)
    labels = np.full((2, 16), None, dtype=object)
    dose[:, :12], cells[:, :12] = made.dose, made.cells
    labels[0, :12] = np.where(made.replicate == 0, "mon", "tue")
    labels[1, :6] = "fri"
    batch = fit_survival_batch(colonies, dose_gy=dose, cells_seeded=cells, replicate=labels)
    assert batch.replicates.tolist() == [["mon", "tue"], ["fri", None]]
    assert np.isnan(batch.log_plating_efficiency[1, 1])
    plain = fit_survival_batch(made.colonies, dose_gy=made.dose, cells_seeded=made.cells, replicate=made.replicate)
    assert batch.alpha_per_gy[0] == plain.alpha_per_gy[0]
    assert batch.df.tolist() == [8, 3]
    assert any("have one replicate" in text for text in batch.warnings)


def test_order_of_plates_does_not_matter() -> None:
    made = Made(3)
    order = np.random.default_rng(1).permutation(len(made.dose))
    arrays = made.arrays()
    turned = {name: values[..., order] for name, values in arrays.items()}
    assert _fit(turned).alpha_per_gy == pytest.approx(_fit(arrays).alpha_per_gy, rel=1e-11)


@pytest.mark.full
@pytest.mark.parametrize("reference", ["f", "chi2"])
@pytest.mark.parametrize("plating", ["fitted", "pooled"])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_profile_intervals_equal_one_at_a_time(reference: str, plating: str, scale: float) -> None:
    made = Made(12, scale=scale, dispersion=2.0, seed=4)
    arrays = made.arrays()
    batch = _fit(arrays, plating=plating, stopping="r", reference=reference)
    ends = profile_intervals_batch(batch)
    for curve in np.flatnonzero(batch.fitted):
        fit = fit_survival(_table(arrays, curve), plating=plating)  # type: ignore[arg-type]
        for found, interval in (
            (ends.alpha_per_gy[curve], fit.intervals.alpha(reference=reference)),  # type: ignore[arg-type]
            (ends.beta_per_gy2[curve], fit.intervals.beta(reference=reference)),  # type: ignore[arg-type]
        ):
            width = interval.upper - interval.lower
            assert found == pytest.approx([interval.lower, interval.upper], abs=1e-8 * min(width, 1.0))


def test_profile_intervals_end_on_the_limit() -> None:
    made = Made(300, replicates=2, scale=0.05, dispersion=2.0)
    batch = _fit(made.arrays())
    ends = profile_intervals_batch(batch)
    assert np.isnan(ends.alpha_per_gy[~batch.fitted]).all()
    groups = (made.replicate[:, None] == np.arange(2)).astype(float)
    offset = np.log(made.cells)
    for curve in np.flatnonzero(batch.fitted)[:60]:
        limit = batch.deviance[curve] + batch.dispersion[curve] * stats.f.ppf(0.95, 1, batch.df[curve])
        low, high = ends.alpha_per_gy[curve]
        assert low < batch.alpha_per_gy[curve] < high
        for alpha in (low, high):
            if math.isfinite(alpha):
                held = offset - alpha * made.dose
                deviance = best_slope(-(made.dose**2), made.colonies[curve], groups=groups, offset=held)[1]
                assert deviance == pytest.approx(limit, rel=1e-6)


def test_unbounded_profiles_are_infinite() -> None:
    # Nothing grows at 4 Gy and above: beta has no upper limit, as one fit at a time says too.
    dose, cells = np.array([0.0, 1.0, 2.0, 4.0, 0.0, 1.0, 2.0, 4.0]), np.full(8, 100.0)
    replicate, colonies = np.repeat([0, 1], 4), np.array([60.0, 50, 2, 0, 55, 60, 1, 0])
    batch = fit_survival_batch([colonies], dose_gy=dose, cells_seeded=cells, replicate=replicate, stopping="r")
    table = pd.DataFrame({"dose_gy": dose, "cells_seeded": cells, "replicate": replicate, "colonies": colonies})
    one = fit_survival(table)
    found = profile_intervals_batch(batch)
    assert found.beta_per_gy2[0] == pytest.approx(list(one.beta_interval), rel=1e-6)
    assert found.alpha_per_gy[0] == pytest.approx(list(one.alpha_interval), rel=1e-6)


def _grid(*rows: list[float]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Two replicates at 0, 2, 4, 6 Gy, 100 cells each; a row of counts per curve."""
    dose = np.tile([0.0, 2.0, 4.0, 6.0], 2)
    arrays = {"dose_gy": dose, "cells_seeded": np.full(8, 100.0), "replicate": np.repeat([0, 1], 4)}
    return np.array(rows), arrays


NAN = math.nan


@pytest.mark.parametrize(
    ("plating", "counts", "status"),
    [
        ("fitted", [60, 40, 20, 9, 50, 30, 20, 6], "fitted"),
        ("pooled", [60, 40, 20, 9, 50, 30, 20, 6], "fitted"),
        ("fitted", [60, 40, 20, 0, 50, 30, 20, 0], "fitted"),
        ("fitted", [0, 0, 0, 0, 0, 0, 0, 0], "no colonies"),
        ("fitted", [NAN] * 8, "no colonies"),
        ("pooled", [NAN] * 8, "too few plates"),
        ("pooled", [0, 40, 20, 9, 50, 30, 20, 6], "no plating efficiency"),
        ("pooled", [NAN, 40, 20, 9, 50, 30, 20, 6], "no plating efficiency"),
        ("fitted", [60, 40, 20, 9, 0, 0, 0, 0], "empty replicate"),
        ("fitted", [60, 40, 20, NAN, 50, NAN, NAN, NAN], "too few plates"),
        ("fitted", [60, 40, NAN, NAN, 50, 30, NAN, NAN], "too few plates"),
        ("pooled", [60, 40, NAN, NAN, 50, 30, NAN, NAN], "too few plates"),
        ("fitted", [60, 40, 0, 0, 50, 30, 0, 0], "no finite maximum"),
        ("fitted", [60, 0, 0, 0, 50, 0, 0, 0], "no finite maximum"),
        ("pooled", [60, 0, 0, 0, 50, 0, 0, 0], "no finite maximum"),
    ],
)
def test_curves_without_a_fit_have_a_reason(plating: str, counts: list[float], status: str) -> None:
    good = [60, 40, 20, 9, 50, 30, 20, 6]
    colonies, arrays = _grid(good, counts, good)
    batch = fit_survival_batch(colonies, **arrays, plating=plating)  # type: ignore[arg-type]
    assert batch.status.tolist() == ["fitted", status, "fitted"]
    assert batch.alpha_per_gy[2] == batch.alpha_per_gy[0]
    assert np.isnan(batch.alpha_per_gy[1]) == (status != "fitted")
    if status == "fitted":
        return
    for values in (batch.dispersion, batch.deviance, batch.alpha_se_per_gy, batch.alpha_interval_per_gy[:, 0]):
        assert np.isnan(values[1])
    assert batch.warnings[0] == f"1 of 3 curves could not be fitted, see status: {status} 1"
    with pytest.raises(ScienceError, match="this curve was not fitted"):
        batch.parameters(1)
    table = pd.DataFrame({**arrays, "colonies": counts})
    with pytest.raises(ScienceError):
        fit_survival(table, plating=plating)  # type: ignore[arg-type]


def test_too_few_doses_and_aliasing_have_a_reason() -> None:
    dose = np.array([[0.0, 2.0] * 4, [0.0, 2.0, 4.0, 6.0] * 2, [0.0] * 4 + [2.0] * 4])
    replicate = np.array([[0, 0, 0, 0, 1, 1, 1, 1], [0] * 4 + [1] * 4, [0] * 4 + [1] * 4])
    colonies = np.array(
        [[50.0, 20, 60, 25, 50, 20, 40, 30], [60, 40, 20, 9, 50, 30, 20, 6], [50, 51, 52, 53, 9, 8, 7, 6]]
    )
    batch = fit_survival_batch(colonies, dose_gy=dose, cells_seeded=np.full(8, 100.0), replicate=replicate)
    assert batch.status.tolist() == ["too few doses", "fitted", "too few doses"]
    # Each replicate has one dose of its own: any curve fits with suitable plating efficiencies.
    alias = fit_survival_batch(
        [[60.0, 62, 40, 41, 20, 22, 9, 8]],
        dose_gy=np.repeat([0.0, 2.0, 4.0, 6.0], 2),
        cells_seeded=np.full(8, 100.0),
        replicate=np.repeat([0, 1, 2, 3], 2),
    )
    assert alias.status.tolist() == ["not estimable"]


@pytest.mark.full
@settings(max_examples=60)
@given(
    counts=st.lists(st.lists(st.integers(0, 4), min_size=8, max_size=8), min_size=1, max_size=5),
    missing=st.lists(st.integers(0, 7), max_size=3),
    plating=st.sampled_from(["fitted", "pooled"]),
)
def test_sparse_counts_are_fitted_where_one_at_a_time_are(
    counts: list[list[int]], missing: list[int], plating: str
) -> None:
    colonies, arrays = _grid(*([float(c) for c in row] for row in counts))
    colonies[:, missing] = NAN
    batch = fit_survival_batch(colonies, **arrays, plating=plating, stopping="r")  # type: ignore[arg-type]
    for curve in range(len(colonies)):
        table = pd.DataFrame({**arrays, "colonies": colonies[curve]})
        try:
            fit = fit_survival(table, plating=plating)  # type: ignore[arg-type]
        except ScienceError:
            assert batch.status[curve] != "fitted"
            continue
        assert batch.status[curve] == "fitted"
        error = max(fit.alpha_se_per_gy, 1e-3)
        assert batch.alpha_per_gy[curve] == pytest.approx(fit.alpha_per_gy, abs=1e-6 * error)


def test_warnings_count_curves() -> None:
    colonies, arrays = _grid([20, 40, 20, 1, 30, 45, 20, 2], [60, 40, 20, 30, 50, 30, 20, 40])
    batch = fit_survival_batch(colonies, **arrays)
    assert batch.alpha_per_gy[0] < 0
    assert batch.beta_per_gy2[1] < 0
    assert "1 of 2 curves have a negative alpha; it is reported as estimated, not clipped" in batch.warnings
    assert "1 of 2 curves have a negative beta; it is reported as estimated, not clipped" in batch.warnings
    cgy = fit_survival_batch(colonies, **{**arrays, "dose_gy": 100 * arrays["dose_gy"]})
    assert cgy.warnings[0] == "2 of 2 curves have a dose above 50 Gy: is it in cGy?"
    calm = fit_survival_batch([[64.0, 32, 16, 8, 64, 32, 16, 8]], **arrays)
    assert "have a dispersion below 1" in calm.warnings[-1]
    wild = fit_survival_batch([[64.0, 3, 60, 1, 4, 52, 2, 90]], **arrays)
    assert "1 of 1 curves have a dispersion above 9: their plates scatter suspiciously" in wild.warnings


def test_a_perfect_fit_has_no_width() -> None:
    colonies, arrays = _grid([64, 32, 16, 8, 64, 32, 16, 8])
    batch = fit_survival_batch(colonies, **arrays)
    assert batch.alpha_per_gy[0] == pytest.approx(math.log(2) / 2, rel=1e-10)
    assert batch.beta_per_gy2[0] == pytest.approx(0.0, abs=1e-10)
    assert batch.dispersion[0] == pytest.approx(0.0, abs=1e-12)
    ends = profile_intervals_batch(batch)
    assert ends.alpha_per_gy[0] == pytest.approx([math.log(2) / 2] * 2, rel=1e-6)


def test_large_counts_and_dense_doses_keep_their_digits() -> None:
    random = np.random.default_rng(1)
    dose = np.tile([10.0, 10.5, 11.0, 11.5, 12.0], 3)
    replicate = np.repeat(np.arange(3), 5)
    cells = np.full(15, 1e9)
    colonies = random.poisson(cells * np.exp(-1 - 0.3 * dose - 0.03 * dose**2) * 1.0)[None, :].astype(float)
    batch = fit_survival_batch(colonies, dose_gy=dose, cells_seeded=cells, replicate=replicate)
    design = np.column_stack([replicate[:, None] == np.arange(3), -(dose - 11), -((dose - 11) ** 2)]).astype(float)
    model = sm.GLM(colonies[0], design, family=sm.families.Poisson(), offset=np.log(cells))
    oracle = model.fit(scale="X2", tol=1e-14, maxiter=200)
    beta = oracle.params[-1]
    assert batch.beta_per_gy2[0] == pytest.approx(beta, rel=1e-8)
    assert batch.alpha_per_gy[0] == pytest.approx(oracle.params[-2] - 22 * beta, rel=1e-8)
    assert batch.beta_se_per_gy2[0] == pytest.approx(oracle.bse[-1], rel=1e-7)


def test_dataset() -> None:
    made = Made(4)
    batch = _fit(made.arrays())
    found = batch.to_dataset()
    assert found["alpha_per_gy"].attrs["units"] == "1/Gy"
    assert found["beta_interval_per_gy2"].sel(end="upper").to_numpy() == pytest.approx(
        batch.beta_interval_per_gy2[:, 1]
    )
    assert found.attrs["stopping"] == "converged"
    assert set(found["status"].to_numpy()) == {"fitted"}
    assert len(batch) == 4


def test_every_status_is_explained() -> None:
    assert all(text and name == name.lower() for name, text in STATUSES.items())


def _error(**change: object) -> ScienceError:
    made = Made(3)
    arrays: dict[str, object] = {**made.arrays(), **change}
    with pytest.raises(ScienceError) as caught:
        _fit(arrays)  # type: ignore[arg-type]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("colonies", -1.0, "curve 2, plate 5: colonies is not usable; wanted a whole number, 0 or more, got -1.0"),
        ("colonies", 2.5, "curve 2, plate 5: colonies is not usable; wanted a whole number, 0 or more, got 2.5"),
        ("colonies", math.inf, "curve 2, plate 5: colonies is not usable; wanted a whole number, 0 or more, got inf"),
        (
            "colonies",
            8001.0,
            "curve 2, plate 5: colonies is not usable; wanted at most as many colonies as cells seeded, got 8001.0",
        ),
        ("dose_gy", -2.0, "curve 2, plate 5: dose_gy is not usable; wanted a number, 0 or more, got -2.0"),
        ("dose_gy", NAN, "curve 2, plate 5: dose_gy is not usable; wanted a number, 0 or more, got nan"),
        ("cells_seeded", 0.0, "curve 2, plate 5: cells_seeded is not usable; wanted a number above 0, got 0.0"),
        ("cells_seeded", NAN, "curve 2, plate 5: cells_seeded is not usable; wanted a number above 0, got nan"),
        ("replicate", None, "curve 2, plate 5: replicate is not usable; wanted a label, got no label"),
    ],
)
def test_faulty_plates_are_named(name: str, value: object, message: str) -> None:
    arrays = Made(3).arrays()
    changed = np.array(np.broadcast_to(arrays[name], (3, 18)), dtype=object if name == "replicate" else float)
    changed[1, 4] = value
    error = _error(**{name: changed})
    assert str(error.issues[0]) == message
    assert all(str(issue).startswith("curve 2, plate 5") for issue in error.issues)


def test_faults_are_counted_and_the_first_hundred_named() -> None:
    error = _error(colonies=np.full((3, 18), 0.5), dose_gy=np.full(18, -1.0))
    assert error.what == "the batch of counts is not usable: 108 fault(s)"
    error = _error(colonies=np.full((30, 18), 0.5))
    assert error.what == "the batch of counts is not usable: 540 fault(s)"
    assert len(error.issues) == 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colonies": np.zeros(18)}, r"colonies is not a batch; wanted an array \(curves, plates\), got shape \(18,\)"),
        ({"colonies": np.zeros((0, 18))}, r"colonies is not a batch.*got shape \(0, 18\)"),
        ({"colonies": [["a"] * 18] * 3}, "colonies is not an array of numbers; got list"),
        ({"colonies": [[1 + 2j] * 18] * 3}, "colonies is not an array of numbers"),
        ({"colonies": [[1.0, 2.0], [3.0]]}, "colonies is not an array of numbers"),
        ({"dose_gy": None}, "dose_gy is not an array of numbers|dose_gy does not fit"),
        (
            {"dose_gy": np.zeros(17)},
            r"dose_gy does not fit the colonies; wanted shape \(18,\), or \(3, 18\), got shape \(17,\)",
        ),
        ({"cells_seeded": np.zeros((2, 18))}, r"cells_seeded does not fit the colonies.*got shape \(2, 18\)"),
        ({"replicate": "e1"}, r"replicate does not fit the colonies.*got shape \(\)"),
        ({"replicate": np.zeros(5)}, r"replicate does not fit the colonies.*got shape \(5,\)"),
    ],
)
def test_arrays_that_do_not_fit(change: dict[str, object], message: str) -> None:
    assert re.search(message, str(_error(**change)))


def test_unknown_options() -> None:
    arrays = Made(1).arrays()
    for option, value in (("plating", "both"), ("stopping", "never"), ("reference", "normal")):
        with pytest.raises(UnknownName, match=value):
            _fit(arrays, **{option: value})
    with pytest.raises(ScienceError, match="not a confidence level"):
        _fit(arrays, level=95)
    batch = _fit(arrays)
    with pytest.raises(ScienceError, match="no such curve; wanted 0 to 0, got 1"):
        batch.parameters(1)


def test_blocks_hold_every_plate_once() -> None:
    made = Made(5, replicates=2)
    arrays = made.ragged()
    plates = read_batch(**arrays, plating="fitted")
    ((part, block),) = plates.blocks()
    assert (part.start, part.stop) == (0, 5)
    assert block.counts.sum(axis=(0, 1)) == pytest.approx(np.nansum(arrays["colonies"], axis=1))
    assert block.plates.sum(axis=(0, 1)).tolist() == (~np.isnan(arrays["colonies"])).sum(axis=1).tolist()
    dose = np.where(np.isnan(arrays["colonies"]), 0.0, arrays["dose_gy"])
    assert np.where(block.plates, block.dose_gy, 0.0).sum(axis=(0, 1)) == pytest.approx(dose.sum(axis=1))


def test_parametric_bootstrap(cal33: pd.DataFrame) -> None:
    found = bootstrap_batch(cal33, seed=3, draws=4000)
    fit = fit_survival(cal33)
    assert found.estimate.alpha_per_gy[0] == pytest.approx(fit.alpha_per_gy, rel=1e-8)
    # Draws scatter by the standard errors of the fit, and with its dispersion.
    assert np.std(found.draws.alpha_per_gy) == pytest.approx(fit.alpha_se_per_gy, rel=0.06)
    assert np.std(found.draws.beta_per_gy2) == pytest.approx(fit.beta_se_per_gy2, rel=0.06)
    assert np.mean(found.draws.dispersion) == pytest.approx(fit.dispersion, rel=0.05)
    interval = found.interval(lambda batch: batch.alpha_per_gy)
    assert tuple(interval) == pytest.approx(tuple(fit.intervals.alpha(method="delta", reference="chi2")), abs=0.02)
    assert interval.method == "parametric bootstrap, percentile, 4000 draws, seed 3"
    again = bootstrap_batch(cal33, seed=3, draws=4000)
    assert np.array_equal(again.draws.alpha_per_gy, found.draws.alpha_per_gy)
    assert (found.failures, found.distinct_draws) == (0, None)


def test_parametric_bootstrap_with_pooled_plating_keeps_the_controls(cal33: pd.DataFrame) -> None:
    found = bootstrap_batch(cal33, seed=3, draws=2000, plating="pooled")
    fit = fit_survival(cal33, plating="pooled")
    assert np.std(found.draws.alpha_per_gy) == pytest.approx(fit.alpha_se_per_gy, rel=0.08)
    assert np.ptp(found.draws.log_plating_efficiency, axis=0) == pytest.approx(np.zeros(4))


def test_bootstrap_of_replicates(cal33: pd.DataFrame) -> None:
    found = bootstrap_batch(cal33, seed=1, draws=500, kind="replicates")
    assert found.distinct_draws == 35
    values = np.unique(np.round(found.draws.alpha_per_gy, 9))
    assert 25 <= len(values) <= 35
    # The draw of every replicate once is the curve itself.
    assert np.min(np.abs(found.draws.alpha_per_gy - found.estimate.alpha_per_gy[0])) < 1e-12
    interval = found.interval(lambda batch: batch.alpha_per_gy / batch.beta_per_gy2)
    assert interval.lower < fit_survival(cal33).alpha_beta_gy < interval.upper
    assert interval.note == "the replicates allow only 35 different draws"
    # Replicates of different length: the drawn plates are those of whole replicates.
    short = bootstrap_batch(cal33.drop(index=[3, 5]), seed=1, draws=50, kind="replicates")
    sizes = short.draws.plates.used.sum(axis=1)
    assert set(sizes) <= {16, 18, 20, 22, 24}
    assert len(set(sizes)) > 1


def test_bootstrap_of_curves_that_fail(cal33: pd.DataFrame) -> None:
    table = cal33[cal33["replicate"].isin(["e1", "e2"])].copy()
    # e2 alone does not determine a curve: two draws in four fail half the time.
    table = table[(table["replicate"] == "e1") | table["dose_gy"].isin([0, 2])]
    found = bootstrap_batch(table, seed=1, draws=400, kind="replicates")
    assert 60 < found.failures < 140
    note = found.interval(lambda batch: batch.alpha_per_gy).note
    assert note.startswith(
        f"{found.failures} of 400 draws have no such number and are left out; the replicates allow only 3"
    )


def test_bootstrap_bad_input(cal33: pd.DataFrame) -> None:
    with pytest.raises(ScienceError, match="one replicate only: nothing to draw from"):
        bootstrap_batch(cal33[cal33["replicate"] == "e1"], seed=1, kind="replicates")
    for options, message in (
        ({"seed": -1}, "seed is not usable; wanted a whole number, 0 or more, got -1"),
        ({"seed": 1.5}, "seed is not usable"),
        ({"seed": True}, "seed is not usable"),
        ({"seed": 1, "draws": 10}, "draws is not usable; wanted a whole number, 40 or more, got 10"),
        ({"seed": 1, "level": 95}, "not a confidence level"),
    ):
        with pytest.raises(ScienceError, match=message):
            bootstrap_batch(cal33, **options)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="no bootstrap named 'plates'"):
        bootstrap_batch(cal33, seed=1, kind="plates")  # type: ignore[arg-type]
    with pytest.raises(FitError, match="the curve itself cannot be fitted; got fewer than 3 doses"):
        bootstrap_batch(cal33[cal33["dose_gy"] < 2], seed=1)
    found = bootstrap_batch(cal33, seed=1, draws=40)
    with pytest.raises(ScienceError, match="too few draws; wanted 40 with this number, got 0"):
        found.interval(lambda batch: batch.alpha_per_gy * math.nan)


@pytest.mark.full
@pytest.mark.parametrize("dispersion", [1.0, 4.0])
def test_the_intervals_cover(dispersion: float) -> None:
    """95 % Wald and profile intervals of alpha hold the truth in 95 % of 4000 made curves."""
    random = np.random.default_rng(7)
    dose, cells, replicate = np.tile(DOSES, 4), np.tile(CELLS, 4), np.repeat(np.arange(4), 6)
    mean = np.broadcast_to(cells * np.exp(-1.2 - 0.3 * dose - 0.04 * dose**2), (4000, 24))
    if dispersion > 1:
        mean = random.gamma(mean / (dispersion - 1), dispersion - 1)
    batch = fit_survival_batch(random.poisson(mean), dose_gy=dose, cells_seeded=cells, replicate=replicate)
    for low, high in (batch.alpha_interval_per_gy.T, profile_intervals_batch(batch).alpha_per_gy.T):
        held = np.mean((low <= 0.3) & (high >= 0.3))
        # 99.9 % of binomial(4000, 0.95) lies within 1.2 %; overdispersed small counts cost about as much again.
        assert held == pytest.approx(0.95, abs=0.012 if dispersion == 1 else 0.025)


@pytest.mark.full
def test_the_benchmark_runs_and_its_sides_agree() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "radiobiology.py")]
    options = ["--curves", "60", "--peer-curves", "10", "--repetitions", "1"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("peer / ours:") == 2
    assert "one at a time / batch:" in done.stdout


def test_profiles_of_a_faultless_curve_among_others() -> None:
    dose, cells = np.tile([0.0, 2.0, 4.0, 6.0], 3), np.tile([300.0, 500.0, 2000.0, 9000.0], 3)
    colonies = np.random.default_rng(3).poisson(cells * np.exp(-1 - 0.3 * dose - 0.05 * dose**2), size=(4, 12))
    colonies[2] = cells  # every cell a colony: a perfect fit, whose deviance is rounding
    replicate = np.repeat(["e1", "e2", "e3"], 4)
    batch = fit_survival_batch(colonies, dose_gy=dose, cells_seeded=cells, replicate=replicate)
    found = profile_intervals_batch(batch)
    assert np.isfinite(found.alpha_per_gy).all()
    assert np.ptp(found.alpha_per_gy[2]) < 1e-6
    assert found.alpha_per_gy[2] == pytest.approx([0.0, 0.0], abs=1e-6)


def test_masked_counts_are_no_counts_and_truth_values_are_refused() -> None:
    dose, cells = np.tile([0.0, 2.0, 4.0], 3), np.tile([300.0, 500.0, 2000.0], 3)
    colonies = np.random.default_rng(3).poisson(cells * np.exp(-1 - 0.3 * dose), size=(2, 9)).astype(float)
    plates = {"dose_gy": dose, "cells_seeded": cells, "replicate": np.repeat(["a", "b", "c"], 3)}
    gap = colonies.copy()
    gap[0, 4] = np.nan
    masked = np.ma.masked_array(colonies, mask=np.isnan(gap))
    expected = fit_survival_batch(gap, **plates).alpha_per_gy
    assert fit_survival_batch(masked, **plates).alpha_per_gy == pytest.approx(expected, rel=1e-15)
    for wrong in (colonies > 0, (colonies > 0).astype(object)):
        with pytest.raises(ScienceError, match="not an array of numbers"):
            fit_survival_batch(wrong, **plates)
    missing = [*["a"] * 3, *["b"] * 3, "c", "c", np.nan]
    with pytest.raises(ScienceError, match="curve 1, plate 9: replicate is not usable"):
        fit_survival_batch(colonies, **plates | {"replicate": missing})
