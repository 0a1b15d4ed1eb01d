"""Reading the parameters cell: typed defaults, and comments as help, without running it.

The cell holds ``name: type = default`` or ``name = default``, one a line, nothing else (a ``from typing import
Literal`` that plain Jupyter needs may stand there too). Python's own :mod:`ast` reads it.
"""

from __future__ import annotations

import ast
import datetime
import decimal
import io
import pathlib
import re
import tokenize
import typing
from dataclasses import dataclass
from typing import Any

from pydantic import PydanticUserError, TypeAdapter

from braggbook.errors import Issue

_NAMES: dict[str, Any] = {
    "int": int, "float": float, "str": str, "bool": bool, "None": None, "list": list, "tuple": tuple, "dict": dict,
    "List": list, "Tuple": tuple, "Dict": dict, "Path": pathlib.Path, "Decimal": decimal.Decimal,
    "date": datetime.date, "datetime": datetime.datetime,
}  # fmt: skip
_FORMS: dict[str, Any] = {"Literal": typing.Literal, "Optional": typing.Optional, "Union": typing.Union}
_COMMANDS = """
alias alias_magic autoawait autocall automagic autosave bookmark cat cd clear code_wrap colors conda config
connect_info cp debug dhist dirs doctest_mode ed edit env gui hist history killbgscripts ldir less lf lk ll load
load_ext loadpy logoff logon logstart logstate logstop ls lsmagic lx macro magic mamba man matplotlib micromamba
mkdir more mv notebook page pastebin pdb pdef pdoc pfile pinfo pinfo2 pip popd pprint precision prun psearch
psource pushd pwd pycat pylab qtconsole quickref recall rehashx reload_ext rep rerun reset reset_selective rm
rmdir run save sc set_env store subshell sx system tb time timeit unalias unload_ext uv who who_ls whos xdel
xmode
"""
# IPython takes a cell of one line for a command when it begins with one of these and no variable is called so.
IPYTHON_COMMANDS = frozenset(_COMMANDS.split())
_ONE_LINE = re.compile(r"\s*([^\W\d]\w*)(?!\w)(?!\s*[=,]).*\s*")  # `cd = 1` assigns, whatever cd is
_MODULES = {"typing", "pathlib", "decimal", "datetime", "__future__"}


@dataclass(frozen=True)
class Declaration:
    """One parameter as the cell declares it; ``line`` counts from 1 inside the cell."""

    name: str
    type: Any
    type_text: str
    default: Any
    help: str
    line: int


def read_declarations(source: str) -> tuple[list[Declaration], list[Issue]]:
    """Reads a parameters cell.

    Returns:
        The parameters in their order, and everything in the cell that is not a declaration.
    """
    try:
        tree = ast.parse(source)
    except ValueError as error:  # Python before 3.11.4 says so of a NUL, and not that it is no syntax
        line = source.partition("\0")[0].count("\n") + 1
        return [], [Issue("not Python", f"parameters cell, line {line}", got=str(error))]
    except SyntaxError as error:
        return [], [Issue("not Python", f"parameters cell, line {error.lineno or 1}", got=(error.text or "").strip())]
    except (RecursionError, MemoryError):
        return [], [Issue("not Python that can be read", "parameters cell", "name: type = default")]
    comments = _comments(source)
    found: list[Declaration] = []
    issues: list[Issue] = []
    if (only := _ONE_LINE.fullmatch(source)) and only[1] in IPYTHON_COMMANDS:
        wanted = "another name, or a comment on a line of its own above it"
        issues.append(Issue("IPython takes the cell for its own command", "parameters cell, line 1", wanted, only[1]))
    for statement in tree.body:
        if _is_import(statement) or _is_docstring(statement):
            continue
        try:
            declaration = _declaration(statement, comments)
        except _Unreadable as problem:
            where = f"parameters cell, line {statement.lineno}"
            issues.append(Issue(problem.what, where, problem.wanted, ast.unparse(statement).splitlines()[0]))
            continue
        if any(declaration.name == other.name for other in found):
            issues.append(Issue(f"{declaration.name!r} is declared twice", f"parameters cell, line {declaration.line}"))
        found.append(declaration)
    return found, issues


class _Unreadable(Exception):
    def __init__(self, what: str, wanted: str) -> None:
        super().__init__(what)
        self.what, self.wanted = what, wanted


def _declaration(statement: ast.stmt, comments: dict[int, tuple[str, bool]]) -> Declaration:
    target: ast.expr
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
        kind, text = _annotation(statement.annotation), ast.unparse(statement.annotation)
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
        kind, text = None, ""
    else:
        raise _Unreadable("not a declaration", "name: type = default")
    if not isinstance(target, ast.Name):
        raise _Unreadable("not a name", "name: type = default")
    default = _literal(value)
    if kind is None:
        kind, text = _inferred(default)
    return Declaration(target.id, kind, text, default, _help(statement, comments), statement.lineno)


def _literal(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError):
        raise _Unreadable("a default that is not a literal", "a number, text, True, None, or a list of these") from None


def _inferred(default: Any) -> tuple[Any, str]:
    if default is None:
        raise _Unreadable("a default of None does not tell the type", "name: float | None = None")
    if isinstance(default, list | tuple | set) and default:
        inner = {type(item) for item in default}
        kind = float if inner <= {int, float} and float in inner else inner.pop() if len(inner) == 1 else Any
        return list[kind], f"list[{getattr(kind, '__name__', 'Any')}]"  # type: ignore[valid-type]
    return type(default), type(default).__name__


def _annotation(node: ast.expr) -> Any:
    try:
        kind = _type(node)
        TypeAdapter(kind)  # such as `dict[int]` or `Literal[()]` can be written but mean nothing
    except (TypeError, ValueError, SyntaxError, LookupError, AssertionError, PydanticUserError):
        raise _unknown_type(node) from None
    return kind


def _unknown_type(node: ast.expr) -> _Unreadable:
    known = ", ".join([*_NAMES, *_FORMS])
    return _Unreadable(f"unknown type {ast.unparse(node)!r}", f"one of {known}, or X | Y")


def _type(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):  # a quoted annotation
        return _type(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        if name == "Any":
            return Any
        if name in _NAMES:
            return _NAMES[name]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return typing.Union[_type(node.left), _type(node.right)]  # noqa: UP007 - built at run time
    if isinstance(node, ast.Subscript):
        return _subscript(node)
    raise _unknown_type(node)


def _subscript(node: ast.Subscript) -> Any:
    name = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
    if name == "Literal":
        return typing.Literal[_literal(node.slice)]
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Annotated":
        return _type(parts[0])
    inner = tuple(... if isinstance(p, ast.Constant) and p.value is ... else _type(p) for p in parts)
    form = _FORMS.get(name) or _type(node.value)
    return form[inner if len(inner) > 1 else inner[0]]


def _is_import(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module in _MODULES
    return isinstance(statement, ast.Import) and all(alias.name in _MODULES for alias in statement.names)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """Returns the comment of each line, and whether it stands alone on it."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found[token.start[0]] = (token.string.lstrip("#: ").strip(), alone)
    return found


def _help(statement: ast.stmt, comments: dict[int, tuple[str, bool]]) -> str:
    beside = comments.get(statement.end_lineno or statement.lineno)
    if beside and not beside[1]:
        return beside[0]
    above: list[str] = []
    line = statement.lineno - 1
    while line in comments and comments[line][1]:
        above.insert(0, comments[line][0])
        line -= 1
    return " ".join(above)
