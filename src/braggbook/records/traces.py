"""What must not leave: places and names of a machine, secrets, people's addresses, and patients.

Everything is read block by block, however large; what is packed (zip, tar, gzip, pictures and their metadata, base64 in
notebooks and reports, texts in Zarr arrays) is opened, and looked through in the same way. Findings say what kind of
thing is where; they never repeat it.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from braggbook.errors import BraggbookError, Issue
from braggbook.records.packed import DAMAGE, TooMuch, base64_in, members, pictured, streams_in, texts_of
from braggbook.records.strings import strings_in
from braggbook.records.trace_rules import LONGEST, Sought
from braggbook.runs.scrub import Scrubber

BLOCK_BYTES = 8 << 20
_DEEPEST = 5  # packed things in packed things
_MOST_OF_ONE = 20  # findings of one file that are listed
_DICOM_AT, _DICOM = 128, b"DICM"
# How a DICOM file without its preamble begins, which some programs write: with group 0002 or 0008.
_BARE_DICOM = (b"\x02\0\0\0", b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0", b"\x08\0\x16\0")
_CODE = ".whl"
_SAMPLE = 1 << 16
_NEWLINE = b"\n"


def find_traces(files: Mapping[str, Path | bytes], *, scrubber: Scrubber, own_words: str = "") -> list[Issue]:
    """Returns what identifies a machine, a person or a patient in what would be sent.

    Args:
        files: By name: where each is, or what is in it.
        scrubber: Which places, names and secrets of this machine to look for.
        own_words: What its authors wrote for all to read: an e-mail address in it is meant to be seen, and so is a
            name that is also this user's, as an author's often is.
    """
    look = _Look(Sought(scrubber.sparing(own_words), own_words))
    for name, content in sorted(files.items()):
        look.begin(name)
        look.piece(name.encode("utf-8", "surrogateescape"), text=True, where="its name")
        with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as stream:
            look.stream(stream, depth=0, code=name.endswith(_CODE))
        if isinstance(content, Path) and content.name == "zarr.json":
            for text in texts_of(content.parent):
                look.piece(text, text=True, where="a text in the array")
    return look.found


@dataclass
class _Look:
    """What has been found so far, and in which file it is looking."""

    sought: Sought
    found: list[Issue] = field(default_factory=list)
    _name: str = ""
    _count: int = 0
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def begin(self, name: str) -> None:
        """Turns to the next file."""
        self._name = _masked(name, self.sought)
        self._count = 0
        self._seen.clear()

    def note(self, what: str, where: str, got: str = "") -> None:
        """Keeps a finding, once, and not without end."""
        where = f"{self._name}{_masked(where, self.sought)}"
        if (what, where) in self._seen:
            return
        self._seen.add((what, where))
        self._count += 1
        if self._count <= _MOST_OF_ONE:
            self.found.append(Issue(what, where, got=got))
        elif self._count == _MOST_OF_ONE + 1:
            self.found.append(Issue("more of the like", self._name))

    def piece(self, data: bytes, *, text: bool, where: str, code: bool = False) -> None:
        """Looks through something that is in memory."""
        for _, what in self.sought.look(data, text=text, code=code):
            self.note(what, f" ({where})")

    def stream(self, stream: IO[bytes], *, depth: int, inner: str = "", code: bool = False) -> None:
        """Looks through a file, and through what is packed in it."""
        head = stream.read(_DICOM_AT + len(_DICOM))
        stream.seek(0)
        marked = head[_DICOM_AT:] == _DICOM
        if marked or head[:4] in _BARE_DICOM:
            self._dicom(stream, inner, marked=marked)
        self._blocks(stream, depth=depth, inner=inner, code=code)
        if depth >= _DEEPEST:
            if head[:2] in (b"PK", b"\x1f\x8b"):
                self.note(f"packed more than {_DEEPEST} times, and not looked through", inner)
            return
        try:
            for name, member in members(stream):
                with member:
                    self.piece(name.encode("utf-8", "surrogateescape"), text=True, where=f"a name in it{inner}")
                    self.stream(member, depth=depth + 1, inner=f"{inner}!{name}", code=code)
        except TooMuch:
            self.note("unpacks to more than can be looked through", inner)
        except DAMAGE as error:
            self.note("packed, and cannot be opened to look through it", inner, type(error).__name__)

    def _blocks(self, stream: IO[bytes], *, depth: int, inner: str, code: bool) -> None:
        """Looks at a file as it is, by blocks that overlap."""
        stream.seek(0)
        line, tail, at = 1, b"", 0
        text: bool | None = None
        while block := stream.read(BLOCK_BYTES):
            data = tail + block
            if text is None:
                text = _is_text(data[:_SAMPLE])
            if text:
                for place, what in self.sought.look(data, text=True, code=code):
                    self.note(what, f"{inner}:{line + data.count(_NEWLINE, 0, place)}")
            else:
                seen = strings_in(data)
                for place, what in self.sought.look(seen.text, text=False, code=code):
                    self.note(what, f"{inner} (byte {at - len(tail) + seen.place(place)})")
            self._coded(data, text=text, depth=depth, inner=inner, code=code)
            at += len(block)
            tail_at = max(0, len(data) - LONGEST)
            line += data.count(b"\n", 0, tail_at)
            tail = data[tail_at:]

    def _coded(self, data: bytes, *, text: bool, depth: int, inner: str, code: bool) -> None:
        """Looks at what stands in a block in another spelling."""
        for piece in pictured(data):
            self.piece(piece, text=True, where=f"metadata of a picture{inner}")
        for piece in streams_in(data):
            self.piece(piece, text=True, where=f"in a PDF{inner}")
        if not text or depth >= _DEEPEST:
            return
        if b"\\/" in data or b"\\u" in data or b"%2F" in data or b"&#" in data:
            self.piece(_plain(data), text=True, where=f"behind escapes{inner}", code=code)
        for number, decoded in enumerate(base64_in(data), 1):
            self.stream(io.BytesIO(decoded), depth=depth + 1, inner=f"{inner}!base64 {number}", code=code)

    def _dicom(self, stream: IO[bytes], inner: str, *, marked: bool) -> None:
        from braggbook.imaging.quality import assess  # noqa: PLC0415 - takes a second to import, and few runs need it

        with ExitStack() as stack:
            copy = stack.enter_context(tempfile.NamedTemporaryFile(suffix=".dcm"))
            while block := stream.read(BLOCK_BYTES):
                copy.write(block)
            copy.flush()
            try:
                quality = assess(copy.name, use="sharing", pixels=False)
            except BraggbookError as error:
                if marked:
                    self.note("DICOM that cannot be looked through", inner, error.what)
                return
        for check in quality.checks:
            if check.status == "failed" and check.dimension == "identity leakage":
                for finding in check.findings:
                    got = " ".join(filter(None, (finding.tag, finding.found)))
                    self.note(f"may identify a patient: {check.title}", f"{inner} {finding.tag}".rstrip(), got)


def _is_text(sample: bytes) -> bool:
    if b"\0" in sample:
        return False
    try:
        sample[: len(sample) - 4 if len(sample) == _SAMPLE else None].decode("utf-8")
    except UnicodeDecodeError:
        odd = sum(byte < 32 and byte not in (9, 10, 12, 13, 27) for byte in sample)
        return odd == 0
    return True


_ESCAPED = re.compile(
    rb"\\u00([0-7][0-9a-fA-F])|%([2-7][0-9A-Fa-f])|&#(?:x([2-7][0-9A-Fa-f])|0*([3-9][0-9]|1[012][0-9]));"
)


def _plain(data: bytes) -> bytes:
    """Returns a text without the escapes of JSON, addresses and HTML."""

    def sign(match: re.Match[bytes]) -> bytes:
        number = int(match[4]) if match[4] else int(match[1] or match[2] or match[3], 16)
        return bytes([number])

    return _ESCAPED.sub(sign, data.replace(b"\\/", b"/"))


def _masked(name: str, sought: Sought) -> str:
    """Returns a name that does not tell what was found in it."""
    data = name.encode("utf-8", "surrogateescape")
    return name if next(sought.look(data, text=True), None) is None else _stars(name)


def _stars(name: str) -> str:
    return "/".join(part if len(part) < 8 and "@" not in part else f"{part[:2]}***" for part in name.split("/"))
