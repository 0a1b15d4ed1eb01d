"""Outcome: from dose to the probability of control or complication.

Where to look: ``dvh`` (histograms), ``eud`` (gEUD), ``response`` (dose-response curves, LKB, relative seriality,
conversions of their slopes), ``control`` (Poisson TCP), ``parameters`` (published sets by source), ``fit`` and
``lkb_fit`` (curves fitted to patients). Doses go in as they are; EQD2 comes from
``braggbook.radiobiology.fractionation``.
"""

from braggbook.radiobiology.outcome.control import poisson_tcp, poisson_tcp_of_dvh, population_tcp
from braggbook.radiobiology.outcome.dvh import Dvh, cumulative_dvh, differential_dvh, voxel_dvh
from braggbook.radiobiology.outcome.eud import generalised_eud
from braggbook.radiobiology.outcome.fit import ResponseFit, fit_response
from braggbook.radiobiology.outcome.lkb_fit import fit_lkb
from braggbook.radiobiology.outcome.parameters import NtcpParameters, ntcp_parameter_sets, ntcp_parameters
from braggbook.radiobiology.outcome.response import (
    coefficients_of_gamma50,
    gamma50_of_coefficients,
    gamma50_of_m,
    gamma_of_gamma50,
    lkb_ntcp,
    log_logistic_response,
    logistic_of_coefficients,
    logistic_response,
    m_of_gamma50,
    poisson_response,
    probit_dose,
    probit_response,
    relative_seriality_ntcp,
)

__all__ = [
    "Dvh",
    "NtcpParameters",
    "ResponseFit",
    "coefficients_of_gamma50",
    "cumulative_dvh",
    "differential_dvh",
    "fit_lkb",
    "fit_response",
    "gamma50_of_coefficients",
    "gamma50_of_m",
    "gamma_of_gamma50",
    "generalised_eud",
    "lkb_ntcp",
    "log_logistic_response",
    "logistic_of_coefficients",
    "logistic_response",
    "m_of_gamma50",
    "ntcp_parameter_sets",
    "ntcp_parameters",
    "poisson_response",
    "poisson_tcp",
    "poisson_tcp_of_dvh",
    "population_tcp",
    "probit_dose",
    "probit_response",
    "relative_seriality_ntcp",
    "voxel_dvh",
]
