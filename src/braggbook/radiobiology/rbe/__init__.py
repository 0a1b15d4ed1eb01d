"""Relative biological effectiveness: what it is, from two curves, and from published models.

Where to look: ``definition`` (an RBE and the five things without which it means nothing; RBE from LQ pairs),
``let`` (what kind of LET, in which unit), ``uncertainty`` (intervals from published coefficients), ``from_fits``
(from plates), ``proton``, ``proton_tissue`` and ``helium`` (phenomenological models), ``models`` (what every such
model is), ``grid`` (all of them over LET, dose and alpha/beta), ``library`` (a table of measured values).

From track structure: ``tracks`` (radial dose of an ion), ``specific_energy`` (of single events in domain and
nucleus), ``mkm``, ``smk``, ``osmk`` (microdosimetric kinetic models, the last with oxygen), ``lem`` (Local Effect
Model I).
"""

from braggbook.radiobiology.rbe import proton_tissue as proton_tissue  # its models register themselves
from braggbook.radiobiology.rbe.definition import Rbe, rbe_at_dose, rbe_at_survival, rbe_max, rbe_min
from braggbook.radiobiology.rbe.from_fits import FittedRbe, RbeMeaning, rbe_from_fits
from braggbook.radiobiology.rbe.grid import rbe_grid
from braggbook.radiobiology.rbe.helium import helium_rbe, helium_rbe_models, predict_helium_rbe
from braggbook.radiobiology.rbe.kinetic_response import KineticResponse, oxygen_enhancement_ratio
from braggbook.radiobiology.rbe.lem import (
    LemParameters,
    LemResponse,
    lem_parameter_sets,
    lem_parameters,
    lem_response,
    lethal_events,
    mixed_field_lq,
)
from braggbook.radiobiology.rbe.let import LetKind, let_in_kev_um, let_warnings
from braggbook.radiobiology.rbe.library import LibraryEntry, RbeLibrary, rbe_library
from braggbook.radiobiology.rbe.mkm import (
    MkmParameters,
    mkm_alpha,
    mkm_parameter_sets,
    mkm_parameters,
    mkm_response,
    saturated_lineal_energy,
    specific_energy_from_lineal_energy,
)
from braggbook.radiobiology.rbe.models import RbeModel, RbePrediction, rbe_model, rbe_models
from braggbook.radiobiology.rbe.osmk import (
    OsmkParameters,
    osmk_parameter_sets,
    osmk_parameters,
    osmk_response,
    relative_radioresistance,
)
from braggbook.radiobiology.rbe.proton import (
    predict_proton_rbe,
    proton_model,
    proton_rbe,
    proton_rbe_models,
)
from braggbook.radiobiology.rbe.smk import smk_parameter_sets, smk_parameters, smk_response
from braggbook.radiobiology.rbe.specific_energy import (
    SpecificEnergies,
    dose_mean_specific_energy,
    mixed_field,
    saturated,
    saturation_parameter,
    single_event_specific_energy,
    specific_energies,
)
from braggbook.radiobiology.rbe.tracks import AmorphousTrack, amorphous_track, track_models
from braggbook.radiobiology.rbe.uncertainty import (
    RbeEstimate,
    estimate_rbe_at_dose,
    estimate_rbe_at_survival,
    estimate_rbe_max,
    estimate_rbe_min,
)

__all__ = [
    "AmorphousTrack",
    "FittedRbe",
    "KineticResponse",
    "LemParameters",
    "LemResponse",
    "LetKind",
    "LibraryEntry",
    "MkmParameters",
    "OsmkParameters",
    "Rbe",
    "RbeEstimate",
    "RbeLibrary",
    "RbeMeaning",
    "RbeModel",
    "RbePrediction",
    "SpecificEnergies",
    "amorphous_track",
    "dose_mean_specific_energy",
    "estimate_rbe_at_dose",
    "estimate_rbe_at_survival",
    "estimate_rbe_max",
    "estimate_rbe_min",
    "helium_rbe",
    "helium_rbe_models",
    "lem_parameter_sets",
    "lem_parameters",
    "lem_response",
    "let_in_kev_um",
    "let_warnings",
    "lethal_events",
    "mixed_field",
    "mixed_field_lq",
    "mkm_alpha",
    "mkm_parameter_sets",
    "mkm_parameters",
    "mkm_response",
    "osmk_parameter_sets",
    "osmk_parameters",
    "osmk_response",
    "oxygen_enhancement_ratio",
    "predict_helium_rbe",
    "predict_proton_rbe",
    "proton_model",
    "proton_rbe",
    "proton_rbe_models",
    "rbe_at_dose",
    "rbe_at_survival",
    "rbe_from_fits",
    "rbe_grid",
    "rbe_library",
    "rbe_max",
    "rbe_min",
    "rbe_model",
    "rbe_models",
    "relative_radioresistance",
    "saturated",
    "saturated_lineal_energy",
    "saturation_parameter",
    "single_event_specific_energy",
    "smk_parameter_sets",
    "smk_parameters",
    "smk_response",
    "specific_energies",
    "specific_energy_from_lineal_energy",
    "track_models",
]
