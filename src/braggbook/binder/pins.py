"""``binder/requirements.txt``: exact, hashed, complete, and of the project's own locks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from braggbook.binder.files import FOLDER, REQUIREMENTS
from braggbook.binder.own import needs_of
from braggbook.binder.requirements import (
    Entry,
    applies,
    is_checkout,
    kernel_pins,
    project_pins,
    read_entries,
    sources_digest,
    stated_digest,
)
from braggbook.errors import Issue
from braggbook.kernels.lock import PROJECT_LOCK

_NAME = f"{FOLDER}/{REQUIREMENTS}"
_WRITE = "`braggbook binder write`"
_ADDRESS = re.compile(r"(?<![\w+])(?:https?|ftp|file|git)(?:\+\w+)?://\S+|--(?:extra-)?index-url\b.*|--find-links\b.*")


def read_binder(project: Path) -> list[Entry]:
    """Returns the entries of ``binder/requirements.txt``, none where there is no such file."""
    path = project / FOLDER / REQUIREMENTS
    return read_entries(path.read_text(encoding="utf-8")) if path.is_file() else []


def pin_issues(project: Path) -> Iterator[Issue]:
    """Yields every entry that is not one hashed pin, and every address."""
    path = project / FOLDER / REQUIREMENTS
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        if match := _ADDRESS.search(line):
            yield Issue("names where packages come from", f"{_NAME}, line {number}", "no address", match[0].strip())
    first: dict[str, int] = {}
    for entry in read_entries(text):
        yield from _entry(entry)
        if entry.name and entry.applies and first.setdefault(entry.name, entry.line) != entry.line:
            yield Issue("pinned twice", _where(entry), "one version", f"also in line {first[entry.name]}")
    if not first:
        yield Issue("pins nothing", _NAME, _WRITE)


def _where(entry: Entry) -> str:
    return f"{_NAME}, line {entry.line}"


def _entry(entry: Entry) -> Iterator[Issue]:
    if entry.requirement is None:
        yield Issue("not a pin", _where(entry), "name==version with hashes", entry.text[:80])
        return
    if not entry.version:
        yield Issue("not pinned", _where(entry), "one version by ==", str(entry.requirement))
    if not any(algorithm == "sha256" for algorithm, _ in entry.hashes):
        yield Issue("no hash", _where(entry), "--hash=sha256:...", entry.name)
    for algorithm, digest in sorted(entry.hashes):
        if algorithm == "sha256" and not re.fullmatch(r"[0-9a-f]{64}", digest):
            yield Issue("not a SHA-256", _where(entry), "64 hexadecimal digits", digest)


def lock_issues(project: Path) -> Iterator[Issue]:
    """Yields how the pins have drifted from the kernels' locks, the project's resolution and the package's needs."""
    entries = {entry.name: entry for entry in read_binder(project) if entry.applies}
    if not entries:
        return
    text = (project / FOLDER / REQUIREMENTS).read_text(encoding="utf-8")
    needs = needs_of(project)
    if stated_digest(text) != sources_digest(project, needs):
        other = "another pyproject.toml" if is_checkout(project) else "another Braggbook"
        yield Issue(f"made of other kernels or {other}", f"{_NAME}, line 2", _WRITE)
    for slug, pin in kernel_pins(project):
        found = entries.get(pin.name)
        if found is None or found.version != pin.version:
            where = _where(found) if found else _NAME
            got = f"{pin.name}=={found.version}" if found else f"no {pin.name}"
            yield Issue(f"not what kernel {slug} is locked to", where, f"{pin.name}=={pin.version}", got)
    if is_checkout(project):
        yield from _resolution_issues(project, entries)
    yield from need_issues(needs, entries)


def _resolution_issues(project: Path, entries: Mapping[str, Entry]) -> Iterator[Issue]:
    resolution = project_pins(project)
    for entry in entries.values():
        known = resolution.get((entry.name, entry.version))
        if known is None:
            yield Issue(
                "not in the project's resolution", _where(entry), PROJECT_LOCK, f"{entry.name}=={entry.version}"
            )
        elif known != entry.hashes:
            yield Issue("other hashes than the project's resolution", _where(entry), PROJECT_LOCK, entry.name)


def need_issues(wanted: list[Requirement], entries: Mapping[str, Entry]) -> Iterator[Issue]:
    """Yields what is needed and not pinned, or pinned at a version that does not do.

    The needs of a distribution are read where the very version that is pinned is installed here; of others only
    `--resolve` knows.

    Args:
        wanted: What the project asks for itself.
        entries: The pins by name.
    """
    queue = [(need, "Braggbook itself") for need in wanted if applies(need.marker)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        need, of = queue.pop()
        name, extras = canonicalize_name(need.name), frozenset(need.extras)
        entry = entries.get(name)
        if entry is None:
            yield Issue("needed and not pinned", _NAME, f"{need} (for {of})", "no such pin")
        elif not need.specifier.contains(entry.version, prereleases=True):
            yield Issue("a pin that does not do", _where(entry), f"{need} (for {of})", f"{name}=={entry.version}")
        elif (name, extras) not in seen:
            seen.add((name, extras))
            queue += [(one, name) for one in _needs(entry) if applies(one.marker, extras=extras)]


def _needs(entry: Entry) -> list[Requirement]:
    try:
        found = metadata.distribution(entry.name)
    except metadata.PackageNotFoundError:
        return []
    return [Requirement(text) for text in found.requires or []] if found.version == entry.version else []
