"""Reads damaged DICOM files one after the other, and says before each which one it is; run by ``test_fuzz``.

Usage: ``fuzz_reader.py FOLDER FIRST COUNT``. Mutation number n of a file depends on nothing but n.
"""

from __future__ import annotations

import random
import resource
import sys
import warnings
from pathlib import Path

import numpy as np
import pydicom.data

from braggbook.errors import BraggbookError
from braggbook.imaging.dicom import index_dicom, read_exposure, suv
from braggbook.imaging.reading import read_volumes
from braggbook.testing.dicom import example_grid, make_enhanced, make_rdsr, make_series, write_dicom

MOST_BYTES = 6 << 30  # of address space; NumPy, numba and the decoders map one or two
MOST_FILE = 400_000  # bytes: small files have more of what can be damaged
KEYWORDS = (
    b"\x28\x00\x10\x00", b"\x28\x00\x11\x00", b"\x28\x00\x08\x00", b"\x28\x00\x00\x01", b"\x28\x00\x01\x01",
    b"\x28\x00\x02\x00", b"\x28\x00\x30\x00", b"\x20\x00\x32\x00", b"\x20\x00\x37\x00", b"\x28\x00\x53\x10",
    b"\x28\x00\x04\x00", b"\x28\x00\x06\x00", b"\x28\x00\x03\x01", b"\x00\x52\x30\x92", b"\x54\x00\x16\x00",
    b"\x02\x00\x10\x00", b"\x08\x00\x05\x00", b"\xe0\x7f\x10\x00", b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0",
)  # fmt: skip


def samples(folder: Path) -> list[bytes]:
    """Real files, and small ones of the kinds that none of them is."""
    shipped = sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))
    found = [path.read_bytes() for path in shipped if path.stat().st_size <= MOST_FILE]
    made = [make_enhanced(*_pixels(), modality="MR"), make_rdsr(), *make_series(*_pixels(), modality="PET")]
    return [*found, *(write_dicom(each, folder / "made.dcm").read_bytes() for each in made)]


def _pixels() -> tuple[object, object]:
    grid = example_grid(shape=(3, 8, 8))
    return np.arange(192, dtype=np.int16).reshape(grid.shape), grid


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Returns a file with one to four kinds of damage."""
    found = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        kind = dice.randrange(6)
        at = dice.randrange(max(1, min(len(found), 4000 if dice.random() < 0.8 else len(found))))
        if kind == 0:
            del found[at:]
        elif kind == 1:
            found[at : at + 1] = bytes((dice.randrange(256),))
        elif kind == 2:
            found[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\xff\x7f", b"UNOB", b"1e99"))
        elif kind == 3:
            found[at:at] = found[max(0, at - dice.randrange(200)) : at]
        elif kind == 4:
            del found[at : at + dice.randrange(1, 60)]
        elif (place := found.find(dice.choice(KEYWORDS))) >= 0:
            value = place + dice.choice((4, 6, 8, 10, 12))
            found[value : value + 2] = dice.randbytes(2)
    return bytes(found)


def read(path: Path) -> None:
    """Reads everything in a file that can be read."""
    for series in index_dicom(path).series:
        try:
            for dataset in read_volumes(series):
                dataset.load()
                if dataset.attrs.get("Modality") == "PT":
                    suv(dataset)
        except BraggbookError as error:
            str(error)
    read_exposure(path)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(folder: Path, first: int, count: int) -> None:
    """Reads so many damaged files."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    warnings.simplefilter("ignore")
    known, path = samples(folder), folder / "damaged.dcm"
    for number in range(first, first + count):
        dice = random.Random(number)
        path.write_bytes(damaged(dice.choice(known), dice))
        _say(f"{number}")
        try:
            read(path)
        except BraggbookError as error:
            str(error)
    _say("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
