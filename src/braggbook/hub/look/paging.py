"""A long list, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
SIZE = 50  # lines of a page: what one scrolls through


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of a list.

    Attributes:
        items: What is on this page.
        number: Of the page, from 1.
        pages: How many there are; 1 also for an empty list.
        total: How long the whole list is.
    """

    items: tuple[T, ...]
    number: int
    pages: int
    total: int


def page_of(everything: Sequence[T], number: int, *, size: int = SIZE) -> Page[T]:
    """Returns a page; a number before the first or after the last gives that one."""
    pages = max(1, -(-len(everything) // size))
    number = min(max(number, 1), pages)
    return Page(tuple(everything[(number - 1) * size : number * size]), number, pages, len(everything))
