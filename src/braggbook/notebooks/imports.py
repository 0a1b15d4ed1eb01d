"""Which modules a notebook's cells import, as far as that can be read without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any


def imported_modules(cells: Iterable[Any]) -> list[str]:
    """Returns the modules that code cells import anywhere, in order.

    Cells that are no plain Python (magics) count as importing nothing. For ``from a import b`` both ``a`` and ``a.b``
    are named, since ``b`` may be a module; so is ``a.b`` for an attribute of an imported ``a``, which may be fetched
    when it is first used. Not every name is therefore a module that exists.
    """
    return list(_of_cells(tuple(cell.source for cell in cells if cell.cell_type == "code")))


@lru_cache(maxsize=64)  # a sweep asks for every point
def _of_cells(sources: tuple[str, ...]) -> tuple[str, ...]:
    names: dict[str, str] = {}
    return tuple(dict.fromkeys(module for source in sources for module in _of_cell(source, names)))


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
