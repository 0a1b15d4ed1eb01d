"""Yields of DNA damage: how many per Gy and cell, how complex, on which chromosome.

The tables are those of an SDD file (:mod:`braggbook.radiobiology.io.sdd`): ``damages`` with a row per damage, and
``lesions`` with a row per lesion. Yields are means over exposures; their errors come from the scatter between
exposures, never from the number of breaks alone, because breaks of one track come together.

An exposure without any damage leaves no line in an SDD file. Where yields are low, say how many were simulated.

Complexity is that of H. Nikjoo et al., Int J Radiat Biol 71 (1997) 467-483: DSB (two breaks, one on each strand,
at most ``distance_bp`` apart), DSB+ (one DSB with at least one more break within that distance of it), DSB++ (two
DSBs or more within that distance of each other).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from braggbook.errors import Issue, ScienceError, closest
from braggbook.radiobiology.arguments import shortened
from braggbook.radiobiology.intervals import Interval, check_level, poisson_count_intervals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COMPLEXITIES = ("DSB", "DSB+", "DSB++")


@dataclass(frozen=True)
class DamageYield:
    """A mean number of damages per Gy and cell.

    Attributes:
        name: What is counted.
        per_gy: Mean per Gy and cell.
        standard_error: Of the mean, from the scatter between exposures; None with one exposure or without a count.
        interval: Student's interval of the mean, not below 0; without a count the exact Poisson one; None with one
            exposure.
        dispersion: Variance over mean of the counts of exposures: 1 when they are Poisson; None with one exposure
            or without a count.
        total: Damages counted in all exposures.
    """

    name: str
    per_gy: float
    standard_error: float | None
    interval: Interval | None
    dispersion: float | None
    total: int


@dataclass(frozen=True, eq=False)
class DamageYields:
    """Yields of all kinds of damage in one set of exposures.

    Attributes:
        dose_gy: Absorbed dose of one exposure, Gy.
        exposures: Number of exposures, those without damage included.
        yields: By name: "dsb", "simple dsb" (two strand breaks), "complex dsb" (three or more), "strand breaks",
            "base damages"; and with a classification "DSB", "DSB+", "DSB++".
        counts: A row per exposure, a column per name.
        warnings: What a reader must know, one sentence each.
    """

    dose_gy: float
    exposures: int
    yields: dict[str, DamageYield]
    counts: pd.DataFrame
    warnings: tuple[str, ...]

    def __getitem__(self, name: str) -> DamageYield:
        """Returns a yield by its name."""
        if name not in self.yields:
            raise ScienceError(f"no yield of {name!r}", wanted=closest(name, self.yields))
        return self.yields[name]

    def per_gbp(self, name: str, *, genome_gbp: float) -> float:
        """Returns a yield per Gy and 10^9 base pairs of a genome of this size (6.1 or so for a human G1 cell)."""
        if not (math.isfinite(genome_gbp) and genome_gbp > 0):
            raise ScienceError("the genome has no size", wanted="Gbp, above 0", got=repr(genome_gbp))
        return self[name].per_gy / genome_gbp

    def table(self) -> pd.DataFrame:
        """Returns the yields as a table: name, per_gy, standard_error, lower, upper, dispersion, total."""
        rows = [
            {
                "name": item.name,
                "per_gy": item.per_gy,
                "standard_error": np.nan if item.standard_error is None else item.standard_error,
                "lower": np.nan if item.interval is None else item.interval.lower,
                "upper": np.nan if item.interval is None else item.interval.upper,
                "dispersion": np.nan if item.dispersion is None else item.dispersion,
                "total": item.total,
            }
            for item in self.yields.values()
        ]
        return pd.DataFrame(rows)


def damage_yields(
    damages: pd.DataFrame,
    *,
    dose_gy: float,
    exposures: int | None = None,
    complexity: pd.Series | None = None,
    level: float = 0.95,
) -> DamageYields:
    """Counts damages per exposure and returns their yields per Gy and cell.

    Args:
        damages: Table with ``exposure`` (counted from 0) and the damage types ``dsb``, ``strand_breaks``,
            ``base_damages``. A damage with a ``dsb`` flag above 0 is one DSB, however large the flag.
        dose_gy: Absorbed dose of one exposure in Gy, the header's if it is a dose.
        exposures: Exposures simulated, where some left no damage; as many as the table has by default.
        complexity: A complexity per damage from :func:`classify_breaks`; damages without one are no DSB.
        level: Confidence level.

    Raises:
        ScienceError: A column is missing, a value is not a count, or the dose or number of exposures is not usable.
    """
    check_level(level)
    exposure, columns = _checked(damages)
    issues = []
    if not (isinstance(dose_gy, int | float | np.number) and math.isfinite(dose_gy) and dose_gy > 0):
        issues.append(Issue("the dose is not usable", wanted="Gy, above 0", got=repr(dose_gy)))
    seen = int(exposure.max()) + 1 if len(exposure) else 0
    count = seen if exposures is None else exposures
    if not isinstance(count, int | np.integer) or count < max(seen, 1):
        issues.append(Issue("the number of exposures is not usable", wanted=f"{max(seen, 1)} or more", got=repr(count)))
    if complexity is not None and not complexity.index.isin(damages.index).all():
        issues.append(Issue("complexity does not belong to these damages", wanted="the index of the damages"))
    if issues:
        raise ScienceError("damage cannot be counted", issues=issues)
    is_dsb, breaks = columns["dsb"] > 0, columns["strand_breaks"]
    weights = {
        "dsb": is_dsb,
        "simple dsb": is_dsb & (breaks <= 2),
        "complex dsb": is_dsb & (breaks > 2),
        "strand breaks": breaks,
        "base damages": columns["base_damages"],
    }
    if complexity is not None:
        kinds = complexity.reindex(damages.index)
        weights |= {name: (kinds == name).to_numpy() for name in COMPLEXITIES}
    counts = pd.DataFrame(
        {
            name: np.bincount(exposure, weights=value, minlength=count).astype(np.int64)
            for name, value in weights.items()
        }
    )
    yields = {str(name): _yield(str(name), counts[name].to_numpy(), dose_gy, level=level) for name in counts}
    return DamageYields(float(dose_gy), int(count), yields, counts, tuple(_warnings(yields, int(count), seen=seen)))


def chromosome_counts(
    damages: pd.DataFrame, *, chromosome_sizes_mbp: Sequence[float], first_chromosome: int
) -> pd.DataFrame:
    """Counts DSBs per chromosome and compares them with the chromosomes' sizes.

    Args:
        damages: Table with ``chromosome`` and ``dsb``.
        chromosome_sizes_mbp: Size of every chromosome in Mbp, in order.
        first_chromosome: The number of the first one in the table: 0 or 1. Writers differ; it must be told.

    Returns:
        A row per chromosome: chromosome, size_mbp, dsb, expected (by size), residual (Pearson). The attributes
        ``chi2``, ``df`` and ``p`` of the table test whether DSBs go with size.

    Raises:
        ScienceError: A column is missing, a chromosome has no size, or a number has no chromosome.
    """
    sizes = np.asarray(list(chromosome_sizes_mbp), dtype=np.float64)
    issues = [Issue(f"no column {name!r}") for name in ("chromosome", "dsb") if name not in damages]
    issues += [
        Issue(
            "a chromosome has no size", where=f"chromosome {first_chromosome + i}", wanted="Mbp, above 0", got=f"{v:g}"
        )
        for i, v in enumerate(sizes)
        if not (math.isfinite(v) and v > 0)
    ]
    if first_chromosome not in (0, 1):
        issues.append(Issue("not the number of a first chromosome", wanted="0 or 1", got=repr(first_chromosome)))
    if not len(sizes):
        issues.append(Issue("no chromosome sizes"))
    if issues:
        raise ScienceError("DSBs cannot be counted per chromosome", issues=issues)
    place = damages.loc[damages["dsb"] > 0, "chromosome"].to_numpy() - first_chromosome
    outside = (place < 0) | (place >= len(sizes))
    if outside.any():
        wanted = f"{first_chromosome} to {first_chromosome + len(sizes) - 1}"
        got = f"{int(place[outside][0]) + first_chromosome} ({int(outside.sum())} DSBs)"
        raise ScienceError("a chromosome number has no size", wanted=wanted, got=got)
    found = np.bincount(place, minlength=len(sizes))
    expected = found.sum() * sizes / sizes.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = np.where(expected > 0, (found - expected) / np.sqrt(expected), 0.0)
    table = pd.DataFrame(
        {
            "chromosome": np.arange(len(sizes)) + first_chromosome,
            "size_mbp": sizes,
            "dsb": found,
            "expected": expected,
            "residual": residual,
        }
    )
    chi2, df = float(np.sum(residual**2)), len(sizes) - 1
    table.attrs.update({"chi2": chi2, "df": df, "p": float(stats.chi2.sf(chi2, df)) if df else 1.0})
    return table


def classify_breaks(
    lesions: pd.DataFrame, *, distance_bp: float, backbone_strands: tuple[int, int] = (1, 4)
) -> pd.Series:
    """Pairs breaks on opposite strands and returns the complexity of every damage that holds a DSB.

    Breaks are paired so that as many DSBs come out as possible, from the first base pair on.

    Args:
        lesions: Table with ``damage``, ``strand``, ``base_pair``, ``kind`` (0: below the threshold, no break).
        distance_bp: Greatest separation of two breaks that make a DSB, in base pairs (10 is usual).
        backbone_strands: The two rows of the break specification that are backbones: (1, 4) in the examples of
            SDD 1.0, (2, 3) in files of TOPAS-nBio. ``check_sdd`` tells which agrees with a file.

    Returns:
        "DSB", "DSB+" or "DSB++" by damage (index); damages without a DSB are left out.

    Raises:
        ScienceError: A column is missing, the distance is not usable, or the strands are not two of 1 to 4.
    """
    issues = [Issue(f"no column {n!r}") for n in ("damage", "strand", "base_pair", "kind") if n not in lesions]
    if not (math.isfinite(distance_bp) and distance_bp > 0):
        issues.append(Issue("no distance makes a DSB", wanted="base pairs, above 0", got=repr(distance_bp)))
    if len(set(backbone_strands)) != 2 or set(backbone_strands) - {1, 2, 3, 4}:
        issues.append(Issue("not two strands", wanted="(1, 4) or (2, 3)", got=repr(backbone_strands)))
    if issues:
        raise ScienceError("breaks cannot be classified", issues=issues)
    real = lesions[(lesions["kind"] > 0) & lesions["strand"].isin(backbone_strands)]
    real = real.drop_duplicates(["damage", "strand", "base_pair"]).sort_values(["damage", "base_pair"], kind="stable")
    owner = real["damage"].to_numpy()
    place = real["base_pair"].to_numpy(dtype=np.float64)
    side = (real["strand"] == backbone_strands[1]).to_numpy()
    edges = np.flatnonzero(np.diff(owner, prepend=owner[:1] - 1)) if len(owner) else np.empty(0, dtype=np.int64)
    bounds = [*edges.tolist(), len(owner)]
    found: dict[int, str] = {}
    for start, stop in itertools.pairwise(bounds):
        kind = _complexity(place[start:stop], side[start:stop], distance=distance_bp)
        if kind:
            found[int(owner[start])] = kind
    return pd.Series(found, dtype=object, name="complexity")


def _complexity(place: Floats, side: NDArray[np.bool_], *, distance: float) -> str:
    """Returns the complexity of the breaks of one damage, "" when there is no DSB."""
    pairs = _pairs(place[~side], place[side], distance=distance)
    if not pairs:
        return ""
    centres = sorted((a + b) / 2.0 for a, b in pairs)
    if any(later - earlier <= distance for earlier, later in itertools.pairwise(centres)):
        return "DSB++"
    # A further break counts when it is within the distance of either break of a DSB.
    ends = np.array(pairs).ravel()
    near = np.any(np.abs(place[:, None] - ends[None, :]) <= distance, axis=1)
    return "DSB+" if int(near.sum()) > 2 * len(pairs) else "DSB"


def _pairs(first: Floats, second: Floats, *, distance: float) -> list[tuple[float, float]]:
    """Pairs sorted places at most ``distance`` apart; the lowest possible pair each time gives the most pairs."""
    pairs: list[tuple[float, float]] = []
    i = j = 0
    while i < len(first) and j < len(second):
        if abs(first[i] - second[j]) <= distance:
            pairs.append((float(first[i]), float(second[j])))
            i, j = i + 1, j + 1
        elif first[i] < second[j]:
            i += 1
        else:
            j += 1
    return pairs


def _checked(damages: pd.DataFrame) -> tuple[Ints, dict[str, Ints]]:
    """Returns the exposure and the damage types of every damage as whole numbers."""
    if not isinstance(damages, pd.DataFrame):
        raise ScienceError("not a table of damages", wanted="a pandas DataFrame", got=type(damages).__name__)
    names = ("exposure", "dsb", "strand_breaks", "base_damages")
    issues = [
        Issue(f"no column {n!r}", wanted=closest(n, map(str, damages.columns))) for n in names if n not in damages
    ]
    if issues:
        raise ScienceError("damage cannot be counted", issues=issues)
    found = {name: np.asarray(pd.to_numeric(damages[name], errors="coerce"), dtype=np.float64) for name in names}
    for name, values in found.items():
        with np.errstate(invalid="ignore"):
            bad = ~(np.isfinite(values) & (values >= 0) & (values == np.floor(values)))
        issues += [
            Issue(
                f"{name} is not a count", where=f"row {i + 1}", wanted="0 or more", got=shortened(damages[name].iloc[i])
            )
            for i in np.flatnonzero(bad)
        ]
    if issues:
        raise ScienceError("damage cannot be counted", issues=issues)
    whole = {name: values.astype(np.int64) for name, values in found.items()}
    return whole.pop("exposure"), whole


def _yield(name: str, counts: Ints, dose_gy: float, *, level: float) -> DamageYield:
    number, mean = len(counts), float(counts.mean())
    if number == 1:
        return DamageYield(name, mean / dose_gy, None, None, None, int(counts.sum()))
    variance = float(counts.var(ddof=1))
    error = math.sqrt(variance / number) / dose_gy
    if mean == 0:  # the scatter says nothing of damage that was not seen
        upper = float(poisson_count_intervals(np.zeros(1), level=level)[1][0]) / (number * dose_gy)
        return DamageYield(name, 0.0, None, Interval(0.0, upper, level, "exact Poisson, none seen"), None, 0)
    half = float(stats.t.ppf(0.5 + level / 2.0, number - 1)) * error
    low, high = mean / dose_gy - half, mean / dose_gy + half
    note = "" if low >= 0 else f"cut at 0, from {low:.4g}"
    interval = Interval(max(low, 0.0), high, level, f"mean of exposures, t({number - 1})", note=note)
    return DamageYield(name, mean / dose_gy, error, interval, variance / mean, int(counts.sum()))


def _warnings(yields: dict[str, DamageYield], exposures: int, *, seen: int) -> Iterable[str]:
    if exposures == 1:
        yield "one exposure: no error can be given"
    dsb = yields["dsb"]
    if dsb.total == 0:
        yield "no DSB in any exposure"
    elif seen == exposures and dsb.total / exposures < 5.0:
        # With a Poisson mean of 5 one exposure in 150 is empty and leaves no line in the file.
        yield "fewer than 5 DSBs per exposure: exposures without damage leave no line; give their number"
    if exposures > 2 and dsb.dispersion is not None:
        low, high = (float(stats.chi2.ppf(q, exposures - 1)) / (exposures - 1) for q in (0.005, 0.995))
        if dsb.dispersion > high:
            yield f"DSBs scatter more than Poisson (variance/mean {dsb.dispersion:.2f}), as breaks of one track do"
        if dsb.dispersion < low:
            yield f"DSBs scatter less than Poisson (variance/mean {dsb.dispersion:.2f}): are exposures independent?"
