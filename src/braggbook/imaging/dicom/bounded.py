"""pydicom's reader with a bound on what it takes into memory.

Left to itself it reads any length that an element declares, and inflates a deflated file whatever it becomes: a file of
some megabytes, or a sparse one, would take all memory there is.
"""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset as read_elements
from pydicom.uid import UID

from braggbook.errors import DicomError
from braggbook.imaging.dicom.archives import BOMB_BYTES, BOMB_RATIO
from braggbook.imaging.dicom.header import DEFLATED, data_begins

MOST_HEADER = 1 << 29  # bytes before the pixels; an enhanced object has some kB for each of its frames
_BLOCK = 1 << 16
_PIXEL_TAGS = (0x7FE00010, 0x7FE00008, 0x7FE00009)


def read_dataset(file: BinaryIO, *, pixels: bool = False, most: int = MOST_HEADER) -> Dataset:
    """Reads a DICOM object with pydicom.

    Args:
        file: Seekable; at its beginning. Left at the pixels when these are not read (but for deflated objects).
        pixels: Whether pixels are read as well.
        most: Bytes that may be taken into memory.

    Raises:
        DicomError: The object needs more.
        Exception: Whatever pydicom raises over damage.
    """
    size = file.seek(0, io.SEEK_END)
    start, syntax = data_begins(lambda at, count: _read_at(file, at, count), size)
    file.seek(0)
    if syntax == DEFLATED:
        return _read_deflated(file, start, pixels=pixels, most=most)
    bounded: Any = _Bounded(file, most)  # all that pydicom asks of a file
    dataset = pydicom.dcmread(bounded, stop_before_pixels=not pixels, force=True)
    dataset.buffer = None  # or it would hold on to the file
    return dataset


def is_bomb(*, unpacked: float, packed: float) -> bool:
    """Whether something becomes so much larger than it is that it was made to fill memory."""
    return unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * packed


def _read_at(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _read_deflated(file: BinaryIO, start: int, *, pixels: bool, most: int) -> Dataset:
    """Reads a data set that is deflated as a whole (PS3.5 A.5), no more of it than is needed."""
    file.seek(start)
    inflating: Any = _Inflating(file, most)
    stop = None if pixels else _at_pixels
    dataset = read_elements(inflating, is_implicit_VR=False, is_little_endian=True, stop_when=stop)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(DEFLATED)
    return dataset


def _at_pixels(tag: Any, _vr: str | None, _length: int) -> bool:
    return tag in _PIXEL_TAGS


def _too_much(most: int) -> DicomError:
    return DicomError("too much data before the pixels, or in all", wanted=f"at most {most:,} bytes")


class _Bounded:
    """A file of which at most some bytes can be read in all."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._most, self._left = file, most, most
        self.seek, self.tell = file.seek, file.tell

    def read(self, count: int = -1) -> bytes:
        asked = self._left + 1 if count is None or count < 0 else count
        if asked > _BLOCK:  # a length that leads out of the file is nothing that must be in memory
            here = self._file.tell()
            asked = min(asked, self._file.seek(0, io.SEEK_END) - here)
            self._file.seek(here)
        if asked > self._left:
            raise _too_much(self._most)
        found = self._file.read(asked)
        self._left -= len(found)
        return found


class _Inflating:
    """A deflated stream as a file that grows as it is read."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._most = file, most
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._held = bytearray()
        self._at = 0

    def read(self, count: int = -1) -> bytes:
        end = self._at + count if count is not None and count >= 0 else self._most + 1
        self._grow(end)
        found = bytes(self._held[self._at : end])
        self._at += len(found)
        return found

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            self._grow(self._most + 1)
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._held)}[whence]
        self._at = max(0, base + offset)
        return self._at

    def _grow(self, end: int) -> None:
        while len(self._held) < end and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(_BLOCK)
            block = self._inflate.decompress(packed, _BLOCK)
            if not packed and not block:
                return
            self._held += block
            if len(self._held) > self._most:
                raise _too_much(self._most)
