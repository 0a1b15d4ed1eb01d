"""Fractionation and dose rate: published numbers, integrals done otherwise, limits, and bad input."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate

from braggbook.errors import ScienceError
from braggbook.radiobiology import fractionation as fx
from braggbook.radiobiology import linear_quadratic as lq
from braggbook.radiobiology import rbe_at_dose
from braggbook.radiobiology.fractionation import Repair
from braggbook.radiobiology.intervals import Interval

DOSE = st.floats(0.5, 20.0)
RATIO = st.floats(0.5, 20.0)
COUNT = st.integers(1, 40)
HALF_TIME = st.floats(0.2, 6.0)
TWO_POOLS = Repair((0.4, 4.0), (0.6, 0.4))


# BED, EQD2 and their inverses


@pytest.mark.parametrize(
    ("dose", "fractions", "ratio", "bed", "eqd2"),
    [
        (60.0, 30, 10.0, 72.0, 60.0),
        (60.0, 30, 3.0, 100.0, 60.0),
        (36.25, 5, 1.5, 211.4583333333, 90.625),
        (54.0, 3, 10.0, 151.2, 126.0),
        (55.0, 20, 10.0, 70.125, 58.4375),
    ],
)
def test_schedules_in_use(dose: float, fractions: int, ratio: float, bed: float, eqd2: float) -> None:
    assert fx.bed(dose, fractions=fractions, alpha_beta_gy=ratio) == pytest.approx(bed, rel=1e-11)
    assert fx.eqd2(dose, fractions=fractions, alpha_beta_gy=ratio) == pytest.approx(eqd2, rel=1e-11)


@given(DOSE, COUNT, RATIO)
def test_bed_is_the_effect_over_alpha(each: float, n: int, ratio: float) -> None:
    survival = lq.surviving_fraction(each, alpha_per_gy=0.1, beta_per_gy2=0.1 / ratio)
    found = fx.bed(n * each, fractions=n, alpha_beta_gy=ratio)
    assert found == pytest.approx(-n * math.log(survival) / 0.1, rel=1e-9)


@given(DOSE, COUNT, RATIO)
def test_inverses(each: float, n: int, ratio: float) -> None:
    effective = fx.bed(n * each, fractions=n, alpha_beta_gy=ratio)
    assert fx.dose_per_fraction_at_bed(effective, fractions=n, alpha_beta_gy=ratio) == pytest.approx(each, rel=1e-12)
    assert fx.fractions_at_bed(effective, dose_per_fraction_gy=each, alpha_beta_gy=ratio) == pytest.approx(n, rel=1e-12)
    same = fx.eqdx(n * each, fractions=n, alpha_beta_gy=ratio, dose_per_fraction_gy=each)
    assert same == pytest.approx(n * each, rel=1e-12)


def test_an_infinite_ratio_has_no_fraction_effect() -> None:
    assert fx.bed(60.0, fractions=3, alpha_beta_gy=math.inf) == 60.0
    assert fx.eqd2(60.0, fractions=3, alpha_beta_gy=math.inf) == 60.0
    assert fx.dose_per_fraction_at_bed(60.0, fractions=3, alpha_beta_gy=math.inf) == 20.0


def test_a_histogram_goes_in_as_a_column() -> None:
    found = fx.eqd2([0.0, 30.0, 60.0, 66.0], fractions=30, alpha_beta_gy=3.0)
    assert found == pytest.approx([0.0, 30 * 4 / 5, 60.0, 66 * 5.2 / 5])


def test_the_ratio_at_which_two_schedules_are_equal() -> None:
    # 78 Gy in 39 fractions and 60 Gy in 20: 78 (2 + r) = 60 (3 + r)
    ratio = fx.alpha_beta_of_isoeffect(78.0, fractions=39, other_total_dose_gy=60.0, other_fractions=20)
    assert ratio == pytest.approx(4 / 3, rel=1e-14)
    both = fx.bed([78.0, 60.0], fractions=[39, 20], alpha_beta_gy=ratio)
    assert both[0] == pytest.approx(both[1], rel=1e-14)


@pytest.mark.parametrize(("other", "fractions"), [(80.0, 40), (60.0, 60), (78.0, 20)])
def test_schedules_that_no_ratio_makes_equal(other: float, fractions: int) -> None:
    with pytest.raises(ScienceError, match="no alpha/beta makes the schedules equal"):
        fx.alpha_beta_of_isoeffect(78.0, fractions=39, other_total_dose_gy=other, other_fractions=fractions)


@given(st.floats(0.1, 30.0), COUNT, RATIO, st.floats(1.0, 15.0))
def test_lql_follows_the_tangent(each: float, n: int, ratio: float, transition: float) -> None:
    found = fx.bed_linear_quadratic_linear(n * each, fractions=n, alpha_beta_gy=ratio, transition_dose_gy=transition)
    below = min(each, transition)
    slope = 1.0 + 2.0 * below / ratio  # of d (1 + d / ratio)
    expected = n * (below * (1.0 + below / ratio) + slope * (each - below))
    assert found == pytest.approx(expected, rel=1e-12)
    assert found <= fx.bed(n * each, fractions=n, alpha_beta_gy=ratio) * (1 + 1e-12)


@given(st.floats(0.5, 10.0), COUNT, RATIO, st.floats(0.9, 4.0), st.floats(0.5, 2.0))
def test_rbe_weighted_bed_is_the_photon_bed_of_the_weighted_dose(
    each: float, n: int, ratio: float, largest: float, smallest: float
) -> None:
    rbe = float(rbe_at_dose(each, alpha_beta_gy=ratio, rbe_max=largest, rbe_min=smallest))
    photons = fx.bed(n * each * rbe, fractions=n, alpha_beta_gy=ratio)
    found = fx.bed_rbe_weighted(n * each, fractions=n, alpha_beta_gy=ratio, rbe_max=largest, rbe_min=smallest)
    assert found == pytest.approx(photons, rel=1e-9)


# Several fractions a day


@pytest.mark.parametrize(
    ("m", "half_time", "interval", "expected"), [(2, 1.5, 6, 0.0625), (2, 4, 6, 0.35355339059), (3, 4, 4, 0.8333333333)]
)
def test_incomplete_repair_factor(m: int, half_time: float, interval: float, expected: float) -> None:
    found = fx.incomplete_repair_factor(m, interval_h=interval, repair=Repair(half_time))
    assert found == pytest.approx(expected, rel=1e-9)


@given(st.integers(1, 6), HALF_TIME, st.floats(0.5, 4.0))
def test_incomplete_repair_factor_is_the_closed_form(m: int, half_time: float, interval: float) -> None:
    phi = 0.5 ** (interval / half_time)
    closed = 2 * phi / (m * (1 - phi)) * (m - (1 - phi**m) / (1 - phi))
    found = fx.incomplete_repair_factor(m, interval_h=interval, repair=Repair(half_time))
    assert found == pytest.approx(closed, rel=1e-9, abs=1e-12)


def test_hyperfractionation_with_slow_repair() -> None:
    arguments = {"fractions": 68, "alpha_beta_gy": 3.0}
    found = fx.bed_with_incomplete_repair(81.6, **arguments, fractions_per_day=2, interval_h=6.0, repair=Repair(4.0))
    assert found == pytest.approx(125.7799827, rel=1e-9)
    assert fx.bed(81.6, **arguments) == pytest.approx(114.24, rel=1e-12)


def test_one_day_of_a_schedule_is_the_incomplete_repair_model() -> None:
    pairs = fx.bed_of_schedule([1.2] * 3, times_h=[0.0, 4.0, 8.0], alpha_beta_gy=3.0, repair=TWO_POOLS)
    model = fx.bed_with_incomplete_repair(
        3.6, fractions=3, alpha_beta_gy=3.0, fractions_per_day=3, interval_h=4.0, repair=TWO_POOLS
    )
    assert pairs == pytest.approx(model, rel=1e-13)


@given(st.lists(st.floats(0.1, 8.0), min_size=1, max_size=8), st.lists(st.floats(0.5, 30.0), min_size=8, max_size=8))
def test_a_schedule_is_the_sum_over_all_pairs(doses: list[float], gaps: list[float]) -> None:
    times = np.cumsum(gaps)[: len(doses)]
    pairs = sum(
        a * b * (0.6 * 0.5 ** (abs(s - t) / 0.4) + 0.4 * 0.5 ** (abs(s - t) / 4.0))
        for a, s in zip(doses, times, strict=True)
        for b, t in zip(doses, times, strict=True)
    )
    found = fx.bed_of_schedule(doses, times_h=times, alpha_beta_gy=3.0, repair=TWO_POOLS)
    assert found == pytest.approx(sum(doses) + pairs / 3.0, rel=1e-10)


def test_a_schedule_without_times_is_completely_repaired() -> None:
    assert fx.bed_of_schedule([2.0, 3.0], alpha_beta_gy=10.0) == pytest.approx(5.0 + 1.3)


# Dose rate


@pytest.mark.parametrize(
    ("half_time", "duration", "expected"),
    [(1.5, 1 / 6, 0.974814658), (1.5, 10.0, 0.340068832), (0.5, 0.5, 0.804021101), (1.5, 100.0, 0.0423442352)],
)
def test_lea_catcheside(half_time: float, duration: float, expected: float) -> None:
    assert fx.protraction_factor(duration, repair=Repair(half_time)) == pytest.approx(expected, rel=2e-9)


def test_low_dose_rate_brachytherapy() -> None:
    found = fx.bed_continuous(60.0, duration_h=100.0, alpha_beta_gy=[3.0, 10.0], repair=Repair(1.5))
    assert found == pytest.approx([110.813082, 75.243925], rel=1e-8)


@given(st.floats(0.0, 50.0))
def test_constant_rate_is_smooth_through_its_series(duration: float) -> None:
    x = duration * math.log(2.0)
    exact = 1.0 if x == 0 else math.fsum(2 * (-x) ** k / math.factorial(k + 2) for k in range(60))
    if x < 5:  # the alternating series loses no digits there
        assert fx.protraction_factor(duration, repair=Repair(1.0)) == pytest.approx(exact, rel=1e-12)
    else:
        assert fx.protraction_factor(duration, repair=Repair(1.0)) == pytest.approx(
            2 * (math.exp(-x) - 1 + x) / x**2, rel=1e-12
        )


def _double_integral(rate: object, edges: list[float], repair: Repair) -> float:
    """G by nested quadrature of its definition, with the breaks of the rate given."""

    def inner(t: float) -> float:
        value, _ = integrate.quad(
            lambda s: rate(s) * float(repair.unrepaired(t - s)),  # type: ignore[operator]
            edges[0],
            t,
            points=[e for e in edges if edges[0] < e < t] or None,
            limit=200,
        )
        return value

    pairs = sum(
        integrate.quad(lambda t: rate(t) * inner(t), a, b, limit=200)[0]  # type: ignore[operator]
        for a, b in itertools.pairwise(edges)
    )
    dose = sum(integrate.quad(rate, a, b)[0] for a, b in itertools.pairwise(edges))
    return 2.0 * pairs / dose**2


def test_a_profile_is_the_double_integral() -> None:
    edges, rates = [0.0, 1.0, 2.5, 6.0], [3.0, 0.0, 1.0]

    def rate(t: float) -> float:
        return rates[min(int(np.searchsorted(edges, t, side="right")) - 1, 2)]

    found = fx.protraction_factor_of_profile(rates, edges_h=edges, repair=TWO_POOLS)
    assert found == pytest.approx(_double_integral(rate, edges, TWO_POOLS), rel=1e-7)


@pytest.mark.full
@pytest.mark.parametrize("half_life", [0.5, 3.9, 4.0, 4.1, 60.0, 1420.0])
def test_a_decaying_source_is_the_double_integral(half_life: float) -> None:
    repair = Repair((0.4, 4.0), (0.3, 0.7))  # 4 h: the divided difference at equal rates
    found = fx.protraction_factor_of_decay(30.0, source_half_life_h=half_life, repair=repair)
    expected = _double_integral(lambda t: 0.5 ** (t / half_life), [0.0, 1.0, 30.0], repair)
    assert found == pytest.approx(expected, rel=1e-7)


@given(HALF_TIME, st.floats(0.05, 2000.0), st.floats(0.1, 500.0))
def test_a_decaying_source_by_its_closed_form(half_time: float, half_life: float, duration: float) -> None:
    mu, decay = math.log(2) / half_time, math.log(2) / half_life
    assume(abs(mu - decay) * duration > 1e-2)  # the closed form has no digits there
    total = -math.expm1(-decay * duration) / decay
    closed = -math.expm1(-2 * decay * duration) / (2 * decay) + math.expm1(-(decay + mu) * duration) / (decay + mu)
    found = fx.protraction_factor_of_decay(duration, source_half_life_h=half_life, repair=Repair(half_time))
    assert found == pytest.approx(2 * closed / (mu - decay) / total**2, rel=1e-6)


def test_a_source_that_hardly_decays_gives_a_constant_rate() -> None:
    found = fx.protraction_factor_of_decay(10.0, source_half_life_h=1e9, repair=TWO_POOLS)
    assert found == pytest.approx(float(fx.protraction_factor(10.0, repair=TWO_POOLS)), rel=1e-7)


def test_a_permanent_implant() -> None:
    # l / (l + mu), the limit of a long stay; 125I: 59.4 d
    hours = 59.4 * 24
    for_ever = fx.protraction_factor_of_decay(math.inf, source_half_life_h=hours, repair=Repair(1.5))
    assert for_ever == pytest.approx((1 / hours) / (1 / hours + 1 / 1.5), rel=1e-12)
    long = fx.protraction_factor_of_decay(60 * hours, source_half_life_h=hours, repair=Repair(1.5))
    assert long == pytest.approx(for_ever, rel=1e-10)
    rate = 145.0 * math.log(2) / hours
    bed = fx.bed_of_implant(rate, source_half_life_h=hours, alpha_beta_gy=3.0, repair=Repair(1.5))
    assert bed == pytest.approx(145.0 * (1 + rate / (math.log(2) / hours + math.log(2) / 1.5) / 3.0), rel=1e-12)


def test_fractions_that_last_are_between_acute_and_continuous() -> None:
    def at(minutes: float) -> float:
        return fx.bed_of_schedule(
            [8.0, 8.0], times_h=[0.0, 24.0], durations_h=minutes / 60, alpha_beta_gy=3.0, repair=Repair(0.5)
        )

    assert at(0.0) > at(20.0) > at(60.0)
    g = float(fx.protraction_factor(1.0, repair=Repair(0.5)))
    assert at(60.0) == pytest.approx(16.0 + 2 * g * 64 / 3.0, rel=1e-10)  # nothing is left after a night


def test_pools_weigh_as_given() -> None:
    both = fx.protraction_factor(3.0, repair=TWO_POOLS)
    each = [float(fx.protraction_factor(3.0, repair=Repair(t))) for t in (0.4, 4.0)]
    assert both == pytest.approx(0.6 * each[0] + 0.4 * each[1], rel=1e-14)


# Repopulation


def test_repopulation_in_head_and_neck() -> None:
    effective = fx.bed(70.0, fractions=35, alpha_beta_gy=10.0)
    kinetics = {"kick_off_d": 28.0, "doubling_time_d": 3.0, "alpha_per_gy": 0.3}
    assert fx.bed_with_repopulation(effective, overall_time_d=46.0, **kinetics) == pytest.approx(70.137056, rel=1e-8)
    assert fx.bed_with_repopulation(effective, overall_time_d=28.0, **kinetics) == effective
    assert fx.repopulation_loss(400.0, **kinetics) > effective  # may outgrow the dose
    assert fx.bed_with_repopulation(effective, overall_time_d=400.0, **kinetics) < 0


def test_an_implant_stops_winning() -> None:
    rate, half_life, doubling, alpha = 0.07, 59.4 * 24, 42.0, 0.15
    time = fx.implant_effective_time(rate, source_half_life_h=half_life, doubling_time_d=doubling, alpha_per_gy=alpha)
    assert alpha * rate * 0.5 ** (time / half_life) == pytest.approx(math.log(2) / (24 * doubling), rel=1e-12)
    with pytest.raises(ScienceError, match="outruns the implant"):
        fx.implant_effective_time(1e-4, source_half_life_h=half_life, doubling_time_d=3.0, alpha_per_gy=alpha)


# alpha/beta carried through

TEN = Interval(1.0, 3.0, 0.95, "published")


def test_an_interval_of_alpha_beta_maps_end_to_end() -> None:
    large = fx.estimate_isoeffect([3.0] * 20, alpha_beta_gy=1.5, alpha_beta_interval=TEN)
    assert large.eqd2_gy == pytest.approx(60 * 4.5 / 3.5)
    assert tuple(large.eqd2_interval) == pytest.approx((60 * 6 / 5, 60 * 4 / 3))
    assert tuple(large.bed_interval) == pytest.approx((60 * 2.0, 60 * 4.0))
    assert large.eqd2_interval.level == 0.95
    small = fx.estimate_isoeffect([1.2] * 68, alpha_beta_gy=1.5, alpha_beta_interval=TEN)
    assert small.eqd2_interval.lower == pytest.approx(81.6 * 2.2 / 3)
    assert small.eqd2_interval.upper == pytest.approx(81.6 * 4.2 / 5)


def test_an_unbounded_alpha_beta_leaves_the_total_dose() -> None:
    found = fx.estimate_isoeffect(
        [3.0] * 20, alpha_beta_gy=1.5, alpha_beta_interval=Interval(1.0, math.inf, 0.95, "x", bounded=False)
    )
    assert tuple(found.eqd2_interval) == pytest.approx((60.0, 80.0))


def test_alpha_beta_down_to_zero_limits_eqd2_but_not_bed() -> None:
    found = fx.estimate_isoeffect([3.0] * 20, alpha_beta_gy=1.5, alpha_beta_interval=Interval(0.0, 3.0, 0.95, "x"))
    assert tuple(found.eqd2_interval) == pytest.approx((60 * 6 / 5, 60 * 3 / 2))
    assert found.eqd2_interval.bounded
    assert found.bed_interval.upper == math.inf
    assert found.bed_interval.note == "alpha/beta may be 0, where BED has no limit"


@given(st.lists(st.floats(0.2, 12.0), min_size=1, max_size=10), st.floats(0.5, 5.0), st.floats(0.1, 10.0))
def test_eqd2_is_monotone_in_alpha_beta(doses: list[float], low: float, width: float) -> None:
    interval = Interval(low, low + width, 0.95, "x")
    for part in np.linspace(0, 1, 5):
        found = fx.estimate_isoeffect(doses, alpha_beta_gy=low + part * width, alpha_beta_interval=interval)
        assert found.eqd2_interval.lower * (1 - 1e-12) <= found.eqd2_gy <= found.eqd2_interval.upper * (1 + 1e-12)
        assert found.bed_interval.lower * (1 - 1e-12) <= found.bed_gy <= found.bed_interval.upper * (1 + 1e-12)


def test_doubtful_schedules_are_flagged() -> None:
    assert fx.estimate_isoeffect([2.0] * 39, alpha_beta_gy=1.5, alpha_beta_interval=TEN).warnings == ()
    (large,) = fx.estimate_isoeffect([18.0] * 3, alpha_beta_gy=1.5, alpha_beta_interval=TEN).warnings
    assert large.startswith("18 Gy per fraction: above 10 Gy it is debated")
    flags = fx.estimate_isoeffect([60.0, 60.0, 60.0], alpha_beta_gy=1.5, alpha_beta_interval=TEN).warnings
    assert flags[1] == "180 Gy in total: are the doses in cGy, or is a fraction typed twice?"


@pytest.mark.parametrize(("ratio", "interval"), [(4.0, TEN), (1.5, Interval(-0.5, 3.0, 0.95, "x"))])
def test_alpha_beta_lies_in_its_interval(ratio: float, interval: Interval) -> None:
    with pytest.raises(ScienceError, match="not an interval around alpha/beta"):
        fx.estimate_isoeffect([2.0], alpha_beta_gy=ratio, alpha_beta_interval=interval)
    with pytest.raises(ScienceError, match="not an interval"):
        fx.estimate_isoeffect([2.0], alpha_beta_gy=2.0, alpha_beta_interval=(1.0, 3.0))  # type: ignore[arg-type]


# Kinetic models

LPL = {"potentially_lethal_per_gy": 0.8, "repair_rate_per_h": 0.9, "misrepair_rate_per_h": 0.05}


def _lpl_by_integration(dose: float, duration: float, *, rest: float) -> float:
    eta_l, eta_pl, a, b = 0.1, 0.8, 0.9, 0.05

    def during(_: float, y: np.ndarray) -> list[float]:
        rate = dose / duration
        return [eta_pl * rate - a * y[0] - b * y[0] ** 2, eta_l * rate + b * y[0] ** 2]

    def after(_: float, y: np.ndarray) -> list[float]:
        return [-a * y[0] - b * y[0] ** 2, b * y[0] ** 2]

    end = integrate.solve_ivp(during, (0, duration), [0.0, 0.0], rtol=1e-10, atol=1e-13).y[:, -1]
    final = integrate.solve_ivp(after, (0, rest), end, rtol=1e-10, atol=1e-13).y[:, -1]
    return math.exp(-final.sum())


@pytest.mark.parametrize(("dose", "duration", "rest"), [(2.0, 0.1, 3.0), (8.0, 2.0, 1.0), (20.0, 30.0, 10.0)])
def test_lpl_is_its_differential_equation(dose: float, duration: float, rest: float) -> None:
    found = fx.lpl_survival_at_rate(dose, duration_h=duration, lethal_per_gy=0.1, **LPL, repair_time_h=rest)
    assert found == pytest.approx(_lpl_by_integration(dose, duration, rest=rest), rel=1e-7)


@pytest.mark.parametrize("duration", [0.0, 0.5, 5.0, 50.0])
def test_lpl_at_low_dose_is_linear_quadratic_with_protraction(duration: float) -> None:
    dose = 1e-3
    beta = 0.8**2 * 0.05 / (2 * 0.9)
    g = float(fx.protraction_factor(duration, repair=Repair(math.log(2) / 0.9)))
    survival = fx.lpl_survival_at_rate(dose, duration_h=duration, lethal_per_gy=0.0, **LPL)
    assert -math.log(survival) == pytest.approx(beta * g * dose**2, rel=2e-4)


def test_an_instant_is_the_limit_of_short_times() -> None:
    acute, short = fx.lpl_survival_at_rate(10.0, duration_h=[0.0, 1e-7], lethal_per_gy=0.1, **LPL)
    assert acute == pytest.approx(short, rel=1e-6)
    assert fx.lpl_survival_at_rate(0.0, duration_h=1.0, lethal_per_gy=0.1, **LPL) == 1.0


def test_rmr_acute_is_its_closed_form() -> None:
    delta, lam, kappa, phi, rest = 0.9, 0.5, 0.08, 0.8, 6.0
    epsilon, lesions = lam / kappa, delta * np.array([0.0, 1.0, 5.0, 12.0])
    expected = np.exp(-lesions) * (1 + lesions * (1 - math.exp(-lam * rest)) / epsilon) ** (epsilon * phi)
    found = fx.rmr_survival_at_rate(
        [0.0, 1.0, 5.0, 12.0],
        duration_h=0.0,
        lesions_per_gy=delta,
        repair_rate_per_h=lam,
        misrepair_rate_per_h=kappa,
        faithful=phi,
        repair_time_h=rest,
    )
    assert found == pytest.approx(expected, rel=1e-12)


def test_rmr_with_faithful_repair_is_lpl_without_lethal_lesions() -> None:
    rmr = fx.rmr_survival_at_rate(
        [1.0, 9.0], duration_h=[0.0, 4.0], lesions_per_gy=0.8, repair_rate_per_h=0.9, misrepair_rate_per_h=0.05
    )
    assert rmr == pytest.approx(
        fx.lpl_survival_at_rate([1.0, 9.0], duration_h=[0.0, 4.0], lethal_per_gy=0.0, **LPL), rel=1e-14
    )


# Bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha_beta_gy": 0.0}, "alpha_beta_gy: not usable; wanted a number above 0, which may be infinite, got 0"),
        ({"alpha_beta_gy": -3.0}, "got -3"),
        ({"alpha_beta_gy": math.nan}, "got nan"),
        ({"fractions": 2.5}, "fractions: not usable; wanted a whole number, 1 or more, got 2.5"),
        ({"fractions": 0}, "fractions"),
        ({"fractions": "30"}, "fractions: not numbers; wanted a whole number, 1 or more, got '30'"),
        ({"total_dose_gy": [60.0, math.nan]}, "total_dose_gy, row 2: not usable"),
        ({"total_dose_gy": -60.0}, "total_dose_gy"),
        ({"total_dose_gy": None}, "total_dose_gy: not numbers"),
        ({"total_dose_gy": 6000.0}, "the doses look like cGy; wanted Gy; no schedule has 100 Gy in every fraction"),
        ({"total_dose_gy": [1.0, 2.0], "fractions": [1, 2, 3]}, "do not go together"),
    ],
)
@pytest.mark.parametrize("function", [fx.bed, fx.eqd2])
def test_bad_schedules(function: object, arguments: dict[str, object], message: str) -> None:
    good = {"total_dose_gy": 60.0, "fractions": 30, "alpha_beta_gy": 10.0} | arguments
    with pytest.raises(ScienceError) as caught:
        function(good.pop("total_dose_gy"), **good)  # type: ignore[operator]
    assert message in str(caught.value)


def test_a_hot_voxel_is_no_schedule_in_cgy() -> None:
    assert fx.bed([20.0, 300.0], fractions=2, alpha_beta_gy=10.0).shape == (2,)


def test_fractions_that_overlap_in_time() -> None:
    with pytest.raises(ScienceError) as caught:
        fx.bed_of_schedule(
            [2.0] * 3, times_h=[0.0, 0.5, 1.0], durations_h=[0.6, 0.1, 0.1], alpha_beta_gy=3.0, repair=Repair(1.0)
        )
    assert str(caught.value).splitlines() == [
        "fractions overlap in time",
        "  - row 2: begins before the one above has ended; wanted 0.6 h or later, got 0.5 h",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times_h": [0.0, 6.0, 6.0]}, "times_h, row 3: not above the row before; got 6 after 6"),
        ({"times_h": [0.0, 6.0]}, "wanted 3 times, and one duration or 3, got 2 times"),
        ({"times_h": None}, "half a description of repair"),
        ({"repair": None}, "half a description of repair"),
        ({"repair": 1.5}, "not a description of repair; wanted Repair(half_time_h), got 1.5"),
        ({"durations_h": -1.0}, "durations_h"),
        ({"doses_gy": [200.0, 200.0, 180.0]}, "look like cGy"),
        ({"doses_gy": [[2.0]]}, "columns do not go together"),
        ({"alpha_beta_gy": [3.0, 10.0]}, "alpha_beta_gy: not one number"),
    ],
)
def test_bad_times(arguments: dict[str, object], message: str) -> None:
    good = {
        "doses_gy": [2.0] * 3,
        "times_h": [0.0, 6.0, 24.0],
        "alpha_beta_gy": 3.0,
        "repair": Repair(1.5),
    } | arguments
    with pytest.raises(ScienceError) as caught:
        fx.bed_of_schedule(good.pop("doses_gy"), **good)  # type: ignore[arg-type]
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("times", "weights", "message"),
    [
        (0.0, (1.0,), "half_times_h: not usable; wanted finite numbers above 0, got 0.0"),
        ((0.5, 4.0), (1.0,), "pools do not match; wanted a weight for each half-time, got 2 half-times and 1 weights"),
        ((0.5, 4.0), (0.5, 0.4), "weights: weights do not sum to 1; got 0.9"),
        ("1.5 h", (1.0,), "half_times_h"),
        ((0.5, math.nan), (0.5, 0.5), "half_times_h"),
    ],
)
def test_bad_repair(times: object, weights: tuple[float, ...], message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        Repair(times, weights)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_bad_days() -> None:
    with pytest.raises(ScienceError, match="do not fit into a day"):
        fx.incomplete_repair_factor(5, interval_h=6.0, repair=Repair(1.5))
    with pytest.raises(ScienceError, match="the last day is not full"):
        fx.bed_with_incomplete_repair(
            6.0, fractions=5, alpha_beta_gy=3.0, fractions_per_day=2, interval_h=6.0, repair=Repair(1.5)
        )


@pytest.mark.parametrize(
    ("rates", "edges", "message"),
    [
        ([1.0, 2.0], [0.0, 1.0], "wanted 3 edges for 2 rates, got 2"),
        ([1.0, 2.0], [0.0, 2.0, 1.0], "edges_h, row 3: not above the row before; got 1 after 2"),
        ([0.0, 0.0], [0.0, 1.0, 2.0], "no dose"),
        ([1.0, -2.0], [0.0, 1.0, 2.0], "rates_gy_h, row 2"),
    ],
)
def test_bad_profiles(rates: list[float], edges: list[float], message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        fx.protraction_factor_of_profile(rates, edges_h=edges, repair=Repair(1.5))
    assert message in str(caught.value)
