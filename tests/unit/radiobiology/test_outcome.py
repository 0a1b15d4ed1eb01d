"""Outcome: gEUD, response curves, TCP, published parameters and fits, against numbers, integrals and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import integrate, optimize, stats

from braggbook.errors import FitError, ScienceError, UnknownName
from braggbook.radiobiology import fractionation as fx
from braggbook.radiobiology import outcome as oc
from braggbook.radiobiology.constants import find_constant, taking

FOUR = oc.differential_dvh([10.0, 20.0, 30.0, 40.0], volume=[0.25] * 4)
DOSES = hnp.arrays(float, st.integers(1, 12), elements=st.floats(0.1, 80.0))


def uniform(dose_gy: float) -> oc.Dvh:
    return oc.voxel_dvh([dose_gy])


# Histograms


def test_a_differential_histogram() -> None:
    assert (FOUR.mean_gy, FOUR.minimum_gy, FOUR.maximum_gy, FOUR.warnings) == (25.0, 10.0, 40.0, ())
    scaled = oc.differential_dvh([10.0, 20.0, 50.0], volume=[30.0, 10.0, 0.0], normalise=True)
    assert scaled.volume.tolist() == [0.75, 0.25, 0.0]
    assert scaled.maximum_gy == 20.0


def test_a_cumulative_histogram_is_the_same_one() -> None:
    found = oc.cumulative_dvh([0.0, 10.0, 20.0, 30.0], volume=[1.0, 0.8, 0.3, 0.0])
    assert found.dose_gy.tolist() == [5.0, 15.0, 25.0, 30.0]
    assert found.volume == pytest.approx([0.2, 0.5, 0.3, 0.0])
    assert oc.cumulative_dvh([0.0, 10.0], volume=[50.0, 20.0], normalise=True).mean_gy == pytest.approx(
        0.6 * 5 + 0.4 * 10
    )


def test_doses_become_eqd2_in_their_bins() -> None:
    found = FOUR.with_dose(fx.eqd2(FOUR.dose_gy, fractions=20, alpha_beta_gy=3.0))
    assert found.volume.tolist() == FOUR.volume.tolist()
    assert found.dose_gy[3] == pytest.approx(40.0)
    assert found.dose_gy[0] == pytest.approx(10.0 * 3.5 / 5.0)


@pytest.mark.parametrize(
    ("dose", "volume", "message"),
    [
        ([10.0, 20.0], [0.5, 0.4], "the volumes do not sum to 1; wanted relative volumes of a differential histogram"),
        ([0.0, 10.0, 20.0], [1.0, 0.6, 0.2], "got 1.8 (a cumulative histogram?)"),
        ([10.0, 20.0], [0.0, 0.0], "no volume"),
        ([10.0, math.nan], [0.5, 0.5], "dose_gy, row 2: not usable; wanted a finite number, 0 or more, got nan"),
        ([10.0, 20.0], [1.5, -0.5], "volume, row 2"),
        ([10.0, 20.0], [1.0], "dose_gy (2,), volume (1,)"),
        ([], [], "dose_gy: empty"),
    ],
)
def test_bad_differential_histograms(dose: list[float], volume: list[float], message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        oc.differential_dvh(dose, volume=volume)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("dose", "volume", "message"),
    [
        ([0.0, 10.0, 10.0], [1.0, 0.5, 0.0], "dose_gy, row 3: not above the dose before; got 10"),
        ([0.0, 10.0, 20.0], [1.0, 0.5, 0.6], "volume, row 3: more volume than at the dose before; got 0.6"),
        ([0.0, 10.0], [100.0, 0.0], "volume, row 1: does not begin with the whole volume; wanted 1, or normalise=True"),
        ([0.0, 10.0], [0.0, 0.0], "does not begin"),
    ],
)
def test_bad_cumulative_histograms(dose: list[float], volume: list[float], message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        oc.cumulative_dvh(dose, volume=volume)
    assert message in str(caught.value)


def test_cgy_are_flagged() -> None:
    assert oc.voxel_dvh([2000.0, 6000.0]).warnings == ("doses up to 6000 Gy: are they in cGy?",)


# gEUD


@pytest.mark.parametrize(("a", "expected"), [(1, 25.0), (2, 27.386128), (10, 35.016557), (-10, 11.485842)])
def test_geud(a: float, expected: float) -> None:
    assert oc.generalised_eud(FOUR, a=a) == pytest.approx(expected, rel=3e-8)


def test_geud_limits() -> None:
    geometric = (10 * 20 * 30 * 40) ** 0.25
    assert oc.generalised_eud(FOUR, a=0) == pytest.approx(geometric, rel=1e-14)
    assert oc.generalised_eud(FOUR, a=1e-13) == pytest.approx(geometric, rel=1e-12)
    assert [oc.generalised_eud(FOUR, a=a) for a in (math.inf, -math.inf)] == [40.0, 10.0]
    assert oc.generalised_eud(FOUR, a=5000) == pytest.approx(40.0 * 0.25 ** (1 / 5000), rel=1e-12)


def test_a_bin_without_dose() -> None:
    half = oc.differential_dvh([0.0, 40.0], volume=[0.5, 0.5])
    assert oc.generalised_eud(half, a=2) == pytest.approx(40 / math.sqrt(2), rel=1e-14)
    assert [oc.generalised_eud(half, a=a) for a in (0, -1)] == [0.0, 0.0]
    assert oc.generalised_eud(uniform(0.0), a=3) == 0.0


@given(DOSES, st.floats(-20.0, 20.0))
def test_geud_is_the_power_mean(doses: np.ndarray, a: float) -> None:
    dvh = oc.voxel_dvh(doses)
    found = oc.generalised_eud(dvh, a=a)
    assert dvh.minimum_gy * (1 - 1e-12) <= found <= dvh.maximum_gy * (1 + 1e-12)
    if abs(a) > 0.1:
        assert found == pytest.approx(float(np.mean(doses**a) ** (1 / a)), rel=1e-9)


@given(DOSES, st.floats(-10.0, 10.0), st.floats(0.0, 5.0))
def test_geud_rises_with_a(doses: np.ndarray, a: float, more: float) -> None:
    dvh = oc.voxel_dvh(doses)
    assert oc.generalised_eud(dvh, a=a + more) >= oc.generalised_eud(dvh, a=a) * (1 - 1e-9)


@pytest.mark.parametrize("a", [math.nan, "1", None, True])
def test_a_is_a_number(a: object) -> None:
    with pytest.raises(ScienceError, match="not a volume parameter"):
        oc.generalised_eud(FOUR, a=a)  # type: ignore[arg-type]


# Response curves


def test_lkb() -> None:
    assert (oc.generalised_eud(FOUR, a=2) - 24.5) / (0.18 * 24.5) == pytest.approx(0.654451, abs=5e-7)
    assert oc.lkb_ntcp(FOUR, td50_gy=24.5, m=0.18, n=0.5) == pytest.approx(0.743589, abs=5e-7)
    assert oc.lkb_ntcp(uniform(20.0), td50_gy=30.8, m=0.37, n=1) == pytest.approx(0.171641, abs=5e-7)
    assert oc.lkb_ntcp(uniform(70.0), td50_gy=76.9, m=0.13, n=0.09) == pytest.approx(0.245032, abs=5e-7)
    assert oc.lkb_ntcp(FOUR, td50_gy=40.0, m=0.18, n=0) == 0.5  # the largest dose


def test_logistic_curves() -> None:
    assert oc.log_logistic_response(20.0, d50_gy=30.8, gamma50=0.97) == pytest.approx(0.157717, abs=5e-7)
    assert oc.log_logistic_response(66.0, d50_gy=60.0, gamma50=2.0) == pytest.approx(0.681892, abs=5e-7)
    assert oc.log_logistic_response(0.0, d50_gy=60.0, gamma50=2.0) == 0.0
    assert oc.logistic_of_coefficients(20.0, intercept=-3.87, slope_per_gy=0.126) == pytest.approx(0.205870, abs=5e-7)


@pytest.mark.parametrize("curve", ["probit", "logistic", "log-logistic", "poisson"])
def test_every_curve_has_its_slope_at_half(curve: str) -> None:
    d50, gamma50 = 40.0, 1.7
    responses = {
        "probit": lambda d: oc.probit_response(d, td50_gy=d50, m=oc.m_of_gamma50(gamma50)),
        "logistic": lambda d: oc.logistic_response(d, d50_gy=d50, gamma50=gamma50),
        "log-logistic": lambda d: oc.log_logistic_response(d, d50_gy=d50, gamma50=gamma50),
        "poisson": lambda d: oc.poisson_response(d, d50_gy=d50, gamma=oc.gamma_of_gamma50(gamma50)),
    }
    response = responses[curve]
    assert response(d50) == pytest.approx(0.5, rel=1e-14)
    assert d50 * (response(d50 + 1e-4) - response(d50 - 1e-4)) / 2e-4 == pytest.approx(gamma50, rel=1e-7)


def test_gamma_is_the_largest_slope_of_the_poisson_curve() -> None:
    # where P = 1/e, the normalised slope D50 dP/dD is largest; there it is gamma
    dose = 40.0 * (1.0 - math.log(1 / math.log(2)) / (math.e * 2.0))
    curve = oc.poisson_response([dose - 1e-4, dose, dose + 1e-4], d50_gy=40.0, gamma=2.0)
    assert curve[1] == pytest.approx(1 / math.e, rel=1e-12)
    assert 40.0 * (curve[2] - curve[0]) / 2e-4 == pytest.approx(2.0, rel=1e-7)


@given(st.floats(5.0, 90.0), st.floats(0.3, 5.0))
def test_conversions_go_back(d50: float, gamma50: float) -> None:
    assert oc.gamma50_of_coefficients(*oc.coefficients_of_gamma50(d50, gamma50)) == pytest.approx((d50, gamma50))
    assert oc.gamma50_of_m(oc.m_of_gamma50(gamma50)) == pytest.approx(gamma50)
    intercept, slope = oc.coefficients_of_gamma50(d50, gamma50)
    logistic = oc.logistic_of_coefficients(20.0, intercept=intercept, slope_per_gy=slope)
    assert logistic == pytest.approx(float(oc.logistic_response(20.0, d50_gy=d50, gamma50=gamma50)), rel=1e-9)


def test_the_dose_of_a_probability() -> None:
    dose = oc.probit_dose([0.05, 0.5], td50_gy=76.9, m=0.13)
    assert oc.probit_response(dose, td50_gy=76.9, m=0.13) == pytest.approx([0.05, 0.5], rel=1e-12)
    with pytest.raises(ScienceError, match="already exceeded without dose; wanted above Phi"):
        oc.probit_dose(0.001, td50_gy=30.0, m=0.5)


def test_relative_seriality() -> None:
    p = oc.poisson_response(FOUR.dose_gy, d50_gy=30.0, gamma=1.5)
    expected = (1 - np.prod((1 - p**0.4) ** 0.25)) ** (1 / 0.4)
    assert oc.relative_seriality_ntcp(FOUR, d50_gy=30.0, gamma=1.5, seriality=0.4) == pytest.approx(expected, rel=1e-12)
    for s in (0.05, 1.0, 4.0):  # a uniform dose does not know the architecture
        found = oc.relative_seriality_ntcp(uniform(35.0), d50_gy=30.0, gamma=1.5, seriality=s)
        assert found == pytest.approx(float(oc.poisson_response(35.0, d50_gy=30.0, gamma=1.5)), rel=1e-9)
    assert oc.relative_seriality_ntcp(uniform(500.0), d50_gy=30.0, gamma=3.0, seriality=1.0) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: oc.probit_response(-1.0, td50_gy=30.0, m=0.3), "dose_gy: not usable"),
        (lambda: oc.probit_response([20.0, math.nan], td50_gy=30.0, m=0.3), "dose_gy, row 2"),
        (
            lambda: oc.lkb_ntcp(FOUR, td50_gy=0.0, m=0.3, n=1.0),
            "td50_gy: not usable; wanted a finite number above 0, got 0",
        ),
        (lambda: oc.lkb_ntcp(FOUR, td50_gy=30.0, m=-0.3, n=1.0), "m: not usable"),
        (lambda: oc.lkb_ntcp(FOUR, td50_gy=30.0, m=0.3, n=-1.0), "n: not usable"),
        (lambda: oc.lkb_ntcp([10.0, 20.0], td50_gy=30.0, m=0.3, n=1.0), "not a histogram; wanted a Dvh"),
        (lambda: oc.logistic_response(20.0, d50_gy=30.0, gamma50="2"), "gamma50: not numbers"),
        (lambda: oc.gamma50_of_coefficients(0.5, 0.1), "no dose of 50 % above 0"),
        (lambda: oc.relative_seriality_ntcp(FOUR, d50_gy=30.0, gamma=2.0, seriality=0.0), "seriality: not usable"),
    ],
)
def test_bad_parameters(call: object, message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        call()  # type: ignore[operator]
    assert message in str(caught.value)


# Tumour control

TUMOUR = {"clonogens": 1e7, "alpha_per_gy": 0.3, "alpha_beta_gy": 10.0}


def test_poisson_tcp() -> None:
    found = oc.poisson_tcp([60.0, 70.0], fractions=[30, 35], **TUMOUR)
    assert found == pytest.approx([0.995847, 0.999886], abs=5e-7)
    assert oc.poisson_tcp(0.0, fractions=1, **TUMOUR) == 0.0


def test_tcp_of_a_histogram_is_the_product_over_its_parts() -> None:
    dvh = oc.differential_dvh([50.0, 60.0, 66.0], volume=[0.1, 0.6, 0.3])
    parts = [
        float(oc.poisson_tcp(d, fractions=30, **{**TUMOUR, "clonogens": 1e7 * v}))
        for d, v in zip(dvh.dose_gy, dvh.volume, strict=True)
    ]
    assert oc.poisson_tcp_of_dvh(dvh, fractions=30, **TUMOUR) == pytest.approx(math.prod(parts), rel=1e-12)
    assert oc.poisson_tcp_of_dvh(uniform(60.0), fractions=30, **TUMOUR) == pytest.approx(
        float(oc.poisson_tcp(60.0, fractions=30, **TUMOUR)), rel=1e-14
    )


@pytest.mark.parametrize(("sd", "dose"), [(0.02, 60.0), (0.08, 60.0), (0.15, 50.0), (0.08, 300.0)])
def test_population_tcp_is_the_integral(sd: float, dose: float) -> None:
    def integrand(alpha: float) -> float:
        tumour = {**TUMOUR, "alpha_per_gy": max(alpha, 0.0)}
        return float(oc.poisson_tcp(dose, fractions=30, **tumour)) * float(stats.norm.pdf(alpha, 0.3, sd))

    bed = dose * (1 + dose / 30 / 10)
    knee = math.log(1e7) / bed
    points = [x for x in (knee - 3 / bed, knee, knee + 3 / bed) if -0.4 < x < 1.5]
    expected, _ = integrate.quad(
        integrand, max(0.0, 0.3 - 9 * sd), 0.3 + 9 * sd, points=points, limit=500, epsabs=1e-12
    )
    found = oc.population_tcp(dose, fractions=30, **TUMOUR, alpha_sd_per_gy=sd)
    assert found == pytest.approx(expected, abs=2e-9)


def test_population_tcp_is_the_mean_over_patients() -> None:
    alphas = np.random.default_rng(7).normal(0.3, 0.06, 40_000)
    dvh = oc.differential_dvh([55.0, 62.0], volume=[0.2, 0.8])
    beds = dvh.dose_gy * (1 + dvh.dose_gy / 30 / 10)
    patients = np.exp(-(1e7 * dvh.volume * np.exp(-alphas[:, None] * beds)).sum(axis=1))
    found = oc.population_tcp(dvh, fractions=30, **TUMOUR, alpha_sd_per_gy=0.06)
    assert found == pytest.approx(patients.mean(), abs=4 * patients.std() / 200)


def test_population_tcp_without_spread_is_tcp() -> None:
    alone = float(oc.poisson_tcp(60.0, fractions=30, **TUMOUR))
    assert oc.population_tcp(60.0, fractions=30, **TUMOUR, alpha_sd_per_gy=0.0) == pytest.approx(alone, rel=1e-14)
    assert oc.population_tcp(60.0, fractions=30, **TUMOUR, alpha_sd_per_gy=1e-6) == pytest.approx(alone, rel=1e-6)
    assert oc.population_tcp(0.0, fractions=30, **TUMOUR, alpha_sd_per_gy=0.1) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fractions": 1.5}, "fractions: not usable; wanted a whole number, 1 or more, got 1.5"),
        ({"clonogens": 0.0}, "clonogens"),
        ({"alpha_beta_gy": 0.0}, "alpha_beta_gy"),
        ({"alpha_sd_per_gy": -0.1}, "alpha_sd_per_gy"),
        ({"alpha_per_gy": [0.3, 0.4]}, "alpha_per_gy: not one number"),
        ({"dose": "60 Gy"}, "dose: not numbers"),
        ({"dose": 1e5, "alpha_sd_per_gy": 3.0}, "TCP is too steep in alpha"),
    ],
)
def test_bad_tumours(arguments: dict[str, object], message: str) -> None:
    good = {"dose": 60.0, "fractions": 30, **TUMOUR, "alpha_sd_per_gy": 0.05} | arguments
    with pytest.raises(ScienceError) as caught:
        oc.population_tcp(good.pop("dose"), **good)  # type: ignore[arg-type]
    assert message in str(caught.value)


# Published parameters


def test_sets_name_their_source() -> None:
    rectum = oc.ntcp_parameters("michalski.rectum")
    assert (rectum.value("n"), rectum.value("m"), rectum.value("td50_gy")) == (0.09, 0.13, 76.9)
    assert tuple(rectum.intervals["td50_gy"]) == (73.7, 80.1)
    assert "doi:10.1016/j.ijrobp.2009.03.078" in rectum.citation
    assert rectum.ntcp(uniform(70.0)) == pytest.approx(0.245032, abs=5e-7)
    for name, parameters in oc.ntcp_parameter_sets().items():
        assert parameters.name == name
        assert 0 < parameters.ntcp(uniform(40.0)) < 1
        for record in parameters.constants.values():
            assert find_constant(record.name) is record
            assert record.status != "disputed"


def test_two_lung_models_of_one_review() -> None:
    logistic, probit = oc.ntcp_parameters("marks.lung"), oc.ntcp_parameters("marks.lung_probit")
    d50, gamma50 = oc.gamma50_of_coefficients(logistic.value("intercept"), logistic.value("slope_per_gy"))
    assert (round(d50, 1), round(gamma50, 2)) == (30.7, 0.97)  # the paper prints 30.75 and 0.969
    assert logistic.ntcp(uniform(20.0)) == pytest.approx(0.205870, abs=5e-7)
    assert abs(logistic.ntcp(uniform(20.0)) - probit.ntcp(uniform(20.0))) < 0.01
    assert oc.ntcp_parameters("seppenwoolde.lung").ntcp(uniform(20.0)) == pytest.approx(0.171641, abs=5e-7)


def test_a_set_follows_the_court() -> None:
    lung = oc.ntcp_parameters("seppenwoolde.lung")
    with taking({"seppenwoolde.lung_n": "aviplanner"}):
        assert lung.value("n") == 0.99
    assert lung.value("n") == 1.0


def test_unknown_names() -> None:
    with pytest.raises(UnknownName, match=r"did you mean burman\.rectum"):
        oc.ntcp_parameters("burmann.rectum")
    with pytest.raises(UnknownName, match=r"no parameter of marks\.lung named 'n'"):
        oc.ntcp_parameters("marks.lung").value("n")
    with pytest.raises(UnknownName, match="did you mean probit"):
        oc.fit_response([1.0], events=[0], curve="probits")  # type: ignore[arg-type]


# Fits


def _patients(count: int = 150, *, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    dose = rng.uniform(5.0, 45.0, count)
    return dose, rng.random(count) < oc.probit_response(dose, td50_gy=30.8, m=0.37)


def _glm(x: np.ndarray, events: np.ndarray, *, link: object) -> object:
    family = sm.families.Binomial(link=link)
    return sm.GLM(events.astype(float), sm.add_constant(x), family=family).fit(tol=1e-14, maxiter=200)


@pytest.mark.parametrize("curve", ["probit", "logistic", "log-logistic"])
def test_fits_agree_with_statsmodels(curve: str) -> None:
    dose, events = _patients()
    links = sm.families.links
    x = np.log(dose) if curve == "log-logistic" else dose
    peer = _glm(x, events, link=links.Probit() if curve == "probit" else links.Logit())
    fit = oc.fit_response(dose, events=events, curve=curve)  # type: ignore[arg-type]
    b0, b1 = peer.params  # type: ignore[attr-defined]
    d50 = math.exp(-b0 / b1) if curve == "log-logistic" else -b0 / b1
    gamma50 = {"probit": -b0 / math.sqrt(2 * math.pi), "logistic": -b0 / 4, "log-logistic": b1 / 4}[curve]
    assert fit.d50_gy == pytest.approx(d50, rel=1e-8)
    assert fit.gamma50 == pytest.approx(gamma50, rel=1e-8)
    assert fit.log_likelihood == pytest.approx(peer.llf, rel=1e-12)  # type: ignore[attr-defined]
    assert fit.response(20.0) == pytest.approx(
        peer.predict([[1.0, np.log(20.0) if curve == "log-logistic" else 20.0]])[0]
    )  # type: ignore[attr-defined]
    assert (fit.patients, fit.events, fit.warnings) == (150, int(events.sum()), ())


@pytest.mark.parametrize("curve", ["probit", "logistic", "log-logistic"])
def test_profile_ends_lie_where_the_likelihood_says(curve: str) -> None:
    dose, events = _patients()
    fit = oc.fit_response(dose, events=events, curve=curve)  # type: ignore[arg-type]

    def log_likelihood(d50: float, gamma50: float) -> float:
        response = {
            "probit": lambda: oc.probit_response(dose, td50_gy=d50, m=oc.m_of_gamma50(gamma50)),
            "logistic": lambda: oc.logistic_response(dose, d50_gy=d50, gamma50=gamma50),
            "log-logistic": lambda: oc.log_logistic_response(dose, d50_gy=d50, gamma50=gamma50),
        }[curve]()
        return float(np.sum(np.log(np.where(events, response, 1 - response))))

    limit = stats.chi2.ppf(0.95, 1) / 2
    for end in fit.d50_interval:
        best = optimize.minimize_scalar(lambda g, e=end: -log_likelihood(e, g), bounds=(0.05, 5), method="bounded")
        assert fit.log_likelihood + best.fun == pytest.approx(limit, abs=1e-4)
    for end in fit.gamma50_interval:
        best = optimize.minimize_scalar(lambda d, e=end: -log_likelihood(d, e), bounds=(5, 300), method="bounded")
        assert fit.log_likelihood + best.fun == pytest.approx(limit, abs=1e-4)
    assert 1 / (fit.m * math.sqrt(2 * math.pi)) == pytest.approx(fit.gamma50)
    assert fit.m in fit.m_interval
    assert float(fit.response(20.0)) in fit.response_interval(20.0)


def test_few_events_and_flat_data_say_so() -> None:
    dose, events = _patients(16, seed=5)
    few = f"{np.count_nonzero(events)} events: below 10 the profile intervals may not hold their level"
    assert 0 < np.count_nonzero(events) < 10
    assert oc.fit_response(dose, events=events).warnings == (few,)
    flat = oc.fit_response([10.0, 20.0, 30.0, 40.0] * 4, events=[0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1])
    assert not flat.d50_interval.bounded
    assert "may not rise with dose" in flat.d50_interval.note
    assert not flat.m_interval.bounded


@pytest.mark.full
def test_lkb_recovers_what_made_the_data() -> None:
    rng = np.random.default_rng(11)
    dvhs = [oc.differential_dvh(np.linspace(0, 60, 13), volume=rng.dirichlet(np.full(13, 0.3))) for _ in range(250)]
    risk = [oc.lkb_ntcp(dvh, td50_gy=32.0, m=0.2, n=0.4) for dvh in dvhs]
    fit = oc.fit_lkb(dvhs, events=rng.random(250) < risk)
    assert fit.n is not None
    assert fit.n_interval is not None
    assert 0.4 in fit.n_interval
    assert 32.0 in fit.d50_interval
    assert 0.2 in fit.m_interval
    doses = [oc.generalised_eud(dvh, a=1 / fit.n) for dvh in dvhs]
    inner = oc.fit_response(doses, events=rng.random(250) < risk)
    assert fit.d50_interval.upper - fit.d50_interval.lower > 0
    assert fit.warnings == ()
    assert inner.n is None


@pytest.mark.full
def test_lkb_profile_of_n_is_the_likelihood() -> None:
    rng = np.random.default_rng(2)
    dvhs = [oc.differential_dvh(np.linspace(0, 60, 7), volume=rng.dirichlet(np.full(7, 0.3))) for _ in range(120)]
    events = rng.random(120) < [oc.lkb_ntcp(dvh, td50_gy=30.0, m=0.2, n=0.5) for dvh in dvhs]
    fit = oc.fit_lkb(dvhs, events=events)

    def at(n: float) -> float:
        return oc.fit_response([oc.generalised_eud(d, a=1 / n) for d in dvhs], events=events).log_likelihood

    assert fit.n is not None
    assert fit.n_interval is not None
    assert fit.log_likelihood == pytest.approx(at(fit.n), rel=1e-10)
    assert all(at(n) <= fit.log_likelihood + 1e-9 for n in np.geomspace(0.02, 5, 25))
    for end in fit.n_interval:
        assert 2 * (fit.log_likelihood - at(end)) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-5)


@pytest.mark.full
def test_profile_intervals_hold_their_level() -> None:
    rng = np.random.default_rng(20)
    hits = np.zeros(3)
    runs = 400
    for _ in range(runs):
        dose = rng.uniform(5.0, 45.0, 120)
        fit = oc.fit_response(dose, events=rng.random(120) < oc.probit_response(dose, td50_gy=30.8, m=0.37))
        truth = float(oc.probit_response(20.0, td50_gy=30.8, m=0.37))
        hits += [30.8 in fit.d50_interval, 0.37 in fit.m_interval, truth in fit.response_interval(20.0)]
    assert np.all(np.abs(hits / runs - 0.95) < 0.04)  # 3.7 standard errors


@pytest.mark.parametrize(
    ("dose", "events", "message"),
    [
        (
            [10.0, 20.0, 30.0],
            [0, 0, 0],
            "no curve can be fitted; wanted patients with and without the event, got 0 with",
        ),
        ([10.0, 20.0, 30.0], [1, 1, 1], "got 3 with and 0 without"),
        ([20.0, 20.0, 20.0], [0, 1, 0], "wanted two doses or more, got one dose"),
        ([10.0, 20.0, 30.0, 40.0], [0, 0, 1, 1], "the doses separate the outcomes completely"),
        ([10.0, 20.0, 30.0, 40.0], [0, 1, 1, 0], "the risk does not rise with dose"),
        ([10.0, 20.0, 30.0, 40.0, 50.0], [1, 1, 0, 1, 1], "there is no dose of 50 %; wanted a risk below 50 %"),
    ],
)
def test_fits_without_an_answer(dose: list[float], events: list[int], message: str) -> None:
    with pytest.raises(FitError) as caught:
        oc.fit_response(dose, events=events)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("dose", "events", "message"),
    [
        ([10.0, 20.0], [0, 2], "events, row 2: neither 0 nor 1; got 2"),
        ([10.0, 20.0], [0, math.nan], "events, row 2: neither 0 nor 1; got nan"),
        ([10.0, 20.0], ["0", None], "events, row 1: neither 0 nor 1; got '0'"),
        ([10.0, 20.0], [0, 1, 1], "wanted 2 outcomes, got (3,)"),
        ([10.0, -20.0], [0, 1], "dose_gy, row 2"),
        ([10.0, math.nan], [0, 1], "dose_gy, row 2"),
    ],
)
def test_bad_patients(dose: list[float], events: list[object], message: str) -> None:
    with pytest.raises(ScienceError) as caught:
        oc.fit_response(dose, events=events)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_bad_histograms_of_patients() -> None:
    with pytest.raises(ScienceError, match=r"dvhs, row 2: not a Dvh; got \[1.0\]"):
        oc.fit_lkb([FOUR, [1.0]], events=[0, 1])  # type: ignore[list-item]
    with pytest.raises(ScienceError, match="not histograms; wanted one Dvh for each patient"):
        oc.fit_lkb([], events=[])
    with pytest.raises(ScienceError, match="confidence level"):
        oc.fit_lkb([FOUR], events=[0], level=1.5)


@pytest.mark.parametrize("s", [1e-12, 1e-6, 1.0, 50.0, 1e3, 1e6])
def test_relative_seriality_keeps_its_digits_at_every_seriality(s: float) -> None:
    expected = float(oc.poisson_response(45.0, d50_gy=50.0, gamma=2.0))
    found = oc.relative_seriality_ntcp(uniform(45.0), d50_gy=50.0, gamma=2.0, seriality=s)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("s", [1e3, 1e6])
def test_very_serial_organs_fail_with_their_hottest_part(s: float) -> None:
    hottest = float(oc.poisson_response(40.0, d50_gy=50.0, gamma=2.0))
    found = oc.relative_seriality_ntcp(FOUR, d50_gy=50.0, gamma=2.0, seriality=s)
    assert found == pytest.approx(hottest * 0.25 ** (1 / s), rel=1e-9)


def test_histograms_that_may_be_misread_say_so() -> None:
    falling = oc.differential_dvh([0.0, 10.0, 20.0, 30.0], volume=[100, 80, 30, 0], normalise=True)
    assert falling.warnings == ("the volumes never rise with dose: is it a cumulative histogram?",)
    late = oc.cumulative_dvh([10.0, 20.0, 30.0], volume=[80.0, 30.0, 0.0], normalise=True)
    assert late.warnings == ("it begins at 10 Gy: the volume there is taken for the whole, none of it below",)
    assert oc.cumulative_dvh([0.0, 20.0, 30.0], volume=[80.0, 30.0, 0.0], normalise=True).warnings == ()
