"""Relative biological effectiveness from linear-quadratic parameters.

RBE = D_reference / D_test at equal effect. As a bare number it means nothing, hence :class:`Rbe`, which
cannot be made without saying what the number is of. RBE is never clipped: below 1 is a result.

The functions take numbers or arrays, broadcast them and return an array of the common shape (a NumPy number
for numbers). Estimates with uncertainty are in :mod:`braggbook.radiobiology.rbe.uncertainty` (from published
coefficients) and :mod:`braggbook.radiobiology.rbe.from_fits` (from plates).

Sources: R. G. Dale and B. Jones, Int J Radiat Oncol Biol Phys 43 (1999) 639-645 (RBEmax);
A. Carabe-Fernandez, R. G. Dale and B. Jones, Int J Radiat Biol 83 (2007) 27-39 (RBEmin); the form used here
is that of the review doi:10.1259/bjr.20190334.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology.arguments import ABOVE_ZERO, BETWEEN_ZERO_AND_ONE, NOT_NEGATIVE, checked
from braggbook.radiobiology.intervals import Interval
from braggbook.radiobiology.rbe.let import NOT_STATED, LetKind, let_warnings

Floats = NDArray[np.float64]

# Above this a single dose of a test radiation is more likely in cGy: no survival curve goes that far.
_LARGEST_USUAL_DOSE_GY = 50.0


@dataclass(frozen=True, kw_only=True)
class Rbe:
    """An RBE with all that defines it; every part must be given ("not stated" is an answer, silence is not).

    Attributes:
        value: The RBE, above 0.
        endpoint: What was observed, for example "clonogenic survival of V79 cells".
        effect_level: At which effect, for example 0.1 (surviving fraction), or "not stated".
        reference_radiation: For example "250 kVp x rays", "60Co gamma rays", or "not stated".
        dose_gy: Dose of the test radiation in Gy, 0 for RBEmax (the limit of low dose), or "not stated".
        let_kind: Kind of the LET that goes with it: average, particles and medium.
        let_kev_um: That LET in keV/um, if there is one.
        interval: Confidence interval of the value, if there is one.
        particle: Nuclide of the test radiation, for example "1H", "12C".
    """

    value: float
    endpoint: str = ""
    effect_level: float | str = ""
    reference_radiation: str = ""
    dose_gy: float | str = ""
    let_kind: LetKind | None = None
    let_kev_um: float | None = None
    interval: Interval | None = None
    particle: str = NOT_STATED

    def __post_init__(self) -> None:
        """Raises ScienceError that names every part which is missing or not usable."""
        issues = []
        if not _is_positive(self.value):
            issues.append(Issue("not an RBE", where="value", wanted="a number above 0", got=repr(self.value)))
        for name in ("endpoint", "reference_radiation", "particle"):
            issues += _text_issues(name, getattr(self, name))
        if not str(self.effect_level).strip():
            issues.append(Issue("missing", where="effect_level", wanted=f"a value, or {NOT_STATED!r}"))
        elif not (isinstance(self.effect_level, str) or _is_positive(self.effect_level)):
            wanted = "a number above 0, or words"
            issues.append(Issue("not usable", where="effect_level", wanted=wanted, got=repr(self.effect_level)))
        issues += _dose_issues(self.dose_gy)
        if not isinstance(self.let_kind, LetKind):
            what, got = ("missing", "") if self.let_kind is None else ("not a LetKind", repr(self.let_kind))
            wanted = f"a LetKind, or LetKind({NOT_STATED!r})"
            issues.append(Issue(what, where="let_kind", wanted=wanted, got=got))
        if self.let_kev_um is not None and not _is_positive(self.let_kev_um):
            wanted = "a number above 0 keV/um"
            issues.append(Issue("not usable", where="let_kev_um", wanted=wanted, got=repr(self.let_kev_um)))
        if issues:
            raise ScienceError("an RBE must say what it is of", issues=sorted(issues, key=_order))

    @property
    def unstated(self) -> tuple[str, ...]:
        """Which of the five parts are "not stated", in whole or (of the LET kind) in part."""
        words = ("endpoint", "effect_level", "reference_radiation", "dose_gy")
        found = [name for name in words if getattr(self, name) == NOT_STATED]
        parts = self.let_kind.unstated if self.let_kind else ()
        return (*found, *(f"let_kind.{name}" for name in parts))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is implausible about the numbers: a dose in cGy, an LET in MeV/cm."""
        found = () if self.let_kev_um is None else let_warnings(self.let_kev_um, particle=self.particle)
        return (*found, *(() if isinstance(self.dose_gy, str) else dose_warnings(self.dose_gy)))


def rbe_at_dose(dose_gy: ArrayLike, *, alpha_beta_gy: ArrayLike, rbe_max: ArrayLike, rbe_min: ArrayLike) -> Floats:
    """Returns the RBE at a dose of the test radiation.

    RBE = [sqrt(A^2 + 4 D A RBEmax + 4 D^2 RBEmin^2) - A] / (2 D), with A = alpha/beta of the reference
    radiation, computed as 2 (A RBEmax + D RBEmin^2) / [sqrt(...) + A], which has no 0/0 at D = 0.

    Args:
        dose_gy: Dose of the test radiation in Gy, 0 or more (at 0 the RBE is RBEmax).
        alpha_beta_gy: alpha/beta of the reference radiation in Gy, above 0.
        rbe_max: alpha / alpha_reference, 0 or more.
        rbe_min: sqrt(beta / beta_reference), 0 or more.

    Raises:
        ScienceError: An argument is outside these ranges or not a number; all of them are named.
    """
    dose, ratio, largest, smallest = checked(
        {
            "dose_gy": (dose_gy, NOT_NEGATIVE),
            "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO),
            "rbe_max": (rbe_max, NOT_NEGATIVE),
            "rbe_min": (rbe_min, NOT_NEGATIVE),
        }
    )
    root = np.sqrt(ratio**2 + 4.0 * dose * ratio * largest + 4.0 * (dose * smallest) ** 2)
    return np.asarray(2.0 * (ratio * largest + dose * smallest**2) / (root + ratio))[()]


def rbe_at_survival(
    survival: ArrayLike,
    *,
    alpha_per_gy: ArrayLike,
    beta_per_gy2: ArrayLike,
    alpha_reference_per_gy: ArrayLike,
    beta_reference_per_gy2: ArrayLike,
) -> Floats:
    """Returns the RBE at a survival level, D_reference / D_test.

    Raises:
        ScienceError: A level is not between 0 and 1 (both excluded: at 1 both doses are 0), or a curve never
            comes down to it.
    """
    (level,) = checked({"survival": (survival, BETWEEN_ZERO_AND_ONE)})
    reference = lq.dose_at_survival(level, alpha_per_gy=alpha_reference_per_gy, beta_per_gy2=beta_reference_per_gy2)
    test = lq.dose_at_survival(level, alpha_per_gy=alpha_per_gy, beta_per_gy2=beta_per_gy2)
    above, below = checked({"dose of the reference": (reference, NOT_NEGATIVE), "dose of the test": (test, ABOVE_ZERO)})
    return np.asarray(above / below)[()]


def rbe_max(*, alpha_per_gy: ArrayLike, alpha_reference_per_gy: ArrayLike) -> Floats:
    """Returns RBEmax = alpha / alpha_reference, the RBE as dose goes to 0.

    Raises:
        ScienceError: A coefficient is not a number, alpha is negative or alpha_reference is not above 0.
    """
    alpha, reference = checked(
        {
            "alpha_per_gy": (alpha_per_gy, NOT_NEGATIVE),
            "alpha_reference_per_gy": (alpha_reference_per_gy, ABOVE_ZERO),
        }
    )
    return np.asarray(alpha / reference)[()]


def rbe_min(*, beta_per_gy2: ArrayLike, beta_reference_per_gy2: ArrayLike) -> Floats:
    """Returns RBEmin = sqrt(beta / beta_reference), the RBE as dose grows without limit.

    Raises:
        ScienceError: A coefficient is not a number, beta is negative or beta_reference is not above 0.
    """
    beta, reference = checked(
        {
            "beta_per_gy2": (beta_per_gy2, NOT_NEGATIVE),
            "beta_reference_per_gy2": (beta_reference_per_gy2, ABOVE_ZERO),
        }
    )
    return np.asarray(np.sqrt(beta / reference))[()]


def dose_warnings(dose_gy: ArrayLike) -> tuple[str, ...]:
    """Returns what is implausible about doses of a test radiation in Gy."""
    dose = np.atleast_1d(np.asarray(dose_gy, dtype=np.float64)).ravel()
    rows = np.flatnonzero(dose > _LARGEST_USUAL_DOSE_GY)
    if not len(rows):
        return ()
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    place = f"dose {dose[rows[0]]:g} Gy" + (f" (row {rows[0] + 1}){more}" if dose.size > 1 else "")
    return (f"{place} is above {_LARGEST_USUAL_DOSE_GY:g} Gy, where no survival is measured: is it in cGy?",)


_PARTS = ("value", "endpoint", "effect_level", "reference_radiation", "dose_gy", "let_kind", "let_kev_um", "particle")


def _order(issue: Issue) -> int:
    return _PARTS.index(issue.where)


def _text_issues(name: str, value: object) -> list[Issue]:
    if not isinstance(value, str):
        return [Issue("not a text", where=name, wanted=f"words, or {NOT_STATED!r}", got=repr(value))]
    return [] if value.strip() else [Issue("missing", where=name, wanted=f"a value, or {NOT_STATED!r}")]


def _dose_issues(value: object) -> list[Issue]:
    wanted = f"a number of Gy, 0 for the limit of low dose, or {NOT_STATED!r}"
    if isinstance(value, str) and not value.strip():
        return [Issue("missing", where="dose_gy", wanted=f"a value, or {NOT_STATED!r}")]
    stated = isinstance(value, str) and value == NOT_STATED
    if stated or _is_positive(value) or (_is_number(value) and value == 0):
        return []
    return [Issue("not a dose", where="dose_gy", wanted=wanted, got=repr(value))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.complexfloating)


def _is_positive(value: object) -> bool:
    return _is_number(value) and math.isfinite(float(value)) and float(value) > 0  # type: ignore[arg-type]
