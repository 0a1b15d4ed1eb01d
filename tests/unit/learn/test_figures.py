"""Figures are judged by the data in their axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from braggbook.learn import Figure, Slip
from braggbook.learn.base import Asked

mpl.use("Agg")
from matplotlib import pyplot as plt

HINTS = ("one", "two", "three")
DOSES = np.linspace(0, 8, 41)


def survival(dose: Any, alpha: float = 0.3, beta: float = 0.03) -> Any:
    return np.exp(-alpha * dose - beta * dose**2)


QUESTION = Figure(
    "q1",
    curves=lambda: {"tumour": (DOSES, survival(DOSES)), "tissue": (list(DOSES), list(survival(DOSES, 0.1, 0.05)))},
    x_unit="Gy",
    y_unit="1",
    y_scale="log",
    slips=(
        Slip(value={"tumour": (DOSES, survival(DOSES, 0.3, 0.0))}, says="Straight: the quadratic term is missing."),
    ),
    hints=HINTS,
)


def drawn(*draw: Callable[[Any], Any], x: str = "dose (Gy)", y: str = "survival", scale: str = "log") -> Any:
    figure, axes = plt.subplots()
    for each in draw:
        each(axes)
    axes.set(xlabel=x, ylabel=y, yscale=scale)
    plt.close(figure)
    return axes


def both(axes: Any) -> None:
    fine = np.linspace(0, 8, 77)
    axes.plot(fine, survival(fine))
    axes.scatter(DOSES, survival(DOSES, 0.1, 0.05))


@pytest.mark.parametrize(
    "hand_in", [lambda a: a, lambda a: a.figure, lambda a: a.get_lines(), lambda a: a.get_lines()[0]]
)
def test_axes_figures_and_lines_are_as_good_and_so_is_another_grid(hand_in: Callable[[Any], Any]) -> None:
    assert QUESTION.judge(hand_in(drawn(both)), Asked())


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        (drawn, "no curve"),
        (
            lambda: drawn(lambda a: a.plot(DOSES, survival(DOSES))),
            "'tissue' is not there: a curve over this range has other",
        ),
        (lambda: drawn(lambda a: a.plot(DOSES[:20], survival(DOSES[:20]))), "covers the range"),
        (lambda: drawn(lambda a: a.plot(DOSES, survival(DOSES, 0.3, 0.0))), "quadratic term is missing"),
        (lambda: drawn(lambda a: a.plot(survival(DOSES), DOSES), scale="linear"), "axes are exchanged"),
        (lambda: drawn(both, scale="linear"), "The y axis is linear; the question asks for a log one."),
        (lambda: drawn(both, x=""), "The x axis has no label"),
        (lambda: drawn(both, x="dose"), "does not name its unit: wanted Gy"),
        (plt.figure, "no axes"),
        (lambda: 3.0, "asks for a figure"),
        (lambda: None, "asks for a figure"),
        (lambda: plt, "asks for a figure"),
    ],
)
def test_each_slip_has_its_message(axes: Callable[[], Any], says: str) -> None:
    verdict = QUESTION.judge(axes(), Asked())
    plt.close("all")
    assert not verdict
    assert says in verdict.message


def exchanged(axes: Any) -> None:
    coarse = np.linspace(0, 8, 9)
    axes.plot(survival(coarse), coarse)
    axes.plot(survival(coarse, 0.1, 0.05), coarse)


def test_exchanged_axes_of_falling_curves_are_seen_on_any_grid_and_with_another_slip() -> None:
    assert QUESTION.judge(drawn(exchanged), Asked()).slip == "axes exchanged"
    slipped = drawn(lambda a: a.plot(survival(DOSES, 0.2, 0.01), DOSES))
    assert QUESTION.judge(slipped, Asked()).slip == "axes exchanged"
    short = drawn(lambda a: a.plot(survival(DOSES[:20]), DOSES[:20]))
    assert QUESTION.judge(short, Asked()).slip == "other range"


def labelled(first: str, second: str, legend: tuple[str, ...] = ()) -> Any:
    def draw(axes: Any) -> None:
        axes.plot(DOSES, survival(DOSES), label=first or None)
        axes.scatter(DOSES, survival(DOSES, 0.1, 0.05), label=second or None)
        if legend:
            axes.legend(legend)

    return drawn(draw)


@pytest.mark.parametrize(
    ("axes", "is_right"),
    [
        (lambda: labelled("tumour", "tissue"), True),
        (lambda: labelled("Tumour (alpha 0.3)", "healthy  TISSUE"), True),
        (lambda: labelled("", ""), True),
        (lambda: labelled("a", "b"), True),
        (lambda: labelled("tumour and tissue", "both: tissue, tumour"), True),
        (lambda: labelled("", "", ("tumour", "tissue")), True),
        (lambda: labelled("tissue", "tumour"), False),
        (lambda: labelled("", "tumour, measured"), False),
        (lambda: labelled("", "", ("tissue", "tumour")), False),
    ],
)
def test_labels_are_compared_where_they_name_a_curve(axes: Callable[[], Any], is_right: bool) -> None:
    verdict = QUESTION.judge(axes(), Asked())
    assert bool(verdict) is is_right
    assert verdict.slip == ("" if is_right else "labels exchanged")


def test_a_figure_may_have_very_many_points() -> None:
    fine = np.linspace(0, 8, 20_000)
    many = drawn(lambda a: (a.plot(fine, survival(fine)), a.scatter(fine, survival(fine, 0.1, 0.05))))
    assert QUESTION.judge(many, Asked())


def test_an_empty_inset_does_not_hide_what_is_said_of_the_figure() -> None:
    figure, axes = plt.subplots(1, 2)
    axes[1].plot(survival(DOSES), DOSES)
    plt.close(figure)
    assert QUESTION.judge(figure, Asked()).slip == "axes exchanged"


@pytest.mark.parametrize(
    ("label", "unit"),
    [
        ("LET (keV/µm)", "keV/um"),
        (r"LET / keV $\mu$m$^{-1}$ = keV/$\mu m$", "keV/um"),
        (r"$\alpha$ (Gy$^{-1}$)", "1/Gy"),
        ("alpha (1/Gy)", "1/Gy"),
        ("volume [cm³]", "cm3"),
        ("counts", "1"),
    ],
)
def test_units_in_labels_may_be_written_in_many_ways(label: str, unit: str) -> None:
    question = Figure("q1", curves={"a": (DOSES, DOSES)}, x_unit=unit, hints=HINTS)
    assert question.judge(drawn(lambda a: a.plot(DOSES, DOSES), x=label, scale="linear"), Asked())


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"curves": {}}, "no curve"),
        ({"curves": {"a": ([1, 2], [1, 2])}}, "at least 3"),
        ({"curves": {"a": ([1, 2, 3], [1, 2])}}, "same length"),
        ({"x_unit": "grays"}, "unit"),
        ({"slips": (Slip(value={"b": (DOSES, DOSES * 1.001)}, says="same"),)}, "same curves as curves"),
    ],
)
def test_a_question_that_is_wrong_itself_is_found(more: dict[str, Any], fault: str) -> None:
    question = Figure("q1", **{"curves": {"a": (DOSES, DOSES)}, "hints": HINTS, **more})
    assert fault in "\n".join(question.faults())
