"""Standard DNA Damage (SDD 1.0) files: read, stream, write, check.

>>> file = read_sdd("damage.sdd")                            # doctest: +SKIP
>>> file.damages.groupby("exposure")["dsb"].sum()            # doctest: +SKIP
>>> for finding in check_sdd("damage.sdd"): print(finding)   # doctest: +SKIP

A file that cannot be read raises, with every line that is at fault. A file that can be read but contradicts itself
is read as it stands: :func:`~braggbook.radiobiology.io.sdd_check.check_sdd` tells what is wrong with it.

Source: J. Schuemann et al., A New Standard DNA Damage (SDD) Data Format, Radiat Res 191 (2019) 76-92,
doi:10.1667/RR15209.1.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TextIO

import pandas as pd

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.io.sdd_body import BodyParser, BodyPart
from braggbook.radiobiology.io.sdd_header import END, SddHeader, split_header, type_header

Source = str | PathLike[str] | TextIO

_END = re.compile(r"\s*".join(map(re.escape, END)), re.IGNORECASE)

# A header of some thousand lines or a line of a megabyte is not SDD: without these a wrong file fills the memory.
_MAX_HEADER_LINES = 10_000
_MAX_LINE = 1_000_000
_BLOCK = 4_000_000  # characters of the body that are parsed at once: about 50,000 damages


@dataclass(frozen=True, eq=False)
class SddFile:
    """An SDD file, or a part of one when it is streamed.

    Attributes:
        header: The typed header.
        damages: A row per damage: ``line`` (in the file), ``exposure`` and ``primary`` (both counted from 0 through
            the file), and of these what the flags announce: classification, event_id; x_um, y_um, z_um,
            x_max_um ... z_min_um; dna_structure, chromosome, chromatid, arm; chromosome_position; cause, direct,
            indirect; base_damages, strand_breaks, dsb; sequence.
        lesions: A row per lesion: damage (index of ``damages``), strand, base_pair, kind.
        lesion_times: A row per time: damage, time_ns.
        particles: A row per particle: damage, particle_type, energy_mev, x_um, y_um, z_um, direction_x,
            direction_y, direction_z, time_ns, as far as the flags announce them.
    """

    header: SddHeader
    damages: pd.DataFrame
    lesions: pd.DataFrame
    lesion_times: pd.DataFrame
    particles: pd.DataFrame

    @property
    def exposures(self) -> int:
        """Exposures with at least one damage; one without any leaves no line in a file."""
        return int(self.damages["exposure"].nunique()) if "exposure" in self.damages else 0

    @property
    def primaries(self) -> int:
        """Primaries with at least one damage; one without any leaves no line in a file."""
        return int(self.damages["primary"].nunique()) if "primary" in self.damages else 0


def read_sdd(source: Source) -> SddFile:
    """Reads an SDD file.

    Args:
        source: Path, or an open text stream.

    Raises:
        ScienceError: The file cannot be opened, has no end of header or no usable Data entries, or a record cannot
            be read; ``issues`` has every such line.
    """
    parts = list(scan_sdd(source))
    if len(parts) == 1:
        return parts[0]
    tables = ("damages", "lesions", "lesion_times", "particles")
    joined = {name: pd.concat([getattr(part, name) for part in parts]) for name in tables}
    for name in tables[1:]:
        joined[name] = joined[name].reset_index(drop=True)
    return SddFile(parts[0].header, **joined)


def read_sdd_header(source: Source) -> SddHeader:
    """Reads the header alone.

    Raises:
        ScienceError: The file cannot be opened or has no end of header.
    """
    with _opened(source) as (stream, name):
        return _header(stream, name)[0]


def scan_sdd(source: Source, *, block: int = _BLOCK) -> Iterator[SddFile]:
    """Reads an SDD file of any size in parts of about ``block`` characters, each with the same header.

    ``damages`` goes on counting lines, damages, exposures and primaries, so that an exposure may lie in two parts.
    There is always one part at least, which is empty when the file has no damage.

    Raises:
        ScienceError: As :func:`read_sdd` does, at the end, so that every line at fault is named.
    """
    issues: list[Issue] = []
    part = None
    yielded = False
    for part, found in scan_sdd_leniently(source, block=block):
        issues += found
        if not part.header.data_entries:
            raise ScienceError("the body of the SDD file cannot be read", issues=part.header.issues)
        if not issues and len(part.damages):
            yielded = True
            yield part
    if not issues and not yielded and part is not None:
        yield part
    if issues:
        raise ScienceError("not a readable SDD file", issues=issues)


def scan_sdd_leniently(source: Source, *, block: int = _BLOCK) -> Iterator[tuple[SddFile, list[Issue]]]:
    """Reads like :func:`scan_sdd`, but gives what cannot be read beside each part instead of raising at the end.

    Raises:
        ScienceError: The file cannot be opened or has no end of header.
    """
    with _opened(source) as (stream, name):
        header, line, rest = _header(stream, name)
        parser = BodyParser(header.data_entries)
        body = _blocks(stream, name, first=line + 1, block=block)
        if rest:
            body = itertools.chain([[(line, rest)]], body)
        blocks = body if header.data_entries else iter(())
        for lines, last in _mark_last(blocks):
            part = parser.parse(lines, last=last)
            issues, parser.issues = parser.issues, []
            yield _file(header, part), issues


def _mark_last(blocks: Iterator[list[tuple[int, str]]]) -> Iterator[tuple[list[tuple[int, str]], bool]]:
    """Yields each block with whether it is the last; one empty block when there is none."""
    before = next(blocks, [])
    for lines in blocks:
        yield before, False
        before = lines
    yield before, True


def _file(header: SddHeader, part: BodyPart) -> SddFile:
    return SddFile(header, part.damages, part.lesions, part.lesion_times, part.particles)


@contextmanager
def _opened(source: Source) -> Iterator[tuple[TextIO, str]]:
    if not isinstance(source, str | PathLike):
        if not hasattr(source, "readline"):
            raise ScienceError("not an SDD file", wanted="a path or a text stream", got=type(source).__name__)
        yield source, getattr(source, "name", "the stream")
        return
    try:
        # Names of authors are not always UTF-8; what is not is kept as it is, and cannot be a number.
        stream = Path(source).open(encoding="utf-8", errors="surrogateescape")  # noqa: SIM115 (closed below)
    except (OSError, ValueError) as error:
        raise ScienceError("the SDD file cannot be opened", where=str(source), got=str(error)) from error
    try:
        yield stream, Path(source).name
    except OSError as error:  # a folder is opened on some systems and fails on reading
        raise ScienceError("the SDD file cannot be read", where=str(source), got=str(error)) from error
    finally:
        stream.close()


def _header(stream: TextIO, name: str) -> tuple[SddHeader, int, str]:
    """Returns the header, the number of its last line, and what that line has behind the end of the header."""
    lines: list[tuple[int, str]] = []
    for number in range(1, _MAX_HEADER_LINES + 1):
        line = stream.readline(_MAX_LINE)
        if isinstance(line, bytes):
            raise ScienceError("not an SDD file", where=name, wanted="a text stream", got="a stream of bytes")
        if not line or (len(line) == _MAX_LINE and not line.endswith("\n")):
            break
        head, end, rest = _split_end(line.lstrip("\ufeff") if number == 1 else line)
        lines.append((number, head))
        if end:
            return type_header(split_header(lines)), number, rest
    raise ScienceError(
        "not an SDD file",
        where=name,
        wanted="a line ***EndOfHeader*** at the end of the header",
        got=f"none in {len(lines)} lines",
    )


def _split_end(line: str) -> tuple[str, bool, str]:
    """Parts a line at ***EndOfHeader***, however it is spaced and whatever its case."""
    found = _END.search(line)
    if found is None:
        return line, False, ""
    rest = line[found.end() :].split("#", 1)[0]
    return line[: found.start()], True, rest.strip().lstrip(";,").strip()


def _blocks(stream: TextIO, name: str, *, first: int, block: int) -> Iterator[list[tuple[int, str]]]:
    """Yields numbered lines without blank ones and comments."""
    number = first
    while texts := stream.readlines(max(block, 1)):
        lines: list[tuple[int, str]] = []
        for text in texts:
            if len(text) > _MAX_LINE:
                where = f"{name}, line {number}"
                raise ScienceError("a line is too long", where=where, wanted=f"at most {_MAX_LINE:,} characters")
            bare = text.split("#", 1)[0].strip() if "#" in text else text.strip()
            if bare.strip(";"):
                lines.append((number, bare))
            number += 1
        yield lines
