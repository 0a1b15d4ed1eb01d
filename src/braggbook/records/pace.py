"""How fast a server may be asked: what it says of its own limit, shared by all threads that ask it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

LONGEST_WAIT_S = 3700.0  # Zenodo's longest window is an hour
_RELATIVE = 1e8  # a reset below this is seconds from now, not since 1970


@dataclass(frozen=True)
class Clock:
    """Time as an argument, so that a test need not wait."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class Pace:
    """Counts down what is left of a limit, and lets nobody go before more is there.

    Args:
        clock: Gives the time, and waits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._left: int | None = None  # requests until the reset; None is unknown
        self._reset = self._not_before = 0.0

    def wait(self) -> None:
        """Returns when one more request may go, and counts it."""
        passed = -math.inf
        while (until := self._taken(passed)) is not None:
            self._clock.sleep(max(until - self._clock.now(), 0.0))
            passed = until

    def _taken(self, passed: float) -> float | None:
        """Takes a request, or returns until when there is none."""
        with self._lock:
            now = max(self._clock.now(), passed)
            if now >= self._reset:
                self._left = None
            until = self._reset if self._left is not None and self._left <= 0 else 0.0
            until = max(until, self._not_before)
            if until > now:
                return until
            if self._left is not None:
                self._left -= 1
            return None

    def heed(self, status: int, headers: Mapping[str, str]) -> float | None:
        """Notes what a reply says of the limit.

        Returns:
            How long a refusal for haste (429) asks to wait, in seconds; None where it does not say, or is none.
        """
        now, there = self._clock.now(), _date(headers.get("Date"))
        left, reset = _number(headers.get("X-RateLimit-Remaining")), _number(headers.get("X-RateLimit-Reset"))
        after = _after(headers.get("Retry-After"), there) if status == 429 else None
        if reset is not None:  # by the server's own clock, which may be another than ours
            reset = now + (reset if reset < _RELATIVE else reset - (there or now))
        with self._lock:
            if left is not None and reset is not None and now < reset <= now + LONGEST_WAIT_S:
                known = self._left is not None and now < self._reset
                self._left = min(self._left or 0, int(left)) if known else int(left)
                self._reset = max(self._reset, reset) if known else reset
            if status != 429:
                return None
            if after is None and reset is not None and reset > now:
                after = reset - now
            if after is not None and after <= LONGEST_WAIT_S:
                self._not_before = max(self._not_before, now + after)
        return after


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _after(text: str | None, there: float | None) -> float | None:
    """Reads Retry-After: seconds, or a date by the server's clock."""
    if (seconds := _number(text)) is not None:
        return seconds
    then = _date(text)
    return max(then - there, 0.0) if then is not None and there is not None else None
