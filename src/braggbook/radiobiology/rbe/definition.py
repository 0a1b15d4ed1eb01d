"""Relative biological effectiveness from linear-quadratic parameters.

RBE = D_reference / D_test at equal effect. As a bare number it means nothing, hence :class:`Rbe`, which
cannot be made without saying what the number is of. RBE is never clipped: below 1 is a result.

The functions take numbers or arrays, broadcast them and return an array of the common shape (a NumPy number
for numbers). Estimates with uncertainty are in :mod:`braggbook.radiobiology.rbe.uncertainty`.

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
from braggbook.radiobiology.intervals import Interval
from braggbook.radiobiology.rbe.let import NOT_STATED, LetKind

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Rbe:
    """An RBE with all that defines it; every part must be given ("not stated" is an answer, silence is not).

    Attributes:
        value: The RBE, above 0.
        endpoint: What was observed, for example "clonogenic survival of V79 cells".
        effect_level: At which effect, for example 0.1 (surviving fraction), or "not stated".
        reference_radiation: For example "250 kVp x rays", "60Co gamma rays", or "not stated".
        dose_gy: Dose of the test radiation in Gy, or "not stated".
        let_kind: Kind of the LET that goes with it; ``LetKind("not stated")`` when not known.
        let_kev_um: That LET in keV/um, if there is one.
        interval: Confidence interval of the value, if there is one.
    """

    value: float
    endpoint: str = ""
    effect_level: float | str = ""
    reference_radiation: str = ""
    dose_gy: float | str = ""
    let_kind: LetKind | None = None
    let_kev_um: float | None = None
    interval: Interval | None = None

    def __post_init__(self) -> None:
        """Raises ScienceError that names every part which is missing or not usable."""
        issues = []
        if not _is_positive(self.value):
            issues.append(Issue("not an RBE", where="value", wanted="a number above 0", got=repr(self.value)))
        for name in ("endpoint", "effect_level", "reference_radiation", "dose_gy"):
            if not str(getattr(self, name)).strip():
                issues.append(Issue("missing", where=name, wanted=f"a value, or {NOT_STATED!r}"))
        issues += _number_issues("effect_level", self.effect_level, wanted="above 0, or words")
        if isinstance(self.dose_gy, str) and self.dose_gy.strip() not in ("", NOT_STATED):
            issues.append(
                Issue(
                    "not a dose",
                    where="dose_gy",
                    wanted=f"a number in Gy, or {NOT_STATED!r}",
                    got=repr(self.dose_gy),
                )
            )
        issues += _number_issues("dose_gy", self.dose_gy, wanted="above 0 Gy")
        if self.let_kind is None:
            issues.append(Issue("missing", where="let_kind", wanted=f"a LetKind, or LetKind({NOT_STATED!r})"))
        if self.let_kev_um is not None:
            issues += _number_issues("let_kev_um", self.let_kev_um, wanted="above 0 keV/um")
        if issues:
            raise ScienceError("an RBE must say what it is of", issues=issues)


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
    check_arguments(
        zero_or_more={"dose_gy": dose_gy, "rbe_max": rbe_max, "rbe_min": rbe_min},
        above_zero={"alpha_beta_gy": alpha_beta_gy},
    )
    dose, ratio, largest, smallest = (
        np.asarray(value, dtype=np.float64) for value in (dose_gy, alpha_beta_gy, rbe_max, rbe_min)
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
    level = np.asarray(survival, dtype=np.float64)
    if not np.all((level > 0) & (level < 1)):
        raise ScienceError("a survival level is not usable", wanted="between 0 and 1", got=str(level))
    reference = lq.dose_at_survival(level, alpha_per_gy=alpha_reference_per_gy, beta_per_gy2=beta_reference_per_gy2)
    return np.asarray(reference / lq.dose_at_survival(level, alpha_per_gy=alpha_per_gy, beta_per_gy2=beta_per_gy2))[()]


def rbe_max(*, alpha_per_gy: ArrayLike, alpha_reference_per_gy: ArrayLike) -> Floats:
    """Returns RBEmax = alpha / alpha_reference, the RBE as dose goes to 0.

    Raises:
        ScienceError: A coefficient is not a number, alpha is negative or alpha_reference is not above 0.
    """
    check_arguments(
        zero_or_more={"alpha_per_gy": alpha_per_gy},
        above_zero={"alpha_reference_per_gy": alpha_reference_per_gy},
    )
    return np.asarray(np.asarray(alpha_per_gy) / np.asarray(alpha_reference_per_gy), dtype=np.float64)[()]


def rbe_min(*, beta_per_gy2: ArrayLike, beta_reference_per_gy2: ArrayLike) -> Floats:
    """Returns RBEmin = sqrt(beta / beta_reference), the RBE as dose grows without limit.

    Raises:
        ScienceError: A coefficient is not a number, beta is negative or beta_reference is not above 0.
    """
    check_arguments(
        zero_or_more={"beta_per_gy2": beta_per_gy2},
        above_zero={"beta_reference_per_gy2": beta_reference_per_gy2},
    )
    ratio = np.asarray(beta_per_gy2) / np.asarray(beta_reference_per_gy2)
    return np.asarray(np.sqrt(ratio), dtype=np.float64)[()]


def check_arguments(
    *, zero_or_more: dict[str, ArrayLike] | None = None, above_zero: dict[str, ArrayLike] | None = None
) -> None:
    """Raises ScienceError that names every argument outside its range, with its first offending number."""
    issues = []
    for arguments, strict in ((zero_or_more or {}, False), (above_zero or {}, True)):
        for name, value in arguments.items():
            array = np.atleast_1d(np.asarray(value, dtype=np.float64))
            good = np.isfinite(array) & ((array > 0) if strict else (array >= 0))
            if not np.all(good):
                wanted = "finite numbers above 0" if strict else "finite numbers, 0 or more"
                count = int(np.sum(~good))
                got = f"{array[~good][0]:g}" + (f" and {count - 1} more" if count > 1 else "")
                issues.append(Issue("not usable", where=name, wanted=wanted, got=got))
    if issues:
        raise ScienceError("the arguments are not usable", issues=issues)


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float | np.number) and math.isfinite(float(value)) and float(value) > 0


def _number_issues(name: str, value: object, *, wanted: str) -> list[Issue]:
    if isinstance(value, str) or _is_positive(value):
        return []
    return [Issue("not usable", where=name, wanted=f"a number {wanted}", got=repr(value))]
