"""Biologically effective dose, and schedules of equal effect.

BED is the dose in infinitely small fractions that has the effect of a schedule: -ln S / alpha of the
linear-quadratic model. All functions take numbers or arrays, broadcast them and return an array of the common
shape (a NumPy number for numbers). Doses are in Gy, total doses unless the name says per fraction, so that the
dose column of a DVH goes in as it is.

Sources: G. W. Barendsen, Int J Radiat Oncol Biol Phys 8 (1982) 1981-1997 (the concept); J. F. Fowler, Br J Radiol
62 (1989) 679-694; H. R. Withers, H. D. Thames and L. J. Peters, Radiother Oncol 1 (1983) 187-191 (isoeffect).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from braggbook.errors import ScienceError
from braggbook.radiobiology.arguments import (
    ABOVE_ZERO,
    ABOVE_ZERO_OR_INFINITE,
    NOT_NEGATIVE,
    WHOLE_ABOVE_ZERO,
    Floats,
    checked,
)

# No schedule gives every fraction more than this: such numbers are cGy. Single hot voxels may have more.
_LARGEST_FRACTION_GY = 100.0
STANDARD_FRACTION_GY = 2.0  # what EQD2 is named for


def bed(total_dose_gy: ArrayLike, *, fractions: ArrayLike, alpha_beta_gy: ArrayLike) -> Floats:
    """Returns BED = D (1 + (D/n) / (a/b)) in Gy.

    Args:
        total_dose_gy: Total dose D in Gy, 0 or more.
        fractions: Number n of equal fractions, whole.
        alpha_beta_gy: a/b in Gy, above 0; infinite for no fraction effect.

    Raises:
        ScienceError: An argument is out of its range, with its row; or every dose per fraction is above 100 Gy,
            which only cGy are.
    """
    dose, n, ratio = _schedule(total_dose_gy, fractions=fractions, alpha_beta_gy=alpha_beta_gy)
    return np.asarray(dose * (1.0 + dose / n / ratio))[()]


def eqd2(total_dose_gy: ArrayLike, *, fractions: ArrayLike, alpha_beta_gy: ArrayLike) -> Floats:
    """Returns the total dose in 2 Gy fractions that has the same BED, in Gy.

    Raises:
        ScienceError: As :func:`bed`.
    """
    return eqdx(
        total_dose_gy, fractions=fractions, alpha_beta_gy=alpha_beta_gy, dose_per_fraction_gy=STANDARD_FRACTION_GY
    )


def eqdx(
    total_dose_gy: ArrayLike, *, fractions: ArrayLike, alpha_beta_gy: ArrayLike, dose_per_fraction_gy: ArrayLike
) -> Floats:
    """Returns the total dose in fractions of ``dose_per_fraction_gy`` that has the same BED, in Gy.

    It is D (D/n + a/b) / (x + a/b), which for an infinite a/b is D.

    Raises:
        ScienceError: As :func:`bed`.
    """
    effective = bed(total_dose_gy, fractions=fractions, alpha_beta_gy=alpha_beta_gy)
    return eqdx_of_bed(effective, dose_per_fraction_gy=dose_per_fraction_gy, alpha_beta_gy=alpha_beta_gy)


def eqdx_of_bed(
    bed_gy: ArrayLike, *, alpha_beta_gy: ArrayLike, dose_per_fraction_gy: ArrayLike = STANDARD_FRACTION_GY
) -> Floats:
    """Returns the total dose in fractions of ``dose_per_fraction_gy`` (2 Gy unless given) with this BED, in Gy.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    effective, size, ratio = checked(
        {
            "bed_gy": (bed_gy, NOT_NEGATIVE),
            "dose_per_fraction_gy": (dose_per_fraction_gy, NOT_NEGATIVE),
            "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO_OR_INFINITE),
        }
    )
    return np.asarray(effective / (1.0 + size / ratio))[()]


def dose_per_fraction_at_bed(bed_gy: ArrayLike, *, fractions: ArrayLike, alpha_beta_gy: ArrayLike) -> Floats:
    """Returns the dose per fraction in Gy with which this many fractions reach a BED.

    It is the positive root of n d (1 + d / (a/b)) = BED, in the form that keeps its digits for a large a/b.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    effective, n, ratio = checked(
        {
            "bed_gy": (bed_gy, NOT_NEGATIVE),
            "fractions": (fractions, WHOLE_ABOVE_ZERO),
            "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO_OR_INFINITE),
        }
    )
    each = effective / n
    return np.asarray(2.0 * each / (1.0 + np.sqrt(1.0 + 4.0 * each / ratio)))[()]


def fractions_at_bed(bed_gy: ArrayLike, *, dose_per_fraction_gy: ArrayLike, alpha_beta_gy: ArrayLike) -> Floats:
    """Returns how many fractions of a given size reach a BED; seldom whole, and not rounded here.

    Raises:
        ScienceError: An argument is out of its range, with its row.
    """
    effective, size, ratio = checked(
        {
            "bed_gy": (bed_gy, NOT_NEGATIVE),
            "dose_per_fraction_gy": (dose_per_fraction_gy, ABOVE_ZERO),
            "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO_OR_INFINITE),
        }
    )
    return np.asarray(effective / (size * (1.0 + size / ratio)))[()]


def alpha_beta_of_isoeffect(
    total_dose_gy: ArrayLike, *, fractions: ArrayLike, other_total_dose_gy: ArrayLike, other_fractions: ArrayLike
) -> Floats:
    """Returns the a/b in Gy at which two schedules have the same BED: (D2 d2 - D1 d1) / (D1 - D2).

    Raises:
        ScienceError: An argument is out of its range, with its row; or no a/b above 0 makes the schedules equal,
            because the one with the larger total dose has also the larger fractions.
    """
    dose, n, other, other_n = checked(
        {
            "total_dose_gy": (total_dose_gy, ABOVE_ZERO),
            "fractions": (fractions, WHOLE_ABOVE_ZERO),
            "other_total_dose_gy": (other_total_dose_gy, ABOVE_ZERO),
            "other_fractions": (other_fractions, WHOLE_ABOVE_ZERO),
        }
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.asarray((other**2 / other_n - dose**2 / n) / (dose - other))
    if not np.all(np.isfinite(ratio) & (ratio > 0)):
        raise ScienceError(
            "no alpha/beta makes the schedules equal",
            wanted="the schedule with the smaller total dose to have the larger sum of n d^2",
            got=f"alpha/beta {np.ravel(ratio)[np.argmin(np.where(np.isfinite(ratio), ratio, -np.inf))]:g} Gy",
        )
    return ratio[()]


def bed_linear_quadratic_linear(
    total_dose_gy: ArrayLike, *, fractions: ArrayLike, alpha_beta_gy: ArrayLike, transition_dose_gy: ArrayLike
) -> Floats:
    """Returns the BED of the LQ-L model: above the transition dose, survival follows the tangent.

    Per fraction d > d_T it is d_T (1 + d_T / (a/b)) + (1 + 2 d_T / (a/b)) (d - d_T); below, the LQ model's.

    Args:
        total_dose_gy: Total dose in Gy, 0 or more.
        fractions: Number of equal fractions, whole.
        alpha_beta_gy: a/b in Gy, above 0.
        transition_dose_gy: d_T in Gy, above 0.

    Raises:
        ScienceError: As :func:`bed`.

    Source: M. Astrahan, Med Phys 35 (2008) 4161-4172, with the slope of the tangent.
    """
    dose, n, ratio = _schedule(total_dose_gy, fractions=fractions, alpha_beta_gy=alpha_beta_gy)
    dose, n, ratio, transition = checked(
        {
            "total_dose_gy": (dose, NOT_NEGATIVE),
            "fractions": (n, WHOLE_ABOVE_ZERO),
            "alpha_beta_gy": (ratio, ABOVE_ZERO_OR_INFINITE),
            "transition_dose_gy": (transition_dose_gy, ABOVE_ZERO),
        }
    )
    curved = np.minimum(dose / n, transition)
    straight = dose / n - curved
    return np.asarray(n * (curved * (1.0 + curved / ratio) + (1.0 + 2.0 * curved / ratio) * straight))[()]


def bed_rbe_weighted(
    total_dose_gy: ArrayLike,
    *,
    fractions: ArrayLike,
    alpha_beta_gy: ArrayLike,
    rbe_max: ArrayLike,
    rbe_min: ArrayLike = 1.0,
) -> Floats:
    """Returns the photon BED of a beam of another quality: D (RBEmax + RBEmin^2 d / (a/b)) in Gy.

    Args:
        total_dose_gy: Absorbed dose of the beam in Gy, not multiplied by an RBE.
        fractions: Number of equal fractions, whole.
        alpha_beta_gy: a/b of the reference photons in Gy, above 0.
        rbe_max: RBE as the dose per fraction goes to 0, above 0.
        rbe_min: RBE as it grows without limit, 0 or more.

    Raises:
        ScienceError: As :func:`bed`.

    Sources: R. G. Dale and B. Jones, Int J Radiat Oncol Biol Phys 43 (1999) 639-645; A. Carabe-Fernandez, R. G. Dale
    and B. Jones, Int J Radiat Biol 83 (2007) 27-39.
    """
    dose, n, ratio = _schedule(total_dose_gy, fractions=fractions, alpha_beta_gy=alpha_beta_gy)
    dose, n, ratio, largest, smallest = checked(
        {
            "total_dose_gy": (dose, NOT_NEGATIVE),
            "fractions": (n, WHOLE_ABOVE_ZERO),
            "alpha_beta_gy": (ratio, ABOVE_ZERO_OR_INFINITE),
            "rbe_max": (rbe_max, ABOVE_ZERO),
            "rbe_min": (rbe_min, NOT_NEGATIVE),
        }
    )
    return np.asarray(dose * (largest + smallest**2 * dose / n / ratio))[()]


def check_fraction_doses(doses_gy: Floats) -> None:
    """Raises ScienceError when every dose per fraction is so large that it must be in cGy."""
    positive = doses_gy[doses_gy > 0]
    if positive.size and positive.min() > _LARGEST_FRACTION_GY:
        raise ScienceError(
            "the doses look like cGy",
            wanted=f"Gy; no schedule has {_LARGEST_FRACTION_GY:g} Gy in every fraction",
            got=f"{positive.min():g} or more per fraction",
        )


def _schedule(total_dose_gy: ArrayLike, *, fractions: ArrayLike, alpha_beta_gy: ArrayLike) -> tuple[Floats, ...]:
    dose, n, ratio = checked(
        {
            "total_dose_gy": (total_dose_gy, NOT_NEGATIVE),
            "fractions": (fractions, WHOLE_ABOVE_ZERO),
            "alpha_beta_gy": (alpha_beta_gy, ABOVE_ZERO_OR_INFINITE),
        }
    )
    check_fraction_doses(np.atleast_1d(dose / n))
    return dose, n, ratio
