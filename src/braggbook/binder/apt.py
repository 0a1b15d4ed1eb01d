"""``binder/apt.txt``: names that exist in Ubuntu 24.04."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from braggbook.binder.files import APT, FOLDER
from braggbook.errors import Issue, closest

_PAGE = "packages.ubuntu.com/noble/"  # where a person looks a name up that the list does not have
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Debian Policy, section 5.6.1


@cache
def known_names() -> frozenset[str]:
    """Returns the names that are believed to be in Ubuntu's own list; see ``apt_names.txt``."""
    text = (files("braggbook.binder") / "apt_names.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def apt_issues(project: Path) -> Iterator[Issue]:
    """Yields the lines of ``apt.txt`` that are no name known to be in Ubuntu 24.04."""
    path = project / FOLDER / APT
    seen: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.is_file() else [], 1):
        where = f"{FOLDER}/{APT}, line {number}"
        name = line.partition("#")[0].strip()
        if not name:
            continue
        if not _NAME.fullmatch(name):
            yield Issue("not the name of a package", where, "one name in a line", name)
        elif name not in known_names() and f"{_PAGE}{name}" not in line:
            hint = closest(name, known_names())
            near = f" ({hint})" if hint.startswith("did you mean") else ""
            wanted = f"a known name{near}, or behind it the page that has it: # {_PAGE}{name}"
            yield Issue("not known to be in Ubuntu 24.04", where, wanted, name)
        elif seen.setdefault(name, number) != number:
            yield Issue("named twice", where, "once", f"{name}, also in line {seen[name]}")
