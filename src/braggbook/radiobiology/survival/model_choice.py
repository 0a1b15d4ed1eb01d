"""Chooses between survival models by QAICc: as much fit as the plates pay for, and no more.

    QAICc = deviance / phi + 2 K + 2 K (K + 1) / (n - K - 1)

K counts the parameters of the curve, the plating efficiencies when they are fitted, and one for the dispersion phi.
One phi, that of the richest model (the most parameters, none of them at its limit), serves all of them, because a
poor curve would otherwise excuse itself by the scatter that it causes; a phi below 1 is taken as 1.

Source: K. P. Burnham and D. R. Anderson, Model Selection and Multimodel Inference, 2nd ed. 2002, sections 2.4 and 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from braggbook.errors import FitError, ScienceError
from braggbook.radiobiology.survival.curve_model import Plating
from braggbook.radiobiology.survival.model_fit import SurvivalModelFit, fit_survival_model
from braggbook.radiobiology.survival.models import find_survival_model, survival_models


@dataclass(frozen=True, eq=False)
class SurvivalModelChoice:
    """Survival models of one set of plates, the best first.

    Attributes:
        table: Row per model that could be fitted, by rising QAICc: model, parameters (of the curve),
            fitted_numbers (K), deviance, qaicc, delta (to the best), weight (Akaike weight).
        fits: The fits by name, in that order.
        left_out: Models that could not be judged, with the reason.
        dispersion: The phi that was used.
        richest: The model that it came from.
        plating: "fitted" or "pooled".
        warnings: What a reader must know, one sentence each.
    """

    table: pd.DataFrame
    fits: Mapping[str, SurvivalModelFit]
    left_out: Mapping[str, str]
    dispersion: float
    richest: str
    plating: Plating
    warnings: tuple[str, ...]

    @property
    def best(self) -> SurvivalModelFit:
        """The fit with the lowest QAICc."""
        return next(iter(self.fits.values()))


def choose_survival_model(
    counts: pd.DataFrame, *, models: Sequence[str] | None = None, plating: Plating = "fitted", level: float = 0.95
) -> SurvivalModelChoice:
    """Fits several survival models to the plates of one curve and ranks them by QAICc.

    Args:
        counts: One row per plate, see :mod:`braggbook.radiobiology.survival.colony_counts`.
        models: Names of the candidates; None for all that there are, each curve once (``universal`` is ``lq_l``
            under other parameters, and would share its weight with itself).
        plating: "fitted" or "pooled".
        level: Confidence level of the fits' intervals.

    Raises:
        ScienceError: The table is not usable, a model is named twice, or two of them are the same curve.
        FitError: None of the models can be judged; ``issues`` of the message name each reason.
        UnknownName: A model or ``plating`` is not known.
    """
    names = _candidates(models)
    fits: dict[str, SurvivalModelFit] = {}
    left_out: dict[str, str] = {}
    for name in names:
        try:
            fits[name] = fit_survival_model(counts, model=name, plating=plating, level=level)
        except FitError as error:
            left_out[name] = "; ".join([error.what, *map(str, error.issues)])
    left_out.update({name: _too_few(fit) for name, fit in fits.items() if _spare(fit) <= 0})
    fits = {name: fit for name, fit in fits.items() if name not in left_out}
    if not fits:
        reasons = " | ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise FitError("no survival model can be judged on these plates", got=reasons)
    richest = min(fits.values(), key=lambda fit: (bool(fit.at_limit), fit.df, fit.deviance))
    dispersion = max(richest.dispersion, 1.0)
    table = _table(fits, dispersion=dispersion)
    return SurvivalModelChoice(
        table=table,
        fits=MappingProxyType({name: fits[name] for name in table["model"]}),
        left_out=MappingProxyType(left_out),
        dispersion=dispersion,
        richest=richest.model.name,
        plating=plating,
        warnings=_warnings(fits, left_out, richest=richest),
    )


def _candidates(models: Sequence[str] | None) -> list[str]:
    if models is None:
        return [name for name, model in survival_models().items() if not model.same_curve_as]
    if isinstance(models, str) or not isinstance(models, Sequence):
        raise ScienceError(
            "not a list of survival models", wanted='names, for example ["lq", "lq_l"]', got=repr(models)
        )
    chosen = [find_survival_model(name) for name in models]
    curves = [model.same_curve_as or model.name for model in chosen]
    twice = sorted({curve for curve in curves if curves.count(curve) > 1})
    if not chosen or twice:
        got = f"more than one with the curves of {', '.join(twice)}" if twice else "none"
        raise ScienceError("the candidates cannot be ranked", wanted="each curve once", got=got)
    return [model.name for model in chosen]


def _fitted_numbers(fit: SurvivalModelFit) -> int:
    return fit.parameter_count + 1


def _spare(fit: SurvivalModelFit) -> int:
    """n - K - 1, the denominator of the small-sample correction."""
    return len(fit.problem.plates.dose_gy) - _fitted_numbers(fit) - 1


def _too_few(fit: SurvivalModelFit) -> str:
    return (
        f"too few plates for QAICc: {len(fit.problem.plates.dose_gy)} with {_fitted_numbers(fit)} fitted numbers, "
        f"wanted at least {_fitted_numbers(fit) + 2}"
    )


def _table(fits: Mapping[str, SurvivalModelFit], *, dispersion: float) -> pd.DataFrame:
    rows = []
    for name, fit in fits.items():
        k = _fitted_numbers(fit)
        qaicc = fit.deviance / dispersion + 2.0 * k + 2.0 * k * (k + 1) / _spare(fit)
        rows.append((name, len(fit.problem.free), k, fit.deviance, qaicc))
    table = pd.DataFrame(rows, columns=["model", "parameters", "fitted_numbers", "deviance", "qaicc"])
    table = table.sort_values(["qaicc", "parameters"], kind="stable", ignore_index=True)
    delta = table["qaicc"] - table["qaicc"].min()
    likelihood = np.exp(-0.5 * delta)
    return table.assign(delta=delta, weight=likelihood / likelihood.sum())


def _warnings(
    fits: Mapping[str, SurvivalModelFit], left_out: Mapping[str, str], *, richest: SurvivalModelFit
) -> tuple[str, ...]:
    found = [f"{name} is not judged: {reason}" for name, reason in left_out.items()]
    found += [
        f"{name}: {', '.join(fit.at_limit)} at the limit, where it is a simpler model"
        for name, fit in fits.items()
        if fit.at_limit
    ]
    if richest.dispersion < 1:
        found.append(
            f"the dispersion of {richest.model.name} is {richest.dispersion:.4g}; QAICc is taken with 1, because "
            "plates cannot scatter less than counts do"
        )
    return tuple(found)
