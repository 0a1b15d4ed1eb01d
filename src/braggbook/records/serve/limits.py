"""How many requests somebody may make, and the headers that say so."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .problems import ApiError
from .settings import Account, Settings

_MINUTE_S, _HOUR_S = 60.0, 3600.0


@dataclass(frozen=True)
class _Standing:
    limit: int
    remaining: int
    reset: float
    text: str


class RateLimit:
    """Counts requests in windows that move along, per account, guests by their address.

    Args:
        settings: With the numbers; none of them is no limit and no header.
        clock: Gives the time as seconds since 1970.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._lock = threading.Lock()
        self._made: dict[str, deque[float]] = {}

    def now(self) -> float:
        """Returns the server's time, as its headers tell it."""
        return self._clock()

    def count(self, account: Account | None, address: str) -> dict[str, str]:
        """Counts a request and returns the headers of its reply.

        Raises:
            ApiError: It is one too many (429), with the same headers.
        """
        windows = self._windows(account)
        if not windows:
            return {}
        now = self._clock()
        with self._lock:
            made = self._made.setdefault(f"account {account.id}" if account else address, deque())
            while made and made[0] <= now - _HOUR_S:
                made.popleft()
            standings = [_standing(made, limit, span_s, now) for span_s, limit in windows.items()]
            tightest = min(standings, key=lambda standing: standing.remaining)
            if tightest.remaining > 0:
                made.append(now)
        headers = {
            "X-RateLimit-Limit": str(tightest.limit),
            "X-RateLimit-Remaining": str(max(tightest.remaining - 1, 0)),
            "X-RateLimit-Reset": str(int(tightest.reset) + 1),
        }
        if tightest.remaining > 0:
            return headers
        if self._settings.retry_after:
            headers["Retry-After"] = str(max(1, int(tightest.reset - now) + 1))
        raise ApiError(429, tightest.text, headers=headers)

    def _windows(self, account: Account | None) -> dict[float, int]:
        settings = self._settings
        minute = settings.requests_per_minute if account else settings.guest_requests_per_minute
        hour = settings.requests_per_hour if account else settings.guest_requests_per_hour
        return {span: limit for span, limit in ((_MINUTE_S, minute), (_HOUR_S, hour)) if limit is not None}


def _standing(made: deque[float], limit: int, span_s: float, now: float) -> _Standing:
    inside = [when for when in made if when > now - span_s]
    # A place is free again when the request leaves the window that is now the limit-th last of them.
    reset = (inside[-limit] if len(inside) >= limit else inside[0] if inside else now) + span_s
    text = f"{limit} per 1 {'minute' if span_s == _MINUTE_S else 'hour'}"
    return _Standing(limit, limit - len(inside), reset, text)
