"""Calibration counts and cases that published output belongs to."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from braggbook.radiobiology.biodosimetry import CalibrationCurve, CaseCounts, case_counts, fit_calibration

_FOLDER = Path(__file__).parents[4] / "datasets" / "aberration_counts"


def _series(name: str) -> pd.DataFrame:
    counts = pd.read_csv(_FOLDER / "calibration.csv")
    return counts[counts["series"] == name].reset_index(drop=True)


@pytest.fixture
def co60() -> pd.DataFrame:
    """The worked example of the IAEA manual (2011)."""
    return _series("dicentrics_co60")


@pytest.fixture
def helium() -> pd.DataFrame:
    return _series("dicentrics_he4")


@pytest.fixture
def painted() -> pd.DataFrame:
    return _series("translocations_co60")


@pytest.fixture
def micronuclei() -> pd.DataFrame:
    return _series("micronuclei_photons")


@pytest.fixture
def curve(co60: pd.DataFrame) -> CalibrationCurve:
    return fit_calibration(co60).curve


@pytest.fixture
def case_1() -> CaseCounts:
    return case_counts([302, 28, 22, 8, 1, 0], name="case 1")


@pytest.fixture
def case_2() -> CaseCounts:
    return case_counts([160, 55, 19, 17, 9, 4], name="case 2")
