"""Template processes: what they import and what they leave out, what they fork, and that nothing of them is left behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from braggbook.errors import KernelUnavailable
from braggbook.formats.run import Engine
from braggbook.kernels import provisioner
from braggbook.kernels.warm import TEMPLATES, ForkedProcess, Template, Templates
from braggbook.runs import execute
from braggbook.runs.folder import read_results
from braggbook.runs.run import Run, run
from braggbook.runs.shell import ShellProcess

from .engine_helpers import FORKED, GOOD, Bench, calm, children_of, make_bench, within

pytestmark = pytest.mark.full

PYTHON = Path(sys.executable)


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    made = Template(python=PYTHON, modules=["numpy"], variables=os.environ)
    yield made
    made.close()


class Shell:
    """A forked shell that answers one cell after the other."""

    def __init__(self, template: Template, **request: Any) -> None:
        request = {"cwd": "/", "env": dict(os.environ), **request}
        self.process = ShellProcess(template, request)
        self._count = 0
        next(iter(self.process.messages(deadline=time.monotonic() + 60)))

    def ask(self, code: str) -> str:
        """Returns what a cell prints."""
        self._count += 1
        self.process.tell({"source": code, "count": self._count})
        printed = ""
        for message in self.process.messages(deadline=time.monotonic() + 60):
            if isinstance(message, tuple):
                printed += message[1]
            elif "ended" in message:
                return printed.strip()
        raise AssertionError("it ended")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.close()


def tasks(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_it_has_one_thread_whatever_it_imports(template: Template) -> None:
    assert tasks(template.pid) == 1
    for modules in (["scipy.optimize", "matplotlib.pyplot"], ["xarray", "pandas", "braggbook.radiobiology.survival"]):
        assert template.preload(modules)
        assert tasks(template.pid) == 1
    assert (template.left_out, template.missing) == ({}, [])
    names = "'numpy', 'scipy.optimize', 'xarray', 'ipykernel.zmqshell'"
    with Shell(template) as shell:
        assert shell.ask(f"import sys\nprint([name in sys.modules for name in ({names})])") == str([True] * 4)
        assert shell.ask("import numpy\nprint(numpy.linalg.inv(numpy.eye(300)).sum())") == "300.0"
    assert tasks(template.pid) == 1


def test_a_child_has_nothing_open_of_the_template(template: Template) -> None:
    listing = "import os\nprint(sorted(os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if int(n) > 2 and os.path.exists(f'/proc/self/fd/{n}')))"
    with Shell(template) as first, Shell(template) as second:
        for shell in (first, second):
            opened = shell.ask(listing)
            assert opened.count("socket:") == 1, "the channel of its own, and no other's"
            assert "pipe:" not in opened
            assert shell.ask("print(os.read(0, 1), os.getcwd(), os.getsid(0) == os.getpid())") == "b'' / True"


def test_what_a_child_does_stays_with_it(template: Template, tmp_path: Path) -> None:
    with Shell(template, cwd=str(tmp_path), env={"MINE": "1"}) as one, Shell(template) as other:
        one.ask("import os, numpy\nos.environ['LEFT'] = '1'\nnumpy.left = 1\nos.umask(0)")
        assert one.ask("print(os.getcwd(), os.environ['MINE'])") == f"{tmp_path} 1"
        assert other.ask("import os, numpy\nprint(os.getcwd(), 'LEFT' in os.environ, hasattr(numpy, 'left'))") == "/ False False"  # fmt: skip


def test_its_socket_is_its_owners_alone(template: Template) -> None:
    path = Path(template.path)
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(template.path) < 100


def _sent(template: Template, body: bytes, *, files: tuple[int, ...] = (1, 2), size: int | None = None) -> bytes:
    """Sends a request as it is, and returns the answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(20)
        connection.connect(template.path)
        head = struct.pack("!I", len(body) if size is None else size)
        with suppress(BrokenPipeError):  # it may refuse at the first bytes
            socket.send_fds(connection, [head], list(files))
            connection.sendall(body)
            connection.shutdown(socket.SHUT_WR)
        return connection.recv(4096)


@pytest.mark.parametrize(
    "garbage",
    [
        {"body": b""},
        {"body": b"not JSON"},
        {"body": b"\xff\xfe"},
        {"body": b"5"},
        {"body": b"null"},
        {"body": b"[1]"},
        {"body": b'"preload"'},
        {"body": b"{}"},
        {"body": b'{"preload": 5}'},
        {"body": b'{"preload": [1, null, "", "..", "a b", "os\\u0000"]}'},
        {"body": b'{"cwd": "/no/such/folder", "env": {}}'},
        {"body": b'{"cwd": "/", "env": {"a": 1}}'},
        {"body": b'{"cwd": "/", "env": {}, "argv": []}'},
        {"body": b'{"cwd": "/", "env": {}, "memory_limit_mb": "x"}', "files": (1, 2, 1)},
        {"body": b"{}", "files": ()},
        {"body": b"{}", "files": (1,)},
        {"body": b"{}", "files": (1, 2, 1, 2, 1, 2)},
        {"body": b"{}", "size": 1000},
        {"body": b"{}", "size": 1 << 31},
    ],
    ids=lambda garbage: "-".join(map(str, garbage.values())),
)
def test_garbage_does_not_hurt_it(template: Template, garbage: dict[str, Any]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    try:
        files = tuple(null for _ in garbage.get("files", (1, 2)))
        _sent(template, **{**garbage, "files": files})
    finally:
        os.close(null)
    assert template.alive
    with Shell(template) as shell:
        assert shell.ask("print('well')") == "well"
    assert tasks(template.pid) == 1


def test_callers_that_say_nothing_do_not_hurt_it(template: Template) -> None:
    for bytes_sent in (b"", b"\0\0"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(template.path)
            connection.sendall(bytes_sent)
    opened = len(list(Path(f"/proc/{template.pid}/fd").iterdir()))
    with Shell(template) as shell:
        assert shell.ask("print('well')") == "well"
    assert within(5, lambda: len(list(Path(f"/proc/{template.pid}/fd").iterdir())) <= opened)


def test_fifty_at_once(template: Template) -> None:
    def child(number: int) -> tuple[str, str]:
        with Shell(template) as shell:
            return shell.ask("import os\nprint(os.getpid())"), shell.ask(f"print({number} * 2)")

    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(child, range(50)))
    assert len({pid for pid, _ in found}) == 50
    assert [answer for _, answer in found] == [str(2 * number) for number in range(50)]
    assert within(10, lambda: children_of([template.pid]), wanted=[])
    assert template.alive


def test_a_bounded_child_fails_and_the_template_lives(template: Template) -> None:
    with Shell(template, memory_limit_mb=4096) as shell:
        assert shell.ask("try:\n    x = bytearray(8 << 30)\nexcept MemoryError:\n    print('bounded')") == "bounded"
    assert template.alive


def test_how_a_child_ended_is_told(template: Template) -> None:
    shell = Shell(template)
    shell.process.tell({"source": "import os; x = bytearray(300 << 20); os._exit(7)", "count": 1})
    process = shell.process.process
    assert process.wait(20) == 7
    assert process.usage["max_rss_kb"] > 300 << 10
    assert process.usage["cpu_s"] > 0
    assert not process.template_died
    shell.process.close()


def test_a_client_that_goes_takes_its_child_and_all_below_with_it(template: Template) -> None:
    shell = Shell(template)
    shell.ask("import os\nos.system('sleep 600 & setsid sleep 600 &')")
    assert len(children_of([template.pid])) == 3
    shell.process.process._connection.close()
    assert within(5, lambda: children_of([template.pid]), wanted=[])
    assert template.alive


MODULES = {
    "quiet_one": "value = 1",
    "prints_one": "print('hello from an import')",
    "warns_one": "import warnings\nwarnings.warn('careful at import')",
    "thread_one": "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    "asks_one": "from IPython import get_ipython\nshell = get_ipython()\nvalue = shell is not None",
    "builtin_one": "try:\n    value = type(get_ipython()).__name__\nexcept NameError:\n    value = 'no notebook'",
    "hides_one": "import warnings\nwarnings.simplefilter('ignore')",
    "raises_one": "1 / 0",
    "exits_one": "raise SystemExit(3)",
    "lacks_one": "import not_there_at_all",
}
REASONS = {
    "prints_one": "prints or warns when it is imported",
    "warns_one": "prints or warns when it is imported",
    "thread_one": "starts 1 threads",
    "asks_one": "asks for the notebook's shell when it is imported",
    "builtin_one": "asks for the notebook's shell when it is imported",
    "hides_one": "changes which warnings are shown when it is imported",
    "raises_one": "raises ZeroDivisionError when it is imported",
    "exits_one": "raises SystemExit when it is imported",
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with modules that do what a template must not."""
    folder = tmp_path_factory.mktemp("odd")
    for name, code in MODULES.items():
        (folder / f"{name}.py").write_text(code + "\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_modules_that_a_template_cannot_have(odd: dict[str, str]) -> None:
    made = Template(python=PYTHON, modules=[*MODULES, "no_such_module"], variables=odd)
    try:
        assert made.left_out == REASONS
        assert sorted(made.missing) == ["lacks_one", "no_such_module"]
        assert tasks(made.pid) == 1
        with Shell(made, env=odd) as shell:
            there = f"import sys\nprint([name for name in {list(MODULES)} if name in sys.modules])"
            assert shell.ask(there) == "['quiet_one']"
    finally:
        made.close()


def test_a_module_that_is_asked_for_later_and_cannot_be_had(odd: dict[str, str]) -> None:
    templates = Templates()
    try:
        first = templates.get(python=PYTHON, modules=["quiet_one"], variables=odd)
        assert templates.get(python=PYTHON, modules=["json", "quiet_one"], variables=odd) is first
        with Shell(first, env=odd) as running:
            second = templates.get(python=PYTHON, modules=["thread_one"], variables=odd)
            assert second is not first
            assert second.left_out == {"thread_one": "starts 1 threads"}
            assert tasks(second.pid) == 1
            assert running.ask("print('still there')") == "still there"
        os.kill(second.pid, signal.SIGKILL)
        assert within(5, lambda: second.alive, wanted=False)
        third = templates.get(python=PYTHON, modules=[], variables=odd)
        assert (third is second, third.alive) == (False, True)
    finally:
        templates.close()
    assert not psutil.pid_exists(first.pid)


COLD = KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python")


def provisioned(*modules: str, argv: list[str] | None = None) -> KernelSpec:
    config = {"modules": list(modules), "cold_first": False}
    metadata = {"kernel_provisioner": {"provisioner_name": "braggbook", "config": config}}
    return KernelSpec(argv=argv or COLD.argv, language="python", metadata=metadata)


def executed(cells: list[str], spec: KernelSpec, folder: Path, env: dict[str, str] | None = None) -> list[Any]:
    """Executes cells with stock nbclient, and returns their outputs."""
    folder.mkdir()
    node = new_notebook(cells=[new_code_cell(source) for source in cells])
    manager = KernelManager(transport="ipc", ip=str(folder / "k"), connection_file=str(folder / "kernel.json"))
    manager._kernel_spec = spec
    client = NotebookClient(node, km=manager, resources={"metadata": {"path": str(folder)}}, timeout=60)
    try:
        client.execute(**({} if env is None else {"env": env}))
    finally:
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        manager.context.destroy(linger=0)
    return [sorted(map(repr, calm(cell.outputs))) for cell in node.cells]


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("k")


def test_what_is_left_out_happens_in_the_notebook(odd: dict[str, str], short: Path) -> None:
    talking = [name for name in MODULES if name in REASONS and name not in ("raises_one", "exits_one")]
    cells = [f"import {name}\ngetattr({name}, 'value', None)" for name in talking]
    cells += ["import warnings\nwarnings.warn('hidden by an import')", "import threading\nthreading.active_count() > 1"]
    cold = executed(cells, COLD, short / "a", odd)
    assert "hello from an import" in cold[0][0]
    assert "careful at import" in cold[1][0]
    assert executed(cells, provisioned(*MODULES), short / "b", odd) == cold


CELLS = ["print(1)\nimport os, sys\nprint('e', file=sys.stderr)\n2", "import matplotlib.pyplot as plt\nplt.plot([1]);"]


def test_kernels_of_other_programs(short: Path) -> None:
    warm = executed([*CELLS, "os.getppid()"], provisioned("numpy", "matplotlib.pyplot"), short / "a")
    assert warm[:2] == executed(CELLS, COLD, short / "b")
    assert any(str(template.pid) in warm[2][0] for template in TEMPLATES._known.values()), "it was forked"


def _warned(run: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run()
    return [str(item.message) for item in said if "started cold" in str(item.message)]


def test_another_kernel_is_started_cold_and_this_is_said_once(short: Path) -> None:
    spec = provisioned(argv=["env", *COLD.argv])
    first = _warned(lambda: executed(["print(1)"], spec, short / "a"))
    assert len(first) == 1
    assert "only ipykernel can be forked" in first[0]
    assert _warned(lambda: executed(["print(1)"], spec, short / "b")) == []


def test_without_fork_a_kernel_is_started_cold(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioner, "can_fork", lambda: False)
    found: list[Any] = []
    said = _warned(lambda: found.append(executed(["print(1)"], provisioned(), short / "a")))
    assert len(said) == 1
    assert "cannot fork" in said[0]
    assert "'1\\n'" in found[0][0][0]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_bench(tmp_path_factory.mktemp("runs") / "project")


@pytest.mark.parametrize("engine", FORKED)
def test_without_fork_a_run_has_a_kernel_of_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    monkeypatch.setattr(execute, "can_fork", lambda: False)
    done = bench.run(bench.write("plain", [GOOD]), engine)
    assert (done.record.verdict, done.record.engine) == ("complete", "kernel")


def _killing(bench: Bench, engine: Engine, times: int) -> tuple[Run, int]:
    """Runs a notebook and kills its template as often, each time in the midst of it; returns how often it began."""
    count = bench.project.folder / "count"
    count.write_text("")
    begun = f"import os, time\nos.write(os.open({str(count)!r}, os.O_APPEND | os.O_WRONLY), b'x')"
    path = bench.write("lost", [begun, "time.sleep(1.5)", GOOD])

    def kill() -> None:
        for number in range(1, times + 1):
            assert within(60, lambda number=number: len(count.read_text()) == number)
            (alive,) = (known.pid for known in TEMPLATES._known.values() if known.alive)
            os.kill(alive, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    done = bench.run(path, engine)
    killer.join(60)
    return done, len(count.read_text())


@pytest.mark.parametrize("engine", FORKED)
def test_a_template_that_dies_is_started_again_and_so_is_the_run(bench: Bench, engine: Engine) -> None:
    TEMPLATES.close()
    done, began = _killing(bench, engine, 1)
    assert (done.record.verdict, began) == ("complete", 2)
    assert done.record.engine == engine
    done, began = _killing(bench, engine, 2)
    assert (done.record.verdict, began) == ("killed", 2)
    assert done.record.failure is not None
    assert "the kernel died in code cell" in done.record.failure.message


OWNER = """
import os, sys, time
from pathlib import Path
from braggbook.kernels.warm import TEMPLATES
from braggbook.runs.shell import ShellProcess
template = TEMPLATES.get(python=Path(sys.executable), modules=[], variables=dict(os.environ))
shells = [ShellProcess(template, {"cwd": "/", "env": dict(os.environ)}) for _ in range(2)]
code = "import os; os.system('sleep 600 & setsid sleep 600 &'); print('begun', flush=True)"
for shell in shells:
    for message in shell.messages(deadline=time.monotonic() + 60):
        if "language_info" in message:
            shell.tell({"source": code, "count": 1})
        elif "ended" in message:
            break
print(template.pid, template._folder, flush=True)
if sys.argv[1] == "waits":
    time.sleep(600)
"""


@pytest.mark.parametrize("way", ["is killed", "is terminated", "is interrupted", "ends"])
def test_nothing_is_left_when_the_owner(way: str) -> None:
    command = [sys.executable, "-c", OWNER, "ends" if way == "ends" else "waits"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        below = children_of([int(pid)]) if way != "ends" else []
        assert len(below) == (6 if way != "ends" else 0)
        if way == "is interrupted":
            os.killpg(owner.pid, signal.SIGINT)  # as a terminal does, to all of its group
        elif way != "ends":
            owner.send_signal(signal.SIGKILL if way == "is killed" else signal.SIGTERM)
        owner.communicate(timeout=20)
    assert within(5, lambda: [p for p in (int(pid), *below) if psutil.pid_exists(p)], wanted=[])
    assert within(5, Path(folder).exists, wanted=False)


def test_a_template_that_is_gone_says_so() -> None:
    made = Template(python=PYTHON, modules=[], variables=os.environ)
    shell = Shell(made)
    os.kill(made.pid, signal.SIGKILL)
    assert shell.process.process.wait(10) == -signal.SIGKILL
    assert shell.process.process.template_died
    assert within(5, lambda: made.alive, wanted=False)
    with pytest.raises(KernelUnavailable, match="gone"):
        Shell(made)
    shell.process.close()
    made.close()


def test_an_interpreter_that_cannot_be_a_template(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 9\n")
    broken.chmod(0o755)
    for python, words in ((broken, "exit code 9"), (tmp_path / "none", "did not start")):
        with pytest.raises(KernelUnavailable, match=words):
            Template(python=python, modules=[], variables=os.environ)


class Gone:
    """A template that died a moment ago."""

    outputs: dict[int, list[Any]] = {}
    places: dict[str, Path] = {}
    asked = 0

    def fork(self, request: Any, files: Any) -> ForkedProcess:
        self.asked += 1
        raise KernelUnavailable("the template of a warm kernel is gone")


@pytest.mark.parametrize("engine", FORKED)
def test_a_template_that_is_gone_at_the_moment_of_forking(bench: Bench, engine: Engine) -> None:
    """The run is begun again; it is not started cold instead, where nobody would seed or bound it."""
    path = bench.write("again", ['import random\nimport braggbook as bb\nbb.result("x", random.random(), unit="1")'])
    usual = bench.execute(path, engine, seed=4)
    gone = Gone()
    done = run(bench.plan(path, seed=4), settings=bench.settings, engine=engine, shared=gone, force=True)  # type: ignore[arg-type]
    assert gone.asked == 1
    assert (done.record.verdict, done.record.engine, done.record.shared_cells) == ("complete", engine, 0)
    assert read_results(done.folder).results == usual.results


@pytest.fixture
def of_its_own(tmp_path: Path) -> dict[str, Any]:
    """What a template is got with that no other test has, with modules that are found in a folder."""
    (tmp_path / "calm.py").write_text("VALUE = 1\n")
    (tmp_path / "loud.py").write_text("print('hello')\n")
    return {"python": PYTHON, "modules": ["numpy"], "variables": {**os.environ, "PYTHONPATH": str(tmp_path)}}


def _after(wanted: dict[str, Any], code: str) -> str:
    """Returns what a cell prints in a child that then ends by itself."""
    with Shell(TEMPLATES.get(**wanted)) as shell:
        printed = shell.ask(code)
        shell.process.leave()
    return printed


LOADED = "import sys\nprint([name in sys.modules for name in ('calm', 'loud', 'wave', 'odd')])"


def test_it_learns_what_its_children_import(of_its_own: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "odd.py").touch()
    imports = "import importlib, os, sys\nos.chdir({!r})\nsys.path.insert(0, '')\n".format(str(tmp_path / "work"))
    imports += "for name in ('calm', 'loud', 'wave', 'odd'): importlib.import_module(name)"
    assert _after(of_its_own, imports) == "hello"
    assert _after(of_its_own, LOADED) == "[True, False, True, False]", "what prints is left to each child"
    assert _after(of_its_own, "import loud") == "hello"
    template = TEMPLATES.get(**of_its_own)
    assert tasks(template.pid) == 1
    assert template.left_out == {"loud": "prints or warns when it is imported"}


@pytest.mark.parametrize(
    "written", [b"[" * 200_000, b"{", b"\xff", b'[1, "a b", "os; x", "..", "wave"]', b'{"wave": 1}']
)
def test_what_a_child_says_that_it_learned_cannot_hurt(of_its_own: dict[str, Any], written: bytes) -> None:
    find = "news = [n for n in map(int, os.listdir('/proc/self/fd')) if os.path.exists(f'/proc/self/fd/{n}') and 'memfd:modules' in os.readlink(f'/proc/self/fd/{n}')]"
    write = f"import os\n{find}\nos.write(news[0], {written!r})\nos.set_blocking(news[0], False)\nos.close(news[0])\nprint(len(news))"
    before = TEMPLATES.get(**of_its_own)
    assert _after(of_its_own, write) == "1"
    assert _after(of_its_own, "print(6 * 7)") == "42"
    assert TEMPLATES.get(**of_its_own) is before


def test_what_is_edited_is_imported_anew(of_its_own: dict[str, Any], tmp_path: Path) -> None:
    first = TEMPLATES.get(**{**of_its_own, "modules": ["calm"]})
    assert TEMPLATES.get(**{**of_its_own, "modules": ["calm"]}) is first
    (tmp_path / "calm.py").write_text("VALUE = 22\n")
    assert TEMPLATES.ready(**{**of_its_own, "modules": ["calm"]}) is None
    assert _after({**of_its_own, "modules": ["calm"]}, "import calm\nprint(calm.VALUE)") == "22"


def test_what_is_installed_is_imported_anew(of_its_own: dict[str, Any], tmp_path: Path) -> None:
    (site := tmp_path / "site-packages").mkdir()
    (site / "added.py").write_text("VALUE = 1\n")
    of_its_own["variables"]["PYTHONPATH"] = str(site)
    assert _after(of_its_own, "import added\nprint(added.VALUE)") == "1"
    assert _after(of_its_own, "import added\nprint(added.VALUE)") == "1"
    (site / "added.py").unlink()  # what installers do
    (site / "added.py").write_text("VALUE = 2\n")
    assert _after(of_its_own, "import added\nprint(added.VALUE)") == "2"


def test_a_package_of_which_nothing_can_be_shared_is_left_out_as_a_whole() -> None:
    """ipywidgets asks for the notebook's shell; its dozens of modules are not found out one start at a time."""
    import pkgutil

    import ipywidgets

    inner = [one.name for one in pkgutil.iter_modules(ipywidgets.widgets.__path__, "ipywidgets.widgets.")]
    assert len(inner) > 30
    template = Template(python=PYTHON, modules=["json", *inner, "ipywidgets"], variables=os.environ)
    try:
        assert template.missing == []
        assert 0 < len(template.left_out) < 12
    finally:
        template.close()
