"""What pydicom knows better: objects that are not as the standard has them, and character sets with escapes."""

from __future__ import annotations

import warnings
from typing import BinaryIO

import pydicom
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

from braggbook.errors import DicomError
from braggbook.imaging.dicom.elements import KEPT, Raw

_META = 0x0002  # the group of the file meta information
_DEFLATED = b"1.2.840.10008.1.2.1.99"  # pydicom would inflate all of it, whatever it becomes
_META_BYTES = 1 << 16
# What pydicom raises over damage: errors of its own, of struct, of zlib, of Python, in no tree of theirs; the text that
# is made of them says which
DAMAGE = Exception


def read_odd(stream: BinaryIO, *, where: str, why: str) -> tuple[dict[int, Raw], str]:
    """Finds the elements that an index keeps.

    Args:
        stream: The beginning of an object, at its first byte.
        where: Its name in messages.
        why: What is odd about it.

    Returns:
        Tag to element, as in the file; and the transfer syntax.

    Raises:
        DicomError: pydicom cannot read it either.
    """
    if _DEFLATED in stream.read(_META_BYTES):
        raise DicomError("a damaged deflated file", where=where, got=why)
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=list(KEPT))
            syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
            parts = ((tag, dataset.file_meta if tag >> 16 == _META else dataset) for tag in KEPT)
            found = {tag: raw for tag, part in parts if tag in part and (raw := _raw(part, tag))}
    except DAMAGE as error:
        got = f"{why}; {type(error).__name__}: {error}"[:300]
        raise DicomError("not a readable DICOM file", where=where, got=got) from error
    return found, syntax


def _raw(dataset: Dataset, tag: int) -> Raw | None:
    element = dataset.get_item(tag)
    if isinstance(element, RawDataElement):
        if not isinstance(element.value, bytes):
            return None
        return (element.VR or "").encode("latin-1"), element.value, element.is_little_endian
    if element.value is None:
        return None
    parts = element.value if element.VM > 1 else [element.value]  # the character set: pydicom has read it on its way
    return b"", "\\".join(map(str, parts)).encode("latin-1", "replace"), True


def decode_odd(value: bytes, charset: bytes, *, name: bool) -> str:
    """Decodes text with pydicom; see :func:`braggbook.imaging.dicom.elements.decode`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [part.strip() for part in charset.decode("latin-1").split("\\")]
        try:
            encodings = convert_encodings(names if len(names) > 1 else names[0])
            return decode_bytes(value, encodings, TEXT_VR_DELIMS | (PN_DELIMS if name else set()))
        except (LookupError, ValueError):
            return value.decode("latin-1")
