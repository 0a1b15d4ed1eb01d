"""An RBE from two survival curves that were fitted to plates, with every interval that there is.

The curves are independent. The RBE is the ratio of isoeffective doses, reference over test.

- ``"profile"``: joint profile quasi-likelihood of both curves; the one that the RBE carries;
- ``"fieller"``: exact for the ratio of two normal doses;
- ``"delta"``: estimate -+ quantile * standard error;
- ``"bootstrap"``: whatever the caller's function returns, which is handed the test fit, the reference fit and the
  survival level (resample replicates, not plates: the plates of one replicate are not independent).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from braggbook.errors import ScienceError
from braggbook.radiobiology.arguments import shortened
from braggbook.radiobiology.intervals import Interval
from braggbook.radiobiology.rbe.definition import Rbe
from braggbook.radiobiology.rbe.let import NOT_STATED, LetKind
from braggbook.radiobiology.survival import IsoeffectiveDoseRatio, SurvivalFit, isoeffective_dose_ratio

BootstrapInterval = Callable[[SurvivalFit, SurvivalFit, float], Interval]


@dataclass(frozen=True)
class RbeMeaning:
    """What the two curves cannot know of the RBE between them.

    Attributes:
        endpoint: What was observed, for example "clonogenic survival of V79 cells".
        reference_radiation: For example "6 MV x rays".
        let_kind: Kind of the LET of the test radiation: average, particles and medium.
        let_kev_um: That LET in keV/um, if it is known.
        particle: Nuclide of the test radiation, for example "1H".
    """

    endpoint: str
    reference_radiation: str
    let_kind: LetKind
    let_kev_um: float | None = None
    particle: str = NOT_STATED


@dataclass(frozen=True, eq=False)
class FittedRbe:
    """An RBE of two fits.

    Attributes:
        rbe: The RBE with its five parts; its interval is the profile one.
        standard_error: Delta-method standard error.
        intervals: Interval by method: profile, fieller, delta, and bootstrap where one was asked for.
        ratio: The ratio of isoeffective doses behind it, with both fits.
        warnings: What a reader must know: those of both fits, and of the numbers.
    """

    rbe: Rbe
    standard_error: float
    intervals: Mapping[str, Interval]
    ratio: IsoeffectiveDoseRatio
    warnings: tuple[str, ...]


def rbe_from_fits(
    test: SurvivalFit,
    reference: SurvivalFit,
    *,
    survival: float = 0.1,
    meaning: RbeMeaning,
    bootstrap: BootstrapInterval | None = None,
) -> FittedRbe:
    """Returns the RBE of the test radiation at a survival level, D_reference / D_test.

    Args:
        test: Fit of the test radiation.
        reference: Fit of the reference radiation, made in the same way.
        survival: Surviving fraction at which the doses are compared.
        meaning: What the RBE is of.
        bootstrap: Function that returns an interval of the RBE from resampled replicates.

    Raises:
        ScienceError: The survival level is not between 0 and 1, a curve never comes down to it, the fits were not
            made in one way, or the meaning does not define an RBE.
    """
    for name, fit in (("test", test), ("reference", reference)):
        if not isinstance(fit, SurvivalFit):
            raise ScienceError("not a survival fit", where=name, wanted="what fit_survival returns", got=shortened(fit))
    ratio = isoeffective_dose_ratio(reference, test, survival=survival)
    intervals = {method: ratio.interval_by(method) for method in ("profile", "fieller", "delta")}
    if bootstrap is not None:
        intervals["bootstrap"] = bootstrap(test, reference, survival)
    rbe = Rbe(
        value=ratio.value,
        endpoint=meaning.endpoint,
        effect_level=survival,
        reference_radiation=meaning.reference_radiation,
        dose_gy=ratio.denominator_dose_gy,
        let_kind=meaning.let_kind,
        let_kev_um=meaning.let_kev_um,
        interval=intervals["profile"],
        particle=meaning.particle,
    )
    words = [f"{name}: {text}" for name, fit in (("test", test), ("reference", reference)) for text in fit.warnings]
    words += [f"the {name} interval is not bounded: {i.note}" for name, i in intervals.items() if not i.bounded]
    return FittedRbe(rbe, ratio.standard_error, intervals=intervals, ratio=ratio, warnings=(*words, *rbe.warnings))
