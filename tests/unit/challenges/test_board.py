"""The board is a pure function of the design and the evaluations."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from braggbook.challenges.board import Change, changes, visible
from braggbook.challenges.ranking import Rules, bootstrap, rank, scores_from
from braggbook.errors import InputError, RecordError
from braggbook.formats.board import Board
from braggbook.formats.challenge import Visibility
from braggbook.formats.submission import Evaluation, Withdrawal

from .board_helpers import (
    CHALLENGE,
    KEY,
    SHA,
    board_of,
    digest,
    evaluated,
    make_design,
    metric,
    phase_with,
    realistic,
    unscored,
)  # fmt: skip

DICE = [metric("dice")]


def teams(board: Board) -> dict[str, float]:
    return {row.team: row.rank for row in board.rows}


def why(board: Board) -> list[tuple[str, str]]:
    return [(one.team, one.why) for one in board.left]


def one_metric(**rows: Any) -> list[Evaluation]:
    return [evaluated(team, {"dice": values}, number=at) for at, (team, values) in enumerate(rows.items(), 1)]


def test_ranks_intervals_and_chances_are_those_of_the_ranking() -> None:
    rng = np.random.default_rng(0)
    rows = {team: [float(value) for value in rng.uniform(0.7, 0.9, 20)] for team in ("a", "b", "c")}
    board = board_of(make_design(metrics=DICE), one_metric(**rows))
    named = {team: {f"case_{at:03d}": value for at, value in enumerate(row, 1)} for team, row in rows.items()}
    scores = scores_from(named, better="larger")
    rules = Rules("mean_then_rank", worst=0.0)
    sure = bootstrap(scores, rules, rng=np.random.default_rng(7), draws=200)
    assert board.tau == sure.tau
    for row in board.rows:
        at = scores.algorithms.index(row.team)
        assert row.rank == rank(scores, rules).ranks[at]
        assert row.interval == tuple(sure.intervals[at])
        assert (row.first, row.first_alone, row.mean_rank) == (sure.first[at], sure.sole[at], sure.mean_ranks[at])
        assert [*row.rank_counts, 0, 0][:3] == list(sure.counts[at])
        assert row.scores["dice"].value == pytest.approx(np.mean(rows[row.team]), abs=1e-15)


def test_neither_the_order_of_evaluations_nor_of_anything_within_matters() -> None:
    design, evaluations = make_design(), realistic(cases=20)
    wanted = board_of(design, evaluations).model_dump_json()
    chance = random.Random(3)
    for _ in range(3):
        mixed = [
            one.model_copy(
                update={
                    "cases": {
                        name: dict(chance.sample(sorted(row.items()), len(row)))
                        for name, row in chance.sample(sorted(one.cases.items()), len(one.cases))
                    }
                }
            )
            for one in evaluations
        ]
        chance.shuffle(mixed)
        assert board_of(design, mixed).model_dump_json() == wanted
    other = make_design(ranking={"seed": 8})
    assert board_of(other, evaluations).model_dump_json() != wanted


def test_a_tie_of_floats_is_a_tie() -> None:
    first = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    board = board_of(make_design(metrics=DICE), one_metric(a=first, b=first[::-1], c=[*first[3:], *first[:3]]))
    assert teams(board) == {"a": 1, "b": 1, "c": 1}
    assert [row.team for row in board.rows] == ["a", "b", "c"]
    assert set(board.methods_agree.values()) == {None}


def test_two_metrics_and_two_tasks_make_one_ranking() -> None:
    metrics = [metric("dice", task="overlap"), metric("dice_2", task="overlap"), metric("hd95", task="surface")]
    rows = {"a": (0.9, 0.9, 5.0), "b": (0.8, 0.95, 4.0), "c": (0.7, 0.7, 3.0)}
    evaluations = [
        evaluated(team, {"dice": [x] * 3, "dice_2": [y] * 3, "hd95": [z] * 3}, number=at)
        for at, (team, (x, y, z)) in enumerate(rows.items(), 1)
    ]
    board = board_of(make_design(metrics=metrics), evaluations)
    assert teams(board) == {"a": 2, "b": 1, "c": 2}, "overlap 1, 1, 3 and surface 3, 2, 1: means 2, 1.5, 2"
    assert {row.team: row.scores["hd95"].rank for row in board.rows} == {"a": 3, "b": 2, "c": 1}


def test_a_metric_that_is_not_ranked_is_shown_and_does_not_count() -> None:
    metrics = [metric("hd95", ranked=False), metric("dice")]
    evaluations = [
        evaluated("a", {"dice": [0.9, 0.8], "hd95": [9.0, 8.0]}),
        evaluated("b", {"dice": [0.7, 0.6], "hd95": [1.0, 2.0]}, number=2),
    ]
    board = board_of(make_design(metrics=metrics), evaluations)
    assert teams(board) == {"a": 1, "b": 2}
    assert [board.rows[0].scores["hd95"].rank, board.rows[0].scores["hd95"].value] == [2, 8.5]
    assert list(board.groups) == list(board.better_than) == ["dice"]


def test_numbers_of_all_cases_together() -> None:
    metrics = [metric("coverage", definition="coverage@1", scope="all", better="target", target=0.95, empty=None)]
    evaluations = [
        evaluated("a", overall={"coverage": 0.99}),
        evaluated("b", overall={"coverage": 0.93}, number=2),
        evaluated("c", number=3),
    ]
    board = board_of(make_design(metrics=metrics), evaluations)
    assert teams(board) == {"b": 1, "a": 2, "c": 3}
    assert board.rows[-1].scores["coverage"].value == 0.0
    assert board.rows[0].scores["coverage"].spread is None
    assert (board.cases, board.tau, board.groups, board.rows[0].by_method) == (0, None, {}, {})
    assert "coverage: 1 score is missing and counts as 0." in board.notes


def test_the_box_plot() -> None:
    values = [0.1, 0.4, 0.5, 0.5, 0.6, 0.6, 0.7, None]
    board = board_of(make_design(metrics=DICE), one_metric(a=values, b=[0.5] * 8))
    spread = next(row for row in board.rows if row.team == "a").scores["dice"].spread
    assert spread is not None
    assert spread.model_dump() == {
        "cases": 7, "missing": 1, "low": 0.4, "q1": 0.45, "median": 0.5, "q3": 0.6, "high": 0.7, "beyond": [0.1],
    }  # fmt: skip


@pytest.mark.parametrize("method", ["mean_then_rank", "rank_then_mean", "test_then_rank"])
def test_a_missing_score_counts_as_the_worst(method: str) -> None:
    design = make_design(metrics=DICE, ranking={"method": method}, submission={"incomplete": "missing"})
    values = [0.8 + at / 100 for at in range(10)]
    absent = evaluated("absent", {"dice": [value + 0.01 for value in values[:3]]}, number=2)
    board = board_of(design, [evaluated("whole", {"dice": values}), absent])
    assert board.rows[0].team == "whole"
    row = board.rows[1]
    assert row.scores["dice"].value == pytest.approx(sum(value + 0.01 for value in values[:3]) / 10)
    assert "dice: 7 scores are missing and count as 0." in board.notes
    assert row.scores["dice"].spread is not None
    assert (row.scores["dice"].spread.cases, row.scores["dice"].spread.missing) == (3, 7)


def test_a_missing_score_may_keep_a_submission_off_the_board() -> None:
    design = make_design(metrics=DICE, ranking={"missing": "refuse"})
    first = evaluated("a", {"dice": [0.9, None, None]})
    second = evaluated("a", {"dice": [0.5, 0.5, 0.5]}, number=2)
    board = board_of(design, [first, second, evaluated("b", {"dice": [0.6, 0.6, 0.6]}, number=3)])
    assert teams(board) == {"b": 1, "a": 2}
    assert why(board) == [("a", "scores are missing: dice (2)")]


def test_a_case_to_which_the_metric_applies_nowhere_does_not_count() -> None:
    board = board_of(make_design(metrics=DICE), one_metric(a=[0.9, None, 0.7], b=[0.6, None, None]))
    assert {row.team: row.scores["dice"].value for row in board.rows} == {"a": 0.8, "b": 0.3}
    assert board.notes == [
        "dice: 1 of 3 cases do not count, since it applies to none.",
        "dice: 1 score is missing and counts as 0.",
    ]
    board = board_of(make_design(metrics=DICE), one_metric(a=[None], b=[None]))
    assert [row.scores["dice"].value for row in board.rows] == [0, 0]
    assert board.rows[0].scores["dice"].spread is None


def test_best_and_last_submission_of_a_team() -> None:
    design = make_design(metrics=DICE)
    same = evaluated("a", {"dice": [0.7, 0.9]}, number=3)
    evaluations = [*one_metric(a=[0.9, 0.7], b=[0.5, 0.5]), same, evaluated("a", {"dice": [0.1, 0.1]}, number=4)]
    board = board_of(design, evaluations)
    assert (board.rows[0].submission, board.rows[0].submissions) == (digest("a 1", 16), 3), "of equals, the earlier"
    assert why(board) == [("a", f"not the team's best, which is {digest('a 1', 16)}")] * 2
    board = board_of(design, evaluations, phase=phase_with(design, board="last"))
    assert board.rows[1].submission == digest("a 4", 16)
    assert why(board) == [("a", f"not the team's last, which is {digest('a 4', 16)}")] * 2


def test_the_times_of_receipt_are_compared_as_times() -> None:
    design = make_design(metrics=DICE)
    early = evaluated("a", {"dice": [0.5, 0.5]}, received="2027-01-05T01:30:00+03:00")
    late = evaluated("a", {"dice": [0.4, 0.4]}, number=2, received="2027-01-04T23:00:00")
    board = board_of(design, [early, late], phase=phase_with(design, board="last"))
    assert board.rows[0].submission == late.submission


def test_only_the_newest_evaluation_against_the_newest_truth_counts() -> None:
    design = make_design(metrics=DICE)
    old = evaluated("a", {"dice": [0.9, 0.9]})
    again = evaluated("a", {"dice": [0.3, 0.3]}, evaluated="2027-01-09T00:00:00+00:00")
    broken = unscored("a", "platform", evaluated="2027-01-10T00:00:00+00:00")
    assert board_of(design, [again, broken, old]).rows[0].scores["dice"].value == 0.3
    forgotten = evaluated("b", {"dice": [0.8, 0.8]}, number=2)
    corrected = evaluated("a", {"dice": [0.5, 0.5]}, truth_version=2, evaluated="2027-01-08T00:00:00+00:00")
    board = board_of(design, [corrected, again, forgotten])
    assert (board.truth_version, board.rows[0].scores["dice"].value) == (2, 0.5)
    assert why(board) == [("b", "it was not evaluated against version 2 of the truth")]


def test_what_failed_is_left_and_says_why() -> None:
    evaluations = [unscored(f"team {verdict}", verdict) for verdict in ("refused", "failed", "timed out", "platform")]
    board = board_of(make_design(), evaluations)
    assert board.rows == []
    assert why(board) == [
        ("team failed", "failed: the notebook failed"),
        ("team platform", "platform: the evaluation failed, through no fault of the team"),
        ("team refused", "refused: the predictions were refused"),
        ("team timed out", "timed out: the notebook did not end in time"),
    ]


def test_identical_predictions_are_noted() -> None:
    found = one_metric(a=[0.9, 0.8], b=[0.9, 0.8], c=[0.1, 0.2])
    found[1] = found[1].model_copy(update={"predictions": found[0].predictions})
    hidden = evaluated("c", {"dice": [0.05, 0.05]}, number=9, predictions=found[0].predictions)
    board = board_of(make_design(metrics=DICE), [*found, hidden])
    assert {row.team: row.same_as for row in board.rows} == {"a": ["b", "c"], "b": ["a", "c"], "c": []}


def test_other_phases_and_the_twin_are_not_looked_at() -> None:
    twin = evaluated("b", {"dice": [0.9] * 7}, number=2, split="twin")
    other = evaluated("c", {"dice": [0.9] * 5}, number=3, phase="practice", split="public")
    board = board_of(make_design(metrics=DICE), [*one_metric(a=[0.5, 0.6]), twin, other])
    assert teams(board) == {"a": 1}
    assert board.left == []


def test_nothing_one_team_one_case() -> None:
    design = make_design()
    board = board_of(design, [])
    assert (board.rows, board.left, board.cases, board.truth_version, board.tau) == ([], [], 0, 0, None)
    row = board_of(design, realistic()[:1]).rows[0]
    assert (row.rank, row.interval, row.first, row.rank_counts) == (1, (1, 1), 1, [200])
    board = board_of(design, realistic(cases=1))
    assert {row.interval for row in board.rows} == {(1, 12)}, "one case says nothing of how sure a rank is"
    assert all(row.rank_counts == [] and row.first == 0 for row in board.rows)
    assert any(note.startswith("Nothing could be drawn anew") for note in board.notes)


def test_what_does_not_belong_together_is_refused_with_every_issue() -> None:
    design = make_design()
    good = evaluated("a", {"dice": [0.5, 0.6], "hd95": [3.0, 4.0]})
    short = evaluated("b", {"dice": [0.5], "hd95": [3.0]}, number=2)
    lacking = evaluated("c", {"dice": [0.5, 0.6]}, number=3, scorer=None)
    with pytest.raises(RecordError, match="no board can be made of these") as caught:
        board_of(design, [good, short, lacking])
    assert sorted(issue.what for issue in caught.value.issues) == [
        "no scores of a metric of the design",
        "other cases than the others have",
        "scored, and it says not by what, or of what",
    ]
    assert caught.value.next_command == "braggbook challenge score --all"
    stranger = good.model_copy(update={"challenge": "another", "received": "yesterday"})
    twice = good.model_copy(update={"id": "0" * 16, "team": "b"})
    with pytest.raises(RecordError, match="do not belong together") as caught:
        board_of(design, [stranger, good, twice])
    assert [issue.what for issue in caught.value.issues] == [
        "of another challenge", "received is no time", "a submission of two teams",
    ]  # fmt: skip


def test_rows_of_different_scorers_are_told() -> None:
    found = one_metric(a=[0.9, 0.8], b=[0.5, 0.4])
    assert found[0].scorer is not None
    other = found[0].scorer.model_copy(update={"notebook": "f" * 64})
    board = board_of(make_design(metrics=DICE), [found[0].model_copy(update={"scorer": other}), found[1]])
    assert board.notes == [
        "Not every row was scored by the same scorer; braggbook challenge score --all brings them together."
    ]


def test_rows_that_were_evaluated_under_another_design_are_told() -> None:
    found = one_metric(a=[0.9, 0.8], b=[0.5, 0.4])
    board = board_of(make_design(metrics=DICE), [found[0].model_copy(update={"design": "0" * 64}), found[1]])
    assert board.notes == ["1 of 2 rows was evaluated when the design's file was another one."]


def test_a_board_is_read_back_as_it_was_written() -> None:
    board = board_of(make_design(), realistic(cases=12))
    assert Board.model_validate_json(board.model_dump_json()) == board
    assert (board.challenge, board.design, board.key, board.cases) == (CHALLENGE, SHA, KEY, 12)


SHOWS = {
    "everything": Visibility(score="everyone", rank="everyone", cases="everyone"),
    "usual": Visibility(),
    "rank of the team": Visibility(score="team", rank="team"),
    "nothing": Visibility(score="organiser", rank="organiser"),
}


@pytest.mark.parametrize(
    ("shows", "viewer", "rows", "scored", "spreads"),
    [
        ("everything", "everyone", 12, 12, 12),
        ("usual", "everyone", 12, 0, 0),
        ("usual", "team", 12, 1, 0),
        ("usual", "organiser", 12, 12, 12),
        ("rank of the team", "everyone", 0, 0, 0),
        ("rank of the team", "team", 1, 1, 0),
        ("nothing", "team", 0, 0, 0),
        ("nothing", "organiser", 12, 12, 12),
    ],
)
def test_who_sees_what_while_a_phase_is_open(shows: str, viewer: Any, rows: int, scored: int, spreads: int) -> None:
    design, evaluations = make_design(), realistic(cases=8)
    phase = phase_with(design, shows=SHOWS[shows])
    whole = board_of(design, evaluations, phase=phase, closed=False, truth="sealed")
    team = "Team 7" if viewer == "team" else None
    seen = visible(whole, phase, viewer=viewer, team=team)
    assert len(seen.rows) == rows
    assert sum(bool(row.scores) for row in seen.rows) == scored
    assert sum(any(one.spread for one in row.scores.values()) for row in seen.rows) == spreads
    assert bool(seen.groups) == bool(seen.better_than) == (rows == scored == 12)
    if viewer != "organiser":
        assert seen.left == []
    closed = whole.model_copy(update={"closed": True})
    assert visible(closed, phase, viewer=viewer, team=team) is closed


def test_a_team_sees_what_became_of_its_own_submissions_alone() -> None:
    design = make_design()
    whole = board_of(design, realistic(cases=8), closed=False)
    seen = visible(whole, design.phases[0], viewer="team", team="NaN Sense")
    assert why(seen) == [("NaN Sense", "refused: the predictions were refused")]
    assert visible(whole, design.phases[0], viewer="everyone", team="NaN Sense").left == []
    hidden = visible(whole, phase_with(design, shows=SHOWS["nothing"]), viewer="everyone")
    assert hidden.notes == ["The ranks are shown when the phase is closed."]
    with pytest.raises(InputError, match="the board of another phase"):
        visible(whole, phase_with(design, id="practice"), viewer="everyone")


def test_what_a_correction_changes() -> None:
    design = make_design(metrics=DICE)
    before = board_of(design, one_metric(a=[0.9, 0.9], b=[0.8, 0.8], c=[0.7, 0.7], d=[0.2, 0.2]))
    found = one_metric(a=[0.75, 0.75], b=[0.8, 0.8], e=[0.1, 0.1], d=[0.2, 0.2])
    found[1] = evaluated("b", {"dice": [0.8, 0.8]}, number=9)
    after = board_of(design, found)
    assert changes(before, after) == [
        Change("b", 2, 1, True), Change("a", 1, 2, False), Change("d", 4, 3, False), Change("e", None, 4, False),
        Change("c", 3, None, False),
    ]  # fmt: skip
    assert [one.moved for one in changes(before, before)] == [False] * 4
    with pytest.raises(InputError, match="boards of different phases"):
        changes(before, after.model_copy(update={"phase": "practice"}))


# Withdrawn


def withdrawn(one: Evaluation, **changes: Any) -> Withdrawal:
    told = {
        "submission": one.submission, "challenge": one.challenge, "phase": one.phase, "team": one.team,
        "withdrawn": "2027-01-20T12:00:00+00:00", "by": "the team", "because": "a slip",
    }  # fmt: skip
    return Withdrawal.model_validate({**told, **changes})


def test_without_what_was_withdrawn_the_board_is_that_of_the_others() -> None:
    every = realistic()
    gone = next(one for one in every if one.team == "Bragg Peak Club")
    board = board_of(make_design(), every, withdrawals=[withdrawn(gone)])
    without = board_of(make_design(), [one for one in every if one is not gone])
    assert board.rows == without.rows
    assert board.model_copy(update={"left": without.left}) == without
    assert (gone.team, "withdrawn by the team: a slip") in why(board)


def test_the_teams_next_submission_moves_up_and_its_tries_are_still_counted() -> None:
    first = evaluated("Ada", {"dice": [0.5, 0.6]}, number=1)
    last = evaluated("Ada", {"dice": [0.9, 0.8]}, number=2)
    other = evaluated("Ben", {"dice": [0.7, 0.7]}, number=3, predictions=last.predictions)
    design = make_design(metrics=DICE)
    board = board_of(design, [first, last, other], withdrawals=[withdrawn(last)])
    rows = {row.team: row for row in board.rows}
    assert (rows["Ada"].submission, rows["Ada"].rank, rows["Ada"].submissions) == (first.submission, 2, 2)
    assert rows["Ben"].same_as == ["Ada"]  # who sent the same is not forgotten
    assert why(board) == [("Ada", "withdrawn by the team: a slip")]


def test_a_withdrawal_needs_no_evaluation_and_changes_no_other_phase() -> None:
    one, other = evaluated("Ada", {"dice": [0.5]}), evaluated("Ben", {"dice": [0.5]})
    design = make_design(metrics=DICE)
    board = board_of(design, [other], withdrawals=[withdrawn(one)])
    assert (teams(board), why(board)) == ({"Ben": 1}, [("Ada", "withdrawn by the team: a slip")])
    board = board_of(design, [one, other], withdrawals=[withdrawn(one, phase="practice")])
    assert (teams(board), why(board)) == ({"Ada": 1, "Ben": 1}, [])


def test_a_withdrawal_of_another_challenge_or_team_is_found() -> None:
    one = evaluated("Ada", {"dice": [0.5]})
    for change, words in (({"challenge": "other"}, "withdrawal of another challenge"), ({"team": "Ben"}, "two teams")):
        with pytest.raises(RecordError) as caught:
            board_of(make_design(metrics=DICE), [one], withdrawals=[withdrawn(one, **change)])
        assert words in str(caught.value)


def test_when_all_are_withdrawn_the_board_is_empty() -> None:
    every = [evaluated("Ada", {"dice": [0.5, 0.7]}), evaluated("Ben", {"dice": [0.5, 0.6]})]
    board = board_of(make_design(metrics=DICE), every, withdrawals=[withdrawn(one) for one in every])
    assert (board.rows, len(board.left)) == ([], 2)
