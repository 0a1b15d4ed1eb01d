"""Which cells the points of a sweep can share, and what needs a real kernel, told without running anything."""

from __future__ import annotations

import io
import random
import tokenize
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.notebooks.reach import REAL_KERNEL, needs_a_kernel, shared_prefix
from braggbook.notebooks.source import Notebook, read_notebook

_ALL = (Path(__file__).parents[3] / "notebooks").rglob("*.ipynb")
NOTEBOOKS = sorted(
    path for path in _ALL if path.parent.name != "tutorials"
)  # those have sliders: no engine but a kernel
PARAMETERS = "dose_gy: float = 2.0\nfixed: list[float] = [1.0]\n"


def _cell(source: str, *tags: str, kind: str = "code") -> dict[str, Any]:
    return {"cell_type": kind, "source": source, "metadata": {"tags": list(tags)} if tags else {}}


def _cells(*sources: str, first: str = "import numpy as np") -> list[dict[str, Any]]:
    """A title, imports, the parameters cell, and then the given cells."""
    head = [_cell("# title", kind="markdown"), _cell(first), _cell(PARAMETERS, "parameters")]
    return head + [_cell(source) for source in sources]


def _shares(*sources: str, first: str = "import numpy as np") -> bool:
    cells = _cells(*sources, first=first)
    return shared_prefix(cells, ["dose_gy"]).count == len(cells)


def _reason(*sources: str, first: str = "import numpy as np") -> str:
    return shared_prefix(_cells(*sources, first=first), ["dose_gy"]).reason


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# only dose_gy in a remark",
        "x = fixed[0]",
        "fit(dose_gy=2.0)\ntable.dose_gy\ntable['dose_gy']\nf'dose_gy {fixed}'",
        "def f(dose_gy):\n    return dose_gy",
        "def f(*dose_gy, x=1):\n    return lambda: dose_gy",
        "def f():\n    dose_gy = 1\n    def g():\n        nonlocal dose_gy\n        dose_gy += 1\n    return g",
        "def f():\n    import dose_gy",
        "lambda dose_gy: dose_gy",
        "[dose_gy for dose_gy in range(3)]",
        "sum(dose_gy for dose_gy in range(3))",
        "{dose_gy: 1 for dose_gy in range(3)}",
        "def f(xs):\n    return [dose_gy for dose_gy in xs if dose_gy]",
        "class Point:\n    dose_gy: float = 1.0",
        "dose_gy: float",
        "class Point:\n    dose_gy: float",
        "class Point:\n    def dose_gy(self):\n        return self.dose_gy",
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    print(error)",
        "from numpy import linspace as dose\nimport pathlib",
        "for _ in range(3):\n    a, _ = 1, 2",
        "if __name__ == '__main__':\n    print(1)",
        "%matplotlib inline",
        "%matplotlib inline\n%config InlineBackend.figure_formats = {'svg', 'png'}\nx = 1",
        "%config InlineBackend.figure_format = 'retina'",
        "table.query('dose_gy > 2 and line == @fixed')",
        "table.eval('dose_gy * 2', inplace=True)\nmodel.eval()",
        "import os\nos.environ['OMP_NUM_THREADS']\nos.environ.get('X', 'y')\nos.getenv('PATH')",
        "import time\ntime.sleep(0.1)",
        "import datetime as dt\ndt.datetime(2026, 1, 2)",
        "rng = np.random.default_rng(1)\nnp.random.seed(3)\nnp.random.normal()",
        "import braggbook as bb\nbb.rng('noise').normal()\nbb.result('x', 1.0, unit='1')\nbb.load('x@1')",
        "from IPython.display import display\ndisplay(1)",
        "import h5py\nwith h5py.File('ct.h5') as file:\n    ct = file['ct'][:]",
        "import threading, multiprocessing, subprocess\nsubprocess.run(['true'], check=True)",
        "np.absolute(-1)\nnp.load('x.npy', mmap_mode=None)",
        "import re\nre.compile('a')",
        "signal = np.sin(1)\nsignal.mean()\ncode = 'a'\nprint(code)",
        "lazy.compute(scheduler='synchronous')",
        "async def f():\n    await g()",
        "ls = 3",
        "cd, x = 1, 2",
        "print(1)",
        "'\\d'",
    ],
)
def test_a_cell_that_no_swept_parameter_reaches_is_shared(source: str) -> None:
    assert _reason(source) == ""
    assert _shares(source, "x = 1")


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("x = 1\nprint(dose_gy)", 2, "reads dose_gy"),
        ("dose_gy = 1", 1, "assigns dose_gy"),
        ("del dose_gy", 1, "deletes dose_gy"),
        ("x = 1\n\ndose_gy += 1", 3, "dose_gy"),
        ("def f():\n    return dose_gy", 2, "reads dose_gy"),
        ("def f(x=dose_gy):\n    return x", 1, "reads dose_gy"),
        ("def f():\n    global dose_gy\n    dose_gy = 1", 3, "assigns dose_gy"),
        ("@wrap(dose_gy)\ndef f():\n    pass", 1, "reads dose_gy"),
        ("def f():\n    def g():\n        return lambda: [dose_gy for _ in '']\n    return g", 3, "reads dose_gy"),
        ("def f(x: dose_gy):\n    pass", 1, "dose_gy"),
        ("def f() -> 'list[dose_gy]':\n    pass", 1, "in an annotation"),
        ("def f():\n    x: dose_gy = 1", 2, "in an annotation"),
        ("from __future__ import annotations\ndef f(x: dose_gy):\n    pass", 2, "in an annotation"),
        ("class C:\n    x = dose_gy", 2, "reads dose_gy"),
        ("class C:\n    y = dose_gy\n    dose_gy = 1", 2, "reads dose_gy"),
        ("class C:\n    dose_gy = 1\n    def f(self):\n        return dose_gy", 4, "reads dose_gy"),
        ("class C:\n    dose_gy += 1", 2, "reads dose_gy"),
        ("class C:\n    global dose_gy\n    dose_gy = 1", 3, "assigns dose_gy"),
        ("class C(dose_gy):\n    pass", 1, "reads dose_gy"),
        ("class C:\n    x = [dose_gy for dose_gy in dose_gy]", 2, "reads dose_gy"),
        ("[dose_gy for x in range(3)]", 1, "reads dose_gy"),
        ("[dose_gy for dose_gy in dose_gy]", 1, "reads dose_gy"),
        ("[(dose_gy := x) for x in range(3)]", 1, "assigns dose_gy"),
        ("(dose_gy := 3)", 1, "assigns dose_gy"),
        ("lambda: dose_gy", 1, "reads dose_gy"),
        ("lambda x=dose_gy: x", 1, "reads dose_gy"),
        ("f'{dose_gy:.2f}'", 1, "reads dose_gy"),
        ("f'{1:{dose_gy}}'", 1, "reads dose_gy"),
        ("for dose_gy in range(3):\n    pass", 1, "assigns dose_gy"),
        ("for x.y in dose_gy:\n    pass", 1, "reads dose_gy"),
        ("a, *dose_gy = 1, 2", 1, "assigns dose_gy"),
        ("with open('x') as dose_gy:\n    pass", 1, "assigns dose_gy"),
        ("try: f()\nexcept ValueError as dose_gy: pass", None, "assigns dose_gy"),
        ("import numpy as dose_gy", 1, "assigns dose_gy"),
        ("from x import dose_gy", 1, "assigns dose_gy"),
        ("import dose_gy.inner", 1, "assigns dose_gy"),
        ("match x:\n    case [dose_gy, *_]:\n        pass", 2, "assigns dose_gy"),
        ("match x:\n    case {'a': 1, **dose_gy}:\n        pass", 2, "assigns dose_gy"),
        ("match x:\n    case dose_gy.inner:\n        pass", 2, "reads dose_gy"),
        ("def dose_gy():\n    pass", 1, "assigns dose_gy"),
        ("class dose_gy:\n    pass", 1, "assigns dose_gy"),
        ("dose_gy.append(1)", 1, "reads dose_gy"),
        ("dose_gy[0] = 1", 1, "reads dose_gy"),
        ("from numpy import *", 1, "imports every name that numpy has"),
        ("%time x = 1", 1, "%time x = 1"),
        ("x = 1\n!ls", 2, "!ls"),
        ("files = !ls", 1, "!ls"),
        ("%%bash\nls", 1, "%%bash"),
        ("x?", 1, "%pinfo x"),
        ("%config InlineBackend.figure_format = dose_gy", 1, "%config"),
        ("%config InlineBackend.figure_format = '{dose_gy}'", 1, "%config"),
        ("%matplotlib inline {dose_gy}", 1, "%matplotlib"),
        ("%matplotlib widget", 1, "%matplotlib"),
        ("ls", 1, "a command of IPython's"),
        ("system: str = 'x'", 1, "a command of IPython's"),
        ("x = (", 1, "not plain Python"),
        ("x = 1\nreturn 3", 2, "not plain Python"),
        ("x = 1\n\0", 1, "not "),
        ("(" * 500 + ")" * 500, 1, "not "),
        ("await f()", 1, "awaits at top level"),
        ("[x async for x in y]", 1, "awaits at top level"),
        ("globals()['x']", 1, "globals, which can reach any name"),
        ("x = 1; y = vars()", 1, "vars, which can reach any name"),
        ("def f():\n    return eval('1')", 2, "eval, which can reach any name"),
        ("exec('x = 1')", 1, "exec, which"),
        ("print(_)", 1, "_, which can reach any name"),
        ("get_ipython().user_ns", 1, "get_ipython, which"),
        ("import sys\nsys.modules['x']", 2, "sys.modules, which can reach any name"),
        ("import sys\ngetattr(sys, name)", 2, "hands on sys"),
        ("import sys as s\nm = s", 2, "hands on s"),
        ("import __main__\n__main__.x", 2, "__main__"),
        ("import importlib\nimportlib.import_module('__' + 'main__')", 2, "importlib.import_module"),
        ("__import__('x')", 1, "__import__, which"),
        ("f.__globals__", 1, "f.__globals__, which can reach any name"),
        ("getattr(f, '__globals__')", 1, "names __globals__"),
        ("frame().f_locals", 1, ".f_locals, which"),
        ("from sys import _getframe\n_getframe()", 2, "_getframe, which"),
        ("table.query('x > @dose_gy')", 1, "names dose_gy in a text for query()"),
        ("table.query(f'x > {a}')", 1, "a text for query() that is made as the cell runs"),
        ("import pandas as pd\npd.eval('dose_gy + 1')", 2, "pd.eval, which can reach any name"),
        ("from pandas import eval as work_out\nwork_out('x + 1')", 2, "work_out, which can reach any name"),
        ("x.query('y > @globals()')", 1, "names globals in a text for query()"),
        ("def f(x: globals()['a']):\n    pass", 1, "globals, which can reach any name"),
        ("from IPython.display import DisplayHandle\nDisplayHandle()", 2, "lets later cells change"),
        ("smf.ols(formula='y ~ x', data=t)", 1, "formula=... can reach any name"),
        ("import numexpr as ne\nne.evaluate('a + 1')", 2, "ne.evaluate, which can reach any name"),
        ("import sympy\nsympy.var('x')", 2, "sympy.var"),
        ("import threading\nthreading.Thread(target=f).start()", 2, "threading.Thread, which can leave something"),
        ("from concurrent.futures import ThreadPoolExecutor as Pool\nPool()", 2, "Pool, which can leave something"),
        ("from tqdm import tqdm\nfor x in tqdm(y):\n    pass", 2, "tqdm, which can leave something"),
        ("import subprocess\nsubprocess.Popen('x')", 2, "subprocess.Popen, which"),
        ("import os\nos.fork()", 2, "os.fork, which"),
        ("import torch", 1, "imports torch"),
        ("from jax.numpy import sin", 1, "imports jax.numpy"),
        ("import h5py\nfile = h5py.File('x')", 2, "unless a `with` closes it"),
        ("np.load('x.npy', mmap_mode='r+')", 1, "mmap_mode=..."),
        ("lazy.compute()", 1, "compute()"),
        ("from pathlib import Path\nPath.cwd()", 2, "Path.cwd, which belongs to one run"),
        ("from pathlib import Path\nPath('x').resolve()", 2, ".resolve, which belongs to one run"),
        ("import os\nos.environ['TMPDIR']", 2, "os.environ, which belongs to one run"),
        ("import os\nos.environ['OMP_NUM_THREADS'] = '2'", 2, "os.environ, which belongs to one run"),
        ("import os\ndel os.environ['LANG']", 2, "os.environ, which belongs to one run"),
        ("import os\nos.environ.setdefault('X', 'y')", 2, "os.environ.setdefault, which belongs to one run"),
        ("import os\nos.environ[name]", 2, "os.environ, which belongs to one run"),
        ("import os\nos.environ.update(a=1)", 2, "os.environ.update, which belongs to one run"),
        ("from os import environ\nf(environ)", 2, "environ, which belongs to one run"),
        ("import tempfile\ntempfile.mkdtemp()", 2, "tempfile.mkdtemp, which belongs to one run"),
        ("import time\nt = time.perf_counter()", 2, "time.perf_counter, which is another one in each run"),
        ("from datetime import datetime\ndatetime.now()", 2, "datetime.now, which is another one"),
        ("import pandas as pd\npd.Timestamp('now')", 2, "asks for the time"),
        ("import numpy\nnumpy.random.default_rng()", 2, "default_rng() without a seed"),
        ("import random\nrandom.seed(None)", 2, "seed() without a seed"),
        ("import uuid\nuuid.uuid4()", 2, "uuid.uuid4, which is another one in each run"),
        ("import sys\nsys.exit()", 2, "sys.exit, which ends the process"),
        ("display(x, display_id=True)", 1, "display_id=..."),
    ],
)
def test_a_cell_that_may_be_reached_ends_what_is_shared(source: str, line: int | None, what: str) -> None:
    prefix = shared_prefix(_cells("x = 1", source, "y = 2"), ["dose_gy"])
    assert (prefix.count, prefix.code_cells) == (4, 3)
    assert prefix.reason.startswith(f"code cell 4, line {line}: " if line else "code cell 4, line ")
    assert what in prefix.reason


def test_the_whole_notebook_is_shared_when_nothing_depends_on_what_is_swept() -> None:
    cells = [*_cells("x = fixed", "", "# remark"), _cell("end", kind="markdown"), _cell("raw dose_gy", kind="raw")]
    prefix = shared_prefix(cells, ["dose_gy"])
    assert (prefix.count, prefix.code_cells, prefix.ended_by, prefix.reason) == (8, 4, None, "")
    assert shared_prefix(cells, []).count == 8
    assert shared_prefix(cells, ["fixed", "dose_gy"]).count == 3


def test_markdown_before_the_cell_that_ends_it_is_counted() -> None:
    cells = [*_cells("x = 1"), _cell("dose_gy", kind="markdown"), _cell("print(dose_gy)"), _cell("y = 1")]
    prefix = shared_prefix(cells, ["dose_gy"])
    assert (prefix.count, prefix.code_cells) == (5, 3)
    assert str(prefix.ended_by) == "code cell 4, line 1: reads dose_gy, which is swept"


def test_the_parameters_cell_is_shared_though_it_assigns_what_is_swept() -> None:
    assert shared_prefix(_cells("dose_gy"), ["dose_gy", "fixed"]).count == 3
    once = [_cell("from typing import Literal\ndose_gy = 1\nfixed = [dose_gy]", "parameters", "other"), _cell("fixed")]
    assert shared_prefix(once, ["dose_gy"]).count == 2, "its own lines run before the values are set in any run"


@pytest.mark.parametrize(
    "later", ["def f():\n    return dose_gy", "f = lambda: dose_gy", "f = (dose_gy for _ in 'ab')"]
)
def test_a_parameters_cell_whose_functions_read_what_is_swept_is_not_shared(later: str) -> None:
    cells = [_cell("import math"), _cell(f"dose_gy = 1\n{later}", "parameters"), _cell("f")]
    prefix = shared_prefix(cells, ["dose_gy"])
    assert (prefix.count, prefix.code_cells) == (0, 0)
    assert "reads dose_gy" in prefix.reason


def test_a_second_cell_tagged_parameters_is_an_ordinary_one() -> None:
    cells = [*_cells("x = 1"), _cell("dose_gy = 3", "parameters")]
    assert shared_prefix(cells, ["dose_gy"]).count == 4


@pytest.mark.parametrize("source", ["print(dose_gy)", "dose_gy = 3", "def f():\n    return dose_gy"])
def test_a_cell_before_the_parameters_is_held_to_the_same_rules(source: str) -> None:
    prefix = shared_prefix(_cells(first=source), ["dose_gy"])
    assert (prefix.count, prefix.code_cells) == (0, 0)
    assert prefix.reason.startswith("code cell 1, line ")


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ([], "needs one parameters cell"),
        ([_cell("x = 1")], "needs one parameters cell"),
        ([_cell("text", "parameters", kind="markdown"), _cell("x = 1", "parameters")], "needs one parameters cell"),
        ([_cell("x = 1", "parameters"), _cell("x = 2", "injected-parameters")], "cell 2: a cell is tagged"),
    ],
)
def test_where_the_values_would_go_elsewhere_nothing_is_shared(cells: list[dict[str, Any]], what: str) -> None:
    prefix = shared_prefix(cells, ["dose_gy"])
    assert (prefix.count, prefix.code_cells) == (0, 0)
    assert what in prefix.reason


@pytest.mark.parametrize(
    "source",
    [
        "Out[3]",
        "print(In)",
        "_3 + 1",
        "_i",
        "_i2",
        "_ih",
        "%history",
        "%%time\nOut[3]",
        "!echo {_oh[1]}",
        "x = (Out[1]",
    ],
)
def test_a_look_at_the_numbered_history_anywhere_ends_it_all(source: str) -> None:
    prefix = shared_prefix(_cells("x = 1", "print(dose_gy)", source), ["dose_gy"])
    assert prefix.count == 0
    assert "code cell 5, line" in prefix.reason
    assert "looks back at other cells" in prefix.reason


def test_a_remark_on_the_history_is_none() -> None:
    assert _shares("# In this cell, Out goes _1\nx = 'Out'")


def test_a_name_that_python_spells_in_another_way_is_found() -> None:
    cells = [_cell("\u00b5 = 1", "parameters"), _cell("print(\u03bc)")]
    assert shared_prefix(cells, ["\u00b5"]).count == 1
    assert shared_prefix(cells, ["\u03bc"]).count == 1


def test_an_import_in_a_later_cell_tells_what_an_earlier_function_uses() -> None:
    prefix = shared_prefix(_cells("def f():\n    return clock()", "from time import time as clock"), ["dose_gy"])
    assert prefix.reason == "code cell 3, line 2: uses clock, which is another one in each run"


def test_a_cell_that_may_fail_is_shared_like_any_other() -> None:
    cells = [*_cells(), _cell("1 / 0", "raises-exception"), _cell("dose_gy")]
    assert shared_prefix(cells, ["dose_gy"]).count == 4


def test_every_command_that_ipython_takes_without_a_sign_is_known() -> None:
    from IPython.core import magics
    from IPython.core.alias import default_aliases

    kinds = [getattr(magics, name) for name in dir(magics) if name.endswith("Magics")]
    names = {name for kind in kinds for name in (getattr(kind, "magics", None) or {}).get("line", {})}
    names |= {name for name, _ in default_aliases()}
    assert len(names) > 60
    assert [name for name in sorted(names) if _shares(name)] == []
    assert _shares("time = 3", "time"), "a variable goes before a command"


def test_warnings_about_a_cells_spelling_are_not_raised() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _shares("x = '\\d'\nif x is 'a':\n    pass")
        assert needs_a_kernel([_cell("x = '\\d'")]) == []


# ---- truth: programs are run, plainly and with shared cells

VALUES = (0, 1, 7)  # the first is the default
START = """
from contextlib import nullcontext
log, a, b, c = [], 1, 2, 3
def f(x): return x
def g(): return 4
class C:
    p = 5
    def m(self): return 6
"""
Choose = Callable[[Sequence[Any]], Any]


class _Writer:
    """Writes programs that name ``p``, which is swept, in every way that Python has."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose

    def cells(self) -> list[dict[str, Any]]:
        before = [_cell(START)] + [_cell(self._statement(2)) for _ in range(self._choose([0, 0, 0, 1]))]
        after = [_cell(self._block(self._choose([1, 1, 2]))) for _ in range(self._choose([1, 2, 3, 4, 5]))]
        return [*before, _cell("p = 0\nq = 1\n", "parameters"), *after]

    def _block(self, count: int) -> str:
        return "\n".join(self._statement(2) for _ in range(count))

    def _name(self) -> str:
        return self._choose("pqaaabbbc")

    def _expression(self, depth: int, *, calls: bool = True) -> str:
        kinds = ["name", "name", "number"]
        if depth > 0:
            kinds += [
                "sum",
                "comprehension",
                "generator",
                "lambda",
                "thunk",
                "walrus",
                "text",
                "choice",
                "dict",
                "class",
            ]
            kinds += ["f", "g", "m"] if calls else []
        return self._made(self._choose(kinds), lambda: self._expression(depth - 1, calls=calls))

    def _made(self, kind: str, inner: Callable[[], str]) -> str:
        makers: dict[str, Callable[[], str]] = {
            "name": self._name,
            "number": lambda: self._choose(["1", "2"]),
            "sum": lambda: f"({inner()} + {inner()})",
            "comprehension": lambda: f"len([{inner()} for {self._name()} in range({inner()} % 3)])",
            "generator": lambda: f"sum({inner()} for {self._name()} in range(2) if {inner()})",
            "lambda": lambda: f"(lambda {self._name()}: {inner()})({inner()})",
            "thunk": lambda: f"(lambda: {inner()})()",
            "walrus": lambda: f"({self._name()} := {inner()})",
            "text": lambda: f"len(f'{{{inner()}}}')",
            "choice": lambda: f"({inner()} if {inner()} else {inner()})",
            "dict": lambda: f"sum({{{self._name()}: {inner()} for {self._name()} in range(2)}})",
            "class": lambda: "C.p",
            "f": lambda: f"f({inner()})",
            "g": lambda: "g()",
            "m": lambda: "C().m()",
        }
        return makers[kind]()

    def _statement(self, depth: int) -> str:
        def one(*, calls: bool = True) -> str:
            return self._expression(2, calls=calls)

        name, other = self._name(), self._name()
        makers: list[Callable[[], str]] = [
            lambda: f"log.append({one()})",
            lambda: f"log.append({one()})",
            lambda: f"{name} = {one()}",
            lambda: f"{self._choose('abc')} = {one()}",
            lambda: f"{name} += {one()}",
            lambda: f"del {name}",
            lambda: f"{name}: int = {one()}",
            lambda: f"def f({name}, z={one()}): return {one(calls=False)}",
            lambda: f"def f(x, *{name}): return x + {one(calls=False)}",
            lambda: f"def g():\n    global {name}\n    {name} = {one(calls=False)}\n    return {one(calls=False)}",
            lambda: f"def g():\n    {name} = {one(calls=False)}\n    return f({one(calls=False)})",
            lambda: (
                f"def g():\n    {name} = 1\n    def h():\n        nonlocal {name}\n        {name} += {one(calls=False)}\n"
                f"        return {one(calls=False)}\n    return h()"
            ),
            lambda: f"class C:\n    p = {one()}\n    {name} = {other}\n    def m(self): return {one(calls=False)}",
            lambda: f"class C:\n    {name} = {other}\n    {other} = {one()}\n    def m(self): return g()\nC.p = 2",
            lambda: (
                f"class C:\n    p = [{one()} for {name} in range(2)][0]\n    def m(self): return {one(calls=False)}"
            ),
            lambda: f"try: 1 / 0\nexcept ZeroDivisionError as {name}: log.append({one()})",
            lambda: f"with nullcontext({one()}) as {name}: log.append({one()})",
            lambda: f"match [{one()}, 2]:\n    case [{name}, 2]: log.append({name})\n    case {other}: pass",
            lambda: f"from math import tau as {name}",
            lambda: f"later = ({one()} for {name} in range(2))",
            lambda: "log.append(list(later))",
            lambda: f"log.append(eval({one()!r}))",
            lambda: f"exec({f'{name} = {one()}'!r})",
            lambda: "log.append(globals().get('p'))",
            lambda: "log.append(f.__globals__.get('p'))",
            lambda: "log.append('p' in vars())",
        ]
        if depth > 0:
            makers += [
                lambda: f"for {name} in range({one()} % 3): {self._statement(0)}".replace("\n", "\n    "),
                lambda: f"if {one()}:\n    {self._statement(0)}".replace("\n", "\n    "),
                lambda: self._statement(depth - 1) + "\n" + self._statement(depth - 1),
            ]
        return self._choose(makers)()


def _outcome(steps: Iterator[str]) -> tuple[Any, ...]:
    """What a program leaves behind, and what it logged and raised on its way."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for step in steps:
        try:
            exec(compile(step, "cell", "exec", dont_inherit=True), space)
        except Exception as error:
            return repr(error), _data(space["log"])
    return "", {name: _data(value) for name, value in space.items()}, {n: _data(v) for n, v in vars(space["C"]).items()}


def _data(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_data(item) for item in value]
    return value if isinstance(value, int | float | str) else type(value).__name__


def _steps(cells: list[dict[str, Any]], *, value: int, at: int) -> Iterator[str]:
    """The program with the swept value set in front of the cell ``at``."""
    for index, cell in enumerate(cells):
        if index == at and value != VALUES[0]:
            yield f"p = {value}"
        yield cell["source"]
    if at == len(cells) and value != VALUES[0]:
        yield f"p = {value}"


def _equals_plain(cells: list[dict[str, Any]], count: int) -> bool:
    plain = next(index for index, cell in enumerate(cells) if cell["metadata"].get("tags")) + 1
    at = max(count, plain)
    return all(
        _outcome(_steps(cells, value=value, at=plain)) == _outcome(_steps(cells, value=value, at=at))
        for value in VALUES
    )


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_sharing_never_changes_what_a_program_does(data: st.DataObject) -> None:
    cells = _Writer(lambda items: data.draw(st.sampled_from(items))).cells()
    prefix = shared_prefix(cells, ["p"])
    assert _equals_plain(cells, prefix.count), prefix.reason


def test_the_programs_tell_a_wrong_analysis_from_a_right_one() -> None:
    chooser = random.Random(20261121)
    wrong_if_all = shared_more = 0
    for _ in range(200):
        cells = _Writer(chooser.choice).cells()
        count = shared_prefix(cells, ["p"]).count
        assert _equals_plain(cells, count)
        start = next(index for index, cell in enumerate(cells) if cell["metadata"].get("tags")) + 1
        wrong_if_all += not _equals_plain(cells, len(cells))
        shared_more += count > start
    assert wrong_if_all > 50
    assert shared_more > 50


# ---- the notebooks of this project


@pytest.fixture(scope="module")
def notebooks() -> list[Notebook]:
    return [read_notebook(path) for path in NOTEBOOKS]


def test_every_notebook_here_can_be_looked_at(notebooks: list[Notebook]) -> None:
    assert notebooks
    for notebook in notebooks:
        for parameter in notebook.parameters.items:
            prefix = shared_prefix(notebook.node.cells, [parameter.name])
            assert prefix.count > 0, (notebook.slug, parameter.name, prefix.reason)
            for cell in notebook.node.cells[: prefix.count]:
                if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
                    assert parameter.name not in _bare_names(cell.source), (notebook.slug, parameter.name)
        assert needs_a_kernel(notebook.node.cells) == [], notebook.slug


def _bare_names(source: str) -> set[str]:
    """Names in a cell that are neither attributes, keywords of a call, texts nor remarks; by its tokens alone."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    found, depth = set(), 0
    for before, token, after in zip([tokens[0], *tokens], tokens, [*tokens[1:], tokens[-1]], strict=False):
        depth += (token.string in "([{") - (token.string in ")]}") if token.type == tokenize.OP else 0
        keyword = depth and after.string == "="
        if token.type == tokenize.NAME and before.string != "." and not keyword:
            found.add(token.string)
    return found


# ---- what needs a real kernel


@pytest.mark.parametrize(
    ("source", "line", "what", "got"),
    [
        ("import numpy\nimport ipywidgets as w", 2, "a widget", "import of ipywidgets"),
        ("from ipywidgets import interact", 1, "a widget", "import of ipywidgets.interact"),
        ("def f():\n    import panel", 2, "a widget", "import of panel"),
        ("import importlib\nimportlib.import_module('nglview')", 2, "a widget", "nglview"),
        ("from tqdm.auto import tqdm", 1, "a widget", "import of tqdm.auto.tqdm"),
        ("from tqdm import notebook", 1, "a widget", "import of tqdm.notebook"),
        ("import plotly.graph_objects as go\ngo.FigureWidget()", 2, "a widget", "go.FigureWidget"),
        ("from bokeh.io import push_notebook", 1, "a widget", "push_notebook"),
        ("show(p, notebook_handle=True)", 1, "a widget", "notebook_handle=True"),
        ("import ipympl", 1, "figures that a person works with", "ipympl"),
        ("x = 1\n%matplotlib widget", 2, "figures that a person works with", "%matplotlib widget"),
        ("%matplotlib qt5", 1, "figures that a person works with", "%matplotlib qt5"),
        ("if True:\n    %matplotlib notebook", 2, "figures that a person works with", "%matplotlib notebook"),
        ("%pylab tk", 1, "figures that a person works with", "%pylab tk"),
        ("get_ipython().run_line_magic('matplotlib', 'ipympl')", 1, "figures", "%matplotlib ipympl"),
        ("import matplotlib\nmatplotlib.use('TkAgg')", 2, "figures", "matplotlib.use('TkAgg')"),
        ("import matplotlib.pyplot as plt\nplt.switch_backend(name)", 2, "figures", "plt.switch_backend(name)"),
        ("%gui qt", 1, "event loop", "%gui qt"),
        ("x = input('dose?')", 1, "waits for input", "input()"),
        ("def f(input):\n    return input\ndef g():\n    return input()", 4, "waits for input", "input()"),
        ("%%time\nx = 1\nx = input()", 3, "waits for input", "input()"),
        ("from getpass import getpass\ngetpass()", 2, "waits for input", "getpass"),
        ("import sys\nsys.stdin.read()", 2, "waits for input", "sys.stdin.read"),
        ("breakpoint()", 1, "a debugger", "breakpoint()"),
        ("import pdb\npdb.set_trace()", 2, "a debugger", "pdb.set_trace"),
        ("from IPython.core.debugger import set_trace\nset_trace()", 2, "a debugger", "set_trace"),
        ("%debug", 1, "a debugger", "%debug"),
        ("%%debug\nx = 1", 1, "a debugger", "%%debug"),
        ("%pdb on", 1, "a debugger", "%pdb on"),
        ("%pdb", 1, "a debugger", "%pdb"),
        ("get_ipython().kernel.shell", 1, "reaches into the kernel", "kernel.shell"),
        ("ip = get_ipython()\nip.kernel", 2, "reaches into the kernel", "ip.kernel"),
        ("from ipykernel.comm import Comm", 1, "reaches into the kernel", "ipykernel.comm.Comm"),
        ("%connect_info", 1, "reaches into the kernel", "%connect_info"),
        ("%qtconsole", 1, "reaches into the kernel", "%qtconsole"),
        ("import asyncio\ntask = asyncio.create_task(f())", 2, "event loop", "asyncio.create_task"),
        ("from asyncio import ensure_future\ndef f():\n    ensure_future(g())", 3, "event loop", "ensure_future"),
        ("import asyncio\nasyncio.get_running_loop()", 2, "event loop", "asyncio.get_running_loop"),
        ("import asyncio\nloop.run_until_complete(f())", 2, "event loop", "loop.run_until_complete"),
        ("import nest_asyncio", 1, "event loop", "nest_asyncio"),
    ],
)
def test_what_the_shell_lacks_is_named_with_its_place(source: str, line: int, what: str, got: str) -> None:
    issues = needs_a_kernel([_cell("text", kind="markdown"), _cell("x = 0"), _cell(source)])
    assert {issue.where for issue in issues} == {f"code cell 2, line {line}"}
    assert any(what in issue.what and got in issue.got for issue in issues), issues
    assert {issue.wanted for issue in issues} == {REAL_KERNEL}


@pytest.mark.parametrize(
    "source",
    [
        "",
        "%matplotlib inline",
        "%matplotlib\n%matplotlib agg\n%matplotlib --list",
        "%gui",
        "%pdb off",
        "%%bash\nread input\nipywidgets",
        "!ls {input}",
        "%%javascript\nelement.text('x')",
        "%%html\n<input>",
        "%load_ext autoreload\n%autoreload 2",
        "await f()",
        "import asyncio\nawait asyncio.gather(f(), asyncio.sleep(1))",
        "import asyncio\nasync def f():\n    return asyncio.create_task(g())\nawait f()",
        "input = 3\nprint(input)",
        "def f(input):\n    return input + 1",
        "svm.kernel\nmodel.kernel('rbf')",
        "import matplotlib as mpl\nmpl.use('Agg')\nmpl.style.use('ggplot')",
        "from matplotlib import style\nstyle.use(name)",
        "from getpass import getuser\ngetuser()",
        "from tqdm import tqdm",
        "from IPython.display import HTML, display",
        "import plotly.graph_objects as go\ngo.Figure()",
        "x = (",
        "# input()",
    ],
)
def test_what_the_shell_has_is_let_through(source: str) -> None:
    assert needs_a_kernel([_cell(source)]) == []


def test_all_that_a_notebook_needs_is_listed_in_its_order() -> None:
    cells = [_cell("import ipywidgets\ninput()"), _cell("%gui tk"), _cell("breakpoint()\nimport panel")]
    issues = needs_a_kernel(cells)
    assert [issue.where[len("code cell ") :] for issue in issues] == [
        "1, line 1", "1, line 2", "2, line 1", "3, line 1", "3, line 2",
    ]  # fmt: skip
    assert (
        str(issues[1]) == "code cell 1, line 2: waits for input; wanted the real kernel (--engine kernel), got input()"
    )
