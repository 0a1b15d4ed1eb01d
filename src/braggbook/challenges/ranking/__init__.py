"""Rankings: from scores to ranks, how sure they are, who cannot be told apart, and what hangs on the method.

All of it is pure: scores and rules in, arrays out; chance is a generator that the caller gives. Where to look:
``scores`` (the table), ``methods`` (the ways from scores to ranks), ``bootstrap`` (rank intervals, chance to win),
``significance`` (paired tests, groups), ``several`` (metrics and tasks together), ``agreement`` (of two rankings).
"""

from braggbook.challenges.ranking.agreement import footrule, kendall_tau, weighted_footrule
from braggbook.challenges.ranking.bootstrap import Certainty, bootstrap
from braggbook.challenges.ranking.methods import METHODS, Ranking, Rules, rank
from braggbook.challenges.ranking.scores import Scores, scores_from
from braggbook.challenges.ranking.several import absolute, by_method, consensus
from braggbook.challenges.ranking.significance import Significance, groups, significance

__all__ = [
    "METHODS",
    "Certainty",
    "Ranking",
    "Rules",
    "Scores",
    "Significance",
    "absolute",
    "bootstrap",
    "by_method",
    "consensus",
    "footrule",
    "groups",
    "kendall_tau",
    "rank",
    "scores_from",
    "significance",
    "weighted_footrule",
]
