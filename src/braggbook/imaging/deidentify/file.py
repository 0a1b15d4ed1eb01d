"""De-identifies one file: reads, judges, cleans, hunts, and only then writes."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from braggbook.errors import DicomError, StorageError
from braggbook.files import storage
from braggbook.formats.deidentification import Outcome
from braggbook.imaging.deidentify import pixels, streams, uids
from braggbook.imaging.deidentify.clean import Cleaner, Step
from braggbook.imaging.deidentify.elements import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    PIXEL_TAGS,
    Element,
    Parsed,
    is_something_else,
    parse,
    something_else,
)
from braggbook.imaging.deidentify.hunt import fit_for_pixels, hunt, hunt_pixels
from braggbook.imaging.deidentify.options import Options
from braggbook.imaging.deidentify.risks import DICOMDIR, Findings, Subject, judge
from braggbook.imaging.deidentify.tables import has_pixels, types_of
from braggbook.imaging.deidentify.writing import IMPLEMENTATION_VERSION, Written, encode, file_meta

PART = ".braggbook-part"  # ending of a file that is not whole yet
_UNCOMPRESSED = {IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED}
_ARCHIVES = {b"PK\3\4", b"\x1f\x8b\x08\0", b"\x1f\x8b\x08\x08", b"7z\xbc\xaf", b"Rar!"}
NO_PIXELS = "an image without pixels: perhaps the file was truncated"
_PET = "1.2.840.10008.5.1.4.1.1.128"


@dataclass(frozen=True)
class Job:
    """What is the same for all files of a run."""

    output: Path
    options: Options
    secret: bytes


@dataclass
class FileResult:
    """What became of one file."""

    outcome: Outcome
    output: str = ""
    reason: str = ""
    text: str = ""
    face: str = ""
    notes: list[str] = field(default_factory=list)
    steps: Counter[Step] = field(default_factory=Counter)
    suv_lost: bool = False


def deidentify_file(path: Path, job: Job) -> FileResult:
    """De-identifies one file into the output folder of ``job``; never raises for what is wrong with the file.

    Raises:
        StorageError: The output cannot be written.
    """
    if path.is_symlink():
        return FileResult("skipped", reason="a symbolic link: not followed")
    try:
        with _mapped(path) as data:
            return _deidentify(data, job)
    except DicomError as error:
        if is_something_else(error):
            return FileResult("skipped", reason=error.what)
        return FileResult("not readable", reason=": ".join(part for part in (error.where, error.what) if part))
    except RecursionError:
        return FileResult("not readable", reason="nested too deeply")
    except OSError as error:
        return FileResult("not readable", reason=error.strerror or "cannot be read")


@contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    """Gives a file's bytes without reading them all."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as stream:
        if os.fstat(stream.fileno()).st_size < 8:
            raise something_else("too short")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            try:
                yield view
            finally:
                view.release()


def _deidentify(data: memoryview, job: Job) -> FileResult:
    try:
        parsed = parse(data)
    except DicomError as error:
        if is_something_else(error) and bytes(data[128:132]) == b"DICM":
            raise DicomError("damaged: no data element can be read") from error
        if is_something_else(error) and bytes(data[:4]) in _ARCHIVES:
            raise something_else("an archive, not looked into; unpack it first") from error
        raise
    try:
        return _cleaned(parsed, job)
    finally:
        parsed.data = memoryview(b"")  # lets go of the file


def _cleaned(parsed: Parsed, job: Job) -> FileResult:
    subject = _subject(parsed)
    if subject.sop_class_uid == DICOMDIR:
        return FileResult("skipped", reason="a media directory; the output has none")
    findings = judge(subject, job.options)
    if findings.quarantined:
        return FileResult("quarantined", reason=findings.quarantined, text=findings.text)
    if job.options.regions and parsed.transfer_syntax not in _UNCOMPRESSED and subject.pixels:
        parsed = pixels.decompressed(parsed)
    cleaner = Cleaner(parsed, options=job.options, secret=job.secret, types=types_of(subject.sop_class_uid))
    written = _with_methods(cleaner.clean(), job.options, findings, cleaner)
    result = FileResult(
        "written", text=findings.text, face=findings.face, steps=cleaner.steps, notes=_notes(parsed, cleaner)
    )
    if has_pixels(subject.sop_class_uid) and not subject.pixels:
        result.notes.append(NO_PIXELS)
    result.suv_lost = subject.sop_class_uid == _PET and not job.options.has("113108")
    return _put(result, written, parsed=parsed, cleaner=cleaner, job=job)


def _subject(parsed: Parsed) -> Subject:
    meta_class = dict(parsed.meta).get(0x00020002, b"").decode("ascii", "replace").strip(" \0")
    samples = next((e for e in parsed.elements if e.tag == 0x00280002 and e.items is None), None)
    raw = parsed.value(samples) if samples else b""
    return Subject(
        sop_class_uid=parsed.text(0x00080016) or meta_class,
        body_part=parsed.text(0x00180015),
        image_type=tuple(part.strip() for part in parsed.text(0x00080008).split("\\")),
        burned_in=parsed.text(0x00280301),
        samples_per_pixel=str(int.from_bytes(raw, "big" if parsed.big else "little")) if 0 < len(raw) <= 2 else "",
        pixels=any(element.tag in PIXEL_TAGS for element in parsed.elements),
    )


def _notes(parsed: Parsed, cleaner: Cleaner) -> list[str]:
    notes = list(parsed.notes)
    if parsed.preamble:
        notes.append("the preamble held something: zeroed")
    if parsed.trailing:
        notes.append(f"{parsed.trailing} bytes after the data set: dropped")
    if parsed.too_deep:
        notes.append(f"{parsed.too_deep} items nested too deeply: dropped")
    if cleaner.patient.startswith(b"study\\"):
        notes.append("no patient id and no name: the study stands for the patient")
    return notes


def _with_methods(written: list[Written], options: Options, findings: Findings, cleaner: Cleaner) -> list[Written]:
    """Returns the data set with who it is now and what was done to it (PS3.15, E.1; PS3.3, C.7.1.1)."""
    new = [
        Written(0x00120062, "CS", b"NO" if findings.head and findings.face else b"YES"),
        Written(0x00120063, "LO", IMPLEMENTATION_VERSION.encode() + b"\\PS3.15 ANNEX E, DEFAULT DENY"),
        Written(0x00120064, "SQ", items=[_method(code, meaning) for code, meaning in options.methods()]),
        Written(0x00280303, "CS", {"shift": b"MODIFIED", "keep": b"UNMODIFIED", "remove": b"REMOVED"}[options.dates]),
    ]
    if (options.regions or options.pixels_reviewed) and any(element.bulk is not None for element in written):
        new.append(Written(0x00280301, "CS", b"NO"))
    if findings.head:
        new.append(Written(0x00280302, "CS", b"YES"))
    elif options.faces_removed:
        new.append(Written(0x00280302, "CS", b"NO"))
    have = {element.tag for element in written}
    new += [Written(tag, vr, cleaner.name) for tag, vr in ((0x00100010, "PN"), (0x00100020, "LO")) if tag not in have]
    replaced = {element.tag for element in new}
    return [element for element in written if element.tag not in replaced] + new


def _method(code: str, meaning: str) -> list[Written]:
    parts = ((0x00080100, "SH", code), (0x00080102, "SH", "DCM"), (0x00080104, "LO", meaning))
    return [Written(tag, vr, text.encode()) for tag, vr, text in parts]


def _put(result: FileResult, written: list[Written], *, parsed: Parsed, cleaner: Cleaner, job: Job) -> FileResult:
    """Hunts through the new file and puts it in place, or says why not."""
    syntax = EXPLICIT_LITTLE if parsed.transfer_syntax == DEFLATED else parsed.transfer_syntax
    announced = next((e for e in written if e.tag in PIXEL_TAGS), None)
    source = next((e for e in parsed.elements if announced is not None and e.tag == announced.tag), None)
    if reason := _unclear(parsed.transfer_syntax, source):
        return FileResult("quarantined", reason=reason)
    values = {e.tag: e.value.decode("ascii", "replace") for e in written if e.vr == "UI" and e.items is None}
    sop_class, instance = values.get(0x00080016, ""), values.get(0x00080018, "")
    if not (sop_class and instance):
        return FileResult("not readable", reason="(0008,0016) SOPClassUID or (0008,0018) SOPInstanceUID is missing")
    if source is not None and announced is not None:
        announced.bulk = -1 if source.fragments is not None else pixels.native_length(source, pixels.size_of(parsed))
    head = file_meta(sop_class_uid=sop_class, sop_instance_uid=instance, transfer_syntax_uid=syntax)
    head += encode(written, implicit=syntax == IMPLICIT_LITTLE, big=parsed.big)
    hits = hunt(head, cleaner.removed.values, produced=cleaner.produced)
    if hits:
        return _blocked(result, hits, "header")
    place = Path(*(_name(values.get(tag, "")) for tag in (0x0020000D, 0x0020000E)), f"{instance}.dcm")
    chunks = _chunks(parsed, source, job.options) if announced is not None and source is not None else iter(())
    return _write(result, head, chunks, place=place, job=job, values=fit_for_pixels(cleaner.removed.values))


def _unclear(transfer_syntax: str, source: Element | None) -> str:
    """Returns why nothing says how an object's pixels are to be looked through; empty when it is clear."""
    if transfer_syntax not in _UNCOMPRESSED and not streams.is_understood(transfer_syntax):
        return "a video, a private or an unknown transfer syntax: its pixels cannot be looked through"
    if source is not None and (source.fragments is None) != (transfer_syntax in _UNCOMPRESSED):
        return "the pixels are not encoded as the transfer syntax says"
    return ""


def _name(uid: str) -> str:
    return uid if uids.is_uid(uid) else "unknown"


def _chunks(parsed: Parsed, element: Element, options: Options) -> Iterator[bytes]:
    if element.fragments is not None:
        return pixels.encapsulated_chunks(parsed, element, size=pixels.size_of(parsed))
    return pixels.native_chunks(parsed, element, size=pixels.size_of(parsed), regions=options.regions)


def _blocked(result: FileResult, hits: set[str], where: str) -> FileResult:
    shown = sorted(hits)
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    result.outcome, result.output = "blocked", ""
    result.reason = f"the hunt found removed values in the {where} of the new file: of {', '.join(shown[:5])}{more}"
    return result


def _write(
    result: FileResult, head: bytes, chunks: Iterator[bytes], *, place: Path, job: Job, values: dict[bytes, str]
) -> FileResult:
    """Writes to a neighbour, hunting through the pixels on the way, and links it into place if all is well."""
    target = job.output / place
    with storage(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=PART)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(head)
                hits = _copy(chunks, stream, values)
                stream.flush()
                os.fsync(stream.fileno())
            if hits:
                return _blocked(result, hits, "pixels")
            os.chmod(part, 0o644)
            return _link(result, Path(part), target, place)
        finally:
            with suppress(OSError):
                os.unlink(part)


def _copy(chunks: Iterator[bytes], stream: object, values: dict[bytes, str]) -> set[str]:
    hits: set[str] = set()
    tail = b""
    for chunk in chunks:
        stream.write(chunk)  # type: ignore[attr-defined]
        hits |= hunt_pixels(tail + chunk, values)
        tail = chunk[-64:]
    return hits


def _link(result: FileResult, part: Path, target: Path, place: Path) -> FileResult:
    """Puts a whole file in place, never over another one."""
    result.output = place.as_posix()
    try:
        os.link(part, target)
    except FileExistsError:
        same = target.stat().st_size == part.stat().st_size and target.read_bytes() == part.read_bytes()
        result.outcome = "there already" if same else "blocked"
        if not same:
            result.reason = "another file with the same SOPInstanceUID and other content is in the output"
    except OSError as error:
        if target.exists():
            raise StorageError("cannot write", where=str(target), got=error.strerror or "") from error
        os.rename(part, target)  # a file system without hard links
    return result
