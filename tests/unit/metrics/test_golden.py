"""No score moves unseen: what the file of golden scores holds is what the metrics say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from braggbook.metrics.definitions import definitions
from braggbook.testing.golden import golden_scores

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))
DIGITS = 1e-12  # relative: the same arithmetic, summed in another order


def compare(kinds: set[str]) -> None:
    cases = {name: case for name, case in GOLDEN["cases"].items() if case["kind"] in kinds}
    found = golden_scores(cases)
    for id, metric in definitions().items():
        if metric.kind not in kinds:
            continue
        wanted = GOLDEN["scores"][id]
        assert wanted, f"{id} has no golden score"
        assert found[id].keys() == wanted.keys()
        for case, value in wanted.items():
            near = value if value is None else pytest.approx(value, rel=DIGITS, abs=DIGITS)
            assert found[id][case] == near, f"{id} of {case}"


def test_the_file_has_every_metric_and_no_other() -> None:
    assert list(GOLDEN["scores"]) == list(definitions())


def test_golden_scores() -> None:
    compare({"masks", "numbers", "intervals", "labels", "probabilities", "curves", "histograms"})


@pytest.mark.full
def test_golden_scores_of_doses() -> None:
    compare({"doses"})
