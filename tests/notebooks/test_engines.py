"""Cold kernels, forked kernels and forked shells: the same notebook gives the same outputs, results and random numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from braggbook.formats.run import Engine
from braggbook.kernels.warm import TEMPLATES
from braggbook.runs.execute import Execution, share_cells

from .engine_helpers import ENGINES, FORKED, GOOD, Bench, make_bench, make_shipped, seen, texts
from .shipped import SHIPPED

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_bench(tmp_path_factory.mktemp("engines") / "project")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Engine], Execution]:
    home = make_shipped(tmp_path_factory.mktemp("shipped") / "project")
    return functools.cache(
        lambda slug, engine: home.execute(next(home.project.folder.rglob(f"{slug}.ipynb")), engine, seed=3)
    )


@pytest.mark.parametrize("engine", FORKED)
@pytest.mark.parametrize("slug", SHIPPED)
def test_every_notebook_gives_the_same(shipped: Callable[[str, Engine], Execution], slug: str, engine: Engine) -> None:
    cold, other = shipped(slug, "kernel"), shipped(slug, engine)
    assert (cold.verdict, other.verdict) == ("complete", "complete"), other.failure
    assert (other.engine, cold.engine) == (engine, "kernel")
    for one, two in zip(seen(cold), seen(other), strict=True):
        assert two == one
    assert len(cold.results) >= 5
    assert other.results == cold.results  # every figure's SVG and PNG among them, to the byte


# One notebook of cells that are hard on whoever takes their outputs; each may raise.
CELLS = {
    "in turns": "import sys\nfor i in range(3):\n    print('out', i)\n    print('err', i, file=sys.stderr)",
    "no newline": "print('a', end='')\nsys.stdout.write('b')",
    "between displays": "print('1')\ndisplay('x')\nprint('2', file=sys.stderr)\ndisplay('y')\nprint('3')\n4",
    "carriage returns": "for i in range(3):\n    print(i, end='\\r')\nprint('done\\nabc\\rd\\na\\r\\nb\\re\\r')",
    "control characters": "print('a\\x00b\\x1b[31mred\\x1b[0m\\x08c')",
    "any letter": "print('ü 😀 µ', '\\u2028')\n'\\ud800'",
    "not UTF-8": "import os, time\nos.write(1, b'\\xff\\xfe\\n')\ntime.sleep(0.3)",
    "many small parts": "print(*range(20_000))",
    "one long line": "print('é' * 1_000_000)",
    "display updated": "h = display('a', display_id='d')\nprint('b')\nh.update('c')",
    "display updated later": (
        "for i in range(2):\n    print('out', flush=True)\n    time.sleep(0.3)\n    print('err', file=sys.stderr)\n"
        "    time.sleep(0.3)\nh = display('first', display_id='late')\ndisplay('second')"
    ),
    "update": "h.update('third')",
    "cleared": "from IPython.display import *\nprint('gone')\nclear_output()\nprint('here')",
    "cleared when more comes": "for i in range(3):\n    clear_output(wait=True)\n    print(i)\nclear_output(wait=True)",
    "captured": "%%capture held\nprint('hidden', file=sys.stderr)\ndisplay(1)\n2",
    "shown after capture": "held.show()\nheld.stderr",
    "redirected": "import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()) as held: print('q')\nheld.getvalue()",
    "bash": "%%bash\necho out\necho err >&2\nexit 3",
    "a program": "!echo from a program; echo e >&2; exit 4\n_exit_code",
    "a program's text": "x = !echo one; echo two\nx",
    "warnings": "import warnings\nfor i in range(3):\n    warnings.warn('careful')\nwarnings.warn('old', DeprecationWarning)",
    "a library's warnings": "import numpy as np\nfor i in range(3):\n    np.polyfit([1, 1, 1], [1, 2, 3], 2)\nnp.array([1.0]) / 0",
    "logging": "import logging\nlogging.warning('root')\nlogging.getLogger('a').error('e')\nlogging.info('no')",
    "raises": "def f(x):\n    return 1 / x\nf(0)",
    "raises from": "raise KeyError('x') from ValueError('y')",
    "raises a group": "raise ExceptionGroup('g', [ValueError('a'), TypeError('b')])",
    "raises in another file": "import json\njson.loads('{')",
    "raises without text": "class E(Exception):\n    def __str__(self): raise RuntimeError('no text')\nraise E()",
    "no Python": "def (",
    "no Python in eval": "eval('1 +')",
    "plain traceback": "%xmode Plain\n1 / 0",
    "verbose traceback": "%xmode Verbose\nz = 3\nz / 0",
    "usual traceback": "%xmode Context\nassert False, 'ü'",
    "exits": "sys.exit('words')",
    "exits well": "sys.exit()",
    "interrupted by itself": "raise KeyboardInterrupt",
    "rich": "class R:\n    def _repr_html_(self): return '<b>r</b>'\n    def _repr_latex_(self): return '$r$'\n    def __repr__(self): return 'R'\nR()",
    "rich, broken": "class B(R):\n    def _repr_html_(self): raise RuntimeError('in repr')\nB()",
    "bundle": "class M:\n    def _repr_mimebundle_(self, **_): return {'text/plain': 'm', 'application/x+json': {'a': [1]}}, {'text/plain': {'k': 1}}\nM()",
    "no repr": "class N:\n    def __repr__(self): raise RuntimeError('no repr')\nN()",
    "raw display": "display({'text/plain': 'p', 'text/html': '<p>'}, raw=True, metadata={'a': 1})",
    "kinds of display": "display(HTML('<i>h</i>'), Markdown('*m*'), JSON({'a': 1}), Latex('$x$'), Javascript('1'), SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))",
    "a value": "41 + 1",
    "the value before": "_ + 1",
    "values so far": "_, __, len(In), Out[max(Out)], max(Out)",
    "no value": "1;",
    "all values": "get_ipython().ast_node_interactivity = 'all'\n1\n2\nget_ipython().ast_node_interactivity = 'last_expr'",
    "long value": "list(range(2000))",
    "await": "import asyncio\nasync def g():\n    await asyncio.sleep(0.01)\n    return 7\nawait g() + sum(await asyncio.gather(g(), g()))",
    "await that raises": "async def h(): raise ValueError('async')\nawait h()",
    "time": "%time sum(range(10))",
    "whole cell's time": "%%time\nprint('timed')\n1 / 0",
    "timeit": "result = %timeit -n1 -r1 -o -q pass\nresult.loops",
    "a thread": "import threading\nt = threading.Thread(target=print, args=('from a thread',))\nt.start()\nt.join()\ntime.sleep(0.3)",
    "a thread that raises": "t = threading.Thread(target=f, args=(0,), name='T')\nt.start()\nt.join()\ntime.sleep(0.3)",
    "a thread that goes on": "go = threading.Event()\ndef tick():\n    print('tick 0')\n    go.wait(20)\n    print('tick 1')\nt = threading.Thread(target=tick)\nt.start()\ntime.sleep(0.3)",
    "meanwhile": "print('next cell')\ngo.set()\nt.join()\ntime.sleep(0.3)",
    "fork": "import multiprocessing\nfork = multiprocessing.get_context('fork')\np = fork.Process(target=print, args=('from a fork',))\np.start()\np.join()\ntime.sleep(0.3)\np.exitcode",
    "pool": "def square(x): return x * x\nwith fork.Pool(2) as pool: found = pool.map(square, range(4))\nfound",
    "input": "input('name? ')",
    "getpass": "import getpass\ngetpass.getpass()",
    "debugger": "%debug",
    "inline": "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.isinteractive()",
    "figure left open": "plt.plot([1, 2])",
    "figure and error": "plt.plot([2, 1])\n1 / 0",
    "figure shown": "fig, ax = plt.subplots()\nax.plot([1, 3])\nplt.show()\nprint('behind')",
    "figure as value": "fig",
    "figure as SVG": "%config InlineBackend.figure_formats = ['svg']\nplt.figure(figsize=(1, 1)).text(0.5, 0.5, 'ü')",
    "figure's settings": "plt.rcParams['figure.figsize'] = (2, 1)\nplt.plot([3, 1]);",
    "settings last": "plt.plot([1, 3])\nplt.rcParams['font.size'], plt.rcParams['svg.hashsalt'], plt.get_backend()",
    "figure closed": "plt.close(plt.figure())\nplt.get_fignums()",
    "table": "import pandas as pd\npd.DataFrame({'dose_gy': [0.0, 2.0], 'line': ['V79', 'CHO']})",
    "wide table": "pd.DataFrame({f'column_{i}': [i] for i in range(30)})",
    "column": "pd.Series([1.0, None]).rename('x')",
    "labelled array": "import xarray as xr\nxr.DataArray([1.0, 2.0], dims='x', attrs={'units': 'Gy'}).to_series()",
    "progress bar": "from tqdm import tqdm\nfor i in tqdm(range(3), file=sys.stdout): pass",
    "names": "%who_ls function",
    "place": "os.getcwd(), __name__, sys.argv[0], sys.path, sys.stdin.read(), sys.stdout.isatty(), os.isatty(0)",
    "globals": "sorted(name for name in globals() if name.startswith('__')), __doc__, type(sys.modules['__main__'])",
    "signals": "import signal\n[signal.getsignal(s) for s in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGCHLD)]",
    "a pipe that nobody reads": "import subprocess\np = subprocess.Popen(['true'], stdin=subprocess.PIPE)\np.wait()\np.stdin.write(b'x' * 100_000)\np.stdin.flush()",
    "limits": "import resource\nresource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CORE), sys.getrecursionlimit()",
    "environment": "{name: value for name, value in sorted(os.environ.items()) if name not in ('JPY_PARENT_PID', 'PYDEVD_USE_FRAME_EVAL', 'GDCM_RESOURCES_PATH')}",
    "hashes": "hash('a'), list({'a', 'b', 'c'})",
    "locale": "import locale, tempfile\nlocale.getlocale(), time.tzname, tempfile.gettempdir(), getpass.getuser()",
    "source": "import inspect\ninspect.getsource(square)",
    "pickle": "import pickle\npickle.loads(pickle.dumps(square))(3)",
    "a file": "%%writefile m.py\nprint('in', __name__)\nx = 5",
    "a module beside it": "import m\nm.x, m.__file__",
    "a script": "%run m.py\nx",
    "history": "%history -n 1-2",
    "magics": "%lsmagic",
    "cell in a cell": "r = get_ipython().run_cell('print(5)\\n6')\nr.success",
    "help": "help(len)",
    "question": "?len",
    "next input": "get_ipython().set_next_input('x = 1')",
    "at exit": "import atexit\natexit.register(print, 'at exit');",
}  # fmt: skip
# What a program or a C library writes reaches a kernel's outputs by another way than what Python prints, so that a
# real kernel gives these texts in one order today and in another tomorrow, one within the other even.
UNORDERED = {
    "subprocess": "import subprocess\nprint('a')\nsubprocess.run(['sh', '-c', 'echo b; echo e >&2'])\nprint('c')\ntime.sleep(0.3)",
    "system": "print('a')\nos.system('echo b')\nprint('c')\ntime.sleep(0.3)",
    "file descriptors": "print('a')\nos.write(1, b'b\\n')\nos.write(2, b'e\\n')\nprint('c')\ntime.sleep(0.3)",
    "the original stdout": "print('a')\nprint('b', file=sys.__stdout__, flush=True)\ntime.sleep(0.3)",
    "C": "import ctypes\nlibc = ctypes.CDLL(None)\nprint('a')\nlibc.puts(b'b')\nlibc.fflush(None)\ntime.sleep(0.3)",
    "forks that print": "pid = os.fork()\nif pid == 0:\n    print('b', flush=True)\n    os._exit(0)\nos.waitpid(pid, 0)\nprint('a')\ntime.sleep(0.3)",
    "left running": "p = subprocess.Popen(['sh', '-c', 'echo b; read word; echo $word'], stdin=subprocess.PIPE)\nprint('a')\ntime.sleep(0.3)",
    "still running": "print('c')\np.communicate(b'd\\n')\ntime.sleep(0.3)",
}  # fmt: skip


@pytest.fixture(scope="module")
def hard(bench: Bench) -> Callable[[Engine], tuple[Execution, dict[str, Any]]]:
    path = bench.write("hard", [*CELLS.values(), *UNORDERED.values(), GOOD], may_raise=True)

    def execute(engine: Engine) -> tuple[Execution, dict[str, Any]]:
        execution = bench.execute(path, engine, cell_timeout_s=60)
        return execution, dict(zip([*CELLS, *UNORDERED], seen(execution)[1:], strict=False))

    return functools.cache(execute)


@pytest.mark.parametrize("engine", FORKED)
def test_cells_that_may_raise_do_not_end_the_run(
    hard: Callable[[Engine], tuple[Execution, dict[str, Any]]], engine: Engine
) -> None:
    cold, other = hard("kernel")[0], hard(engine)[0]
    assert (cold.verdict, cold.failure) == ("complete", None)
    assert (other.verdict, other.failure) == ("complete", None)
    assert cold.results == other.results
    assert cold.results.keys() == {"x"}
    assert [cell.status for cell in other.cells] == [cell.status for cell in cold.cells]


@pytest.mark.parametrize("engine", FORKED)
@pytest.mark.parametrize("name", CELLS)
def test_a_hard_output(hard: Callable[[Engine], tuple[Execution, dict[str, Any]]], name: str, engine: Engine) -> None:
    assert hard(engine)[1][name] == hard("kernel")[1][name]


@pytest.mark.parametrize("engine", FORKED)
@pytest.mark.parametrize("name", UNORDERED)
def test_what_programs_write(
    hard: Callable[[Engine], tuple[Execution, dict[str, Any]]], name: str, engine: Engine
) -> None:
    assert _letters(hard(engine)[1][name]) == _letters(hard("kernel")[1][name])
    assert _letters(hard(engine)[1][name]), "a test of nothing"


def _letters(cell: Any) -> dict[str, str]:
    streams = [output for output in cell["outputs"] if output["output_type"] == "stream"]
    return {output["name"]: "".join(sorted(output["text"])) for output in streams}


def test_outputs_are_cut_at_the_same_place(bench: Bench) -> None:
    code = ["print('a' * 700_000)\nfor i in range(7):\n    print(str(i) * 99_999)\nprint('late')", "print('later')\n5"]
    path = bench.write("long", [*code, "1 / 0", GOOD], may_raise=True)
    cold, *others = (bench.execute(path, engine, output_limit_mb=1) for engine in ENGINES)
    cut, note = (output["text"] for output in seen(cold)[1]["outputs"])
    assert (len(cut), cut[-1]) == (1 << 20, "3")
    assert "grew past 1 MB" in note
    assert seen(cold)[2]["outputs"] == []
    assert seen(cold)[3]["outputs"][0]["ename"] == "ZeroDivisionError", "an error says why a run failed: it is kept"
    assert cold.results.keys() == {"x"}
    for other in others:
        assert seen(other) == seen(cold)
        assert other.dropped_bytes == cold.dropped_bytes > 300_000
        assert other.results == cold.results


@pytest.mark.parametrize("engine", ENGINES)
def test_many_megabytes_are_taken_whole(bench: Bench, engine: Engine) -> None:
    path = bench.write("loud", ["for i in range(50):\n    print(chr(97 + i % 26) * 99_999)", GOOD])
    text = seen(bench.execute(path, engine, cell_timeout_s=60))[1]["outputs"][0]["text"]
    assert text == "".join(chr(97 + i % 26) * 99_999 + "\n" for i in range(50))


ENDINGS = {
    "quit": "quit()",
    "exit in a later line": "print('a')\nexit()\nprint('b')",
    "sys.exit": "import sys\nsys.exit()",
    "raises": "1 / 0",
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_notebook_that_ends_itself(bench: Bench, name: str) -> None:
    # a kernel that is told to quit goes on for a tenth of a second
    path = bench.write("ending", ["print('before')", ENDINGS[name], "import time\ntime.sleep(0.5)", GOOD])
    cold, *others = (bench.execute(path, engine) for engine in ENGINES)
    for other in others:
        assert other.verdict == cold.verdict != "complete"
        assert seen(other)[:3] == seen(cold)[:3]
        assert other.results == cold.results == {}
    if cold.verdict == "failed":
        assert [other.failure for other in others] == [cold.failure] * 2


RANDOM = [
    "import random\nrandom.random()",
    "import numpy as np\nnp.random.rand()",
    "random.gauss(0, 1), np.random.normal()",
]
BOUND = ["import braggbook as bb\nbb.rng().random()", "random.random(), np.random.rand()"]
LATE = ["import random\nrandom.random()", "late = __import__('num' + 'py')\nlate.random.rand()", "random.random()"]


@pytest.mark.parametrize("code", [[*RANDOM, *BOUND], LATE], ids=["early", "late"])
def test_random_streams(bench: Bench, code: list[str]) -> None:
    TEMPLATES.close()  # a new one has not imported NumPy, unless the notebook's own text names it
    path = bench.write("drawn", [*code, GOOD])
    first = {engine: texts(bench.execute(path, engine, seed=5)) for engine in ENGINES}
    assert len(first["kernel"]) == len(code)
    assert first["warm"] == first["shell"] == first["kernel"]
    assert [texts(bench.execute(path, engine, seed=5)) for engine in FORKED] == [first["kernel"]] * 2
    other = [texts(bench.execute(path, engine, seed=6)) for engine in FORKED]
    assert other[0] == other[1]
    assert not set(other[0]) & set(first["kernel"]), "another seed, other numbers"


def test_random_numbers_do_not_depend_on_how_often_the_kernel_is_asked_who_it_is(bench: Bench) -> None:
    """IPython's answer holds a tip of the day, drawn from the stream that notebooks draw from."""
    path = bench.write("asked", ["import random\nrandom.getstate()[1][-1]", GOOD])
    for engine in ENGINES:
        assert texts(bench.execute(path, engine)) == ["624"], "nobody has drawn from it since it was seeded"


# Cells that leave behind what a fork does not have, or look at where they run.
UNSHARABLE = {
    "fork", "pool", "bash", "a file", "a module beside it", "a script", "place", "environment", "locale", "at exit",
    "a pipe that nobody reads", "history", "values so far", "the value before", "a thread that goes on", "meanwhile",
    "progress bar", "await",
}  # fmt: skip


def test_cells_that_were_executed_for_many_runs(
    bench: Bench, hard: Callable[[Engine], tuple[Execution, dict[str, Any]]]
) -> None:
    """The outputs of shared cells are those that the same cells have in a run of their own; so is all behind them."""
    raising = {name for name, cell in hard("shell")[1].items() if "error" in str(cell["outputs"]) or "raise" in name}
    shared = {name: code for name, code in CELLS.items() if name not in UNSHARABLE | raising}
    assert len(shared) > 40
    behind = [
        "h.update('from a cell that is not shared')",
        "random.random(), np.random.rand(), dose_gy",
        "f(0)",
        "1 + 1",
    ]
    imports = "import os, random, time\nimport numpy as np\ndef f(x): return 1 / x\ndef square(x): return x * x\nnp.random.rand(), random.random()"
    path = bench.write(
        "many", [imports, *shared.values(), *behind, GOOD], may_raise=True, parameters="dose_gy: float = 1.0"
    )
    one = bench.execute(path, "shell", values={"dose_gy": 2.0}, seed=4)
    plan = bench.plan(path, seed=4)
    count = 3 + len(shared)  # with the front matter and the parameters
    with share_cells(plan, count=count, fixed={}, swept={"dose_gy"}, settings=bench.settings) as cells:
        others = [bench.execute(path, "shell", values={"dose_gy": 2.0}, seed=4, shared=cells) for _ in range(2)]
    for other in others:
        assert (other.verdict, other.shared_cells, one.shared_cells) == ("complete", count - 1, 0)
        for cell, again in zip(seen(one), seen(other), strict=True):
            assert again == cell
        assert other.results == one.results
