"""Records: published once, for good, and version by version."""

from __future__ import annotations

from braggbook.errors import ArchiveError, UnknownName
from braggbook.progress import Silent
from braggbook.testing.archive.bench import (
    Bench,
    begin,
    check,
    contents,
    listed,
    make_metadata,
    make_plan,
    publish,
    send,
    there,
    write_file,
)
from braggbook.testing.archive.expect import equal, expect, raises


@check
def a_draft_is_published(bench: Bench) -> None:
    """It is a record under the same id, found by everything that names it."""
    archive, plan, told = bench.make(), make_plan(), make_metadata(version="1.2.0")
    draft = begin(bench, archive, told, plan=plan)
    send(bench, archive, draft.id, {"b.txt": b"second", "a.txt": b"first"})
    record = archive.publish(draft.id)
    equal((record.id, record.title, record.version), (draft.id, told.title, "1.2.0"), "the record")
    equal(record.plan, plan, "the record's plan")
    expect(draft.doi in (None, record.doi), f"the DOI was reserved as {draft.doi} and is {record.doi}")
    equal(list(record.files), [listed("a.txt", b"first"), listed("b.txt", b"second")], "its files, by name")
    expect(len(record.published) == 10, f"the date is {record.published!r}")
    for view in (archive, bench.again(archive)):
        seen = there(view, draft.id)
        equal((seen.state, seen.doi, seen.plan), ("published", record.doi, plan), "the record as one's own")
        equal(view.own(plan), (seen,), "records of the plan")
        names = [record.id, record.doi, f"https://doi.org/{record.doi}", f" {record.doi}\n", record.url]
        for name in [*names, *([record.concept_doi] if record.concept_doi else [])]:
            equal(view.record(name), record, f"the record by {name!r}")


@check
def a_draft_without_files_is_refused(bench: Bench) -> None:
    """The findings are listed, and the draft can still be mended."""
    archive = bench.make()
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    error = raises(ArchiveError, lambda: archive.publish(draft.id))
    expect(bool(error.issues), f"no finding is listed: {error}")
    expect("file" in str(error), f"files are not spoken of: {error}")
    equal(there(archive, draft.id).state, "draft", "what it is after the refusal")
    send(bench, archive, draft.id, {"a.txt": b"first"})
    archive.publish(draft.id)


@check
def a_record_stays_as_it_is(bench: Bench) -> None:
    """Nothing changes what is published, and whoever tries is told."""
    archive = bench.make()
    record = publish(bench, archive, {"a.txt": b"first"})
    path = write_file(bench, b"another")
    for change in (
        lambda: archive.describe(record.id, make_metadata(), plan=make_plan()),
        lambda: archive.upload(record.id, "a.txt", path, progress=Silent()),
        lambda: archive.upload(record.id, "b.txt", path, progress=Silent()),
        lambda: archive.remove(record.id, "a.txt"),
        lambda: archive.publish(record.id),
        lambda: archive.discard(record.id),
    ):
        raises(ArchiveError, change)
    equal(bench.again(archive).record(record.doi), record, "the record afterwards")
    equal(contents(bench, archive, record), {"a.txt": b"first"}, "its file afterwards")


@check
def a_next_version_begins_empty(bench: Bench) -> None:
    """It has its own metadata and files; the DOI of all versions leads to the latest; the old one stays readable."""
    archive, plan = bench.make(), make_plan()
    first = publish(bench, archive, {"old.txt": b"old", "both.txt": b"one"})
    told = make_metadata(version="2")
    draft = begin(bench, archive, told, plan=plan, version_of=first.doi)
    equal((draft.state, draft.files), ("draft", ()), "the draft of the next version")
    equal([found.id for found in bench.again(archive).own(plan)], [draft.id], "drafts of its plan")
    equal(archive.record(first.doi, latest=True), first, "the latest while the next is a draft")
    send(bench, archive, draft.id, {"both.txt": b"two"})
    second = archive.publish(draft.id)
    equal((second.title, second.version, second.plan), (told.title, "2", plan), "the second version")
    expect(second.doi != first.doi, "both versions have the same DOI")
    equal(second.concept_doi, first.concept_doi, "the DOI of all versions")
    equal(archive.record(first.doi), first, "the first version by its DOI")
    for name in filter(None, (first.concept_doi, second.doi, first.doi)):
        equal(archive.record(name, latest=True), second, f"the latest by {name}")
    equal(contents(bench, archive, first), {"old.txt": b"old", "both.txt": b"one"}, "the first version's files")
    equal(contents(bench, archive, second), {"both.txt": b"two"}, "the second version's files")


@check
def a_next_version_is_of_the_latest(bench: Bench) -> None:
    """Whichever version, or all together, are named."""
    archive = bench.make()
    first = publish(bench, archive, {"a.txt": b"1"})
    names = [first.id, first.concept_doi or first.doi, first.doi]
    for number, name in enumerate(names, start=2):
        last = publish(bench, archive, {"a.txt": b"%d" % number}, version_of=name, version=str(number))
        equal(last.concept_doi, first.concept_doi, "the DOI of all versions")
        equal(archive.record(first.doi, latest=True), last, "the latest")


@check
def a_begun_next_version_is_taken_over(bench: Bench) -> None:
    """There is never more than one: what was begun for another plan loses its files and metadata."""
    archive, plan, other, told = bench.make(), make_plan(), make_plan(), make_metadata(version="3")
    first = publish(bench, archive, {"a.txt": b"first"})
    begun = begin(bench, archive, make_metadata(version="2"), plan=plan, version_of=first.doi)
    send(bench, archive, begun.id, {"left.txt": b"left"})
    draft = begin(bench, archive, told, plan=other, version_of=first.doi)
    equal((draft.id, draft.plan, draft.files), (begun.id, other, ()), "the draft taken over")
    equal((archive.own(plan), len(archive.own(other))), ((), 1), "drafts of the old plan, and of the new")
    send(bench, archive, draft.id, {"b.txt": b"second"})
    second = archive.publish(draft.id)
    equal((second.title, [file.name for file in second.files]), (told.title, ["b.txt"]), "the record")


@check
def what_is_not_there_is_not_found(bench: Bench) -> None:
    """In our own words."""
    archive = bench.make()
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    record = publish(bench, archive, {"a.txt": b"first"})
    missing = "987654321098"
    for name in (missing, record.doi.replace(record.id, missing), "nonsense", "", "10.1234/other.1", draft.id):
        raises(UnknownName, lambda name=name: archive.record(name))  # type: ignore[misc]
    equal((archive.look(missing), archive.own(make_plan())), (None, ()), "what is one's own of nothing")
    archive.discard(missing)
    path = write_file(bench, b"x")
    for change in (
        lambda: archive.describe(missing, make_metadata(), plan=make_plan()),
        lambda: archive.upload(missing, "a", path, progress=Silent()),
        lambda: archive.publish(missing),
        lambda: archive.create(make_metadata(), plan=make_plan(), version_of=missing),
    ):
        raises((ArchiveError, UnknownName), change)
    target = bench.folder / "out"
    raises(UnknownName, lambda: archive.download(record, "b.txt", target, progress=Silent()))
    expect(not target.exists(), "a file that is not there was got")
