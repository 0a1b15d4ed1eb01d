"""Makes the golden scores of all metrics: `python scripts/make_golden_metrics.py`.

Writes tests/unit/metrics/golden.json: inputs, and what every metric says of them. A test compares every later version
with it, so that no score moves unseen: what makes a number move is another metric, with another version in its id.
Look at the difference (git diff) before you commit it. Cases S1 to S12 are those of surface-distance's, of
MetricsReloaded's and of MONAI's own tests, whose published values tests/unit/metrics/test_surfaces.py holds them to.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from braggbook.files import write_text
from braggbook.testing.golden import golden_scores

RECORD = Path(__file__).parents[1] / "tests" / "unit" / "metrics" / "golden.json"
BODY_ONLY = ["volume_difference_cc@1"]  # a plane has no volume


def masks(
    shape: list[int], spacing_mm: list[float], *, reference: list[Any], estimate: list[Any], tolerance_mm: float = 1.0
) -> dict[str, Any]:
    """Returns a case of masks; a box has a range for each axis, or one index, or None for the whole axis."""

    def ends(part: Any, size: int) -> list[int]:
        if part is None:
            return [0, size]
        return [part, part + 1] if isinstance(part, int) else part

    def boxes(given: list[Any]) -> list[Any]:
        return [[ends(part, size) for part, size in zip(box, shape, strict=True)] for box in given]

    case = {"kind": "masks", "scope": "case", "shape": shape, "spacing_mm": spacing_mm}
    without = {"without": BODY_ONLY} if len(shape) == 2 else {}
    options = {"options": {"tolerance_mm": tolerance_mm}}
    return {**case, **without, **options, "reference": boxes(reference), "estimate": boxes(estimate)}


def others(kind: str, scope: str, reference: Any, estimate: Any, **more: Any) -> dict[str, Any]:
    """Returns a case of another kind."""
    return {"kind": kind, "scope": scope, "reference": reference, "estimate": estimate, **more}


def dose(centre: float, scale: float) -> list[Any]:
    """Returns (8, 8, 8) doses in Gy, rounded as a file would have them."""
    along = [math.exp(-(((place - centre) / 3) ** 2)) for place in range(8)]
    return [[[round(scale * a * b * c, 4) for c in along] for b in along] for a in along]


def histogram(middle_gy: float) -> dict[str, Any]:
    """Returns a cumulative dose-volume histogram."""
    doses = [float(number) for number in range(61)]
    return {"dose_gy": doses, "volume_cc": [round(50 / (1 + math.exp((d - middle_gy) / 2)), 6) for d in doses]}


TRUE, SAID = [0.5, 1.0, 2.0, 4.0, 3.0], [0.75, 1.0, 1.5, 4.5, 2.0]
LABELS, GUESSES = list("1110010201"), list("1100010211")
CASES = {
    "S1": masks([128, 128], [2, 1], reference=[[50, 70]], estimate=[[50, 72]]),
    "S2": masks([6, 6], [2, 1], reference=[[[1, 3], [1, 3]]], estimate=[[[1, 4], [1, 3]]]),
    "S3": masks([100, 100, 100], [3, 2, 1], reference=[[50, 60, 70]], estimate=[[50, 60, 72]]),
    "S4": masks([100, 100, 100], [2, 1, 1], reference=[[[0, 50], None, None]], estimate=[[[0, 51], None, None]]),
    "S5": masks([12, 13, 14], [3, 2, 1], reference=[[5, 6, 7]], estimate=[]),
    "S6": masks([12, 13, 14], [3, 2, 1], reference=[], estimate=[[5, 6, 7]]),
    "S7": masks([12, 13, 14], [3, 2, 1], reference=[], estimate=[]),
    "S9": masks([14, 14], [1, 1], reference=[[[5, 9], [5, 9]]], estimate=[[[6, 8], [6, 8]]]),
    "S10": masks([14, 14], [1, 1], reference=[[[5, 9], [5, 9]]], estimate=[[[4, 10], [4, 10]]]),
    "S11": masks([14, 14], [1, 1], reference=[[1, 1], [[9, 12], [9, 12]]], estimate=[[[9, 12], [9, 12]]]),
    "S12": masks(
        [11, 11], [1, 1], reference=[[[3, 8], [3, 8]]], estimate=[[[3, 8], [3, 8]], [5, [1, 10]], [[1, 10], 5]]
    ),
    "bodies": masks(
        [10, 16, 18], [2.5, 1.25, 0.8],
        reference=[[[2, 8], [3, 12], [4, 13]], [[4, 6], [12, 15], [6, 9]], [1, [4, 7], [4, 8]]],
        estimate=[[[2, 9], [4, 13], [3, 12]], [[5, 6], [2, 14], [8, 9]], [9, 15, 17]],
    ),
    "vessel": masks(
        [9, 20, 20], [1, 0.5, 0.5],
        reference=[[[3, 6], [8, 11], None], [[3, 6], [2, 8], [9, 12]]],
        estimate=[[[3, 5], [9, 12], [0, 12]], [[3, 6], [9, 11], [13, 20]]],
    ),
    "number": others("numbers", "case", 2.0, 2.375),
    "too_little": others("numbers", "case", -0.5, -4.0),
    "nothing": others("numbers", "case", 0.0, 0.25),
    "numbers": others("numbers", "all", TRUE, SAID),
    "one_number": others("numbers", "all", [2.0, 2.0, 2.0], [2.0, 2.0, 2.0]),
    "held": others("intervals", "case", 2.0, [1.75, 2.5]),
    "missed": others("intervals", "case", 2.0, [2.25, 2.5]),
    "intervals": others("intervals", "all", TRUE, [[v - 0.5 for v in SAID], [v + 0.25 for v in SAID]]),
    "right": others("labels", "case", "dicentric", "dicentric"),
    "wrong": others("labels", "case", "dicentric", "ring"),
    "labels": others("labels", "all", LABELS, GUESSES),
    "one_label": others("labels", "all", ["0", "0"], ["0", "0"]),
    "one_guess": others("labels", "all", LABELS, ["1"] * 10),
    "probabilities": others(
        "probabilities", "all", LABELS, [0.9, 0.8, 0.3, 0.3, 0.1, 0.75, 0.2, 0.5, 0.5, 0.625]
    ),
    "no_positive": others("probabilities", "all", ["0", "0"], [0.25, 0.5]),
    "curve": others(
        "curves", "case",
        {"alpha_per_gy": 0.3, "beta_per_gy2": 0.03}, {"alpha_per_gy": 0.25, "beta_per_gy2": 0.04},
    ),
    "rising": others(
        "curves", "case",
        {"alpha_per_gy": 0.3, "beta_per_gy2": 0.03}, {"alpha_per_gy": -0.1, "beta_per_gy2": 0.0},
    ),
    "histogram": others("histograms", "case", histogram(40), histogram(41.5)),
    "dose": others("doses", "case", dose(3.5, 2.0), dose(3.9, 2.08), spacing_mm=[2.0, 2.0, 2.0]),
}  # fmt: skip


def written(record: dict[str, Any]) -> str:
    """Returns JSON with a line for each case and each metric, so that a difference can be read."""
    parts = [
        f'"{part}": {{\n' + ",\n".join(f'"{name}": {json.dumps(value)}' for name, value in items.items()) + "\n}"
        for part, items in record.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Writes the file."""
    scores = golden_scores(CASES)
    write_text(RECORD, written({"cases": CASES, "scores": scores}))
    silent = ", ".join(id for id, found in scores.items() if not found)
    print(f"wrote {RECORD.name}: {len(CASES)} cases, {len(scores)} metrics; without a case: {silent or 'none'}")


if __name__ == "__main__":
    main()
