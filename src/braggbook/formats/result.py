"""What a declared result looks like in an executed notebook, in ``results.json`` and from any other language.

The same JSON object is the payload of the display output ``application/vnd.braggbook.result.v1+json`` and a line of
the file that a kernel without IPython writes (named by the environment variable ``BRAGGBOOK_RESULTS``).
See docs/formats/result.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    Strict,
    StrictBool,
    StrictInt,
    TypeAdapter,
    model_validator,
)

from braggbook.formats.common import KnownUnit, Slug

MIME = "application/vnd.braggbook.result.v1+json"
RESULTS_VARIABLE = "BRAGGBOOK_RESULTS"  # a kernel without display outputs appends one JSON object a line to this file


class _Model(BaseModel):
    # not strict, as FormatModel is: programs in any language write these, not people
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ResultInterval(_Model):
    """Limits of a quantity; None is a limit that does not exist (an unbounded interval)."""

    lower: FiniteFloat | None = None
    upper: FiniteFloat | None = None
    level: float = Field(0.95, gt=0, lt=1, description="coverage probability")
    method: str = ""
    note: str = Field("", description="why a limit does not exist, or what else a reader must know")

    @model_validator(mode="after")
    def _ordered(self) -> ResultInterval:
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"the lower limit {self.lower} is above the upper limit {self.upper}")
        return self


class _Declared(_Model):
    name: Slug
    constants: dict[str, FiniteFloat] | None = Field(
        None, description="constants of published models that had been read when it was declared, with their values"
    )


class ScalarResult(_Declared):
    """One number with its unit, standard uncertainty (k = 1) and interval."""

    kind: Literal["scalar"] = "scalar"
    value: StrictBool | StrictInt | Annotated[FiniteFloat, Strict()]  # the text "yes" is not true
    unit: KnownUnit
    uncertainty: Annotated[FiniteFloat, Field(ge=0)] | None = None
    interval: ResultInterval | None = None


class TableColumn(_Model):
    """One column of a table; None is a missing cell."""

    name: str
    type: Literal["number", "integer", "boolean", "text"]
    unit: KnownUnit | None = None
    values: list[bool | int | FiniteFloat | str | None]

    @model_validator(mode="after")
    def _of_one_type(self) -> TableColumn:
        allowed = {"number": (int, float), "integer": (int,), "boolean": (bool,), "text": (str,)}[self.type]
        for value in self.values:
            number = isinstance(value, bool) and self.type != "boolean"
            if value is not None and (number or not isinstance(value, allowed)):
                raise ValueError(f"a cell of column {self.name!r} is no {self.type}: {value!r}")
        return self


class TableResult(_Declared):
    """A table by columns, all of one length."""

    kind: Literal["table"] = "table"
    columns: list[TableColumn]

    @model_validator(mode="after")
    def _rectangular(self) -> TableResult:
        if len({len(column.values) for column in self.columns}) > 1:
            raise ValueError("the columns differ in length")
        if len({column.name for column in self.columns}) < len(self.columns):
            raise ValueError("two columns have one name")
        return self


class ArrayVariable(_Model):
    """An n-dimensional array: little-endian, C order, zlib-compressed, base64."""

    dims: list[str]
    shape: list[Annotated[int, Field(ge=0)]]
    dtype: str = Field(description="NumPy's type string, for example <f8, or 'text' for JSON strings")
    attrs: dict[str, Any] = {}
    coordinate: bool = False
    data: str | list[str]


class DatasetResult(_Declared):
    """Labelled arrays, as an :class:`xarray.Dataset` holds them."""

    kind: Literal["dataset"] = "dataset"
    variables: dict[str, ArrayVariable]
    attrs: dict[str, Any] = {}


class FigureResult(_Declared):
    """A figure: its drawing, and the numbers that are drawn in it (what a repetition is compared by)."""

    kind: Literal["figure"] = "figure"
    alt: str = ""
    svg: str = ""
    png: str = Field("", description="base64; in a notebook it stands beside this object as image/png")
    axes: list[dict[str, Any]] = Field(description="see docs/formats/result.md")


Result = Annotated[ScalarResult | TableResult | DatasetResult | FigureResult, Field(discriminator="kind")]
result_adapter: TypeAdapter[Result] = TypeAdapter(Result)


class ResultsFile(_Model):
    """``results.json`` of a run: every declared result by name. Figures' drawings lie beside it as files."""

    format: Literal["braggbook.results/1"] = "braggbook.results/1"
    results: dict[Slug, Result]


def constants_of(results: Mapping[str, Result]) -> dict[str, float]:
    """Returns the constants of published models that any of the results rests on, with their values, sorted."""
    found = {name: value for result in results.values() for name, value in (result.constants or {}).items()}
    return dict(sorted(found.items()))
