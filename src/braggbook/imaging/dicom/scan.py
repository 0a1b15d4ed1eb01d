"""Reading the headers of many objects, on several processors."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from braggbook.errors import DicomError, Issue, StorageError
from braggbook.imaging.dicom.archives import Head, ZipSource
from braggbook.imaging.dicom.header import Header, new_memory, read_header
from braggbook.imaging.dicom.runs import Memory
from braggbook.imaging.dicom.sources import open_plain, printable

Found = Header | Issue  # what one object gave
_Packed = Issue | tuple[list[str], dict[str, Any], str, int | None, int | None, tuple[Issue, ...]]

_CHUNK = 64  # files that a process is given at a time
_WORTH = 2000  # files for which starting a process pays: some 60 ms
_MOST_WORKERS = 8  # of our own accord; the parent cannot take in what more of them read
_FRAME = struct.Struct("<Q")
_START = """
import sys
sys.path[:] = {path!r}
from braggbook.imaging.dicom.scan import serve
serve(sys.stdin.buffer, sys.stdout.buffer)
"""


def _seek_and_read(descriptor: int, most: int, at: int) -> bytes:
    os.lseek(descriptor, at, os.SEEK_SET)
    return os.read(descriptor, most)


_read_at = getattr(os, "pread", _seek_and_read)  # Windows has none


def read_file(path: str, *, memory: Memory | None = None) -> Found:
    """Reads the header of one file; what is wrong with it comes as an issue."""
    try:
        descriptor, size = open_plain(path)
    except (DicomError, StorageError) as error:
        return issue_of(error)
    try:
        return read_header(lambda at, most: _read_at(descriptor, most, at), size, where=printable(path), memory=memory)
    except DicomError as error:
        return issue_of(error)
    except OSError as error:
        return Issue("cannot be read", printable(path), got=error.strerror or str(error))
    finally:
        os.close(descriptor)


def read_member(source: ZipSource) -> Found:
    """Reads the header of one member of a zip; what is wrong with it comes as an issue."""
    try:
        return read_header(Head(source), source.size, where=str(source))
    except (DicomError, StorageError) as error:
        return issue_of(error)
    except OSError as error:
        return Issue("cannot be read", str(source), got=error.strerror or str(error))


def issue_of(error: DicomError | StorageError) -> Issue:
    """Returns an error as a finding."""
    return Issue(error.what, error.where, error.wanted, error.got)


def read_files(paths: Sequence[str], *, workers: int | None = None) -> Iterator[Found]:
    """Reads the headers of files, in their order.

    Args:
        paths: Where they are.
        workers: Processes; by default one for each processor, and none for a few files.
    """
    count = _workers(len(paths)) if workers is None else min(workers, len(paths))
    if count < 2 or not sys.executable:
        yield from _here(paths)
        return
    chunks = [paths[at : at + _CHUNK] for at in range(0, len(paths), _CHUNK)]
    readers: SimpleQueue[_Reader] = SimpleQueue()
    started = [_Reader() for _ in range(count)]
    for reader in started:
        readers.put(reader)

    def read(chunk: Sequence[str]) -> list[Found]:
        reader = readers.get()
        try:
            return reader.read(chunk)
        finally:
            readers.put(reader)

    try:
        with ThreadPoolExecutor(count) as threads:
            for found in _in_order(threads, read, chunks, ahead=4 * count):
                yield from found
    finally:
        for reader in started:
            reader.close()


def _here(paths: Iterable[str]) -> Iterator[Found]:
    memory = new_memory()
    return (read_file(path, memory=memory) for path in paths)


def _in_order(
    threads: ThreadPoolExecutor,
    read: Callable[[Sequence[str]], list[Found]],
    chunks: Sequence[Sequence[str]],
    *,
    ahead: int,
) -> Iterator[list[Found]]:
    """Yields what each chunk gave, in their order, with a bounded number of them under way."""
    waiting = [threads.submit(read, chunk) for chunk in chunks[:ahead]]
    try:
        for number in range(len(chunks)):
            yield waiting[number].result()
            if number + ahead < len(chunks):
                waiting.append(threads.submit(read, chunks[number + ahead]))
    finally:
        for future in waiting:
            future.cancel()


def _workers(files: int) -> int:
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(here, _MOST_WORKERS, files // _WORTH)


class _Reader:
    """A process that reads headers. Not a fork, which threads of a notebook would not survive, and not
    ``multiprocessing``, which would run a user's script a second time."""

    def __init__(self) -> None:
        start = _START.format(path=[str(Path(__file__).parents[3]), *sys.path])
        pipe = subprocess.PIPE
        command = [sys.executable, "-I", "-c", start]
        try:
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
            )
        except OSError:  # no processes here, as in a browser
            self._process = None

    def read(self, paths: Sequence[str]) -> list[Found]:
        """Reads headers there; here, should that process have ended."""
        if self._process and self._process.stdin and self._process.stdout:
            try:
                _send(self._process.stdin, list(paths))
                found: list[_Packed] | None = _receive(self._process.stdout)
            except OSError:
                found = None
            if found is not None:
                return _unpacked(found)
            self.close()
        return list(_here(paths))

    def close(self) -> None:
        """Ends the process."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Reads the headers of the files that are asked for, until nobody asks."""
    memory = new_memory()
    while (paths := _receive(requests)) is not None:
        _send(answers, _packed(read_file(path, memory=memory) for path in paths))


def _packed(headers: Iterable[Found]) -> list[_Packed]:
    """Leaves out what a header has in common with the one before: the parent would take in values one by one."""
    packed: list[_Packed] = []
    before: dict[str, Any] = {}
    for header in headers:
        if isinstance(header, Issue):
            packed.append(header)
            continue
        values = header.values
        gone = [keyword for keyword in before if keyword not in values]
        new = {keyword: value for keyword, value in values.items() if before.get(keyword) != value}
        packed.append((gone, new, header.transfer_syntax_uid, header.pixel_offset, header.pixel_bytes, header.issues))
        before = values
    return packed


def _unpacked(packed: Iterable[_Packed]) -> list[Found]:
    found: list[Found] = []
    before: dict[str, Any] = {}
    for entry in packed:
        if isinstance(entry, Issue):
            found.append(entry)
            continue
        gone, new, syntax, offset, length, issues = entry
        before = {**before, **new}
        for keyword in gone:
            del before[keyword]
        found.append(Header(before, syntax, offset, length, issues))
    return found


def _send(stream: IO[bytes], what: object) -> None:
    data = pickle.dumps(what, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_FRAME.pack(len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(_FRAME.size)
    if len(head) < _FRAME.size:
        return None
    return pickle.loads(stream.read(_FRAME.unpack(head)[0]))  # noqa: S301 - from our own process, over a private pipe
