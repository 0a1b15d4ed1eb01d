"""A server's limit, obeyed by all threads together, whatever its headers hold."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from braggbook.records.pace import LONGEST_WAIT_S, Clock, Pace

START = 1_780_000_000.0


class Time:
    def __init__(self) -> None:
        self.now = START
        self.slept: list[float] = []

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def said(left: int, reset: float, **more: str) -> dict[str, str]:
    return {"X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": str(reset), **more}


def at(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, tz=UTC), usegmt=True)


def test_nobody_waits_for_a_server_that_says_nothing() -> None:
    time = Time()
    pace = Pace(time.clock())
    for _ in range(1000):
        pace.wait()
        pace.heed(200, {})
    assert time.slept == []


def test_what_is_left_is_counted_down_before_the_replies_come() -> None:
    time = Time()
    pace = Pace(time.clock())
    pace.wait()
    pace.heed(200, said(3, START + 60))
    for _ in range(3):
        pace.wait()
    assert time.slept == []
    pace.wait()
    assert time.slept == [60.0]


def test_an_older_reply_does_not_give_back_what_was_taken() -> None:
    time = Time()
    pace = Pace(time.clock())
    pace.heed(200, said(2, START + 60))
    pace.wait()
    pace.wait()
    pace.heed(200, said(1, START + 60))
    pace.wait()
    assert time.slept == [60.0]


def test_a_new_window_begins_anew() -> None:
    time = Time()
    pace = Pace(time.clock())
    pace.heed(200, said(0, START + 60))
    pace.wait()
    pace.heed(200, said(5, START + 120))
    for _ in range(5):
        pace.wait()
    assert time.slept == [60.0]


def test_a_reset_is_read_by_the_server_s_own_clock() -> None:
    time = Time()
    pace = Pace(time.clock())
    pace.heed(200, said(0, START + 1000 + 60, Date=at(START + 1000)))
    pace.wait()
    assert time.slept == [60.0]


def test_a_reset_in_seconds_from_now_is_understood() -> None:
    time = Time()
    pace = Pace(time.clock())
    pace.heed(200, said(0, 30))
    pace.wait()
    assert time.slept == [30.0]


@pytest.mark.parametrize("text", ["7", " 7 ", "7.0", at(START + 7)])
def test_retry_after(text: str) -> None:
    time = Time()
    pace = Pace(time.clock())
    assert pace.heed(429, {"Retry-After": text, "Date": at(START)}) == 7.0
    pace.wait()
    assert time.slept == [7.0]


@pytest.mark.parametrize("text", ["", "soon", "-5", "nan", "inf", "1e999", "\u0661", "Mon, 99 Foo 2026", "[]"])
def test_what_is_no_time_is_as_if_it_were_not_said(text: str) -> None:
    time = Time()
    pace = Pace(time.clock())
    headers = {"Retry-After": text, "X-RateLimit-Remaining": text, "X-RateLimit-Reset": text, "Date": text}
    assert pace.heed(429, headers) in (None, 1.0)  # one of them is a digit after all
    pace.wait()
    assert sum(time.slept) <= 1.0


@pytest.mark.parametrize("seconds", [LONGEST_WAIT_S + 1, 1e9, 1e30])
def test_nobody_waits_for_ever(seconds: float) -> None:
    time = Time()
    pace = Pace(time.clock())
    assert pace.heed(429, {"Retry-After": str(seconds)}) == pytest.approx(seconds)
    pace.heed(200, said(0, START + seconds))
    pace.wait()
    assert time.slept == []


def test_threads_together_take_no_more_than_is_left() -> None:
    time, taken, lock = Time(), [], threading.Lock()
    pace = Pace(time.clock())
    pace.heed(200, said(10, START + 60))

    def work() -> None:
        for _ in range(5):
            pace.wait()
            with lock:
                taken.append(time.now)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(when < START + 60 for when in taken) == 10


def test_a_clock_that_does_not_move_does_not_hold_anybody() -> None:
    slept: list[float] = []
    pace = Pace(Clock(now=lambda: START, sleep=slept.append))
    pace.heed(429, {"Retry-After": "60"})
    pace.wait()
    assert slept
