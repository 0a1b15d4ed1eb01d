"""Finds where an SDD file contradicts SDD 1.0 or itself, without holding it in memory.

Every finding names all lines that it is true of. ``level`` is "error" for what makes numbers wrong, "warning" for
what a reader should look at. Two things look wrong and are not: a header may declare more primaries than the body
has, because one without damage leaves no line; and a file may count chromosomes from 0 or from 1, but not both.

Which rows of the break specification are strands? SDD 1.0's own examples count rows 1 and 4 as backbones; TOPAS-nBio
writes backbones in rows 2 and 3. :attr:`SddReport.backbone_strands` says which of the two agrees with the numbers
of strand breaks in the damage types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import Issue
from braggbook.radiobiology.io.sdd import SddFile, Source, scan_sdd_leniently
from braggbook.radiobiology.io.sdd_body import TITLES
from braggbook.radiobiology.io.sdd_check_header import header_findings
from braggbook.radiobiology.io.sdd_findings import Level, SddFinding, finding_of
from braggbook.radiobiology.io.sdd_header import SddHeader, Volume

Bools = NDArray[np.bool_]

_BACKBONES = ((1, 4), (2, 3))
# Positions are printed with few digits: a damage on the nucleus's surface may lie outside it by a rounding.
_SLACK_UM = 1e-3
_SLACK_FRACTIONS = 1e-3


@dataclass(frozen=True)
class SddReport:
    """What a check of a file found.

    Attributes:
        findings: All findings, those of the header first.
        damages: Damages in the body that could be read.
        exposures: Exposures with at least one damage.
        primaries: Primaries with at least one damage.
        dsb: Damages that are marked as double-strand breaks.
        strand_breaks: Sum of the strand breaks in the damage types.
        base_damages: Sum of the base damages in the damage types.
        backbone_strands: The rows of the break specification whose lesions agree with ``strand_breaks`` in more
            damages; None without both fields, or when neither is better.
    """

    findings: tuple[SddFinding, ...]
    damages: int
    exposures: int
    primaries: int
    dsb: int
    strand_breaks: int
    base_damages: int
    backbone_strands: tuple[int, int] | None

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings may be there."""
        return all(finding.level != "error" for finding in self.findings)

    def __iter__(self) -> Iterator[SddFinding]:
        """Yields the findings."""
        return iter(self.findings)


@dataclass
class _Tally:
    """What is known of the body after the parts so far; findings by what they say."""

    header: SddHeader
    found: dict[tuple[str, str, str], tuple[list[NDArray[np.int64]], str]] = field(default_factory=dict)
    damages: int = 0
    exposures: int = 0
    primaries: int = 0
    dsb: int = 0
    strand_breaks: int = 0
    base_damages: int = 0
    chromosome_low: int | None = None
    chromosome_high: int | None = None
    fractions: int = 0
    base_pairs: int = 0
    indirect: int = 0
    last: pd.Series | None = None
    agreeing: dict[tuple[int, int], int] = field(default_factory=lambda: dict.fromkeys(_BACKBONES, 0))
    compared: int = 0

    def add(self, level: Level, what: str, bad: Bools, *, table: pd.DataFrame, wanted: str = "", got: str = "") -> None:
        """Adds the lines of a part's damages where ``bad`` holds; ``got`` is a column or a text."""
        if not bad.any():
            return
        lines = table["line"].to_numpy()[bad]
        value = str(table[got].to_numpy()[bad][0]) if got in table else got
        self.found.setdefault((level, what, wanted), ([], value))[0].append(lines)

    def findings(self) -> list[SddFinding]:
        return [
            SddFinding(level, what, tuple(map(int, np.concatenate(lines))), wanted, got)  # type: ignore[arg-type]
            for (level, what, wanted), (lines, got) in self.found.items()
        ]


def check_sdd(source: Source) -> SddReport:
    """Checks a file against SDD 1.0 and against itself.

    Raises:
        ScienceError: The file cannot be opened or has no end of header.
    """
    tally: _Tally | None = None
    unreadable: list[Issue] = []
    for part, issues in scan_sdd_leniently(source):
        tally = tally or _Tally(part.header)
        unreadable += issues
        _check_part(part, tally)
    if tally is None:  # the scan always gives one part
        raise AssertionError(source)
    findings = [*header_findings(tally.header), *_count_findings(tally)]
    findings += [finding_of(issue) for issue in unreadable]
    findings += [*tally.findings(), *_late_findings(tally)]
    return SddReport(
        tuple(findings), tally.damages, tally.exposures, tally.primaries, tally.dsb, tally.strand_breaks,
        tally.base_damages, _backbones(tally),
    )  # fmt: skip


def _count_findings(tally: _Tally) -> Iterator[SddFinding]:
    header = tally.header
    if not header.data_entries:  # the body cannot be read, and contradicts nothing
        return
    line = header.line_of("Damage and primary count")
    lines = (line,) if line else ()
    if header.damage_count is not None and header.damage_count != tally.damages:
        wanted = f"{tally.damages} damages, as the body has"
        yield SddFinding("error", "the damage count contradicts the body", lines, wanted, str(header.damage_count))
    count = header.primary_count
    if count is not None and count < tally.primaries:
        wanted = f"at least {tally.primaries} primaries, which left damage in the body ({tally.exposures} exposures)"
        yield SddFinding("error", "the primary count contradicts the body", lines, wanted, str(count))
    elif count is not None and count == tally.damages != tally.primaries:
        got = f"{count}, with {tally.primaries} primaries in the body"
        yield SddFinding("warning", "the primary count repeats the damage count", lines, "primaries", got)


def _check_part(part: SddFile, tally: _Tally) -> None:
    table = part.damages
    if table.empty:
        return
    tally.damages += len(table)
    if "classification" in table:
        _check_classification(table, tally)
    if "x_um" in table:
        _check_positions(table, tally)
    if "chromosome" in table:
        _check_chromosomes(table, tally)
    if "chromosome_position" in table:
        _check_chromosome_positions(table, tally)
    if "direct" in table:
        _check_causes(table, tally)
    if "dsb" in table:
        _check_types(table, tally)
    if len(part.lesions):
        _check_lesions(part, tally)
    _check_particles(part, tally)
    tally.last = table.iloc[-1]


def _check_classification(table: pd.DataFrame, tally: _Tally) -> None:
    kind = table["classification"].to_numpy()
    if tally.last is None:
        first = np.zeros(len(table), dtype=np.bool_)
        first[0] = kind[0] != 2
        what = "the first damage does not begin an exposure"
        tally.add("warning", what, first, table=table, wanted="classification 2", got="classification")
    unknown = (kind < 0) | (kind > 2)
    tally.add("error", "not a classification", unknown, table=table, wanted="0, 1 or 2", got="classification")
    tally.exposures = int(table["exposure"].iloc[-1]) + 1
    tally.primaries = int(table["primary"].iloc[-1]) + 1
    if "event_id" not in table:
        return
    event = table["event_id"].to_numpy()
    before = np.concatenate([[event[0] if tally.last is None else int(tally.last["event_id"])], event[:-1]])
    inner = np.ones(len(event), dtype=np.bool_)
    inner[0] = tally.last is not None
    changed = inner & (kind == 0) & (event != before)
    what = "another event without a new primary"
    tally.add("error", what, changed, table=table, wanted="classification 1 where the event changes", got="event_id")
    same = inner & (kind == 1) & (event == before)
    tally.add("warning", "a new primary of the same event", same, table=table, got="event_id")


def _check_positions(table: pd.DataFrame, tally: _Tally) -> None:
    points = table[["x_um", "y_um", "z_um"]].to_numpy()
    if tally.header.volumes is not None:
        bounding, nucleus = tally.header.volumes
        outside = ~_inside(points, nucleus)
        far = ~_inside(points, bounding)
        wanted = f"within {nucleus.extents_um} um"
        got = "" if not outside.any() else f"{tuple(map(float, points[outside][0]))} um"
        tally.add("error", "a damage lies outside the nucleus", outside, table=table, wanted=wanted, got=got)
        got = "" if not far.any() else f"{tuple(map(float, points[far][0]))} um"
        tally.add("error", "a damage lies outside the bounding volume", far, table=table, got=got)
    if "x_max_um" in table:
        highest = table[["x_max_um", "y_max_um", "z_max_um"]].to_numpy()
        lowest = table[["x_min_um", "y_min_um", "z_min_um"]].to_numpy()
        bad = np.any((lowest > highest) | (points > highest + _SLACK_UM) | (points < lowest - _SLACK_UM), axis=1)
        what = "the extent of a damage does not hold its centre"
        tally.add("error", what, bad, table=table, wanted="centre, greatest, least coordinates")


def _inside(points: NDArray[np.float64], volume: Volume) -> Bools:
    x, y, z = points.T
    a, b, c = (extent + _SLACK_UM for extent in volume.extents_um)
    if volume.shape == 0 and min(volume.further) < 0:  # two corners
        low = np.asarray(volume.further) - _SLACK_UM
        return np.asarray((points >= low).all(axis=1) & (points <= [a, b, c]).all(axis=1))
    if any(volume.further):  # tilted: a sphere that holds it whatever the tilt
        radius = np.sqrt(a * a + b * b + c * c) if volume.shape != 1 else max(a, b, c)
        return np.asarray(x * x + y * y + z * z <= radius * radius)
    if volume.shape == 1:
        return np.asarray((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 <= 1.0)
    if volume.shape == 2:
        return np.asarray(((x / a) ** 2 + (y / b) ** 2 <= 1.0) & (np.abs(z) <= c))
    return np.asarray((np.abs(x) <= a) & (np.abs(y) <= b) & (np.abs(z) <= c))


def _check_chromosomes(table: pd.DataFrame, tally: _Tally) -> None:
    number = table["chromosome"].to_numpy()
    low, high = int(number.min()), int(number.max())
    tally.chromosome_low = low if tally.chromosome_low is None else min(low, tally.chromosome_low)
    tally.chromosome_high = high if tally.chromosome_high is None else max(high, tally.chromosome_high)
    structure = table["dna_structure"].to_numpy()
    sizes = tally.header.chromosome_sizes_mbp
    if sizes:
        nuclear = structure < 3  # free fragments and mitochondria belong to no chromosome
        bad = nuclear & ((number < 0) | (number > len(sizes)))
        wanted = f"0 to {len(sizes)}, as Chromosome sizes has {len(sizes)}"
        tally.add("error", "no such chromosome", bad, table=table, wanted=wanted, got="chromosome")
    for name, values in (("dna_structure", range(5)), ("chromatid", range(3)), ("arm", range(2))):
        bad = ~np.isin(table[name].to_numpy(), list(values))
        tally.add("warning", f"not a {name}", bad, table=table, wanted=f"0 to {values[-1]}", got=name)


def _check_chromosome_positions(table: pd.DataFrame, tally: _Tally) -> None:
    place = table["chromosome_position"].to_numpy()
    tally.fractions += int(((place > 0) & (place < 1)).sum())
    tally.base_pairs += int((place > 1).sum())
    what = "a chromosome position is negative"
    tally.add("error", what, place < 0, table=table, wanted="0 or more", got="chromosome_position")
    sizes = tally.header.chromosome_sizes_mbp
    if sizes and "chromosome" in table:
        longest = max(sizes) * 1e6
        size = np.array([longest, *(s * 1e6 for s in sizes)])  # counted from 0, one of these is its neighbour
        index = np.clip(table["chromosome"].to_numpy(), 0, len(sizes))
        limit = np.maximum(size[index], size[np.minimum(index + 1, len(sizes))])
        what = "a chromosome position lies beyond the chromosome"
        tally.add("error", what, place > limit, table=table, wanted="base pairs", got="chromosome_position")


def _check_causes(table: pd.DataFrame, tally: _Tally) -> None:
    cause, direct, indirect = (table[name].to_numpy() for name in ("cause", "direct", "indirect"))
    tally.indirect += int(indirect[indirect > 0].sum())
    bad = (direct < 0) | (indirect < 0)
    tally.add("error", "a number of damages is negative", bad, table=table, wanted="0 or more")
    unknown = (cause < 0) | (cause > 3)
    tally.add("warning", "not a cause", unknown, table=table, wanted="0 to 3", got="cause")
    bad = ((cause == 0) & (indirect > 0)) | ((cause == 1) & (direct > 0) & (indirect == 0))
    what = "the cause contradicts its counts"
    tally.add("warning", what, bad, table=table, wanted="0 direct, 1 indirect, 2 both", got="cause")


def _check_types(table: pd.DataFrame, tally: _Tally) -> None:
    base, strand, dsb = (table[name].to_numpy() for name in ("base_damages", "strand_breaks", "dsb"))
    tally.dsb += int((dsb > 0).sum())
    tally.strand_breaks += int(strand.sum())
    tally.base_damages += int(base.sum())
    tally.add("error", "a number of damages is negative", (base < 0) | (strand < 0), table=table, wanted="0 or more")
    tally.add("warning", "the DSB flag is neither 0 nor 1", (dsb < 0) | (dsb > 1), table=table, got="dsb")
    what = "a DSB of fewer than two strand breaks"
    tally.add("error", what, (dsb > 0) & (strand < 2), table=table, wanted="2 or more", got="strand_breaks")
    tally.add("warning", "a damage of nothing", (base == 0) & (strand == 0) & (dsb <= 0), table=table)


def _check_lesions(part: SddFile, tally: _Tally) -> None:
    table, lesions = part.damages, part.lesions
    first = int(table.index[0])
    owner = lesions["damage"].to_numpy() - first
    for name, low, high in (("strand", 1, 4), ("kind", 0, 3)):
        bad = np.zeros(len(table), dtype=np.bool_)
        values = lesions[name].to_numpy()
        wrong = (values < low) | (values > high)
        bad[owner[wrong]] = True
        got = str(values[wrong][0]) if wrong.any() else ""
        tally.add("error", f"not a {name} of a lesion", bad, table=table, wanted=f"{low} to {high}", got=got)
    if "strand_breaks" not in table:
        return
    tally.compared += len(table)
    real = lesions["kind"].to_numpy() > 0
    counts = np.zeros((5, len(table)), dtype=np.int64)
    strand = np.clip(lesions["strand"].to_numpy(), 0, 4)
    np.add.at(counts, (strand[real], owner[real]), 1)
    declared = table["strand_breaks"].to_numpy()
    for pair in _BACKBONES:
        tally.agreeing[pair] += int((counts[list(pair)].sum(axis=0) == declared).sum())
    chosen = _backbones(tally)
    if chosen is None:
        return
    differs = counts[list(chosen)].sum(axis=0) != declared
    what = "the strand breaks contradict the break specification"
    wanted = f"as many as lesions in strands {chosen[0]} and {chosen[1]}"
    tally.add("error", what, differs, table=table, wanted=wanted, got="strand_breaks")
    bases = [row for row in range(1, 5) if row not in chosen]
    differs = counts[bases].sum(axis=0) != table["base_damages"].to_numpy()
    what = "the base damages contradict the break specification"
    tally.add("warning", what, differs, table=table, wanted=f"lesions in {bases[0]} and {bases[1]}", got="base_damages")
    _check_dsb(part, tally, backbones=chosen)


def _check_dsb(part: SddFile, tally: _Tally, *, backbones: tuple[int, int]) -> None:
    """Compares the DSB flag with the separation of breaks on opposite strands."""
    definition = tally.header.damage_definition
    if definition is None or definition.unit != "bp" or definition.dsb_distance <= 0:
        return
    table, lesions = part.damages, part.lesions
    real = lesions[(lesions["kind"] > 0) & lesions["strand"].isin(backbones)]
    ordered = real.assign(owner=real["damage"] - int(table.index[0])).sort_values(["owner", "base_pair"], kind="stable")
    near = np.zeros(len(table), dtype=np.bool_)
    owner, strand, place = (ordered[name].to_numpy() for name in ("owner", "strand", "base_pair"))
    # The nearest break on the other strand is a neighbour in order of place, or beyond breaks of one's own strand.
    latest = [np.full(len(table), -np.inf), np.full(len(table), -np.inf)]
    side = (strand == backbones[1]).astype(np.int64)
    for index in range(len(owner)):
        damage = owner[index]
        near[damage] |= place[index] - latest[1 - side[index]][damage] <= definition.dsb_distance
        latest[side[index]][damage] = place[index]
    flagged = table["dsb"].to_numpy() > 0
    wanted = f"breaks on both strands within {definition.dsb_distance:g} bp"
    tally.add("error", "a DSB without its two breaks", flagged & ~near, table=table, wanted=wanted)
    what = "breaks on both strands within the DSB distance that are not called a DSB"
    tally.add("warning", what, near & ~flagged, table=table, wanted=f"a DSB within {definition.dsb_distance:g} bp")


def _check_particles(part: SddFile, tally: _Tally) -> None:
    table = part.damages
    for rows, name, wanted in (
        (part.particles, "energy_mev", "0 MeV or more"),
        (part.particles, "time_ns", "0 ns or more"),
        (part.lesion_times, "time_ns", "0 ns or more"),
    ):
        if name in rows and len(rows):
            values = rows[name].to_numpy()
            bad = np.zeros(len(table), dtype=np.bool_)
            bad[rows["damage"].to_numpy()[values < 0] - int(table.index[0])] = True
            title = TITLES[11] if name == "energy_mev" else "times"
            got = f"{values[values < 0][0]:g}" if bad.any() else ""
            tally.add("error", f"negative {title}", bad, table=table, wanted=wanted, got=got)
    if "direction_x" in part.particles and len(part.particles):
        norm = np.linalg.norm(part.particles[["direction_x", "direction_y", "direction_z"]].to_numpy(), axis=1)
        bad = np.zeros(len(table), dtype=np.bool_)
        wrong = np.abs(norm - 1.0) > _SLACK_FRACTIONS
        bad[part.particles["damage"].to_numpy()[wrong] - int(table.index[0])] = True
        got = f"length {norm[wrong][0]:g}" if wrong.any() else ""
        tally.add("warning", "a particle's direction is not a unit vector", bad, table=table, got=got)


def _late_findings(tally: _Tally) -> Iterator[SddFinding]:
    """Findings that only the whole body tells."""
    header, sizes = tally.header, tally.header.chromosome_sizes_mbp
    if sizes and tally.chromosome_low == 0 and tally.chromosome_high == len(sizes):
        got = f"0 and {len(sizes)}"
        yield SddFinding("error", "chromosomes are counted both from 0 and from 1", (), f"{len(sizes)} numbers", got)
    if tally.fractions and tally.base_pairs:
        got = f"{tally.fractions} below 1, {tally.base_pairs} above"
        yield SddFinding("error", "chromosome positions are both fractions and base pairs", (), "one of them", got)
    definition = header.damage_definition
    if definition is not None and not definition.indirect and tally.indirect:
        line = (header.line_of("Damage definition"),)
        what = "indirect damage in a file that scored direct damage only"
        yield SddFinding("warning", what, line, "Damage definition that begins with 1", f"{tally.indirect} indirect")
    if _backbones(tally) == (2, 3):
        yield SddFinding(
            "warning",
            "the break specification has its backbones in strands 2 and 3",
            (),
            "strands 1 and 4, as in the examples of SDD 1.0",
            "2 and 3, as TOPAS-nBio writes",
        )


def _backbones(tally: _Tally) -> tuple[int, int] | None:
    first, second = (tally.agreeing[pair] for pair in _BACKBONES)
    if first == second:
        return None
    return _BACKBONES[0] if first > second else _BACKBONES[1]
