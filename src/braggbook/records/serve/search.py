"""Lists and searches of records, which may lag behind what was written, as a search engine's index does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .model import Entry
from .problems import bad_request, invalid

_WINDOW = 10_000  # results that can be paged through, as the search engine's own default
_TERM = re.compile(r'(?:(?P<field>[A-Za-z_.]+):)?(?:"(?P<phrase>[^"]*)"|(?P<word>\S+))')
_FLAG = {"", "1", "true", "on", "yes"}  # a bare name is a yes too


class Index:
    """What a search sees of the records: each as it was ``delay_s`` ago.

    Args:
        entries: What is there at the start, seen at once.
        clock: Gives seconds that only ever grow.
        delay_s: How far the index is behind.
    """

    def __init__(self, entries: Iterable[Entry], *, clock: Callable[[], float], delay_s: float) -> None:
        self._clock, self._delay_s = clock, delay_s
        self._lock = threading.Lock()
        self._states: dict[str, list[tuple[float, Entry | None]]] = {entry.id: [(0.0, entry)] for entry in entries}

    def note(self, id: str, entry: Entry | None) -> None:
        """Takes in a record as it is now, or that it is no more."""
        now = self._clock()
        with self._lock:
            states = self._states.setdefault(id, [])
            seen = sum(since + self._delay_s <= now for since, _ in states)
            del states[: max(seen - 1, 0)]
            states.append((now, entry))

    def entries(self) -> list[Entry]:
        """Returns what can be found now, in order of creation."""
        now = self._clock()
        with self._lock:
            seen = [
                [entry for since, entry in states if since + self._delay_s <= now] for states in self._states.values()
            ]
        return sorted((states[-1] for states in seen if states and states[-1]), key=lambda entry: entry.created)


@dataclass(frozen=True)
class Page:
    """One page of results, and how many there are in all."""

    entries: Sequence[Entry]
    total: int
    number: int
    size: int


def flag(query: Mapping[str, str], *names: str) -> bool:
    """Whether one of the parameters says yes."""
    return any(query[name].lower() in _FLAG for name in names if name in query)


def page_of(entries: Sequence[Entry], query: Mapping[str, str], *, largest: int) -> Page:
    """Returns the page that ``page=`` and ``size=`` name.

    Raises:
        ApiError: They are not numbers, or too large.
    """
    size = _number(query, "size", min(25, largest))
    number = _number(query, "page", 1)
    if size > largest:
        raise invalid(("size", f"Page size cannot be greater than {largest}."))
    if size * number > _WINDOW:
        raise bad_request(f"Maximum number of {_WINDOW} results have been reached.")
    start = (number - 1) * size
    return Page(entries[start : start + size], len(entries), number, size)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise invalid((name, "Must be at least 1." if text.lstrip("-").isdecimal() else "Not a valid integer."))
    return int(text)


def matching(entries: Iterable[Entry], q: str) -> list[Entry]:
    """Returns the records that have every term of ``q``: words, "phrases" and field:word.

    Raises:
        ApiError: A quotation mark has no partner.
    """
    if q.count('"') % 2:
        raise bad_request("Invalid query string syntax.")
    terms = [(match["field"] or "", (match["phrase"] or match["word"] or "").lower()) for match in _TERM.finditer(q)]
    return [entry for entry in entries if all(_has(entry, field, text) for field, text in terms)]


def _has(entry: Entry, field: str, text: str) -> bool:
    if text in ("*", "and"):
        return True
    fields = _fields(entry)
    if not field:
        return any(text in value for value in fields.values())
    return text.strip("*") in fields.get(field.removeprefix("metadata."), "")


def _fields(entry: Entry) -> dict[str, str]:
    content = entry.content
    fields = {name: json.dumps(value, ensure_ascii=False).lower() for name, value in content.metadata.items()}
    subjects: list[dict[str, Any]] = content.metadata.get("subjects", [])
    identifiers = {"id": entry.id, "recid": entry.id, "conceptrecid": entry.concept, "parent.id": entry.concept}
    own = {
        "doi": content.doi.lower(),
        "keywords": " ".join(str(subject.get("subject", "")) for subject in subjects).lower(),
        "filename": " ".join(file.key for file in content.files).lower(),
        "custom_fields": json.dumps(content.custom_fields, ensure_ascii=False).lower(),
    }
    return {**fields, **identifiers, **own}


def in_order(entries: Sequence[Entry], query: Mapping[str, str]) -> list[Entry]:
    """Returns the records as ``sort=`` wants them; newest first without it."""
    sort = query.get("sort", "")
    if sort.lstrip("-") == "version":
        return sorted(entries, key=lambda entry: entry.index, reverse=sort.startswith("-"))
    oldest_first = sort in ("oldest", "-mostrecent", "updated-asc")
    return list(entries) if oldest_first else list(reversed(entries))
