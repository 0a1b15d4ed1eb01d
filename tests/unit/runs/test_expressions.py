"""The texts of a sweep: what each stands for, and the character at which a wrong one is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from braggbook.errors import BraggbookError, Issue
from braggbook.runs.design import Design, build_design

from .design_helpers import KNOWN, refusals


def _values(expression: str) -> list[Any]:
    """Returns the values of an expression that sweeps its parameter."""
    design = build_design(KNOWN, [expression])
    ((name, values),) = design.axes[0].values.items()
    assert expression.startswith(name)
    return list(values)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("dose=3", 3.0),
        ("dose=200 cGy", 2.0),
        ("dose= .5 ", 0.5),
        ("cells=7", 7),
        ("model=mcnamara", "mcnamara"),
        ("model=a,b", "a,b"),  # one of its choices
        ("line=", ""),
        ("line= V79 ", " V79 "),
        ('line="a,b"', "a,b"),
        ('line="a,b" and c', '"a,b" and c'),
        ("line=a(b,c)", "a(b,c)"),
        ('line=5" disc', '5" disc'),
        ("line=[a", "[a"),
        ("line=1:100:log20", "1:100:log20"),
        ("table=a:b.csv", "a:b.csv"),
        ("doses=[1,2,3]", [1.0, 2.0, 3.0]),
        ("doses=[100, 200] cGy", [1.0, 2.0]),
        ("day=2024-05-02", "2024-05-02"),
        ("log=true", True),
        ("level=None", None),
        ("mixed=five", "five"),
        ('mixed="1:2:lin3"', "1:2:lin3"),
        ('mixed="5"', "5"),
        ("mixed=1:2:lin", "1:2:lin"),
        ('weights={"a": 1, "b": 2}', {"a": 1.0, "b": 2.0}),
        ("free=[1,2]", [1, 2]),
    ],
)
def test_one_value_fixes_its_parameter(expression: str, value: Any) -> None:
    design = build_design(KNOWN, [expression])
    name = expression.partition("=")[0]
    assert (design.fixed, design.axes, len(design)) == ({name: value}, (), 1)
    assert type(design.fixed[name]) is type(value)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("dose=1,2,5", [1.0, 2.0, 5.0]),
        ("dose=1, 2.5 ,1e1", [1.0, 2.5, 10.0]),
        ("dose=100 cGy,2 Gy", [1.0, 2.0]),
        ("dose=1,2,3 cGy", [0.01, 0.02, 0.03]),
        ("dose=1,2.5,7cGy", [0.01, 0.025, 0.07]),
        ("doses=[1,2],[3,4]", [[1.0, 2.0], [3.0, 4.0]]),
        ("doses=[1,2],[3,4] cGy", [[0.01, 0.02], [0.03, 0.04]]),
        ("doses=[1,2] cGy , [3,4] Gy", [[0.01, 0.02], [3.0, 4.0]]),
        ("cells=3,1", [3, 1]),
        ("model=wedenberg,mcnamara", ["wedenberg", "mcnamara"]),
        ('model="a,b",mcnamara', ["a,b", "mcnamara"]),
        ("line=a,b", ["a", "b"]),
        ('line="a,b",c', ["a,b", "c"]),
        ('line="a\\",b",c', ['a",b', "c"]),
        ("line=f(a,b),g{c,d},[e,f]", ["f(a,b)", "g{c,d}", "[e,f]"]),
        ('line=5" disc,3" disc', ['5" disc', '3" disc']),
        ("line=a),b]", ["a)", "b]"]),
        ('line=" a",""', [" a", ""]),
        ("line=5 Gy,3", ["5 Gy", "3"]),
        ("table=a.csv,b.csv", ["a.csv", "b.csv"]),
        ("day=2024-05-01,2024-05-02", ["2024-05-01", "2024-05-02"]),
        ("log=true,False", [True, False]),
        ("level=None,0.1", [None, 0.1]),
        ("either=1,2.5", [1, 2.5]),
        ("mixed=1,a", [1.0, "a"]),
        ("free=1,a,true", [1, "a", True]),
        ("free=1,true,1.5", [1, True, 1.5]),
        ('weights={"a": 1, "b": 2},{}', [{"a": 1.0, "b": 2.0}, {}]),
    ],
)
def test_commas_separate_values(expression: str, values: list[Any]) -> None:
    found = _values(expression)
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("let=1:100:log3", [1.0, 10.0, 100.0]),
        ("let=100:1:log3", [100.0, 10.0, 1.0]),
        ("let=-1:-100:log3", [-1.0, -10.0, -100.0]),
        ("let=0.001:1000:log7", [0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]),
        ("let=1:10:log3 eV/nm", [1.0, 3.1622776601683795, 10.0]),
        ("let=0:1:lin6", [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ("let=1:0:lin3", [1.0, 0.5, 0.0]),
        ("let=-1.5:1.5:lin4", [-1.5, -0.5, 0.5, 1.5]),
        ("let=0:0.3:step0.1", [0.0, 0.1, 0.2, 0.3]),
        ("let=0:1:step.4", [0.0, 0.4, 0.8]),
        ("let=3:1:step-1", [3.0, 2.0, 1.0]),
        ("let= 1 : 2 : lin 3 ", [1.0, 1.5, 2.0]),
        ("dose=100:400:lin4 cGy", [1.0, 2.0, 3.0, 4.0]),
        ("dose=10:70:step10cGy", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
        ("alpha=0.1:0.3:lin3 1/Gy", [0.1, 0.2, 0.3]),
        ("cells=1:9:lin3", [1, 5, 9]),
        ("cells=1:1000:log4", [1, 10, 100, 1000]),
        ("cells=0:10:step5", [0, 5, 10]),
        ("cells=9007199254740993:9007199254740995:step1", [9007199254740993 + number for number in range(3)]),
        ("either=1:2:lin3", [1, 1.5, 2]),
        ("exact=0:1:lin3", [0.0, 0.5, 1.0]),
        ("level=0:1:lin2", [0.0, 1.0]),
    ],
)
def test_a_range_has_its_ends_and_the_shortest_numbers_between(expression: str, values: list[Any]) -> None:
    found = _values(expression)
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize(
    ("expression", "issue"),
    [
        ("let", "not a parameter and its values; wanted name=value, name=a,b,c or name=1:100:log20, got 'let'"),
        ("=1", "not a parameter and its values; wanted name=value, name=a,b,c or name=1:100:log20, got '=1'"),
        ("lett=1,2", "lett=1,2: unknown parameter 'lett'; did you mean let?"),
        ("let=two", "let=two, character 5: wrong type; wanted float, got 'two'"),
        ("let=1,,2", "let=1,,2, character 7: an empty value; wanted a value between commas"),
        ("let=1,2,", "let=1,2,, character 9: an empty value; wanted a value between commas"),
        ("let=1,b", "let=1,b, character 7: wrong type; wanted float, got 'b'"),
        ("let=1, b", "let=1, b, character 8: wrong type; wanted float, got 'b'"),
        ("model=mcnamara, mcnamra", "model=mcnamara, mcnamra, character 17: not one of its choices; wanted 'wedenberg', 'mcnamara', 'a,b', got 'mcnamra'"),
        ("doses=[1,2),3", "doses=[1,2),3, character 11: another bracket than the one that was opened; wanted ], got )"),
        ("line=a,(b", "line=a,(b, character 8: a bracket that is never closed; wanted ) after it, or the whole value in double quotes, got ("),
        ('line=a,"b', 'line=a,"b, character 8: a quote that is never closed; wanted " after it, or the whole value in double quotes, got "'),
        ('line="a\\",b', 'line="a\\",b, character 6: a quote that is never closed; wanted " after it, or the whole value in double quotes, got "'),
        ("dose=1 cGy,2,3", "dose=1 cGy,2,3, character 12: a value without a unit among values with one; wanted a unit at each or at none, got '2'"),
        ("dose=1,2 cGy,3", "dose=1,2 cGy,3, character 6: a value without a unit among values with one; wanted a unit at each or at none, got '1'"),
        ("dose=1,2 cGy,3 Gy", "dose=1,2 cGy,3 Gy, character 6: a value without a unit among values with one; wanted a unit at each or at none, got '1'"),
        ("dose=1,2,3 s", "dose=1,2,3 s, character 10: wrong unit; wanted Gy, got 's'"),
        ("dose=1,2,3 gy", "dose=1,2,3 gy, character 10: unknown unit 'gy'; wanted Gy, got 'gy'"),
        ("dose=1 Gy,2 s", "dose=1 Gy,2 s, character 11: wrong unit; wanted Gy, got '2 s'"),
        ("cells=1,2 Gy", "cells=1,2 Gy, character 9: wrong unit; wanted no unit, got 'Gy'"),
        ("let=1,5:2:lin3", "let=1,5:2:lin3, character 7: a range among values; wanted one range, or values between commas, got '5:2:lin3'"),
        ("let=1:2", "let=1:2, character 8: not a range; wanted start:stop:lin20, start:stop:log20 or start:stop:step0.5, got '1:2'"),
        ("let=1:2:lin3:4", "let=1:2:lin3:4, character 14: not a range; wanted start:stop:lin20, start:stop:log20 or start:stop:step0.5, got '1:2:lin3:4'"),
        ("let=1:100:20", "let=1:100:20, character 11: points or steps?; wanted lin20 or log20 for so many points, step20 for steps of that size, got '20'"),
        ("let=1:100:20 keV/um", "let=1:100:20 keV/um, character 11: points or steps?; wanted lin20 or log20 for so many points, step20 for steps of that size, got '20 keV/um'"),
        ("let=1:100:log", "let=1:100:log, character 11: log without its number; wanted a number of points, as log20, got 'log'"),
        ("let=1:100:step", "let=1:100:step, character 11: step without its number; wanted a size of the steps, as step0.5, got 'step'"),
        ("let=1:100:", "let=1:100:, character 11: not a spacing; wanted lin20, log20 or step0.5, got ''"),
        ("let=1:100:geo20", "let=1:100:geo20, character 11: not a spacing; wanted lin20, log20 or step0.5, got 'geo20'"),
        ("let=1:100:linn20", "let=1:100:linn20, character 11: not a spacing; got 'linn20'; did you mean lin?"),
        ("let=1:100:LOG20", "let=1:100:LOG20, character 11: not a spacing; got 'LOG20'; did you mean log?"),
        ("let=1 keV/um:2:lin3", "let=1 keV/um:2:lin3, character 5: not a number; wanted a number; a unit stands at the end, as in 100:400:lin4 cGy, got '1 keV/um'"),
        ("let=1:1e999:lin3", "let=1:1e999:lin3, character 7: not a number; wanted a number; a unit stands at the end, as in 100:400:lin4 cGy, got '1e999'"),
        ("let=1:2:lin1", "let=1:2:lin1, character 9: not a number of points; wanted a whole number from 2, for both ends are points, got 'lin1'"),
        ("let=1:2:lin2.5", "let=1:2:lin2.5, character 9: not a number of points; wanted a whole number from 2, for both ends are points, got 'lin2.5'"),
        ("let=1:2:log-3", "let=1:2:log-3, character 9: not a number of points; wanted a whole number from 2, for both ends are points, got 'log-3'"),
        ("let=2:2:lin3", "let=2:2:lin3, character 7: a range from a number to itself; wanted two different ends, got '2'"),
        ("let=0:2:log3", "let=0:2:log3, character 5: a logarithmic range through zero; wanted two ends of one sign, neither of them 0, got '0'"),
        ("let=-1:2:log3", "let=-1:2:log3, character 5: a logarithmic range through zero; wanted two ends of one sign, neither of them 0, got '-1'"),
        ("let=1:2:step0", "let=1:2:step0, character 9: a step that does not lead to the end; wanted a step above 0, got 'step0'"),
        ("let=1:2:step-1", "let=1:2:step-1, character 9: a step that does not lead to the end; wanted a step above 0, got 'step-1'"),
        ("let=2:1:step1", "let=2:1:step1, character 9: a step that does not lead to the end; wanted a step below 0, for the range falls, got 'step1'"),
        ("let=1:2:lin3 Gy", "let=1:2:lin3 Gy, character 14: wrong unit; wanted keV/um, got 'Gy'"),
        ("let=1:2:lin3 lin3", "let=1:2:lin3 lin3, character 14: unknown unit 'lin'; wanted keV/um, got 'lin3'"),
        ("cells=1:3:lin3 Gy", "cells=1:3:lin3 Gy, character 16: wrong unit; wanted no unit, got 'Gy'"),
        ("cells=1:2:lin3", "cells=1:2:lin3, character 7: not a whole number; wanted int, got 1.5"),
        ("cells=-1,2", "cells=-1,2, character 7: out of bounds; wanted 0 to inf, got -1"),
        ("dose=0:20:step20", "dose=0:20:step20, character 6: out of bounds; wanted 0 to 10 Gy, got 20 Gy"),
        ("dose=500:1500:lin2 cGy", "dose=500:1500:lin2 cGy, character 6: out of bounds; wanted 0 to 10 Gy, got 15 Gy"),
        ("dose=11 Gy", "dose=11 Gy, character 6: out of bounds; wanted 0 to 10 Gy, got 11 Gy"),
        ("model=1:2:lin3", "model=1:2:lin3, character 7: not one of its choices; wanted 'wedenberg', 'mcnamara', 'a,b', got '1:2:lin3'"),
        ("weights=1:2:lin3", "weights=1:2:lin3, character 9: wrong type; wanted dict[str, float], got '1:2:lin3'"),
        ("day=1:2:lin3", "day=1:2:lin3, character 5: wrong type; wanted date, got '1:2:lin3'"),
        ("mixed=1:2:lin3", "mixed=1:2:lin3, character 7: a range or a text? The parameter takes both; wanted a list of numbers between commas, or the text in quotes, '\"1:2:lin3\"'"),
    ],
)  # fmt: skip
def test_a_wrong_expression_says_where_it_is_wrong(expression: str, issue: str) -> None:
    assert refusals(build_design, [expression]) == [issue]


def test_everything_wrong_with_a_range_is_said_at_once() -> None:
    assert refusals(build_design, ["let=a:b:lin"]) == [
        "let=a:b:lin, character 5: not a number; wanted a number; a unit stands at the end, as in 100:400:lin4 cGy, got 'a'",
        "let=a:b:lin, character 7: not a number; wanted a number; a unit stands at the end, as in 100:400:lin4 cGy, got 'b'",
        "let=a:b:lin, character 9: lin without its number; wanted a number of points, as lin20, got 'lin'",
    ]


def test_a_long_expression_is_cut_in_messages_and_its_character_counted_all_the_same() -> None:
    numbers = ",".join(str(number) for number in range(100))
    (issue,) = refusals(build_design, [f"let={numbers},x"])
    assert issue.startswith("let=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20 ..., character 295: wrong type")


def test_what_a_terminal_cannot_show_is_not_repeated() -> None:
    (issue,) = refusals(build_design, ["let=x\x1b[2J\udc80"])
    assert issue == "let=x?[2J?, character 5: wrong type; wanted float, got 'x\\x1b[2J\\udc80'"


def test_many_wrong_values_are_counted() -> None:
    issues = refusals(build_design, ["dose=1:5000:step1"])
    assert len(issues) == 11
    assert issues[0].endswith("wanted 0 to 10 Gy, got 11 Gy")
    assert issues[-1] == "dose=1:5000:step1, character 6: refused too: 4,980 more of the values of dose"


NAMES = [parameter.name for parameter in KNOWN.items]
pieces = st.sampled_from(
    ["1", "2.5", "-3", "1e3", "1e-999999", ":", ",", ":lin3", ":log3", ":step0.5", "lin", "lin1e9", " ", '"', "\\",
     "[", "]", "{", "}", "(", "cGy", "Gy", "keV/um", "wedenberg", "a,b", "true", "None", "2024-05-01", "x", "\x00", "\udc80", "µ"]
)  # fmt: skip
texts = st.one_of(st.text(), st.lists(pieces, max_size=8).map("".join))


def _built(expression: str) -> tuple[Design | None, tuple[Issue, ...]]:
    try:
        return build_design(KNOWN, [expression]), ()
    except BraggbookError as error:
        return None, error.issues


@given(st.sampled_from(NAMES), texts)
@example("let", "0:1e300:step1e-300")
@example("let", "1:2:lin" + "9" * 300)
@example("doses", "[" * 5000 + ",")
@example("line", '"' * 5001 + ",")
@example("mixed", '"5"')
@example("free", '{"value": 1, "unit": "Gy"}')
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    design, issues = _built(f"{name}={text}")
    if design is None:
        assert issues
        assert all(issue.where for issue in issues if issue.what != "too many points")
        return
    assert set(design.fixed) | design.swept == {name}
    for point in design.points():
        assert repr(KNOWN.resolve(point.given)[name]) == repr(point.values[name])


@given(st.sampled_from(NAMES), texts)
def test_one_value_is_the_value_that_a_run_has(name: str, text: str) -> None:
    design, _ = _built(f"{name}={text}")
    if design is not None and name in design.fixed:
        assert repr(design.fixed[name]) == repr(KNOWN.resolve({name: text})[name])


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(numbers, min_size=2, max_size=6, unique=True))
def test_each_of_several_values_is_the_value_that_a_run_has(given_numbers: list[float]) -> None:
    texts = [repr(number) for number in given_numbers]
    assert _values(f"let={','.join(texts)}") == [KNOWN.resolve({"let": text})["let"] for text in texts]


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(1, 4), st.integers(2, 30))
def test_a_value_of_a_range_is_the_value_that_a_run_has_of_its_text(
    start: int, stop: int, digits: int, count: int
) -> None:
    if start == stop:
        return
    low, high = f"{start}e-{digits}", f"{stop}e-{digits}"
    values = _values(f"let={low}:{high}:lin{count}")
    assert len(values) == count
    assert [values[0], values[-1]] == [KNOWN.resolve({"let": text})["let"] for text in (low, high)]
    for value in values:
        assert repr(KNOWN.resolve({"let": repr(value)})["let"]) == repr(value)
