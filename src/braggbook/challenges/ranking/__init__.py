"""Rankings: from scores to ranks, how sure they are, who cannot be told apart, and what hangs on the method.

All of it is pure: scores and rules in, arrays out; chance is a generator that the caller gives. Where to look:
``standings`` (all that a board shows), ``scores`` (the table), ``methods`` (the ways from scores to ranks),
``bootstrap`` (rank intervals, chance to win), ``significance`` (paired tests, groups), ``several`` (one ranking of
several, or by every method), ``agreement`` (of two rankings).
"""

from braggbook.challenges.ranking.agreement import footrule, kendall_tau, weighted_footrule
from braggbook.challenges.ranking.bootstrap import Certainty, bootstrap
from braggbook.challenges.ranking.methods import METHODS, Ranking, Rules, rank
from braggbook.challenges.ranking.scores import Absolute, Scores, absolute_from, scores_from
from braggbook.challenges.ranking.several import by_method, consensus
from braggbook.challenges.ranking.significance import Significance, groups, significance
from braggbook.challenges.ranking.standings import (
    MetricStanding,
    RankedMetric,
    Standing,
    Task,
    TaskStanding,
    standings,
)

__all__ = [
    "METHODS",
    "Absolute",
    "Certainty",
    "MetricStanding",
    "RankedMetric",
    "Ranking",
    "Rules",
    "Scores",
    "Significance",
    "Standing",
    "Task",
    "TaskStanding",
    "absolute_from",
    "bootstrap",
    "by_method",
    "consensus",
    "footrule",
    "groups",
    "kendall_tau",
    "rank",
    "scores_from",
    "significance",
    "standings",
    "weighted_footrule",
]
