"""Genome factors: published sets of paints, the meaning of the formula, and paints that cannot be."""

from __future__ import annotations

import itertools

import pytest

from braggbook.errors import BraggbookError, ScienceError, UnknownName
from braggbook.radiobiology.biodosimetry import DNA_CONTENT_MB, genome_factor, genome_share
from braggbook.radiobiology.constants import find_constant, taking


def test_published() -> None:
    # biodosetools prints 0.5847343 and 0.3147797
    assert genome_factor({"red": [1, 2, 4], "green": [3, 5, 6]}, sex="male") == pytest.approx(0.5847343, abs=5e-8)
    assert genome_factor({"red": [1, 4, 11]}, sex="female") == pytest.approx(0.3147797, abs=5e-8)


def test_lucas_rounded_factor() -> None:
    exact = genome_factor({"red": [1, 4, 11]}, sex="female")
    with taking({"translocations.exchange_factor": "Lucas 1992"}):
        assert genome_factor({"red": [1, 4, 11]}, sex="female") == pytest.approx(exact * 2.05 * 0.974 / 2)
    assert find_constant("translocations.exchange_factor").status == "ruled"


@pytest.mark.parametrize("sex", ["female", "male"])
def test_shares_add_up_to_the_genome(sex: str) -> None:
    names = [name for name in DNA_CONTENT_MB if not (name == "Y" and sex == "female")]
    assert genome_share(names, sex=sex) == pytest.approx(1.0)  # type: ignore[arg-type]
    assert genome_share(["x"], sex="female") > genome_share(["X"], sex="male")


def test_it_is_the_share_of_random_exchanges_that_is_seen() -> None:
    # Two breaks at random: seen when the colours of their chromosomes differ. Over all colours, of one sex, the
    # share of exchanges between different chromosomes is the constant's 0.974.
    names = [name for name in DNA_CONTENT_MB if name != "Y"]
    colour = {"1": "red", "2": "red", "4": "red", "3": "green", "5": "green", "6": "green"}
    shares = {name: genome_share([name], sex="female") for name in names}
    seen = sum(
        shares[a] * shares[b]
        for a, b in itertools.product(names, repeat=2)
        if colour.get(a, "none") != colour.get(b, "none")
    )
    homologues = sum(share**2 / 2 for share in shares.values())  # a chromosome pair: half of its own pairings are one
    assert 1 - homologues == pytest.approx(0.974, abs=1e-3)
    factor = genome_factor({"red": [1, 2, 4], "green": [3, 5, 6]}, sex="female")
    assert factor == pytest.approx(seen / 0.974, rel=1e-9)


@pytest.mark.parametrize(
    ("painted", "sex", "error", "message"),
    [
        ({"red": [1, 23]}, "male", UnknownName, "no chromosome named '23'"),
        ({"red": [1]}, "m", UnknownName, "no sex named 'm'"),
        ({"red": [1, 2], "green": [2]}, "male", ScienceError, "a chromosome is painted twice; got 2"),
        ({"red": [1, 1]}, "male", ScienceError, "chromosome 1: named twice"),
        ({"red": ["Y"]}, "female", ScienceError, "no such chromosome in a female"),
        ({}, "male", ScienceError, "nothing is painted"),
        ({"red": []}, "male", ScienceError, "nothing is painted"),
        ([1, 2, 4], "male", ScienceError, "nothing is painted"),
        ({"red": 4}, "male", ScienceError, "not a list of chromosomes"),
        ({"red": "124"}, "male", ScienceError, "not a list of chromosomes"),
        ({"all": [*range(1, 23), "X"]}, "female", ScienceError, "no exchange would be seen"),
    ],
)
def test_paints_that_cannot_be(painted: object, sex: str, error: type[BraggbookError], message: str) -> None:
    with pytest.raises(error) as caught:
        genome_factor(painted, sex=sex)  # type: ignore[arg-type]
    assert message in str(caught.value)
