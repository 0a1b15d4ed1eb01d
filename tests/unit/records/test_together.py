"""One bar for several files, and one failure that stops all of them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from braggbook.formats.record import PlanFile
from braggbook.progress import Callback, Progress
from braggbook.records.deposit import Stopped, Together


def a_file(name: str, size: int) -> PlanFile:
    return PlanFile(name=name, sha256="0" * 64, md5="0" * 32, bytes=size)


def seen() -> tuple[list[int], Progress]:
    steps: list[int] = []
    return steps, Callback(lambda title, done, total, note: steps.append(done))


def test_what_the_files_have_done_is_added_up() -> None:
    steps, progress = seen()
    together = Together(progress)
    one, two = together.one(), together.one()
    for part, done in ((one, 10), (two, 5), (one, 20), (two, 50)):
        part.step(done, "")
    assert steps == [10, 15, 25, 70]


def test_a_file_that_begins_anew_is_not_counted_twice() -> None:
    steps, progress = seen()
    part = Together(progress).one()
    for done in (10, 20, 5, 20):
        part.step(done, "")
    assert steps == [10, 20, 5, 20]


def test_threads_lose_no_step() -> None:
    steps, progress = seen()
    together = Together(progress)

    def work(file: PlanFile, part: Progress) -> None:
        for done in range(file.bytes):
            part.step(done + 1, file.name)

    threads = [threading.Thread(target=together.run, args=(work, a_file(str(n), 200))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps == sorted(steps)
    assert steps[-1] == 8 * 200


def test_after_a_failure_no_file_begins_or_goes_on() -> None:
    together = Together(seen()[1])
    other = together.one()
    begun: list[Any] = []

    def fails(file: PlanFile, part: Progress) -> None:
        raise ValueError(file.name)

    with pytest.raises(ValueError, match=r"^a$"):
        together.run(fails, a_file("a", 1))
    with pytest.raises(Stopped):
        together.run(lambda file, part: begun.append(file), a_file("b", 1))
    with pytest.raises(Stopped):
        other.step(1, "")
    assert begun == []
