"""Designs, evaluations and boards for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from braggbook.challenges.board import make_board
from braggbook.formats.board import Board, MetricShown, Row, Spread, Standing
from braggbook.formats.challenge import Design, Phase
from braggbook.formats.submission import Evaluation, Scorer

CHALLENGE, SHA, KEY = "organ_segmentation", "d" * 64, "e" * 64
NAMES = (
    "Northern Lights", "Bragg Peak Club", "Hollow Cathode", "Team 7", "deep_liver", "Contour & Sons",
    "Les Isodoses", "U-Net again", "Voxel Movers", "Baseline", "Half-value layer", "nn-and-nothing-else",
)  # fmt: skip
METHODS = ("mean_then_rank", "median_then_rank", "rank_then_mean", "rank_then_median", "test_then_rank")


def metric(id: str, **changes: Any) -> dict[str, Any]:
    """A metric as challenge.toml has it."""
    told = {
        "dice": {
            "definition": "dice@1", "unit": "1", "better": "larger", "minimum": 0.0, "maximum": 1.0, "worst": 0.0,
            "why": "The overlap counts for dose planning.",
            "empty": {"both": "perfect", "only_reference": "worst", "only_estimate": "worst"},
        },
        "hd95": {
            "definition": "hd95.voxel.directed_max.linear@1", "unit": "mm", "better": "smaller", "minimum": 0.0,
            "maximum": 400.0, "worst": 400.0, "why": "A far error harms where the mean does not show it.",
        },
    }  # fmt: skip
    base = {"id": id, "of": "liver", **told["hd95" if id.startswith("hd") else "dice"], **changes}
    return {name: value for name, value in base.items() if value is not None}


def make_design(
    *, metrics: Sequence[Mapping[str, Any]] | None = None, ranking: Mapping[str, Any] | None = None, **changes: Any
) -> Design:
    """A design of two metrics of masks, with changes."""
    phase = {
        "id": "final", "title": "Final phase", "opens": "2027-01-01T00:00:00+01:00",
        "closes": "2027-02-01T23:59:00+01:00", "split": "final", "kinds": ["notebook"], "inputs": "hidden",
        "terms": "One account for each team. Nobody tries to learn the hidden cases by heart.",
        "quota": {"total": 20, "per_day": 2},
    }  # fmt: skip
    told = {
        "title": "Where is the liver? Segmentation on CT with contrast",
        "version": 1,
        "abstract": "Marks the liver in CT volumes that no team has seen.",
        "license": "CC-BY-4.0",
        "keywords": ["segmentation", "CT"],
        "truth": "published",
        "organisation": {
            "organisers": [
                {"name": "Meitner, Lise", "orcid": "0000-0002-1825-0097", "affiliation": "Institute of Examples"},
                {"name": "Phantom Group"},
            ],
            "contact": "liver@example.org",
            "participation": "Everybody; the organisers' own institutes take part and are not ranked.",
            "code_availability": "The scorer is public, the participants' notebooks with the closed board.",
            "conflicts_of_interest": "None.",
            "ethics": "Phantoms; no approval is needed.",
        },
        "mission": {
            "field": "radiotherapy", "task": "segmentation",
            "aim": "Find the algorithm that marks the liver on contrast CT so that a planner has nothing to correct.",
            "target_cohort": "Adults before radiotherapy of the upper abdomen.",
            "challenge_cohort": "Phantoms with a liver of known shape.", "modality": "CT",
            "context": "None but the image.", "target_entity": "The liver.",
        },
        "data": {
            "case": "One CT volume.", "acquisition": "Drawn from a model.", "annotation": "Known from the model.",
            "preprocessing": "None.", "error_sources": "Partial volume, half a voxel.", "twin": "Other seeds.",
        },
        "submission": {"form": "masks", "labels": {"1": "liver"}},
        "phases": [phase],
        "metrics": [metric("dice"), metric("hd95")] if metrics is None else list(metrics),
        "ranking": {
            "method": "mean_then_rank", "why": "Every case counts as much as its score.", "draws": 200, "seed": 7,
            **(ranking or {}),
        },
    }  # fmt: skip
    for name, value in changes.items():
        told[name] = {**told[name], **value} if isinstance(value, Mapping) else value  # type: ignore[dict-item]
    return Design.model_validate(told, strict=False)


def phase_with(design: Design, **changes: Any) -> Phase:
    """The only phase of a design, with changes."""
    return design.phases[0].model_copy(update=changes)


def digest(text: str, size: int = 64) -> str:
    """Some hexadecimal digits that belong to a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:size]


def evaluated(
    team: str, scores: Mapping[str, Sequence[float | None]] | None = None, *, number: int = 1, **changes: Any
) -> Evaluation:
    """An evaluation; cases are called ``case_001`` and so on, and are in any order."""
    submission = digest(f"{team} {number}", 16)
    cases = {
        name: {f"case_{at:03d}": value for at, value in enumerate(values, 1)} for name, values in (scores or {}).items()
    }
    scorer = Scorer(notebook="1" * 64, kernel_lock="2" * 64, braggbook="3" * 64, run=digest(f"run {submission}", 24))
    told = {
        "id": digest(f"evaluation {submission} {changes.get('evaluated', '')}", 16),
        "submission": submission, "challenge": CHALLENGE, "design": SHA, "phase": "final", "split": "final",
        "truth_version": 1, "team": team, "kind": "notebook", "received": f"2027-01-{number:02d}T10:00:00+00:00",
        "evaluated": f"2027-01-{number:02d}T11:00:00+00:00", "verdict": "scored", "charged": True,
        "predictions": digest(f"predictions {submission}"), "scorer": scorer, "cases": cases,
    }  # fmt: skip
    return Evaluation.model_validate({**told, **changes})


def unscored(team: str, verdict: str, *, number: int = 1, **changes: Any) -> Evaluation:
    """An evaluation without a score."""
    return evaluated(team, number=number, verdict=verdict, predictions=None, scorer=None, **changes)


def board_of(design: Design, evaluations: Sequence[Evaluation], **changes: Any) -> Board:
    """The board of the design's only phase."""
    told = {
        "challenge": CHALLENGE, "design_sha256": SHA, "key": KEY, "phase": design.phases[0],
        "evaluations": evaluations, "closed": True, "truth": "published",
    }  # fmt: skip
    return make_board(design, **{**told, **changes})


def realistic(*, cases: int = 60) -> list[Evaluation]:
    """Twelve teams of two metrics; some are as good as others, one lacks cases, one tried twice, some failed."""
    rng = np.random.default_rng(20270101)
    hard = rng.gamma(2.0, 0.02, cases)
    found = []
    for at, team in enumerate(NAMES):
        dice = np.clip(0.95 - 0.004 * at - hard * (1 + 0.08 * at) + rng.normal(0, 0.035, cases), 0, 1)
        hd95 = np.clip(2.2 + 0.3 * ((at * 5 + 4) % 12) + 60 * hard + rng.gamma(1.5, 2.2, cases), 0, 400)
        values = {"dice": [*map(float, dice)], "hd95": [*map(float, hd95)]}
        if team == "Voxel Movers":
            values = {name: [None, *row[1:]] for name, row in values.items()}  # type: ignore[list-item]
        found.append(
            evaluated(team, values, number=at + 1, title=f"Run {at + 1} with post-processing" if at % 3 else "")
        )
    worse = {"dice": [0.8] * cases, "hd95": [12.0] * cases}
    found.append(evaluated("Northern Lights", worse, number=20))
    found += [
        unscored("Perpetual Motion", "timed out", number=3), unscored("NaN Sense", "refused", number=4),
        unscored("Curious George", "failed", number=5),
    ]  # fmt: skip
    return found


def many(count: int = 1000) -> Board:
    """A board of very many rows, which is not ranked but made up, since a page is all that it is for."""
    rng = np.random.default_rng(5)
    names = [f"Team {at:04d}" for at in range(1, count + 1)]
    design = make_design()
    empty = board_of(design, [])
    rows = []
    for at, name in enumerate(names):
        low, high = max(1, at - 20), min(count, at + 25)
        q = sorted(float(value) for value in rng.normal(0.9 - 0.0004 * at, 0.02, 5))
        spread = Spread(cases=60, missing=0, low=q[0], q1=q[1], median=q[2], q3=q[3], high=q[4], beyond=[q[0] - 0.1])
        standing = Standing(value=q[2], rank=at + 1, spread=spread)
        one = evaluated(name)
        rows.append(
            Row(
                team=name,
                title="The same as everybody",
                submission=one.submission,
                evaluation=one.id,
                kind="notebook",
                received=one.received,
                predictions=one.predictions or "",
                scorer=one.scorer,
                rank=at + 1,
                interval=(low, high),
                first=max(0.0, 0.3 - 0.05 * at),
                first_alone=max(0.0, 0.29 - 0.05 * at),
                mean_rank=at + 1.5,
                rank_counts=[0] * at + [200],
                scores={"dice": standing, "hd95": standing},
                by_method={
                    m: float(rng.integers(max(1, at - 2), at + 5)) if at_method else at + 1.0
                    for at_method, m in enumerate(METHODS)
                },
                submissions=1,
            )
        )
    groups = [names[at : at + 30] for at in range(0, count, 15)]
    better = {name: names[at + 30 :] for at, name in enumerate(names)}
    shown = [
        MetricShown(id="dice", definition="dice@1", of="liver", unit="1", better="larger", ranked=True, task="all"),
        MetricShown(id="hd95", definition="hd95@1", of="liver", unit="mm", better="smaller", ranked=True, task="all"),
    ]
    return empty.model_copy(
        update={
            "rows": rows, "cases": 60, "metrics": shown, "groups": {"dice": groups, "hd95": groups},
            "better_than": {"dice": better, "hd95": better}, "methods_agree": dict.fromkeys(METHODS, 0.97), "tau": 0.9,
        }
    )  # fmt: skip
