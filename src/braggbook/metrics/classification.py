"""How well classes are told, and how honest the stated probabilities are.

Conventions: ``reference`` is a list (n) of labels; ``estimate`` a list of labels, or of scores or probabilities of the
one class that is named ``positive``. Labels are compared as text: 1 and "1" are one label. None and NaN are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from braggbook.errors import InputError, Issue, NoValue
from braggbook.metrics.definitions import Option, define
from braggbook.metrics.numbers import Floats, check_lists

Labels = Sequence[Any] | npt.NDArray[Any]

_RELOADED = "Maier-Hein, Reinke et al., Nat. Methods 21, 195 (2024), doi:10.1038/s41592-023-02151-z"
_POSITIVE = Option("positive", "the label that counts as positive, as text", "1")
_PART: dict[str, Any] = {"unit": "1", "better": "larger", "bounds": (0.0, 1.0), "perfect": 1.0, "worst": 0.0}
_LABELS: dict[str, Any] = {"kind": "labels", "scope": "all", "symmetric": True, **_PART}
_BEYOND_CHANCE: dict[str, Any] = {**_LABELS, "bounds": (-1.0, 1.0), "worst": -1.0}
_PROBABILITIES: dict[str, Any] = {"kind": "probabilities", "scope": "all", "options": (_POSITIVE,), **_PART}


def confusion(reference: Labels, estimate: Labels) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """Counts how often each class was taken for which.

    Returns:
        The classes in order, and (true class, stated class) counts.

    Raises:
        InputError: The lists are empty, of different lengths, or hold something that is no label.
    """
    true, said = _check_labels(reference=reference, estimate=estimate)
    classes = sorted({*true, *said})
    place = {name: number for number, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, ([place[label] for label in true], [place[label] for label in said]), 1)
    return classes, counts


@define("correct@1", says="1 where the label is right, 0 where it is not", source="its definition",
        **{**_LABELS, "scope": "case"})  # fmt: skip
@define("accuracy@1", says="part of the labels that are right", source=_RELOADED, **_LABELS)
def accuracy(reference: Labels, estimate: Labels) -> float:
    """Part of the labels that are right."""
    _, counts = confusion(reference, estimate)
    return float(np.trace(counts) / counts.sum())


@define(
    "balanced_accuracy@1",
    says="mean over the true classes of the part of each that is told right",
    source=_RELOADED,
    **{**_LABELS, "symmetric": False},
)
def balanced_accuracy(reference: Labels, estimate: Labels) -> float:
    """Mean over the true classes of the part of each that is told right."""
    _, counts = confusion(reference, estimate)
    there = counts.sum(axis=1) > 0
    return float((np.diag(counts)[there] / counts.sum(axis=1)[there]).mean())


@define(
    "f1@1",
    says="2 TP / (2 TP + FP + FN) of one class; 1 where it is in neither list",
    source=_RELOADED,
    options=(_POSITIVE,),
    no_value="perfect",
    **_LABELS,
)
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


@define(
    "matthews_correlation@1",
    says="correlation of true and stated classes, for any number of them; 0 where one class only is stated; does not "
    "apply where one class only is true",
    source="Gorodkin, Comput. Biol. Chem. 28, 367 (2004), doi:10.1016/j.compbiolchem.2004.09.006",
    **{**_BEYOND_CHANCE, "symmetric": False, "no_value": "not_applicable"},
)
def matthews_correlation(reference: Labels, estimate: Labels) -> float:
    """Matthews' correlation coefficient, for any number of classes; 0 for an estimate that says one thing only.

    Source: Gorodkin, Comput. Biol. Chem. 28, 367 (2004), doi:10.1016/j.compbiolchem.2004.09.006; the limit of 0:
    Chicco and Jurman, BMC Genomics 21, 6 (2020), doi:10.1186/s12864-019-6413-7.

    Raises:
        NoValue: There is one true class only.
    """
    _, counts = confusion(reference, estimate)
    total, right = int(counts.sum()), int(np.trace(counts))
    true, said = counts.sum(axis=1), counts.sum(axis=0)
    if total in true:
        raise NoValue("Matthews' correlation has no value", where="reference", wanted="two classes")
    if total in said:
        return 0.0
    below = float(np.sqrt(float(total**2 - said @ said) * float(total**2 - true @ true)))
    return float(total * right - true @ said) / below


@define(
    "cohens_kappa@1",
    says="agreement beyond what the frequencies of both lists give by chance; 1 where all labels are one and the same",
    source="Cohen, Educ. Psychol. Meas. 20, 37 (1960), doi:10.1177/001316446002000104",
    no_value="perfect",
    **_BEYOND_CHANCE,
)
def cohens_kappa(reference: Labels, estimate: Labels) -> float:
    """Cohen's kappa: agreement beyond what the two lists' frequencies give by chance (doi:10.1177/001316446002000104).

    Raises:
        NoValue: All labels of both lists are one and the same.
    """
    classes, counts = confusion(reference, estimate)
    if len(classes) == 1:
        raise NoValue("kappa has no value", wanted="two classes in all")
    total = counts.sum()
    chance = float(counts.sum(axis=1) @ counts.sum(axis=0)) / float(total) ** 2
    return (float(np.trace(counts) / total) - chance) / (1 - chance)


@define(
    "roc_auc@1",
    says="the chance that a positive has the higher score, ties counting a half; does not apply where all are "
    "positive or none is",
    source="Hanley and McNeil, Radiology 143, 29 (1982), doi:10.1148/radiology.143.1.7063747",
    no_value="not_applicable",
    **_PROBABILITIES,
)
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
    values, place = np.unique(scores, return_inverse=True)
    here = np.bincount(place[true], minlength=len(values)).astype(float)
    there = np.bincount(place[~true], minlength=len(values)).astype(float)
    return float(here @ (np.cumsum(there) - there / 2) / (positives * negatives))


@define(
    "average_precision@1",
    says="mean over the positives of the precision at each one's score, equal scores taken together; does not apply "
    "where none is positive",
    source=_RELOADED,
    no_value="not_applicable",
    **_PROBABILITIES,
)
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


@define(
    "brier_score@1",
    says="mean of (probability - truth)^2, truth being 1 for a positive and 0 else",
    source="Brier, Mon. Weather Rev. 78, 1 (1950), half of it",
    **{**_PROBABILITIES, "better": "smaller", "perfect": 0.0, "worst": 1.0},
)
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
    (labels,) = _check_labels(reference=reference)
    if len(labels) != len(scores):
        got = f"{len(labels)} and {len(scores)}"
        raise InputError("not labels and scores that can be compared", wanted="two lists of one length", got=got)
    return np.array([label == str(positive) for label in labels]), scores


def _check_labels(**lists: Labels) -> tuple[list[str], ...]:
    """Returns labels as text, checked.

    Raises:
        InputError: With everything that is wrong.
    """
    plain = {name: list(given) for name, given in lists.items()}
    issues = [
        Issue("not a label", f"{name}, number {at + 1}", got=repr(label))
        for name, given in plain.items()
        for at, label in enumerate(given)
        if label is None or label != label  # noqa: PLR0124 - only NaN is not itself
    ]
    lengths = [len(given) for given in plain.values()]
    if len(set(lengths)) > 1 or not lengths[0]:
        wanted = "lists of one length, not empty"
        issues.append(Issue("of other lengths", ", ".join(plain), wanted, ", ".join(map(str, lengths))))
    if issues:
        raise InputError("not labels that can be compared", issues=issues)
    return tuple([str(label) for label in given] for given in plain.values())
