"""Metrics of numbers and labels, against closed forms and other people's code."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from braggbook.errors import InputError, NoValue
from braggbook.metrics.agreement import concordance, limits_of_agreement
from braggbook.metrics.classification import (
    accuracy,
    average_precision,
    balanced_accuracy,
    brier_score,
    cohens_kappa,
    confusion,
    f1,
    matthews_correlation,
    roc_auc,
)
from braggbook.metrics.regression import (
    absolute_error,
    coefficient_of_determination,
    coverage,
    coverage_error,
    interval_score,
    mean_absolute_error,
    mean_error,
    mean_interval_width,
    median_absolute_error,
    part_within,
    relative_error,
    root_mean_square_error,
    signed_error,
    squared_error,
)
from braggbook.metrics.scoring import score
from braggbook.metrics.survival import isoeffective_dose_error, log_survival_error, parameter_error
from braggbook.radiobiology.linear_quadratic import LqParameters

TRUE, SAID = [1.0, 2.0, 4.0, 8.0], [1.5, 2.0, 3.0, 10.0]


def test_errors() -> None:
    assert mean_absolute_error(TRUE, SAID) == pytest.approx(3.5 / 4)
    assert median_absolute_error(TRUE, SAID) == pytest.approx(0.75)
    assert root_mean_square_error(TRUE, SAID) == pytest.approx(np.sqrt(5.25 / 4))
    assert mean_error(TRUE, SAID) == pytest.approx(1.5 / 4)
    assert coefficient_of_determination(TRUE, SAID) == pytest.approx(1 - 5.25 / 28.75)
    assert coefficient_of_determination(TRUE, TRUE) == 1


def test_interval_score_by_hand() -> None:
    """Inside: the width. Outside by 0.5 at 80 %: the width and ten times that."""
    assert interval_score([1.0, 3.5], [0.0, 2.0], [2.0, 3.0], confidence=0.8) == pytest.approx((2 + 1 + 5) / 2)
    assert coverage([1.0, 3.5], [0.0, 2.0], [2.0, 3.0]) == 0.5
    assert coverage_error([1.0, 3.5], [0.0, 2.0], [2.0, 3.0], confidence=0.8) == pytest.approx(0.3)


def test_neither_caution_nor_boldness_pays() -> None:
    """The mean over a normal distribution is least for its own quantiles."""

    def expected(half_width: float) -> float:
        def weighted(x: float) -> float:
            return interval_score([x], [-half_width], [half_width], confidence=0.9) * stats.norm.pdf(x)

        return integrate.quad(weighted, -9, 9, points=[-half_width, half_width], limit=200)[0]

    honest = float(stats.norm.ppf(0.95))
    assert expected(honest) < min(expected(honest * 0.9), expected(honest * 1.1))


@pytest.mark.parametrize(
    "lists", [([1.0], [1.0, 2.0]), ([], []), ([float("nan")], [1.0]), ([[1.0]], [[1.0]]), ("a", "b")]
)
def test_what_cannot_be_compared_is_refused(lists) -> None:
    with pytest.raises(InputError):
        mean_absolute_error(*lists)


def test_ends_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(InputError, match="not intervals"):
        coverage([1.0], [2.0], [1.0])


@pytest.mark.parametrize("metric", [coefficient_of_determination, concordance])
def test_no_value_is_said(metric) -> None:
    with pytest.raises(NoValue):
        metric([1.0, 1.0], [1.0, 1.0])


def test_concordance_punishes_what_correlation_does_not_see() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    assert concordance(x, x) == pytest.approx(1)
    assert concordance(x, -x) < 0
    shift, scale = 0.5, 1.3
    y = scale * x + shift
    wanted = 2 * scale * x.var() / (x.var() + scale**2 * x.var() + (y.mean() - x.mean()) ** 2)
    assert concordance(x, y) == pytest.approx(wanted)


def test_limits_hold_what_they_say() -> None:
    """Of normal differences: 95 % between the limits, and intervals that hold the true limits 95 times in 100."""
    rng = np.random.default_rng(1)
    held, trials = np.zeros(3), 2000
    for _ in range(trials):
        found = limits_of_agreement(np.zeros(40), rng.normal(0.2, 2, 40))
        true = (0.2, 0.2 - 1.959964 * 2, 0.2 + 1.959964 * 2)
        ends = (found.bias_interval, found.lower_interval, found.upper_interval)
        held += [low <= value <= high for value, (low, high) in zip(true, ends, strict=True)]
    assert held / trials == pytest.approx([0.95] * 3, abs=0.02)


# truth: 3 a, 2 b, 1 c
LABELS, GUESSES = list("aaabbc"), list("aabbcc")


def test_labels() -> None:
    classes, counts = confusion(LABELS, GUESSES)
    assert (classes, counts.tolist()) == (["a", "b", "c"], [[2, 1, 0], [0, 1, 1], [0, 0, 1]])
    assert accuracy(LABELS, GUESSES) == pytest.approx(4 / 6)
    assert balanced_accuracy(LABELS, GUESSES) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert f1(LABELS, GUESSES, positive="b") == pytest.approx(0.5)
    assert cohens_kappa(LABELS, GUESSES) == pytest.approx((4 / 6 - 12 / 36) / (1 - 12 / 36))


def test_matthews_of_two_classes_is_pearsons() -> None:
    rng = np.random.default_rng(3)
    true, said = rng.integers(0, 2, 40), rng.integers(0, 2, 40)
    assert matthews_correlation(true, said) == pytest.approx(np.corrcoef(true, said)[0, 1])


def test_area_counts_pairs() -> None:
    rng = np.random.default_rng(4)
    true, scores = rng.integers(0, 2, 30), rng.integers(0, 6, 30).astype(float)
    pairs = [(p > n) + 0.5 * (p == n) for p in scores[true == 1] for n in scores[true == 0]]
    assert roc_auc(true, scores, positive=1) == pytest.approx(np.mean(pairs))


def test_average_precision_by_hand() -> None:
    assert average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1], positive=1) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([1, 0, 1], [0.5, 0.5, 0.5], positive=1) == pytest.approx(2 / 3)


def test_brier_by_hand() -> None:
    assert brier_score([1, 0], [0.8, 0.4], positive=1) == pytest.approx((0.04 + 0.16) / 2)
    with pytest.raises(InputError, match="not probabilities"):
        brier_score([1], [1.1], positive=1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: roc_auc([1, 1], [0.1, 0.2], positive=1),
        lambda: average_precision([0], [0.1], positive=1),
        lambda: f1(["a"], ["a"], positive="b"),
        lambda: matthews_correlation(["a", "a"], ["a", "b"]),
        lambda: cohens_kappa(["a"], ["a"]),
    ],
)
def test_one_class_alone_has_no_value(call) -> None:
    with pytest.raises(NoValue):
        call()


def test_survival_curves() -> None:
    true = LqParameters(alpha_per_gy=0.3, beta_per_gy2=0.03)
    said = LqParameters(alpha_per_gy=0.25, beta_per_gy2=0.04)
    doses = np.linspace(0, 6, 20001)
    difference = (-(0.25 - 0.3) * doses - (0.04 - 0.03) * doses**2) / np.log(10)
    wanted = np.sqrt(integrate.trapezoid(difference**2, doses) / 6)
    assert log_survival_error(true, said, up_to_gy=6) == pytest.approx(wanted, rel=1e-6)
    assert log_survival_error(true, true, up_to_gy=6) == 0
    assert isoeffective_dose_error(true, true) == 0
    assert parameter_error(true, said) == pytest.approx((-0.05, 0.01))
    with pytest.raises(InputError, match="not a dose"):
        log_survival_error(true, said, up_to_gy=0)


def test_errors_of_one_case() -> None:
    assert (absolute_error(2.0, 1.5), squared_error(2.0, 1.5), signed_error(2.0, 1.5)) == (0.5, 0.25, -0.5)
    assert relative_error(-2.0, 1.0) == 1.5
    with pytest.raises(NoValue):
        relative_error(0.0, 1.0)


def test_part_within_a_tolerance_counts_its_edge() -> None:
    assert part_within(TRUE, SAID, tolerance=1.0) == 0.75
    assert part_within(TRUE, SAID, tolerance=0.0) == 0.25


def test_width_says_nothing_of_the_truth() -> None:
    assert mean_interval_width([1.0, 99.0], [0.0, 2.0], [2.0, 3.0]) == 1.5


def test_what_says_one_thing_only_knows_nothing() -> None:
    assert matthews_correlation(["a", "b"], ["a", "a"]) == 0
    assert cohens_kappa(["a", "b"], ["a", "a"]) == 0


@pytest.mark.parametrize("labels", [["a", None], ["a", float("nan")], []])
def test_what_is_no_label_is_refused(labels) -> None:
    with pytest.raises(InputError, match="not labels that can be compared"):
        accuracy(labels, ["a"] * len(labels))


def test_numbers_in_quotes_are_none() -> None:
    with pytest.raises(InputError, match="estimate: not numbers"):
        mean_absolute_error([1.0], ["1.0"])


def test_limits_by_id() -> None:
    found = limits_of_agreement(TRUE, SAID)
    for name, wanted in (("bias", found.bias), ("lower", found.lower), ("upper", found.upper)):
        options = {} if name == "bias" else {"part": 0.95}
        assert score(f"bland_altman.{name}@1", TRUE, SAID, **options) == wanted
    assert score("bland_altman.half_width@1", TRUE, SAID, part=0.95) == pytest.approx((found.upper - found.lower) / 2)


def test_an_isoeffective_dose_that_is_never_reached() -> None:
    """It is the estimate's fault, and so the worst; where it is the truth's, nothing can be scored."""
    true, rising = LqParameters(0.3, 0.03), LqParameters(-0.1, 0.0)
    assert score("isoeffective_dose_error@1", true, rising, level=0.1) == 1
    assert score("isoeffective_dose_error@1", true, LqParameters(0.03, 0.0), level=0.1) == 1
    with pytest.raises(InputError, match="case c2"):
        score("isoeffective_dose_error@1", rising, true, level=0.1, case="c2")
