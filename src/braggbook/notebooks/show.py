"""Results as people read them: one line of text, or a small table."""

from __future__ import annotations

import html
import math
from decimal import Decimal
from typing import Any

from braggbook.formats.result import DatasetResult, FigureResult, Result, ScalarResult, TableResult

_DIGITS = 6  # of a number without an uncertainty
_PLAIN_EXPONENTS = range(-4, 7)  # people write these out; others get a power of ten
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
        return f"{short_text(result)}: " + ", ".join(column_title(c.name, c.unit) for c in result.columns)
    if isinstance(result, FigureResult):
        return result.alt or short_text(result)
    return short_text(result)


def short_text(result: Result) -> str:
    """Returns a few words for a column: a number with its unit, or the size of anything larger."""
    if isinstance(result, ScalarResult):
        return quantity_text(result)
    if isinstance(result, TableResult):
        return f"table, {len(result.columns[0].values) if result.columns else 0} rows"
    if isinstance(result, DatasetResult):
        return "arrays " + ", ".join(
            f"{n}({', '.join(v.dims)})" for n, v in result.variables.items() if not v.coordinate
        )
    return f"figure, {len(result.axes)} axes"


def quantity_text(result: ScalarResult) -> str:
    """Returns value, standard uncertainty and unit, rounded to two digits of the uncertainty."""
    place = _last_place(result)
    text = _rounded(result.value, place)
    if result.uncertainty is not None:
        text += f" ± {_rounded(result.uncertainty, place)}"
    return text if result.unit == "1" else f"{text} {result.unit}"


def interval_text(result: ScalarResult) -> str:
    """Returns "95 %: 1.1 to 1.3 (profile)", with "no limit" where the interval is not bounded."""
    interval = result.interval
    if interval is None:
        return ""
    place = _last_place(result)
    lower, upper = (_rounded(x, place) if x is not None else "no limit" for x in (interval.lower, interval.upper))
    method = f" ({interval.method})" if interval.method else ""
    note = f"; {interval.note}" if interval.note else ""
    return f"{100 * interval.level:g} %: {lower} to {upper}{method}{note}"


def _last_place(result: ScalarResult) -> int | None:
    """Returns the power of ten that is worth showing: the second digit of the uncertainty, or of the interval."""
    spread, interval = result.uncertainty, result.interval
    if not spread and interval and interval.lower is not None and interval.upper is not None:
        spread = (interval.upper - interval.lower) / 4
    return math.floor(math.log10(spread)) - 1 if spread else None


def _rounded(value: float, place: int | None) -> str:
    if place is None or not value:
        return _short(value)
    return number_text(value, max(2, math.floor(math.log10(abs(value))) - place + 1))


def number_text(value: float, digits: int = _DIGITS) -> str:
    """Returns a number to so many significant digits, without an exponent where people would not write one."""
    if isinstance(value, bool | int):
        return str(value)
    if not value:
        return "0"
    text = f"{value:.{digits - 1}e}"
    return f"{Decimal(text):f}" if int(text.partition("e")[2]) in _PLAIN_EXPONENTS else text


def _short(value: float) -> str:
    """Returns a number of unknown uncertainty: as many digits as it has, up to six."""
    text = number_text(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def column_title(name: str, unit: str | None) -> str:
    """Returns "dose (Gy)", or the name alone for pure numbers, texts, and names that end in their unit."""
    return name if unit in (None, "1") else f"{name} ({unit})"


def as_html(result: Result) -> str:
    """Returns a small HTML table for a notebook or a report."""
    if isinstance(result, TableResult):
        return table_html(result, _ROWS)
    name = html.escape(result.name)
    return f"<table><tr><th>{name}</th><td>{html.escape(value_text(result))}</td></tr></table>"


def table_html(table: TableResult, most: int | None = None) -> str:
    """Returns a table result as HTML; rows beyond ``most`` are counted, not shown."""
    rows = len(table.columns[0].values) if table.columns else 0
    marks = ["" if c.type == "text" else ' class="number"' for c in table.columns]
    titles = [html.escape(column_title(c.name, c.unit)) for c in table.columns]
    head = "".join(f"<th{mark}>{title}</th>" for mark, title in zip(marks, titles, strict=True))
    body = ""
    for row in range(rows if most is None else min(rows, most)):
        cells = zip(marks, table.columns, strict=True)
        body += f"<tr>{''.join(f'<td{mark}>{html.escape(_cell(c.values[row]))}</td>' for mark, c in cells)}</tr>"
    more = f"<p>… and {rows - most} more rows</p>" if most is not None and rows > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else str(value)
