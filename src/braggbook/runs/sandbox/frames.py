"""What comes out of the walls, as a stream: a heading and data, again and again.

A format of two numbers, because every part of it is the stranger's: nothing has to be searched for, nothing refers to
anything else, and no reader of archives is trusted with it. A heading is a kind (one letter), the length of a name
(16 bits) and the length of the data (64 bits), then come the name in UTF-8 and the data.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

HEADING = struct.Struct(">cHQ")
READING = b"N"  # the notebook will now be read: until here, nothing of the stranger's has been looked at
STARTING = b"P"  # it is one, and its kernel starts
CELL = b"C"  # its name is how many code cells are behind; before the first of them, no code of the stranger's has run
FILE, LOG = b"F", b"L"
LEFT_OUT = b"X"  # a thing among the outputs that is no regular file; its name
OUTCOME = b"O"  # JSON, and the end
KINDS = (READING, STARTING, CELL, FILE, LOG, LEFT_OUT, OUTCOME)
LOG_NAMES = ("executed.ipynb", "kernel.log")


def write_frame(stream: BinaryIO, kind: bytes, *, name: str = "", data: bytes = b"") -> None:
    """Writes one part."""
    stream.write(heading(kind, name=name, size=len(data)) + data)
    stream.flush()


def heading(kind: bytes, *, name: str, size: int) -> bytes:
    """Returns what comes before the data."""
    encoded = name.encode("utf-8", "surrogateescape")
    return HEADING.pack(kind, len(encoded), size) + encoded
