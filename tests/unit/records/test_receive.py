"""From an identifier to a folder: every spelling, the cache, and what there is no run in."""

from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from braggbook.errors import HashMismatch, InputError, NotVerifiable, RecordError, UnknownName
from braggbook.formats.record import Creator, RecordMetadata
from braggbook.progress import Silent
from braggbook.records.archive import Record
from braggbook.records.archives import Shelf
from braggbook.records.folder import FolderArchive
from braggbook.records.receive import Received, is_record, receive

METADATA = RecordMetadata(
    title="A run",
    description="Of a test.",
    resource_type="dataset",
    creators=[Creator(name="Curie, Marie")],
    license="CC-BY-4.0",
    version="1",
)


class Counting(Silent):
    """Counts what is fetched."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, title: str, total: int) -> None:
        self.started.append(title)


def make_zip(path: Path, names: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in names.items():
            archive.writestr(name, text)
    return path


class Place:
    """A folder archive and a cache."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder, folder / "cache"
        self.archive = FolderArchive(folder / "archive")
        self.shelf = Shelf(folder / "archive", {})

    def publish(self, files: dict[str, Path], *, version_of: str | None = None, version: str = "1") -> Record:
        told = METADATA.model_copy(update={"version": version})
        draft = self.archive.create(told, plan=version.rjust(64, "0"), version_of=version_of)
        for name, path in files.items():
            self.archive.upload(draft.id, name, path, progress=Silent())
        return self.archive.publish(draft.id)

    def get(self, what: str, progress: Counting | None = None) -> Received:
        return receive(what, shelf=self.shelf, cache=self.cache, progress=progress)

    def zip(self, name: str = "run.zip", text: str = "{}") -> Path:
        return make_zip(self.folder / name, {"run.json": text})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.5281/zenodo.123", True),
        (" doi:10.5281/zenodo.123 ", True),
        ("https://doi.org/10.5281/zenodo.123", True),
        ("https://zenodo.org/records/123", True),
        ("HTTPS://example.org/x", True),
        ("file:///archive/records/2/index.html", True),
        ("invenio+https://example.org/records/ab-12", True),
        ("somewhere/record.zip", True),
        ("record.ZIP", True),
        ("0123456789abcdef01234567", False),
        ("runs/0123", False),
        (".", False),
    ],
)
def test_what_is_meant_as_a_record(text: str, meant: bool) -> None:
    assert is_record(text) is meant


def test_every_spelling_of_an_identifier_brings_the_same_folder(place: Place) -> None:
    record = place.publish({"run.zip": place.zip()})
    spellings = [
        record.doi, f" {record.doi} ", record.doi.upper(), f"doi:{record.doi}", f"DOI: {record.doi}",
        f"https://doi.org/{record.doi}", f"http://dx.doi.org/{record.doi}",
        f"https://doi.org/{record.doi.replace('/', '%2F')}", record.url, record.url.replace("index.html", ""),
    ]  # fmt: skip
    found = {spelling: place.get(spelling) for spelling in spellings}
    assert {one.folder for one in found.values()} == {found[record.doi].folder}
    assert {one.record for one in found.values()} == {record}
    assert found[record.doi].kind == "run"
    assert (found[record.doi].folder / "run.json").read_text() == "{}"
    assert found[record.doi].notes == []


def test_the_identifier_of_all_versions_says_which_one_it_took(place: Place) -> None:
    first = place.publish({"run.zip": place.zip()})
    second = place.publish({"run.zip": place.zip(text='{"second": 2}')}, version_of=first.doi, version="2")
    found = place.get(str(first.concept_doi))
    assert found.record == second
    assert "second" in (found.folder / "run.json").read_text()
    assert len(found.notes) == 1
    assert "version 2" in found.notes[0]
    assert second.doi in found.notes[0]
    assert place.get(first.doi).record == first


def test_the_second_time_nothing_has_to_come(place: Place) -> None:
    record, progress = place.publish({"run.zip": place.zip()}), Counting()
    first = place.get(record.doi, progress)
    again = place.get(record.doi, progress)
    assert progress.started == ["from folder"]
    assert again == first


def test_a_file_that_was_damaged_in_the_cache_comes_again(place: Place) -> None:
    record, progress = place.publish({"run.zip": place.zip()}), Counting()
    path = place.get(record.doi, progress).zip
    path.write_bytes(path.read_bytes()[:-1])
    assert place.get(record.doi, progress).zip.read_bytes() == (place.folder / "run.zip").read_bytes()
    assert len(progress.started) == 2


def test_what_was_changed_after_it_was_unpacked_is_unpacked_again(place: Place) -> None:
    record = place.publish({"run.zip": place.zip()})
    folder = place.get(record.doi).folder
    (folder / "run.json").write_text("other")
    (folder / "more").write_text("more")
    assert place.get(record.doi).folder == folder
    assert [path.name for path in folder.iterdir()] == ["run.json"]
    assert (folder / "run.json").read_text() == "{}"


def test_a_half_file_never_counts(place: Place) -> None:
    record = place.publish({"run.zip": place.zip()})
    sent = (place.folder / "run.zip").read_bytes()
    stored = next((place.folder / "archive" / "records" / record.id).rglob("run.zip"))
    stored.write_bytes(sent[:40])
    with pytest.raises(HashMismatch):
        place.get(record.doi)
    assert [path for path in place.cache.rglob("*") if path.is_file() and path.name != ".lock"] == []
    stored.write_bytes(sent)
    assert place.get(record.doi).kind == "run"


def test_a_zip_by_its_path_or_address(place: Place) -> None:
    path = place.zip("elsewhere.zip")
    for what in (str(path), path.as_uri()):
        found = place.get(what)
        assert (found.kind, found.record, found.zip) == ("run", None, path)
    path.rename(place.folder / "without a suffix")
    assert place.get(str(place.folder / "without a suffix")).kind == "run"


def test_a_run_may_lie_in_the_zips_only_folder(place: Place) -> None:
    path = make_zip(place.folder / "z.zip", {"a run/run.json": "{}", "a run/x/y.txt": "1"})
    assert place.get(str(path)).folder.name == "a run"


@pytest.mark.parametrize(("mark", "kind"), [("run.json", "run"), ("sweep.json", "sweep"), ("dataset.toml", "dataset")])
def test_what_it_is_a_record_of(place: Place, mark: str, kind: str) -> None:
    assert place.get(str(make_zip(place.folder / "z.zip", {mark: ""}))).kind == kind


def test_a_zip_of_something_else_is_refused(place: Place) -> None:
    with pytest.raises(RecordError, match="nothing of Braggbook's in the zip") as caught:
        place.get(str(make_zip(place.folder / "z.zip", {"thesis.pdf": "", "a/run.json": "{}"})))
    assert "thesis.pdf" in caught.value.got


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("data.csv", "notes.txt"), "no run in the record"),
        (("one.zip", "two.zip"), "several zips in the record"),
        (("verification.json", "README.md"), "a record of how another one was verified"),
    ],
)
def test_a_record_without_a_run_says_what_it_holds(place: Place, names: tuple[str, ...], what: str) -> None:
    path = place.zip()
    record = place.publish(dict.fromkeys(names, path))
    with pytest.raises(NotVerifiable, match=what) as caught:
        place.get(record.doi)
    assert caught.value.exit_code == 3
    assert record.doi in caught.value.where
    if len({name for name in names if name.endswith(".zip")}) > 1:
        address = caught.value.next_command.removeprefix("braggbook verify ").partition(",")[0]
        assert place.get(address).kind == "run"
    if what != "a record of how another one was verified":
        assert all(name in caught.value.got for name in names)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("10.5072/braggbook.zzzz.99", UnknownName),
        ("10.1000/xyz", InputError),
        ("https://example.org/about", InputError),
        ("nowhere/record.zip", UnknownName),
        ("file:///somewhere/else", InputError),
        ("https://me:secret@example.org/record.zip", InputError),
    ],
)
def test_what_is_not_there_or_nothing_is_said(place: Place, what: str, error: type[Exception]) -> None:
    place.publish({"run.zip": place.zip()})
    with pytest.raises(error) as caught:
        place.get(what)
    assert "secret" not in str(caught.value)
    assert not list(place.cache.rglob("*.zip"))


def test_an_unsafe_zip_leaves_nothing_unpacked(place: Place) -> None:
    path = make_zip(place.folder / "z.zip", {"run.json": "{}", "../../evil": "1"})
    record = place.publish({"z.zip": path})
    for what in (record.doi, str(path)):
        with pytest.raises(RecordError, match="not safe to unpack"):
            place.get(what)
    assert not list(place.folder.rglob("evil"))
    assert not list(place.cache.rglob("*unpacked*"))


def test_several_at_once_get_it_once(place: Place) -> None:
    record, progress = place.publish({"run.zip": place.zip()}), Counting()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: place.get(record.doi, progress), range(8)))
    assert len({one.folder for one in found}) == 1
    assert progress.started == ["from folder"]


@pytest.mark.parametrize("what", ["n" * 5000, "n" * 5000 + ".zip", "."])
def test_a_path_that_is_none_is_said(place: Place, what: str) -> None:
    assert is_record(what) is what.endswith(".zip")
    with pytest.raises(UnknownName, match="no such file"):
        place.get(what)


def test_what_a_killed_process_left_half_unpacked_goes(place: Place) -> None:
    record = place.publish({"run.zip": place.zip()})
    folder = place.get(record.doi).folder
    folder.rename(folder.with_name(".unpacked.part"))
    (folder.with_name(".unpacked.part") / "junk").write_text("half")
    assert place.get(record.doi).folder == folder
    assert not folder.with_name(".unpacked.part").exists()
