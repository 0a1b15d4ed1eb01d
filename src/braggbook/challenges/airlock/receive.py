"""The first door: what a person hands in is copied, exactly the files that the design names and no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from braggbook.challenges.airlock.incoming import UNREADABLE, Entry, Parcel, copied, opened, reason
from braggbook.challenges.airlock.names import (
    MASK_SUFFIX,
    NOTEBOOK_SUFFIX,
    clashes,
    disguised,
    is_left_behind,
    is_wanted,
    printable,
    refused_kind,
    unsafe_name,
    wanted_names,
)
from braggbook.challenges.airlock.notebooks import notebook_issues
from braggbook.challenges.airlock.outgoing import check_free, publish
from braggbook.errors import InputError, Issue
from braggbook.files import sha256_file
from braggbook.formats.challenge import SubmissionKind, SubmissionRules
from braggbook.formats.run import FileRecord

_MB = 1 << 20
_HEAD_BYTES = 16
_LARGEST_NOTEBOOK_BYTES = 2 << 20  # sources without outputs have some kilobytes; all of it is parsed at once
_INPUTS = "inputs@1"


def receive_submission(
    source: Path,
    target: Path,
    *,
    rules: SubmissionRules,
    kinds: Sequence[SubmissionKind],
    datasets: Sequence[str] = (_INPUTS,),
) -> tuple[SubmissionKind, dict[str, FileRecord]]:
    """Copies a submission's files into an empty folder.

    Args:
        source: A table of predictions, a notebook, a folder, or a zip of one of these.
        target: Absent or empty; after this it holds all files, or is as it was.
        rules: What the design asks for.
        kinds: What the phase takes.
        datasets: What a notebook may name, as ``slug@version``.

    Returns:
        What kind it is, and the files by name.

    Raises:
        InputError: It is not what the design asks for, or unsafe; all findings are listed.
        DuplicateName: There is something in ``target``.
        StorageError: The disk refuses.
    """
    check_free(target)
    most = rules.max_mb * _MB
    door = _Door(source, rules, tuple(kinds), tuple(datasets))
    with opened(source, most_bytes=most) as found:
        parcel = _tidied(found, source, rules)
        kind = door.kind(parcel)
        if issues := [*parcel.issues, *door.issues(parcel, kind)]:
            raise door.refusal(issues)
        publish(target, lambda work: door.copy(parcel, work, kind=kind))
    return kind, {name: _record(target / name) for name in sorted(entry.name for entry in parcel.entries)}


def _record(path: Path) -> FileRecord:
    return FileRecord(sha256=sha256_file(path), bytes=path.stat().st_size)


def _tidied(parcel: Parcel, source: Path, rules: SubmissionRules) -> Parcel:
    """Forgives what harms nobody.

    Left out is what a system put there unasked, one folder around everything, and the name of a table that came alone;
    masks that lie in no folder are put into theirs.
    """
    kept = [entry for entry in parcel.entries if not is_left_behind(entry.name)]
    tops = {entry.name.partition("/")[0] if "/" in entry.name else "" for entry in kept}
    top = tops.pop() if len(tops) == 1 else ""
    wanted = any(is_wanted(entry.name, rules=rules) for entry in kept)
    if top and not wanted and not any(unsafe_name(top)):
        kept = [replace(entry, name=entry.name.removeprefix(f"{top}/")) for entry in kept]
    if rules.form == "table" and source.is_file() and source.suffix.lower() == ".csv":
        kept = [replace(entry, name=rules.file) for entry in kept]
    if rules.form == "masks" and all("/" not in entry.name and entry.name.endswith(MASK_SUFFIX) for entry in kept):
        kept = [replace(entry, name=f"{rules.folder}/{entry.name}") for entry in kept]
    return Parcel(kept, parcel.issues)


@dataclass(frozen=True)
class _Door:
    """What is asked of one submission."""

    source: Path
    rules: SubmissionRules
    kinds: tuple[SubmissionKind, ...]
    datasets: tuple[str, ...]

    def kind(self, parcel: Parcel) -> SubmissionKind:
        """Returns what it is meant to be: a notebook as soon as there is one."""
        there = any(entry.name.lower().endswith(NOTEBOOK_SUFFIX) for entry in parcel.entries)
        return "notebook" if there else "predictions"

    def refusal(self, issues: Sequence[Issue]) -> InputError:
        """Builds the error that lists everything once."""
        wanted = " or ".join(self._taken())
        return InputError(
            "the submission is not taken", where=self.source.name, wanted=wanted, issues=dict.fromkeys(issues)
        )

    def _taken(self) -> Iterator[str]:
        if "predictions" in self.kinds:
            yield wanted_names(self.rules)
        if "notebook" in self.kinds:
            yield f"one notebook (<name>{NOTEBOOK_SUFFIX})"

    def issues(self, parcel: Parcel, kind: SubmissionKind) -> Iterator[Issue]:
        """Finds everything that names and announced sizes tell."""
        names = [entry.name for entry in parcel.entries]
        if kind not in self.kinds and names:
            yield Issue(f"this phase takes no {kind}", wanted=" or ".join(self.kinds))
        if not names:
            yield Issue("nothing was handed in", wanted=" or ".join(self._taken()))
        for name in names:
            yield from unsafe_name(name)
        yield from clashes(names)
        if kind == "notebook":
            yield from self._notebook_names(names)
        else:
            yield from self._prediction_names(names)
        total = sum(entry.size for entry in parcel.entries)
        if total > self.rules.max_mb * _MB:
            got = f"{total / _MB:.1f} MB"
            yield Issue("too large", "all files together", f"at most {self.rules.max_mb} MB", got)

    def _notebook_names(self, names: Sequence[str]) -> Iterator[Issue]:
        notebooks = [name for name in names if name.lower().endswith(NOTEBOOK_SUFFIX)]
        if len(notebooks) > 1:
            yield Issue("several notebooks", wanted="one", got=str(len(notebooks)))
        for name in names:
            if name not in notebooks:
                yield Issue(f"beside a notebook, {refused_kind(name)}", printable(name), "the notebook alone")
            elif not name.endswith(NOTEBOOK_SUFFIX):
                yield Issue("a notebook with another ending", printable(name), NOTEBOOK_SUFFIX)
            elif "/" in name:
                yield Issue("a notebook in a folder", printable(name), "the notebook alone")

    def _prediction_names(self, names: Sequence[str]) -> Iterator[Issue]:
        for name in names:
            if not is_wanted(name, rules=self.rules):
                yield Issue(refused_kind(name), printable(name), f"only {wanted_names(self.rules)}")

    def copy(self, parcel: Parcel, work: Path, *, kind: SubmissionKind) -> None:
        """Copies everything into a folder.

        Raises:
            InputError: A file is not what its name says; all are listed.
        """
        issues: list[Issue] = []
        left = self.rules.max_mb * _MB
        for entry in parcel.entries:
            found, used = _copy(entry, work / entry.name, left=left)
            issues += found
            left -= used
            issues += [] if found else self._content(work / entry.name, entry.name, kind)
            if left <= 0 and found:
                break
        if issues:
            raise self.refusal(issues)

    def _content(self, path: Path, name: str, kind: SubmissionKind) -> list[Issue]:
        """Finds what is wrong with a file that was copied, as far as it can be told without its case."""
        size = path.stat().st_size
        if size == 0:
            return [Issue("an empty file", printable(name), wanted_names(self.rules))]
        if kind == "notebook":
            if size > _LARGEST_NOTEBOOK_BYTES:
                wanted = f"at most {_LARGEST_NOTEBOOK_BYTES >> 20} MB; clear its outputs"
                return [Issue("a notebook that is too large", printable(name), wanted)]
            return notebook_issues(path, datasets=self.datasets)
        with path.open("rb") as stream:
            what = disguised(stream.read(_HEAD_BYTES))
        if name.endswith(MASK_SUFFIX):
            packed = what == "a gzip file"
            return [] if packed else [Issue(f"it is {what or 'no gzip file'}", printable(name), MASK_SUFFIX)]
        return [Issue(f"it is {what}, whatever its name says", printable(name), "a CSV table")] if what else []


def _copy(entry: Entry, place: Path, *, left: int) -> tuple[list[Issue], int]:
    """Copies one file; returns what is wrong, and how many bytes it had."""
    try:
        count = copied(entry, place, most=left)
    except (*UNREADABLE, OSError) as error:
        used = place.stat().st_size if place.exists() else 0
        return [Issue("it cannot be read", printable(entry.name), got=reason(error))], used
    if count is None:
        return [Issue("it unpacks to more than is taken", printable(entry.name), f"at most {left:,} bytes")], left
    return [], count
