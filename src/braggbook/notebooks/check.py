"""What can be known about a notebook without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from braggbook.errors import Issue, NotebookError, UnknownName, closest
from braggbook.formats.result import RESULTS_VARIABLE
from braggbook.notebooks.source import Notebook, read_node, read_notebook

_SEEDED_ELSEWHERE = "bb.rng(), whose seed the run records"
# Calls that draw from a generator nobody seeded; a generator made from a seed is a variable, and passes.
_GLOBAL_GENERATORS = ("np.random.", "numpy.random.", "random.")
_SEEDED = {"default_rng", "SeedSequence", "RandomState", "Random", "seed", "PCG64", "Philox", "MT19937"}
_SEEDING = {*_SEEDED, "Generator"}


def check_notebook(path: Path, *, language: str = "python") -> list[Issue]:
    """Returns every finding: contract, outputs, calls that contradict the front matter, unseeded randomness."""
    try:
        notebook = read_notebook(path)
    except (NotebookError, UnknownName) as error:
        return list(error.issues) or [Issue(error.what, path.name, error.wanted, error.got)]
    calls = _calls(notebook) if language == "python" else []  # the reader below knows Python alone
    return [*_outputs(path), *_metadata(notebook), *calls]


def _outputs(path: Path) -> Iterator[Issue]:
    for index, cell in enumerate(read_node(path).cells, 1):
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None):
            yield Issue(
                "has outputs or a count",
                f"cell {index}",
                "stripped outputs (Kernel > Restart and Clear Outputs)",
            )


def _metadata(notebook: Notebook) -> Iterator[Issue]:
    name = notebook.node.metadata.get("kernelspec", {}).get("name")
    if name != "python3":
        yield Issue(
            "kernel in the notebook's metadata",
            "metadata.kernelspec.name",
            "python3 (the slug stands in the front matter)",
            str(name),
        )


def _calls(notebook: Notebook) -> Iterator[Issue]:
    loaded: set[str] = set()
    declared: set[str] = set()
    seeded: set[str] = set()  # global generators that the notebook has given a seed
    unclear = False
    for index, cell in enumerate(notebook.node.cells, 1):
        if cell.cell_type != "code" or cell.source.lstrip().startswith("%%"):  # a cell of another language
            continue
        try:
            tree = _parsed(cell.source)
        except SyntaxError as error:
            yield Issue("not Python", f"cell {index}, line {error.lineno}", got=(error.text or "").strip())
            continue
        except ValueError as error:  # Python before 3.11.4 says so of a NUL
            yield Issue("not Python", f"cell {index}", got=str(error))
            continue
        unclear |= RESULTS_VARIABLE in cell.source  # declared by file: only the run can tell which
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name, first = ast.unparse(call.func), _first_text(call)
            where = f"cell {index}, line {call.lineno}"
            if name in ("bb.load", "braggbook.load", "load"):
                unclear |= first is None
                loaded |= {first} if first else set()
            elif name in ("bb.result", "braggbook.result", "result"):
                unclear |= first is None
                declared |= {first} if first else set()
            elif name.endswith(".seed") and _seeds(call):
                seeded.add(name.removesuffix("seed"))
            elif not name.startswith(tuple(seeded)) and (issue := _unseeded(call, name, where)):
                yield issue
    yield from _contradictions(notebook, loaded, declared, unclear=unclear)


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:  # IPython's own lines are no Python; in Python, a line may begin with % inside brackets
        return ast.parse(re.sub(r"^([ \t]*)[%!].*", r"\1pass", source, flags=re.MULTILINE))


def _first_text(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _seeds(call: ast.Call) -> bool:
    given = [argument for argument in call.args if not (isinstance(argument, ast.Constant) and argument.value is None)]
    return bool(given or call.keywords)


def _unseeded(call: ast.Call, name: str, where: str) -> Issue | None:
    if "(" in name:  # a method of what another call returns, and that call is looked at itself
        return None
    tail = name.rpartition(".")[2]
    known = tail == "default_rng" or name.startswith(_GLOBAL_GENERATORS)
    if known and tail in _SEEDED and not _seeds(call):
        return Issue("a random generator without a seed", where, _SEEDED_ELSEWHERE, f"{name}()")
    if name.startswith(_GLOBAL_GENERATORS) and tail not in _SEEDING:
        return Issue("random numbers from a generator without a seed", where, _SEEDED_ELSEWHERE, f"{name}(...)")
    return None


def _contradictions(notebook: Notebook, loaded: set[str], declared: set[str], *, unclear: bool) -> Iterator[Issue]:
    front = notebook.front.braggbook
    for reference in sorted(loaded - set(front.datasets)):
        yield Issue(
            "loads a dataset that the front matter does not name",
            reference,
            closest(reference, front.datasets),
        )
    for name in sorted(declared - set(front.results)):
        yield Issue("declares a result that the front matter does not name", name, closest(name, front.results))
    if unclear:  # names made by a loop cannot be read from the source; the run itself will tell
        return
    for reference in sorted(set(front.datasets) - loaded):
        yield Issue("the front matter names a dataset that is not loaded", reference)
    for name in sorted(set(front.results) - declared):
        yield Issue("the front matter names a result that is not declared", name, f"bb.result({name!r}, ...)")
