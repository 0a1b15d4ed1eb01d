"""All that a board shows: rankings by each metric, by the metrics of a task together, and by all tasks.

How sure a consensus is, the same bootstrap says: in a draw every metric sees the same cases as often, so that what goes
together in the data goes together in the draws. Cases are known by their names: a case that stands in two metrics or
two tasks is one case. Metrics that have no case in common, also by way of a third, are drawn apart from each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from braggbook.challenges.ranking.bootstrap import (
    COPIES_NOTE,
    DRAWS,
    LEVEL,
    Certainty,
    certainty_of,
    check_draws,
    draw_cases,
)
from braggbook.challenges.ranking.methods import (
    METHODS,
    RANKED_BY_CASE,
    RANKED_BY_VALUE,
    Method,
    Ranking,
    Rules,
    Weights,
    rank,
    rank_weighted,
)
from braggbook.challenges.ranking.ranks import Ties
from braggbook.challenges.ranking.scores import Absolute, Floats, Scores
from braggbook.challenges.ranking.several import by_method, consensus, consensus_of_draws
from braggbook.challenges.ranking.significance import Significance, groups, significance
from braggbook.errors import InputError, Issue

_ABSOLUTE_NOTE = "It is one number for all cases, and stays as it is in every draw."
_ONE_CASE_NOTE = "It has a single case, which cannot be drawn anew, and stays as it is in every draw."
_TARGET_NOTE = "There is no paired test of whose mean or median is nearer to a target, and so there are no groups."
_MISSING_NOTE = (
    "Scores are missing without a value that they count as; the paired tests need one, and there are no groups."
)


@dataclass(frozen=True, eq=False)
class RankedMetric:
    """A metric that takes part in a ranking.

    Attributes:
        scores: Of one metric, by case or absolute.
        rules: How they become ranks.
        weight: Of its ranks, among those of the task's metrics.
        worst: What a missing score counts as in the paired tests and in the other methods of ``by_method``; by default
            what the rules say. The ranking itself follows the rules alone.
    """

    scores: Scores | Absolute
    rules: Rules
    weight: float = 1.0
    worst: float | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """What is brought together first.

    Attributes:
        metrics: By name; one at least.
        weight: Of the task's ranks, among those of all tasks.
    """

    metrics: Mapping[str, RankedMetric]
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class MetricStanding:
    """What one metric says.

    Attributes:
        ranking: By this metric alone.
        certainty: Of this ranking; None where there are no cases to draw.
        significance: Of each pair of algorithms; None where no test suits, which a note says.
        groups: Algorithms that stand together and cannot be told apart, in the order of the ranking, overlapping; None
            with the significance.
        by_method: The ranking by each method that suits.
        notes: What a reader must know, as sentences.
    """

    ranking: Ranking
    certainty: Certainty | None
    significance: Significance | None
    groups: tuple[tuple[str, ...], ...] | None
    by_method: Mapping[Method, Ranking]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TaskStanding:
    """What the metrics of one task say together.

    Attributes:
        metrics: By name, each alone.
        ranking: The consensus: its values are weighted mean ranks. With one metric it is the metric's, also its values.
        certainty: Of the consensus; None where there are no cases to draw.
        by_method: The consensus with the metrics ranked by each method; those that it does not suit keep their own.
    """

    metrics: Mapping[str, MetricStanding]
    ranking: Ranking
    certainty: Certainty | None
    by_method: Mapping[Method, Ranking]


@dataclass(frozen=True, eq=False)
class Standing:
    """What all tasks say together.

    Attributes:
        algorithms: Names, in the order of every array within.
        tasks: By name, each alone.
        ranking: The consensus over the tasks: its values are weighted mean ranks. With one task it is the task's.
        certainty: Of the consensus; None where there are no cases to draw.
        by_method: The consensus with everything ranked by each method.
        notes: What a reader must know: sentences, each with its task and metric before it.
    """

    algorithms: tuple[str, ...]
    tasks: Mapping[str, TaskStanding]
    ranking: Ranking
    certainty: Certainty | None
    by_method: Mapping[Method, Ranking]
    notes: tuple[str, ...]


def standings(
    tasks: Mapping[str, Task],
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
    level: float = LEVEL,
    ties: Ties = "min",
) -> Standing:
    """Ranks algorithms by each metric, each task and all together, and says how sure each of these rankings is.

    With one metric in one task, every number is that of :func:`rank` and :func:`bootstrap` with the same generator.

    Args:
        tasks: By name; one at least, with the same algorithms everywhere, in any order.
        rng: Where chance comes from.
        draws: How many.
        level: Of the rank intervals.
        ties: The rank that equals share in a consensus of more than one ranking.

    Raises:
        InputError: Nothing to rank or to draw, algorithms that differ, a weight that is none, or a missing score for
            which there is no rule.
    """
    check_draws(draws, level=level)
    algorithms = _checked(tasks)
    tables = {(t, m): metric.scores.only(algorithms) for t, task in tasks.items() for m, metric in task.metrics.items()}
    drawn = _draw_together(tables, draws=draws, rng=rng)
    found, ranks = {}, []
    for t, task in tasks.items():
        metrics, by_metric = {}, []
        for m, metric in task.metrics.items():
            metrics[m], its = _metric(replace(metric, scores=tables[t, m]), drawn.get((t, m)), draws=draws, level=level)
            by_metric.append(its)
        shares = [metric.weight for metric in task.metrics.values()]
        together = _together(list(metrics.values()), by_metric, weights=shares, level=level, ties=ties)
        found[t] = TaskStanding(metrics, together.ranking, together.certainty, together.by_method)
        ranks.append(together.ranks)
    shares = [task.weight for task in tasks.values()]
    everything = _together(list(found.values()), ranks, weights=shares, level=level, ties=ties)
    notes = (f"{t}, {m}: {note}" for t, task in found.items() for m, one in task.metrics.items() for note in one.notes)
    return Standing(algorithms, found, everything.ranking, everything.certainty, everything.by_method, tuple(notes))


@dataclass(frozen=True, eq=False)
class _Together:
    """A consensus, and its ranks in every draw (draws, algorithms)."""

    ranking: Ranking
    certainty: Certainty | None
    by_method: Mapping[Method, Ranking]
    ranks: Floats


def _together(
    parts: Sequence[MetricStanding | TaskStanding],
    ranks: Sequence[Floats],
    *,
    weights: Sequence[float],
    level: float,
    ties: Ties,
) -> _Together:
    shares = np.array(weights, float)
    ranking = consensus([part.ranking for part in parts], weights=shares, ties=ties)
    drawn = consensus_of_draws(np.stack(ranks), weights=shares, ties=ties)
    notes = [part.certainty.note for part in parts if part.certainty is not None]
    note = " ".join(dict.fromkeys(note for note in notes if note))
    return _Together(
        ranking,
        certainty_of(ranking, drawn, level=level, note=note) if notes else None,
        {
            method: consensus([part.by_method.get(method, part.ranking) for part in parts], weights=shares, ties=ties)
            for method in METHODS
            if any(method in part.by_method for part in parts)
        },
        drawn,
    )


def _metric(
    metric: RankedMetric, weights: Weights | None, *, draws: int, level: float
) -> tuple[MetricStanding, Floats]:
    """What one metric says, and its ranks (draws, algorithms)."""
    scores, rules = metric.scores, metric.rules
    ranking = rank(scores, rules)
    tests, notes = _tests(metric)
    if weights is None or isinstance(scores, Absolute):
        ranks = np.tile(ranking.ranks, (draws, 1))
        notes.append(_ABSOLUTE_NOTE if isinstance(scores, Absolute) else _ONE_CASE_NOTE)
        certainty = None
    else:
        _, ranks = rank_weighted(scores, rules, weights)
        note = COPIES_NOTE if rules.method == "test_then_rank" else ""
        certainty = certainty_of(ranking, ranks, level=level, note=note)
        empty = int(np.count_nonzero(~weights.any(axis=1)))
        notes += [note] if note else []
        notes += [f"In {empty} of {draws} draws it had no case, and all were equal."] if empty else []
    standing = MetricStanding(
        ranking=ranking,
        certainty=certainty,
        significance=tests,
        groups=None if tests is None else tuple(groups(ranking, tests)),
        by_method=by_method(scores, rules, worst=metric.worst, p=None if tests is None else tests.p),
        notes=tuple(notes),
    )
    return standing, ranks


def _tests(metric: RankedMetric) -> tuple[Significance | None, list[str]]:
    """Tests of every pair, or why there are none."""
    scores, rules = metric.scores, metric.rules
    if isinstance(scores, Absolute):
        return None, []
    if scores.better == "target" and rules.method in RANKED_BY_VALUE:
        return None, [_TARGET_NOTE]
    worst = rules.worst if metric.worst is None else metric.worst
    if scores.missing.any() and worst is None:
        return None, [_MISSING_NOTE]
    complete = scores if worst is None else scores.filled(worst)
    return significance(complete, alpha=rules.alpha, tolerance=rules.tolerance), []


def _draw_together(
    tables: Mapping[tuple[str, str], Scores | Absolute], *, draws: int, rng: np.random.Generator
) -> dict[tuple[str, str], Weights]:
    """Draws cases, each equally often in every table that it stands in; none where there are fewer than two."""
    by_case = {key: table for key, table in tables.items() if isinstance(table, Scores)}
    drawn: dict[tuple[str, str], Weights] = {}
    for cases in _blocks([table.cases for table in by_case.values()]):
        if len(cases) < 2:
            continue
        weights = draw_cases(len(cases), draws=draws, rng=rng)
        place = {case: number for number, case in enumerate(cases)}
        for key, table in by_case.items():
            if table.cases[0] in place:
                drawn[key] = weights[:, [place[case] for case in table.cases]]
    return drawn


def _blocks(lists: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """Brings lists together that have a case in common, also by way of others; in the order in which they begin."""
    blocks: list[dict[str, None]] = []
    for cases in lists:
        mine = dict.fromkeys(cases)
        shared = [block for block in blocks if not block.keys().isdisjoint(mine)]
        if not shared:
            blocks.append(mine)
            continue
        for block in (*shared[1:], mine):
            shared[0].update(block)
        blocks = [block for block in blocks if not any(block is other for other in shared[1:])]
    return [list(block) for block in blocks]


def _checked(tasks: Mapping[str, Task]) -> tuple[str, ...]:
    """Returns the algorithms, after a look at everything that could be wrong."""
    metrics = {f"{t}, {m}": metric for t, task in tasks.items() for m, metric in task.metrics.items()}
    issues = [Issue("a task without a metric", t) for t, task in tasks.items() if not task.metrics]
    weights = {**{t: task.weight for t, task in tasks.items()}, **{k: metric.weight for k, metric in metrics.items()}}
    issues += [
        Issue("not a weight", where, "a finite number above 0", repr(weight))
        for where, weight in weights.items()
        if not (np.isfinite(weight) and weight > 0)
    ]
    first = next(iter(metrics.values())).scores.algorithms if metrics else ()
    for where, metric in metrics.items():
        if sorted(metric.scores.algorithms) != sorted(first):
            names = (", ".join(sorted(names)) for names in (first, metric.scores.algorithms))
            issues.append(Issue("other algorithms", where, *names))
        missing = int(np.isnan(metric.scores.values).sum())
        if missing and metric.rules.worst is None and metric.rules.method not in RANKED_BY_CASE:
            issues.append(Issue("scores are missing, and no rule says what that means", where, "worst", str(missing)))
    if issues or not metrics:
        raise InputError("nothing that can be ranked", wanted="a task with a metric at least", issues=issues)
    return first
