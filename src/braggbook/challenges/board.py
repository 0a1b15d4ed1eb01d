"""The board: who stands where, and how sure that is. A pure function of the design and the evaluations.

It reads no clock, no file and no environment; chance comes from the seed of the design, and neither the order of the
evaluations nor that of the cases within them matters, so that everybody who has them gets the same board to the digit.

What is missing: a case to which a metric does not apply in any scored submission does not count for that metric. Every
other case without a score counts as the metric's declared worst value, or keeps the submission off the board, as the
design says: nobody gains by a score that is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from braggbook.challenges.evaluations import newest_of_each, of_phase, when
from braggbook.challenges.ranking import (
    Absolute,
    MetricStanding,
    RankedMetric,
    Rules,
    Scores,
    Standing,
    Task,
    absolute_from,
    kendall_tau,
    rank,
    scores_from,
    standings,
)
from braggbook.errors import InputError, Issue, RecordError
from braggbook.formats import board as shown
from braggbook.formats.board import Board, Left, MetricShown, Row, Spread
from braggbook.formats.challenge import Design, Method, Metric, Phase, RankingRules, Viewer
from braggbook.formats.submission import Evaluation

Truth = Literal["published", "withheld", "sealed"]
Tables = Mapping[str, Scores | Absolute]  # by metric; its algorithms are ids of submissions
_WHISKER = 1.5  # times the distance of the quartiles (Tukey, Exploratory Data Analysis, 1977)
_SEES: dict[Viewer, int] = {"everyone": 0, "team": 1, "organiser": 2}
_FAILED = {
    "refused": "the predictions were refused",
    "failed": "the notebook failed",
    "timed out": "the notebook did not end in time",
    "killed": "the notebook used more than it may",
    "platform": "the evaluation failed, through no fault of the team",
}
_NOTHING_DRAWN = (
    "Nothing could be drawn anew (there are fewer than two cases, or only numbers of all cases together): "
    "how sure the ranks are is not known."
)
_HIDDEN_RANKS = "The ranks are shown when the phase is closed."


def make_board(
    design: Design,
    *,
    challenge: str,
    design_sha256: str,
    key: str,
    phase: Phase,
    evaluations: Sequence[Evaluation],
    closed: bool,
    truth: Truth,
) -> Board:
    """Makes the board of a phase.

    Of each submission the newest evaluation against the newest version of the truth counts, of each team the submission
    that ``phase.board`` names: the last, or the best by the first ranked metric (of equals, the earlier).

    Args:
        design: Of the challenge.
        challenge: Its slug.
        design_sha256: Of its file.
        key: The organiser's public key.
        phase: Whose board it is.
        evaluations: In any order; those of other phases and of the twin are not looked at.
        closed: Whether the phase is.
        truth: What has become of it.

    Raises:
        RecordError: Evaluations that do not belong together, with every issue.
    """
    mine = of_phase(evaluations, challenge=challenge, phase=phase)
    newest, left = newest_of_each(mine)
    scored = sorted((one for one in newest if one.verdict == "scored"), key=lambda one: (when(one), one.submission))
    left += [
        Left(team=one.team, submission=one.submission, why=f"{one.verdict}: {_FAILED[one.verdict]}")
        for one in newest
        if one.verdict != "scored"
    ]
    cases = _checked(design, scored)
    tables = {metric.id: _table(metric, scored, cases) for metric in design.metrics} if scored else {}
    whole, refused = _complete(design, scored, tables)
    tables = {name: table.only([one.submission for one in whole]) for name, table in tables.items()} if whole else {}
    picked, others = _picked(design, phase, whole, tables)
    found = _Found(design, picked, tables)
    return Board(
        challenge=challenge,
        title=design.title,
        design=design_sha256,
        phase=phase.id,
        phase_title=phase.title,
        split=phase.split,
        truth_version=max((one.truth_version for one in mine), default=0),
        key=key,
        closed=closed,
        truth=truth,
        method=design.ranking.method,
        draws=design.ranking.draws,
        level=design.ranking.level,
        seed=design.ranking.seed,
        cases=len(cases),
        tau=found.tau,
        tau_undefined=found.tau_undefined,
        metrics=[_shown(metric) for metric in design.metrics],
        rows=found.rows(scored),
        groups=found.groups(),
        better_than=found.better_than(),
        methods_agree=found.methods_agree(),
        left=sorted([*left, *refused, *others], key=lambda one: (one.team.casefold(), one.team, one.submission)),
        notes=[*found.notes(), *_notes_of(design, scored, picked, cases)],
    )


def _checked(design: Design, scored: Sequence[Evaluation]) -> list[str]:
    """Returns the names of all cases, after a look at whether every evaluation has what a board needs of it."""
    by_case = [metric.id for metric in design.metrics if metric.scope == "case"]
    sets = {one.id: frozenset(case for name in by_case for case in one.cases.get(name, {})) for one in scored}
    cases = sorted(frozenset().union(*sets.values()))
    issues = []
    for one in scored:
        if lacking := [name for name in by_case if name not in one.cases]:
            issues.append(Issue("no scores of a metric of the design", one.id, ", ".join(by_case), ", ".join(lacking)))
        if one.predictions is None or one.scorer is None:
            issues.append(Issue("scored, and it says not by what, or of what", one.id, "predictions and scorer"))
        off = len(cases) - len(sets[one.id])
        if off and design.submission.incomplete == "refuse":
            issues.append(Issue("other cases than the others have", one.id, f"{len(cases)} cases", f"{off} less"))
    if issues:
        where = "evaluations"
        raise RecordError(
            "no board can be made of these", where=where, issues=issues, next_command="braggbook challenge score --all"
        )
    return cases


def _table(metric: Metric, scored: Sequence[Evaluation], cases: Sequence[str]) -> Scores | Absolute:
    """Returns what was scored by one metric, with gaps; cases to which it applies nowhere are not in it."""
    if metric.scope == "all":
        overall = {one.submission: one.overall.get(metric.id) for one in scored}
        return absolute_from(overall, better=metric.better, target=metric.target)
    by_case = {one.submission: one.cases[metric.id] for one in scored}
    absent = {case for case in cases if all(case in row and row[case] is None for row in by_case.values())}
    kept = [case for case in cases if case not in absent] or cases
    rows = {name: {case: row.get(case) for case in kept} for name, row in by_case.items()}
    return scores_from(rows, better=metric.better, target=metric.target)


def _gaps(table: Scores | Absolute) -> dict[str, int]:
    """Returns how many scores each submission lacks."""
    missing = (table.table if isinstance(table, Absolute) else table).missing.sum(axis=1)
    return {name: int(count) for name, count in zip(table.algorithms, missing, strict=True)}


def _complete(design: Design, scored: Sequence[Evaluation], tables: Tables) -> tuple[list[Evaluation], list[Left]]:
    """Returns the submissions that may be ranked, and those that may not, since scores are missing."""
    if design.ranking.missing == "worst":
        return list(scored), []
    gaps = {metric.id: _gaps(tables[metric.id]) for metric in design.metrics if metric.ranked and scored}
    whole, left = [], []
    for one in scored:
        lacking = [f"{name} ({count[one.submission]})" for name, count in gaps.items() if count[one.submission]]
        if lacking:
            why = f"scores are missing: {', '.join(lacking)}"
            left.append(Left(team=one.team, submission=one.submission, why=why))
        else:
            whole.append(one)
    return whole, left


def _picked(
    design: Design, phase: Phase, whole: Sequence[Evaluation], tables: Tables
) -> tuple[list[Evaluation], list[Left]]:
    """Returns the submission of each team that stands on the board, by team; and the others."""
    order = list(whole)  # by time; of equals the first in this order is taken
    if phase.board == "last":
        order.reverse()
    elif whole:
        metric = next(metric for metric in design.metrics if metric.ranked)
        values = _central(metric, design.ranking, tables[metric.id])
        places = {one.submission: float(place) for one, place in zip(whole, values.ranks, strict=True)}
        order.sort(key=lambda one: places[one.submission])
    picked: dict[str, Evaluation] = {}
    left = []
    for one in order:
        chosen = picked.setdefault(one.team, one)
        if chosen is not one:
            why = f"not the team's {phase.board}, which is {chosen.submission}"
            left.append(Left(team=one.team, submission=one.submission, why=why))
    return sorted(picked.values(), key=lambda one: one.team), left


@dataclass(frozen=True)
class _Central:
    """A mean or median for each, and the ranks that these give."""

    values: Mapping[str, float]
    ranks: np.ndarray


def _central(metric: Metric, ranking: RankingRules, table: Scores | Absolute) -> _Central:
    """Returns means or medians over cases as the ranking's method says, or the scorer's numbers."""
    method: Method = "median_then_rank" if "median" in ranking.method else "mean_then_rank"
    found = rank(table, _rules(metric, ranking, method))
    return _Central(dict(zip(found.algorithms, map(float, found.values), strict=True)), found.ranks)


def _rules(metric: Metric, ranking: RankingRules, method: Method) -> Rules:
    worst = None if method.startswith("rank_") else metric.worst
    return Rules(method, ranking.ties, ranking.tolerance, worst, ranking.alpha)


class _Found:
    """What the ranking says of the submissions that were picked."""

    def __init__(self, design: Design, picked: Sequence[Evaluation], tables: Tables) -> None:
        self._design = design
        self._teams = {one.submission: one for one in picked}
        ids = list(self._teams)
        self._tables = {name: table.only(ids) for name, table in tables.items()} if ids else {}
        self._central = {
            metric.id: _central(metric, design.ranking, self._tables[metric.id])
            for metric in design.metrics
            if metric.id in self._tables
        }
        self._standing = self._stand() if ids else None

    def _stand(self) -> Standing:
        rules, tasks = self._design.ranking, {}
        for metric in self._design.metrics:
            if metric.ranked:
                table = self._filled(metric)
                ranked = RankedMetric(table, _rules(metric, rules, rules.method), metric.weight, metric.worst)
                tasks.setdefault(metric.task, {})[metric.id] = ranked
        rng = np.random.default_rng(rules.seed)
        return standings(
            {name: Task(metrics) for name, metrics in tasks.items()},
            rng=rng, draws=rules.draws, level=rules.level, ties=rules.ties,
        )  # fmt: skip

    def _filled(self, metric: Metric) -> Scores | Absolute:
        """Returns scores in which a missing one is the declared worst, whatever the method."""
        table = self._tables[metric.id]
        if isinstance(table, Scores):
            return table.filled(metric.worst)
        values = dict(zip(table.algorithms, map(float, table.table.filled(metric.worst).values[:, 0]), strict=True))
        return absolute_from(values, better=table.better, target=table.target)

    @property
    def _metrics(self) -> dict[str, MetricStanding]:
        """The ranked metrics, in the order of the design."""
        tasks = self._standing.tasks.values() if self._standing else ()
        found = {name: one for task in tasks for name, one in task.metrics.items()}
        return {metric.id: found[metric.id] for metric in self._design.metrics if metric.id in found}

    @property
    def tau(self) -> float | None:
        """Mean Kendall tau of the draws' rankings with the board's."""
        return self._standing.certainty.tau if self._standing and self._standing.certainty else None

    @property
    def tau_undefined(self) -> int:
        """Draws in which it is not defined."""
        return self._standing.certainty.undefined if self._standing and self._standing.certainty else 0

    def rows(self, scored: Sequence[Evaluation]) -> list[Row]:
        """Returns the rows, by rank and then by name."""
        if self._standing is None:
            return []
        names = self._standing.algorithms
        rows = [self._row(self._standing, number, self._teams[name], scored) for number, name in enumerate(names)]
        return sorted(rows, key=lambda row: (row.rank, row.team.casefold(), row.team))

    def _row(self, standing: Standing, at: int, one: Evaluation, scored: Sequence[Evaluation]) -> Row:
        assert one.predictions is not None and one.scorer is not None
        others = {other.team for other in scored if other.predictions == one.predictions} - {one.team}
        return Row(
            team=one.team,
            title=one.title,
            submission=one.submission,
            evaluation=one.id,
            kind=one.kind,
            received=one.received,
            predictions=one.predictions,
            scorer=one.scorer,
            rank=float(standing.ranking.ranks[at]),
            scores={metric.id: self._score(metric, one) for metric in self._design.metrics},
            by_method={name: float(ranking.ranks[at]) for name, ranking in standing.by_method.items()},
            same_as=sorted(others),
            submissions=sum(other.team == one.team for other in scored),
            **self._sure(standing, at),
        )

    def _sure(self, standing: Standing, at: int) -> dict[str, object]:
        """What the draws say of a rank; without draws every rank is possible, and there are no counts."""
        sure = standing.certainty
        if sure is None:
            mine = float(standing.ranking.ranks[at])
            everything = (1.0, float(len(standing.algorithms)))
            return {"interval": everything, "first": 0.0, "first_alone": 0.0, "mean_rank": mine, "rank_counts": []}
        return {
            "interval": (float(sure.intervals[at, 0]), float(sure.intervals[at, 1])),
            "first": float(sure.first[at]),
            "first_alone": float(sure.sole[at]),
            "mean_rank": float(sure.mean_ranks[at]),
            "rank_counts": [int(count) for count in np.trim_zeros(sure.counts[at], "b")],
        }

    def _score(self, metric: Metric, one: Evaluation) -> shown.Standing:
        table, central = self._tables[metric.id], self._central[metric.id]
        at = table.algorithms.index(one.submission)
        ranked = self._metrics.get(metric.id)
        places = central.ranks if ranked is None else ranked.ranking.ranks
        spread = _spread(table.values[at]) if isinstance(table, Scores) else None
        return shown.Standing(value=central.values[one.submission], rank=float(places[at]), spread=spread)

    def _names(self, ids: Iterable[str]) -> list[str]:
        return [self._teams[id].team for id in ids]

    def groups(self) -> dict[str, list[list[str]]]:
        """Returns the teams that cannot be told apart, by metric."""
        return {
            name: [self._names(group) for group in one.groups]
            for name, one in self._metrics.items()
            if one.groups is not None
        }

    def better_than(self) -> dict[str, dict[str, list[str]]]:
        """Returns whom each team is significantly better than, by metric."""
        found = {}
        for name, one in self._metrics.items():
            if one.significance is not None:
                ids = np.array(one.ranking.algorithms, object)
                better = one.significance.better
                found[name] = {
                    self._teams[id].team: sorted(self._names(ids[row])) for id, row in zip(ids, better, strict=True)
                }
        return found

    def methods_agree(self) -> dict[Method, float | None]:
        """Returns how alike the ranking by each method and the board's are."""
        if self._standing is None:
            return {}
        mine = self._standing.ranking.ranks
        return {name: kendall_tau(mine, ranking.ranks) for name, ranking in self._standing.by_method.items()}

    def notes(self) -> list[str]:
        """Returns what a reader must know of the ranking."""
        if self._standing is None:
            return []
        found = [f"{name}: {note}" for name, one in self._metrics.items() for note in one.notes]
        return [*found, *([_NOTHING_DRAWN] if self._standing.certainty is None else [])]


def _notes_of(
    design: Design, scored: Sequence[Evaluation], picked: Sequence[Evaluation], cases: Sequence[str]
) -> list[str]:
    """Returns what a reader must know of the scores."""
    notes = []
    for metric in design.metrics:
        rows = {one.submission: one.cases[metric.id] for one in scored} if metric.scope == "case" else {}
        absent = {case for case in cases if rows and all(case in row and row[case] is None for row in rows.values())}
        if absent and len(absent) < len(cases):
            notes.append(f"{metric.id}: {len(absent)} of {len(cases)} cases do not count, since it applies to none.")
        counted = [case for case in cases if case not in absent] or cases
        gaps = sum(rows[one.submission].get(case) is None for one in picked for case in counted) if rows else 0
        gaps += sum(metric.id not in one.overall for one in picked) if metric.scope == "all" else 0
        if gaps:
            verb = "score is missing and counts" if gaps == 1 else "scores are missing and count"
            notes.append(f"{metric.id}: {gaps} {verb} as {metric.worst:g} {_unit(metric.unit)}".rstrip() + ".")
    if len({one.scorer.model_copy(update={"run": ""}) for one in picked if one.scorer}) > 1:
        notes.append(
            "Not every row was scored by the same scorer; braggbook challenge score --all brings them together."
        )
    return notes


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit


def _spread(values: np.ndarray) -> Spread | None:
    """Returns the numbers of a box plot; None where no case has a score.

    Args:
        values: (cases), NaN where there is none.
    """
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return None
    q1, median, q3 = (float(q) for q in np.quantile(known, [0.25, 0.5, 0.75]))
    reach = _WHISKER * (q3 - q1)
    inside = known[(known >= q1 - reach) & (known <= q3 + reach)]
    beyond = known[(known < q1 - reach) | (known > q3 + reach)]
    return Spread(
        cases=len(known), missing=len(values) - len(known), low=float(inside.min()), q1=q1, median=median, q3=q3,
        high=float(inside.max()), beyond=[float(value) for value in beyond],
    )  # fmt: skip


def _shown(metric: Metric) -> MetricShown:
    return MetricShown(
        id=metric.id, definition=metric.definition, of=metric.of, unit=metric.unit, better=metric.better,
        target=metric.target, ranked=metric.ranked, task=metric.task,
    )  # fmt: skip


def visible(board: Board, phase: Phase, *, viewer: Viewer, team: str | None = None) -> Board:
    """Returns what somebody may see of a board; all of it, once the phase is closed.

    While it is open, ``phase.shows`` says who sees what. What is the team's is seen in the row of that team alone. Who
    may not see the ranks gets no rows, who may not see the scores no groups of significance either, and what became of
    a submission is told to its own team.

    Args:
        board: The organiser's.
        phase: Whose board it is.
        viewer: Who looks.
        team: Which team, where it is one.

    Raises:
        InputError: The board is of another phase.
    """
    if board.phase != phase.id:
        raise InputError("the board of another phase", wanted=phase.id, got=board.phase)
    if board.closed or viewer == "organiser":
        return board
    seen = [
        _row_seen(row, phase, viewer if row.team == team else "everyone")
        for row in board.rows
        if _may(phase.shows.rank, viewer if row.team == team else "everyone")
    ]
    scores = _may(phase.shows.score, "everyone")
    left = [one for one in board.left if viewer == "team" and one.team == team]
    ranks = _may(phase.shows.rank, "everyone")
    return board.model_copy(
        update={
            "rows": seen,
            "left": left,
            "groups": board.groups if scores and ranks else {},
            "better_than": board.better_than if scores and ranks else {},
            "methods_agree": board.methods_agree if ranks else {},
            "tau": board.tau if ranks else None,
            "tau_undefined": board.tau_undefined if ranks else 0,
            "notes": board.notes if scores and ranks else ([] if ranks else [_HIDDEN_RANKS]),
        }
    )


def _may(who: Viewer, viewer: Viewer) -> bool:
    return _SEES[viewer] >= _SEES[who]


def _row_seen(row: Row, phase: Phase, viewer: Viewer) -> Row:
    if not _may(phase.shows.score, viewer):
        return row.model_copy(update={"scores": {}})
    if _may(phase.shows.cases, viewer):
        return row
    bare = {name: score.model_copy(update={"spread": None}) for name, score in row.scores.items()}
    return row.model_copy(update={"scores": bare})


@dataclass(frozen=True)
class Change:
    """What became of a team between two boards.

    Attributes:
        team: Its name.
        before: Its rank; None where it did not stand on the board.
        after: Its rank; None where it does not stand on the board.
        other_submission: Whether another submission of the team stands there now.
    """

    team: str
    before: float | None
    after: float | None
    other_submission: bool

    @property
    def moved(self) -> bool:
        """Whether the rank is another one."""
        return self.before != self.after


def changes(before: Board, after: Board) -> list[Change]:
    """Returns the ranks of every team on two boards of the same phase: by rank after, then before, then by name.

    Raises:
        InputError: They are boards of different phases.
    """
    of = [(board.challenge, board.phase) for board in (before, after)]
    if of[0] != of[1]:
        raise InputError("boards of different phases", wanted=" ".join(of[0]), got=" ".join(of[1]))
    old, new = ({row.team: row for row in board.rows} for board in (before, after))
    found = [
        Change(
            team,
            old[team].rank if team in old else None,
            new[team].rank if team in new else None,
            team in old and team in new and old[team].submission != new[team].submission,
        )
        for team in {**new, **old}
    ]
    last = float("inf")
    return sorted(
        found,
        key=lambda one: (
            last if one.after is None else one.after,
            last if one.before is None else one.before,
            one.team.casefold(),
            one.team,
        ),
    )
