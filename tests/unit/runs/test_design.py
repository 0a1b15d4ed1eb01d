"""Which points a sweep has: axes and their order, groups, the design file, a program's arrays, and what is refused."""

from __future__ import annotations

import datetime
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from braggbook.errors import ParameterError
from braggbook.runs.design import Axis, Design, Point, build_design, design_from_values

from .design_helpers import KNOWN, refusals, sweepable

FileMaker = Callable[[str], Path]


@pytest.fixture
def design_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileMaker:
    """Writes a design file and returns its path, relative so that messages are the same everywhere."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        Path("d.toml").write_text(text, encoding="utf-8")
        return Path("d.toml")

    return write


HEAD = 'format = "braggbook.sweep_design/1"\n'


# Axes and points


def test_each_swept_parameter_is_a_dimension_in_the_order_given() -> None:
    design = build_design(KNOWN, ["model=wedenberg,mcnamara", "dose=2", "let=1:100:log3"])
    assert design.fixed == {"dose": 2.0}
    assert design.axes == (
        Axis("model", {"model": ("wedenberg", "mcnamara")}),
        Axis("let", {"let": (1.0, 10.0, 100.0)}),
    )
    assert design.shape == {"model": 2, "let": 3}
    assert design.swept == {"model", "let"}
    assert len(design) == 6


def test_points_come_row_by_row_with_fixed_values() -> None:
    design = build_design(KNOWN, ["cells=5", "model=wedenberg,mcnamara", "let=1,2"])
    assert list(design.points()) == [
        Point((0, 0), {"cells": 5, "model": "wedenberg", "let": 1.0}),
        Point((0, 1), {"cells": 5, "model": "wedenberg", "let": 2.0}),
        Point((1, 0), {"cells": 5, "model": "mcnamara", "let": 1.0}),
        Point((1, 1), {"cells": 5, "model": "mcnamara", "let": 2.0}),
    ]


def test_nothing_swept_is_one_point() -> None:
    assert list(build_design(KNOWN, []).points()) == [Point((), {})]
    assert build_design(KNOWN, ["let=3"]).shape == {}


def test_points_are_made_one_by_one() -> None:
    points = build_design(KNOWN, ["let=1:1000:lin1000", "cells=1:1000:step1"]).points()
    tracemalloc.start()
    assert next(points).index == (0, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000  # bytes; a million points are hundreds of them


def test_a_value_that_stands_for_a_text_is_given_back_as_one() -> None:
    (point,) = build_design(KNOWN, ['free="5"', 'line="\\"a\\""']).points()
    assert point.values == {"free": "5", "line": '"a"'}
    assert KNOWN.resolve(point.given) == KNOWN.defaults | point.values
    assert KNOWN.resolve(point.values) != KNOWN.defaults | point.values


def test_a_design_survives_pickle() -> None:
    design = build_design(KNOWN, ["let=1:100:log3", "dose=1,2"])
    assert pickle.loads(pickle.dumps(design)) == design


def test_a_description_has_a_line_for_each_parameter() -> None:
    design = build_design(
        KNOWN,
        ["let=1:100:log20", "model=wedenberg,mcnamara", "dose=1,4,2", "cells=10,20,30", "log=true", "alpha=0.3", "exact=3,5"],
        together=["plan=dose,cells"],
    )  # fmt: skip
    assert design.describe() == [
        "let    20 values, 1 to 100 keV/um",
        "model  2 values: wedenberg, mcnamara",
        "dose   3 values, 1 to 4 Gy, along plan",
        "cells  3 values, 10 to 30, along plan",
        "exact  2 values, 3 to 5",
        "log    True, fixed",
        "alpha  0.3 1/Gy, fixed",
    ]


def test_a_description_of_long_values_is_short() -> None:
    lines = ",".join(f"cell line number {number}" for number in range(100))
    design = build_design(KNOWN, [f"line={lines}", "table=" + "x" * 100])
    assert [len(row) < 80 for row in design.describe()] == [True, True]
    assert design.describe()[0] == "line   100 values, cell line number 0 to cell line number 99"


# What is refused


@pytest.mark.parametrize(
    ("expressions", "issue"),
    [
        (["let=1,2,1.0"], "let=1,2,1.0: the same values twice: the two points would be one run; wanted different values, got 1 (values 1 and 3)"),
        (["dose=1 Gy,100 cGy"], "dose=1 Gy,100 cGy: the same values twice: the two points would be one run; wanted different values, got 1 (values 1 and 2)"),
        (["either=1,1.0"], "either=1,1.0: the same values twice: the two points would be one run; wanted different values, got 1 (values 1 and 2)"),
        (["let=0,-0.0"], "let=0,-0.0: the same values twice: the two points would be one run; wanted different values, got -0 (values 1 and 2)"),
        (["doses=[1],[2],[1.0]"], "doses=[1],[2],[1.0]: the same values twice: the two points would be one run; wanted different values, got [1.0] (values 1 and 3)"),
        (['weights={"a":1},{"a":1.0}'], "weights={\"a\":1},{\"a\":1.0}: the same values twice: the two points would be one run; wanted different values, got {'a': 1.0} (values 1 and 2)"),
        (["line=a,b,a,b,a"], "line=a,b,a,b,a: the same values twice: the two points would be one run; wanted different values, got a (values 1 and 3); b (values 2 and 4); a (values 1 and 5)"),
        (["let=1", "let=2"], "let=2: let is given twice, first at let=1"),
        (["let=1:2:lin1000000000"], "too many points; wanted at most 1,000,000, got 1,000,000,000 (let 1,000,000,000)"),
        (["let=0:1e300:step1e-300"], "too many points; wanted at most 1,000,000, got more than 10^15 (let more than 10^15)"),
        (["let=1:2:lin1001", "cells=1:1000:step1"], "too many points; wanted at most 1,000,000, got 1,001,000 (let 1,001 × cells 1,000)"),
    ],
)  # fmt: skip
def test_points_that_cannot_be(expressions: list[str], issue: str) -> None:
    assert refusals(build_design, expressions) == [issue]


def test_only_the_first_repeated_values_are_named() -> None:
    (issue,) = refusals(build_design, ["let=" + ",".join("1" * 10)])
    assert issue.endswith("1 (values 1 and 6) and 4 more")


def test_too_many_points_are_refused_before_they_are_made() -> None:
    tracemalloc.start()
    refusals(build_design, ["let=1:2:lin900000", "model=wedenberg,mcnamara"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000  # bytes


def test_everything_wrong_in_all_expressions_is_said_at_once() -> None:
    expressions = ["let=1:100:log", "dos=1", "dose=11", "model=x,wedenberg", "cells=1:2:lin2000000"]
    assert refusals(build_design, expressions) == [
        "let=1:100:log, character 11: log without its number; wanted a number of points, as log20, got 'log'",
        "dos=1: unknown parameter 'dos'; did you mean dose or doses?",
        "too many points; wanted at most 1,000,000, got 4,000,000 (model 2 × cells 2,000,000)",
        "model=x,wedenberg, character 7: not one of its choices; wanted 'wedenberg', 'mcnamara', 'a,b', got 'x'",
        "dose=11, character 6: out of bounds; wanted 0 to 10 Gy, got 11 Gy",
    ]


def test_the_error_names_the_notebook() -> None:
    with pytest.raises(
        ParameterError, match=r"^rbe\.ipynb: a sweep that the notebook cannot make\n  - let=x, character 5"
    ):
        build_design(KNOWN, ["let=x"], where="rbe.ipynb")


# Parameters that go together


def test_parameters_that_go_together_share_a_dimension_where_the_first_stood() -> None:
    expressions = ["log=true,false", "dose=1,2,3", "model=wedenberg,mcnamara", "cells=10:30:lin3"]
    design = build_design(KNOWN, expressions, together=["cells,dose"])
    assert design.shape == {"log": 2, "cells_dose": 3, "model": 2}
    assert design.axes[1] == Axis("cells_dose", {"cells": (10, 20, 30), "dose": (1.0, 2.0, 3.0)})
    assert [point.values["dose"] for point in design.points()][:6] == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]


def test_a_group_may_have_a_name_and_repeat_a_value_of_one() -> None:
    design = build_design(
        KNOWN, ["dose=1,1,2", "cells=1,2,2", "let=1,2", "alpha=3,4"], together=["plan = dose, cells", "let,alpha"]
    )
    assert design.shape == {"plan": 3, "let_alpha": 2}
    assert build_design(KNOWN, ["dose=1,2", "cells=1,2"], together=["dose=dose,cells"]).shape == {"dose": 2}


@pytest.mark.parametrize(
    ("together", "issues"),
    [
        (["let,dose"], ["--together let,dose: lists of different lengths; wanted equal lengths, got let 2, dose 3"]),
        (["let,cells"], ["--together let,cells: cells has one value; wanted a list or a range, got cells=5"]),
        (["let,alph"], ["--together let,alph: unknown parameter 'alph'; did you mean alpha?"]),
        (["let,line"], ["--together let,line: line is not swept; wanted also -p line=..."]),
        (["let"], ["--together let: not a group of parameters; wanted two or more different names, as a,b or dimension=a,b"]),
        (["let,"], ["--together let,: not a group of parameters; wanted two or more different names, as a,b or dimension=a,b"]),
        (["let,let"], ["--together let,let: not a group of parameters; wanted two or more different names, as a,b or dimension=a,b"]),
        (["=let,alpha"], ["--together =let,alpha: not a group of parameters; wanted two or more different names, as a,b or dimension=a,b"]),
        (["let,alpha", "let,model"], ["--together let,model: let goes along another dimension already; wanted no other group, got let=1,2"]),
        (["Plan=let,alpha"], ["--together Plan=let,alpha: a dimension whose name is no slug; wanted small letters, digits and _, beginning with a letter; name it as in dimension=a,b, got 'Plan'"]),
        (["dose=let,alpha"], ["--together dose=let,alpha: the dimension dose has the name of a parameter that does not go along it"]),
        (["line=let,alpha"], ["--together line=let,alpha: the dimension line has the name of a parameter that does not go along it"]),
        (["x=let,alpha", "x=model,log"], ["--together x=model,log: two dimensions named x; wanted another name for one"]),
    ],
)  # fmt: skip
def test_groups_that_cannot_be(together: list[str], issues: list[str]) -> None:
    expressions = ["let=1,2", "dose=1,2,3", "alpha=1,2", "model=wedenberg,mcnamara", "log=true,false", "cells=5"]
    assert refusals(build_design, expressions, together=together) == issues


def test_the_longest_list_of_a_group_is_counted_before_it_is_made() -> None:
    assert refusals(build_design, ["let=1,2", "dose=1:2:lin1000000000"], together=["let,dose"]) == [
        "--together let,dose: lists of different lengths; wanted equal lengths, got let 2, dose 1,000,000,000",
        "too many points; wanted at most 1,000,000, got 1,000,000,000 (let_dose 1,000,000,000)",
    ]


def test_a_parameter_whose_name_is_no_slug_is_swept_but_names_no_group(design_file: FileMaker) -> None:
    known = sweepable("Dose: float = 1\nDays: int = 1\n")
    file = design_file(HEAD + "[grid]\nDose = [1, 2]\n")
    assert build_design(known, ["Days=1,2"], file=file).shape == {"Dose": 2, "Days": 2}
    assert build_design(known, ["Dose=1,2", "Days=1,2"], together=["plan=Dose,Days"]).shape == {"plan": 2}
    with pytest.raises(ParameterError, match="no slug"):
        build_design(known, ["Dose=1,2", "Days=1,2"], together=["Dose,Days"])


def test_a_group_of_what_cannot_be_read_says_nothing_more() -> None:
    assert len(refusals(build_design, ["let=1,2", "dose=1,,2"], together=["let,dose"])) == 1


def test_the_same_pair_twice_is_one_run() -> None:
    (issue,) = refusals(build_design, ["dose=1,1,2", "cells=1,1,2"], together=["dose,cells"])
    assert issue == (
        "--together dose,cells: the same values twice: the two points would be one run; wanted different values, "
        "got 1, 1 (values 1 and 2)"
    )


# The design file

WHOLE = (
    HEAD
    + """
[fixed]
cells = 100
alpha = 0.2

[latin_hypercube.spread]
points = 4
seed = 11

[latin_hypercube.spread.ranges]
either = [0.5, 2]
level = "1:1000:log"

[zip.plan]
dose = ["1 Gy", "2 Gy", "300 cGy"]
exact = "1:3:lin3"

[grid]
let = "1:100:log3"
model = ["wedenberg", "mcnamara"]
doses = [[1, 2], [3]]
day = [2024-05-01]
"""
)


def test_a_file_gives_grid_then_zips_then_hypercubes(design_file: FileMaker) -> None:
    design = build_design(KNOWN, ["log=true,false"], file=design_file(WHOLE))
    assert design.shape == {"let": 3, "model": 2, "doses": 2, "day": 1, "plan": 3, "spread": 4, "log": 2}
    assert design.fixed == {"cells": 100, "alpha": 0.2}
    assert design.axes[2:5] == (
        Axis("doses", {"doses": ([1.0, 2.0], [3.0])}),
        Axis("day", {"day": ("2024-05-01",)}),
        Axis("plan", {"dose": (1.0, 2.0, 3.0), "exact": (1.0, 2.0, 3.0)}),
    )
    spread = design.axes[5].values
    assert list(spread) == ["either", "level"]
    assert all(0.5 <= value <= 2 for value in spread["either"])
    assert sorted(int(np.log10(value) / 0.75) for value in spread["level"]) == [0, 1, 2, 3]


def test_a_hypercube_is_the_same_each_time_and_another_by_another_seed(design_file: FileMaker) -> None:
    text = HEAD + "[latin_hypercube.h]\npoints = 5\nseed = 1\nranges = {dose = '100:800:lin cGy', cells = [1, 1000]}\n"
    first = build_design(KNOWN, [], file=design_file(text))
    assert build_design(KNOWN, [], file=design_file(text)) == first
    assert build_design(KNOWN, [], file=design_file(text.replace("seed = 1", "seed = 2"))) != first
    values = first.axes[0].values
    assert all(1 <= value <= 8 for value in values["dose"])
    assert {type(value) for value in values["cells"]} == {int}


def test_an_expression_replaces_what_the_file_fixes_and_nothing_else(design_file: FileMaker) -> None:
    file = design_file(HEAD + "[fixed]\nlet = 1\ncells = 'many'\n[grid]\ndose = [1, 2]\n")
    assert build_design(KNOWN, ["let=3", "cells=1,2"], file=file) == Design(
        {"let": 3.0},
        (Axis("dose", {"dose": (1.0, 2.0)}), Axis("cells", {"cells": (1, 2)})),
        {"dose": "Gy", "let": "keV/um"},
    )
    assert refusals(build_design, ["let=3", "let=4", "cells=1", "dose=3"], file=file) == [
        "let=4: let is given twice, first at let=3",
        "dose=3: dose is given twice, first at d.toml:6 grid.dose",
    ]


def test_what_the_file_joins_is_not_joined_again(design_file: FileMaker) -> None:
    file = design_file(HEAD + "[grid]\nlet = [1, 2]\n[zip.plan]\ndose = [1, 2]\n")
    assert refusals(build_design, ["alpha=1,2"], file=file, together=["alpha,let", "plan=alpha,dose"]) == [
        "--together alpha,let: let goes along another dimension already; wanted no other group, got d.toml:3 grid.let",
        "--together plan=alpha,dose: alpha goes along another dimension already; wanted no other group, got alpha=1,2",
        "--together plan=alpha,dose: dose goes along another dimension already; wanted no other group, got d.toml:5 zip.plan.dose",
    ]  # fmt: skip


def test_a_bad_file_says_all_that_is_wrong_and_where(design_file: FileMaker) -> None:
    text = """format = "braggbook.sweep_design/2"
[gird]
let = 1
[grid]
let = 3
dose = [1, "x", 11]
modl = "a,b"
line = []
model = "wedenberg,mcnamra"
[fixed]
dose = 3
exact = "one"
[zip.Plan]
cells = "1:2:lin2"
[zip.plan]
cells = "1:3:log2.5"
mixed = {}
[zip.day]
free = [1, 2]
table = "a,b,c"
[zip.empty]
[latin_hypercube.h]
points = 0
ranges = {either = "1:2"}
[latin_hypercube.g]
points = 2
seed = 3
ranges = {either = [1]}
[latin_hypercube.day]
points = 2
seed = 3
[latin_hypercube.day.ranges]
either = "2:1:lin"
level = "-1:1:log"
alpha = "1:2:lin3"
doses = [1, 2]
log = [false, true]
"""
    assert refusals(build_design, ["let=x", "dos=2"], file=design_file(text)) == [
        "d.toml:1 format: not a possible value; wanted 'braggbook.sweep_design/1', got 'braggbook.sweep_design/2'",
        "d.toml:2 gird: unknown key 'gird'; did you mean grid?",
        'd.toml:5 grid.let: neither a list nor a text; wanted a list of values, or a text such as "1:100:log20", got 3',
        "d.toml:8 grid.line: an empty list; wanted at least one value",
        "d.toml:13 zip.Plan: not a slug; wanted small letters, digits and _, beginning with a letter, got 'Plan'",
        'd.toml:17 zip.plan.mixed: neither a list nor a text; wanted a list of values, or a text such as "1:100:log20", got {}',
        "d.toml:21 zip.empty: an empty table; wanted at least one parameter",
        "d.toml:22 latin_hypercube.h: the key 'seed' is missing",
        "d.toml:23 latin_hypercube.h.points: not a possible value; wanted greater than or equal to 1, got 0",
        'd.toml:28 latin_hypercube.g.ranges.either: not a low and a high end; wanted [low, high] or "low:high:log", got [1]',
        "d.toml:6 grid.dose: dose is given twice, first at d.toml:11 fixed.dose",
        "d.toml:7 grid.modl: unknown parameter 'modl'; did you mean model?",
        "d.toml:16 zip.plan.cells, character 5: not a number of points; wanted a whole number from 2, for both ends are points, got 'log2.5'",
        "d.toml:18 zip.day: lists of different lengths; wanted equal lengths, got free 2, table 3",
        "d.toml:18 zip.day: the dimension day has the name of a parameter that does not go along it",
        "d.toml:33 latin_hypercube.day.ranges.either: not a low and a high end; wanted two numbers, the lower one first, got [2, 1]",
        "d.toml:34 latin_hypercube.day.ranges.level: a logarithmic range through zero; wanted two ends of one sign, neither of them 0, got -1 to 1",
        "d.toml:35 latin_hypercube.day.ranges.alpha, character 5: not a spacing; wanted lin or log, got 'lin3'",
        "d.toml:36 latin_hypercube.day.ranges.doses: doses is not a number; wanted a parameter of type float or int, got list[float]",
        "d.toml:37 latin_hypercube.day.ranges.log: log is not a number; wanted a parameter of type float or int, got bool",
        "dos=2: unknown parameter 'dos'; did you mean dose or doses?",
        "d.toml:9 grid.model, character 11: not one of its choices; wanted 'wedenberg', 'mcnamara', 'a,b', got 'mcnamra'",
        "d.toml:12 fixed.exact: wrong type; wanted Decimal, got 'one'",
        "let=x, character 5: wrong type; wanted float, got 'x'",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "issue"),
    [
        ("[grid]\ndose = [1, '2 cGy']", "d.toml:3 grid.dose[0]: a value without a unit among values with one; wanted a unit at each or at none, got 1"),
        ("[grid]\ndose = [1, 'x']", "d.toml:3 grid.dose[1]: wrong type; wanted float, got 'x'"),
        ("[grid]\ndose = [1, inf]", "d.toml:3 grid.dose[1]: a number that is not finite: inf; wanted float, got inf"),
        ("[grid]\ndose = [1, 2,\n 11]", "d.toml:3 grid.dose[2]: out of bounds; wanted 0 to 10 Gy, got 11 Gy"),
        ("[grid]\ndose = [1, 1.0]", "d.toml:3 grid.dose: the same values twice: the two points would be one run; wanted different values, got 1 (values 1 and 2)"),
        ("[grid]\ndose = '1:2:lin'", "d.toml:3 grid.dose, character 5: lin without its number; wanted a number of points, as lin20, got 'lin'"),
        ("grid = {dose = '1,,2'}", "d.toml:2 grid.dose, character 3: an empty value; wanted a value between commas"),
        ("[fixed]\ndose = [1, 2]", "d.toml:3 fixed.dose: wrong type; wanted float, got [1, 2]"),
        ("[zip.plan]\ndose = [1, 2]\n[latin_hypercube.plan]\npoints = 2\nseed = 1\nranges = {let = [1, 2]}", "d.toml:4 latin_hypercube.plan: two dimensions named plan; wanted another name for one"),
        ("[latin_hypercube.h]\npoints = 10\nseed = 1\nranges = {cells = [1, 3]}", "d.toml:2 latin_hypercube.h: the same values twice: the two points would be one run; wanted different values"),
        ("[latin_hypercube.h]\npoints = 2000000\nseed = 1\nranges = {let = [1, 3]}", "too many points; wanted at most 1,000,000, got 2,000,000 (h 2,000,000)"),
        ("[latin_hypercube.h]\npoints = 2\nseed = 1\nranges = {dose = [1, 11]}", "d.toml:5 latin_hypercube.h.ranges.dose[1]: out of bounds; wanted 0 to 10 Gy, got 11 Gy"),
        ("[latin_hypercube.h]\npoints = 2\nseed = 1\nranges = {dose = '1:5:log s'}", "d.toml:5 latin_hypercube.h.ranges.dose, character 1: wrong unit; wanted Gy, got '1 s'"),
        ("[latin_hypercube.h]\npoints = 2\nseed = 1\nranges = {cells = [1, 9007199254740993]}", "d.toml:5 latin_hypercube.h.ranges.cells: whole numbers beyond 2^53; wanted ends that a float can hold"),
    ],
)  # fmt: skip
def test_a_file_s_values_are_refused_at_their_place(design_file: FileMaker, body: str, issue: str) -> None:
    found = refusals(build_design, [], file=design_file(HEAD + body))
    assert found[0].startswith(issue)


def test_a_file_that_is_no_design_is_said_with_the_rest(design_file: FileMaker) -> None:
    wrong = "let=x, character 5: wrong type; wanted float, got 'x'"
    file = design_file("grid = ")
    assert refusals(build_design, ["let=x"], file=file) == [
        "d.toml: the sweep design is not TOML; got Invalid value (at end of document)",
        wrong,
    ]
    assert refusals(build_design, ["let=x"], file=Path("e.toml")) == ["e.toml: no sweep design", wrong]
    assert refusals(build_design, [], file=design_file("")) == ["d.toml: the key 'format' is missing"]


def test_the_example_of_the_documentation_is_a_design(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "formats" / "sweep_design.md").read_text(encoding="utf-8")
    (tmp_path / "d.toml").write_text(page.partition("```toml\n")[2].partition("```")[0], encoding="utf-8")
    names = ("let_kev_um", "dose_gy", "shift_x_mm", "shift_y_mm", "alpha_per_gy", "alpha_beta_gy")
    cell = "\n".join(f"{name}: float = 1" for name in names) + "\nfractions: int = 1\ncell_line = ''\nmodel = ''\n"
    known = sweepable(cell, dose_gy={"unit": "Gy"}, shift_y_mm={"unit": "mm"})
    design = build_design(known, ["alpha_beta_gy=3"], file=tmp_path / "d.toml")
    assert design.fixed == {"cell_line": "V79", "alpha_beta_gy": 3.0}
    assert design.shape == {"let_kev_um": 20, "model": 2, "plan": 3, "setup": 500}
    assert design.axes[2].values["dose_gy"] == (1.8, 2.0, 3.0)
    assert all(-3 <= value <= 3 for value in design.axes[3].values["shift_y_mm"])


# What a program gives


@pytest.mark.parametrize(
    ("given_values", "fixed"),
    [
        ({"let": 3}, {"let": 3.0}),
        ({"let": np.float64(3)}, {"let": 3.0}),
        ({"let": np.array(3)}, {"let": 3.0}),
        ({"dose": "200 cGy"}, {"dose": 2.0}),
        ({"dose": {"value": 200, "unit": "cGy"}}, {"dose": 2.0}),
        ({"dose": xr.DataArray(200, attrs={"units": "cGy"})}, {"dose": 2.0}),
        ({"doses": np.array([1, 2])}, {"doses": [1.0, 2.0]}),
        ({"doses": xr.DataArray([100, 200], attrs={"units": "cGy"})}, {"doses": [1.0, 2.0]}),
        ({"line": "a,b"}, {"line": "a,b"}),
        ({"line": "1:2:lin3"}, {"line": "1:2:lin3"}),
        ({"mixed": "a,b"}, {"mixed": "a,b"}),
        ({"day": datetime.date(2024, 5, 2)}, {"day": "2024-05-02"}),
        ({"free": [1, 2]}, {"free": [1, 2]}),
        ({"level": None}, {"level": None}),
    ],
    ids=lambda value: f"{value}"[:40].replace("\n", " "),
)
def test_a_value_of_the_parameter_s_own_type_fixes_it(given_values: dict[str, Any], fixed: dict[str, Any]) -> None:
    design = design_from_values(KNOWN, given_values)
    assert (design.fixed, design.axes) == (fixed, ())


TABLE = pd.DataFrame({"dose": [100.0, 200.0], "line": ["a", "b"]})
TABLE.attrs["units"] = {"dose": "cGy"}


@pytest.mark.parametrize(
    ("given_values", "values"),
    [
        ({"let": [1, 2.5]}, (1.0, 2.5)),
        ({"let": (1, 2)}, (1.0, 2.0)),
        ({"cells": range(3)}, (0, 1, 2)),
        ({"let": np.geomspace(1, 100, 3)}, (1.0, 10.0, 100.0)),
        ({"cells": np.arange(2, dtype=np.uint8)}, (0, 1)),
        ({"let": np.float32([0.5, 2])}, (0.5, 2.0)),
        ({"log": np.array([True, False])}, (True, False)),
        ({"let": pd.Series([1, 2])}, (1.0, 2.0)),
        ({"let": pd.Index([1, 2])}, (1.0, 2.0)),
        ({"day": pd.Series([datetime.date(2024, 5, 1), datetime.date(2024, 5, 2)])}, ("2024-05-01", "2024-05-02")),
        ({"day": np.array(["2024-05-01", "2024-05-02"], dtype="M8[D]")}, ("2024-05-01", "2024-05-02")),
        ({"let": xr.DataArray([1, 2], dims="let")}, (1.0, 2.0)),
        ({"dose": xr.DataArray([100, 200], dims="d", attrs={"units": "cGy"})}, (1.0, 2.0)),
        ({"cells": xr.DataArray([1, 2], dims="d", attrs={"units": "1"})}, (1, 2)),
        ({"dose": xr.Variable("d", [100, 200], attrs={"units": "cGy"})}, (1.0, 2.0)),
        ({"dose": [xr.DataArray(100, attrs={"units": "cGy"}), "2 Gy"]}, (1.0, 2.0)),
        ({"dose": TABLE["dose"]}, (1.0, 2.0)),
        ({"line": TABLE["line"]}, ("a", "b")),
        ({"dose": ["100 cGy", "2 Gy"]}, (1.0, 2.0)),
        ({"doses": [[1, 2], [3]]}, ([1.0, 2.0], [3.0])),
        ({"model": ["mcnamara", "wedenberg"]}, ("mcnamara", "wedenberg")),
        ({"line": ["a,b", "c"]}, ("a,b", "c")),
        ({"let": "1:100:log3"}, (1.0, 10.0, 100.0)),
        ({"dose": "1,2,3 cGy"}, (0.01, 0.02, 0.03)),
        ({"model": "wedenberg,mcnamara"}, ("wedenberg", "mcnamara")),
        ({"let": [7]}, (7.0,)),
    ],
    ids=lambda value: f"{value}"[:40].replace("\n", " "),
)
def test_lists_and_arrays_are_swept(given_values: dict[str, Any], values: tuple[Any, ...]) -> None:
    ((name, _),) = given_values.items()
    assert design_from_values(KNOWN, given_values).axes == (Axis(name, {name: values}),)


@pytest.mark.parametrize(
    ("given_values", "issue"),
    [
        ({"lett": [1]}, "lett: unknown parameter 'lett'; did you mean let?"),
        ({"let": []}, "let: an empty list; wanted at least one value"),
        ({"let": np.ones((2, 3))}, "let: an array of several dimensions; wanted one dimension, got 2 of shape (2, 3)"),
        ({"doses": np.ones((2, 3))}, "doses: an array of several dimensions; wanted one dimension, got 2 of shape (2, 3)"),
        ({"let": [1, np.nan]}, "let[1]: a number that is not finite: nan; wanted float, got nan"),
        ({"let": [1, "b"]}, "let[1]: wrong type; wanted float, got 'b'"),
        ({"cells": np.array([1.0])}, "cells[0]: wrong type; wanted int, got 1.0"),
        ({"dose": [1, 11]}, "dose[1]: out of bounds; wanted 0 to 10 Gy, got 11 Gy"),
        ({"doses": [1, 11]}, "doses: out of bounds; wanted 0 to 10 Gy, got 11 Gy"),
        ({"dose": xr.DataArray([100], dims="d", attrs={"units": "s"})}, "dose[0]: wrong unit; wanted Gy, got 100 s"),
        ({"cells": xr.DataArray([100], dims="d", attrs={"units": "Gy"})}, "cells[0]: wrong unit; wanted no unit, got 100 Gy"),
        ({"dose": [1, "200 cGy"]}, "dose[0]: a value without a unit among values with one; wanted a unit at each or at none, got 1"),
        ({"cells": {1, 2}}, "cells: wrong type; wanted int, got {1, 2}"),
        ({"let": "1:100:log"}, "let=1:100:log, character 11: log without its number; wanted a number of points, as log20, got 'log'"),
        ({"let": [1, 1.0]}, "let: the same values twice: the two points would be one run; wanted different values, got 1 (values 1 and 2)"),
        ({"let": np.zeros(2_000_000)}, "too many points; wanted at most 1,000,000, got 2,000,000 (let 2,000,000)"),
        ({"cells": range(10**30)}, "too many points; wanted at most 1,000,000, got more than 10^15 (cells more than 10^15)"),
        ({"let": TABLE}, "let: an array of several dimensions; wanted one dimension, got 2 of shape (2, 2)"),
    ],
    ids=lambda value: f"{value}"[:40].replace("\n", " "),
)  # fmt: skip
def test_what_a_program_gives_is_refused_with_its_place(given_values: dict[str, Any], issue: str) -> None:
    (found,) = refusals(design_from_values, given_values)
    assert found.startswith(issue)


def test_a_program_s_groups_go_together() -> None:
    design = design_from_values(KNOWN, {"let": [1, 2], "dose": np.array([3, 4])}, together=["plan=let,dose"])
    assert design.axes == (Axis("plan", {"let": (1.0, 2.0), "dose": (3.0, 4.0)}),)


numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20, unique=True)


@given(numbers)
def test_a_list_an_array_and_a_text_of_the_same_numbers_are_one_design(values: list[float]) -> None:
    design = design_from_values(KNOWN, {"let": values})
    assert repr(list(design.axes[0].values["let"])) == repr(values)
    assert design_from_values(KNOWN, {"let": np.array(values)}) == design
    assert design_from_values(KNOWN, {"let": xr.DataArray(values, attrs={"units": "keV/um"})}) == design
    if len(values) > 1:
        assert build_design(KNOWN, ["let=" + ",".join(map(repr, values))]) == design
