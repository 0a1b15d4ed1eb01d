"""What a notebook's cells say before they run: which of them every point of a sweep can share, what needs a kernel.

**Sharing.** A process executes the first cells once; a forked child per point then sets the swept parameters and goes
on. That equals the plain run, which sets the values right behind the parameters cell, if no shared cell reads, assigns
or deletes a swept name. Which global names a cell can touch is read from its compiled code, where Python itself has
decided every scope. What reaches names, files, clocks or processes in another way ends the shared cells too, and so
does anything that cannot be understood. The parameters cell runs before the values are set in a plain run as well, so
it may name what it likes, except in code that runs later (the body of a function).

What only an execution can tell (threads, open files, shared memory and processes that a library leaves behind) is for
the process that executes the cells to look at. Modules that a cell imports are taken not to look into the notebook.
"""

from __future__ import annotations

import ast
import dis
import inspect
import re
import unicodedata
import warnings
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, NamedTuple

from braggbook.errors import Issue
from braggbook.notebooks.declarations import IPYTHON_COMMANDS
from braggbook.notebooks.source import INJECTED_TAG, PARAMETERS_TAG

REAL_KERNEL = "the real kernel (--engine kernel)"


@dataclass(frozen=True)
class Prefix:
    """The first cells of a notebook, as far as every point of a sweep can share them.

    Attributes:
        count: How many of all cells, Markdown included; the parameters cell is one of them, or there are none.
        code_cells: How many of these are code cells with something in them.
        ended_by: What keeps the next cell out, and where it stands; None when all cells can be shared.
    """

    count: int
    code_cells: int
    ended_by: Issue | None

    @property
    def reason(self) -> str:
        """Why it ends where it ends, for people; nothing when it does not end."""
        return str(self.ended_by or "")


def shared_prefix(cells: Sequence[Mapping[str, Any]], swept: Collection[str]) -> Prefix:
    """Finds the first cells that no swept parameter can reach.

    Any shorter beginning that has the parameters cell can be shared as well, so a caller may stop earlier for reasons
    of its own.

    Args:
        cells: All cells of a Python notebook, as its source has them (nothing injected).
        swept: Names of the parameters whose values differ from point to point.
    """
    names = {unicodedata.normalize("NFKC", name) for name in swept}  # as Python spells identifiers
    codes = list(_read(cells))
    parameters, problem = _parameters_cell(cells, codes)
    if problem is not None:
        return Prefix(0, 0, problem)
    search = _Search(names, _aliases(codes), parameters)
    shared: list[_Code] = []
    for code in codes:
        found = min(search.findings(code), default=None, key=lambda finding: finding.line)
        if found is not None:
            return _prefix(code.index, shared, _issue(code, found), parameters=parameters)
        shared.append(code)
    return _prefix(len(cells), shared, None, parameters=parameters)


def needs_a_kernel(cells: Iterable[Mapping[str, Any]]) -> list[Issue]:
    """Lists what cells that run in a shell inside a forked process would lack there.

    Such a shell has nobody who answers it (no widgets, no input, no debugger) and no event loop that goes on between
    cells. Programs that a cell starts, other languages by ``%%bash`` and the like, and top-level ``await`` all work.

    Returns:
        One issue for each use, with cell and line; empty when the shell has all that the notebook needs.
    """
    codes = list(_read(cells))
    aliases = _aliases(codes)
    touches = [touch for code in codes for part in code.parts for touch in _touches(part.compiled)]
    own = {touch.name for touch in touches if touch.how == "assigns"}
    found = [(code, wish) for code in codes for wish in sorted(set(_wants(code, aliases, own)))]
    return [
        Issue(wish.what, f"code cell {code.number}, line {wish.line}", REAL_KERNEL, wish.got) for code, wish in found
    ]


class _Finding(NamedTuple):
    line: int
    what: str
    got: str = ""


def _issue(code: _Code, found: _Finding) -> Issue:
    return Issue(found.what, f"code cell {code.number}, line {found.line}", got=found.got)


def _prefix(count: int, shared: Collection[_Code], ended_by: Issue | None, *, parameters: int) -> Prefix:
    if count <= parameters:  # the values, swept or not, would still have to be set, and imports alone are soon done
        return Prefix(0, 0, ended_by)
    return Prefix(count, sum(bool(code.source.strip()) for code in shared), ended_by)


class _Part(NamedTuple):
    """Python that a cell holds: the whole of it, or what a magic such as ``%%time`` runs in the same namespace."""

    tree: ast.Module
    compiled: CodeType


@dataclass(frozen=True)
class _Code:
    """A code cell: where it stands, and what Python reads in it or why it cannot."""

    index: int
    number: int
    source: str
    parts: tuple[_Part, ...]
    unread: _Finding | None


def _read(cells: Iterable[Mapping[str, Any]]) -> Iterator[_Code]:
    number = 0
    for index, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            number += 1
            part, unread = _parse(cell["source"])
            parts = tuple(_parts(part)) if part else ()
            yield _Code(index, number, cell["source"], parts, unread)


def _parts(part: _Part) -> Iterator[_Part]:
    yield part
    for magic in _magics(part.tree):
        if magic.name in _RUN_PYTHON and (body := _parse(magic.text, first_line=magic.first_line)[0]):
            yield from _parts(body)


def _parse(source: str, *, first_line: int = 1) -> tuple[_Part | None, _Finding | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run itself shows what Python thinks of the author's spelling
            tree: ast.Module = _Calm().visit(_parse_cell(source))
            ast.increment_lineno(tree, first_line - 1)
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            return _Part(tree, compile(tree, "cell", "exec", flags, dont_inherit=True, optimize=0)), None
    except SyntaxError as error:
        return None, _Finding(error.lineno or 1, "not plain Python", (error.text or "").strip() or error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        return None, _Finding(1, "not Python that can be read", str(error) or type(error).__name__)


def _parse_cell(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        plain = error
    from IPython.core import inputtransformer2  # noqa: PLC0415 - 0.15 s, and few cells need IPython's own reader

    reader: Any = inputtransformer2.TransformerManager
    try:
        tree: ast.Module = ast.parse(reader().transform_cell(source))
        return tree
    except SyntaxError:
        raise plain from None


class _Magic(NamedTuple):
    """A magic command, which IPython turns into a call; ``text`` is what Python it may hold."""

    name: str
    spelled: str
    rest: str
    text: str
    line: int
    first_line: int


# Magics that run their text as Python in the notebook's own namespace.
_RUN_PYTHON = {"capture", "lprun", "memit", "mprun", "prun", "scalene", "snakeviz", "time", "timeit"}


def _magics(tree: ast.AST) -> Iterator[_Magic]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (magic := _magic(node)):
            yield magic


def _magic(call: ast.Call) -> _Magic | None:
    if not isinstance(call.func, ast.Attribute) or not _is_shell(call.func.value):
        return None
    kind, line = call.func.attr, call.lineno
    name, rest, body = ([_text(part) or "" for part in call.args] + [""] * 3)[:3]
    if kind in ("system", "getoutput"):
        return _Magic("!", f"!{name}", name, name, line, line)
    if kind == "run_line_magic":
        return _Magic(name, f"%{name} {rest}".strip(), rest, rest, line, line)
    return _Magic(name, f"%%{name} {rest}".strip(), rest, body, line, line + 1) if kind == "run_cell_magic" else None


def _is_shell(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython"


# These choose how figures are shown: no name, file or thread comes of them, whatever process they run in. What is set
# must be a plain value, for IPython evaluates it, and replaces names in braces.
_TEXT = r"['\"]\w+['\"]"
_CALM = re.compile(
    rf"%(matplotlib inline|config InlineBackend\.\w+ ?= ?(True|False|\d+|{_TEXT}|[\[({{]{_TEXT}(, ?{_TEXT})*[\])}}]))"
)


class _Calm(ast.NodeTransformer):
    """Takes out what looks like more than it is."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        magic = _magic(node.value) if isinstance(node.value, ast.Call) else None
        if magic and _CALM.fullmatch(magic.spelled):
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if ast.unparse(node) == "__name__ == '__main__'":  # always so in a notebook
            return ast.copy_location(ast.Constant(True), node)
        return self.generic_visit(node)


def _parameters_cell(cells: Sequence[Mapping[str, Any]], codes: Iterable[_Code]) -> tuple[int, Issue | None]:
    """Returns the index of the parameters cell, or why no cell can be shared at all."""
    for index in _tagged(cells, INJECTED_TAG):
        # the values go where that cell is, and not right behind the parameters cell
        return -1, Issue(f"a cell is tagged {INJECTED_TAG!r}", f"cell {index + 1}", "the notebook's source")
    first = next(_tagged(cells, PARAMETERS_TAG), None)
    if first is None or cells[first]["cell_type"] != "code":
        return -1, Issue("needs one parameters cell", "notebook", f"one code cell tagged {PARAMETERS_TAG!r}")
    for code in codes:
        if found := _counted(code):
            return -1, _issue(code, found)
    return first, None


def _tagged(cells: Iterable[Mapping[str, Any]], tag: str) -> Iterator[int]:
    return (index for index, cell in enumerate(cells) if tag in cell.get("metadata", {}).get("tags", []))


# IPython's history of inputs and outputs, by number or by distance. In a shared run the cell that sets the values
# stands elsewhere, so that cells behind it can have other numbers than in a plain run.
_HISTORY = re.compile(r"In|Out|_[io]h|_i{1,3}|_i?\d+")
_HISTORY_TEXT = re.compile(r"(?<![\w.])(?:In\[|Out\[|_[io]h\b|_i{1,3}\b|_i?\d+\b)")
_HISTORY_MAGICS = {"hist", "history", "logstart", "macro", "notebook", "recall", "rep", "rerun", "save"}


def _counted(code: _Code) -> _Finding | None:
    what = "looks back at other cells by their number, which is another one where cells are shared"
    texts = [] if code.parts else [(1, code.source)]
    for part in code.parts:
        for touch in _touches(part.compiled):
            if touch.how == "reads" and _HISTORY.fullmatch(touch.name):
                return _Finding(touch.line, what, touch.name)
        for magic in _magics(part.tree):
            if magic.name in _HISTORY_MAGICS:
                return _Finding(magic.line, what, magic.spelled)
            texts.append((magic.line, f"{magic.rest}\n{magic.text}"))
    return next((_Finding(line, what, match[0]) for line, text in texts if (match := _HISTORY_TEXT.search(text))), None)


class _Touch(NamedTuple):
    name: str
    how: str
    line: int
    at_once: bool  # by the cell itself as it runs, not by a function or class in it


_HOW = {"LOAD": "reads", "STORE": "assigns", "DELETE": "deletes"}


def _touches(code: CodeType, *, at_once: bool = True) -> Iterator[_Touch]:
    """Gives every global name that compiled code, or a function or class in it, can touch."""
    # a class body keeps the names that it assigns, but reads the global one where it has none yet
    own = not at_once and not code.co_flags & inspect.CO_OPTIMIZED
    for step in dis.get_instructions(code):
        if step.opcode not in dis.hasname or re.search("ATTR|METHOD|IMPORT", step.opname):
            continue
        how = _HOW.get(step.opname.partition("_")[0], "touches")
        if not (own and how != "reads" and step.opname.endswith("_NAME")):
            line = step.positions.lineno if step.positions else None
            yield _Touch(str(step.argval), how, line or code.co_firstlineno, at_once)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _touches(inner, at_once=False)


_Aliases = Mapping[str, Collection[str]]


def _aliases(codes: Iterable[_Code]) -> _Aliases:
    """Returns what names stand for, as dotted paths, wherever in the notebook an import may bind them."""
    found: dict[str, set[str]] = {}
    nodes = (node for code in codes for part in code.parts for node in ast.walk(part.tree))
    for name, path in (pair for node in nodes for pair in _imported(node)):
        found.setdefault(name, set()).add(path)
    return found


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            root = alias.name.partition(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (root, root)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module or ''}.{alias.name}"
    elif isinstance(node, ast.Assign) and _is_shell(node.value):
        yield from ((target.id, _SHELL) for target in node.targets if isinstance(target, ast.Name))


_SHELL = "get_ipython()"


class _Use(NamedTuple):
    """A name with all its attributes, ``np.random.default_rng``; ``paths`` say what it means by the imports."""

    text: str
    paths: tuple[str, ...]
    attributes: tuple[str, ...]
    line: int
    node: ast.expr
    parent: ast.AST
    in_coroutine: bool


def _uses(tree: ast.Module, aliases: _Aliases) -> Iterator[_Use]:
    waiting: deque[tuple[ast.AST, ast.AST, bool]] = deque([(tree, tree, False)])
    while waiting:
        node, parent, coroutine = waiting.popleft()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            coroutine = isinstance(node, ast.AsyncFunctionDef)
        if not isinstance(node, ast.Attribute | ast.Name):
            waiting.extend((child, node, coroutine) for child in ast.iter_child_nodes(node))
            continue
        root, attributes = _unwound(node)
        name = root.id if isinstance(root, ast.Name) else ""
        if not name:
            waiting.append((root, node, coroutine))
        stands_for = [_SHELL] if _is_shell(root) else sorted(aliases.get(name, ()))
        if attributes or isinstance(node.ctx, ast.Load):
            paths = tuple(".".join((path, *attributes)) for path in stands_for)
            yield _Use(".".join((name, *attributes)), paths, attributes, node.lineno, node, parent, coroutine)


def _unwound(node: ast.expr) -> tuple[ast.expr, tuple[str, ...]]:
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    return node, tuple(attributes)


def _tail(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _by_name(reasons: Mapping[str, str]) -> dict[str, str]:
    return {name: reason for reason, names in reasons.items() for name in names.split()}


def _words(text: str) -> set[str]:
    return set(text.split())


def _rule(path: str, rules: Mapping[str, str]) -> str | None:
    """Returns what the rules say of the longest part of a dotted path that they know."""
    parts = path.split(".")
    keys = (".".join(parts[:size]) for size in range(len(parts), 0, -1))
    return next((rules[key] for key in keys if key in rules), None)


_REACHES = "can reach any name"
_LEAVES = "can leave something running or open that forked processes cannot share"
_OPENS = "leaves a file open, which forked processes cannot share, unless a `with` closes it"
_PRIVATE = "belongs to one run: its folder, process or environment"
_VARIES = "is another one in each run"
_ENDS = "ends the process"
_CHANGES = "lets later cells change what is shown"

# Global names that no shared cell reads. (`_` may be assigned: people call so what they do not need.)
_NAMES = _by_name({
    _REACHES: """globals locals vars dir eval exec compile __import__ __builtins__ __loader__ __spec__ get_ipython
        _ __ ___ _dh breakpoint input""",
    _ENDS: "exit quit",
})  # fmt: skip
# By dotted path; the longest one counts, and "" lets pass. Clocks are here because a time that a shared cell takes is
# hours old in the last point; seeded random numbers are not, because a child goes on in its parent's stream.
_PATHS = _by_name({
    _REACHES: """__main__ builtins bdb cProfile code codeop ctypes.pythonapi dill doctest IPython ipykernel pdb profile
        runpy timeit trace unittest enum.global_enum gc.get_objects gc.get_referents gc.get_referrers
        importlib.import_module importlib.reload inspect.currentframe inspect.getclosurevars inspect.getouterframes
        inspect.stack inspect.trace sys._current_frames sys._getframe sys.modules sys.setprofile sys.settrace
        traceback.walk_stack bambi brian2 duckdb formulaic numexpr pandas.eval pandasql patsy plotnine
        polars.SQLContext polars.sql statsmodels.formula sympy.init_session sympy.interactive sympy.var""",
    _LEAVES: """_thread asyncio atexit concurrent distributed dask.compute dask.distributed dask.persist ipyparallel
        braggbook.sweep joblib mmap multiprocessing numpy.lib.format.open_memmap numpy.memmap os.fork os.forkpty
        os.popen os.posix_spawn os.posix_spawnp os.spawnl os.spawnlp os.spawnv os.spawnvp pty signal socket
        socketserver sqlite3 subprocess.Popen threading tqdm xarray.open_zarr zarr zmq""",
    _OPENS: """h5py.File netCDF4.Dataset pandas.ExcelFile pandas.HDFStore shelve.open tables.open_file tarfile.open
        uproot.open xarray.open_dataarray xarray.open_dataset xarray.open_mfdataset zipfile.ZipFile""",
    _PRIVATE: """contextlib.chdir os.chdir os.environ os.environb os.fchdir os.getcwd os.getenv os.getpid os.getppid
        os.path.abspath os.path.expanduser os.path.expandvars os.path.realpath os.putenv os.unsetenv resource.setrlimit
        tempfile""",
    _VARIES: """os.getrandom os.urandom random.SystemRandom secrets uuid time.asctime time.clock_gettime time.ctime
        time.gmtime time.localtime time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns
        time.process_time time.process_time_ns time.strftime time.thread_time time.thread_time_ns time.time
        time.time_ns""",
    _ENDS: "os._exit os.abort os.kill os.killpg sys.exit",
    _CHANGES: "IPython.display.DisplayHandle IPython.display.update_display",
    "": "IPython.display joblib.dump joblib.load numpy.absolute",
})  # fmt: skip
# By the attribute alone, whatever it is an attribute of.
_ATTRIBUTES = _by_name({
    _REACHES: """__builtins__ __globals__ ag_frame cr_frame f_back f_builtins f_globals f_locals from_formula gi_frame
        tb_frame user_global_ns user_ns""",
    _LEAVES: "memmap open_zarr progress_apply to_zarr",
    _PRIVATE: "absolute cwd expanduser home resolve",
    _VARIES: "now today utcnow",
})  # fmt: skip
_KEYWORDS = {"formula": _REACHES, "mmap_mode": _LEAVES, "display_id": _CHANGES}
_REACHING_TEXT = re.compile("__main__|__globals__|__builtins__|f_globals|f_locals")
# Their runtimes start threads or open devices as they are imported, and do not live through a fork.
_UNFORKABLE = _words("cupy jax jpype juliacall keras matlab mpi4py pycuda pyopencl pyspark ray tensorflow torch")
_UNSEEDED = _words("MT19937 PCG64 PCG64DXSM Philox Random RandomState SFC64 SeedSequence default_rng seed")
_TAKES_TIME_AS_TEXT = {"Timestamp", "datetime64", "to_datetime"}
_ONE_THREAD = {"single-threaded", "sync", "synchronous"}
# Variables of the environment that a run sets to places of its own.
_OWN_VARIABLE = re.compile(r"BRAGGBOOK_.*|IPYTHONDIR|JPY_.*|JUPYTER_.*|HOME|MATPLOTLIBRC|MPLCONFIGDIR|PWD|TE?MP|TMPDIR")


@dataclass
class _Search:
    """Looks through cells in their order for what ends the shared ones."""

    swept: Collection[str]
    aliases: _Aliases
    parameters: int

    def __post_init__(self) -> None:
        self._known: set[str] = set()

    def findings(self, code: _Code) -> list[_Finding]:
        if code.unread is not None:
            return [code.unread]
        tree, compiled = code.parts[0]
        is_parameters = code.index == self.parameters
        touches = list(_touches(compiled))
        closed = _closed(tree)
        found = [_Finding(magic.line, "a command of IPython's", magic.spelled) for magic in _magics(tree)]
        found += self._command(code)
        found += self._names(touches, is_parameters=is_parameters)
        found += [] if is_parameters else self._annotations(tree)
        found += [finding for use in _uses(tree, self.aliases) if (finding := _use_found(use, closed))]
        found += [finding for node in ast.walk(tree) for finding in self._node(node)]
        if compiled.co_flags & inspect.CO_COROUTINE:
            found.append(_Finding(1, "awaits at top level, which needs an event loop"))
        self._known |= {touch.name for touch in touches if touch.how == "assigns" and touch.at_once}
        return found

    def _command(self, code: _Code) -> Iterator[_Finding]:
        match = re.fullmatch(r"\s*([^\W\d]\w*)(?!\w)(?!\s*[=,]).*\s*", code.source)  # `cd = 1` assigns, whatever cd is
        if match and match[1] in IPYTHON_COMMANDS - self._known:
            yield _Finding(1, "a command of IPython's, unless a second line stands in the cell", match[1])

    def _names(self, touches: Iterable[_Touch], *, is_parameters: bool) -> Iterator[_Finding]:
        for touch in touches:
            if touch.name in self.swept and not (is_parameters and touch.at_once):
                yield _Finding(touch.line, f"{touch.how} {touch.name}, which is swept")
            elif touch.how == "reads" and touch.name in _NAMES:
                yield _Finding(touch.line, f"uses {touch.name}, which {_NAMES[touch.name]}")

    def _annotations(self, tree: ast.Module) -> Iterator[_Finding]:
        """Reads annotations as text: a library may evaluate them when it likes."""
        for node in ast.walk(tree):
            for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
                if isinstance(part, ast.expr):
                    for name in sorted(set(re.findall(r"\w+", ast.unparse(part))) & set(self.swept)):
                        yield _Finding(part.lineno, f"names {name}, which is swept, in an annotation")

    def _node(self, node: ast.AST) -> Iterator[_Finding]:
        if isinstance(node, ast.Call):
            yield from self._call(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from _import_found(node)
        elif isinstance(node, ast.Constant) and (match := _REACHING_TEXT.search(_text(node) or "")):
            yield _Finding(node.lineno, f"names {match[0]}, which {_REACHES}")

    def _call(self, call: ast.Call) -> Iterator[_Finding]:
        tail = _tail(call)
        given = {word.arg: word.value for word in call.keywords if word.arg}
        if tail in ("eval", "query") and isinstance(call.func, ast.Attribute):
            yield from self._evaluated(call, tail)
        if tail in _UNSEEDED and all(_is_none(part) for part in (*call.args, *given.values())):
            yield _Finding(call.lineno, f"{tail}() without a seed {_VARIES}")
        if tail in _TAKES_TIME_AS_TEXT and any(_text(part) in ("now", "today") for part in call.args):
            yield _Finding(call.lineno, f"asks for the time, which {_VARIES}")
        if tail in ("compute", "persist") and _text(given.get("scheduler")) not in _ONE_THREAD:
            yield _Finding(call.lineno, f"{tail}() {_LEAVES}")
        for name in sorted(_KEYWORDS.keys() & given.keys()):
            if not _is_none(given[name]):
                yield _Finding(call.lineno, f"{name}=... {_KEYWORDS[name]}")

    def _evaluated(self, call: ast.Call, tail: str) -> Iterator[_Finding]:
        """Reads the text that a table's method evaluates: ``@name`` in it is a name of the notebook."""
        for part in (*call.args, *(word.value for word in call.keywords)):
            if not isinstance(part, ast.Constant):
                yield _Finding(call.lineno, f"a text for {tail}() that is made as the cell runs")
                continue
            for name in sorted(set(re.findall(r"@\s*(\w+)", _text(part) or "")) & {*self.swept, *_NAMES}):
                yield _Finding(call.lineno, f"names {name} in a text for {tail}()")


def _closed(tree: ast.Module) -> set[int]:
    items = [item for node in ast.walk(tree) if isinstance(node, ast.With) for item in node.items]
    return {id(item.context_expr.func) for item in items if isinstance(item.context_expr, ast.Call)}


def _use_found(use: _Use, closed: Collection[int]) -> _Finding | None:
    allowed = False
    for path in use.paths:
        reason = _rule(path, _PATHS)
        if reason == "" or (reason == _OPENS and id(use.node) in closed) or _is_plain_variable(use, path):
            allowed = True
        elif reason:
            return _Finding(use.line, f"uses {use.text}, which {reason}")
        elif any(key.startswith(f"{path}.") and why for key, why in _PATHS.items()):
            return _Finding(use.line, f"hands on {use.text}, a module with parts that cannot be shared")
    bad = next((name for name in use.attributes if name in _ATTRIBUTES and not allowed), None)
    return _Finding(use.line, f"uses {use.text}, which {_ATTRIBUTES[bad]}") if bad else None


def _is_plain_variable(use: _Use, path: str) -> bool:
    """Whether it reads one variable of the environment by a name that the cell spells out and that no run sets itself.

    What a cell writes there ends with the process that shares it: each child begins with its own run's environment.
    """
    name: ast.expr | None = None
    if path == "os.environ" and isinstance(use.parent, ast.Subscript) and isinstance(use.parent.ctx, ast.Load):
        name = use.parent.slice
    elif path in ("os.getenv", "os.environ.get") and isinstance(use.parent, ast.Call) and use.parent.args:
        name = use.parent.args[0]
    text = _text(name)
    return text is not None and not _OWN_VARIABLE.fullmatch(text)


def _import_found(node: ast.Import | ast.ImportFrom) -> Iterator[_Finding]:
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    for module in modules:
        if module.partition(".")[0] in _UNFORKABLE:
            yield _Finding(node.lineno, f"imports {module}, which {_LEAVES}")
    if any(alias.name == "*" for alias in node.names):
        yield _Finding(node.lineno, f"imports every name that {modules[0]} has", "*")


_WIDGETS = "a widget, which talks to its kernel"
_WINDOW = "figures that a person works with"
_INPUT = "waits for input"
_DEBUGGER = "a debugger"
_LOOP = "needs an event loop that goes on between the cells"
_INSIDE = "reaches into the kernel"

_KERNEL_IMPORTS = _by_name({
    _WIDGETS: """anywidget bokeh.io.push_notebook bqplot comm fastplotlib holoviews hvplot ipycanvas ipydatagrid
        ipyevents ipyleaflet ipyniivue ipysheet ipytree ipyvolume ipyvtklink ipyvuetify ipywebrtc ipywidgets itkwidgets
        jupyter_bokeh jupyter_rfb k3d lonboard mpl_interactions nglview panel plotly.graph_objects.FigureWidget
        plotly.graph_objs.FigureWidget pythreejs pyviz_comms qgrid reacton sidecar solara tqdm.auto tqdm.autonotebook
        tqdm.notebook tqdm.tqdm_notebook trame""",
    _WINDOW: "ipympl",
    _INSIDE: "ipykernel",
    _LOOP: "nest_asyncio",
})  # fmt: skip
_KERNEL_USES = _KERNEL_IMPORTS | _by_name({
    _INPUT: "getpass.getpass sys.stdin",
    _DEBUGGER: "IPython.core.debugger IPython.embed bdb code.interact ipdb pdb pudb",
    _INSIDE: "get_ipython().kernel",
    _LOOP: "tornado.ioloop",
})  # fmt: skip
# Only outside of coroutines: in the shell a loop runs for as long as one cell awaits it, and no longer.
_LOOP_USES = _words(
    """asyncio.Runner asyncio.all_tasks asyncio.create_task asyncio.current_task asyncio.ensure_future
    asyncio.get_event_loop asyncio.get_running_loop asyncio.run asyncio.run_coroutine_threadsafe"""
)
_KERNEL_NAMES = {"breakpoint": _DEBUGGER, "input": _INPUT}
_KERNEL_ATTRIBUTES = {"FigureWidget": _WIDGETS, "push_notebook": _WIDGETS, "run_until_complete": _LOOP}
_KERNEL_MAGICS = {"connect_info": _INSIDE, "debug": _DEBUGGER, "gui": _LOOP, "pdb": _DEBUGGER, "qtconsole": _INSIDE}
_NO_WISH = {"", "0", "inline", "none", "off"}  # of a magic that switches something
_DRAWN = {"", "agg", "auto", "cairo", "inline", "pdf", "pgf", "ps", "svg", "template"}
_INLINE_MODULE = "module://matplotlib_inline.backend_inline"


def _wants(code: _Code, aliases: _Aliases, own: Collection[str]) -> Iterator[_Finding]:
    for tree, compiled in code.parts:
        for touch in _touches(compiled):
            if touch.how == "reads" and touch.name in _KERNEL_NAMES and touch.name not in own:
                yield _Finding(touch.line, _KERNEL_NAMES[touch.name], f"{touch.name}()")
        for magic in _magics(tree):
            if reason := _magic_wants(magic):
                yield _Finding(magic.line, reason, magic.spelled)
        for use in _uses(tree, aliases):
            if reason := _use_wants(use):
                yield _Finding(use.line, reason, use.text.lstrip("."))
        for node in ast.walk(tree):
            yield from _node_wants(node, aliases)


def _node_wants(node: ast.AST, aliases: _Aliases) -> Iterator[_Finding]:
    if isinstance(node, ast.Call) and (reason := _call_wants(node, aliases)):
        yield _Finding(node.lineno, reason, ast.unparse(node))
    elif isinstance(node, ast.Import | ast.ImportFrom):
        prefix = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            if reason := _rule(f"{prefix}{alias.name}", _KERNEL_IMPORTS):
                yield _Finding(node.lineno, reason, f"import of {prefix}{alias.name}")


def _magic_wants(magic: _Magic) -> str | None:
    first = next((word.lower() for word in magic.rest.split() if not word.startswith("-")), "")
    if magic.name in ("matplotlib", "pylab"):
        return _WINDOW if first not in _DRAWN else None
    switched = magic.name == "gui" or (magic.name == "pdb" and first)
    return None if switched and first in _NO_WISH else _KERNEL_MAGICS.get(magic.name)


def _use_wants(use: _Use) -> str | None:
    for path in use.paths:
        if reason := _rule(path, _KERNEL_USES):
            return reason
        if path in _LOOP_USES and not use.in_coroutine:
            return _LOOP
    return next((_KERNEL_ATTRIBUTES[name] for name in use.attributes if name in _KERNEL_ATTRIBUTES), None)


def _call_wants(call: ast.Call, aliases: _Aliases) -> str | None:
    tail, first = _tail(call), _text(call.args[0]) if call.args else None
    if tail in ("import_module", "__import__") and (reason := _rule(first or "", _KERNEL_IMPORTS)):
        return reason
    if any(word.arg == "notebook_handle" for word in call.keywords):
        return _WIDGETS
    drawn = first is not None and first.lower() in {*_DRAWN, _INLINE_MODULE}
    return _WINDOW if _chooses_backend(call, aliases) and not drawn else None


def _chooses_backend(call: ast.Call, aliases: _Aliases) -> bool:
    root, attributes = _unwound(call.func)
    paths = (
        {".".join((path, *attributes)) for path in aliases.get(root.id, ())} if isinstance(root, ast.Name) else set()
    )
    return bool(paths & {"matplotlib.use", "matplotlib.pyplot.switch_backend"})
