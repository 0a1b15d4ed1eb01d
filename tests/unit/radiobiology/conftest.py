"""The colony counts of CAL 33 and OKF6/TERT1 that CFAssay's published numbers belong to."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

_COUNTS = Path(__file__).parents[3] / "datasets" / "colony_counts_cal33_okf6" / "counts.csv"


def _curve(cell_line: str) -> pd.DataFrame:
    counts = pd.read_csv(_COUNTS)
    return counts[counts["cell_line"] == cell_line].reset_index(drop=True)


@pytest.fixture
def cal33() -> pd.DataFrame:
    return _curve("CAL 33")


@pytest.fixture
def okf6() -> pd.DataFrame:
    return _curve("OKF6/TERT1")
