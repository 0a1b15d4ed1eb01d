"""The board: who stands where, and how sure that is. A pure function of the design and the evaluations.

It reads no clock, no file and no environment; chance comes from the seed of the design, and neither the order of the
evaluations nor that of the cases within them matters, so that everybody who has them gets the same board to the digit.

What is missing: a case to which a metric does not apply in any scored submission does not count for that metric. Every
other case without a score counts as the metric's declared worst value, or keeps the submission off the board, as the
design says: nobody gains by a score that is not there.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

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
from braggbook.challenges.seen import Change, changes, visible
from braggbook.errors import Issue, RecordError
from braggbook.formats import board as shown
from braggbook.formats.board import Board, Left, MetricShown, Row, Spread
from braggbook.formats.challenge import Design, Method, Metric, Phase, RankingRules
from braggbook.formats.submission import Evaluation, Withdrawal

__all__ = ["Change", "changes", "make_board", "visible"]
Truth = Literal["published", "withheld", "sealed"]
Tables = Mapping[str, Scores | Absolute]  # by metric; its algorithms are ids of submissions
_WHISKER = 1.5  # times the distance of the quartiles (Tukey, Exploratory Data Analysis, 1977)
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


def make_board(  # noqa: PLR0913 - all that a board is a function of
    design: Design,
    *,
    challenge: str,
    design_sha256: str,
    key: str,
    phase: Phase,
    evaluations: Sequence[Evaluation],
    closed: bool,
    truth: Truth,
    withdrawals: Sequence[Withdrawal] = (),
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
        withdrawals: Submissions that do not stand on the board, in any order; those of other phases are not looked at.

    Raises:
        RecordError: Evaluations that do not belong together, with every issue.
    """
    mine = _of_phase(evaluations, withdrawals, challenge=challenge, phase=phase)
    every, left = _newest(mine)
    gone = {one.submission: _gone(one) for one in withdrawals if one.phase == phase.id}
    newest = [one for one in every if one.submission not in gone]
    left = [one for one in left if one.submission not in gone] + list(gone.values())
    scored = [one for one in newest if one.verdict == "scored"]
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
        rows=found.rows([one for one in every if one.verdict == "scored"]),
        groups=found.groups(),
        better_than=found.better_than(),
        methods_agree=found.methods_agree(),
        left=sorted([*left, *refused, *others], key=lambda one: (one.team.casefold(), one.team, one.submission)),
        notes=[*found.notes(), *_notes_of(design, scored, picked, cases), *_notes_of_versions(picked, design_sha256)],
    )


def _gone(one: Withdrawal) -> Left:
    return Left(team=one.team, submission=one.submission, why=f"withdrawn by {one.by}: {one.because}")


def _of_phase(
    evaluations: Sequence[Evaluation], withdrawals: Sequence[Withdrawal], *, challenge: str, phase: Phase
) -> list[Evaluation]:
    """Returns the evaluations that a phase's board is made of."""
    mine = [one for one in evaluations if one.phase == phase.id and one.split == phase.split]
    issues = [
        Issue("of another challenge", one.id, challenge, one.challenge)
        for one in evaluations
        if one.challenge != challenge
    ]
    issues += [
        Issue("a withdrawal of another challenge", one.submission, challenge, one.challenge)
        for one in withdrawals
        if one.challenge != challenge
    ]
    teams = {one.submission: one.team for one in withdrawals if one.phase == phase.id}
    for one in mine:
        issues += [
            Issue(f"{name} is no time", one.id, "an ISO 8601 time", text)
            for name, text in (("received", one.received), ("evaluated", one.evaluated))
            if _time(text) is None
        ]
        if teams.setdefault(one.submission, one.team) != one.team:
            issues.append(Issue("a submission of two teams", one.submission, teams[one.submission], one.team))
    if issues:
        raise RecordError("evaluations that do not belong together", where="evaluations", issues=issues)
    return mine


def _time(text: str) -> datetime.datetime | None:
    """Returns a time that can be compared with others; without an offset it is in UTC."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _newest(mine: Sequence[Evaluation]) -> tuple[list[Evaluation], list[Left]]:
    """Returns the evaluation of each submission that counts, by the time of receipt; and those that have none.

    A fault of the platform says nothing of a submission, and counts only where there is nothing else.
    """
    version = max((one.truth_version for one in mine), default=0)
    found: dict[str, Evaluation] = {}
    for one in sorted(mine, key=lambda one: (one.verdict != "platform", _time(one.evaluated), one.id)):
        if one.truth_version == version:
            found[one.submission] = one
    why = f"it was not evaluated against version {version} of the truth"
    old = {one.submission: one.team for one in mine if one.submission not in found}
    left = [Left(team=team, submission=submission, why=why) for submission, team in old.items()]
    return sorted(found.values(), key=lambda one: (_time(one.received), one.submission)), left


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
        command = "braggbook challenge score --all"
        raise RecordError("no board can be made of these", where=where, issues=issues, next_command=command)
    return cases


def _table(metric: Metric, scored: Sequence[Evaluation], cases: Sequence[str]) -> Scores | Absolute:
    """Returns what was scored by one metric, with gaps; cases to which it applies nowhere are not in it."""
    if metric.scope == "all":
        overall = {one.submission: one.overall.get(metric.id) for one in scored}
        return absolute_from(overall, better=metric.better, target=metric.target)
    by_case = {one.submission: one.cases[metric.id] for one in scored}
    absent = _nowhere(metric, scored, cases)
    kept = [case for case in cases if case not in absent] or cases
    rows = {name: {case: row.get(case) for case in kept} for name, row in by_case.items()}
    return scores_from(rows, better=metric.better, target=metric.target)


def _nowhere(metric: Metric, scored: Sequence[Evaluation], cases: Sequence[str]) -> set[str]:
    """Returns the cases to which a metric applies in no submission."""
    rows = [one.cases[metric.id] for one in scored]
    return {case for case in cases if rows and all(case in row and row[case] is None for row in rows)}


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
    ranks: npt.NDArray[np.float64]


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
        rules = self._design.ranking
        tasks: dict[str, dict[str, RankedMetric]] = {}
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
        """Returns the rows, by rank and then by name.

        Args:
            scored: All that got a score, withdrawn or not: how often a team tried, and who sent the same, stays true.
        """
        if self._standing is None:
            return []
        names = self._standing.algorithms
        tries = Counter(one.team for one in scored)
        senders: dict[str | None, set[str]] = {}
        for one in scored:
            senders.setdefault(one.predictions, set()).add(one.team)
        rows = [
            self._row(self._standing, number, one, same_as=senders[one.predictions] - {one.team}, tries=tries[one.team])
            for number, one in enumerate(self._teams[name] for name in names)
        ]
        return sorted(rows, key=lambda row: (row.rank, row.team.casefold(), row.team))

    def _row(self, standing: Standing, at: int, one: Evaluation, *, same_as: set[str], tries: int) -> Row:
        assert one.predictions is not None
        assert one.scorer is not None
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
            same_as=sorted(same_as),
            submissions=tries,
            **self._sure(standing, at),
        )

    def _sure(self, standing: Standing, at: int) -> dict[str, Any]:
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
        absent = _nowhere(metric, scored, cases) if metric.scope == "case" else set()
        if absent and len(absent) < len(cases):
            notes.append(f"{metric.id}: {len(absent)} of {len(cases)} cases do not count, since it applies to none.")
        if metric.scope == "case":
            counted = [case for case in cases if case not in absent] or cases
            gaps = sum(one.cases[metric.id].get(case) is None for one in picked for case in counted)
        else:
            gaps = sum(metric.id not in one.overall for one in picked)
        if gaps:
            verb = "score is missing and counts" if gaps == 1 else "scores are missing and count"
            notes.append(f"{metric.id}: {gaps} {verb} as {metric.worst:g} {_unit(metric.unit)}".rstrip() + ".")
    return notes


def _notes_of_versions(picked: Sequence[Evaluation], design_sha256: str) -> list[str]:
    """Returns what a reader must know of the scorer and the design that the rows were evaluated with."""
    notes = []
    if len({one.scorer.model_copy(update={"run": ""}) for one in picked if one.scorer}) > 1:
        what = "Not every row was scored by the same scorer"
        notes.append(f"{what}; braggbook challenge score --all brings them together.")
    other = sum(one.design != design_sha256 for one in picked)
    if other:
        verb = "was" if other == 1 else "were"
        notes.append(f"{other} of {len(picked)} rows {verb} evaluated when the design's file was another one.")
    return notes


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit


def _spread(values: npt.NDArray[np.float64]) -> Spread | None:
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
