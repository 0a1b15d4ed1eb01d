"""The header of a Standard DNA Damage (SDD 1.0) file: 26 named lines, typed as far as they can be read.

Reading is tolerant of what real writers do: any case and spacing, ``Author contact`` for ``Author``, a unit in
brackets behind a name, blank lines between, a value that goes on over several lines, two fields on one line, a
missing last semicolon, a missing comma behind a name, comments between ``#`` signs. What cannot be read as the
type that SDD 1.0 gives the field is None in the typed header and named in ``issues``; its text is kept.

Source: J. Schuemann et al., Radiat Res 191 (2019) 76-92, doi:10.1667/RR15209.1, tables 1 and 2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from braggbook.errors import Issue, ScienceError, closest

T = TypeVar("T")

FIELDS = (
    "SDD version", "Software", "Author", "Simulation details", "Source", "Source type", "Incident particles",
    "Mean particle energy", "Energy distribution", "Particle fraction", "Dose or fluence", "Dose rate",
    "Irradiation target", "Volumes", "Chromosome sizes", "DNA density", "Cell cycle phase", "DNA structure",
    "In vitro / in vivo", "Proliferation status", "Microenvironment", "Damage definition", "Time",
    "Damage and primary count", "Data entries", "Additional information",
)  # fmt: skip
END = "***endofheader***"
_LARGEST_WHOLE = 2**53  # beyond this a float does not hold every whole number
FLAGS = 14  # the body's fields, of which "Data entries" says which are there

_ALIASES = {
    "author contact": "Author",
    "incident particle": "Incident particles",
    "microenviroment": "Microenvironment",
}
_BY_NAME = {name.lower(): name for name in FIELDS} | _ALIASES
_COMMENT = re.compile(r"#[^#]*#")
_BRACKETS = re.compile(r"\s*\([^)]*\)\s*$")
# A field that follows another one's semicolon on the same line; the longest names first, so that "Source type" is
# not taken for "Source".
_NAMES = "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in sorted(_BY_NAME, key=len, reverse=True))
_NAMED = re.compile(
    rf"\s*(?P<name>{_NAMES})\s*(?P<unit>\([^)]*\))?\s*(?P<rest>$|,.*|\s[-+\d.].*)", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class HeaderField:
    """One header line as it stands: the name of SDD 1.0 (or the writer's own), its text and its line number."""

    name: str
    text: str
    line: int = 0


@dataclass(frozen=True)
class DoseOrFluence:
    """What one exposure got.

    Attributes:
        kind: 0 single track, 1 absorbed dose, 2 fluence.
        value: Dose in Gy when ``kind`` is 1; None when there is no number.
        spread: The second number of the field, where there is one.
    """

    kind: int
    value: float | None = None
    spread: float | None = None


@dataclass(frozen=True)
class Volume:
    """A shape of the header: 0 box, 1 ellipsoid, 2 cylinder; three extents in um and three further numbers.

    ``extents_um`` are half-lengths (radii) about the origin. ``further`` are tilts in degrees, or for a box that
    is written with two corners the lower corner.
    """

    shape: int
    extents_um: tuple[float, float, float]
    further: tuple[float, float, float]


@dataclass(frozen=True)
class DamageDefinition:
    """How damage was scored.

    Attributes:
        indirect: False when only direct damage was scored, True when indirect damage was too.
        unit: "bp" or "nm", the unit of both distances.
        dsb_distance: Greatest separation of two strand breaks that make a double-strand break.
        base_distance: Greatest separation at which base damage joins a site; -1 or None when bases were not scored.
        energies_ev: Threshold energy, or lower and upper limit of a rising probability, in eV.
    """

    indirect: bool
    unit: str
    dsb_distance: float
    base_distance: float | None = None
    energies_ev: tuple[float, ...] = ()


@dataclass(frozen=True)
class SddHeader:
    """The header of an SDD file.

    Attributes:
        fields: Every header line in the order of the file, with its text as it stands.
        sdd_version: For example "SDDv1.0".
        source_type: Code of the source type.
        incident_particles: PDG codes.
        mean_energies_mev: Mean energy per particle type, MeV.
        particle_fractions: Fraction of the fluence per particle type.
        dose: Dose or fluence of one exposure.
        dose_rate: As the file has it; SDD 1.0 gives it as a plain number.
        volumes: The bounding volume and the nucleus.
        chromosome_sizes_mbp: Size of every chromosome, Mbp.
        declared_chromosomes: Number of chromosomes that the line declares.
        dna_density_mbp_um3: Base pairs per volume, Mbp/um^3.
        damage_definition: How damage was scored.
        time: As the file has it.
        damage_count: Damages declared; None when the line is empty.
        primary_count: Primaries simulated, as declared; a primary without damage leaves no line in the body.
        data_entries: Which of the 14 body fields are there.
        issues: What could not be read, with line numbers.
    """

    fields: tuple[HeaderField, ...]
    sdd_version: str
    source_type: int | None
    incident_particles: tuple[int, ...] | None
    mean_energies_mev: tuple[float, ...] | None
    particle_fractions: tuple[float, ...] | None
    dose: DoseOrFluence | None
    dose_rate: float | None
    volumes: tuple[Volume, Volume] | None
    chromosome_sizes_mbp: tuple[float, ...] | None
    declared_chromosomes: int | None
    dna_density_mbp_um3: float | None
    damage_definition: DamageDefinition | None
    time: float | None
    damage_count: int | None
    primary_count: int | None
    data_entries: tuple[bool, ...]
    issues: tuple[Issue, ...] = ()

    def text(self, name: str) -> str:
        """Returns the text of a field, or raises UnknownName-like ScienceError when the file has none."""
        for field in self.fields:
            if field.name == name:
                return field.text
        raise ScienceError(f"no header field {name!r}", wanted=closest(name, [field.name for field in self.fields]))

    def line_of(self, name: str) -> int:
        """Returns the line number of a field; 0 when the file has none or the header was made by hand."""
        return next((field.line for field in self.fields if field.name == name), 0)

    @property
    def nucleus(self) -> Volume | None:
        """The nucleus, the second of the two volumes."""
        return None if self.volumes is None else self.volumes[1]

    @property
    def dose_gy(self) -> float | None:
        """Absorbed dose of one exposure in Gy; None for a single track or a fluence."""
        return self.dose.value if self.dose is not None and self.dose.kind == 1 else None


def make_header(texts: Mapping[str, str]) -> SddHeader:
    """Returns a header made from texts by field name; fields that are left out are empty.

    Raises:
        ScienceError: A name is not one of SDD 1.0, a text holds a semicolon, ``#`` or line end, or one cannot be
            read as the type of its field.
    """
    by_name = {_BY_NAME.get(name.lower(), name): text for name, text in texts.items()}
    issues = [
        Issue("no header field of this name", where=n, wanted=closest(n, FIELDS)) for n in by_name if n not in FIELDS
    ]
    issues += [
        Issue("not a text that a header field can hold", where=name, wanted="one line without ; or #", got=repr(text))
        for name, text in by_name.items()
        if not isinstance(text, str) or re.search(r"[;#\r\n]", text)
    ]
    if issues:
        raise ScienceError("not an SDD header", issues=issues)
    header = type_header([HeaderField(name, by_name.get(name, "").strip()) for name in FIELDS])
    if header.issues:
        raise ScienceError("not an SDD header", issues=header.issues)
    return header


def split_header(lines: Iterable[tuple[int, str]]) -> list[HeaderField]:
    """Returns the header fields of numbered lines (those before ***EndOfHeader***), in their order."""
    fields: list[HeaderField] = []
    text, start = "", 0
    for number, line in lines:
        bare = _COMMENT.sub(" ", line).strip()
        if not bare or bare.startswith("#"):
            continue
        # A line that begins with a known name begins a field, even where the last one's semicolon is missing.
        if text and _NAMED.fullmatch(bare):
            fields.append(_field(text, start))
            text = ""
        start = number if not text else start
        text = f"{text} {bare}".strip()
        text = _take_complete(text, start, fields=fields)
    if text:
        fields.append(_field(text, start))
    return fields


def _take_complete(text: str, line: int, *, fields: list[HeaderField]) -> str:
    """Moves every field that its semicolon ends into ``fields``; returns what is left."""
    while ";" in text:
        value, text = text.split(";", 1)
        text = text.strip()
        if text.startswith("#"):  # a comment behind the semicolon that nothing closes
            text = ""
        # What follows a semicolon without being a field of its own belongs to the text before it.
        while text and ";" in text and not _NAMED.fullmatch(text.split(";", 1)[0]):
            more, text = text.split(";", 1)
            value, text = f"{value}, {more.strip()}", text.strip()
        if value.strip():
            fields.append(_field(value, line))
    return text


def _field(text: str, line: int) -> HeaderField:
    match = _NAMED.fullmatch(text)
    if match:
        return HeaderField(
            _BY_NAME[" ".join(match["name"].lower().split())], match["rest"].lstrip(", \t").strip(), line
        )
    name, _, rest = text.partition(",")
    return HeaderField(_BRACKETS.sub("", name).strip(), rest.strip(), line)


def type_header(fields: Iterable[HeaderField]) -> SddHeader:
    """Returns the typed header of its fields; what cannot be read is None and an issue."""
    listed = tuple(fields)
    texts = {field.name: field for field in reversed(listed)}  # the first of two of one name counts
    issues: list[Issue] = []

    def read(name: str, parse: Callable[[str], T], *, wanted: str) -> T | None:
        field = texts.get(name)
        if field is None or not field.text.strip(" ,"):
            return None
        try:
            return parse(field.text)
        except (ValueError, OverflowError):
            issues.append(Issue(f"{name} is not readable", where=_where(field), wanted=wanted, got=repr(field.text)))
            return None

    chromosomes = read("Chromosome sizes", _chromosomes, wanted="a whole number, then sizes in Mbp")
    counts = read("Damage and primary count", _ints, wanted="two whole numbers") or ()
    entries = read("Data entries", _flags, wanted=f"{FLAGS} flags, 0 or 1")
    if entries is None and not any(issue.what.startswith("Data entries") for issue in issues):
        issues.append(Issue("no Data entries", wanted=f"{FLAGS} flags, 0 or 1"))
    return SddHeader(
        fields=listed,
        sdd_version=texts["SDD version"].text if "SDD version" in texts else "",
        source_type=read("Source type", _int, wanted="a whole number"),
        incident_particles=read("Incident particles", _ints, wanted="PDG codes"),
        mean_energies_mev=read("Mean particle energy", _floats, wanted="numbers in MeV"),
        particle_fractions=read("Particle fraction", _floats, wanted="numbers"),
        dose=read("Dose or fluence", _dose, wanted="0, 1 or 2, then numbers"),
        dose_rate=read("Dose rate", _float, wanted="a number"),
        volumes=read("Volumes", _volumes, wanted="2 x (a whole number, then 6 numbers)"),
        chromosome_sizes_mbp=None if chromosomes is None else chromosomes[1],
        declared_chromosomes=None if chromosomes is None else chromosomes[0],
        dna_density_mbp_um3=read("DNA density", _float, wanted="a number in Mbp/um^3"),
        damage_definition=read("Damage definition", _definition, wanted="0 or 1, 0 or 1, a distance, then numbers"),
        time=read("Time", _float, wanted="a number"),
        damage_count=counts[0] if counts else None,
        primary_count=counts[1] if len(counts) > 1 else None,
        data_entries=entries or (),
        issues=tuple(issues),
    )


def _where(field: HeaderField) -> str:
    return f"line {field.line}" if field.line else field.name


def _tokens(text: str) -> list[str]:
    return [token for token in re.split(r"[,\s/]+", text) if token]


def _float(text: str) -> float:
    (value,) = _floats(text)
    return value


def _floats(text: str) -> tuple[float, ...]:
    values = tuple(map(float, _tokens(text)))
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(text)
    return values


def _int(text: str) -> int:
    (value,) = _ints(text)
    return value


def _ints(text: str) -> tuple[int, ...]:
    values = _floats(text)
    return tuple(map(_whole, values))


def _whole(value: float) -> int:
    if value != int(value) or abs(value) > _LARGEST_WHOLE:
        raise ValueError(value)
    return int(value)


def _flags(text: str) -> tuple[bool, ...]:
    values = _ints(text)
    if len(values) != FLAGS or set(values) - {0, 1}:
        raise ValueError(text)
    return tuple(map(bool, values))


def _dose(text: str) -> DoseOrFluence:
    values = _floats(text)
    if values[0] not in (0, 1, 2) or len(values) > 3:
        raise ValueError(text)
    return DoseOrFluence(int(values[0]), *values[1:])


def _volumes(text: str) -> tuple[Volume, Volume]:
    values = _floats(text)
    if len(values) != 14 or values[0] not in (0, 1, 2) or values[7] not in (0, 1, 2):
        raise ValueError(text)
    bounding, nucleus = values[:7], values[7:]
    return _volume(bounding), _volume(nucleus)


def _volume(values: tuple[float, ...]) -> Volume:
    shape, x, y, z, a, b, c = values
    return Volume(int(shape), (x, y, z), (a, b, c))


def _chromosomes(text: str) -> tuple[int, tuple[float, ...]]:
    count, *sizes = _floats(text)
    return _whole(count), tuple(sizes)


def _definition(text: str) -> DamageDefinition:
    scored, unit, distance, *more = _floats(text)
    if scored not in (0, 1) or unit not in (0, 1):
        raise ValueError(text)
    base = more[0] if more else None
    return DamageDefinition(bool(scored), "bp" if unit == 0 else "nm", distance, base, tuple(more[1:]))
