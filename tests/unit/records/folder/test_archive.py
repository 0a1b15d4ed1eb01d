"""The folder archive beyond what every archive does: its layout, its identifiers, and folders that are damaged."""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from braggbook.errors import ArchiveError, HashMismatch, StorageError, UnknownName
from braggbook.formats.archive import parse_doi
from braggbook.progress import Silent
from braggbook.records.folder import FolderArchive
from braggbook.testing.archive import make_metadata, make_plan

from .archive_helpers import open_archive, publish


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return open_archive(tmp_path / "archive")


def test_looking_makes_nothing(archive: FolderArchive) -> None:
    assert (archive.own(make_plan()), archive.search(""), archive.look("1"), archive.card) == ((), (), None, None)
    with pytest.raises(UnknownName, match="no such record"):
        archive.record("1")
    with pytest.raises(UnknownName, match="no archive"):
        archive.record("10.5072/braggbook.abcdef.1")
    assert not archive.root.exists()


def test_what_lies_where(archive: FolderArchive, tmp_path: Path) -> None:
    record = publish(archive, tmp_path, content={"a b.txt": b"first"})
    draft = archive.create(make_metadata(), plan=make_plan())
    assert archive.card is not None
    id = archive.card.id
    assert (record.doi, record.concept_doi) == (f"10.5072/braggbook.{id}.2", f"10.5072/braggbook.{id}.1")
    assert (draft.doi, draft.id) == (f"10.5072/braggbook.{id}.4", "4")
    sha256 = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"
    found = {str(path.relative_to(archive.root)) for path in archive.root.rglob("*") if path.is_file()}
    inside = {f"records/2/{name}" for name in ("entry.json", "record.json", "index.html", f"files/{sha256}/a b.txt")}
    assert found == {"archive.json", "index.html", ".last", ".lock", "drafts/4/entry.json", *inside}
    assert record.published == "2026-11-22"
    assert record.url == (archive.root / "records/2/index.html").as_uri()


def test_published_files_are_read_only(archive: FolderArchive, tmp_path: Path) -> None:
    publish(archive, tmp_path)
    (file,) = archive.root.glob("records/2/files/*/a.txt")
    assert stat.S_IMODE(file.stat().st_mode) == 0o444


def test_a_record_is_found_by_everything_that_names_it(archive: FolderArchive, tmp_path: Path) -> None:
    record = publish(archive, tmp_path)
    folder = archive.root / "records" / record.id
    names = [
        "2",
        f"doi:{record.doi}",
        f"https://dx.doi.org/{record.doi}",
        record.doi.upper(),
        folder.as_uri(),
        str(folder),
    ]
    for name in [*names, f"{folder}/", f"{folder}/record.json", f"records/{record.id}"]:
        assert archive.record(name) == record, name


@pytest.mark.parametrize(
    "name", ["-2", "2.0", "٢", "records/2/files/x", "/elsewhere/records/2", "file:///elsewhere/records/2", "10.5072/2", "2" * 5000]
)  # fmt: skip
def test_what_names_no_record(archive: FolderArchive, tmp_path: Path, name: str) -> None:
    publish(archive, tmp_path)
    with pytest.raises(UnknownName):
        archive.record(name)


def test_two_archives_are_told_apart(archive: FolderArchive, tmp_path: Path) -> None:
    other = open_archive(tmp_path / "other")
    record, theirs = publish(archive, tmp_path), publish(other, tmp_path)
    assert record.id == theirs.id
    assert record.doi != theirs.doi
    with pytest.raises(UnknownName, match="a record of another archive") as error:
        other.record(record.doi)
    assert theirs.doi.removesuffix("2") in error.value.wanted
    with pytest.raises(UnknownName, match="no such record"):
        other.download(record, "a.txt", tmp_path / "out", progress=Silent())


def test_an_archive_may_be_moved(archive: FolderArchive, tmp_path: Path) -> None:
    record = publish(archive, tmp_path)
    assert str(tmp_path) not in "".join(
        path.read_text() for path in archive.root.rglob("*") if path.suffix in (".html", ".json")
    ), "nothing in it says where it lies"
    moved = open_archive(Path(shutil.move(archive.root, tmp_path / "moved")))
    assert moved.record(record.doi).files == record.files


def test_numbers_of_discarded_drafts_are_not_given_again(archive: FolderArchive) -> None:
    draft = archive.create(make_metadata(), plan=make_plan())
    archive.discard(draft.id)
    assert int(FolderArchive(archive.root).create(make_metadata(), plan=make_plan()).id) > int(draft.id)


def test_a_copy_without_hidden_files_goes_on(archive: FolderArchive, tmp_path: Path) -> None:
    first = publish(archive, tmp_path)
    draft = archive.create(make_metadata(), plan=make_plan(), version_of=first.doi)
    shutil.copytree(archive.root, tmp_path / "copy", ignore=shutil.ignore_patterns(".*"))
    copy = open_archive(tmp_path / "copy")
    assert int(copy.create(make_metadata(), plan=make_plan()).id) > int(draft.id)
    assert copy.record(first.doi).files == first.files


def test_a_last_number_of_an_older_copy_is_not_believed(archive: FolderArchive, tmp_path: Path) -> None:
    last = publish(archive, tmp_path)
    (archive.root / ".last").write_text("1\n")
    assert int(archive.create(make_metadata(), plan=make_plan()).id) > int(last.id)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    archive = open_archive(tmp_path)
    with pytest.raises(ArchiveError, match="not an archive's folder") as error:
        archive.create(make_metadata(), plan=make_plan())
    assert "thesis.tex" in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_archive_s_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ArchiveError, match="cannot be read"):
        open_archive(tmp_path / "file").create(make_metadata(), plan=make_plan())


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "braggbook.entry/2"}', "[" * 100_000, '{"format": "braggbook.entry/1"}']
)
def test_a_damaged_entry_is_named(archive: FolderArchive, tmp_path: Path, text: str) -> None:
    publish(archive, tmp_path)
    good = publish(archive, tmp_path)
    (archive.root / "records/2/entry.json").write_text(text)
    fresh = FolderArchive(archive.root)
    assert fresh.record(good.id) == good, "others can still be read"
    for look in (lambda: fresh.record("2"), lambda: fresh.search("x"), lambda: fresh.own(make_plan())):
        with pytest.raises(ArchiveError) as error:
            look()
        assert "records/2/entry.json" in str(error.value)


def test_an_entry_cannot_point_out_of_the_archive(archive: FolderArchive, tmp_path: Path) -> None:
    record = publish(archive, tmp_path)
    path = archive.root / "records/2/entry.json"
    said = json.loads(path.read_text())
    said["files"][0]["name"] = "../../../../archive.json"
    path.write_text(json.dumps(said))
    with pytest.raises(ArchiveError, match="not valid"):
        FolderArchive(archive.root).download(record, "../../../../archive.json", tmp_path / "out", progress=Silent())


def foreign(folder: Path) -> Path:
    """Makes a folder of somebody's own, as an archive's links might name it."""
    (folder / "deep").mkdir(parents=True)
    for path in (folder / "thesis.tex", folder / "deep" / "data.csv"):
        path.write_text("mine")
    return folder


@pytest.mark.parametrize("name", [".staging", "drafts", "records", ".lock", "drafts/2", "drafts/2/files", "records/4"])
def test_a_link_does_not_lead_out_of_the_archive(archive: FolderArchive, tmp_path: Path, name: str) -> None:
    """An archive that came from somebody else neither removes nor overwrites what it links to."""
    draft = archive.create(make_metadata(), plan="a" * 64)
    publish(archive, tmp_path)
    mine = foreign(tmp_path / "mine")
    place, real = archive.root / name, tmp_path / "real"
    place.rename(real)
    if real.is_dir() and name[0] != ".":
        shutil.copytree(real, mine, dirs_exist_ok=True)
    place.symlink_to(mine / "thesis.tex" if name == ".lock" else mine)
    before = {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()}
    fresh = FolderArchive(archive.root)

    def work() -> None:
        fresh.upload(draft.id, "a.txt", tmp_path / "to_send", progress=Silent())
        publish(fresh, tmp_path)

    with pytest.raises(ArchiveError, match="a link in the archive") as error:
        work()
    assert str(place) in str(error.value)
    assert {path: path.read_bytes() for path in mine.rglob("*") if path.is_file()} == before


def test_the_folder_itself_may_be_a_link(archive: FolderArchive, tmp_path: Path) -> None:
    record = publish(archive, tmp_path)
    (tmp_path / "link").symlink_to(archive.root)
    linked = open_archive(tmp_path / "link")
    assert linked.record(record.doi).files == record.files
    for address in (record.url, linked.record(record.doi).url):
        assert linked.record(address).doi == record.doi
    assert publish(linked, tmp_path).doi == record.doi[:-1] + "4"
    assert len(archive.search("")) == 2


@pytest.mark.parametrize("name", ["archive.json", "records/2/entry.json"])
def test_of_a_newer_format_nothing_is_read_or_changed(archive: FolderArchive, tmp_path: Path, name: str) -> None:
    record = publish(archive, tmp_path)
    path = archive.root / name
    path.write_text(path.read_text().replace("/1", "/12", 1))
    before = {path: path.read_bytes() for path in archive.root.rglob("*") if path.is_file()}
    fresh = FolderArchive(archive.root)
    for act in (
        lambda: fresh.record(record.doi),
        lambda: fresh.search(""),
        lambda: publish(fresh, tmp_path),
    ):
        with pytest.raises(ArchiveError) as error:
            act()
        assert "newer Braggbook" in str(error.value)
        assert error.value.next_command == "python3 -m pip install --upgrade braggbook"
    after = {path: path.read_bytes() for path in archive.root.rglob("*") if path.is_file()}
    assert {path for path in after if "records" in path.parts} == {path for path in before if "records" in path.parts}
    assert name != "archive.json" or after == before


def test_an_entry_under_another_number(archive: FolderArchive, tmp_path: Path) -> None:
    publish(archive, tmp_path)
    shutil.copytree(archive.root / "records/2", archive.root / "records/7")
    with pytest.raises(ArchiveError, match="another number"):
        FolderArchive(archive.root).record("7")


@pytest.mark.parametrize("name", ["x" * 256, "ä" * 128, "a\nb", "a\0b", "\x9f", "\udc80", "a/b", "/a", ".."])
def test_names_that_it_cannot_have(archive: FolderArchive, tmp_path: Path, name: str) -> None:
    draft = archive.create(make_metadata(), plan=make_plan())
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(ArchiveError, match="a name that the archive cannot have"):
        archive.upload(draft.id, name, tmp_path / "f", progress=Silent())


def test_the_longest_name_is_kept(archive: FolderArchive, tmp_path: Path) -> None:
    name = "x" * 255
    record = publish(archive, tmp_path, content={name: b"long"})
    target = tmp_path / name
    archive.download(record, name, target, progress=Silent())
    assert target.read_bytes() == b"long"


class _Grow(Silent):
    def __init__(self, path: Path) -> None:
        self._path = path

    def step(self, done: int, note: str = "") -> None:
        with self._path.open("ab") as stream:
            stream.write(b"more")


def test_a_file_that_grows_while_it_is_sent(archive: FolderArchive, tmp_path: Path) -> None:
    draft = archive.create(make_metadata(), plan=make_plan())
    path = tmp_path / "log"
    path.write_bytes(bytes(3 << 20))  # three blocks
    with pytest.raises(HashMismatch, match="changed while it was being sent"):
        archive.upload(draft.id, "log", path, progress=_Grow(path))
    assert archive.look(draft.id) == draft


def test_a_pipe_is_not_waited_for(archive: FolderArchive, tmp_path: Path) -> None:
    draft = archive.create(make_metadata(), plan=make_plan())
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ArchiveError, match="not a file"):
            archive.upload(draft.id, "a", path, progress=Silent())


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """Lets no file grow beyond a size, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk(archive: FolderArchive, tmp_path: Path) -> None:
    data = bytes(range(256)) * (3 << 12)  # three blocks
    record = publish(archive, tmp_path, content={"a": data})
    draft = archive.create(make_metadata(), plan=make_plan())
    (tmp_path / "b").write_bytes(data)
    with no_room_beyond(1_500_001), pytest.raises(StorageError, match="the disk is full"):
        archive.upload(draft.id, "b", tmp_path / "b", progress=Silent())
    assert archive.look(draft.id) == draft
    assert list((archive.root / ".staging").iterdir()) == []
    with no_room_beyond(1_500_001), pytest.raises(StorageError, match="the disk is full"):
        archive.download(record, "a", tmp_path / "out", progress=Silent())
    assert not (tmp_path / "out").exists()
    archive.download(record, "a", tmp_path / "out", progress=Silent())
    assert (tmp_path / "out").read_bytes() == data


def test_a_page_that_finds_no_room_is_drawn_later(archive: FolderArchive, tmp_path: Path) -> None:
    draft = archive.create(make_metadata(), plan=make_plan())
    (tmp_path / "a").write_bytes(b"first")
    archive.upload(draft.id, "a", tmp_path / "a", progress=Silent())
    with no_room_beyond(2000), pytest.raises(StorageError, match="the disk is full"):
        archive.publish(draft.id)
    state = archive.look(draft.id)
    assert state is not None
    assert state.state == "draft"
    assert archive.publish(draft.id).title in (archive.root / "index.html").read_text()


def test_damage_of_a_draft_is_not_published(archive: FolderArchive, tmp_path: Path) -> None:
    draft = archive.create(make_metadata(), plan=make_plan())
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(name.encode())
        archive.upload(draft.id, name, tmp_path / name, progress=Silent())
    a, b = (next(archive.root.glob(f"drafts/{draft.id}/files/*/{name}")) for name in "ab")
    a.chmod(0o644)
    a.write_bytes(b"other")
    b.unlink()
    with pytest.raises(ArchiveError, match="refuses to publish") as error:
        archive.publish(draft.id)
    assert [issue.where for issue in error.value.issues] == ["a", "b"]
    left = archive.look(draft.id)
    assert left is not None
    assert [file.name for file in left.files] == ["c"], "whoever sends what is not listed sends them again"
    for name in ("a", "b"):
        archive.upload(draft.id, name, tmp_path / name, progress=Silent())
    archive.publish(draft.id)


@pytest.mark.parametrize(("change", "where"), [
    ({"title": " "}, "metadata.title"), ({"description": "\n"}, "metadata.description"), ({"version": " "}, "metadata.version"),
])  # fmt: skip
def test_blank_metadata_are_refused(archive: FolderArchive, change: dict[str, str], where: str) -> None:
    draft = archive.create(make_metadata(), plan=make_plan())
    told = make_metadata(**change)
    calls: list[Callable[[], object]] = [
        lambda: archive.create(told, plan=make_plan()),
        lambda: archive.describe(draft.id, told, plan=make_plan()),
    ]
    for call in calls:
        with pytest.raises(ArchiveError, match="refuses the metadata") as error:
            call()
        assert [issue.where for issue in error.value.issues] == [where]


def test_what_killed_processes_left_is_swept(archive: FolderArchive, tmp_path: Path) -> None:
    publish(archive, tmp_path)
    staging = archive.root / ".staging"
    (staging / "9").mkdir()
    (staging / "9" / "entry.json").write_text("{")
    (staging / "abc.part").write_bytes(b"half")
    archive.create(make_metadata(), plan=make_plan())
    assert list(staging.iterdir()) == []


def test_pages_that_were_not_drawn_to_the_end_are_drawn_by_the_next_call(
    archive: FolderArchive, tmp_path: Path
) -> None:
    record = publish(archive, tmp_path, title="A title to be found")
    pages = [archive.root / "index.html", archive.root / "records/2/index.html", archive.root / "records/2/record.json"]
    drawn = [page.read_text() for page in pages]
    for page in pages:
        page.write_text("old")
    (archive.root / ".stale").write_text("2\n")
    FolderArchive(archive.root).record(record.doi)
    assert [page.read_text() for page in pages] == drawn
    assert not (archive.root / ".stale").exists()


def test_damage_elsewhere_keeps_nobody_from_reading(archive: FolderArchive, tmp_path: Path) -> None:
    publish(archive, tmp_path)
    good = publish(archive, tmp_path)
    (archive.root / "records/2/entry.json").write_text("{")
    (archive.root / ".stale").write_text("2\n")
    assert FolderArchive(archive.root).record(good.doi) == good
    assert (archive.root / ".stale").exists()


def test_pages_are_drawn_anew(archive: FolderArchive, tmp_path: Path) -> None:
    publish(archive, tmp_path)
    page = archive.root / "records/2/index.html"
    drawn = page.read_text()
    page.unlink()
    archive.redraw()
    assert page.read_text() == drawn


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("10.5072/braggbook.abc234.7", ("abc234", 7)),
        ("https://doi.org/10.5072/BRAGGBOOK.ABC234.7", ("abc234", 7)),
        ("10.5072/zenodo.7", None),
        ("10.5281/braggbook.abc.7", None),
        ("10.5072/braggbook.abc.", None),
        ("10.5072/braggbook.abc.7/x", None),
    ],
)
def test_identifiers(text: str, parsed: tuple[str, int] | None) -> None:
    assert parse_doi(text) == parsed
