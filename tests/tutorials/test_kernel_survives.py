"""In a real kernel: whatever a student's function does there, the kernel goes on, and nothing of it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .walk import Student, student

pytestmark = pytest.mark.full

LESSON = """
import math
from braggbook.learn import Function, Lesson

LESSON = Lesson(
    title="T", minutes=1, goals=("g",),
    questions=(
        Function("q1", reference=lambda dose_gy: math.exp(-dose_gy), draw=lambda r: {"dose_gy": r.uniform(1, 2)},
                 limit_s=4, hints=("a", "b", "c")),
    ),
)
"""
SETTING = """
%matplotlib inline
import asyncio, logging, math, os, sys, threading, time
import ipywidgets, numpy as np
from IPython.display import display
from matplotlib import pyplot as plt
import braggbook as bb
logging.basicConfig(level=logging.INFO)
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
np.linalg.inv(np.eye(400))
bb.learn.begin("a_lesson.py")
"""
NOISE = {
    "print": "print('x' * 10**6)",
    "display": "display('shown')",
    "figure": "plt.plot([1, 2]); plt.show()",
    "widget": "ipywidgets.IntSlider()",
    "log": "logging.getLogger().warning('logged')",
    "program": "os.system('echo said; echo said >&2')",
    "loop": "asyncio.run(asyncio.sleep(0))",
    "algebra": "np.linalg.inv(np.eye(400) * 2)",
    "threads": "t = threading.Thread(target=math.exp, args=(1,)); t.start(); t.join()",
    "stream": "sys.__stdout__.write('written'); sys.__stdout__.flush()",
}
HARM = {
    "while True: pass": "not come to its end",
    "os.kill(os.getpid(), 9)": "SIGKILL",
    "os.abort()": "SIGABRT",
    "sys.exit()": "ends Python",
    "input('?')": "nobody to ask",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "a = np.ones((10**6, 10**4))": "MB of memory",
}


@pytest.fixture(scope="module")
def somebody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Student]:
    folder: Path = tmp_path_factory.mktemp("kernel")
    (folder / "a_lesson.py").write_text(LESSON, encoding="utf-8")
    with student(folder) as one:
        assert not one.run(SETTING).error
        yield one


@pytest.mark.parametrize("line", NOISE.values(), ids=NOISE)
def test_noise_is_not_shown_and_the_answer_is_right(somebody: Student, line: str) -> None:
    seen = somebody.run(f'def f(dose_gy):\n    {line}\n    return math.exp(-dose_gy)\n\n\nbb.learn.check("q1", f)')
    assert seen.shown == ["q1: ✓ Right."]
    assert not seen.printed
    assert not seen.error


@pytest.mark.parametrize(("line", "says"), HARM.items())
def test_harm_is_told_with_the_line_and_the_kernel_goes_on(somebody: Student, line: str, says: str) -> None:
    before = somebody.run("os.getpid(), threading.active_count()").shown
    verdict = somebody.run(f'def f(dose_gy):\n    {line}\n\n\nbb.learn.check("q1", f)').verdict("q1")
    assert verdict.startswith("q1: ✗ Not yet.")
    assert says in verdict
    assert somebody.run("os.getpid(), threading.active_count()").shown == before


def test_an_error_names_the_student_s_line(somebody: Student) -> None:
    code = 'def f(dose_gy):\n    share = 1 / (dose_gy - dose_gy)\n    return share\n\n\nbb.learn.check("q1", f)'
    assert "in the line `share = 1 / (dose_gy - dose_gy)`" in somebody.run(code).verdict("q1")


def test_interrupting_ends_the_child(somebody: Student) -> None:
    code = (
        "import _thread\n"
        "threading.Timer(0.3, _thread.interrupt_main).start()\n"
        "begun = time.monotonic()\n"
        "def f(dose_gy):\n    time.sleep(100)\n"
        'try:\n    bb.learn.check("q1", f)\nexcept KeyboardInterrupt:\n    pass\n'
        "time.monotonic() - begun"
    )
    assert float(somebody.run(code).shown[0]) < 3
