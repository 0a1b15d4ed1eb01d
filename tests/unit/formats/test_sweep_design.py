"""The file of a sweep's design: what it may hold, before the notebook's parameters are known."""

from __future__ import annotations

import tomllib

import pytest
from pydantic import ValidationError

from braggbook.formats.common import issues_from
from braggbook.formats.sweep import DESIGN_FORMAT, SweepDesign

HEAD = f'format = "{DESIGN_FORMAT}"\n'


def _issues(text: str) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        SweepDesign.model_validate(tomllib.loads(text))
    return [str(issue) for issue in issues_from(caught.value, where="d.toml", known=SweepDesign)]


def test_a_design_needs_its_format_alone() -> None:
    design = SweepDesign.model_validate(tomllib.loads(HEAD))
    assert (design.fixed, design.grid, design.zip, design.latin_hypercube) == ({}, {}, {}, {})


def test_tables_keep_the_order_of_the_file() -> None:
    text = HEAD + "[grid]\nz = [1]\na = 'x,y'\n[zip.later]\nb = [1]\n[zip.earlier]\nc = ['1 Gy', {x = 2}]\n"
    design = SweepDesign.model_validate(tomllib.loads(text))
    assert list(design.grid.items()) == [("z", [1]), ("a", "x,y")]
    assert list(design.zip.items()) == [("later", {"b": [1]}), ("earlier", {"c": ["1 Gy", {"x": 2}]})]


@pytest.mark.parametrize(
    ("text", "issues"),
    [
        ("", ["d.toml: the key 'format' is missing"]),
        (HEAD + "[grids]", ["d.toml grids: unknown key 'grids'; did you mean grid?"]),
        (
            HEAD + "grid = 3",
            ["d.toml grid: a value of another type; wanted a table of keys, got 3"],
        ),
        (
            HEAD + "[zip]\ndose = [1, 2]",
            ["d.toml zip.dose: a value of another type; wanted a table of keys, got [1, 2]"],
        ),
        (
            HEAD + "[latin_hypercube.h]\npoints = 1.5\nseed = -1\nsed = 2\nranges = {}",
            [
                "d.toml latin_hypercube.h.points: a value of another type; wanted a whole number, got 1.5",
                "d.toml latin_hypercube.h.seed: not a possible value; wanted greater than or equal to 0, got -1",
                "d.toml latin_hypercube.h.ranges: an empty table; wanted at least one parameter",
                "d.toml latin_hypercube.h.sed: unknown key 'sed'; did you mean seed?",
            ],
        ),
        (
            HEAD + "[latin_hypercube.h]\npoints = 1\nseed = 1\nranges = {a = 3, b = [1, 2, 3]}",
            [
                'd.toml latin_hypercube.h.ranges.a: not a low and a high end; wanted [low, high] or "low:high:log", got 3',
                'd.toml latin_hypercube.h.ranges.b: not a low and a high end; wanted [low, high] or "low:high:log", got [1, 2, 3]',
            ],
        ),
    ],
    ids=["empty", "typo", "no table", "no dimension", "hypercube", "ends"],
)
def test_a_bad_design_says_all_that_is_wrong(text: str, issues: list[str]) -> None:
    assert _issues(text) == issues
