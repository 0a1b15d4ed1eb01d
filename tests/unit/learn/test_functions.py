"""Functions of students, called in a forked child: whatever they do, the notebook goes on and they are told."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from braggbook import learn
from braggbook.learn.base import Asked
from braggbook.learn.child import can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="no fork on this system")


def right(dose_gy: float, alpha_per_gy: float) -> float:
    return math.exp(-alpha_per_gy * dose_gy)


def loop(dose_gy: float, alpha_per_gy: float) -> None:
    while True:
        pass


def sleeps(dose_gy: float, alpha_per_gy: float) -> None:
    time.sleep(100)


def holds_on(dose_gy: float, alpha_per_gy: float) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGXCPU"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    while True:
        try:
            time.sleep(1)
        except BaseException:
            continue


def grows(dose_gy: float, alpha_per_gy: float) -> None:
    kept = []
    while True:
        kept.append(bytearray(1 << 22))


def calls_itself(dose_gy: float, alpha_per_gy: float) -> Any:
    return calls_itself(dose_gy, alpha_per_gy)


def kills_itself(dose_gy: float, alpha_per_gy: float) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leaves(dose_gy: float, alpha_per_gy: float) -> None:
    os._exit(7)


def exits(dose_gy: float, alpha_per_gy: float) -> None:
    sys.exit(3)


def asks(dose_gy: float, alpha_per_gy: float) -> float:
    return float(input("dose?"))


def gives_lambda(dose_gy: float, alpha_per_gy: float) -> Any:
    return lambda: 3


def gives_much(dose_gy: float, alpha_per_gy: float) -> Any:
    return [0.123456789] * 900_000


def no_return(dose_gy: float, alpha_per_gy: float) -> None:
    math.exp(-alpha_per_gy * dose_gy)


def divides(dose_gy: float, alpha_per_gy: float) -> float:
    return 1 / (dose_gy - dose_gy)


def odd_error(dose_gy: float, alpha_per_gy: float) -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise ValueError

    raise OddError


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (loop, "not come to its end after 0.5 s"),
        (sleeps, "not come to its end"),
        (holds_on, "not come to its end"),
        (grows, "more than 64 MB"),
        (calls_itself, "calls itself"),
        (kills_itself, "ends the process in which it runs (SIGKILL). Your notebook is not harmed."),
        (leaves, "exit code 7"),
        (exits, "ends Python"),
        (asks, "nobody to ask"),
        (gives_lambda, "no number but function"),
        (gives_much, "far more"),
        (no_return, "`return`"),
        (divides, "ZeroDivisionError"),
        (odd_error, "OddError"),
        (lambda dose_gy, alpha_per_gy: float("nan"), "NaN"),
        (lambda dose_gy, alpha_per_gy: "1", "no number but str"),
        (lambda dose_gy, alpha_per_gy: [1.0, 2.0], "gives an array of 2; asked is one number"),
        (lambda dose_gy, alpha_per_gy: 0.7 * right(dose_gy, alpha_per_gy), "which is not right"),
        (lambda dose_gy, alpha_per_gy: math.exp(alpha_per_gy * dose_gy), "Survival falls."),
        (lambda dose_gy, alpha_per_gy: 100 * right(dose_gy, alpha_per_gy), "percent"),
        (lambda dose_gy, alpha_per_gy: dose_gy, "More dose, fewer cells."),
        (lambda dose: dose, "The function takes (dose); it is called with (dose_gy, alpha_per_gy), by these names."),
        (0.5, "the function itself"),
    ],
)
def test_each_misfortune_is_told(lesson: Path, function: Any, says: str) -> None:
    begun = time.monotonic()
    verdict = learn.check("q3", function)
    assert verdict.state == "wrong"
    assert says in verdict.message
    assert time.monotonic() - begun < 30


def test_a_right_function_is_right_however_much_it_prints(lesson: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def prints(dose_gy: float, alpha_per_gy: float) -> float:
        for _ in range(500):
            sys.stdout.write("x" * 5000)
            os.write(1, b"y" * 5000)
        sys.stderr.write("z")
        return right(dose_gy, alpha_per_gy)

    assert learn.check("q3", prints)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("deep", [False, True])
def test_what_a_function_forks_neither_answers_nor_stays(lesson: Path, tmp_path: Path, deep: bool) -> None:
    mark = tmp_path / "pid"

    def forks(dose_gy: float, alpha_per_gy: float) -> float:
        if os.fork() == 0 and deep:
            mark.with_suffix(".new").write_text(str(os.getpid()))
            mark.with_suffix(".new").replace(mark)  # never half written
            time.sleep(1000)
        while deep and not mark.is_file():
            time.sleep(0.01)
        return right(dose_gy, alpha_per_gy)

    assert learn.check("q3", forks)
    if deep:
        assert _gone(int(mark.read_text()))


def _gone(process: int) -> bool:
    for _ in range(100):
        try:
            os.kill(process, 0)
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_no_child_and_no_open_file_is_left(lesson: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for function in (right, loop, kills_itself, gives_much):
        learn.check("q3", function)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_nothing_that_waits_for_the_end_of_the_kernel_runs_in_the_child(lesson: Path, tmp_path: Path) -> None:
    program = (
        "import atexit, sys\n"
        "from braggbook import learn\n"
        "atexit.register(print, 'the end')\n"
        f"learn.begin({str(lesson)!r})\n"
        "print('begun')\n"  # stays in the buffer of a pipe, and would come twice
        "def f(dose_gy, alpha_per_gy): return 1.0\n"
        "learn.check('q3', f)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "begun\nthe end\n"


def test_the_function_cannot_change_the_notebook(lesson: Path) -> None:
    counter: list[int] = []

    def counts(dose_gy: float, alpha_per_gy: float) -> float:
        counter.append(1)
        return right(dose_gy, alpha_per_gy)

    assert learn.check("q3", counts)
    assert counter == []


def test_inputs_are_fresh_and_can_be_repeated(lesson: Path) -> None:
    def wrong(dose_gy: float, alpha_per_gy: float) -> float:
        return 0.7 * right(dose_gy, alpha_per_gy)

    said = {learn.check("q3", wrong).message for _ in range(5)}
    assert len(said) > 1
    first = learn.check("q3", wrong)
    seed = int(first.message.rpartition("seed=")[2].rstrip(")"))
    again = learn.check("q3", wrong, seed=seed)
    assert again.message == first.message
    assert f'bb.learn.check("q3", wrong, seed={seed})' in first.message


def test_the_value_wanted_is_never_told(lesson: Path) -> None:
    for seed in range(20):
        verdict = learn.check("q3", lambda dose_gy, alpha_per_gy: 0.123, seed=seed)
        inputs = dict(part.split("=") for part in verdict.message.split("With ")[1].split(" the")[0].split(", "))
        wanted = right(float(inputs["dose_gy"]), float(inputs["alpha_per_gy"]))
        assert f"{wanted:.4g}" not in verdict.message


@pytest.mark.parametrize("body", ["...", "return ...", "pass", "'''Says what.'''", "raise NotImplementedError"])
def test_a_skeleton_is_not_answered_yet(lesson: Path, body: str) -> None:
    space: dict[str, Callable[..., Any]] = {}
    exec(f"def f(dose_gy, alpha_per_gy):\n    {body}\n", space)
    assert learn.check("q3", space["f"]).state == "unanswered"


def test_another_unit_may_be_returned() -> None:
    question = learn.Function(
        "q1",
        reference=lambda dose_gy: 2 * dose_gy,
        draw=lambda r: {"dose_gy": r.uniform(1, 2)},
        unit="Gy",
        hints=("a", "b", "c"),
    )
    assert question.judge(lambda dose_gy: 200 * dose_gy, Asked("cGy"))
    assert "looks like cGy" in question.judge(lambda dose_gy: 200 * dose_gy, Asked()).message


def test_an_invariant_finds_what_the_random_inputs_miss(lesson_path: Path) -> None:
    question = learn.Function(
        "q1",
        reference=lambda dose_gy: math.exp(-dose_gy),
        draw=lambda r: {"dose_gy": r.uniform(1, 2)},
        invariants=(learn.Invariant("Without dose all survive.", holds=lambda f, r: f(dose_gy=0.0) == 1.0),),
        hints=("a", "b", "c"),
    )
    assert not list(question.faults())
    verdict = question.judge(lambda dose_gy: math.exp(-dose_gy) if dose_gy else 0.0, Asked())
    assert verdict.message.startswith("Without dose all survive.")
    verdict = question.judge(lambda dose_gy: math.exp(-dose_gy) * dose_gy / dose_gy, Asked())
    assert "ZeroDivisionError" in verdict.message


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"draw": lambda r: 1 / 0}, "draw: ZeroDivisionError"),
        ({"draw": lambda r: {"other": 1}}, "reference: TypeError"),
        ({"cases": 0}, "at least 1"),
        ({"unit": "grays"}, "unit"),
        ({"slips": (learn.Slip(value=lambda x: 2 * x, says="same"),)}, "same values as reference"),
        (
            {"slips": (learn.Slip(value=lambda x: x, says="a"), learn.Slip(value=lambda x: 1.0 * x, says="b"))},
            "slip 'b' has",
        ),
        ({"invariants": (learn.Invariant("no", holds=lambda f, r: False),)}, "does not hold for the reference"),
        ({"invariants": (learn.Invariant("no", holds=lambda f, r: f()),)}, "TypeError"),
    ],
)
def test_a_question_that_is_wrong_itself_is_found(more: dict[str, Any], fault: str) -> None:
    parts = {"reference": lambda x: 2 * x, "draw": lambda r: {"x": r.uniform(1, 2)}, "hints": ("a", "b", "c"), **more}
    assert fault in "\n".join(learn.Function("q1", **parts).faults())
