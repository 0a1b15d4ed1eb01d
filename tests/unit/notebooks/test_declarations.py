"""Reading the parameters cell without running it."""

from __future__ import annotations

import datetime
import decimal
import pathlib
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from braggbook.notebooks.declarations import Declaration, read_declarations


def _one(source: str) -> Declaration:
    declarations, issues = read_declarations(source)
    assert issues == []
    (declaration,) = declarations
    return declaration


def _issues(source: str) -> list[str]:
    return [str(issue) for issue in read_declarations(source)[1]]


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("int", int),
        ("float", float),
        ("str", str),
        ("bool", bool),
        ("Any", Any),
        ("list", list),
        ("Path", pathlib.Path),
        ("pathlib.Path", pathlib.Path),
        ("Decimal", decimal.Decimal),
        ("date", datetime.date),
        ("datetime.date", datetime.date),
        ("datetime", datetime.datetime),
        ('Literal["a", "b"]', Literal["a", "b"]),
        ("Literal[1, -2.5]", Literal[1, -2.5]),
        ("typing.Literal[-1]", Literal[-1]),
        ("float | None", float | None),
        ("None | int | str", int | str | None),
        ("Optional[float]", float | None),
        ("Union[int, str]", int | str),
        ("Union[int]", int),
        ("list[float]", list[float]),
        ("List[list[int]]", list[list[int]]),
        ("tuple[int, str]", tuple[int, str]),
        ("Tuple[float, ...]", tuple[float, ...]),
        ("dict[str, float]", dict[str, float]),
        ("dict[str, list[float | None]]", dict[str, list[float | None]]),
        ("'float'", float),
        ("\"list['int']\"", list[int]),
        ("Annotated[float, 'dose in Gy', 3]", float),
        ("typing.Annotated[Literal['a'], ...]", Literal["a"]),
    ],
)
def test_every_annotation_is_read_as_its_type(annotation: str, kind: Any) -> None:
    declaration = _one(f"x: {annotation} = 1")
    assert declaration.type == kind
    assert declaration.name == "x"
    assert declaration.line == 1


@pytest.mark.parametrize(
    ("default", "kind", "text"),
    [
        ("1", int, "int"),
        ("-1.5", float, "float"),
        ("True", bool, "bool"),
        ("'a'", str, "str"),
        ("'a' 'b'", str, "str"),
        ("[1, 2]", list[int], "list[int]"),
        ("[1, 2.5]", list[float], "list[float]"),
        ("(1.0, 2.0)", list[float], "list[float]"),
        ("{1, 2}", list[int], "list[int]"),
        ("['a', 1]", list[Any], "list[Any]"),
        ("[True, 1.0]", list[Any], "list[Any]"),
        ("[]", list, "list"),
        ("{'a': 1}", dict, "dict"),
    ],
)
def test_a_default_alone_tells_the_type(default: str, kind: Any, text: str) -> None:
    declaration = _one(f"x = {default}")
    assert declaration.type == kind
    assert declaration.type_text == text


def test_the_default_is_the_literal_itself() -> None:
    assert _one("x: list[float] = [1, -2.5, 1e-3]").default == [1, -2.5, 1e-3]
    assert _one("x: tuple[int, ...] = (1, 2)").default == (1, 2)
    assert _one("x: float | None = None").default is None
    assert _one("x: dict[str, int] = {'a': 1}").default == {"a": 1}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = 1  # beside", "beside"),
        ("# above\nx = 1", "above"),
        ("# two\n# lines\nx = 1", "two lines"),
        ("# above\nx = 1  # beside wins", "beside wins"),
        ("# not next to it\n\nx = 1", ""),
        ("x = [\n    1,  # first\n    2,\n]  # beside the end", "beside the end"),
        ("x = '# no comment'", ""),
        ("#: as Sphinx has it\nx = 1", "as Sphinx has it"),
        ("y_ = 1  # of another line\nx = 1", ""),
        ("x = 1", ""),
    ],
)
def test_comments_are_help(source: str, text: str) -> None:
    declarations, issues = read_declarations(source)
    assert issues == []
    assert declarations[-1].help == text


def test_lines_count_from_one_inside_the_cell() -> None:
    declarations, _ = read_declarations("# head\n\na = 1\nb: str = (\n  'x'\n)\nc = 2\n")
    assert [(item.name, item.line) for item in declarations] == [("a", 3), ("b", 4), ("c", 7)]


@pytest.mark.parametrize(
    "line",
    [
        "from __future__ import annotations",
        "from typing import Literal, Optional",
        "import typing",
        "import datetime, decimal",
        "from pathlib import Path",
        "from decimal import Decimal",
        "'''A remark.'''",
    ],
)
def test_imports_for_annotations_and_remarks_may_stand_there(line: str) -> None:
    assert _one(f"{line}\nx = 1").name == "x"


@pytest.mark.parametrize("line", ["", "# only a comment", "\n\n"])
def test_a_cell_without_parameters_is_read(line: str) -> None:
    assert read_declarations(line) == ([], [])


@pytest.mark.parametrize(
    ("line", "issue"),
    [
        ("import numpy as np", "not a declaration; wanted name: type = default, got import numpy as np"),
        ("import typing, os", "not a declaration; wanted name: type = default, got import typing, os"),
        ("from os import path", "not a declaration"),
        ("print('x')", "not a declaration"),
        ("x: int", "not a declaration; wanted name: type = default, got x: int"),
        ("x = y = 1", "not a declaration"),
        ("x += 1", "not a declaration"),
        ("del x", "not a declaration"),
        ("for i in range(3): pass", "not a declaration"),
        ("def f(): pass", "not a declaration; wanted name: type = default, got def f():"),
        ("x, y = 1, 2", "not a name"),
        ("x[0] = 1", "not a name"),
        ("x.y: int = 1", "not a name"),
        (
            "x = 1 + 1",
            "a default that is not a literal; wanted a number, text, True, None, or a list of these, got x =",
        ),
        ("x = float('nan')", "a default that is not a literal"),
        ("x = y", "a default that is not a literal"),
        ("x = f'{1}'", "a default that is not a literal"),
        ("x = [1 for i in 'ab']", "a default that is not a literal"),
        ("x = {[1]: 2}", "a default that is not a literal"),
        ("x = None", "a default of None does not tell the type; wanted name: float | None = None, got x = None"),
        ("x: quantity = 1", "unknown type 'quantity'; wanted one of int, float, str, bool"),
        ("x: np.ndarray = 1", "unknown type 'np.ndarray'"),
        ("x: list[quantity] = []", "unknown type 'quantity'"),
        ("x: Literal[y] = 1", "a default that is not a literal"),
        ("x: 3 = 1", "unknown type '3'"),
        ("x: float | 3 = 1", "unknown type '3'"),
        ("x: True = 1", "unknown type 'True'"),
        ("x: ... = 1", "unknown type '...'"),
        ("x: 'float |' = 1", "unknown type \"'float |'\""),
        ("x: int[str] = 1", "unknown type 'int[str]'"),
        ("x: Any[int] = 1", "unknown type 'Any[int]'"),
        ("x: dict[str] = {}", "unknown type 'dict[str]'"),
        ("x: Optional[int, str] = 1", "unknown type 'Optional[int, str]'"),
        ("x: Union[()] = 1", "unknown type 'Union[()]'"),
        ("x: Literal[()] = 1", "unknown type 'Literal[()]'"),
        ("x: tuple[..., int] = ()", "unknown type 'tuple[..., int]'"),
        ("x: -float = 1", "unknown type '-float'"),
        ("x: __import__('os').system = 1", "unknown type"),
    ],
)
def test_everything_else_is_refused_with_its_line(line: str, issue: str) -> None:
    declarations, issues = read_declarations(f"a = 1\n{line}\nb = 2")
    assert [item.name for item in declarations] == ["a", "b"]
    (found,) = map(str, issues)
    assert found.startswith(f"parameters cell, line 2: {issue}")


def test_all_findings_come_at_once() -> None:
    assert [text.partition(";")[0] for text in _issues("x = 1\nx = 2\nimport os\ny: what = 3\nz")] == [
        "parameters cell, line 2: 'x' is declared twice",
        "parameters cell, line 3: not a declaration",
        "parameters cell, line 4: unknown type 'what'",
        "parameters cell, line 5: not a declaration",
    ]


@pytest.mark.parametrize("source", ["x = (", "x = 1\n  y = 2", "x = \x00", "%matplotlib inline\nx = 1", "x === 1"])
def test_what_is_no_python_is_refused(source: str) -> None:
    declarations, issues = read_declarations(source)
    assert declarations == []
    assert [issue.what for issue in issues] == ["not Python"]
    assert issues[0].where.startswith("parameters cell, line ")


def test_endless_nesting_is_refused() -> None:
    assert _issues("x = " + "-" * 500_000 + "1") == [
        "parameters cell: not Python that can be read; wanted name: type = default"
    ]


def test_nothing_is_executed(tmp_path: pathlib.Path) -> None:
    mark = tmp_path / "mark"
    _issues(f"x: open({str(mark)!r}, 'w') = open({str(mark)!r}, 'w')\ny: 'open({str(mark)!r}, \"w\")' = 1")
    assert not mark.exists()


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(literals)
def test_any_literal_is_its_own_default(value: Any) -> None:
    assert repr(_one(f"x: Any = {value!r}").default) == repr(value)


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ("time: float = 3.0", True),
        ("cd: int = 3  # cells per dish", True),
        ("time = 3.0", False),
        ("# how long\ntime: float = 3.0", False),
        ("times: float = 3.0", False),
    ],
)
def test_a_cell_that_ipython_would_take_for_a_command_is_refused(source: str, refused: bool) -> None:
    _, issues = read_declarations(source)
    assert [issue.what for issue in issues] == ["IPython takes the cell for its own command"] * refused
