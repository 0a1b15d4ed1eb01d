"""Predictions, checked and written anew: whatever comes out here was written by us, from values that were checked.

No message repeats what stands in the files, since a participant's notebook wrote them where hidden inputs were: only
the number of a row, and names of columns and cases that we know.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from braggbook.challenges.airlock.echoes import ECHO, Lines, Marks
from braggbook.challenges.airlock.incoming import walk
from braggbook.challenges.airlock.masks import image_header, read_mask
from braggbook.challenges.airlock.names import MASK_SUFFIX, folded, is_wanted, refused_kind, wanted_names
from braggbook.challenges.airlock.outgoing import check_free, open_regular, publish
from braggbook.challenges.airlock.tables import Table, largest_table, read_table, table_bytes
from braggbook.datasets.catalogue import Dataset
from braggbook.errors import Issue
from braggbook.files import sha256_bytes, storage, write_bytes
from braggbook.formats.challenge import SubmissionRules
from braggbook.formats.dataset import CARD_NAME, Column, DatasetCard, DatasetFile, write_card

ESTIMATE = "estimate"
_MB = 1 << 20
_SPARE_ENTRIES = 100  # folders, and files that are not wanted: counted before the walk is broken off
_SHOWN_ISSUES = 50  # of all that is wrong; what is more is counted
_SHOWN_CASES = 20  # of those that are missing, in one sentence


@dataclass(frozen=True)
class Checked:
    """What became of predictions: issues, or a dataset that was written."""

    issues: list[str]
    digest: str | None = None  # of the dataset; predictions that are the same have the same
    missing: tuple[str, ...] = ()  # cases left out, where the rules allow it


def check_predictions(
    folder: Path,
    target: Path,
    *,
    rules: SubmissionRules,
    inputs: Dataset,
    cases: Sequence[str],
    canaries: Sequence[str] = (),
) -> Checked:
    """Reads predictions and, if all is right, writes them anew as the dataset ``estimate``.

    Args:
        folder: What came: ``rules.file``, or ``rules.folder/<case>.nii.gz``, and nothing else.
        target: Folder of the dataset, absent or empty; after this it is complete, or as it was.
        rules: Of the challenge.
        inputs: The cases' dataset; masks lie on the grids of its ``<case>.nii.gz``.
        cases: All cases, in the order of the rows that are written.
        canaries: Strings hidden in the inputs.

    Returns:
        What is wrong, in sentences without a value from the files; or the digest of the dataset.

    Raises:
        DatasetError: The inputs themselves cannot be read.
        DuplicateName: There is something in ``target``.
        StorageError: The disk refuses.
    """
    check_free(target)
    check = _Check(folder, rules, inputs, tuple(cases), Marks(canaries))
    outcome: Checked | None = None

    def fill(work: Path) -> None:
        nonlocal outcome
        outcome = check.write(work)
        if outcome.issues:
            raise _Refused

    with suppress(_Refused):
        publish(target, fill)
    assert outcome is not None
    return outcome


class _Refused(Exception):
    """Nothing is published."""


@dataclass(frozen=True)
class _Check:
    """One check of one folder."""

    folder: Path
    rules: SubmissionRules
    inputs: Dataset
    cases: tuple[str, ...]
    marks: Marks

    def write(self, work: Path) -> Checked:
        """Writes the dataset into a folder, as far as nothing is wrong."""
        names, issues = self._names()
        if not names and not issues:
            issues = [Issue("nothing was handed in", wanted=wanted_names(self.rules))]
        files: list[DatasetFile] = []
        missing: tuple[str, ...] = ()
        if not issues:
            read = self._table if self.rules.form == "table" else self._masks
            files, missing, issues = read(work, names)
        if issues:
            return Checked(_sentences(issues))
        card = _card(files, self.inputs)
        write_card(work / CARD_NAME, card)
        return Checked([], Dataset(ESTIMATE, card, work).digest, missing)

    @property
    def _most_entries(self) -> int:
        return len(self.cases) + _SPARE_ENTRIES

    def _names(self) -> tuple[list[str], list[Issue]]:
        """Returns the names of the files that are wanted, and what is wrong with the others."""
        listed = list(islice(walk(self.folder), self._most_entries + 1)) if self.folder.is_dir() else []
        names, issues, cases = [], [], set(self.cases)
        for name, found in listed:
            if self.marks.are_in_name(name):
                issues.append(Issue(ECHO, "a file's name"))
            elif name.endswith("/"):
                continue  # a folder; what it holds has a name of its own
            elif found is None:
                issues.append(Issue("a link, a pipe or a device", "the files", "ordinary files"))
            elif not is_wanted(name, rules=self.rules):
                issues.append(Issue(refused_kind(name), "the files", f"only {wanted_names(self.rules)}"))
            elif self.rules.form == "masks" and _case_of(name) not in cases:
                issues.append(Issue(self._unknown_mask(_case_of(name)), f"the files in {self.rules.folder}"))
            else:
                names.append(name)
        if len(listed) > self._most_entries:
            issues.append(Issue("too many files", "the files", f"only {wanted_names(self.rules)}"))
        if sum(found or 0 for _, found in listed) > self.rules.max_mb * _MB:
            issues.append(Issue("too large", "the files", f"at most {self.rules.max_mb} MB together"))
        return names, issues

    def _unknown_mask(self, case: str) -> str:
        near = [known for known in self.cases if folded(known) == folded(case)]
        return f"the mask of {near[0]} is spelled in another way" if near else "a mask of a case that is not known"

    def _table(self, work: Path, names: list[str]) -> tuple[list[DatasetFile], tuple[str, ...], list[Issue]]:
        name, most = names[0], largest_table(self.rules, len(self.cases))
        data = _bytes(self.folder / name, most=most)
        if data is None:
            return [], (), [Issue("it cannot be read, or is not an ordinary file", name)]
        if self.marks.are_in(data):
            return [], (), [Issue(ECHO, name, "predictions, and nothing else")]
        if len(data) > most:
            wanted = f"at most {most:,} bytes: a row for each of {len(self.cases)} cases"
            return [], (), [Issue("too large", name, wanted)]
        table = read_table(data, rules=self.rules, cases=self.cases)
        if Lines(self.inputs, ordinary=self.cases).are_in(table.lines):
            return [], (), [Issue(f"{ECHO}: a whole line of them stands there", name, "predictions, and nothing else")]
        return self._write_table(work, table)

    def _write_table(self, work: Path, table: Table) -> tuple[list[DatasetFile], tuple[str, ...], list[Issue]]:
        name = self.rules.file
        missing, issues = self._missing(table.seen, where=name)
        if table.issues or issues:
            return [], (), [*table.issues, *(issues if table.seen or not table.issues else [])]
        data = table_bytes(table.rows, rules=self.rules, cases=self.cases)
        _write(work / name, data)
        return [_file(name, data, columns=_columns(self.rules))], missing, []

    def _masks(self, work: Path, names: list[str]) -> tuple[list[DatasetFile], tuple[str, ...], list[Issue]]:
        there = {_case_of(name): name for name in names}
        missing, issues = self._missing(there, where=self.rules.folder)
        files = []
        for case in self.cases:
            if case not in there:
                continue
            image = image_header(self.inputs, case)
            mask = read_mask(self.folder / there[case], image, name=there[case], rules=self.rules, marks=self.marks)
            issues += mask.issues
            if not issues:
                _write(work / f"{case}{MASK_SUFFIX}", mask.data)
                files.append(_file(f"{case}{MASK_SUFFIX}", mask.data))
        return files, missing, issues

    def _missing(self, there: Collection[str], *, where: str) -> tuple[tuple[str, ...], list[Issue]]:
        """Returns which cases were left out, and an issue where none may be, or all were."""
        absent = tuple(case for case in self.cases if case not in there)
        if not absent or (self.rules.incomplete == "missing" and len(absent) < len(self.cases)):
            return absent, []
        named = ", ".join(absent[:_SHOWN_CASES])
        more = f" and {len(absent) - _SHOWN_CASES} more" if len(absent) > _SHOWN_CASES else ""
        count = f"{len(absent)} cases are missing" if len(absent) > 1 else "a case is missing"
        return absent, [Issue(f"{count}: {named}{more}", where, f"all {len(self.cases)} cases")]


def _case_of(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(MASK_SUFFIX)


def _bytes(path: Path, *, most: int) -> bytes | None:
    try:
        with open_regular(path) as stream:
            return stream.read(most + 1)
    except OSError:
        return None


def _write(path: Path, data: bytes) -> None:
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)


def _columns(rules: SubmissionRules) -> dict[str, Column]:
    columns = {rules.case: Column(type="text", meaning="the case")}
    for name, column in rules.columns.items():
        columns[name] = Column(
            type="number", unit=column.unit, meaning=column.meaning, minimum=column.minimum, maximum=column.maximum,
            missing=column.missing,
        )  # fmt: skip
    return columns


def _file(path: str, data: bytes, *, columns: dict[str, Column] | None = None) -> DatasetFile:
    return DatasetFile(path=path, sha256=sha256_bytes(data), bytes=len(data), columns=columns or {})


def _card(files: list[DatasetFile], inputs: Dataset) -> DatasetCard:
    return DatasetCard(
        title="Checked predictions",
        version=1,
        license=inputs.card.license,
        provenance="Written by Braggbook from the predictions of a submission, after they had been checked.",
        files=tuple(files),
    )


def _sentences(issues: list[Issue]) -> list[str]:
    """Returns the issues as texts, each once, the first of many."""
    texts = list(dict.fromkeys(map(str, issues)))
    more = len(texts) - _SHOWN_ISSUES
    return [*texts[:_SHOWN_ISSUES], f"and {more} more"] if more > 0 else texts
