"""The ways from scores to ranks, against published expectations and against the plainest possible code."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from itertools import combinations, permutations
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, wilcoxon
from statsmodels.stats.multitest import multipletests

from braggbook.challenges.ranking import (
    METHODS,
    Rules,
    Scores,
    bootstrap,
    compiled,
    kendall_tau,
    plain,
    rank,
    scores_from,
    significance,
)
from braggbook.challenges.ranking.agreement import kendall_taus
from braggbook.challenges.ranking.bootstrap import draw_cases
from braggbook.challenges.ranking.methods import PairedTests, Ranking, rank_by_tests, rank_weighted
from braggbook.challenges.ranking.ranks import ranks_of
from braggbook.challenges.ranking.significance import Significance, groups, holm
from braggbook.challenges.ranking.sums import weighted_means
from braggbook.errors import InputError

BY_VALUE = ("mean_then_rank", "median_then_rank")
BY_CASE = ("rank_then_mean", "rank_then_median")


def table(better: str, **rows: list[float | None]) -> Scores:
    return scores_from({name: {f"c{i}": v for i, v in enumerate(row)} for name, row in rows.items()}, better=better)


def ranks(scores: Scores, method: str, **rules: object) -> list[float]:
    return list(rank(scores, Rules(method, **rules)).ranks)


def worst_case() -> Scores:
    """Every order of five values once: nobody is better than anybody."""
    values = np.array(list(permutations([0.8, 0.85, 0.9, 0.95, 1.0]))).T
    return Scores(tuple("ABCDE"), tuple(f"case {i}" for i in range(120)), values, "larger")


def random_scores(seed: int, *, algorithms: int = 4, cases: int = 12, digits: int = 2) -> Scores:
    """Scores with ties among them."""
    values = np.random.default_rng(seed).uniform(size=(algorithms, cases)).round(digits)
    return Scores(tuple(f"a{i}" for i in range(algorithms)), tuple(f"c{i}" for i in range(cases)), values, "larger")


# Expectations 1 to 10 of challengeR's own tests (Wiesenfarth et al., Sci. Rep. 11, 2369 (2021)).


@pytest.mark.parametrize("method", [*BY_VALUE, *BY_CASE])
def test_the_better_value_is_first(method) -> None:
    assert ranks(table("smaller", A1=[0.6], A2=[0.8]), method) == [1, 2]
    assert ranks(table("larger", A1=[0.6], A2=[0.8]), method) == [2, 1]
    assert ranks(table("smaller", A1=[0.6, 0.4], A2=[0.8, 1.0]), method) == [1, 2]
    assert ranks(table("larger", A1=[0.6]), method) == [1]


@pytest.mark.parametrize("method", [*BY_VALUE, *BY_CASE])
def test_equals_share_a_rank(method) -> None:
    equal = table("smaller", A1=[0.6], A2=[0.6])
    assert ranks(equal, method) == [1, 1]
    assert ranks(equal, method, ties="max") == [2, 2]
    assert ranks(equal, method, ties="mean") == [1.5, 1.5]


def test_what_is_ranked_is_shown() -> None:
    scores = table("smaller", A1=[0.6, 0.4], A2=[0.8, 1.0])
    assert list(rank(scores, Rules("mean_then_rank")).values) == [0.5, 0.9]
    assert list(rank(scores, Rules("median_then_rank")).values) == [0.5, 0.9]
    assert list(rank(scores, Rules("rank_then_mean")).values) == [1, 2]


def test_a_missing_score_needs_a_rule_where_values_are_ranked() -> None:
    scores = table("larger", A1=[None], A2=[0.8])
    for method in BY_VALUE:
        ranking = rank(scores, Rules(method, worst=0))
        assert (list(ranking.values), list(ranking.ranks)) == ([0, 0.8], [2, 1])
        assert rank(scores, Rules(method, worst=-1)).values[0] == -1
        with pytest.raises(InputError, match="scores are missing, and no rule says what that means") as caught:
            rank(scores, Rules(method))
        assert [issue.where for issue in caught.value.issues] == ["A1, c0"]
        assert list(rank(scores.only(["A2"]), Rules(method)).ranks) == [1]


def test_a_missing_score_is_last_where_cases_are_ranked() -> None:
    scores = table("larger", A1=[None, 0.1], A2=[0.8, None], A3=[None, 0.2], A4=[0.9, 0.3])
    assert list(rank(scores, Rules("rank_then_mean")).values) == [3, 3, 2.5, 1]
    with pytest.raises(InputError, match="a value for missing scores that is not used"):
        Rules("rank_then_mean", worst=0)


@pytest.mark.parametrize(
    ("better", "rows", "values", "wanted"),
    [
        ("smaller", {"A1": [0.2] * 4, "A2": [1.0] * 4}, [1, 0], [1, 2]),
        ("larger", {"A1": [0.2] * 4, "A2": [1.0] * 4}, [0, 1], [2, 1]),
        ("smaller", {"A1": [0.6, 0.6], "A2": [0.8, 0.8]}, [0, 0], [1, 1]),
        ("smaller", {"A1": [0.6], "A2": [0.8]}, [0, 0], [1, 1]),
        ("smaller", {"A1": [0.6]}, [0], [1]),
    ],
)
def test_tests_then_ranks(better, rows, values, wanted) -> None:
    ranking = rank(table(better, **rows), Rules("test_then_rank"))
    assert (list(ranking.values), list(ranking.ranks)) == (values, wanted)


def test_rules_are_checked_all_at_once_even_where_they_would_not_matter() -> None:
    with pytest.raises(InputError) as caught:
        Rules("best", ties="first", tolerance=float("nan"), worst=float("inf"), alpha=0)
    assert len(caught.value.issues) == 5


# Sums, ties and order


@pytest.mark.parametrize("method", METHODS)
def test_five_that_are_equal_are_all_first(method) -> None:
    scores = worst_case()
    assert len(set(scores.values.mean(axis=1))) > 1, "a plain mean must tell them apart, or this shows nothing"
    assert ranks(scores, method, tolerance=0) == [1, 1, 1, 1, 1]


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), min_size=1, max_size=5),
    st.lists(st.integers(0, 3), min_size=4, max_size=4).filter(any),
)
def test_means_are_the_exact_sums(values, weights) -> None:
    got = weighted_means(np.array(values), np.array([weights]))[0]
    for mean, row in zip(got, values, strict=True):
        exact = sum(Fraction(value) * weight for value, weight in zip(row, weights, strict=True)) / sum(weights)
        assert mean == pytest.approx(float(exact), rel=1e-15, abs=1e-300)


@given(st.permutations([0.1, 0.2, 0.3, 1e-17, -7e5, 0.7, 3e-9]))
def test_means_do_not_depend_on_the_order(values) -> None:
    rows = np.array([sorted(values), values])
    assert len(set(weighted_means(rows, np.ones((1, 7), np.int64))[0])) == 1


def test_the_tolerance_is_of_scores_and_not_of_mean_ranks() -> None:
    """0.6 is nothing in mm here, and much for a mean rank."""
    scores = table("smaller", A=[1.0, 5.0, 5.5], B=[2.0, 6.0, 5.0], C=[2.5, 5.9, 5.9])
    assert ranks(scores, "mean_then_rank", tolerance=0.6) == [1, 1, 3]
    assert list(rank(scores, Rules("rank_then_mean", tolerance=0.6)).values) == [1, 5 / 3, 7 / 3]
    assert ranks(scores, "rank_then_mean", tolerance=0.6) == [1, 2, 3]


def test_a_chain_of_small_steps_is_no_group() -> None:
    assert list(ranks_of(np.array([0.0, 0.6, 1.2, 1.8]), tolerance=1)) == [1, 1, 3, 3]
    assert list(ranks_of(np.array([0.0, 0.6, 1.2, 1.8]), tolerance=1, ties="max")) == [2, 2, 4, 4]
    assert list(ranks_of(np.array([np.nan, 1.0, np.nan]), ties="mean")) == [2.5, 1, 2.5]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_algorithms_and_cases_does_not_matter(method, seed) -> None:
    scores = random_scores(seed)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(4), rng.permutation(12)
    turned = Scores(
        tuple(scores.algorithms[i] for i in rows),
        tuple(scores.cases[i] for i in columns),
        scores.values[rows][:, columns],
        "larger",
    )
    wanted = dict(zip(scores.algorithms, ranks(scores, method), strict=True))
    assert dict(zip(turned.algorithms, ranks(turned, method), strict=True)) == wanted


@pytest.mark.parametrize("method", METHODS)
def test_smaller_is_better_mirrors_larger(method) -> None:
    scores = random_scores(5)
    mirrored = Scores(scores.algorithms, scores.cases, -scores.values, "smaller")
    assert ranks(scores, method) == ranks(mirrored, method)


# The bootstrap


def repeated(scores: Scores, weights: np.ndarray) -> Scores:
    """The table that a draw stands for: a case that was drawn k times stands there k times."""
    columns = np.repeat(np.arange(len(weights)), weights)
    return Scores(scores.algorithms, tuple(map(str, range(len(columns)))), scores.values[:, columns], scores.better)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(4))
def test_a_weighting_is_the_table_with_repeated_cases(method, seed) -> None:
    scores = random_scores(seed, cases=15)
    weights = draw_cases(15, draws=20, rng=np.random.default_rng(seed))
    values, got = rank_weighted(scores, Rules(method), weights)
    for row, (value, placed) in zip(weights, zip(values, got, strict=True), strict=True):
        plain = rank(repeated(scores, row), Rules(method))
        assert (list(plain.values), list(plain.ranks)) == (list(value), list(placed))


@pytest.mark.parametrize("seed", range(4))
def test_medians_are_those_of_the_statistics_module(seed) -> None:
    scores = random_scores(seed, cases=11 + seed)
    weights = draw_cases(11 + seed, draws=10, rng=np.random.default_rng(seed))
    values, _ = rank_weighted(scores, Rules("median_then_rank"), weights)
    for row, value in zip(weights, values, strict=True):
        assert list(value) == [median(one) for one in repeated(scores, row).values.tolist()]


@pytest.mark.parametrize("method", [*BY_VALUE, *BY_CASE])
def test_every_case_twice_changes_nothing(method) -> None:
    scores = random_scores(8)
    weights = np.array([[1] * 12, [2] * 12])
    for row in weights:
        assert list(rank_weighted(scores, Rules(method), row[None])[1][0]) == ranks(scores, method)


def test_where_nobody_is_better_everybody_wins_a_fifth() -> None:
    """20.2 to 20.8 % each at 200,000 draws: shared first ranks are counted for all who share them."""
    found = bootstrap(worst_case(), Rules("mean_then_rank"), rng=np.random.default_rng(3), draws=20_000)
    assert found.first == pytest.approx([0.205] * 5, abs=0.012)
    assert found.sole.sum() < 1 < found.first.sum()
    assert (found.tau, found.undefined) == (None, 20_000)


def test_where_all_is_clear_nothing_moves() -> None:
    values = np.random.default_rng(0).uniform(size=(5, 50)) * 0.1 + np.linspace(0.9, 0.5, 5)[:, None]
    scores = Scores(tuple("ABCDE"), tuple(map(str, range(50))), values, "larger")
    for method in METHODS:
        found = bootstrap(scores, Rules(method), rng=np.random.default_rng(1), draws=200)
        assert found.intervals.tolist() == [[k, k] for k in (1, 2, 3, 4, 5)]
        assert (list(found.first), found.tau, found.undefined) == ([1, 0, 0, 0, 0], 1, 0)
        assert found.counts.tolist() == (np.eye(5) * 200).tolist()
        assert bool(found.note) == (method == "test_then_rank")


def test_draws_take_copies_of_a_case_for_evidence_in_paired_tests() -> None:
    """What the note on test_then_rank says: 5 of a hundred tests of equals find a difference, and 12 in a draw."""
    values = np.random.default_rng(2).normal(size=(60, 50))
    scores = Scores(tuple(map(str, range(60))), tuple(map(str, range(50))), values, "larger")
    weights = draw_cases(50, draws=40, rng=np.random.default_rng(3))
    in_draws, _ = rank_weighted(scores, Rules("test_then_rank"), weights)
    assert rank(scores, Rules("test_then_rank")).values.mean() == pytest.approx(0.05, abs=0.02)
    assert in_draws.mean() == pytest.approx(0.122, abs=0.02)
    assert (
        "12 draws of a hundred"
        in bootstrap(scores, Rules("test_then_rank"), rng=np.random.default_rng(3), draws=5).note
    )


def test_one_seed_gives_one_answer() -> None:
    one, other = (bootstrap(random_scores(1), Rules("mean_then_rank"), rng=np.random.default_rng(7)) for _ in range(2))
    assert (one.counts == other.counts).all()
    assert one.tau == other.tau


def test_one_case_cannot_be_drawn_anew() -> None:
    with pytest.raises(InputError, match="nothing to draw"):
        bootstrap(table("larger", A=[1.0], B=[2.0]), Rules("mean_then_rank"), rng=np.random.default_rng(0))


# Tests


@pytest.mark.parametrize("seed", range(6))
def test_signed_ranks_are_scipys(seed) -> None:
    scores = random_scores(seed, cases=9 + 5 * seed, digits=1 + seed % 3)
    (tests,) = PairedTests(scores, tolerance=1e-12).parts()
    p = tests.p(np.ones((1, len(scores.cases)), np.int64))
    for one, other, both in zip(tests.one, tests.other, p[:, 0], strict=True):
        difference = (scores.values[one] - scores.values[other]).round(9)
        for tail, got in zip(("greater", "less"), both, strict=True):
            said = wilcoxon(difference, alternative=tail, method="asymptotic", correction=True, zero_method="wilcox")
            assert got == pytest.approx(said.pvalue, rel=1e-10)


@pytest.mark.parametrize("digits", [1, 9])
def test_many_pairs_at_once_are_tested_as_each_alone(digits) -> None:
    """NumPy takes the pairs one by one or all together, and the compiler its own loop: to the last bit the same."""
    rng = np.random.default_rng(digits)
    differences = rng.normal(size=(200, 30)).round(digits)
    differences[7] = 0
    differences[8, :20] = 0.1
    order = np.argsort(np.abs(differences), axis=1, kind="stable")
    weights = rng.integers(0, 4, (30, 3)).astype(float)
    weights[:, 2] = 0
    found = {name: np.empty((200, 3, 2)) for name in ("together", "alone", "compiled")}
    plain.signed_rank_p(differences, order, weights, 1e-9, found["together"])
    for pair in range(200):
        part = slice(pair, pair + 1)
        plain.signed_rank_p(differences[part], order[part], weights, 1e-9, found["alone"][part])
    compiled.signed_rank_p(differences, order, weights, 1e-9, found["compiled"])
    assert np.isnan(found["together"][7]).all()
    assert np.isnan(found["together"][:, 2]).all()
    assert not np.isnan(found["together"][8, :2]).any()
    for name in ("alone", "compiled"):
        assert np.array_equal(found["together"], found[name], equal_nan=True), name


def test_pairs_come_in_parts_that_memory_bears() -> None:
    rng = np.random.default_rng(4)
    scores = table("larger", **{f"a{at:02d}": rng.normal(size=400).tolist() for at in range(40)})
    parts = list(PairedTests(scores, tolerance=1e-12).parts())
    assert len(parts) > 1
    assert [(int(one), int(other)) for part in parts for one, other in zip(part.one, part.other, strict=True)] == list(
        combinations(range(40), 2)
    )
    assert all(part.differences.size <= 200_000 for part in parts)
    found = significance(scores)
    few = significance(scores.only([*scores.algorithms[:2], scores.algorithms[-1]]))
    at = np.ix_([0, 1, 39], [0, 1, 39])
    assert np.array_equal(found.p[at], few.p, equal_nan=True)
    method = Rules("test_then_rank")
    assert rank_by_tests(scores.algorithms, found.p, method).values.tolist() == rank(scores, method).values.tolist()
    assert rank_by_tests(scores.algorithms, found.p, method).ranks.tolist() == rank(scores, method).ranks.tolist()


@pytest.mark.parametrize("seed", range(8))
def test_groups_are_the_longest_stretches_without_a_difference(seed) -> None:
    rng = np.random.default_rng(seed)
    size = 14
    names = tuple("abcdefghijklmn")
    better = np.triu(rng.uniform(size=(size, size)) < 0.15 + 0.05 * seed, 1)
    p = np.full((size, size), 0.5)
    places = rng.permutation(size)
    standing = Ranking(names, places.astype(float), places + 1.0)
    order = np.argsort(places)
    shuffled = np.zeros_like(better)
    shuffled[np.ix_(order, order)] = better
    free = [
        (begin, end)
        for begin in range(size)
        for end in range(begin + 1, size + 1)
        if not better[begin:end, begin:end].any()
    ]
    longest = [
        one for one in free if not any(other != one and other[0] <= one[0] and one[1] <= other[1] for other in free)
    ]
    wanted = [tuple(names[at] for at in order[begin:end]) for begin, end in longest]
    assert groups(standing, Significance(p, p, shuffled)) == wanted


def test_two_that_nowhere_differ_have_no_p() -> None:
    found = significance(table("larger", A=[0.1, 0.2, 0.3], B=[0.1, 0.2, 0.3], C=[0.0, 0.1, 0.2]))
    assert np.isnan(found.p[0, 1])
    assert not found.better[:2, :2].any()


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_statsmodels(seed) -> None:
    p = np.random.default_rng(seed).uniform(size=2 + 3 * seed) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_leaves_out_what_was_not_tested() -> None:
    found = holm(np.array([[np.nan, 0.01], [0.04, np.nan]]))
    assert found == pytest.approx(np.array([[np.nan, 0.02], [0.04, np.nan]]), nan_ok=True)


# Agreement


@pytest.mark.parametrize("seed", range(10))
def test_tau_is_scipys(seed) -> None:
    rng = np.random.default_rng(seed)
    one, many = rng.integers(1, 5, 7).astype(float), rng.integers(1, 5, (30, 7)).astype(float)
    wanted = [kendalltau(one, other).statistic for other in many]
    assert kendall_taus(one, many) == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize(("size", "steps"), [(1, 1), (2, 2), (3, 2), (33, 5), (64, 64), (100, 30)])
def test_tau_counts_every_pair(size, steps) -> None:
    """To the last bit, also where ranks lie between two."""
    rng = np.random.default_rng(size)
    one, many = rng.integers(1, steps + 1, size) / 2, rng.integers(1, steps + 1, (300, size)) / 2
    found = kendall_taus(one, many)
    first, second = np.triu_indices(size, 1)
    signs, reference = np.sign(many[:, first] - many[:, second]), np.sign(one[first] - one[second])
    scale = np.sqrt(np.count_nonzero(reference) * np.count_nonzero(signs, axis=1).astype(float))
    wanted = np.full(300, np.nan)
    np.divide(signs @ reference, scale, out=wanted, where=scale > 0)
    assert np.array_equal(found, wanted, equal_nan=True)


def test_tau_of_equals_is_none() -> None:
    assert kendall_tau(np.ones(4), np.arange(4.0)) is None
    assert kendall_tau(np.arange(4.0), np.arange(4.0)) == 1


# Two ways to compute the same


def drawn_with_an_empty_one(cases: int, *, draws: int = 30) -> np.ndarray:
    weights = draw_cases(cases, draws=draws, rng=np.random.default_rng(6))
    weights[-1] = 0
    return weights


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_compiled_and_plain_medians_are_the_same(digits) -> None:
    values = random_scores(3, cases=21, digits=digits).values
    order, weights = np.argsort(values, axis=1, kind="stable"), drawn_with_an_empty_one(21)
    out = np.empty((2, 30, 4))
    for loops, mine in zip((plain, compiled), out, strict=True):
        loops.weighted_medians(values, order, weights, mine)
    np.testing.assert_array_equal(*out)
    assert np.isnan(out[0, -1]).all()


@pytest.mark.parametrize("tolerance", [0.0, 1e-9, 0.05])
@pytest.mark.parametrize("digits", [1, 2, 12])
def test_compiled_and_plain_tests_are_the_same(digits, tolerance) -> None:
    values = random_scores(3, cases=21, digits=digits).values
    differences = np.vstack([values[:-1] - values[1:], np.zeros(21)])
    order = np.argsort(np.abs(differences), axis=1, kind="stable")
    out = np.empty((2, 4, 30, 2))
    by_case = np.ascontiguousarray(drawn_with_an_empty_one(21).T, dtype=float)
    for loops, mine in zip((plain, compiled), out, strict=True):
        loops.signed_rank_p(differences, order, by_case, tolerance, mine)
    np.testing.assert_allclose(*out, rtol=1e-14)
    assert np.isnan(out[0, 3]).all()
    assert np.isnan(out[0, :, -1]).all()


def test_small_tables_do_not_wait_for_a_compiler() -> None:
    script = (
        "import sys, numpy as np\n"
        "from braggbook.challenges.ranking import METHODS, Rules, Scores, bootstrap\n"
        "values = np.random.default_rng(0).uniform(size=(5, 50))\n"
        "scores = Scores(tuple('ABCDE'), tuple(map(str, range(50))), values, 'larger')\n"
        "for method in METHODS:\n"
        "    bootstrap(scores, Rules(method), rng=np.random.default_rng(1))\n"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("method", METHODS)
def test_large_tables_give_what_their_draws_give_one_by_one(method) -> None:
    scores = random_scores(9, algorithms=9, cases=80)
    weights = draw_cases(80, draws=6000, rng=np.random.default_rng(2))
    _, together = rank_weighted(scores, Rules(method), weights)
    for draw in range(0, 6000, 1000):
        assert list(rank_weighted(scores, Rules(method), weights[draw : draw + 1])[1][0]) == list(together[draw])
