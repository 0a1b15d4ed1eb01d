"""What every archive must do, whatever is behind it: checks that know nothing but the protocol.

Each check is a plain function of a :class:`Bench`, which says how to get an archive, and raises AssertionError. All of
them are in :data:`CHECKS`, for any runner::

    @pytest.mark.parametrize("name", CHECKS)
    def test_my_archive(name, tmp_path):
        CHECKS[name](Bench(make=lambda: MyArchive(...), folder=tmp_path))

or, without one, ``check_archive(lambda: MyArchive(...), folder)``. A check looks only at what it has made itself, so an
archive that others use meanwhile, as a sandbox, can be held to them too; records that they publish stay there.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from braggbook.errors import ArchiveError, BraggbookError, HashMismatch, UnknownName
from braggbook.formats.record import Creator, RecordMetadata, Relation
from braggbook.progress import Silent
from braggbook.records.archive import Archive, Draft, Record, RemoteFile

LARGE_BYTES = 24_000_000  # many blocks of any archive, and soon sent
MEMORY_BYTES = 12_000_000  # that sending and getting a file of any size may take: a few blocks, and what HTTP needs
_BLOCK = 1 << 20
_LONGEST = 1000  # characters of a value in a message
_ORCID = "0000-0002-1825-0097"  # ORCID's own example
_ODD_NAMES = (
    "two words.txt", "c#1.txt", "who?.txt", "100 %.txt", "a%20b.txt", "a&b=c.txt", "a+b.txt", "it's \"quoted\".txt",
    "Größe_µm.txt", "線量.txt", "semi;colon,comma.txt", "[x]{y}.txt", "~back`tick.txt", ".hidden", "no_suffix",
)  # fmt: skip
_PATHS = ("a/same.txt", "b/same.txt", "same.txt")
_TWINS = ("Same.txt", "same.txt", "caf\u00e9.txt", "cafe\u0301.txt")  # by capitals, and by two spellings of é
_NO_NAMES = ("", ".", "..", "../up.txt")


@dataclass(frozen=True)
class Bench:
    """How to get at an archive.

    Attributes:
        make: Returns an archive; a new and empty one, if ``apart``.
        folder: Of the check's own, for files.
        again: Returns the same archive as another process would see it, which knows nothing of what this one did.
        apart: Whether each call of ``make`` gives an archive of its own.
        said: Returns the metadata of a published record in the words of Zenodo's JSON, if there is a way.
        damage: Spoils a byte of a published file where the archive keeps it, if there is a way.
        search_lag_s: How long a search may not know yet what was published.
        large_bytes: Size of the file that is sent and got within :data:`MEMORY_BYTES`.
    """

    make: Callable[[], Archive]
    folder: Path
    again: Callable[[Archive], Archive] = lambda archive: archive
    apart: bool = True
    said: Callable[[Archive, Record], Mapping[str, Any]] | None = None
    damage: Callable[[Archive, Record, str], None] | None = None
    search_lag_s: float = 0.0
    large_bytes: int = LARGE_BYTES


_Error = TypeVar("_Error", bound=Exception)
Check = Callable[[Bench], None]
CHECKS: dict[str, Check] = {}


def _check(function: Check) -> Check:
    CHECKS[function.__name__] = function
    return function


def check_archive(make: Callable[[], Archive], folder: Path) -> None:
    """Runs all checks, each in a folder of its own.

    Args:
        make: Returns a new and empty archive.
        folder: Where files may be made.

    Raises:
        AssertionError: With what each failing check says.
    """
    failed = []
    for name, check in CHECKS.items():
        place = folder / name
        place.mkdir(parents=True)
        try:
            check(Bench(make=make, folder=place))
        except Exception as error:  # whatever an archive does wrong, the others are still checked
            failed.append(f"{name}: {type(error).__name__}: {error}")
    _expect(not failed, "\n".join(failed))


def make_metadata(**changes: Any) -> RecordMetadata:
    """Returns metadata of a record that no archive has, with changes."""
    told: dict[str, Any] = {
        "title": f"Survival of cells {secrets.token_hex(4)}",
        "description": "A record of the contract suite.\n\nIts second paragraph.",
        "resource_type": "dataset",
        "creators": [Creator(name="Lovelace, Ada", orcid=_ORCID, affiliation="Analytical Engine Institute")],
        "license": "CC-BY-4.0",
        "version": "1",
    }
    return RecordMetadata(**(told | changes))


def make_plan() -> str:
    """Returns a digest that no plan has."""
    return secrets.token_hex(32)


class Steps(Silent):
    """Remembers how many bytes were reported."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def step(self, done: int, note: str = "") -> None:  # noqa: ARG002
        """Remembers a step."""
        self.done.append(done)


class _Stopped(Exception):
    pass


class _StopAt(Steps):
    """Interrupts the work, as a person does, when so many bytes are done."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def step(self, done: int, note: str = "") -> None:
        """Remembers a step, and interrupts."""
        super().step(done, note)
        if done >= self._limit:
            raise _Stopped


# Drafts


@_check
def a_draft_is_found_by_its_plan_at_once(bench: Bench) -> None:
    """A crash right after the first request loses nothing: who lists drafts of the plan finds the draft."""
    archive, plan = bench.make(), make_plan()
    draft = archive.create(make_metadata(), plan=plan)
    _equal((draft.state, draft.plan, draft.files), ("draft", plan, ()), "a new draft")
    for view in (archive, bench.again(archive)):
        _equal([found.id for found in view.own(plan)], [draft.id], "drafts of the plan")
        _equal(_there(view, draft.id), draft, "the draft by its id")
        _equal(view.own(make_plan()), (), "drafts of another plan")


@_check
def drafts_of_one_plan_are_listed_oldest_first(bench: Bench) -> None:
    """Who finds two takes the first, and always the same one."""
    archive, plan = bench.make(), make_plan()
    made = [archive.create(make_metadata(), plan=plan).id for _ in range(3)]
    _equal([draft.id for draft in archive.own(plan)], made, "drafts of the plan, the oldest first")


@_check
def a_draft_is_described_anew(bench: Bench) -> None:
    """The new metadata replace all old ones, the plan among them; files stay."""
    archive, plan, other = bench.make(), make_plan(), make_plan()
    draft = archive.create(make_metadata(version="1"), plan=plan)
    file = _send(bench, archive, draft.id, {"a.txt": b"first"})[0]
    told = make_metadata(version="2")
    changed = archive.describe(draft.id, told, plan=other)
    _equal((changed.id, changed.plan, changed.files), (draft.id, other, (file,)), "the draft described anew")
    _equal((archive.own(plan), len(archive.own(other))), ((), 1), "drafts of the old plan, and of the new")
    record = archive.publish(draft.id)
    _equal((record.title, record.version, record.plan), (told.title, "2", other), "the record")


@_check
def files_come_are_replaced_and_go(bench: Bench) -> None:
    """What an archive lists is what was sent last."""
    archive = bench.make()
    draft = archive.create(make_metadata(), plan=make_plan())
    first = _send(bench, archive, draft.id, {"a.txt": b"first", "b.txt": b"second"})
    _equal(first, [_listed("a.txt", b"first"), _listed("b.txt", b"second")], "what upload returns")
    _equal(_files(archive, draft.id), first, "the draft's files, by name")
    _send(bench, archive, draft.id, {"a.txt": b"another, longer"})
    _equal(_files(archive, draft.id), [_listed("a.txt", b"another, longer"), first[1]], "after one was replaced")
    for _ in range(2):
        archive.remove(draft.id, "a.txt")
    _equal(_files(archive, draft.id), [first[1]], "after one was removed")
    record = archive.publish(draft.id)
    _equal(_got(bench, archive, record), {"b.txt": b"second"}, "what is published")


@_check
def an_upload_that_breaks_off_leaves_no_half_file(bench: Bench) -> None:
    """What is listed under the name afterwards is the whole of what was sent before, or of what is sent now."""
    archive = bench.make()
    draft = archive.create(make_metadata(), plan=make_plan())
    path = _write(bench, os.urandom(4 * _BLOCK))
    _raises(_Stopped, lambda: archive.upload(draft.id, "a.bin", path, progress=_StopAt(2 * _BLOCK)))
    _equal(_files(archive, draft.id), [], "files after an upload that broke off")
    sent = archive.upload(draft.id, "a.bin", path, progress=Silent())
    _equal(sent, _listed("a.bin", path.read_bytes()), "the same upload again")


@_check
def a_file_that_is_not_there_cannot_be_sent(bench: Bench) -> None:
    """It is an error in our own words, and the draft is as it was."""
    archive = bench.make()
    draft = archive.create(make_metadata(), plan=make_plan())
    _raises(BraggbookError, lambda: archive.upload(draft.id, "a", bench.folder / "nothing", progress=Silent()))
    _equal(_files(archive, draft.id), [], "the draft's files")


@_check
def a_draft_is_discarded(bench: Bench) -> None:
    """It is gone, and discarding it again does no harm."""
    archive, plan = bench.make(), make_plan()
    draft = archive.create(make_metadata(), plan=plan)
    _send(bench, archive, draft.id, {"a.txt": b"first"})
    for _ in range(2):
        archive.discard(draft.id)
    _equal((archive.look(draft.id), archive.own(plan)), (None, ()), "what is left of it")
    later = archive.create(make_metadata(), plan=plan)
    _expect(later.id != draft.id, "the id of a discarded draft is given again")


# Records


@_check
def a_draft_is_published(bench: Bench) -> None:
    """It is a record under the same id, found by everything that names it."""
    archive, plan, told = bench.make(), make_plan(), make_metadata(version="1.2.0")
    draft = archive.create(told, plan=plan)
    _send(bench, archive, draft.id, {"b.txt": b"second", "a.txt": b"first"})
    record = archive.publish(draft.id)
    _equal((record.id, record.title, record.version), (draft.id, told.title, "1.2.0"), "the record")
    _equal(record.plan, plan, "the record's plan")
    _expect(draft.doi in (None, record.doi), f"the DOI was reserved as {draft.doi} and is {record.doi}")
    _equal(list(record.files), [_listed("a.txt", b"first"), _listed("b.txt", b"second")], "its files, by name")
    _expect(len(record.published) == 10, f"the date is {record.published!r}")
    for view in (archive, bench.again(archive)):
        seen = _there(view, draft.id)
        _equal((seen.state, seen.doi, seen.plan), ("published", record.doi, plan), "the record as one's own")
        _equal(view.own(plan), (seen,), "records of the plan")
        names = [record.id, record.doi, f"https://doi.org/{record.doi}", f" {record.doi}\n", record.url]
        for name in [*names, *([record.concept_doi] if record.concept_doi else [])]:
            _equal(view.record(name), record, f"the record by {name!r}")


@_check
def a_draft_without_files_is_refused(bench: Bench) -> None:
    """The findings are listed, and the draft can still be mended."""
    archive = bench.make()
    draft = archive.create(make_metadata(), plan=make_plan())
    error = _raises(ArchiveError, lambda: archive.publish(draft.id))
    _expect(bool(error.issues), f"no finding is listed: {error}")
    _expect("file" in str(error), f"files are not spoken of: {error}")
    _equal(_there(archive, draft.id).state, "draft", "what it is after the refusal")
    _send(bench, archive, draft.id, {"a.txt": b"first"})
    archive.publish(draft.id)


@_check
def a_record_stays_as_it_is(bench: Bench) -> None:
    """Nothing changes what is published, and whoever tries is told."""
    archive = bench.make()
    record = _publish(bench, archive, {"a.txt": b"first"})
    path = _write(bench, b"another")
    for change in (
        lambda: archive.describe(record.id, make_metadata(), plan=make_plan()),
        lambda: archive.upload(record.id, "a.txt", path, progress=Silent()),
        lambda: archive.upload(record.id, "b.txt", path, progress=Silent()),
        lambda: archive.remove(record.id, "a.txt"),
        lambda: archive.publish(record.id),
        lambda: archive.discard(record.id),
    ):
        _raises(ArchiveError, change)
    _equal(bench.again(archive).record(record.doi), record, "the record afterwards")
    _equal(_got(bench, archive, record), {"a.txt": b"first"}, "its file afterwards")


@_check
def a_next_version_begins_empty(bench: Bench) -> None:
    """It has its own metadata and files; the DOI of all versions leads to the latest; the old one stays readable."""
    archive, plan = bench.make(), make_plan()
    first = _publish(bench, archive, {"old.txt": b"old", "both.txt": b"one"})
    told = make_metadata(version="2")
    draft = archive.create(told, plan=plan, version_of=first.doi)
    _equal((draft.state, draft.files), ("draft", ()), "the draft of the next version")
    _equal([found.id for found in bench.again(archive).own(plan)], [draft.id], "drafts of its plan")
    _equal(archive.record(first.doi, latest=True), first, "the latest while the next is a draft")
    _send(bench, archive, draft.id, {"both.txt": b"two"})
    second = archive.publish(draft.id)
    _equal((second.title, second.version, second.plan), (told.title, "2", plan), "the second version")
    _expect(second.doi != first.doi, "both versions have the same DOI")
    _equal(second.concept_doi, first.concept_doi, "the DOI of all versions")
    _equal(archive.record(first.doi), first, "the first version by its DOI")
    for name in filter(None, (first.concept_doi, second.doi, first.doi)):
        _equal(archive.record(name, latest=True), second, f"the latest by {name}")
    _equal(_got(bench, archive, first), {"old.txt": b"old", "both.txt": b"one"}, "the first version's files")
    _equal(_got(bench, archive, second), {"both.txt": b"two"}, "the second version's files")


@_check
def a_next_version_is_of_the_latest(bench: Bench) -> None:
    """Whichever version, or all together, are named."""
    archive = bench.make()
    first = _publish(bench, archive, {"a.txt": b"1"})
    names = [first.id, first.concept_doi or first.doi, first.doi]
    for number, name in enumerate(names, start=2):
        last = _publish(bench, archive, {"a.txt": b"%d" % number}, version_of=name, version=str(number))
        _equal(last.concept_doi, first.concept_doi, "the DOI of all versions")
        _equal(archive.record(first.doi, latest=True), last, "the latest")


@_check
def a_begun_next_version_is_taken_over(bench: Bench) -> None:
    """There is never more than one: what was begun for another plan loses its files and metadata."""
    archive, plan, other, told = bench.make(), make_plan(), make_plan(), make_metadata(version="3")
    first = _publish(bench, archive, {"a.txt": b"first"})
    begun = archive.create(make_metadata(version="2"), plan=plan, version_of=first.doi)
    _send(bench, archive, begun.id, {"left.txt": b"left"})
    draft = archive.create(told, plan=other, version_of=first.doi)
    _equal((draft.id, draft.plan, draft.files), (begun.id, other, ()), "the draft taken over")
    _equal((archive.own(plan), len(archive.own(other))), ((), 1), "drafts of the old plan, and of the new")
    _send(bench, archive, draft.id, {"b.txt": b"second"})
    second = archive.publish(draft.id)
    _equal((second.title, [file.name for file in second.files]), (told.title, ["b.txt"]), "the record")


@_check
def what_is_not_there_is_not_found(bench: Bench) -> None:
    """In our own words."""
    archive = bench.make()
    draft = archive.create(make_metadata(), plan=make_plan())
    record = _publish(bench, archive, {"a.txt": b"first"})
    missing = "987654321098"
    for name in (missing, record.doi.replace(record.id, missing), "nonsense", "", "10.1234/other.1", draft.id):
        _raises(UnknownName, lambda name=name: archive.record(name))  # type: ignore[misc]
    _equal((archive.look(missing), archive.own(make_plan())), (None, ()), "what is one's own of nothing")
    archive.discard(missing)
    path = _write(bench, b"x")
    for change in (
        lambda: archive.describe(missing, make_metadata(), plan=make_plan()),
        lambda: archive.upload(missing, "a", path, progress=Silent()),
        lambda: archive.publish(missing),
        lambda: archive.create(make_metadata(), plan=make_plan(), version_of=missing),
    ):
        _raises((ArchiveError, UnknownName), change)
    target = bench.folder / "out"
    _raises(UnknownName, lambda: archive.download(record, "b.txt", target, progress=Silent()))
    _expect(not target.exists(), "a file that is not there was got")


# Files


@_check
def empty_files_are_kept(bench: Bench) -> None:
    """They are files like others."""
    archive = bench.make()
    _equal(_got(bench, archive, _publish(bench, archive, {"empty": b""})), {"empty": b""}, "an empty file")


@_check
def odd_names_are_kept(bench: Bench) -> None:
    """Blanks, #, ?, %, &, quotes and other scripts arrive as they were sent, and do not mix."""
    archive = bench.make()
    content = {name: name.encode() for name in _ODD_NAMES}
    record = _publish(bench, archive, content)
    _equal(sorted(file.name for file in record.files), sorted(content), "names of the record")
    _equal(_got(bench, archive, record), content, "what is under them")


@_check
def paths_are_kept_or_refused(bench: Bench) -> None:
    """A path never loses its folders silently, so that two files of one name would become one."""
    _kept_or_refused(bench, _PATHS, always="same.txt")


@_check
def near_twins_are_kept_or_refused(bench: Bench) -> None:
    """Names that some file systems take for one are two, or the second is refused."""
    _kept_or_refused(bench, _TWINS, always=_TWINS[0])


@_check
def what_is_no_name_is_refused(bench: Bench) -> None:
    """Nothing gets out of its folder."""
    archive = bench.make()
    draft = archive.create(make_metadata(), plan=make_plan())
    path = _write(bench, b"x")
    for name in _NO_NAMES:
        _raises(ArchiveError, lambda name=name: archive.upload(draft.id, name, path, progress=Silent()))  # type: ignore[misc]
    _equal(_files(archive, draft.id), [], "the draft's files")


@_check
def files_are_sent_at_the_same_time(bench: Bench) -> None:
    """As many at a time as the archive says."""
    archive = bench.make()
    draft = archive.create(make_metadata(), plan=make_plan())
    content = {f"{number}.bin": os.urandom(1000 + number) for number in range(3 * archive.simultaneous)}
    paths = {name: _write(bench, data) for name, data in content.items()}
    with ThreadPoolExecutor(archive.simultaneous) as pool:
        jobs = [pool.submit(archive.upload, draft.id, name, paths[name], progress=Silent()) for name in content]
        sent = [job.result() for job in jobs]
    _equal(sorted(sent, key=lambda file: file.name), _files(archive, draft.id), "what was sent and what is listed")
    _equal(_got(bench, archive, archive.publish(draft.id)), content, "what is published")


@_check
def a_large_file_takes_little_memory(bench: Bench) -> None:
    """It is sent and got block by block, and progress is told in bytes."""
    archive = bench.make()
    path = _sparse(bench.folder / "large", bench.large_bytes)
    draft = archive.create(make_metadata(), plan=make_plan())
    up, down = Steps(), Steps()
    tracemalloc.start()
    try:
        archive.upload(draft.id, "large.bin", path, progress=up)
        record = archive.publish(draft.id)
        archive.download(record, "large.bin", bench.folder / "got", progress=down)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    _expect(peak < MEMORY_BYTES, f"{bench.large_bytes} bytes took {peak} bytes of memory")
    _equal(_md5(bench.folder / "got"), _md5(path), "the file that came back")
    for steps in (up, down):
        _expect(len(steps.done) > 1 and steps.done == sorted(steps.done), f"progress goes {steps.done[:20]}")
        _equal(steps.done[-1], bench.large_bytes, "bytes told at the end")


@_check
def a_download_goes_on_where_it_was_left(bench: Bench) -> None:
    """And what was left is part of no file until the whole is checked."""
    archive, record, content = _one_large(bench)
    target = bench.folder / "out" / "a.bin"
    target.parent.mkdir()
    _raises(_Stopped, lambda: archive.download(record, "a.bin", target, progress=_StopAt(2 * _BLOCK)))
    _expect(not target.exists(), "half a file has the name of the whole")
    steps = Steps()
    bench.again(archive).download(record, "a.bin", target, progress=steps)
    _expect(min(steps.done) > _BLOCK, f"it began anew: {steps.done}")
    _equal(target.read_bytes(), content, "what came")
    _equal(_names(target.parent), ["a.bin"], "what is left in the folder")


@_check
def what_was_left_is_checked_too(bench: Bench) -> None:
    """A partial file of something else never becomes part of the file."""
    archive, record, content = _one_large(bench)
    target = bench.folder / "out" / "a.bin"
    target.parent.mkdir()
    _raises(_Stopped, lambda: archive.download(record, "a.bin", target, progress=_StopAt(2 * _BLOCK)))
    for left in target.parent.iterdir():
        left.write_bytes(bytes(left.stat().st_size))
    try:
        archive.download(record, "a.bin", target, progress=Silent())
    except HashMismatch:
        _equal(_names(target.parent), [], "what is left after a refusal")
        archive.download(record, "a.bin", target, progress=Silent())
    _equal(target.read_bytes(), content, "what came")


@_check
def another_checksum_is_refused(bench: Bench) -> None:
    """What is not what the record lists is not kept under its name."""
    archive = bench.make()
    record = _publish(bench, archive, {"a.txt": b"first"})
    lie = replace(record, files=(replace(record.files[0], md5="0" * 32),))
    target = bench.folder / "out" / "a.txt"
    target.parent.mkdir()
    _raises(HashMismatch, lambda: archive.download(lie, "a.txt", target, progress=Silent()))
    _equal(_names(target.parent), [], "what is left after a refusal")


@_check
def a_damaged_file_is_refused(bench: Bench) -> None:
    """The archive's own damage is noticed by whoever downloads."""
    if bench.damage is None:
        return
    archive, record, _ = _one_large(bench)
    bench.damage(archive, record, "a.bin")
    target = bench.folder / "out" / "a.bin"
    target.parent.mkdir()
    _raises(HashMismatch, lambda: archive.download(record, "a.bin", target, progress=Silent()))
    _equal(_names(target.parent), [], "what is left after a refusal")


# Metadata


@_check
def who_and_whence_are_kept(bench: Bench) -> None:
    """Persons with ORCID, organisations, and relations by DataCite's terms."""
    creators = [
        Creator(name="Lovelace, Ada", orcid=_ORCID, affiliation="Analytical Engine Institute"),
        Creator(name="Carbon, Ion and Helium Collaboration", type="organizational"),
        Creator(name="Aristoteles"),
    ]
    relations = [
        Relation(relation="isCompiledBy", identifier="10.5281/zenodo.1234", resource_type="software"),
        Relation(relation="isDerivedFrom", identifier="10.5281/zenodo.5678", resource_type="dataset"),
        Relation(relation="isSupplementTo", identifier="https://example.org/paper"),
    ]
    archive = bench.make()
    record = _publish(bench, archive, {"a.txt": b"first"}, creators=creators, relations=relations, keywords=["RBE"])
    if bench.said is None:
        return
    said = bench.said(archive, record)
    wanted = [(creator.name, creator.orcid, creator.affiliation) for creator in creators]
    got = [(entry["name"], entry.get("orcid"), entry.get("affiliation")) for entry in said["creators"]]
    _equal(got, wanted, "the creators")
    told = [(entry["relation"], entry["identifier"]) for entry in said["related_identifiers"]]
    _equal(told, [(relation.relation, relation.identifier) for relation in relations], "the relations")
    _equal((said["keywords"], said["license"]["id"]), (["RBE"], "cc-by-4.0"), "keywords and licence")


@_check
def records_are_found_by_their_words(bench: Bench) -> None:
    """All words, wherever they stand; drafts are not found."""
    archive, word = bench.make(), f"w{secrets.token_hex(6)}"
    names = [Creator(name=f"Curie{word}, Marie"), Creator(name="Helium Group", type="organizational")]
    record = _publish(
        bench, archive, {"a.txt": b"1"}, title=f"Dose {word}", creators=names, keywords=["proton"],
        description=f"About microdosimetry{word}.",
    )  # fmt: skip
    _publish(bench, archive, {"a.txt": b"2"}, title=f"Another {word}")
    archive.create(make_metadata(title=f"Dose {word} as a draft"), plan=make_plan())
    for text in (f"{word} dose", f"curie{word}", f"microdosimetry{word} helium", f"PROTON {word}"):
        found = _eventually(bench, lambda text=text: archive.search(text))  # type: ignore[misc]
        _equal([one.doi for one in found], [record.doi], f"what is found by {text!r}")
    _equal(archive.search(f"{word} nothingofthiskind{word}"), (), "what is found by words that no record has")
    _equal(len(_eventually(bench, lambda: archive.search(word, most=1))), 1, "at most one")


@_check
def two_archives_know_nothing_of_each_other(bench: Bench) -> None:
    """What is done in one is not seen in the other."""
    if not bench.apart:
        return
    first, second, plan, told = bench.make(), bench.make(), make_plan(), make_metadata()
    draft = first.create(told, plan=plan)
    _send(bench, first, draft.id, {"a.txt": b"first"})
    _equal((second.own(plan), second.look(draft.id)), ((), None), "the first one's draft, seen in the second")
    record = first.publish(draft.id)
    _equal((second.own(plan), second.search(told.title)), ((), ()), "the first one's record, seen in the second")
    _raises(UnknownName, lambda: second.record(record.doi))


# What the checks share


def _expect(condition: bool, what: str) -> None:  # noqa: FBT001 - reads as the sentence that it is
    if not condition:
        raise AssertionError(what)


def _equal(got: Any, wanted: Any, what: str) -> None:
    if got != wanted:
        _expect(False, f"{what}: wanted {repr(wanted)[:_LONGEST]}, got {repr(got)[:_LONGEST]}")


def _raises(kind: type[_Error] | tuple[type[_Error], ...], call: Callable[[], Any]) -> _Error:
    names = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
    try:
        got = call()
    except kind as error:
        return error
    except Exception as error:
        raise AssertionError(f"{type(error).__name__} instead of {names}: {error}") from error
    raise AssertionError(f"no {names}, but {repr(got)[:_LONGEST]}")


def _write(bench: Bench, data: bytes) -> Path:
    path = bench.folder / f"sent_{secrets.token_hex(8)}"
    path.write_bytes(data)
    return path


def _sparse(path: Path, size: int) -> Path:
    """Makes a file of any size that takes no room on the disk, with something in it."""
    with path.open("wb") as stream:
        stream.truncate(size)
        for place in range(0, size, max(size // 7, 1)):
            stream.seek(place)
            stream.write(b"%d" % place)
        stream.truncate(size)
    return path


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _listed(name: str, data: bytes) -> RemoteFile:
    return RemoteFile(name, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())


def _send(bench: Bench, archive: Archive, id: str, content: Mapping[str, bytes]) -> list[RemoteFile]:
    return [archive.upload(id, name, _write(bench, data), progress=Silent()) for name, data in content.items()]


def _there(archive: Archive, id: str) -> Draft:
    draft = archive.look(id)
    if draft is None:
        raise AssertionError(f"{id} is not there")
    return draft


def _files(archive: Archive, id: str) -> list[RemoteFile]:
    return sorted(_there(archive, id).files, key=lambda file: file.name)


def _publish(
    bench: Bench, archive: Archive, content: Mapping[str, bytes], *, version_of: str | None = None, **changes: Any
) -> Record:
    draft = archive.create(make_metadata(**changes), plan=make_plan(), version_of=version_of)
    _send(bench, archive, draft.id, content)
    return archive.publish(draft.id)


def _got(bench: Bench, archive: Archive, record: Record) -> dict[str, bytes]:
    content = {}
    for number, file in enumerate(record.files):
        target = bench.folder / f"got_{record.id}_{number}"
        archive.download(record, file.name, target, progress=Silent())
        content[file.name] = target.read_bytes()
    return content


def _one_large(bench: Bench) -> tuple[Archive, Record, bytes]:
    archive, content = bench.make(), os.urandom(4 * _BLOCK)
    return archive, _publish(bench, archive, {"a.bin": content}), content


def _kept_or_refused(bench: Bench, names: Sequence[str], *, always: str) -> None:
    archive = bench.make()
    draft = archive.create(make_metadata(), plan=make_plan())
    kept: dict[str, bytes] = {}
    for name in names:
        try:
            _send(bench, archive, draft.id, {name: name.encode()})
        except ArchiveError:
            _expect(name != always, f"{name!r} is refused")
        else:
            kept[name] = name.encode()
    _equal(_got(bench, archive, archive.publish(draft.id)), kept, "what was not refused")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _eventually(bench: Bench, search: Callable[[], tuple[Record, ...]]) -> tuple[Record, ...]:
    """Asks until something is found, or for as long as a search may lag behind."""
    end = time.monotonic() + bench.search_lag_s
    while not (found := search()) and time.monotonic() < end:
        time.sleep(min(1.0, bench.search_lag_s))
    return found
