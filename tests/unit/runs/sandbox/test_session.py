"""A command inside comes to its end, whatever it does and whatever happens outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from braggbook.errors import KernelUnavailable
from braggbook.runs.sandbox.places import environment_places
from braggbook.runs.sandbox.session import Ending, Refused, best_meter, run_inside, watchdog
from braggbook.runs.sandbox.walls import Limits, Walls, python

pytestmark = pytest.mark.full

METERS = [best_meter, watchdog]


def _run(code: str, *, meter: Callable[[Limits], Any] = best_meter, **limits: Any) -> tuple[Ending, str]:
    said: list[bytes] = []
    bounds = Limits(**{"wall_s": 20, "memory_mb": 300, "processes": 40, "work_mb": 20, **limits})
    walls = Walls(environment_places(Path(python())), {"LANG": "C.UTF-8"}, bounds)
    ending = run_inside(walls, [python(), "-I", "-S", "-c", code], receive=said.append, meter=meter(bounds))
    return ending, b"".join(said).decode()


def _with(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(mark in word for word in process.info["cmdline"] or []):
            found.append(process.pid)
    return found


@pytest.mark.parametrize("meter", METERS)
def test_an_ordinary_end(meter: Any) -> None:
    ending, said = _run("import sys; print('done'); sys.stderr.write('words'); sys.exit(3)", meter=meter)
    assert (ending.cause, ending.code, said, ending.stderr) == ("ended", 3, "done\n", "words")
    assert 0 < ending.used.wall_s < 20
    assert not ending.out_of_memory
    assert "namespaces" in ending.layers


@pytest.mark.parametrize("meter", METERS)
def test_the_wall_clock(meter: Any) -> None:
    ending, _ = _run("import time; time.sleep(60)", meter=meter, wall_s=0.5)
    assert ending.cause == "wall clock"
    assert ending.used.wall_s < 5


@pytest.mark.parametrize("meter", METERS)
def test_processor_time_of_all_together(meter: Any) -> None:
    code = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    ending, _ = _run(code, meter=meter, cpu_s=2)
    assert ending.cause == "processor time"
    assert 2 < ending.used.cpu_s < 6


@pytest.mark.parametrize("meter", METERS)
@pytest.mark.parametrize(
    "code",
    [
        "import os, time\nfor _ in range(4):\n    if not os.fork():\n        x = bytearray(b'x') * (120 << 20); time.sleep(9)\nos.wait()\nos._exit(9)",
        "import mmap, os, time\nx = mmap.mmap(-1, 500 << 20)\nfor n in range(0, 500 << 20, 4096): x[n] = 1\ntime.sleep(9)",
    ],
)  # fmt: skip
def test_memory_of_all_together(meter: Any, code: str) -> None:
    ending, _ = _run(code, meter=meter)
    assert ending.cause == "memory"
    assert ending.out_of_memory
    assert ending.used.memory_mb < 700


@pytest.mark.parametrize("meter", METERS)
def test_files_are_memory(meter: Any) -> None:
    code = """
for place in ("/desk", "/tmp", "/dev/shm"):
    for n in range(90):
        open(f"{place}/{n}", "wb").write(bytes(1 << 20))
import time
time.sleep(1)
"""
    ending, _ = _run(code, meter=meter, work_mb=100, memory_mb=200)
    assert ending.cause == "memory"


def test_pages_that_forked_processes_share_count_once() -> None:
    code = "import os, time\nx = bytearray(b'x') * (150 << 20)\nfor _ in range(3):\n    if not os.fork():\n        break\ntime.sleep(1)"
    ending, _ = _run(code, meter=watchdog)
    assert ending.cause == "ended", ending
    assert 150 <= ending.used.memory_mb < 300


@pytest.mark.parametrize("meter", METERS)
def test_nothing_is_left(meter: Any) -> None:
    mark = f"left-{os.getpid()}-{time.monotonic_ns()}"
    code = f"import os, time\nmark = '{mark}'\nfor _ in range(3): os.fork(); os.setsid() if os.getpgrp() != os.getpid() else 0\nos._exit(0) if os.getpid() == 2 else time.sleep(60)"
    ending, _ = _run(code, meter=meter)
    assert ending.cause == "ended"
    assert _with(mark) == []


def test_what_is_refused_ends_it() -> None:
    def refuse(data: bytes) -> None:
        raise Refused("no")

    walls = Walls(environment_places(Path(python())), {}, Limits(wall_s=20))
    began = time.monotonic()
    command = [python(), "-I", "-S", "-c", "print(1, flush=True); import time; time.sleep(60)"]
    ending = run_inside(walls, command, receive=refuse)
    assert (ending.cause, str(ending.problem)) == ("refused", "no")
    assert time.monotonic() - began < 10


def test_walls_that_do_not_stand() -> None:
    walls = Walls({"/x": Path("/nowhere/at/all")}, {}, Limits())
    with pytest.raises(KernelUnavailable, match="does not start"):
        run_inside(walls, [python(), "-c", "print(1)"], receive=lambda data: None)


def test_all_ends_with_the_one_who_started_it() -> None:
    mark = f"orphan-{os.getpid()}-{time.monotonic_ns()}"
    code = f"""
import sys
from pathlib import Path
from braggbook.runs.sandbox.places import environment_places
from braggbook.runs.sandbox.session import run_inside
from braggbook.runs.sandbox.walls import Limits, Walls, python
walls = Walls(environment_places(Path(python())), {{}}, Limits(wall_s=60))
inner = [python(), "-I", "-S", "-c", "print(1, flush=True); import time; time.sleep(60)", "{mark}"]
run_inside(walls, inner, receive=lambda data: print("runs", flush=True))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"runs\n"
        assert len(_with(mark)) >= 2
        process.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while _with(mark) and time.monotonic() < end:
        time.sleep(0.05)
    assert _with(mark) == []


def test_the_program_for_inside_does_nothing_outside(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "braggbook.runs.sandbox.inside", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "only to be run inside the walls" in done.stderr
