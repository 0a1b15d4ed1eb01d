"""Monte Carlo outputs made by code: USRBIN files as the description of FLUKA's formats has them.

No output of FLUKA may be copied here, so the readers are checked on these. They follow the record layout that usbrea
reads (title, date, weight, primaries; then each binning and its values; then STATISTICS and relative errors) and the
listing that it prints (``1P,10(1X,E11.4)`` below a heading), in either byte order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from braggbook.radiobiology.io.fluka_usrbin import Binning, Floats

_THOUSAND_MILLION = 1_000_000_000
_DATE = "DATE: 1/ 1/ 0,  TIME: 0: 0: 0"
_PER_LINE = 10
_NO_TIME_LIMIT = 1e38
_HEADS = {0: "Cartesian", 1: "R-Phi-Z  "}


def usrbin_records(
    binnings: Sequence[Binning], *, title: str = "made by code", primaries: int = 1000, big_endian: bool = False
) -> bytes:
    """Returns an unformatted USRBIN file.

    Args:
        binnings: What it holds; statistics are written when all of them have errors.
        title: Title of the run, 80 letters.
        primaries: Number of primaries; their weight is the same number.
        big_endian: Byte order.
    """
    order = ">" if big_endian else "<"
    millions, cases = divmod(primaries, _THOUSAND_MILLION)
    start = struct.pack(
        order + "80s32sfiii", title.ljust(80).encode(), _DATE.ljust(32).encode(), float(primaries), cases, millions, 1
    )
    records = [start]
    for found in binnings:
        records += [_binning_record(found, order), _numbers(found.values, order)]
    if all(found.relative_errors is not None for found in binnings):
        records.append(struct.pack(order + "10si", b"STATISTICS", len(binnings)))
        records += [_numbers(found.relative_errors, order) for found in binnings if found.relative_errors is not None]
    return b"".join(_framed(record, order) for record in records)


def usrbin_listing(binnings: Sequence[Binning], *, title: str = "made by code", primaries: int = 1000) -> str:
    """Returns a formatted USRBIN file: what usbrea prints."""
    lines = ["", f" *****  {title:<80}  *****", "", " " * 10 + _DATE, ""]
    count = f"{primaries}."
    lines += [f"{'':10}Total number of particles followed {count:>14}, for a total weight of {_e(primaries)}", ""]
    for found in binnings:
        lines += _listed(found)
    return "\n".join(lines) + "\n"


def write_usrbin(path: Path, binnings: Sequence[Binning], *, formatted: bool, primaries: int = 1000) -> Path:
    """Writes a USRBIN file of either form and returns its path."""
    if formatted:
        path.write_text(usrbin_listing(binnings, primaries=primaries), encoding="utf-8")
    else:
        path.write_bytes(usrbin_records(binnings, primaries=primaries))
    return path


def _framed(record: bytes, order: str) -> bytes:
    length = struct.pack(order + "i", len(record))
    return length + record + length


def _numbers(values: Floats, order: str) -> bytes:
    return np.asarray(values, dtype=order + "f4").tobytes()


def _binning_record(found: Binning, order: str) -> bytes:
    limits: list[float | int] = []
    for lower, upper, bins in found.limits:
        limits += [lower, upper, bins, (upper - lower) / bins]
    head = struct.pack(order + "i10sii", found.number, found.name.ljust(10).encode(), found.kind, found.particle)
    return head + struct.pack(order + 3 * "ffif", *limits) + struct.pack(order + "ifff", 0, 0.0, 0.0, _NO_TIME_LIMIT)


def _listed(found: Binning) -> Iterator[str]:
    kind = found.kind % 10
    flat = kind == 1 and found.limits[1][2] <= 1
    head = "R - Z    " if flat else _HEADS[kind]
    names = ("R", "P", "Z") if kind == 1 else ("X", "Y", "Z")
    index = "A(ir,iz)" if flat else "A(ir,ip,iz)" if kind == 1 else "A(ix,iy,iz)"
    yield "1"
    yield f'   {head} binning n. {found.number:3d}  "{found.name:<10}" , generalized particle n. {found.particle:4d}'
    for name, (lower, upper, bins) in zip(names, found.limits, strict=True):
        if flat and name == "P":
            continue
        unit, width = "rad" if name == "P" else "cm", _e((upper - lower) / bins)
        yield f"      {name} coordinate: from {_e(lower)} to {_e(upper)} {unit}, {bins:5d} bins ({width} {unit} wide)"
    if flat:
        yield f"      axis coordinates: X ={_e(0.0)}, Y = {_e(0.0)} cm"
    yield f"      Data follow in a matrix {index}, format (1(5x,1p,10(1x,e11.4)))"
    yield ""
    if found.kind >= 10:
        yield "      accurate deposition along the tracks requested"
        if found.particle not in (208, 211):
            yield "      this is a track-length binning"
    yield from _rows(found.values)
    if found.relative_errors is not None:
        yield ""
        yield f"      Percentage errors follow in a matrix {index}, format (1(5x,1p,10(1x,e11.4)))"
        yield ""
        yield from _rows(100.0 * found.relative_errors)


def _rows(values: Floats) -> Iterator[str]:
    for at in range(0, len(values), _PER_LINE):
        yield "     " + "".join(" " + _e(value) for value in values[at : at + _PER_LINE])


def _e(value: float) -> str:
    """Returns a number as Fortran's 1P,E11.4 prints it."""
    return f"{value:11.4E}"
