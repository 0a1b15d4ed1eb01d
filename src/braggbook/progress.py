"""How far a long piece of work has come: silent, a callback, or (in the command line) a bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """What work of many steps reports to; every method may be called from the thread that does the work only."""

    def start(self, title: str, total: int) -> None:
        """Begins a piece of work of ``total`` steps."""

    def step(self, done: int, note: str = "") -> None:
        """Says that ``done`` steps are behind, and what the next one is."""

    def stop(self) -> None:
        """Ends the piece of work, however it went."""


class Silent:
    """Reports nothing."""

    def start(self, title: str, total: int) -> None:
        """Does nothing."""

    def step(self, done: int, note: str = "") -> None:
        """Does nothing."""

    def stop(self) -> None:
        """Does nothing."""


class Callback:
    """Hands every step to a function ``report(title, done, total, note)``."""

    def __init__(self, report: Callable[[str, int, int, str], None]) -> None:
        self._report = report
        self._title = ""
        self._total = 0

    def start(self, title: str, total: int) -> None:
        """Reports step 0."""
        self._title, self._total = title, total
        self._report(title, 0, total, "")

    def step(self, done: int, note: str = "") -> None:
        """Reports a step."""
        self._report(self._title, done, self._total, note)

    def stop(self) -> None:
        """Reports nothing: the last step has said it."""
