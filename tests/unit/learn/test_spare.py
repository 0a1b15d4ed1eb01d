"""The Python that is started ahead where a fork is not safe: it serves one order, and ends with the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from braggbook.learn import spare
from braggbook.learn.calling import call, prepare
from braggbook.learn.calls import Limits, Outcome, Work
from braggbook.learn.elsewhere import packed

pytestmark = pytest.mark.full
CALLS = [{"dose_gy": 1.0}]
LARGE = bytearray(200_000_000)


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    spare.end_waiting()


def process_of(dose_gy: float) -> float:
    return float(os.getpid())


def where_and_what(dose_gy: float) -> float:
    return float(os.environ["DOSE"]) + len(list(Path.cwd().iterdir()))


def loops(dose_gy: float) -> None:
    while True:
        pass


def leaves_no_exit(dose_gy: float) -> float:
    os._exit = lambda _: None  # type: ignore[assignment]
    return dose_gy


def uses_large(dose_gy: float) -> int:
    return len(LARGE)


def called(function: object, lesson: Path) -> list[Outcome]:
    assert callable(function)
    return call(function, Work(CALLS), Limits(seconds=0.5), lesson=f"{lesson}:q3", way="new python")


def waits() -> int:
    (found,) = spare.waiting()
    assert found.process.poll() is None
    return found.process.pid


def test_the_one_that_waits_answers_and_another_waits_then(lesson_path: Path) -> None:
    spare.start_ahead(str(lesson_path))
    first = waits()
    assert called(process_of, lesson_path)[0].value == first
    second = waits()
    assert second != first
    assert called(process_of, lesson_path)[0].value == second  # each serves one function alone


def test_a_lesson_that_was_changed_is_read_anew(lesson_path: Path) -> None:
    spare.start_ahead(str(lesson_path))
    before = waits()
    lesson_path.write_text(lesson_path.read_text() + "\n# changed\n")
    assert called(process_of, lesson_path)[0].value != before


def test_one_that_has_died_is_replaced(lesson_path: Path) -> None:
    spare.start_ahead(str(lesson_path))
    spare.waiting()[0].process.kill()
    spare.waiting()[0].process.wait()
    assert called(process_of, lesson_path)[0].kind == "value"


def test_it_works_in_the_folder_and_the_environment_of_the_check(
    lesson_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare.start_ahead(str(lesson_path))
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    monkeypatch.setenv("DOSE", "3")
    assert called(where_and_what, lesson_path)[0].value == 3.0


def test_limits_hold_and_the_next_one_is_as_good(lesson_path: Path) -> None:
    assert called(loops, lesson_path)[-1].kind == "time"
    assert called(leaves_no_exit, lesson_path)[0].value == 1.0
    assert called(uses_large, lesson_path)[0].shown.startswith("NameError")
    assert "LARGE" not in packed(uses_large)["values"]


def test_it_ends_with_the_kernel_however_that_ends(lesson_path: Path) -> None:
    program = (
        "import os, sys; from braggbook.learn import spare\n"
        f"spare.start_ahead({str(lesson_path)!r}); print(spare.waiting()[0].process.pid, flush=True)\n"
        "if sys.argv[1] == 'killed': os.kill(os.getpid(), 9)\n"
    )
    for how in ("killed", "at its end"):
        done = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=False)
        assert _gone(int(done.stdout)), how


def _gone(process: int) -> bool:
    for _ in range(400):
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_where_a_fork_is_safe_none_is_started(lesson_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    prepare(str(lesson_path))
    assert not spare.waiting()
    monkeypatch.setattr(sys, "platform", "darwin")
    prepare(str(lesson_path))
    assert waits()
