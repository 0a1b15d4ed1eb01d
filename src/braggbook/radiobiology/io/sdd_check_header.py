"""What is wrong with the header of an SDD file, apart from what the body says of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from braggbook.errors import closest
from braggbook.radiobiology.io.sdd_findings import Level, SddFinding, finding_of
from braggbook.radiobiology.io.sdd_header import FIELDS, FLAGS, SddHeader

# Positions and extents are printed with few digits.
_SLACK_UM = 1e-3
_SLACK_FRACTIONS = 1e-3
# DNA density times the nucleus's volume against the sum of the chromosomes, whose sizes are often rounded.
_SLACK_DENSITY = 0.02
_ELLIPSOID = 1


def header_findings(header: SddHeader) -> Iterator[SddFinding]:
    """Yields everything that is wrong with a header."""
    yield from _name_findings(header)
    yield from (finding_of(issue) for issue in header.issues)
    if header.sdd_version.replace(" ", "").lower() not in ("sddv1.0", "1.0", "v1.0"):
        wanted, got = "SDDv1.0, which is what this check knows", repr(header.sdd_version)
        yield _at(header, "SDD version", "warning", "another version", wanted=wanted, got=got)
    yield from _beam_findings(header)
    yield from _volume_findings(header)
    yield from _dna_findings(header)
    yield from _definition_findings(header)
    yield from _entry_findings(header)


def _at(header: SddHeader, name: str, level: Level, what: str, *, wanted: str = "", got: object = "") -> SddFinding:
    line = header.line_of(name)
    return SddFinding(level, what, (line,) if line else (), wanted, str(got))


def _name_findings(header: SddHeader) -> Iterator[SddFinding]:
    names = [item.name for item in header.fields]
    for item in header.fields:
        if item.name not in FIELDS:
            near = closest(item.name, FIELDS)
            yield SddFinding("warning", "not a header field of SDD 1.0", (item.line,), near, repr(item.name))
    missing = [name for name in FIELDS if name not in names]
    if missing:
        yield SddFinding("warning", "header fields are missing", wanted="26 fields", got=f"no {', '.join(missing)}")
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        lines = tuple(item.line for item in header.fields if item.name == name)
        yield SddFinding("error", f"{name} is there {len(lines)} times", lines)
    known = [item for item in header.fields if item.name in FIELDS]
    late = [b.line for a, b in itertools.pairwise(known) if FIELDS.index(b.name) < FIELDS.index(a.name)]
    if late:
        yield SddFinding("warning", "header fields are not in the order of SDD 1.0", tuple(late))


def _beam_findings(header: SddHeader) -> Iterator[SddFinding]:
    particles, fractions, dose = header.incident_particles, header.particle_fractions, header.dose
    for name, values in (("Mean particle energy", header.mean_energies_mev), ("Particle fraction", fractions)):
        if values is not None and min(values) < 0:
            yield _at(header, name, "error", f"{name} is negative", wanted="0 or more", got=min(values))
        if values is not None and particles is not None and len(values) != len(particles):
            wanted = f"{len(particles)} numbers, one per incident particle"
            yield _at(header, name, "warning", f"{name} does not match the particles", wanted=wanted, got=len(values))
    if fractions is not None and abs(sum(fractions) - 1.0) > _SLACK_FRACTIONS:
        what = "particle fractions do not add up to 1"
        yield _at(header, "Particle fraction", "warning", what, got=f"{sum(fractions):g}")
    if dose is not None and dose.kind > 0 and (dose.value is None or dose.value <= 0):
        yield _at(header, "Dose or fluence", "error", "no dose or fluence above 0", got=dose.value)
    if header.dose_rate is not None and header.dose_rate < 0:
        yield _at(header, "Dose rate", "error", "the dose rate is negative", got=header.dose_rate)


def _volume_findings(header: SddHeader) -> Iterator[SddFinding]:
    if header.volumes is None:
        return
    bounding, nucleus = header.volumes
    if min(nucleus.extents_um) <= 0 or min(bounding.extents_um) <= 0:
        empty = bounding if min(bounding.extents_um) <= 0 else nucleus
        yield _at(header, "Volumes", "error", "a volume has no extent", wanted="above 0 um", got=empty.extents_um)
    elif any(inner > outer + _SLACK_UM for inner, outer in zip(nucleus.extents_um, bounding.extents_um, strict=True)):
        what = "the nucleus is larger than its bounding volume"
        yield _at(header, "Volumes", "warning", what, wanted=str(bounding.extents_um), got=nucleus.extents_um)


def _dna_findings(header: SddHeader) -> Iterator[SddFinding]:
    sizes, density, nucleus = header.chromosome_sizes_mbp, header.dna_density_mbp_um3, header.nucleus
    if not sizes:
        return
    if header.declared_chromosomes != len(sizes):
        wanted = f"{header.declared_chromosomes} sizes, as the line declares"
        what = "another number of chromosome sizes"
        yield _at(header, "Chromosome sizes", "error", what, wanted=wanted, got=len(sizes))
    if min(sizes) <= 0:
        what = "a chromosome has no size"
        yield _at(header, "Chromosome sizes", "error", what, wanted="above 0 Mbp", got=min(sizes))
    elif density is not None and density > 0 and nucleus is not None and nucleus.shape == _ELLIPSOID:
        volume = 4.0 / 3.0 * math.pi * math.prod(nucleus.extents_um)
        if volume > 0 and abs(density * volume / sum(sizes) - 1.0) > _SLACK_DENSITY:
            wanted = f"{sum(sizes) / volume:.4g} Mbp/um^3, from the chromosomes and the nucleus"
            what = "the DNA density does not fit the chromosomes"
            yield _at(header, "DNA density", "warning", what, wanted=wanted, got=f"{density:.4g}")


def _definition_findings(header: SddHeader) -> Iterator[SddFinding]:
    definition, name = header.damage_definition, "Damage definition"
    if definition is None:
        return
    if definition.dsb_distance <= 0:
        got = f"{definition.dsb_distance:g} {definition.unit}"
        yield _at(header, name, "error", "no distance makes a DSB", wanted="a distance above 0", got=got)
    energies = definition.energies_ev
    if any(energy < 0 for energy in energies):
        yield _at(header, name, "error", "a threshold energy is negative", got=f"{min(energies):g} eV")
    if len(energies) > 1 and 0 < energies[1] < energies[0]:
        got = f"{energies[0]:g}, {energies[1]:g} eV"
        yield _at(header, name, "error", "the upper energy is below the lower one", got=got)


def _entry_findings(header: SddHeader) -> Iterator[SddFinding]:
    entries = header.data_entries
    if len(entries) != FLAGS:
        return
    for there, what in (
        (entries[0], "Data entries leave out field 1 (classification)"),
        (entries[1] or (entries[2] and entries[3]), "Data entries have neither field 2 (position) nor fields 3 and 4"),
        (entries[5] or entries[6], "Data entries have neither field 6 (damage types) nor field 7 (breaks)"),
    ):
        if not there:
            yield _at(header, "Data entries", "error", what)
