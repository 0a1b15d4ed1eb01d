"""NIfTI files that a stranger wrote: header and voxels, nothing believed, never more unpacked than the grid needs.

Only what a mask may be is read: one file (``n+1`` or ``n+2``), gzip, three dimensions, real numbers without scaling.
What is written is NIfTI-1 of our own, byte for byte the same for the same labels on the same grid.

Source: NIfTI-1 and NIfTI-2 headers, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h and nifti2.h; gzip,
RFC 1952.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
SAME_FORM_MM = 0.1  # sform and qform of one file; single-precision quaternions give 1e-4 mm at 300 mm
HEADER_BYTES = 540  # of NIfTI-2; NIfTI-1 has 348
_MOST_EXTENSION_BYTES = 1 << 20  # between header and voxels; what programs put there is some kilobytes
_BLOCK_BYTES = 1 << 20
_GZIP_LEVEL = 6  # zlib's usual
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no name, no time, no system
_MM = {0: 1.0, 1: 1e3, 2: 1.0, 3: 1e-3}  # unknown is millimetre: most files that say nothing, and every reader
_TYPES: dict[int, str] = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_FIELDS = {  # name -> (type, offset) in NIfTI-1, and in NIfTI-2
    "dim": (("8i2", 40), ("8i8", 16)),
    "datatype": (("i2", 70), ("i2", 12)),
    "bitpix": (("i2", 72), ("i2", 14)),
    "pixdim": (("8f4", 76), ("8f8", 104)),
    "vox_offset": (("f4", 108), ("i8", 168)),
    "scl_slope": (("f4", 112), ("f8", 176)),
    "scl_inter": (("f4", 116), ("f8", 184)),
    "xyzt_units": (("u1", 123), ("i4", 500)),
    "qform_code": (("i2", 252), ("i4", 344)),
    "sform_code": (("i2", 254), ("i4", 348)),
    "quatern": (("3f4", 256), ("3f8", 352)),
    "qoffset": (("3f4", 268), ("3f8", 376)),
    "srow": (("(3,4)f4", 280), ("(3,4)f8", 400)),
}
_ORDERS: tuple[Literal["<", ">"], ...] = ("<", ">")
_KINDS = (
    (b"n+1\0", 344, 348, 0),
    (b"n+2\0", 4, 540, 1),
)  # magic, where it stands, length of the header, its column above


class NiftiProblem(Exception):
    """Why a file is not taken, in one of our own sentences; never with a value from the file."""


@dataclass(frozen=True)
class Header:
    """What a file says of its grid and of how its voxels are stored."""

    shape: tuple[int, int, int]  # x, y, z: as in the file, x fastest
    dtype: np.dtype[Any]
    offset: int  # of the first voxel in the file
    scaled: bool  # do scl_slope and scl_inter say anything but "as it is"?
    affine: Floats  # (4, 4): voxel index (x, y, z) to RAS mm
    places: dict[str, Any]  # the fields that say where the voxels are, as they stand in the file


def parse_header(head: bytes) -> Header:
    """Reads the beginning of a file, unpacked.

    Raises:
        NiftiProblem: It is no NIfTI header, or one that cannot be a mask's or an image's.
    """
    with np.errstate(all="ignore"):  # what is not finite is found by its value
        return _header(_fields(head))


def _header(fields: dict[str, Any]) -> Header:
    shape = _shape(fields)
    code = int(fields["datatype"])
    if code not in _TYPES or int(fields["bitpix"]) != 8 * np.dtype(_TYPES[code]).itemsize:
        raise NiftiProblem("a datatype that a mask cannot have; write uint8")
    slope, inter = float(fields["scl_slope"]), float(fields["scl_inter"])
    return Header(
        shape=shape,
        dtype=np.dtype(_TYPES[code]).newbyteorder(fields["order"]),
        offset=_offset(fields),
        scaled=not (slope == 0 or (slope == 1 and inter == 0)),
        affine=_affine(fields, shape),
        places={name: fields[name] for name in _PLACES},
    )


_PLACES = ("pixdim", "qform_code", "sform_code", "quatern", "qoffset", "srow", "xyzt_units")


def _fields(head: bytes) -> dict[str, Any]:
    kind = next((one for one in _KINDS if head[one[1] : one[1] + 4] == one[0] and len(head) >= one[2]), None)
    if kind is None:
        raise NiftiProblem('not a NIfTI file of one piece (magic "n+1"); write it as .nii.gz')
    _, _, length, version = kind
    order = next((sign for sign in _ORDERS if int(np.frombuffer(head, f"{sign}i4", count=1)[0]) == length), None)
    if order is None:
        raise NiftiProblem("a header of another length than NIfTI's; write it again with a usual program")
    found: dict[str, Any] = {"order": order}
    for name, kinds in _FIELDS.items():
        stored, offset = kinds[version]
        found[name] = np.frombuffer(head, np.dtype(stored).newbyteorder(order), count=1, offset=offset)[0]
    return found | {"length": length}


def _shape(fields: dict[str, Any]) -> tuple[int, int, int]:
    dim = [int(length) for length in fields["dim"]]
    if not 3 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1 or max(dim[4 : dim[0] + 1], default=1) > 1:
        raise NiftiProblem("not three dimensions; write one mask on the grid of its case's image")
    return dim[1], dim[2], dim[3]


def _offset(fields: dict[str, Any]) -> int:
    offset, first = float(fields["vox_offset"]), fields["length"] + 4
    if not first <= offset <= first + _MOST_EXTENSION_BYTES or not offset.is_integer():
        raise NiftiProblem("voxels that begin at no possible place (vox_offset); write it again with a usual program")
    return int(offset)


def _affine(fields: dict[str, Any], shape: tuple[int, int, int]) -> Floats:
    """Returns the affine whose code is above 0, sform first, and refuses two that contradict each other."""
    to_mm = _MM.get(int(fields["xyzt_units"]) & 7)
    codes = {"sform": int(fields["sform_code"]), "qform": int(fields["qform_code"])}
    if to_mm is None:
        raise NiftiProblem("a unit of length that NIfTI does not have (xyzt_units); write millimetres")
    makers = {"sform": _sform, "qform": _qform}
    forms = [makers[name](fields) * [[to_mm], [to_mm], [to_mm], [1.0]] for name, code in codes.items() if code > 0]
    if not forms:
        raise NiftiProblem(
            "it does not say where its voxels are (sform_code and qform_code are 0); copy the image's affine"
        )
    if not all(np.isfinite(form).all() for form in forms):
        raise NiftiProblem("an affine that is not finite; copy the image's affine")
    if len(forms) == 2 and codes["sform"] == codes["qform"] and apart_mm(*forms, shape=shape) > SAME_FORM_MM:
        raise NiftiProblem(
            "sform and qform place the voxels differently and claim the same space; set both to the image's affine"
        )
    return forms[0]


def _sform(fields: dict[str, Any]) -> Floats:
    return np.vstack([np.asarray(fields["srow"], dtype=np.float64), [0.0, 0.0, 0.0, 1.0]])


def _qform(fields: dict[str, Any]) -> Floats:
    b, c, d = (float(part) for part in fields["quatern"])
    spacing = np.asarray(fields["pixdim"], dtype=np.float64)
    rest = 1.0 - (b * b + c * c + d * d)
    if not math.isfinite(rest) or rest < -1e-6:  # 1e-6: what single precision loses of a unit quaternion
        raise NiftiProblem("a qform that is no rotation; copy the image's affine")
    a = math.sqrt(max(rest, 0.0))
    turn = np.array([
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ])  # fmt: skip
    flip = -1.0 if spacing[0] < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = turn * (spacing[1:4] * [1.0, 1.0, flip])
    affine[:3, 3] = np.asarray(fields["qoffset"], dtype=np.float64)
    return affine


def apart_mm(one: Floats, other: Floats, *, shape: tuple[int, int, int]) -> float:
    """Returns how far two affines are apart at worst, at the corner voxels of a grid (x, y, z), in mm."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape) - 1.0)
    with np.errstate(all="ignore"):
        moved = corners @ (one - other)[:3, :3].T + (one - other)[:3, 3]
        far = float(np.sqrt((moved**2).sum(axis=1)).max())
    return far if math.isfinite(far) else math.inf


class Unpacked:
    """A gzip stream of one member, unpacked in pieces as large as they are asked for."""

    def __init__(self, stream: IO[bytes], *, watch: Callable[[bytes], None] = lambda block: None) -> None:
        """Begins; ``watch`` is given the bytes as they lie in the file, and as they come out."""
        self._stream, self._watch = stream, watch
        self._inflate = zlib.decompressobj(wbits=31)
        self._packed = b""

    def read(self, size: int) -> bytes:
        """Returns the next ``size`` bytes, fewer only at the end.

        Raises:
            NiftiProblem: It is no gzip stream, damaged or cut off.
        """
        parts = []
        while size > 0 and not self._inflate.eof:
            part = self._piece(size)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _piece(self, size: int) -> bytes:
        if not self._packed:
            self._packed = self._stream.read(_BLOCK_BYTES)
            self._watch(self._packed)
            if not self._packed:
                raise NiftiProblem("it is cut off; hand it in again, whole")
        try:
            part = self._inflate.decompress(self._packed, size)
        except zlib.error:
            raise NiftiProblem("not a gzip file, or a damaged one; write it as .nii.gz again") from None
        self._packed = self._inflate.unconsumed_tail
        return part

    def finish(self) -> None:
        """Makes sure that nothing comes any more.

        Raises:
            NiftiProblem: More bytes come out than the header announces, or lie behind the end.
        """
        if self.read(1):
            raise NiftiProblem("more bytes than the header announces; write it again with a usual program")
        if self._inflate.unused_data or self._stream.read(1):
            raise NiftiProblem("bytes behind the end of the gzip stream; pack it again, in one piece")


def mask_bytes(labels: npt.NDArray[Any], places: dict[str, Any]) -> bytes:
    """Returns a mask as NIfTI-1, packed with gzip.

    Args:
        labels: (x, y, z), uint8 or uint16, in the file's order: x fastest, which is Fortran order.
        places: Of :class:`Header`: the fields that say where the voxels are.
    """
    head = bytearray(352)
    kinds = {name: kinds[0] for name, kinds in _FIELDS.items()}
    values = {
        "dim": [3, *labels.shape, 1, 1, 1, 1], "datatype": 2 if labels.itemsize == 1 else 512,
        "bitpix": 8 * labels.itemsize, "vox_offset": 352, "scl_slope": 1, "scl_inter": 0, **places,
    }  # fmt: skip
    values["pixdim"] = [*places["pixdim"][:4], 0, 0, 0, 0]
    values["xyzt_units"] = int(places["xyzt_units"]) & 7
    struct.pack_into("<i", head, 0, 348)
    head[344:348] = b"n+1\0"
    for name, (kind, offset) in kinds.items():
        dtype = np.dtype(kind)
        packed = np.asarray(values[name]).astype(dtype.base.newbyteorder("<")).tobytes()
        head[offset : offset + len(packed)] = packed
    voxels = labels.astype(labels.dtype.newbyteorder("<"), copy=False).tobytes(order="F")
    return _packed(bytes(head) + voxels)


def _packed(data: bytes) -> bytes:
    deflate = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(data) + deflate.flush()
    return _GZIP_HEAD + body + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
