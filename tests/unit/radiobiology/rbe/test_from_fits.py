"""An RBE from two fits: the published isoeffective dose ratio, every interval, and what it is of."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology import Interval, LetKind, fit_survival
from braggbook.radiobiology.rbe import RbeMeaning, rbe_from_fits
from braggbook.radiobiology.survival.intervals import IntervalMethod

MEANING = RbeMeaning(
    endpoint="clonogenic survival",
    reference_radiation="220 kV x rays",
    let_kind=LetKind("dose-averaged", "all protons", "water"),
    let_kev_um=5.0,
    particle="1H",
)


# The two lines of CFAssay's example stand in for two radiations: the ratio of their doses is known, with its limits.
@pytest.mark.parametrize(
    ("survival", "value", "fieller", "profile"),
    [
        (0.1, 1.210743, (1.096874, 1.338401), (1.097060, 1.337795)),
        (0.5, 1.508487, (1.156816, 1.941224), (1.168767, 1.932465)),
        (0.01, 1.059888, (0.985566, 1.140315), (0.983464, 1.139582)),
    ],
)
def test_the_published_ratio(
    cal33: pd.DataFrame,
    okf6: pd.DataFrame,
    survival: float,
    value: float,
    fieller: tuple[float, float],
    profile: tuple[float, float],
) -> None:
    found = rbe_from_fits(fit_survival(okf6), fit_survival(cal33), survival=survival, meaning=MEANING)
    assert found.rbe.value == pytest.approx(value, abs=1e-6)
    assert set(found.intervals) == {"profile", "fieller", "delta"}
    assert all(found.rbe.value in interval for interval in found.intervals.values())
    assert found.rbe.interval == found.intervals["profile"]
    methods: tuple[tuple[IntervalMethod, tuple[float, float]], ...] = (("fieller", fieller), ("profile", profile))
    for method, expected in methods:
        assert tuple(found.ratio.interval_by(method, reference="chi2")) == pytest.approx(expected, rel=2e-4)
        wide, narrow = found.intervals[method], found.ratio.interval_by(method, reference="chi2")
        assert wide.lower < narrow.lower < narrow.upper < wide.upper  # F pays for not knowing the dispersion


def test_what_the_rbe_at_ten_percent_says(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    found = rbe_from_fits(fit_survival(okf6), fit_survival(cal33), meaning=MEANING)
    assert found.standard_error == pytest.approx(0.061340, rel=1e-3)
    assert tuple(found.intervals["profile"]) == pytest.approx((1.094675, 1.340776), rel=2e-4)
    assert found.rbe.dose_gy == pytest.approx(3.837249, rel=1e-5)
    assert (found.rbe.effect_level, found.rbe.unstated, found.warnings) == (0.1, (), ())


def test_a_bootstrap_is_taken_from_whoever_has_one(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    test, reference = fit_survival(okf6), fit_survival(cal33)

    def bootstrap(one: Any, other: Any, survival: float) -> Interval:
        assert (one, other, survival) == (test, reference, 0.2)
        return Interval(1.0, 2.0, 0.95, "bootstrap, 35 draws")

    found = rbe_from_fits(test, reference, survival=0.2, meaning=MEANING, bootstrap=bootstrap)
    assert found.intervals["bootstrap"].method == "bootstrap, 35 draws"


def test_warnings_come_along(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    one = okf6[okf6["replicate"] == okf6["replicate"].iloc[0]]
    meaning = RbeMeaning(MEANING.endpoint, MEANING.reference_radiation, MEANING.let_kind, 50.0, "1H")
    found = rbe_from_fits(fit_survival(one), fit_survival(cal33), meaning=meaning)
    assert any(text.startswith("test: one replicate only") for text in found.warnings)
    assert any("more than a treatment beam of 1H has" in text for text in found.warnings)


def test_without_a_meaning_there_is_no_rbe(cal33: pd.DataFrame, okf6: pd.DataFrame) -> None:
    fits = fit_survival(okf6), fit_survival(cal33)
    with pytest.raises(ScienceError, match="reference_radiation: missing"):
        rbe_from_fits(*fits, meaning=RbeMeaning("clonogenic survival", "", LetKind("not stated")))
    with pytest.raises(ScienceError, match="reference: not a survival fit"):
        rbe_from_fits(fits[0], cal33, meaning=MEANING)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="the fits differ in plating"):
        rbe_from_fits(fits[0], fit_survival(cal33, plating="pooled"), meaning=MEANING)
    with pytest.raises(ScienceError):
        rbe_from_fits(*fits, survival=1.0, meaning=MEANING)
