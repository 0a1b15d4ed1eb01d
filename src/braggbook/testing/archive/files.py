"""Files: their names, their bytes, and how they come back."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from braggbook.errors import ArchiveError, HashMismatch
from braggbook.progress import Silent
from braggbook.testing.archive.bench import (
    BLOCK,
    MEMORY_BYTES,
    Bench,
    Steps,
    StopAt,
    Stopped,
    begin,
    check,
    contents,
    files_of,
    make_metadata,
    make_plan,
    one_large,
    publish,
    send,
    write_file,
)
from braggbook.testing.archive.expect import equal, expect, raises

_ODD_NAMES = (
    "two words.txt", "c#1.txt", "who?.txt", "100 %.txt", "a%20b.txt", "a&b=c.txt", "a+b.txt", "it's \"quoted\".txt",
    "Größe_µm.txt", "線量.txt", "semi;colon,comma.txt", "[x]{y}.txt", "~back`tick.txt", ".hidden", "no_suffix",
)  # fmt: skip
_PATHS = ("a/same.txt", "b/same.txt", "same.txt")
_TWINS = ("Same.txt", "same.txt", "caf\u00e9.txt", "cafe\u0301.txt")  # by capitals, and by two spellings of é
_NO_NAMES = ("", ".", "..", "../up.txt")


@check
def empty_files_are_kept(bench: Bench) -> None:
    """They are files like others."""
    archive = bench.make()
    equal(contents(bench, archive, publish(bench, archive, {"empty": b""})), {"empty": b""}, "an empty file")


@check
def odd_names_are_kept(bench: Bench) -> None:
    """Blanks, #, ?, %, &, quotes and other scripts arrive as they were sent, and do not mix."""
    archive = bench.make()
    content = {name: name.encode() for name in _ODD_NAMES}
    record = publish(bench, archive, content)
    equal(sorted(file.name for file in record.files), sorted(content), "names of the record")
    equal(contents(bench, archive, record), content, "what is under them")


@check
def paths_are_kept_or_refused(bench: Bench) -> None:
    """A path never loses its folders silently, so that two files of one name would become one."""
    _kept_or_refused(bench, _PATHS, always="same.txt")


@check
def near_twins_are_kept_or_refused(bench: Bench) -> None:
    """Names that some file systems take for one are two, or the second is refused."""
    _kept_or_refused(bench, _TWINS, always=_TWINS[0])


@check
def what_is_no_name_is_refused(bench: Bench) -> None:
    """Nothing gets out of its folder."""
    archive = bench.make()
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    path = write_file(bench, b"x")
    for name in _NO_NAMES:
        raises(ArchiveError, lambda name=name: archive.upload(draft.id, name, path, progress=Silent()))  # type: ignore[misc]
    equal(files_of(archive, draft.id), [], "the draft's files")


@check
def files_are_sent_at_the_same_time(bench: Bench) -> None:
    """As many at a time as the archive says."""
    archive = bench.make()
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    content = {f"{number}.bin": os.urandom(1000 + number) for number in range(3 * archive.simultaneous)}
    paths = {name: write_file(bench, data) for name, data in content.items()}
    with ThreadPoolExecutor(archive.simultaneous) as pool:
        jobs = [pool.submit(archive.upload, draft.id, name, paths[name], progress=Silent()) for name in content]
        sent = [job.result() for job in jobs]
    equal(sorted(sent, key=lambda file: file.name), files_of(archive, draft.id), "what was sent and what is listed")
    equal(contents(bench, archive, archive.publish(draft.id)), content, "what is published")


@check
def a_large_file_takes_little_memory(bench: Bench) -> None:
    """It is sent and got block by block, and progress is told in bytes."""
    archive = bench.make()
    path = sparse_file(bench.folder / "large", bench.large_bytes)
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    up, down = Steps(), Steps()
    tracemalloc.start()
    try:
        archive.upload(draft.id, "large.bin", path, progress=up)
        record = archive.publish(draft.id)
        archive.download(record, "large.bin", bench.folder / "got", progress=down)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    expect(peak < MEMORY_BYTES, f"{bench.large_bytes} bytes took {peak} bytes of memory")
    equal(md5_of(bench.folder / "got"), md5_of(path), "the file that came back")
    for steps in (up, down):
        expect(len(steps.done) > 1 and steps.done == sorted(steps.done), f"progress goes {steps.done[:20]}")
        equal(steps.done[-1], bench.large_bytes, "bytes told at the end")


@check
def a_download_goes_on_where_it_was_left(bench: Bench) -> None:
    """And what was left is part of no file until the whole is checked."""
    archive, record, content = one_large(bench)
    target = bench.folder / "out" / "a.bin"
    target.parent.mkdir()
    raises(Stopped, lambda: archive.download(record, "a.bin", target, progress=StopAt(2 * BLOCK)))
    expect(not target.exists(), "half a file has the name of the whole")
    steps = Steps()
    bench.again(archive).download(record, "a.bin", target, progress=steps)
    expect(min(steps.done) > BLOCK, f"it began anew: {steps.done}")
    equal(target.read_bytes(), content, "what came")
    equal(names_in(target.parent), ["a.bin"], "what is left in the folder")


@check
def what_was_left_is_checked_too(bench: Bench) -> None:
    """A partial file of something else never becomes part of the file."""
    archive, record, content = one_large(bench)
    target = bench.folder / "out" / "a.bin"
    target.parent.mkdir()
    raises(Stopped, lambda: archive.download(record, "a.bin", target, progress=StopAt(2 * BLOCK)))
    for left in target.parent.iterdir():
        left.write_bytes(bytes(left.stat().st_size))
    try:
        archive.download(record, "a.bin", target, progress=Silent())
    except HashMismatch:
        equal(names_in(target.parent), [], "what is left after a refusal")
        archive.download(record, "a.bin", target, progress=Silent())
    equal(target.read_bytes(), content, "what came")


@check
def another_checksum_is_refused(bench: Bench) -> None:
    """What is not what the record lists is not kept under its name."""
    archive = bench.make()
    record = publish(bench, archive, {"a.txt": b"first"})
    lie = replace(record, files=(replace(record.files[0], md5="0" * 32),))
    target = bench.folder / "out" / "a.txt"
    target.parent.mkdir()
    raises(HashMismatch, lambda: archive.download(lie, "a.txt", target, progress=Silent()))
    equal(names_in(target.parent), [], "what is left after a refusal")


@check
def a_damaged_file_is_refused(bench: Bench) -> None:
    """The archive's own damage is noticed by whoever downloads."""
    if bench.damage is None:
        return
    archive, record, _ = one_large(bench)
    bench.damage(archive, record, "a.bin")
    target = bench.folder / "out" / "a.bin"
    target.parent.mkdir()
    raises(HashMismatch, lambda: archive.download(record, "a.bin", target, progress=Silent()))
    equal(names_in(target.parent), [], "what is left after a refusal")


def sparse_file(path: Path, size: int) -> Path:
    """Makes a file of any size that takes no room on the disk, with something in it."""
    with path.open("wb") as stream:
        stream.truncate(size)
        for place in range(0, size, max(size // 7, 1)):
            stream.seek(place)
            stream.write(b"%d" % place)
        stream.truncate(size)
    return path


def md5_of(path: Path) -> str:
    """Returns the MD5 of a file of any size."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _kept_or_refused(bench: Bench, names: Sequence[str], *, always: str) -> None:
    archive = bench.make()
    draft = begin(bench, archive, make_metadata(), plan=make_plan())
    kept: dict[str, bytes] = {}
    for name in names:
        try:
            send(bench, archive, draft.id, {name: name.encode()})
        except ArchiveError:
            expect(name != always, f"{name!r} is refused")
        else:
            kept[name] = name.encode()
    equal(contents(bench, archive, archive.publish(draft.id)), kept, "what was not refused")


def names_in(folder: Path) -> list[str]:
    """Returns what is in a folder."""
    return sorted(path.name for path in folder.iterdir())
