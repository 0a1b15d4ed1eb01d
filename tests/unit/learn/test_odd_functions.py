"""Functions of a bored student, called in a child: beside what test_functions.py has."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from braggbook import learn
from braggbook.errors import BraggbookError, InputError
from braggbook.learn import calling
from braggbook.learn.calls import Limits, Outcome, Work, from_line
from braggbook.learn.child import can_fork
from braggbook.learn.session import _open

pytestmark = pytest.mark.skipif(not can_fork(), reason="no fork on this system")


class Own(BaseException):
    pass


def right(dose_gy: float, alpha_per_gy: float) -> float:
    return math.exp(-alpha_per_gy * dose_gy)


def closes_files(dose_gy: float, alpha_per_gy: float) -> float:
    os.closerange(0, 200)
    return right(dose_gy, alpha_per_gy)


def writes_everywhere(dose_gy: float, alpha_per_gy: float) -> float:
    for file in range(3, 200):
        try:
            os.write(file, b'{"kind": "evil"}\n[]\n' + b"x" * 1000)
        except OSError:
            continue
    return right(dose_gy, alpha_per_gy)


def floods(dose_gy: float, alpha_per_gy: float) -> None:
    while True:
        for file in range(3, 100):
            try:
                os.write(file, b"x" * 65536)
            except OSError:
                continue


def forks_on(dose_gy: float, alpha_per_gy: float) -> None:
    for _ in range(80):  # no real bomb: were it not stopped, this would end by itself
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
    time.sleep(30)


def total(doses: list[float]) -> float:
    return sum(doses)


def threads(dose_gy: float, alpha_per_gy: float) -> float:
    thread = threading.Thread(target=time.sleep, args=(0.01,))
    thread.start()
    thread.join()
    return right(dose_gy, alpha_per_gy)


def patches(dose_gy: float, alpha_per_gy: float) -> float:
    math.exp = lambda _: 1.0  # type: ignore[assignment]
    random.Random.uniform = lambda *_: 0.0  # type: ignore[method-assign]
    os._exit = lambda _: None  # type: ignore[assignment]
    return math.exp(-alpha_per_gy * dose_gy)


def checks_itself(dose_gy: float, alpha_per_gy: float) -> float:
    learn.check("q1", 3.0)
    return float(bool(learn.check("q3", checks_itself)))


def overflows_the_stack(dose_gy: float, alpha_per_gy: float) -> Any:
    sys.setrecursionlimit(10**9)
    found: Any = []
    for _ in range(200_000):
        found = [found]
    return repr(found)


def generates(dose_gy: float, alpha_per_gy: float) -> Iterator[float]:
    yield right(dose_gy, alpha_per_gy)


async def waits(dose_gy: float, alpha_per_gy: float) -> float:
    return right(dose_gy, alpha_per_gy)


def positional(dose_gy: float, /, alpha_per_gy: float) -> float:
    return right(dose_gy, alpha_per_gy)


def any_names(**given: float) -> float:
    return right(**given)


def raises_own(dose_gy: float, alpha_per_gy: float) -> None:
    raise Own("<b>bold</b>\ud800")


def interrupts(dose_gy: float, alpha_per_gy: float) -> None:
    raise KeyboardInterrupt


def counts_for_ever(dose_gy: float, alpha_per_gy: float) -> Any:
    class Slow:
        def __float__(self) -> float:
            while True:
                pass

        tolist = __repr__ = __float__  # type: ignore[assignment]

    return Slow()


class Callable:
    __name__ = 7

    def __call__(self, dose_gy: float, alpha_per_gy: float) -> float:
        return 0.7 * right(dose_gy, alpha_per_gy)


def names_long(dose_gy: float, alpha_per_gy: float) -> float:
    return 0.7 * right(dose_gy, alpha_per_gy)


names_long.__name__ = "x" * 10_000


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (closes_files, "ends the process"),
        (writes_everywhere, "writes into files that it did not open"),
        (floods, "far more than is asked for"),
        (patches, "gives 1.0, which is not right"),
        (checks_itself, "cannot use bb.learn itself"),
        (generates, "no number but generator"),
        (waits, "no number but coroutine"),
        (positional, "The function takes ("),
        (raises_own, "Own: <b>bold</b>\ufffd"),
        (interrupts, "KeyboardInterrupt"),
        (Callable(), 'check("q3", f, seed='),
        (names_long, 'check("q3", f, seed='),
        (lambda dose_gy, alpha_per_gy: [[[[1.0]]]] * 2, "array of 2 x 1 x 1 x 1"),
        (lambda dose_gy, alpha_per_gy: range(10**12), "far more"),
        (lambda dose_gy, alpha_per_gy: np.broadcast_to(1.0, (10**9,)), "far more"),
        (lambda dose_gy, alpha_per_gy: 10**400, "infinite"),
        (lambda dose_gy, alpha_per_gy: 1j, "no number but complex"),
        (lambda dose_gy, alpha_per_gy: True, "no number but bool"),
        (lambda dose_gy, alpha_per_gy: {"a": 1}, "no number but dict"),
        (type("Class", (), {}), "takes ()"),
        (print, "The function takes (*args"),
    ],
    ids=lambda value: (
        getattr(value, "__name__", "")[:30] if callable(value) and not isinstance(value, Callable) else ""
    ),
)
def test_each_misfortune_is_told(lesson: Path, function: Any, says: str) -> None:
    exp, uniform = math.exp, random.Random.uniform
    verdict = learn.check("q3", function)
    assert verdict.state == "wrong"
    assert says in verdict.message
    assert "<b>" not in verdict._repr_html_()
    assert len(verdict.message) < 1000
    assert (math.exp, random.Random.uniform) == (exp, uniform)
    assert "q3: 1 attempt," in str(learn.progress())
    assert "q1: open" in str(learn.progress())


def with_time(function: Any) -> list[Outcome]:
    """What comes of a function that has far more time than it needs, however slow the machine is."""
    work = Work([{"dose_gy": 1.0, "alpha_per_gy": 0.3}])
    return calling.call(function, work, Limits(seconds=60), lesson=f"{_open[0].lesson.file}:q3")


def test_a_function_that_forks_on_and_on_is_stopped(lesson: Path) -> None:
    assert with_time(forks_on) == [Outcome("processes")]


@pytest.mark.full
def test_a_stack_that_overflows_takes_the_child_alone(lesson: Path) -> None:
    assert with_time(overflows_the_stack)[0].kind == "died"


@pytest.mark.full
def test_what_never_comes_to_be_a_number_is_none(lesson: Path) -> None:
    assert with_time(counts_for_ever) == [Outcome("other", shown="Slow: something that cannot be shown")]


def test_any_names_and_numpys_numbers_are_right(lesson: Path) -> None:
    assert learn.check("q3", any_names)
    assert learn.check("q3", threads)
    assert learn.check("q3", lambda dose_gy, alpha_per_gy: np.array([np.exp(-alpha_per_gy * dose_gy)])[0])


def test_a_log_of_the_kernel_is_out_of_reach(lesson: Path, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:  # as a shell that redirects opens it
        number = log.fileno()

        def writes(dose_gy: float, alpha_per_gy: float) -> float:
            os.write(number, b"from the child")
            return right(dose_gy, alpha_per_gy)

        assert learn.check("q3", writes)
    assert (tmp_path / "log").read_bytes() == b""


def test_the_kernels_sockets_are_out_of_reach_and_its_files_are_not(lesson: Path, tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    file = (tmp_path / "data.txt").open("w+")
    file.write("1.0")
    file.flush()

    def reaches(dose_gy: float, alpha_per_gy: float) -> float:
        os.write(ours.fileno(), b"from the child")
        return float(os.pread(file.fileno(), 10, 0)) * right(dose_gy, alpha_per_gy)

    with ours, theirs, file:
        assert learn.check("q3", reaches)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
        ours.send(b"still open")
        assert theirs.recv(100) == b"still open"


def test_an_event_loop_that_runs_is_not_disturbed(lesson: Path) -> None:
    async def checks() -> tuple[bool, float]:
        verdict = learn.check("q3", right)
        await asyncio.sleep(0.01)
        return bool(verdict), 1.0

    assert asyncio.run(checks()) == (True, 1.0)


def test_inputs_that_are_changed_are_changed_in_the_child_alone(lesson: Path) -> None:
    question = learn.Function(
        "q1", reference=total, draw=lambda r: {"doses": [r.uniform(1, 2) for _ in range(3)]},
        hints=("a", "b", "c"),
    )  # fmt: skip

    def takes(doses: list[float]) -> float:
        found = sum(doses)
        doses.clear()
        return found

    from braggbook.learn.base import Asked

    assert question.judge(takes, Asked())


@pytest.mark.parametrize(
    "line", [b"", b"x", b"[]", b"3", b'{"kind": "evil"}', b'{"kind": "value", "shown": 3}', b"[" * 100_000, b"\xff"]
)
def test_lines_that_are_no_outcome(line: bytes) -> None:
    assert from_line(line).kind == "died"


def test_values_that_are_forged_are_no_numbers(lesson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from braggbook.learn import functions

    for value in ("x", {"a": 1}, [[1.0], [1.0, 2.0]], None, [None], True, [[[]]]):
        monkeypatch.setattr(functions, "call", lambda *_, value=value, **__: [Outcome("value", value=value)] * 6)
        assert learn.check("q3", right).state == "wrong"
    monkeypatch.setattr(functions, "call", lambda *_, **__: [])
    assert learn.check("q3", right).state == "wrong"
    monkeypatch.setattr(functions, "call", lambda *_, **__: [Outcome("processes")])
    assert "starts process after process" in learn.check("q3", right).message


def test_where_no_process_can_be_started_it_is_said(lesson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    files = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(os, "fork", refuses)
    with pytest.raises(BraggbookError, match="no process could be started"):
        learn.check("q3", right)
    assert len(list(Path("/proc/self/fd").iterdir())) == files


def test_in_steps_a_function_cannot_check_itself_either(lesson: Path) -> None:
    (found,) = calling.call(
        lambda: learn.check("q1", 2.0), Work([{}]), Limits(), lesson=f"{_open[0].lesson.file}:q3",
        way="steps",
    )  # fmt: skip
    assert "cannot use bb.learn" in found.shown
    _open.clear()
    with pytest.raises(InputError, match="no lesson"):
        learn.check("q1", 2.0)


def test_garbage_is_not_collected_in_the_child(lesson: Path, tmp_path: Path) -> None:
    class Writes:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            (tmp_path / f"{os.getpid()}").write_text("collected")

    gc.disable()
    try:
        Writes()

        def collects(dose_gy: float, alpha_per_gy: float) -> float:
            gc.collect()
            return right(dose_gy, alpha_per_gy)

        assert learn.check("q3", collects)
        assert not list(tmp_path.glob("[0-9]*"))
    finally:
        gc.enable()
