"""What the tests of sweeps' designs build with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from braggbook.errors import ParameterError
from braggbook.formats.notebook import ParameterSpec
from braggbook.notebooks.declarations import read_declarations
from braggbook.notebooks.parameters import Parameters, build_parameters
from braggbook.runs.design import Design

CELL = """
let: float = 2
dose: float = 2
alpha: float = 0.1
cells: int = 200
model: Literal["wedenberg", "mcnamara", "a,b"] = "wedenberg"
line: str = "V79"
table: Path = "counts.csv"
doses: list[float] = [1.0]
day: date = "2024-05-01"
log: bool = False
level: float | None = None
either: int | float = 1
exact: Decimal = 1
mixed: float | str = 1.0
weights: dict[str, float] = {}
free: Any = None
"""


GRAY = {"unit": "Gy", "minimum": 0, "maximum": 10}


def sweepable(cell: str, **specs: dict[str, Any]) -> Parameters:
    """Reads a parameters cell that has nothing wrong with it."""
    declarations, issues = read_declarations(cell)
    built, found = build_parameters(declarations, {name: ParameterSpec(**spec) for name, spec in specs.items()})
    assert [*issues, *found] == []
    return built


# Of every type, some with units and bounds
KNOWN = sweepable(CELL, let={"unit": "keV/um"}, dose=GRAY, doses=GRAY, alpha={"unit": "1/Gy"}, cells={"minimum": 0})


def refusals(build: Callable[..., Design], *given: Any, **options: Any) -> list[str]:
    """Returns what is wrong with a design that cannot be built."""
    with pytest.raises(ParameterError) as caught:
        build(KNOWN, *given, **options)
    assert caught.value.exit_code == 2
    return [str(issue) for issue in caught.value.issues]
