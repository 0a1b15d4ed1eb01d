"""Drafts: found at once, changed, discarded."""

from __future__ import annotations

import os

from braggbook.errors import BraggbookError, HashMismatch
from braggbook.progress import Silent
from braggbook.records.archive import Announcing
from braggbook.testing.archive.bench import (
    BLOCK,
    Bench,
    StopAt,
    Stopped,
    begin,
    check,
    contents,
    files_of,
    listed,
    make_metadata,
    make_plan,
    send,
    there,
    write_file,
)
from braggbook.testing.archive.expect import equal, expect, raises


@check
def a_draft_is_found_by_its_plan_at_once(bench: Bench) -> None:
    """A crash right after the first request loses nothing: who lists drafts of the plan finds the draft."""
    archive, plan = bench.make(), make_plan()
    draft = begin(bench, archive, make_metadata(), plan=plan)
    equal((draft.state, draft.plan, draft.files), ("draft", plan, ()), "a new draft")
    for view in (archive, bench.again(archive)):
        equal([found.id for found in view.own(plan)], [draft.id], "drafts of the plan")
        equal(there(view, draft.id), draft, "the draft by its id")
        equal(view.own(make_plan()), (), "drafts of another plan")


@check
def drafts_of_one_plan_are_listed_oldest_first(bench: Bench) -> None:
    """Who finds two takes the first, and always the same one."""
    archive, plan = bench.make(), make_plan()
    made = [begin(bench, archive, make_metadata(), plan=plan).id for _ in range(3)]
    equal([draft.id for draft in archive.own(plan)], made, "drafts of the plan, the oldest first")


@check
def a_draft_is_described_anew(bench: Bench) -> None:
    """The new metadata replace all old ones, the plan among them; files stay."""
    archive, plan, other = bench.make(), make_plan(), make_plan()
    draft = begin(bench, archive, make_metadata(version="1"), plan=plan)
    file = send(bench, archive, draft.id, {"a.txt": b"first"})[0]
    told = make_metadata(version="2")
    changed = archive.describe(draft.id, told, plan=other)
    equal((changed.id, changed.plan, changed.files), (draft.id, other, (file,)), "the draft described anew")
    equal((archive.own(plan), len(archive.own(other))), ((), 1), "drafts of the old plan, and of the new")
    record = archive.publish(draft.id)
    equal((record.title, record.version, record.plan), (told.title, "2", other), "the record")


@check
def files_come_are_replaced_and_go(bench: Bench) -> None:
    """What an archive lists is what was sent last."""
    archive = bench.make()
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    first = send(bench, archive, draft.id, {"a.txt": b"first", "b.txt": b"second"})
    equal(first, [listed("a.txt", b"first"), listed("b.txt", b"second")], "what upload returns")
    equal(files_of(archive, draft.id), first, "the draft's files, by name")
    send(bench, archive, draft.id, {"a.txt": b"another, longer"})
    equal(files_of(archive, draft.id), [listed("a.txt", b"another, longer"), first[1]], "after one was replaced")
    for _ in range(2):
        archive.remove(draft.id, "a.txt")
    equal(files_of(archive, draft.id), [first[1]], "after one was removed")
    record = archive.publish(draft.id)
    equal(contents(bench, archive, record), {"b.txt": b"second"}, "what is published")


@check
def an_upload_that_breaks_off_leaves_no_half_file(bench: Bench) -> None:
    """What is listed under the name afterwards is the whole of what was sent before, or of what is sent now."""
    archive = bench.make()
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    path = write_file(bench, os.urandom(4 * BLOCK))
    raises(Stopped, lambda: archive.upload(draft.id, "a.bin", path, progress=StopAt(2 * BLOCK)))
    equal(files_of(archive, draft.id), [], "files after an upload that broke off")
    sent = archive.upload(draft.id, "a.bin", path, progress=Silent())
    equal(sent, listed("a.bin", path.read_bytes()), "the same upload again")


@check
def a_file_that_arrived_otherwise_is_noticed(bench: Bench) -> None:
    """The checksum that the archive computes is compared with the one of what was sent."""
    if bench.garble is None:
        return
    archive = bench.make()
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    path = write_file(bench, b"first")
    bench.garble(archive)
    raises(HashMismatch, lambda: archive.upload(draft.id, "a.txt", path, progress=Silent()))
    sent = archive.upload(draft.id, "a.txt", path, progress=Silent())
    equal((sent, files_of(archive, draft.id)), (listed("a.txt", b"first"), [sent]), "the same upload again")


@check
def what_was_announced_and_never_came_is_no_file(bench: Bench) -> None:
    """An interruption between a file's name and its content leaves nothing that a later publication stumbles over."""
    archive = bench.make()
    if not isinstance(archive, Announcing):
        return
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    archive.announce(draft.id, ["a.txt", "b.txt", "of an older plan.txt"])
    sent = send(bench, archive, draft.id, {"a.txt": b"first"})
    equal(files_of(archive, draft.id), sent, "the draft's files while others were announced")
    later = bench.again(archive)
    if isinstance(later, Announcing):
        later.announce(draft.id, ["b.txt"])
    sent += send(bench, later, draft.id, {"b.txt": b"second"})
    equal(list(later.publish(draft.id).files), sent, "the record's files")


@check
def a_file_that_is_not_there_cannot_be_sent(bench: Bench) -> None:
    """It is an error in our own words, and the draft is as it was."""
    archive = bench.make()
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    raises(BraggbookError, lambda: archive.upload(draft.id, "a", bench.folder / "nothing", progress=Silent()))
    equal(files_of(archive, draft.id), [], "the draft's files")


@check
def a_draft_is_discarded(bench: Bench) -> None:
    """It is gone, and discarding it again does no harm."""
    archive, plan = bench.make(), make_plan()
    draft = begin(bench, archive, make_metadata(), plan=plan)
    send(bench, archive, draft.id, {"a.txt": b"first"})
    for _ in range(2):
        archive.discard(draft.id)
    equal((archive.look(draft.id), archive.own(plan)), (None, ()), "what is left of it")
    later = begin(bench, archive, make_metadata(), plan=plan)
    expect(later.id != draft.id, "the id of a discarded draft is given again")
