"""``braggbook list metric`` and ``braggbook show metric``: what a score can be, and all that its id fixes."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from braggbook.cli.face import table
from braggbook.metrics.definitions import Definition, definition, definitions

_SCOPES = {"case": "each case", "all": "all cases together"}
_GIVEN = {
    "masks": "two masks",
    "numbers": "two numbers",
    "intervals": "a number and an interval",
    "labels": "two labels",
    "probabilities": "labels and probabilities of one of them",
    "doses": "two doses",
    "histograms": "two dose-volume histograms",
    "curves": "two survival curves",
}
_BETTER = {"larger": "larger", "smaller": "smaller", "target": "nearer to the perfect one"}
_WORST = {
    "diagonal": "the image's diagonal in mm, from outer corner to outer corner",
    "image": "the whole image's volume",
    "farthest": "the bound that is farther from the best",
    None: "none; a challenge declares one",
}
_VERDICTS = {
    "perfect": "the perfect score",
    "worst": "the worst score",
    "value": "the metric's own value",
    "not_applicable": "no score, the case does not count",
}
_SITUATIONS = {
    "both": "both masks empty",
    "only_reference": "only the reference empty",
    "only_estimate": "only the estimate empty",
}


def list_metrics() -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Returns every metric as a row, and the titles of its columns."""
    rows = [
        {
            "metric": id,
            "of": metric.kind,
            "score_of": _SCOPES[metric.scope],
            "better": metric.better,
            "unit": metric.unit,
            "options": [option.name for option in metric.options],
            "says": metric.says,
        }
        for id, metric in definitions().items()
    ]
    return rows, ("metric", "of", "score of", "better", "unit", "options")


def show_metric(name: str) -> tuple[Any, list[Any]]:
    """Returns one metric as data and as text.

    Raises:
        UnknownName: None has this id.
    """
    metric = definition(name)
    low, high = ("" if end is None else f"{end:g}" for end in metric.bounds)
    facts = [
        ("compares", f"{_GIVEN[metric.kind]}; a score of {_SCOPES[metric.scope]}"),
        ("unit", metric.unit),
        ("better", f"{_BETTER[metric.better]}; perfect is {_perfect(metric)}"),
        ("worst", _WORST[metric.worst] if isinstance(metric.worst, str | None) else f"{metric.worst:g}"),
        ("bounds", f"{low or 'none'} … {high or 'none'}"),
        ("symmetric", "yes" if metric.symmetric else "no"),
        *((f"option {o.name}", f"{o.says}; {o.range_text()}, for example {o.example}") for o in metric.options),
        *_empty_rows(metric),
        ("source", metric.source),
    ]
    lines = [Text(metric.id, style="bold"), Text(f"{metric.says}\n"), table("", "", rows=facts)]
    return metric.as_json(), [*lines, Text(f"\nin a notebook: {_call(metric)}")]


def _perfect(metric: Definition) -> str:
    return f"what {metric.perfect} says" if isinstance(metric.perfect, str) else f"{metric.perfect:g}"


def _empty_rows(metric: Definition) -> list[tuple[str, str]]:
    if metric.kind != "masks":
        return [("without a value", _VERDICTS[metric.no_value])] if metric.no_value != "value" else []
    rows = []
    for situation, words in _SITUATIONS.items():
        said = getattr(metric.empty, situation)
        other = "" if situation not in metric.value_where_empty or said == "value" else ' (or its own: "value")'
        rows.append((words, _VERDICTS.get(said, str(said)) + other))
    return rows


def _call(metric: Definition) -> str:
    chosen = [f"{option.name}={option.example!r}" for option in metric.options]
    spacing = ["spacing_mm=(3, 1, 1)"] if metric.needs_spacing else []
    estimate = "(lower, upper)" if metric.kind == "intervals" else "estimate"
    return f"bb.metrics.score({', '.join([repr(metric.id), 'reference', estimate, *spacing, *chosen])})".replace(
        "'", '"'
    )
