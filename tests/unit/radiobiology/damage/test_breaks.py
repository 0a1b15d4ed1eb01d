"""Yields with their errors, complexity, chromosomes, and foci that hide each other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ScienceError
from braggbook.radiobiology.damage import (
    chromosome_counts,
    classify_breaks,
    damage_yields,
    mean_tracks,
    overlap_corrected,
    resolvable_foci,
)
from braggbook.radiobiology.damage.breaks import _pairs
from braggbook.testing.damage import MadeDamage, make_sdd


def damages(*rows: tuple[int, int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["exposure", "dsb", "strand_breaks", "base_damages"])


def lesions(*rows: tuple[int, int, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["damage", "strand", "base_pair", "kind"])


def test_yields_are_means_over_exposures() -> None:
    table = damages((0, 1, 2, 0), (0, 1, 3, 1), (0, 0, 1, 0), (1, 1, 2, 0), (2, 4, 5, 2))
    found = damage_yields(table, dose_gy=2.0)
    assert (found.exposures, found.dose_gy) == (3, 2.0)
    counts = np.array([2, 1, 1])
    assert found["dsb"].per_gy == pytest.approx(counts.mean() / 2.0)
    assert found["dsb"].standard_error == pytest.approx(counts.std(ddof=1) / math.sqrt(3) / 2.0)
    assert found["dsb"].dispersion == pytest.approx(counts.var(ddof=1) / counts.mean())
    assert found["simple dsb"].total == 2
    assert found["complex dsb"].total == 2
    assert found["strand breaks"].total == 13
    assert found["base damages"].total == 3
    assert found.per_gbp("dsb", genome_gbp=6.0) == pytest.approx(found["dsb"].per_gy / 6.0)
    assert "fewer than 5 DSBs per exposure: exposures without damage leave no line; give their number" in found.warnings


def test_exposures_without_damage_count() -> None:
    table = damages((0, 1, 2, 0), (1, 1, 2, 0))
    assert damage_yields(table, dose_gy=1.0, exposures=10)["dsb"].per_gy == pytest.approx(0.2)


def test_one_exposure_has_no_error() -> None:
    found = damage_yields(damages((0, 1, 2, 0)), dose_gy=1.0)
    assert (found["dsb"].standard_error, found["dsb"].interval, found["dsb"].dispersion) == (None, None, None)
    assert "one exposure: no error can be given" in found.warnings


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([(1, 1), (4, 5)], "DSB"),
        ([(1, 1), (4, 11)], "DSB"),  # ten apart is within ten
        ([(1, 1), (4, 12)], None),
        ([(1, 1), (1, 5)], None),  # one strand
        ([(1, 1), (4, 5), (1, 9)], "DSB+"),
        ([(1, 1), (4, 5), (1, 16)], "DSB"),  # the third is further away
        ([(1, 1), (4, 2), (1, 6), (4, 7)], "DSB++"),
        ([(1, 1), (4, 2), (1, 31), (4, 32)], "DSB"),  # two DSBs, far from each other
        ([(2, 1), (3, 5)], None),  # bases
    ],
)
def test_complexity_by_nikjoo(rows: list[tuple[int, int]], kind: str | None) -> None:
    table = lesions(*((7, strand, place, 1) for strand, place in rows))
    assert classify_breaks(table, distance_bp=10).get(7) == kind
    other = {1: 2, 4: 3, 2: 1, 3: 4}
    swapped = table.assign(strand=table["strand"].map(other))
    assert classify_breaks(swapped, distance_bp=10, backbone_strands=(2, 3)).get(7) == kind


def test_lesions_below_the_threshold_are_no_breaks() -> None:
    assert classify_breaks(lesions((0, 1, 1, 1), (0, 4, 2, 0)), distance_bp=10).empty
    assert classify_breaks(lesions(), distance_bp=10).empty


places = st.lists(st.integers(1, 30), max_size=5, unique=True).map(lambda v: np.array(sorted(v), dtype=float))


@given(places, places)
def test_as_many_pairs_as_possible(first: np.ndarray, second: np.ndarray) -> None:
    """Against every assignment of the shorter strand's breaks to the longer one's."""
    short, long_ = sorted((first.tolist(), second.tolist()), key=len)
    best = max(
        (sum(abs(a - b) <= 4 for a, b in zip(short, chosen, strict=True)) for chosen in itertools.permutations(long_, len(short))),
        default=0,
    )  # fmt: skip
    assert len(_pairs(first, second, distance=4)) == best


@pytest.mark.full
def test_made_damage_has_the_yield_that_was_asked_for() -> None:
    asked = MadeDamage(dsb_per_gy=30, let_kev_um=1, dose_gy=2.0, exposures=200, complex_fraction=0.25)
    file = make_sdd(asked, seed=8)
    kinds = classify_breaks(file.lesions, distance_bp=10)
    found = damage_yields(file.damages, dose_gy=2.0, exposures=200, complexity=kinds)
    assert found["dsb"].interval is not None
    assert 30.0 in found["dsb"].interval
    assert found["DSB+"].total / found["dsb"].total == pytest.approx(0.25, abs=0.02)
    assert found["DSB+"].total + found["DSB"].total == found["dsb"].total
    assert found["dsb"].dispersion == pytest.approx(1.0, abs=0.35)  # a track of 1 keV/um leaves 0.07 DSBs
    assert make_sdd(asked, seed=8).damages.equals(file.damages)
    assert not make_sdd(asked, seed=9).damages.equals(file.damages)


def test_tracks_make_yields_scatter() -> None:
    file = make_sdd(MadeDamage(dsb_per_gy=60, let_kev_um=100, exposures=100), seed=2)
    found = damage_yields(file.damages, dose_gy=1.0, exposures=100)
    assert found["dsb"].dispersion is not None
    assert found["dsb"].dispersion > 5.0
    assert any("more than Poisson" in warning for warning in found.warnings)


@pytest.mark.full
def test_the_interval_of_a_yield_covers_it() -> None:
    inside = 0
    for seed in range(200):
        file = make_sdd(MadeDamage(dsb_per_gy=30, let_kev_um=20, exposures=20), seed=seed)
        interval = damage_yields(file.damages, dose_gy=1.0, exposures=20)["dsb"].interval
        inside += interval is not None and 30.0 in interval
    assert 0.90 <= inside / 200 <= 0.99


def test_breaks_go_with_the_size_of_chromosomes() -> None:
    file = make_sdd(MadeDamage(dsb_per_gy=40, let_kev_um=1, exposures=50), seed=4)
    sizes = file.header.chromosome_sizes_mbp
    assert sizes is not None
    table = chromosome_counts(file.damages, chromosome_sizes_mbp=sizes, first_chromosome=1)
    assert table["dsb"].sum() == file.damages["dsb"].sum()
    assert table["expected"].sum() == pytest.approx(table["dsb"].sum())
    assert (table.attrs["df"], table.attrs["p"] > 0.01) == (45, True)
    one_place = file.damages.assign(chromosome=1)
    assert chromosome_counts(one_place, chromosome_sizes_mbp=sizes, first_chromosome=1).attrs["p"] < 1e-10
    with pytest.raises(ScienceError, match="a chromosome number has no size; wanted 0 to 45, got 46"):
        chromosome_counts(file.damages, chromosome_sizes_mbp=sizes, first_chromosome=0)


@pytest.mark.parametrize(
    ("change", "options", "issue"),
    [
        ({"dsb": -1}, {}, "row 1: dsb is not a count; wanted 0 or more, got -1"),
        ({"dsb": 0.5}, {}, "row 1: dsb is not a count; wanted 0 or more, got 0.5"),
        ({"strand_breaks": "two"}, {}, "row 1: strand_breaks is not a count; wanted 0 or more, got 'two'"),
        ({"base_damages": None}, {}, "row 1: base_damages is not a count; wanted 0 or more, got None"),
        ({}, {"dose_gy": 0}, "the dose is not usable; wanted Gy, above 0, got 0"),
        ({}, {"dose_gy": "1"}, "the dose is not usable; wanted Gy, above 0, got '1'"),
        ({}, {"dose_gy": math.nan}, "the dose is not usable; wanted Gy, above 0, got nan"),
        ({}, {"exposures": 0}, "the number of exposures is not usable; wanted 1 or more, got 0"),
        ({}, {"exposures": 2.5}, "the number of exposures is not usable; wanted 1 or more, got 2.5"),
    ],
)
def test_bad_tables_are_named(change: dict[str, object], options: dict[str, object], issue: str) -> None:
    table = damages((0, 1, 2, 0)).assign(**change)
    with pytest.raises(ScienceError) as caught:
        damage_yields(table, **({"dose_gy": 1.0} | options))  # type: ignore[arg-type]
    assert [str(found) for found in caught.value.issues] == [issue]


def test_missing_columns_and_names() -> None:
    with pytest.raises(ScienceError, match="no column 'exposure'"):
        damage_yields(damages((0, 1, 2, 0)).drop(columns="exposure"), dose_gy=1.0)
    with pytest.raises(ScienceError, match="wanted a pandas DataFrame, got list"):
        damage_yields([], dose_gy=1.0)  # type: ignore[arg-type]
    with pytest.raises(ScienceError, match="no yield of 'dsbs'; did you mean dsb"):
        damage_yields(damages((0, 1, 2, 0)), dose_gy=1.0)["dsbs"]
    with pytest.raises(ScienceError, match="no distance makes a DSB; wanted base pairs, above 0, got 0"):
        classify_breaks(lesions((0, 1, 1, 1)), distance_bp=0)
    with pytest.raises(ScienceError, match="not two strands"):
        classify_breaks(lesions((0, 1, 1, 1)), distance_bp=10, backbone_strands=(1, 1))
    with pytest.raises(ScienceError, match="complexity does not belong"):
        damage_yields(damages((0, 1, 2, 0)), dose_gy=1.0, complexity=pd.Series({99: "DSB"}))


# ------------------------------------------------------------------------------------- foci that hide each other


def test_tracks_through_a_nucleus() -> None:
    """D = 0.1602 L F at unit density: 1 Gy of 100 keV/um is 6.24 tracks per 100 um^2."""
    assert mean_tracks(dose_gy=1.0, let_kev_um=100.0, nucleus_area_um2=100.0) == pytest.approx(6.2415, rel=1e-4)


def test_overlap_is_undone() -> None:
    for breaks in (0.0, 1.0, 5.0, 20.0):
        seen = float(resolvable_foci(breaks, places=10.0))
        assert overlap_corrected(seen, places=10.0).breaks == pytest.approx(breaks, rel=1e-9, abs=1e-12)


def test_overlap_is_what_a_simulation_counts() -> None:
    rng = np.random.default_rng(12)
    cells, tracks, per_track = 20_000, 6.0, 1.5
    number = rng.poisson(tracks, size=cells)
    seen = np.array([(rng.poisson(per_track, size=n) > 0).sum() for n in number])
    found = overlap_corrected(float(seen.mean()), places=tracks, standard_error=float(seen.std() / math.sqrt(cells)))
    assert found.standard_error is not None
    assert abs(found.breaks - tracks * per_track) < 4 * found.standard_error
    assert found.occupied == pytest.approx(-math.expm1(-per_track), abs=0.01)


def test_saturation_is_said() -> None:
    assert overlap_corrected(9.0, places=10.0).warnings == (
        "90% of the places show a focus: the correction hangs on their number",
    )
    with pytest.raises(ScienceError, match=r"as many foci as places.*wanted fewer than 10 foci, got 12"):
        overlap_corrected(12.0, places=10.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: overlap_corrected(-1, places=10), "foci: not usable; wanted a finite number, 0 or more, got -1"),
        (lambda: overlap_corrected(1, places=0), "places: not usable; wanted a finite number above 0, got 0"),
        (
            lambda: overlap_corrected(1, places=10, standard_error=-1),
            "standard_error: not usable; wanted a finite number, 0 or more, got -1",
        ),
        (lambda: overlap_corrected("1", places=10), "foci: not numbers; wanted a finite number, 0 or more, got '1'"),  # type: ignore[arg-type]
        (lambda: resolvable_foci(-1, places=10), "breaks: not usable; wanted a finite number, 0 or more, got -1"),
        (
            lambda: mean_tracks(dose_gy=0, let_kev_um=1, nucleus_area_um2=1),
            "dose_gy: not usable; wanted a finite number above 0, got 0",
        ),
    ],
)
def test_bad_foci_are_named(call: object, message: str) -> None:
    with pytest.raises(ScienceError, match=message.replace("(", r"\(")):
        call()  # type: ignore[operator]


def test_damage_that_was_never_seen_has_an_upper_limit_and_no_error() -> None:
    found = damage_yields(damages((0, 1, 2, 0), (1, 1, 2, 0)), dose_gy=2.0, exposures=10)["base damages"]
    assert (found.per_gy, found.standard_error, found.dispersion, found.total) == (0.0, None, None, 0)
    assert found.interval is not None
    # 0 of a Poisson count: -ln(0.025) at most
    assert tuple(found.interval) == (0.0, pytest.approx(-math.log(0.025) / 20.0))


def test_a_yield_is_not_negative() -> None:
    found = damage_yields(damages((0, 1, 2, 0)), dose_gy=1.0, exposures=10)["dsb"]
    assert found.interval is not None
    assert (found.interval.lower, found.interval.note) == (0.0, "cut at 0, from -0.1262")
