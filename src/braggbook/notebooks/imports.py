"""Which modules a notebook's cells import, as far as that can be read without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any


def imported_modules(cells: Iterable[Any]) -> list[str]:
    """Returns the modules that code cells import anywhere, in order.

    Cells that are no plain Python (magics) count as importing nothing. For ``from a import b`` both ``a`` and ``a.b``
    are named, since ``b`` may be a module; so is ``a.b`` for an attribute of an imported ``a``, which may be fetched
    when it is first used. Not every name is therefore a module that exists.
    """
    found: dict[str, None] = {}
    names: dict[str, str] = {}
    for cell in cells:
        if cell.cell_type == "code":
            for module in _of_cell(cell.source, names):
                found[module] = None
    return list(found)


def _of_cell(source: str, names: dict[str, str]) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = alias.name
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            yield f"{names[node.value.id]}.{node.attr}"
