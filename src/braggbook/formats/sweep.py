"""The design of a sweep, a TOML file that people write. See docs/formats/sweep_design.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from braggbook.formats.common import FormatModel, Slug, refusal, shown

DESIGN_FORMAT: Literal["braggbook.sweep_design/1"] = "braggbook.sweep_design/1"


def check_values(value: Any) -> str | list[Any]:
    """Returns ``value`` if it is a list of values, or a text as the command line has it.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        wanted = 'a list of values, or a text such as "1:100:log20"'
        raise refusal("neither a list nor a text", wanted=wanted, got=shown(value))
    if not value:
        raise refusal("an empty list", wanted="at least one value")
    return value


def check_interval(value: Any) -> str | list[Any]:
    """Returns ``value`` if it has the form of a low and a high end.

    Raises:
        ValueError: It is neither a list of two nor a text.
    """
    if isinstance(value, str) or (isinstance(value, list) and len(value) == 2):
        return value
    raise refusal("not a low and a high end", wanted='[low, high] or "low:high:log"', got=shown(value))


def check_filled(table: dict[str, Any]) -> dict[str, Any]:
    """Returns ``table`` if it names a parameter.

    Raises:
        ValueError: It is empty.
    """
    if not table:
        raise refusal("an empty table", wanted="at least one parameter")
    return table


SweptValues = Annotated[str | list[Any], BeforeValidator(check_values)]
IntervalEnds = Annotated[str | list[Any], BeforeValidator(check_interval)]
ZippedValues = Annotated[dict[str, SweptValues], AfterValidator(check_filled)]
Intervals = Annotated[dict[str, IntervalEnds], AfterValidator(check_filled)]


class LatinHypercube(FormatModel):
    """Points spread evenly over several parameters at once, along one dimension."""

    points: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    ranges: Intervals


class SweepDesign(FormatModel):
    """Which points a sweep has; the values are checked against the notebook's parameters when it is built."""

    format: Literal["braggbook.sweep_design/1"]
    fixed: dict[str, Any] = {}
    grid: dict[str, SweptValues] = {}
    zip: dict[Slug, ZippedValues] = {}
    latin_hypercube: dict[Slug, LatinHypercube] = {}
