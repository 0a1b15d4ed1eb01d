"""How well classes are told, and how honest the stated probabilities are.

Conventions: ``reference`` is a list (n) of labels; ``estimate`` a list of labels, or of scores or probabilities of the
one class that is named ``positive``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from braggbook.errors import InputError
from braggbook.metrics.masks import NoValue
from braggbook.metrics.numbers import Floats, check_lists

Labels = Sequence[Any] | npt.NDArray[Any]


def confusion(reference: Labels, estimate: Labels) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """Counts how often each class was taken for which.

    Returns:
        The classes in order, and (true class, stated class) counts.

    Raises:
        InputError: The lists are empty or of different lengths.
    """
    if len(reference) != len(estimate) or not len(reference):
        got = f"{len(reference)} and {len(estimate)}"
        raise InputError("not labels that can be compared", wanted="two lists of one length", got=got)
    classes = sorted({*map(str, reference), *map(str, estimate)})
    place = {name: number for number, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for true, said in zip(reference, estimate, strict=True):
        counts[place[str(true)], place[str(said)]] += 1
    return classes, counts


def accuracy(reference: Labels, estimate: Labels) -> float:
    """Part of the labels that are right."""
    _, counts = confusion(reference, estimate)
    return float(np.trace(counts) / counts.sum())


def balanced_accuracy(reference: Labels, estimate: Labels) -> float:
    """Mean over the true classes of the part of each that is told right."""
    _, counts = confusion(reference, estimate)
    there = counts.sum(axis=1) > 0
    return float((np.diag(counts)[there] / counts.sum(axis=1)[there]).mean())


def f1(reference: Labels, estimate: Labels, *, positive: Any) -> float:
    """F1 of one class, 2 TP / (2 TP + FP + FN).

    Raises:
        NoValue: The class is in neither list.
    """
    classes, counts = confusion(reference, estimate)
    if str(positive) not in classes:
        raise NoValue("F1 has no value", wanted=f"the class {positive!r} in one of the lists")
    at = classes.index(str(positive))
    return float(2 * counts[at, at] / (counts[at].sum() + counts[:, at].sum()))


def matthews_correlation(reference: Labels, estimate: Labels) -> float:
    """Matthews' correlation coefficient, for any number of classes (Gorodkin, Comput. Biol. Chem. 28, 367 (2004)).

    Raises:
        NoValue: There is one class only, in one of the lists.
    """
    _, counts = confusion(reference, estimate)
    total, right = int(counts.sum()), int(np.trace(counts))
    true, said = counts.sum(axis=1), counts.sum(axis=0)
    below = float(np.sqrt(float(total**2 - said @ said) * float(total**2 - true @ true)))
    if below == 0:
        raise NoValue("Matthews' correlation has no value", wanted="two classes in each list")
    return float(total * right - true @ said) / below


def cohens_kappa(reference: Labels, estimate: Labels) -> float:
    """Cohen's kappa: agreement beyond what the two lists' frequencies give by chance (doi:10.1177/001316446002000104).

    Raises:
        NoValue: All labels of both lists are one and the same.
    """
    _, counts = confusion(reference, estimate)
    total = counts.sum()
    chance = float(counts.sum(axis=1) @ counts.sum(axis=0)) / float(total) ** 2
    if chance == 1:
        raise NoValue("kappa has no value", wanted="two classes in all")
    return (float(np.trace(counts) / total) - chance) / (1 - chance)


def roc_auc(reference: Labels, estimate: Any, *, positive: Any) -> float:
    """Area under the ROC curve: the chance that a positive has the higher score, ties counting a half.

    By the Mann-Whitney statistic (Hanley and McNeil, Radiology 143, 29 (1982), doi:10.1148/radiology.143.1.7063747).

    Raises:
        NoValue: All are positive, or none is.
    """
    true, scores = _scored(reference, estimate, positive)
    positives = int(true.sum())
    negatives = len(true) - positives
    if not positives or not negatives:
        raise NoValue("the ROC curve has no area", wanted="positives and negatives", got=f"{positives} and {negatives}")
    ranks = rankdata(scores)
    return float((ranks[true].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(reference: Labels, estimate: Any, *, positive: Any) -> float:
    """Mean over the positives of the precision at each one's score; equal scores are taken together.

    Raises:
        NoValue: None is positive.
    """
    true, scores = _scored(reference, estimate, positive)
    if not true.any():
        raise NoValue("average precision has no value", wanted="a positive")
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(true[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    steps = np.diff(found[last], prepend=0)
    return float((steps * found[last] / (last + 1)).sum() / true.sum())


def brier_score(reference: Labels, estimate: Any, *, positive: Any) -> float:
    """Mean of (probability - truth)^2, truth being 1 for a positive (Brier, Mon. Weather Rev. 78, 1 (1950)).

    Raises:
        InputError: Not probabilities.
    """
    true, probability = _scored(reference, estimate, positive)
    if (probability < 0).any() or (probability > 1).any():
        raise InputError("not probabilities", where="estimate", wanted="from 0 to 1")
    return float(np.square(probability - true).mean())


def _scored(reference: Labels, estimate: Any, positive: Any) -> tuple[npt.NDArray[np.bool_], Floats]:
    (scores,) = check_lists(estimate=estimate)
    if len(reference) != len(scores):
        got = f"{len(reference)} and {len(scores)}"
        raise InputError("not labels and scores that can be compared", wanted="two lists of one length", got=got)
    return np.array([str(label) == str(positive) for label in reference]), scores
