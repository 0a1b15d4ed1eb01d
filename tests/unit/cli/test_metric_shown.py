"""``braggbook list metric`` and ``braggbook show metric``, called in this process."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from braggbook.cli.main import main
from braggbook.errors import UnknownName
from braggbook.metrics.definitions import definitions

NSD = "nsd.surfel@1"


def call(*words: str) -> Result:
    answer = CliRunner().invoke(main, words)
    assert answer.exit_code == 0, (answer.output, answer.exception)
    return answer


def test_every_metric_is_listed() -> None:
    lines = call("list", "metric").stdout.splitlines()
    assert lines[0].split() == ["metric", "of", "score", "of", "better", "unit", "options"]
    assert [line.split()[0] for line in lines[1:]] == list(definitions())
    assert "tolerance_mm" in next(line for line in lines if line.startswith(NSD))


def test_the_list_as_json() -> None:
    rows = {row["metric"]: row for row in json.loads(call("list", "metric", "--json").stdout)}
    assert rows.keys() == definitions().keys()
    assert rows["coverage@1"] == {
        "metric": "coverage@1",
        "of": "intervals",
        "score_of": "all cases together",
        "better": "target",
        "unit": "1",
        "options": ["confidence"],
        "says": definitions()["coverage@1"].says,
    }


@pytest.mark.parametrize(
    ("id", "shown"),
    [
        (
            NSD,
            [
                "larger; perfect is 1",
                "option tolerance_mm",
                "at least 0, for example 2.0",
                "only the estimate empty   the worst score",
                "doi:10.2196/26151",
                f'bb.metrics.score("{NSD}", reference, estimate, spacing_mm=(3, 1, 1), tolerance_mm=2.0)',
            ],
        ),
        ("hd.voxel@1", ["the image's diagonal in mm", "0 … none"]),
        ("volume_difference_cc@1", ["both masks empty          the metric's own value"]),
        ("dice@1", ['only the estimate empty   the worst score (or its own: "value")']),
        (
            "coverage@1",
            ["nearer to the perfect one; perfect is what confidence says", "(lower, upper), confidence=0.95"],
        ),
        ("r_squared@1", ["without a value  no score, the case does not count", "none … 1"]),
        ("dvh_point_error@1", ['point="D95%"', "none; a challenge declares one"]),
    ],
)
def test_one_metric(id: str, shown: list[str]) -> None:
    out = call("show", "metric", id).stdout
    assert out.splitlines()[0] == id
    assert [text for text in shown if text not in out] == []


def test_every_metric_can_be_shown() -> None:
    for id, metric in definitions().items():
        told = json.loads(call("show", "metric", id, "--json").stdout)
        assert (told["id"], told["source"], told["better"]) == (id, metric.source, metric.better)
        assert [option["name"] for option in told["options"]] == [option.name for option in metric.options]
        assert (told["empty"] is None) == (metric.kind != "masks")
        out = call("show", "metric", id).stdout
        assert ("both masks empty" in out) == (metric.kind == "masks")


def test_an_unknown_metric_names_the_nearest() -> None:
    answer = CliRunner().invoke(main, ["show", "metric", "hd95.voxel.directed_max@1"])
    assert isinstance(answer.exception, UnknownName)
    assert "did you mean hd95.voxel.directed_max.linear@1" in str(answer.exception)
    assert answer.exception.next_command == "braggbook list metric"
