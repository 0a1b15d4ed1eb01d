"""docs/reference/metrics.md has every metric, as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from braggbook.metrics.definitions import Definition, definitions

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
WORST = {"diagonal": "diagonal", "image": "image", "farthest": "the farther bound", None: "none"}
EMPTY = {"perfect": "perfect", "worst": "worst", "value": "own value", "not_applicable": "no score"}


def row(metric: Definition) -> str:
    perfect = f"`{metric.perfect}`" if isinstance(metric.perfect, str) else f"{metric.perfect:g}"
    worst = f"{metric.worst:g}" if isinstance(metric.worst, float) else WORST[metric.worst]
    options = ", ".join(f"`{option.name}`" for option in metric.options)
    says = metric.says.replace("|", "\\|")
    cells = f"`{metric.id}`", metric.scope, metric.unit, metric.better, perfect, worst, options, says
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def rows_of_pages() -> dict[str, str]:
    lines = [line for line in PAGE.splitlines() if line.startswith("| `") and "@" in line.split("|")[1]]
    return {line.split("`")[1]: line for line in lines}


@pytest.mark.parametrize("id", definitions())
def test_every_metric_has_its_row(id: str) -> None:
    assert rows_of_pages()[id] == row(definitions()[id])


def test_no_other_metric_is_told_of() -> None:
    assert rows_of_pages().keys() == definitions().keys()


def test_every_source_is_named() -> None:
    missing = {metric.source for metric in definitions().values() if metric.source not in PAGE}
    assert missing - {"its definition"} == set()


def test_what_counts_where_a_mask_is_empty() -> None:
    """Metrics that do not take what the others take are named, with what they take."""
    usual = ("perfect", "worst", "worst")
    for metric in definitions().values():
        own = metric.empty.both, metric.empty.only_reference, metric.empty.only_estimate
        if metric.kind == "masks" and own != usual:
            name = metric.id.partition("@")[0]
            assert f"| {name} | {' | '.join(EMPTY[str(said)] for said in own)} |" in PAGE.splitlines()
