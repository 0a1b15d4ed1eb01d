"""A notebook from a stranger, read before it runs: does it keep to the contract, and name only what it may see?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from braggbook.errors import BraggbookError, Issue
from braggbook.formats.common import shown
from braggbook.notebooks.source import read_node, read_notebook, split_front

_LONGEST_FRONT = 50_000  # characters of front matter; the longest in use have 5,000
_NESTING = ("[", "{", "- ", "? ")  # each may begin a list or a table inside of another
_MOST_SIGNS = 1000  # of one of these; a parser's time grows with the square of the depth
_LONGEST_SHOWN = 200  # characters of a place or a line of the notebook in a message
_RESERVED = ("truth@1", "estimate@1")  # of every challenge; never where a participant's code runs


def notebook_issues(path: Path, *, datasets: Sequence[str]) -> list[Issue]:
    """Returns what keeps a notebook from being taken.

    Args:
        path: The notebook, a copy of ours.
        datasets: What it may name, the first of them is needed.
    """
    try:
        if found := _front_issues(path):
            return found
        notebook = read_notebook(path)
    except BraggbookError as error:
        issues = error.issues or [Issue(error.what, path.name, error.wanted, error.got)]
        return [
            replace(issue, what=_short(issue.what), where=_short(issue.where), got=_short(issue.got))
            for issue in issues
        ]
    except Exception as error:  # what parsers of YAML, Python and JSON raise at what nobody foresaw
        return [Issue("a notebook that cannot be read", path.name, got=type(error).__name__)]
    named = notebook.front.braggbook.datasets
    return [*_dataset_issues(named, datasets, path.name)]


def _short(text: str) -> str:
    """Returns a text for a message: lines of a notebook may be as long as they like."""
    return text if text.isprintable() and len(text) <= _LONGEST_SHOWN else shown(text)


def _front_issues(path: Path) -> list[Issue]:
    """Finds front matter that grows when it is read: what YAML's anchors refer to may be repeated a billion times."""
    cells = read_node(path).cells
    block, _ = split_front(cells[0].source if cells and cells[0].cell_type == "markdown" else "")
    where = f"{path.name}, front matter"
    if block is None:
        return []
    if len(block) > _LONGEST_FRONT:
        return [Issue("front matter that is too long", where, f"at most {_LONGEST_FRONT:,} characters")]
    if any(block.count(sign) > _MOST_SIGNS for sign in _NESTING):
        return [
            Issue("front matter with lists inside lists without end", where, "a title, authors, and what is declared")
        ]
    try:
        tokens = [type(token) for token in yaml.scan(block, Loader=yaml.SafeLoader)]
    except yaml.YAMLError:
        return []  # which the contract says better
    if yaml.AliasToken in tokens or yaml.AnchorToken in tokens:
        return [Issue("front matter with anchors or aliases (& and *)", where, "every value written out")]
    return []


def _dataset_issues(named: Sequence[str], allowed: Sequence[str], where: str) -> list[Issue]:
    place = f"{where}, front matter, datasets"
    found = []
    for reference in named:
        if reference in _RESERVED:
            found.append(Issue(f"{reference} is not for participants", place, ", ".join(allowed)))
        elif reference not in allowed:
            found.append(Issue(f"{reference} is not among what the design allows", place, ", ".join(allowed)))
    if allowed and allowed[0] not in named:
        found.append(Issue(f"it does not name {allowed[0]}, which has the cases", place, allowed[0]))
    return found
