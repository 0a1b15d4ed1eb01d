"""Every model over a grid of LET, dose and alpha/beta at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import Issue, ScienceError, unknown_name
from braggbook.radiobiology.arguments import ABOVE_ZERO, checked, checked_scalars, shortened
from braggbook.radiobiology.constants import taking
from braggbook.radiobiology.rbe.definition import rbe_at_dose
from braggbook.radiobiology.rbe.models import PARTICLES, RbeModel, find_model, outside_range, rbe_models

Floats = NDArray[np.float64]
DIMENSIONS = ("model", "let_kev_um", "dose_gy", "alpha_beta_gy")


@dataclass(frozen=True)
class _Axes:
    let_kev_um: Floats
    dose_gy: Floats
    alpha_beta_gy: Floats


def rbe_grid(
    models: Iterable[str] | None = None,
    *,
    let_kev_um: ArrayLike,
    dose_gy: ArrayLike,
    alpha_beta_gy: ArrayLike,
    alpha_reference_per_gy: float | None = None,
    particle: str = "1H",
    sources: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Returns the RBE of models at every combination of LET, dose and alpha/beta.

    Args:
        models: Names of models; without it every model of the particle that these arguments suffice for. The
            others are named, with the reason, in ``attrs["left_out"]``.
        let_kev_um: Axis of LET in keV/um, shape (l,), above 0.
        dose_gy: Axis of dose of the beam in Gy, shape (d,), above 0.
        alpha_beta_gy: Axis of alpha/beta of the reference photons in Gy, shape (r,), above 0.
        alpha_reference_per_gy: alpha of the photons in 1/Gy, one number for the whole grid, for the models that need
            it; their beta is alpha over alpha/beta.
        particle: "1H" or "4He".
        sources: Which source to take for a constant that is disputed.

    Returns:
        Dataset with ``rbe`` (model, let_kev_um, dose_gy, alpha_beta_gy), ``rbe_max`` and ``rbe_min``
        (model, let_kev_um, alpha_beta_gy) and ``outside`` (model, let_kev_um), true where LET lies outside the range
        that a model states; the coordinate ``let_kind`` (model) says which LET each takes, the attributes what was
        left out.

    Raises:
        UnknownName: There is no such model, or no such particle.
        ScienceError: An axis is not usable, a named model lacks something or is for another particle, or a model has
            no RBE above 0 somewhere on the grid.
    """
    if not isinstance(particle, str) or particle not in PARTICLES:
        raise unknown_name("particle of an RBE model", str(particle), PARTICLES)
    with taking(sources):  # refuses what is no choice of sources before any model is blamed for it
        axes = _read_axes(let_kev_um, dose_gy, alpha_beta_gy)
    photons: dict[str, ArrayLike] = {"alpha_beta_gy": axes.alpha_beta_gy}
    if alpha_reference_per_gy is not None:
        (alpha,) = checked_scalars({"alpha_reference_per_gy": (alpha_reference_per_gy, ABOVE_ZERO)})
        photons["alpha_reference_per_gy"] = alpha
    left_out: dict[str, str] = {}
    if models is None:
        chosen, left_out = _usable(particle, set(photons), sources)
    else:
        chosen = [find_model(name, particle=particle) for name in _unique(models)]
    if not chosen:
        raise ScienceError("no model to evaluate", wanted="at least one", got="; ".join(left_out.values()) or "none")
    limits = [model.evaluate(axes.let_kev_um[:, None], photons, sources=sources) for model in chosen]
    return _dataset(chosen, axes, limits).assign_attrs(
        particle=particle,
        left_out="; ".join(f"{name}: {reason}" for name, reason in left_out.items()),
    )


def _read_axes(let_kev_um: ArrayLike, dose_gy: ArrayLike, alpha_beta_gy: ArrayLike) -> _Axes:
    given = {"let_kev_um": let_kev_um, "dose_gy": dose_gy, "alpha_beta_gy": alpha_beta_gy}
    issues: list[Issue] = []
    axes: dict[str, Floats] = {}
    for name, values in given.items():
        try:
            axes[name] = np.atleast_1d(checked({name: (values, ABOVE_ZERO)})[0])
        except ScienceError as error:
            issues += error.issues
            continue
        if axes[name].ndim > 1:
            issues.append(Issue("not an axis", where=name, wanted="shape (n,)", got=str(axes[name].shape)))
        elif len(np.unique(axes[name])) < axes[name].size:
            issues.append(Issue("a value stands twice", where=name, wanted="different values"))
    if issues:
        raise ScienceError("the axes of the grid are not usable", issues=issues)
    return _Axes(**axes)


def _unique(models: Iterable[str]) -> list[str]:
    names = [models] if isinstance(models, str) else list(models) if isinstance(models, Iterable) else [models]
    wrong = [shortened(name) for name in names if not isinstance(name, str)]
    if wrong:
        raise ScienceError("not the name of a model", where="models", wanted="texts", got=", ".join(wrong))
    if len(set(names)) < len(names):
        raise ScienceError("a model is named twice", wanted="each once", got=", ".join(map(str, names)))
    return names


def _usable(
    particle: str, photons: set[str], sources: Mapping[str, str] | None
) -> tuple[list[RbeModel], dict[str, str]]:
    """Returns the models that can be evaluated, and of each other one the reason."""
    if len(photons) > 1:
        photons = photons | {"beta_reference_per_gy2"}
    usable, left_out = [], {}
    for name, model in rbe_models(particle).items():
        missing = [need for need in model.needs if need not in photons]
        disputed = _disputed(model, sources)
        if missing:
            left_out[name] = f"needs {', '.join(missing)}"
        elif disputed:
            left_out[name] = disputed
        else:
            usable.append(model)
    return usable, left_out


def _disputed(model: RbeModel, sources: Mapping[str, str] | None) -> str:
    """Returns why the constants of a model cannot be read, "" when they can."""
    one = np.ones(1)
    try:
        with taking(sources):
            model.limits(one, *(one for _ in model.needs))
    except ScienceError as error:  # a model's formula raises nothing else: numbers are checked before and after it
        return error.what
    return ""


def _dataset(models: list[RbeModel], axes: _Axes, limits: list[tuple[Floats, Floats]]) -> xr.Dataset:
    largest, smallest = (np.stack([pair[index] for pair in limits]) for index in (0, 1))
    rbe = rbe_at_dose(
        axes.dose_gy[:, None],
        alpha_beta_gy=axes.alpha_beta_gy,
        rbe_max=largest[:, :, None, :],
        rbe_min=smallest[:, :, None, :],
    )
    outside = np.stack([outside_range(model, axes.let_kev_um) for model in models])
    of_limits = (DIMENSIONS[0], DIMENSIONS[1], DIMENSIONS[3])
    return xr.Dataset(
        {
            "rbe": (DIMENSIONS, rbe, {"units": "1"}),
            "rbe_max": (of_limits, largest, {"units": "1"}),
            "rbe_min": (of_limits, smallest, {"units": "1"}),
            "outside": (DIMENSIONS[:2], outside, {"long_name": "LET outside the range that the model states"}),
        },
        coords={
            "model": [model.name for model in models],
            "let_kind": ("model", [str(model.let_kind) for model in models]),
            "let_kev_um": ("let_kev_um", axes.let_kev_um, {"units": "keV/um"}),
            "dose_gy": ("dose_gy", axes.dose_gy, {"units": "Gy"}),
            "alpha_beta_gy": ("alpha_beta_gy", axes.alpha_beta_gy, {"units": "Gy"}),
        },
    )
