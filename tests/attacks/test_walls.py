"""Attacks on the walls around a stranger's notebook: each fails, and each outcome is the one it should be."""

from __future__ import annotations

import ast
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from braggbook.runs.sandbox.run import Outcome
from braggbook.testing.experiments import write_experiment

from .conftest import RESULT, Arena

pytestmark = pytest.mark.full

BREAKOUTS = Path(__file__).with_name("breakouts.py")
_WORK_MB = 64


def _attempts() -> list[str]:
    tree = ast.parse(BREAKOUTS.read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name not in ("call", "read", "report")]


@dataclass
class Baits:
    """What lies outside, where the walls alone keep it."""

    told: dict[str, Any]
    sockets: dict[str, socket.socket]
    process: subprocess.Popen[bytes]

    def arrived(self) -> list[str]:
        return [name for name, here in self.sockets.items() if _arrived(here)]


@dataclass
class Told:
    """What the notebook of breakouts came to."""

    outcome: Outcome
    attempts: dict[str, tuple[bool, str]]
    arrived: list[str]
    bait_lives: bool


@contextmanager
def _baits(arena: Arena) -> Iterator[Baits]:
    token, mark = secrets.token_hex(16), f"bait-{secrets.token_hex(8)}"
    with ExitStack() as stack:
        public = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        public.chmod(0o755)
        labels = public / "labels.csv"  # that anybody may read
        labels.write_text(arena.secret, encoding="utf-8")
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("BRAGGBOOK_TEST_TOKEN", token)
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", mark])
        stack.callback(process.wait)
        stack.callback(process.kill)
        abstract, file = secrets.token_hex(8), f"{public}/socket"
        sockets = {
            "tcp": _socket(stack, socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "udp": _socket(stack, socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "abstract": _socket(stack, socket.AF_UNIX, socket.SOCK_STREAM, "\0" + abstract),
            "file": _socket(stack, socket.AF_UNIX, socket.SOCK_STREAM, file),
        }
        told = {
            "labels": str(labels), "secret": "#" + arena.secret, "token": token, "mark": mark, "pid": process.pid,
            "tcp": sockets["tcp"].getsockname()[1], "udp": sockets["udp"].getsockname()[1], "abstract": abstract,
            "socket_file": file, "work_mb": _WORK_MB, "python": sys.base_prefix, "venv": sys.prefix,
        }  # fmt: skip
        yield Baits(told, sockets, process)


def _socket(stack: ExitStack, family: int, kind: int, address: Any) -> socket.socket:
    here = stack.enter_context(socket.socket(family, kind))
    here.bind(address)
    here.setblocking(False)
    if kind == socket.SOCK_STREAM:
        here.listen()
    return here


def _arrived(here: socket.socket) -> bool:
    try:
        if here.type == socket.SOCK_DGRAM:
            return bool(here.recv(1))
        here.accept()[0].close()
        return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def told(arena: Arena) -> Told:
    """Runs all breakouts in one notebook."""
    with _baits(arena) as baits:
        code = [f"BAIT = {baits.told!r}", BREAKOUTS.read_text(encoding="utf-8"), 'report("told.json")']
        outcome, outputs = arena.run(code, work_mb=_WORK_MB)
        lives = baits.process.poll() is None
        arrived = baits.arrived()
    assert outcome.verdict == "complete", outcome
    found = json.loads((outputs / "told.json").read_text(encoding="utf-8"))
    return Told(outcome, {name: tuple(value) for name, value in found.items()}, arrived, lives)


@pytest.mark.parametrize("name", _attempts())
def test_a_breakout_is_held(told: Told, name: str) -> None:
    held, why = told.attempts[name]
    assert held, why


def test_nothing_arrived_outside(told: Told) -> None:
    assert told.arrived == []
    assert told.bait_lives
    assert len(_attempts()) >= 40


def test_the_same_breakouts_succeed_without_walls(arena: Arena) -> None:
    """An attempt that could not succeed anywhere would show nothing."""
    harmless = [
        "reads_labels", "scrapes_the_environment", "sends_a_datagram", "connects", "connects_to_an_abstract_socket",
        "connects_to_a_socket_file", "sees_host_processes", "listens", "hides_memory", "makes_a_user_namespace",
    ]  # fmt: skip
    with _baits(arena) as baits:
        source = BREAKOUTS.read_text(encoding="utf-8")
        source += f"\nATTEMPTS = [globals()[name] for name in {harmless}]\nreport('/dev/stdout')"
        done = subprocess.run(
            [sys.executable, "-c", f"BAIT = {baits.told!r}\n{source}"], capture_output=True, text=True, check=True
        )
        assert set(baits.arrived()) == {"tcp", "udp", "abstract", "file"}
    assert [name for name, (held, _) in json.loads(done.stdout).items() if held] == []


def _left(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(mark in word for word in process.info["cmdline"] or []) and process.pid != os.getpid():
            found.append(process.pid)
    return found


def _nothing_of_it(outcome: Outcome, outputs: Path) -> None:
    assert outcome.verdict not in ("complete", "platform"), outcome
    assert outcome.files == ()
    assert list(outputs.iterdir()) == []


def test_labels_are_not_found_where_the_inputs_are(arena: Arena) -> None:
    code = """
import os
names = [os.path.join(folder, name) for folder, _, names in os.walk("/braggbook/given") for name in names]
open("names.txt", "w").write(chr(10).join(names))
"""
    outcome, outputs = arena.run(code)
    assert outcome.verdict == "complete", outcome
    names = (outputs / "names.txt").read_text(encoding="utf-8")
    assert "inputs/cases.csv" in names
    assert "labels" not in names
    assert "not_listed" not in names
    assert (arena.inputs / "cases.csv").stat().st_mode & 0o777 == 0o600, "what is handed in is a copy"


def test_a_fork_bomb(arena: Arena) -> None:
    code = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
    outcome, outputs = arena.run(code, wall_s=8, processes=48)
    _nothing_of_it(outcome, outputs)
    assert outcome.verdict == "timed out"
    assert outcome.cell in (2, 3)  # every child is a copy of the kernel, and may say that its cell is done
    assert outcome.used.processes <= 48 + 3
    assert outcome.used.wall_s < 20


def test_a_memory_bomb_of_many_processes(arena: Arena) -> None:
    code = """
import os, time
for _ in range(16):
    if os.fork() == 0:
        held = bytearray(b"x") * (200 << 20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)
"""
    outcome, outputs = arena.run(code, memory_mb=700, wall_s=30)
    _nothing_of_it(outcome, outputs)
    assert outcome.used.memory_mb < 1400
    assert (outcome.verdict, outcome.kind) in {("killed", "memory"), ("timed out", "timeout"), ("killed", "kernel")}


def test_a_memory_bomb_of_one_process(arena: Arena) -> None:
    outcome, outputs = arena.run("x = bytearray(20 << 30)")
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.cell, outcome.line, outcome.exception) == ("failed", 2, 1, "MemoryError")


def test_an_endless_loop(arena: Arena) -> None:
    outcome, outputs = arena.run(["y = 1", "while True:\n    pass"], wall_s=8)
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.cell, outcome.kind) == ("timed out", 3, "timeout")
    assert outcome.used.wall_s < 12


def test_processor_time_is_counted_for_all_together(arena: Arena) -> None:
    code = """
import os
for _ in range(4):
    if os.fork() == 0:
        while True:
            pass
import time
time.sleep(60)
"""
    outcome, outputs = arena.run(code, cpu_s=5, wall_s=40)
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.kind) == ("timed out", "processor time")
    assert outcome.used.cpu_s < 10


def test_ten_gigabytes_of_output(arena: Arena) -> None:
    code = """
with open("predictions.csv", "wb") as stream:
    for _ in range(10_000):
        stream.write(bytes(1 << 20))
"""
    outcome, outputs = arena.run(code)
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.exception, outcome.line) == ("failed", "OSError", 4)


def test_outputs_that_are_larger_than_what_is_let_out(arena: Arena) -> None:
    outcome, outputs = arena.run('open("large.bin", "wb").write(bytes(20 << 20))', output_mb=16)
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.issues[0].what) == ("refused", "the outputs are too large together")


def test_many_small_files(arena: Arena) -> None:
    code = 'import os\nfor n in range(20_000):\n    open(f"{n}.csv", "w").close()'
    outcome, outputs = arena.run(code)
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.issues[0].what) == ("refused", "too many outputs")


@pytest.mark.parametrize(
    "code",
    [
        'os.symlink("/etc/passwd", "predictions.csv")',
        'os.symlink("/", "all")',
        'os.mkfifo("pipe")',
        'open("a\\nb.csv", "w")',
        'here = os.getcwd()\nfor _ in range(1500):\n    os.mkdir("d"); os.chdir("d")\nos.chdir(here)',
        'os.mkdir("shut"); open("shut/x", "w"); os.chmod("shut", 0)',
    ],
)
def test_outputs_that_are_no_plain_files(arena: Arena, code: str) -> None:
    outcome, outputs = arena.run(f"import os, socket\n{code}")
    _nothing_of_it(outcome, outputs)
    assert outcome.verdict == "refused"
    assert outcome.issues[0].where == "outputs", "its name could hold what nobody may see"


_FORGE = """
import glob, json, os, signal, struct
def part(kind, name, data):
    return struct.pack(">cHQ", kind, len(name), len(data)) + name + data
data = json.dumps({"verdict": "complete", "kind": None}).encode()
forged = part(b"F", b"../../escaped.csv", b"x") + part(b"F", b"scores.csv", b"case,score") + part(b"O", b"", data)
for path in glob.glob("/proc/[0-9]*/fd/*"):
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        continue
    try:
        os.write(handle, forged)
    except OSError:
        pass
"""


def test_a_forged_stream(arena: Arena) -> None:
    """As root nothing of it arrives; an ordinary user's first process can be written to, and its part is refused."""
    outcome, outputs = arena.run(_FORGE + "os.kill(os.getppid(), signal.SIGKILL)")
    _nothing_of_it(outcome, outputs)
    assert not list(arena.folder.rglob("escaped.csv"))
    assert outcome.verdict in ("killed", "refused")


def test_a_forged_outcome_file(arena: Arena) -> None:
    code = 'import json\njson.dump({"verdict": "complete", "scores": 1}, open("outcome.json", "w"))\n1 / 0'
    outcome, outputs = arena.run(code)
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.cell, outcome.line, outcome.exception) == ("failed", 2, 3, "ZeroDivisionError")


@pytest.mark.parametrize(
    "code",
    [
        "os.kill(os.getppid(), signal.SIGKILL)",
        "os.kill(-1, signal.SIGKILL)",
        "os.killpg(0, signal.SIGKILL)",
        "os._exit(0)",
        "os.kill(os.getppid(), signal.SIGSTOP); time.sleep(60)",
    ],
)
def test_killing_the_harness(arena: Arena, code: str) -> None:
    outcome, outputs = arena.run(f"import os, signal, time\n{code}", wall_s=8)
    _nothing_of_it(outcome, outputs)
    assert outcome.verdict in ("killed", "timed out")
    assert outcome.cell == 2


def test_processes_left_behind(arena: Arena) -> None:
    mark = f"stays-{secrets.token_hex(8)}"
    code = f"""
import subprocess, sys
code = "import os, time" + chr(10) + "for _ in range(3):" + chr(10) + "    os.fork(); os.setsid() if os.getpgrp() != os.getpid() else None"
code += chr(10) + "for _ in range(600):" + chr(10) + "    open('late.csv', 'a').write('x'); time.sleep(0.1)"
subprocess.Popen([sys.executable, "-c", code, "{mark}"], start_new_session=True)
import time
time.sleep(0.5)
"""
    outcome, outputs = arena.run(code)
    assert outcome.verdict == "complete", outcome
    assert _left(mark) == []
    size = (outputs / "late.csv").stat().st_size
    time.sleep(0.3)
    assert (outputs / "late.csv").stat().st_size == size


def test_changing_papermill_and_braggbook_from_inside(arena: Arena) -> None:
    code = """
import braggbook, sys
import braggbook.runs.sandbox.frames as frames
try:
    import papermill, nbclient
    papermill.execute_notebook = nbclient.NotebookClient.execute = lambda *a, **k: None
except ImportError:
    pass
frames.OUTCOME = b"F"
braggbook.result = lambda *a, **k: None
sys.modules["braggbook.runs.execute"] = None
open("/tmp/sitecustomize.py", "w").write("raise SystemExit")
open("/desk/papermill.py", "w").write("raise SystemExit")
open("/desk/json.py", "w").write("raise SystemExit")
1 / 0
"""
    outcome, outputs = arena.run(code)
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.cell, outcome.exception) == ("failed", 2, "ZeroDivisionError")


def test_an_exception_that_says_what_it_saw(arena: Arena) -> None:
    code = 'import braggbook as bb\nraise type("Case" + bb.load("inputs@1")["case"][0], (Exception,), {})(open("/proc/self/maps").read())'
    outcome, outputs = arena.run(code)
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.exception, outcome.line) == ("failed", "other", 2)
    assert "CaseA" not in repr(outcome)


def test_printing_without_end(arena: Arena) -> None:
    outcome, outputs = arena.run('line = "x" * (1 << 20)\nwhile True:\n    print(line)', wall_s=10)
    _nothing_of_it(outcome, outputs)
    assert outcome.verdict in ("timed out", "killed", "failed"), "what is not read fills the kernel's own memory"
    assert outcome.exception in (None, "MemoryError")


def _front(arena: Arena, text: str) -> Path:
    place = arena.folder / secrets.token_hex(4)
    place.mkdir()
    cells = [nbformat.v4.new_markdown_cell(f"---\n{text}\n---\n"), nbformat.v4.new_code_cell(RESULT)]
    path = place / "attack.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_a_front_matter_that_grows(arena: Arena) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    outcome, outputs = arena.submit(_front(arena, "\n".join([*lines, "title: *a9"])), wall_s=12, cpu_s=6)
    _nothing_of_it(outcome, outputs)


def test_a_front_matter_that_runs_code(arena: Arena) -> None:
    mark = arena.folder / "ran"
    outcome, outputs = arena.submit(_front(arena, f'title: !!python/object/apply:os.system ["touch {mark}"]'))
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.kind) == ("failed", "notebook")
    assert not mark.exists()


def test_a_dataset_that_is_not_handed_in(arena: Arena) -> None:
    front = {"datasets": ["truth@1"]}
    place = arena.folder / secrets.token_hex(4)
    outcome, outputs = arena.submit(write_experiment(place, "attack", code=[RESULT], front=front))
    _nothing_of_it(outcome, outputs)
    assert (outcome.verdict, outcome.kind) == ("failed", "notebook")


def test_an_honest_notebook(arena: Arena) -> None:
    """What the walls are for: it reads its inputs, computes, starts processes, and hands in its predictions."""
    code = """
import subprocess, sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
import braggbook as bb, matplotlib.pyplot as plt, numpy as np, pandas as pd, scipy.optimize
cases = bb.load("inputs@1")
fit = scipy.optimize.minimize(lambda x: (x - 2) ** 2, 0.0)
assert subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True).stdout == "42\\n"
with ThreadPoolExecutor(4) as pool:
    assert list(pool.map(abs, [-1, -2])) == [1, 2]
with ProcessPoolExecutor(2) as pool:
    assert list(pool.map(abs, [-1, -2])) == [1, 2]
plt.plot([1, 2]); plt.show()
import os
os.makedirs("masks")
np.save("masks/A.npy", np.ones((4, 4)))
pd.DataFrame({"case": cases["case"], "dose": fit.x[0]}).to_csv("predictions.csv", index=False)
"""
    outcome, outputs = arena.run([code, "!echo hello"], logs=True)
    assert outcome.verdict == "complete", (outcome, (outputs.parent / "logs" / "executed.ipynb").read_text())
    assert outcome.files == ("masks/A.npy", "predictions.csv")
    assert (outputs / "predictions.csv").read_text(encoding="utf-8").startswith("case,dose\nA,")
    assert {path.name for path in (outputs.parent / "logs").iterdir()} == {"executed.ipynb", "kernel.log", "stderr.log"}
    assert outcome.used.wall_s > 0
    assert outcome.used.cpu_s > 0
    assert outcome.used.memory_mb > 50
    assert outcome.used.processes > 3
