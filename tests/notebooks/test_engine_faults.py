"""What a notebook can do to the process it runs in: only its own run ends, with the true verdict, and nothing stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from braggbook.formats.run import Engine
from braggbook.kernels.warm import TEMPLATES

from .engine_helpers import ENGINES, FORKED, GOOD, Bench, children_of, make_bench, processes_of, within

pytestmark = pytest.mark.full

LIMITS = {"memory_limit_mb": 3072, "output_limit_mb": 1}
TIMEOUT = ("timed out", "timeout", "longer than 1 s")
FINE = ("complete", None, "")
# name: (code, verdict, kind of failure, words of its message)
FAULTS = {
    "raises": ("1 / 0", "failed", "cell", "code cell 3 raised ZeroDivisionError: division by zero"),
    "no Python": ("def (", "failed", "cell", "SyntaxError"),
    "sys.exit": ("import sys; sys.exit(0)", "failed", "cell", "SystemExit"),
    "memory": ("x = bytearray(5 << 30)", "failed", "cell", "MemoryError"),
    "os._exit": ("import os; os._exit(7)", "killed", "kernel", "exit code 7"),
    "segmentation fault": ("import os; os.kill(os.getpid(), 11)", "killed", "kernel", "signal 11"),
    "kills its group": ("import os; os.killpg(0, 9)", "killed", "kernel", "signal 9"),
    "ends its group": ("import os, time; os.killpg(0, 15); time.sleep(30)", "killed", "kernel", "signal 15"),
    "sleeps": ("import time; time.sleep(60)", *TIMEOUT),
    "never ends": ("while True: pass", *TIMEOUT),
    "does not listen": (
        "import signal\nfor s in (1, 2, 3, 15): signal.signal(s, lambda *_: None)\nwhile True: pass",
        *TIMEOUT,
    ),
    "stops itself": ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", *TIMEOUT),
    "handles signals": (
        "import signal\nfor s in (2, 13, 15, 17): signal.signal(s, lambda *_: print('no'))\nsignal.set_wakeup_fd(-1)",
        *FINE,
    ),
    "changes folder": ("import os; os.chdir('/'); os.environ.clear()", *FINE),
    "leaks threads": (
        "import threading, time\nfor _ in range(20): threading.Thread(target=time.sleep, args=(600,)).start()",
        *FINE,
    ),
    "prints 200 MB": ("for _ in range(2000): print('a' * 100_000)", *FINE),
    "leaves processes": ("import os\nos.system('sleep 600 & (sleep 600 & sleep 600) &')", *FINE),
    "leaves sessions": ("import os\nos.system('setsid sleep 600 & (setsid sleep 600 & setsid sleep 600) &')", *FINE),
    "leaves a session and dies": (
        "import os, subprocess\np = subprocess.Popen(['sleep', '600'], start_new_session=True)\nos._exit(7)",
        *("killed", "kernel", "exit code 7"),
    ),
}


# What it comes to depends on which of the kernel's threads or sockets is hit first, and so is no matter of the engine.
UNCLEAR = {
    "closes files": "import os; os.closerange(3, 200)",
    "closes all files": "import os; os.closerange(0, 200)",
    "forks": "import os\nfor _ in range(3): os.fork()",
    "forks and stays": "import os, time\nif os.fork() == 0: time.sleep(600)",
    "may open no file": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5)); open('/dev/null')",
    "breaks its shell": "get_ipython().run_cell = None",
}
# The command line's tests have these for a kernel of its own.
ELSEWHERE = {"raises", "no Python", "sys.exit", "memory", "os._exit", "segmentation fault", "sleeps", "never ends"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_bench(tmp_path_factory.mktemp("faults") / "project")


def left_behind(bench: Bench) -> list[str]:
    """Returns processes of the project's runs; a template is none, but what runs below it is."""
    templates = [template.pid for template in TEMPLATES._known.values()]
    return [*processes_of(bench.project.folder), *map(str, children_of(templates))]


@pytest.mark.parametrize(
    ("name", "engine"), [(n, e) for n in FAULTS for e in ENGINES if e != "kernel" or n not in ELSEWHERE]
)
def test_a_fault(bench: Bench, name: str, engine: Engine) -> None:
    code, verdict, kind, words = FAULTS[name]
    path = bench.write("fault", ["y = 1", code, GOOD])
    done = bench.execute(path, engine, cell_timeout_s=1.0 if kind == "timeout" else 60.0, **LIMITS)
    failure = done.failure
    assert (done.verdict, failure and failure.kind) == (verdict, kind), failure
    assert words in (failure.message if failure else "")
    statuses = [cell.status for cell in done.cells]
    assert statuses == (["complete"] * 4 if kind is None else ["complete", "complete", verdict, "not run"])
    assert done.engine == engine
    assert within(10, lambda: left_behind(bench), wanted=[]), left_behind(bench)


@pytest.mark.parametrize("engine", ENGINES)
def test_neighbours_of_faults_go_on(bench: Bench, engine: Engine) -> None:
    """All at once: runs that break their own process, and one that does not."""
    waits = "import time\ntime.sleep(3)"
    path = bench.write("neighbour", [waits, GOOD])
    faults = {name: bench.write(f"unclear_{i}", [code, GOOD]) for i, (name, code) in enumerate(UNCLEAR.items())}
    with ThreadPoolExecutor(len(faults) + 1) as pool:
        neighbour = pool.submit(bench.execute, path, engine, cell_timeout_s=60)
        broken = {name: pool.submit(bench.execute, fault, engine, cell_timeout_s=2) for name, fault in faults.items()}
        verdicts = {name: future.result(timeout=120).verdict for name, future in broken.items()}
        assert neighbour.result(timeout=120).verdict == "complete"
    assert set(verdicts.values()) <= {"complete", "failed", "timed out", "killed"}
    assert verdicts["closes all files"] in ("timed out", "killed")
    assert verdicts["breaks its shell"] in ("timed out", "killed")
    assert within(10, lambda: left_behind(bench), wanted=[]), left_behind(bench)


@pytest.mark.parametrize("engine", FORKED)
def test_what_a_run_leaves_ends_while_another_goes_on(bench: Bench, engine: Engine) -> None:
    path = bench.write("neighbour", ["import time\ntime.sleep(20)", GOOD])
    stray = bench.write("stray", [FAULTS["leaves sessions"][0], GOOD])
    with ThreadPoolExecutor(1) as pool:
        neighbour = pool.submit(bench.execute, path, engine, cell_timeout_s=60)
        assert bench.execute(stray, engine).verdict == "complete"
        assert within(
            5, lambda: [line for line in processes_of(bench.project.folder) if "sleep 600" in line], wanted=[]
        )
        assert not neighbour.done()
        assert neighbour.result(timeout=60).verdict == "complete"
