"""Launch links in README, documentation, notebooks and the package's own texts: each parses, and leads to a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from braggbook.binder.launch import Launch, looks_like_launch, read_launch
from braggbook.errors import InputError, Issue

_URL = re.compile(r"https?://[^\s<>\"'`\\]+")
_PLACES = ("*.md", "docs/**/*.md", "docs/**/*.rst", "notebooks/**/*.ipynb", "challenges/*/*.ipynb", "challenges/*/*.md")
_OF_A_PATTERN = re.compile(r"[{}…]|NUMBER|OWNER|HUB|DOI|\.\.\.")  # a link that is shown as a pattern, not to be clicked


def launch_links(project: Path) -> Iterator[tuple[str, int, str]]:
    """Yields file, line and address of every launch link."""
    for path in sorted({path for pattern in _PLACES for path in project.glob(pattern)}):
        name = path.relative_to(project)
        if any(part.startswith((".", "_build")) for part in name.parts):
            continue
        for line, text in _lines(path):
            for match in _URL.finditer(text):
                url = _trimmed(match[0])
                if looks_like_launch(url) and not _OF_A_PATTERN.search(url):
                    yield name.as_posix(), line, url


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if path.suffix != ".ipynb":
            yield number, line
        elif match := re.fullmatch(r'\s*("(?:[^"\\]|\\.)*"),?\s*', line):  # a line of a cell, as JSON spells it
            yield number, json.loads(match[1])


def _trimmed(url: str) -> str:
    while url and url[-1] in ".,;:!?*_)]":
        if url[-1] == ")" and url.count("(") >= url.count(")"):
            break
        url = url[:-1]
    return url.replace("&amp;", "&")


def launch_issues(project: Path, *, repository: str = "") -> Iterator[Issue]:
    """Yields the launch links that do not parse, or whose path does not exist.

    Args:
        project: Whose links.
        repository: ``owner/name`` of the project; links to other repositories are only parsed. Empty where it is
            unknown: every path must then exist here.
    """
    for name, line, url in launch_links(project):
        where = f"{name}, line {line}"
        try:
            launch = read_launch(url)
        except InputError as error:
            yield Issue(error.what, where, error.wanted, error.got or url)
            continue
        if _is_ours(launch, repository) and launch.path and not (project / launch.path).exists():
            yield Issue("a launch link to what is not there", where, "a path of this repository", launch.path)


def _is_ours(launch: Launch, repository: str) -> bool:
    if launch.provider == "zenodo":  # a record, whose files are in an archive
        return False
    theirs = f"/{launch.repository.removesuffix('.git').lower()}"
    return not repository or theirs.endswith(f"/{repository.lower()}")
