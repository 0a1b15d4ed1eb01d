"""Colony counts of CAL 33 (4 replicates) and OKF6/TERT1 (8 replicates), six doses each.

Facts published with the R package CFAssay (inst/doc/expl1_cellsurvcurves.txt): H. Braselmann, A. Michna,
J. Heß and K. Unger, Radiat Oncol 10 (2015) 223, doi:10.1186/s13014-015-0529-y. Each entry of a replicate is
"dose in Gy, cells seeded, colonies".
"""

from __future__ import annotations

import pandas as pd
import pytest

_CAL33 = """
e1: 0 900 182, 1 1800 284, 2 3000 323, 3 4500 235, 4 12000 328, 6 30000 142
e2: 0 900 124, 1 1800 207, 2 3000 272, 3 4500 195, 4 9000 198, 6 24000 184
e3: 0 750 65, 1 1050 78, 2 1800 75, 3 2700 83, 4 4500 53, 6 18000 77
e4: 0 900 61, 1 1200 68, 2 1650 62, 3 3000 78, 4 6000 91, 6 22500 79
"""
_OKF6 = """
e1: 0 600 114, 1 900 109, 2 1500 94, 3 2400 99, 4 4500 70, 6 18000 77
e2: 0 600 104, 1 900 82, 2 1500 100, 3 2400 58, 4 4500 94, 6 19500 84
e3: 0 600 60, 1 900 72, 2 1500 61, 3 2400 62, 4 4500 61, 6 18000 60
e4: 0 600 90, 1 900 90, 2 1500 61, 3 2400 65, 4 4500 63, 6 18000 64
e5: 0 900 83, 1 1500 89, 2 2400 115, 3 4500 116, 4 7500 84, 6 18000 76
e6: 0 600 102, 1 900 71, 2 1500 53, 3 2400 43, 4 4500 20, 6 18000 16
e7: 0 600 86, 1 900 36, 2 1500 54, 3 2400 33, 4 4500 21, 6 18000 16
e8: 0 600 69, 1 900 75, 2 1500 60, 3 2400 51, 4 5400 58, 6 21000 45
"""


def _table(text: str) -> pd.DataFrame:
    rows = []
    for line in text.split("\n")[1:-1]:
        replicate, _, plates = line.partition(": ")
        for plate in plates.split(", "):
            dose, cells, colonies = (int(number) for number in plate.split())
            rows.append((replicate, float(dose), cells, colonies))
    return pd.DataFrame(rows, columns=["replicate", "dose_gy", "cells_seeded", "colonies"])


@pytest.fixture
def cal33() -> pd.DataFrame:
    return _table(_CAL33)


@pytest.fixture
def okf6() -> pd.DataFrame:
    return _table(_OKF6)
