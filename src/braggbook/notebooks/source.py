"""An experiment notebook as it lies in a project: front matter, parameters cell, code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode
from pydantic import ValidationError

from braggbook.errors import Issue, NotebookError, UnknownName
from braggbook.files import canonical_json, sha256_bytes
from braggbook.formats.common import SLUG, issues_from
from braggbook.formats.notebook import FrontMatter
from braggbook.notebooks.declarations import read_declarations
from braggbook.notebooks.parameters import Parameters, build_parameters

PARAMETERS_TAG = "parameters"
INJECTED_TAG = "injected-parameters"
_FENCE = "---"
_NUMBER = re.compile(r"^[0-9]{2}_(?=.)")


@dataclass(frozen=True)
class Notebook:
    """An experiment notebook that keeps to the contract (docs/formats/notebook.md)."""

    slug: str
    path: Path
    node: NotebookNode
    front: FrontMatter
    front_text: str
    parameters: Parameters

    @property
    def code_cells(self) -> list[NotebookNode]:
        """The code cells in their order."""
        return [cell for cell in self.node.cells if cell.cell_type == "code"]

    @property
    def identity(self) -> str:
        """SHA-256 of what can change a result: front matter, code cells and their tags. Prose and outputs cannot."""
        cells = [[cell.source, sorted(cell.metadata.get("tags", []))] for cell in self.code_cells]
        front = self.front.model_dump(mode="json")
        return sha256_bytes(canonical_json({"front_matter": front, "cells": cells}))


def slug_of(path: Path) -> str:
    """Returns the name of a notebook: its file's, without the number that orders a series (``01_first.ipynb``)."""
    return _NUMBER.sub("", path.stem)


def read_notebook(path: Path) -> Notebook:
    """Reads an experiment notebook.

    Raises:
        UnknownName: There is no such file.
        NotebookError: It is not a notebook, or does not keep to the contract; all findings are listed.
    """
    node = read_node(path)
    front, front_text, issues = _front_matter(node)
    parameters, found = _parameters(node, front)
    if SLUG.fullmatch(slug_of(path)) is None:
        wanted = "small letters, digits and _, beginning with a letter, after a number such as 01_ at most"
        issues = [Issue("the file's name is not a slug", path.name, wanted), *issues]
    if issues or found or front is None:
        raise NotebookError(
            "not an experiment notebook",
            where=path.name,
            issues=[*issues, *found],
            next_command="braggbook new notebook SLUG   (writes an example that keeps to the contract)",
        )
    return Notebook(slug_of(path), path, node, front, front_text, parameters)


def read_node(path: Path) -> NotebookNode:
    """Reads any Jupyter notebook as nbformat 4.

    Raises:
        UnknownName: There is no such file.
        NotebookError: The file is no JSON, is cut short, or is no notebook.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise UnknownName("no such notebook", where=str(path), next_command="braggbook list notebook") from None
    except UnicodeDecodeError as error:
        raise NotebookError("not a notebook", where=str(path), wanted="UTF-8 text", got=str(error)) from None
    except OSError as error:
        raise NotebookError("cannot be read", where=str(path), got=error.strerror or str(error)) from None
    if found := _no_notebook(text):
        raise NotebookError("not a notebook", where=str(path), wanted="a Jupyter notebook (.ipynb)", got=found)
    try:
        node = nbformat.reads(text, as_version=4)
        nbformat.validate(node)
    except Exception as error:  # nbformat raises what jsonschema, traitlets and its own converters raise
        reason = str(error).splitlines()[0]
        raise NotebookError("not a notebook", where=str(path), wanted="nbformat 4", got=reason) from None
    return node


def _no_notebook(text: str) -> str:
    """Returns what a text is instead of a notebook's JSON."""
    try:
        data = json.loads(text)
    except ValueError as error:
        return f"{'the file is cut short' if text.lstrip()[:1] == '{' else 'not JSON'}: {error}"
    except RecursionError:
        return "lists inside lists without end"
    known = isinstance(data, dict) and ("cells" in data or "worksheets" in data)  # worksheets: before nbformat 4
    return "" if known else "other JSON"


def split_front(source: str) -> tuple[str | None, str]:
    """Returns the YAML of a first cell, None where there is none, and the prose that stands behind it."""
    head, _, rest = source.lstrip().partition("\n")
    block, fence, prose = rest.partition(f"\n{_FENCE}")
    return (block, prose) if head.rstrip() == _FENCE and fence else (None, source)


def _front_matter(node: NotebookNode) -> tuple[FrontMatter | None, str, list[Issue]]:
    first = node.cells[0] if node.cells else None
    block, _ = split_front(first.source if first is not None and first.cell_type == "markdown" else "")
    if block is None:
        wanted = "a Markdown cell with YAML between two lines of ---"
        return None, "", [Issue("no front matter", "first cell", wanted)]
    try:
        data = yaml.load(block, Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader that refuses duplicate keys
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"front matter, line {mark.line + 2}" if mark else "front matter"
        return None, block, [Issue("not YAML", where, got=getattr(error, "problem", None) or str(error))]
    except (ValueError, AttributeError, OverflowError) as error:  # a date that no calendar has, 1:1:1:... without end
        return None, block, [Issue("not YAML", "front matter", got=str(error))]
    except RecursionError:
        return None, block, [Issue("not YAML", "front matter", got="lists inside lists without end")]
    if not isinstance(data, dict):
        return (
            None,
            block,
            [Issue("not a mapping", "front matter", "title: ..., authors: ..., braggbook: ...")],
        )
    try:
        return FrontMatter.model_validate(data), block, []
    except ValidationError as error:
        return None, block, list(issues_from(error, where="front matter", known=FrontMatter))


def _parameters(node: NotebookNode, front: FrontMatter | None) -> tuple[Parameters, list[Issue]]:
    tagged = [cell for cell in node.cells if PARAMETERS_TAG in cell.metadata.get("tags", [])]
    code = [cell for cell in tagged if cell.cell_type == "code"]
    if any(INJECTED_TAG in cell.metadata.get("tags", []) for cell in node.cells):
        wanted = "the notebook's source, in which no cell has that tag"
        return Parameters(()), [Issue("an executed notebook", "a cell tagged 'injected-parameters'", wanted)]
    if len(code) != 1 or len(tagged) != 1:
        others = len(tagged) - len(code)
        got = f"{len(code)} of them" if code else "none"
        got += f", and {others} that hold no code" if others else ""
        return Parameters(()), [
            Issue("needs one parameters cell", "notebook", "one code cell tagged 'parameters'", got)
        ]
    declarations, issues = read_declarations(code[0].source)
    parameters, found = build_parameters(declarations, front.braggbook.parameters if front else {})
    return parameters, [*issues, *found]


class _UniqueKeys(yaml.SafeLoader):
    """YAML's safe types; a key that stands twice in one mapping is an error, not the later value."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's signature
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                mark = node.value[position][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", mark)
        return super().construct_mapping(node, deep)


# PyYAML follows YAML 1.1, where 1e-6 is a text; people and YAML 1.2 mean a number.
_UniqueKeys.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)
