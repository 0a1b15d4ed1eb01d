"""From the text of a cell to a value of a column's type."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from typing import Any

from braggbook.formats.dataset import Column

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"[+-]?[0-9]+")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LARGEST_INTEGER = 2**63 - 1  # of a 64-bit column


def _number(text: str) -> float:
    value = float(text) if NUMBER.fullmatch(text) else math.inf
    if math.isinf(value):  # 1e999 is one too
        raise ValueError(text)
    return value


def _integer(text: str) -> int:
    if INTEGER.fullmatch(text) is None or abs(int(text)) > _LARGEST_INTEGER:
        raise ValueError(text)
    return int(text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _date(text: str) -> datetime.date:
    if DATE.fullmatch(text) is None:
        raise ValueError(text)
    return datetime.date.fromisoformat(text)


PARSERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "number": (_number, "a number"),
    "integer": (_integer, "a whole number"),
    "text": (str, "a text"),
    "boolean": (_boolean, "true or false"),
    "date": (_date, "a date as YYYY-MM-DD"),
}


class CellError(ValueError):
    """A cell that its column does not allow; ``wanted`` says what it does."""

    def __init__(self, what: str, wanted: str) -> None:
        """Builds the error."""
        super().__init__(what)
        self.what = what
        self.wanted = wanted


def parse_cell(text: str, column: Column) -> Any:
    """Returns the value of a cell, None for one that is allowed to be empty.

    Raises:
        CellError: The text is not of the column's type, or the value is not one that the column allows.
    """
    parse, wanted = PARSERS[column.type]
    if not text:
        if column.missing:
            return None
        raise CellError("an empty cell", wanted)
    try:
        value = parse(text)
    except ValueError:
        raise CellError("a cell of another type", wanted) from None
    _check_limits(value, column)
    return value


def _check_limits(value: Any, column: Column) -> None:
    if column.minimum is not None and value < column.minimum:
        raise CellError("a number below the minimum", f"at least {column.minimum:g}")
    if column.maximum is not None and value > column.maximum:
        raise CellError("a number above the maximum", f"at most {column.maximum:g}")
    if column.values and value not in column.values:
        raise CellError("a value that is not listed", "one of " + ", ".join(map(str, column.values)))
