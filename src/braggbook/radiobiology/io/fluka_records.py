"""Unformatted USRBIN files: Fortran records, each between two copies of its length."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from braggbook.errors import ScienceError
from braggbook.radiobiology.io.fluka_usrbin import Binning, Floats, UsrbinFile, count_of
from braggbook.radiobiology.io.montecarlo import PathText, existing_file

# Title and date are 80 and 32 letters; then weight and number of primaries, and in later versions their thousand
# millions and the number of batches.
_STARTS = {120: "80s32sfi", 124: "80s32sfii", 128: "80s32sfiii"}
_BINNING = "i10sii" + 3 * "ffif" + "ifff"  # number, name, kind, particle; limits, bins, width thrice; the rest
_OLD_BINNING = "i10sii" + 3 * "ffif"
_STATISTICS = b"STATISTICS"
_THOUSAND_MILLION = 1_000_000_000


def read_records(path: PathText) -> UsrbinFile:
    """Reads an unformatted USRBIN file, of either byte order.

    Raises:
        ScienceError: A record is cut off, has an impossible length, or does not belong there.
    """
    file = existing_file(path)
    data = file.read_bytes()
    order = "<" if struct.unpack("<i", data[:4])[0] in (116, *_STARTS) else ">"
    records = _Records(file.name, list(_records(data, order, where=file.name)), order)
    title, date, weight, primaries = _start(records)
    binnings: list[Binning] = []
    while (record := records.next_or_none()) is not None:
        if record.startswith(_STATISTICS):
            binnings = [
                replace(found, relative_errors=records.floats(len(found.values), what=f"errors of {found.name}"))
                for found in binnings
            ]
            break
        binnings.append(_binning(record, records))
    if not binnings:
        raise ScienceError("a USRBIN file without a binning", where=file.name, wanted="at least one")
    return UsrbinFile(title, date, primaries, weight, tuple(binnings))


class _Records:
    """The records of a file, one after the other."""

    def __init__(self, where: str, records: list[bytes], order: str) -> None:
        self.where, self.order = where, order
        self._records = iter(records)

    def next_or_none(self) -> bytes | None:
        return next(self._records, None)

    def floats(self, count: int, *, what: str) -> Floats:
        """Returns the next record as numbers of single or double precision."""
        record = self.next_or_none()
        kinds = {4 * count: "f4", 8 * count: "f8"}
        if record is None or len(record) not in kinds:
            got = "the end of the file" if record is None else f"{len(record)} bytes"
            raise ScienceError(
                "a record does not fit", where=f"{self.where}, {what}", wanted=f"{count} numbers", got=got
            )
        with np.errstate(invalid="ignore"):  # what is not a number is refused, with its bin, where the values are used
            return np.frombuffer(record, dtype=self.order + kinds[len(record)]).astype(np.float64)


def _records(data: bytes, order: str, *, where: str) -> Iterator[bytes]:
    at, number = 0, 0
    while at < len(data):
        number += 1
        length = struct.unpack_from(order + "i", data, at)[0] if at + 4 <= len(data) else -1
        end = at + 4 + length
        if length < 0 or end + 4 > len(data):
            raise ScienceError(
                "the file is cut off", where=f"{where}, record {number}",
                wanted=f"{max(length, 0)} bytes and their length", got=f"{max(len(data) - at - 4, 0)} bytes",
            )  # fmt: skip
        if struct.unpack_from(order + "i", data, end)[0] != length:
            raise ScienceError(
                "a record whose two lengths differ", where=f"{where}, record {number}", wanted=str(length)
            )
        yield data[at + 4 : end]
        at = end + 4


def _start(records: _Records) -> tuple[str, str, float, int]:
    record = records.next_or_none() or b""
    if len(record) not in _STARTS:
        wanted = " or ".join(map(str, _STARTS))
        raise ScienceError(
            "not the first record of a USRBIN file", where=records.where, wanted=f"{wanted} bytes", got=f"{len(record)}"
        )
    title, date, weight, cases, *more = struct.unpack(records.order + _STARTS[len(record)], record)
    millions = more[0] if len(more) == 2 else 0
    return _text(title), _text(date), float(weight), int(cases) + _THOUSAND_MILLION * int(millions)


def _binning(record: bytes, records: _Records) -> Binning:
    layouts = {struct.calcsize("=" + layout): layout for layout in (_BINNING, _OLD_BINNING)}
    if len(record) not in layouts:
        wanted = " or ".join(map(str, layouts))
        raise ScienceError(
            "a record that is neither a binning nor statistics",
            where=records.where,
            wanted=f"{wanted} bytes",
            got=str(len(record)),
        )
    fields = struct.unpack(records.order + layouts[len(record)], record)
    number, name, kind, particle = fields[:4]
    limits = tuple((_float(fields[at]), _float(fields[at + 1]), int(fields[at + 2])) for at in (4, 8, 12))
    label = _text(name)
    count = count_of(tuple(bins for _, _, bins in limits), where=f"{records.where}, {label}")
    return Binning(number, label, kind, particle, limits, records.floats(count, what=f"values of {label}"))


def _float(single: float) -> float:
    """Returns what was meant by a limit in single precision: 0.1 rather than 0.10000000149."""
    return float(f"{single:.7g}")


def _text(raw: bytes) -> str:
    return raw.decode("latin-1").strip()
