"""Stopping power and CSDA range of protons in liquid water, from the table of PSTAR.

The table (``pstar_water.csv``, read when it is first needed) holds 35 energies from 1 keV to 1 GeV. Between two of
them both quantities are interpolated linearly in their logarithms. From 0.5 to 500 MeV the two columns then agree
with each other within 0.4 %: the range between two energies is the integral of the reciprocal stopping power.
Between 500 and 1000 MeV it is 1 %. Below 0.5 MeV the rows lie a factor of five to ten apart, on both sides of the
maximum near 80 keV: there a value between rows may be wrong by a tenth.

Source: M. J. Berger, J. S. Coursey, M. A. Zucker and J. Chang, ESTAR, PSTAR, and ASTAR: computer programs for
calculating stopping-power and range tables, version 1.2.3, National Institute of Standards and Technology (2005),
after NISTIR 4999 (1993); the data are those of ICRU Report 49 (1993). Work of the US government.
One public test fixture carries this table with rows that belong to other energies, which the agreement of the two
columns shows: a test here guards against it.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from braggbook.radiobiology.arguments import ABOVE_ZERO, Floats, checked, checked_scalars, within

_TABLE = "pstar_water.csv"
_ROUNDING = 1e-12
_KEV_UM_PER_MEV_CM = 0.1  # 1 MeV/cm is 1000 keV / 10000 um


@lru_cache(maxsize=1)
def _table() -> pd.DataFrame:
    with resources.files(__package__).joinpath(_TABLE).open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=np.float64)


def pstar_water() -> pd.DataFrame:
    """Returns the table: energy_mev, stopping_power_mev_cm2_g (total, mass), csda_range_g_cm2; a copy."""
    return _table().copy()


def proton_stopping_power(energy_mev: Any) -> Floats:
    """Returns the total mass stopping power of liquid water for protons, in MeV cm2/g.

    Args:
        energy_mev: Kinetic energy in MeV, any shape, from 0.001 to 1000.

    Returns:
        Stopping power in the shape of the argument (a NumPy number for a number).

    Raises:
        ScienceError: An energy is not a number, or outside the table.
    """
    return _look_up(energy_mev, "energy_mev", "stopping_power_mev_cm2_g", name="energy_mev")


def proton_csda_range(energy_mev: Any) -> Floats:
    """Returns the CSDA range of protons in liquid water, in g/cm2 (cm at unit density).

    It is the length of the path, which the mean penetration falls short of by 0.2 % or less at therapeutic energies.

    Args:
        energy_mev: Kinetic energy in MeV, any shape, from 0.001 to 1000.

    Raises:
        ScienceError: An energy is not a number, or outside the table.
    """
    return _look_up(energy_mev, "energy_mev", "csda_range_g_cm2", name="energy_mev")


def proton_energy_from_range(range_g_cm2: Any) -> Floats:
    """Returns the energy in MeV whose CSDA range in liquid water is given: the inverse of the range.

    Args:
        range_g_cm2: CSDA range in g/cm2, any shape, within the table.

    Raises:
        ScienceError: A range is not a number, or outside the table.
    """
    return _look_up(range_g_cm2, "csda_range_g_cm2", "energy_mev", name="range_g_cm2")


def proton_let(energy_mev: Any, *, density_g_cm3: float = 1.0) -> Floats:
    """Returns the unrestricted LET of a proton in liquid water, in keV/um, from the total stopping power.

    The total includes nuclear (elastic) stopping, which is below 0.2 % of it above 0.5 MeV.

    Args:
        energy_mev: Kinetic energy in MeV, any shape, from 0.001 to 1000.
        density_g_cm3: Density of the water.

    Raises:
        ScienceError: An energy is outside the table, or the density is not above 0.
    """
    (density,) = checked_scalars({"density_g_cm3": (density_g_cm3, ABOVE_ZERO)})
    return np.asarray(proton_stopping_power(energy_mev) * density * _KEV_UM_PER_MEV_CM)[()]


def _look_up(values: Any, given: str, wanted: str, *, name: str) -> Floats:
    table = _table()
    known = table[given].to_numpy()
    # the inverse of the inverse may differ in the last digit from the first or last row
    table_range = within(known[0] * (1 - _ROUNDING), known[-1] * (1 + _ROUNDING), of="(the table's)")
    (numbers,) = checked({name: (values, table_range)})
    found = np.exp(np.interp(np.log(numbers), np.log(known), np.log(table[wanted].to_numpy())))
    return np.asarray(found)[()]
