"""Functions where a fork is not safe: in a new Python by their source, and in counted steps."""

from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from braggbook.learn import child
from braggbook.learn.calling import call, way_here
from braggbook.learn.calls import Limits, Outcome, Work
from braggbook.learn.elsewhere import NoSourceError, packed
from braggbook.learn.lesson import load_lesson

FACTOR = 2.0
CALLS = [{"dose_gy": 1.0}, {"dose_gy": 2.0}]
QUICK = Limits(seconds=0.5, megabytes=64, steps=20_000)


def helper(x: float) -> float:
    return FACTOR * x


def uses_all(dose_gy: float, power: float = FACTOR) -> float:
    return helper(math.exp(-dose_gy)) ** power


def loop(dose_gy: float) -> None:
    while True:
        pass


def prints(dose_gy: float) -> float:
    for _ in range(1000):
        sys.stdout.write("x" * 1000)
    return dose_gy


def calls_itself(dose_gy: float) -> Any:
    return calls_itself(dose_gy)


def outcomes(function: Any, way: Any, lesson: Path, *, calls: Any = CALLS) -> list[Outcome]:
    return call(function, Work(calls), QUICK, lesson=f"{lesson}:q3", way=way)


@pytest.mark.full
@pytest.mark.parametrize("way", ["fork", "new python", "steps"])
def test_every_way_gives_the_same(way: Any, lesson_path: Path) -> None:
    offset = 3.0

    def inner(dose_gy: float) -> Any:
        return [offset + dose_gy, math.pi]

    assert [o.value for o in outcomes(uses_all, way, lesson_path)] == [uses_all(**call) for call in CALLS]
    assert [o.value for o in outcomes(inner, way, lesson_path)] == [inner(**call) for call in CALLS]
    assert outcomes(loop, way, lesson_path)[-1].kind in ("time", "steps")
    assert [o.value for o in outcomes(prints, way, lesson_path)] == [1.0, 2.0]
    assert "calls itself" in outcomes(calls_itself, way, lesson_path)[-1].shown
    assert outcomes(lambda dose_gy: sys.exit(1), "steps", lesson_path)[-1].shown.startswith("SystemExit")


@pytest.mark.full
def test_a_new_python_may_die_and_may_fork(lesson_path: Path) -> None:
    def dies(dose_gy: float) -> None:
        os._exit(3)

    def forks(dose_gy: float) -> float:
        os.fork()
        return dose_gy

    assert outcomes(dies, "new python", lesson_path)[-1] == Outcome("died", shown="exit code 3")
    assert [o.value for o in outcomes(forks, "new python", lesson_path)] == [1.0, 2.0]


def test_what_is_odd_about_a_function_does_not_matter() -> None:
    def wrapped(dose_gy: float) -> float:
        return odd if dose_gy else dose_gy  # type: ignore[return-value]

    class Odd:
        def __reduce__(self) -> Any:
            while True:
                pass

        __class__ = property(__reduce__)  # type: ignore[assignment]

    odd = Odd()
    assert packed(wrapped)["values"] == {}
    renamed = functools.wraps(math.exp)(wrapped)
    assert renamed.__name__ == "exp"
    del renamed.__wrapped__  # type: ignore[attr-defined]
    assert packed(renamed)["name"] == "wrapped"
    kept = functools.lru_cache(helper)
    assert outcomes(kept, "new python", Path("none"))[0].kind == "source"


@pytest.mark.full
def test_invariants_are_asked_in_a_new_python_too(lesson_path: Path) -> None:
    question = load_lesson(lesson_path).question("q3")
    calls = [{"dose_gy": 1.0, "alpha_per_gy": 0.3}]
    work = Work(calls, [each.holds for each in question.invariants])  # type: ignore[attr-defined]

    def rises(dose_gy: float, alpha_per_gy: float) -> float:
        return dose_gy

    found = call(rises, work, QUICK, lesson=f"{lesson_path}:q3", way="new python")
    assert [each.kind for each in found] == ["value", "broken"]


def test_a_function_without_source_is_told_of(lesson_path: Path) -> None:
    space: dict[str, Any] = {}
    exec("def f(dose_gy): return dose_gy", space)
    assert outcomes(space["f"], "new python", lesson_path)[0].kind == "source"
    assert outcomes(lambda dose_gy: dose_gy, "new python", lesson_path) == [
        Outcome("source", shown="write it with `def`")
    ]
    with pytest.raises(NoSourceError):
        packed(math.sin)


def test_what_a_function_needs_goes_with_it() -> None:
    found = packed(uses_all)
    assert found["modules"] == {"math": "math"}
    assert set(found["values"]) >= {"FACTOR"}
    assert ["def helper" in source for source in found["sources"]] == [True, False]


def test_steps_stop_a_loop_and_leave_tracing_as_it_was(lesson_path: Path) -> None:
    before = sys.gettrace()
    assert outcomes(loop, "steps", lesson_path) == [Outcome("steps")]
    assert sys.gettrace() is before


def test_steps_hand_over_copies_of_inputs(lesson_path: Path) -> None:
    calls = [{"values": [1.0, 2.0]}]

    def takes(values: list[float]) -> float:
        values.clear()
        return 1.0

    outcomes(takes, "steps", lesson_path, calls=calls)
    assert calls == [{"values": [1.0, 2.0]}]


def test_the_way_is_the_safest_that_a_system_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform, way in (
        ("linux", "fork"),
        ("darwin", "new python"),
        ("win32", "new python"),
        ("emscripten", "steps"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        assert way_here() == way
    assert child.can_fork() is False


@pytest.mark.full
def test_functions_of_a_notebook_have_source(lesson_path: Path, progress_folder: Path) -> None:
    """In IPython, where `inspect` finds cells through `linecache`."""
    program = textwrap.dedent(f"""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.run_cell("import math\\nK = 1.0")
        shell.run_cell("def f(dose_gy, alpha_per_gy):\\n    return K * math.exp(-alpha_per_gy * dose_gy)")
        shell.run_cell("from braggbook import learn; from braggbook.learn import functions, calling; import functools")
        shell.run_cell("functions.call = functools.partial(calling.call, way='new python')")
        shell.run_cell("learn.begin({str(lesson_path)!r}); print(learn.check('q3', f))")
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert "q3: ✓ Right" in done.stdout
