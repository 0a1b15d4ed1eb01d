"""The contract suite itself: each of these archives has one flaw, and a check says so."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from braggbook.errors import ArchiveError, HashMismatch, UnknownName
from braggbook.formats.record import RecordMetadata
from braggbook.progress import Progress, Silent
from braggbook.records.archive import Archive, Draft, Record, RemoteFile
from braggbook.records.folder import FolderArchive
from braggbook.testing.archive import CHECKS, Bench, check_archive, make_metadata


class ForgetsDrafts(FolderArchive):
    def own(self, plan: str) -> tuple[Draft, ...]:
        return tuple(draft for draft in super().own(plan) if draft.state == "published")


class NewestFirst(FolderArchive):
    def own(self, plan: str) -> tuple[Draft, ...]:
        return super().own(plan)[::-1]


class KeepsTheOldPlan(FolderArchive):
    def describe(self, id: str, metadata: RecordMetadata, *, plan: str) -> Draft:
        old = self.look(id)
        return super().describe(id, metadata, plan=old.plan if old and old.plan else plan)


class NeverReplaces(FolderArchive):
    def upload(self, id: str, name: str, path: Path, *, progress: Progress) -> RemoteFile:
        draft = self.look(id)
        old = next((file for file in draft.files if file.name == name), None) if draft else None
        return old or super().upload(id, name, path, progress=progress)


class NeverRemoves(FolderArchive):
    def remove(self, id: str, name: str) -> None:
        pass


class CutsNames(FolderArchive):
    def upload(self, id: str, name: str, path: Path, *, progress: Progress) -> RemoteFile:
        return super().upload(id, re.split("[#?]", name)[0] or name, path, progress=progress)


class FlattensPaths(FolderArchive):
    def upload(self, id: str, name: str, path: Path, *, progress: Progress) -> RemoteFile:
        return super().upload(id, name.rpartition("/")[2] or name, path, progress=progress)


class KeepsHalfAFile(FolderArchive):
    def upload(self, id: str, name: str, path: Path, *, progress: Progress) -> RemoteFile:
        half = path.with_name("half")
        half.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if path.is_file() else b"")
        super().upload(id, name, half, progress=Silent())
        return super().upload(id, name, path, progress=progress)


class ReadsWholeFiles(FolderArchive):
    def upload(self, id: str, name: str, path: Path, *, progress: Progress) -> RemoteFile:
        if path.is_file():
            len(path.read_bytes())
        return super().upload(id, name, path, progress=progress)


class PublishesNothing(FolderArchive):
    def publish(self, id: str) -> Record:
        draft = self.look(id)
        if draft and not draft.files:
            path = self.root / "index.html"
            super().upload(id, "empty", path, progress=Silent())
        return super().publish(id)


class DiscardsRecords(FolderArchive):
    def discard(self, id: str) -> None:
        shutil.rmtree(self.root / "records" / id, ignore_errors=True)
        super().discard(id)


class InheritsFiles(FolderArchive):
    def create(self, metadata: RecordMetadata, *, plan: str, version_of: str | None = None) -> Draft:
        draft = super().create(metadata, plan=plan, version_of=version_of)
        if version_of is None:
            return draft
        for path in (self.root / "records" / self.record(version_of, latest=True).id / "files").glob("*/*"):
            super().upload(draft.id, path.name, path, progress=Silent())
        return self.look(draft.id) or draft


class MakesEveryVersionAlone(FolderArchive):
    def create(self, metadata: RecordMetadata, *, plan: str, version_of: str | None = None) -> Draft:
        if version_of is not None:
            self.record(version_of)
        return super().create(metadata, plan=plan)


class StaysWithTheFirst(FolderArchive):
    def record(self, identifier: str, *, latest: bool = False) -> Record:
        return super().record(identifier)


class ShowsDrafts(FolderArchive):
    def record(self, identifier: str, *, latest: bool = False) -> Record:
        draft = self.look(identifier)
        if draft and draft.state == "draft":
            return Record(draft.id, str(draft.doi), None, "", "", "", draft.plan, draft.files, draft.url)
        return super().record(identifier, latest=latest)


class ChecksNothing(FolderArchive):
    def download(self, record: Record, name: str, target: Path, *, progress: Progress) -> None:
        try:
            super().download(record, name, target, progress=progress)
        except HashMismatch:
            target.write_bytes(b"whatever")


class LeavesTheDamaged(FolderArchive):
    def download(self, record: Record, name: str, target: Path, *, progress: Progress) -> None:
        try:
            super().download(record, name, target, progress=progress)
        except HashMismatch:
            target.with_suffix(".bad").write_bytes(b"whatever")
            raise


class BeginsAnew(FolderArchive):
    def download(self, record: Record, name: str, target: Path, *, progress: Progress) -> None:
        for path in target.parent.glob(".*.part"):
            path.unlink()
        super().download(record, name, target, progress=progress)


class TrustsWhatWasLeft(FolderArchive):
    def download(self, record: Record, name: str, target: Path, *, progress: Progress) -> None:
        kept = self.root / ".kept"
        for path in target.parent.glob(".*.part"):
            path.rename(kept)
        super().download(record, name, target, progress=progress)
        if kept.exists():
            with target.open("r+b") as stream:
                stream.write(kept.read_bytes())
            os.unlink(kept)


class FindsTwice(FolderArchive):
    def search(self, text: str, *, most: int = 25) -> tuple[Record, ...]:
        found = super().search(text, most=most)
        return found + found[:1]


class SearchesTitlesAlone(FolderArchive):
    def search(self, text: str, *, most: int = 25) -> tuple[Record, ...]:
        found = super().search("", most=10_000)
        return tuple(one for one in found if all(word in one.title.lower() for word in text.lower().split()))[:most]


class LeaksOddErrors(FolderArchive):
    def record(self, identifier: str, *, latest: bool = False) -> Record:
        try:
            return super().record(identifier, latest=latest)
        except UnknownName:
            raise KeyError(identifier) from None


class RefusesWithoutReasons(FolderArchive):
    def publish(self, id: str) -> Record:
        try:
            return super().publish(id)
        except ArchiveError as error:
            raise ArchiveError(error.what) from None


class SharesOneFolder(FolderArchive):
    def __init__(self, root: Path) -> None:
        super().__init__(root.parent / "shared")


def forgets_organisations(archive: Archive, record: Record) -> dict[str, Any]:
    assert isinstance(archive, FolderArchive)
    said: dict[str, Any] = archive.json(record.doi)["metadata"]
    return said | {"creators": [creator for creator in said["creators"] if "," in creator["name"]]}


FLAWS: dict[type[FolderArchive], str] = {
    ForgetsDrafts: "a_draft_is_found_by_its_plan_at_once",
    NewestFirst: "drafts_of_one_plan_are_listed_oldest_first",
    KeepsTheOldPlan: "a_draft_is_described_anew",
    NeverReplaces: "files_come_are_replaced_and_go",
    NeverRemoves: "files_come_are_replaced_and_go",
    KeepsHalfAFile: "an_upload_that_breaks_off_leaves_no_half_file",
    CutsNames: "odd_names_are_kept",
    FlattensPaths: "paths_are_kept_or_refused",
    ReadsWholeFiles: "a_large_file_takes_little_memory",
    PublishesNothing: "a_draft_without_files_is_refused",
    RefusesWithoutReasons: "a_draft_without_files_is_refused",
    DiscardsRecords: "a_record_stays_as_it_is",
    InheritsFiles: "a_next_version_begins_empty",
    MakesEveryVersionAlone: "a_begun_next_version_is_taken_over",
    StaysWithTheFirst: "a_next_version_begins_empty",
    ShowsDrafts: "what_is_not_there_is_not_found",
    LeaksOddErrors: "what_is_not_there_is_not_found",
    ChecksNothing: "another_checksum_is_refused",
    LeavesTheDamaged: "another_checksum_is_refused",
    BeginsAnew: "a_download_goes_on_where_it_was_left",
    TrustsWhatWasLeft: "what_was_left_is_checked_too",
    FindsTwice: "records_are_found_by_their_words",
    SearchesTitlesAlone: "records_are_found_by_their_words",
    SharesOneFolder: "two_archives_know_nothing_of_each_other",
}


def bench(kind: Callable[[Path], Archive], folder: Path, **parts: Any) -> Bench:
    places = (folder / f"archive_{number}" for number in range(9))
    (folder / "files").mkdir()
    return Bench(make=lambda: kind(next(places)), folder=folder / "files", **parts)


@pytest.mark.full  # each of them publishes; together they take seconds
@pytest.mark.parametrize("flawed", FLAWS, ids=lambda kind: kind.__name__)
def test_a_flaw_is_found(flawed: type[FolderArchive], tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        CHECKS[FLAWS[flawed]](bench(flawed, tmp_path))


def test_a_forgotten_organisation_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the creators"):
        CHECKS["who_and_whence_are_kept"](bench(FolderArchive, tmp_path, said=forgets_organisations))


def test_a_checksum_that_is_not_compared_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no HashMismatch"):
        CHECKS["a_file_that_arrived_otherwise_is_noticed"](bench(FolderArchive, tmp_path, garble=lambda archive: None))


def test_a_wrong_file_name_in_a_record_is_found(tmp_path: Path) -> None:
    class Renames(FolderArchive):
        def publish(self, id: str) -> Record:
            record = super().publish(id)
            return replace(record, files=record.files[::-1])

    with pytest.raises(AssertionError, match="its files, by name"):
        CHECKS["a_draft_is_published"](bench(Renames, tmp_path))


def test_drafts_that_are_left_are_discarded(tmp_path: Path) -> None:
    for name in ("drafts_of_one_plan_are_listed_oldest_first", "a_begun_next_version_is_taken_over"):
        (tmp_path / name).mkdir()
        CHECKS[name](bench(FolderArchive, tmp_path / name))
        assert list((tmp_path / name / "archive_0" / "drafts").iterdir()) == []


@pytest.mark.full
def test_all_checks_run_without_a_runner(tmp_path: Path) -> None:
    places = (tmp_path / f"archive_{number}" for number in range(100))
    check_archive(lambda: FolderArchive(next(places)), tmp_path / "good")
    with pytest.raises(AssertionError) as error:
        check_archive(lambda: NeverRemoves(next(places)), tmp_path / "bad")
    failed = {line.partition(":")[0] for line in str(error.value).splitlines() if line.partition(":")[0] in CHECKS}
    assert failed == {"files_come_are_replaced_and_go", "a_record_stays_as_it_is"}


def test_metadata_of_the_suite_are_never_the_same() -> None:
    assert make_metadata().title != make_metadata().title
    assert make_metadata(title="A title").title == "A title"
