"""Results as people read them: one line of text, or a small table."""

from __future__ import annotations

import html
import math
from typing import Any

from braggbook.formats.result import (
    DatasetResult,
    FigureResult,
    Result,
    ResultInterval,
    ScalarResult,
    TableResult,
)

_DIGITS = 6  # of a number without an uncertainty
_ROWS = 12  # of a table that is shown in a notebook


def as_text(result: Result) -> str:
    """Returns one line: the name, the value with its unit, its uncertainty and its interval."""
    if isinstance(result, ScalarResult):
        return f"{result.name} = {value_text(result)}"
    return f"{result.name}: {value_text(result)}"


def value_text(result: Result) -> str:
    """Returns the value alone, with unit, uncertainty and interval where it has them."""
    if isinstance(result, ScalarResult):
        parts = [quantity_text(result), interval_text(result)]
        return " ".join(part for part in parts if part)
    if isinstance(result, TableResult):
        rows = len(result.columns[0].values) if result.columns else 0
        return f"table of {rows} rows: " + ", ".join(column_title(c.name, c.unit) for c in result.columns)
    if isinstance(result, DatasetResult):
        shown = [f"{name}({', '.join(v.dims)})" for name, v in result.variables.items() if not v.coordinate]
        return "arrays " + ", ".join(shown)
    return figure_text(result)


def quantity_text(result: ScalarResult) -> str:
    """Returns value, standard uncertainty and unit, rounded to two digits of the uncertainty."""
    digits = significant_digits(result)
    text = number_text(result.value, digits)
    if result.uncertainty is not None:
        text += f" ± {number_text(result.uncertainty, 2)}"
    return text if result.unit == "1" else f"{text} {result.unit}"


def interval_text(result: ScalarResult) -> str:
    """Returns "(95 % 1.1 to 1.3, profile)", with "no limit" where the interval is not bounded."""
    if result.interval is None:
        return ""
    lower, upper = limits_text(result.interval, significant_digits(result))
    method = f", {result.interval.method}" if result.interval.method else ""
    return f"({100 * result.interval.level:g} %: {lower} to {upper}{method})"


def limits_text(interval: ResultInterval, digits: int = _DIGITS) -> tuple[str, str]:
    """Returns both limits as text; one that does not exist is "no limit"."""
    limits = (interval.lower, interval.upper)
    lower, upper = ("no limit" if limit is None else number_text(limit, digits) for limit in limits)
    return lower, upper


def significant_digits(result: ScalarResult) -> int:
    """Returns how many significant digits of the value its uncertainty (or interval) supports, plus one."""
    spread = result.uncertainty
    if spread is None and result.interval and None not in (result.interval.lower, result.interval.upper):
        spread = (result.interval.upper - result.interval.lower) / 4  # type: ignore[operator]
    if not spread or not result.value:
        return _DIGITS
    return max(2, min(_DIGITS, 2 + math.floor(math.log10(abs(result.value))) - math.floor(math.log10(spread))))


def number_text(value: float, digits: int = _DIGITS) -> str:
    """Returns a number to so many significant digits, without an exponent where people would not write one."""
    if isinstance(value, bool | int):
        return str(value)
    return f"{value:#.{digits}g}".rstrip(".")


def column_title(name: str, unit: str | None) -> str:
    """Returns "dose_gy (Gy)", or the name alone for pure numbers and texts."""
    return name if unit in (None, "1") else f"{name} ({unit})"


def figure_text(result: FigureResult) -> str:
    """Returns what a figure shows, in words."""
    return result.alt or f"figure with {len(result.axes)} axes"


def as_html(result: Result) -> str:
    """Returns a small HTML table for a notebook or a report."""
    if isinstance(result, TableResult):
        return table_html(result, _ROWS)
    name = html.escape(result.name)
    return f"<table><tr><th>{name}</th><td>{html.escape(value_text(result))}</td></tr></table>"


def table_html(table: TableResult, most: int | None = None) -> str:
    """Returns a table result as HTML; rows beyond ``most`` are counted, not shown."""
    rows = len(table.columns[0].values) if table.columns else 0
    head = "".join(f"<th>{html.escape(column_title(c.name, c.unit))}</th>" for c in table.columns)
    body = ""
    for row in range(rows if most is None else min(rows, most)):
        cells = "".join(f"<td>{html.escape(_cell(c.values[row]))}</td>" for c in table.columns)
        body += f"<tr>{cells}</tr>"
    more = f"<p>… and {rows - most} more rows</p>" if most is not None and rows > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)
