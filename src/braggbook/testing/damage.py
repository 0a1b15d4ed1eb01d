"""DNA damage made by a seeded generator, as an SDD file: for tests, and for notebooks that say openly that it is made.

It is no track-structure simulation. Tracks cross an ellipsoidal nucleus in straight lines along z; their number is
Poisson with the mean that dose and LET ask for; each leaves a Poisson number of DSBs, in proportion to its chord, and
a share of them is complex. What such a file is good for: its yields and their scatter between exposures are known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from braggbook.errors import Issue, ScienceError
from braggbook.radiobiology.damage import mean_tracks
from braggbook.radiobiology.io.sdd import SddFile
from braggbook.radiobiology.io.sdd_header import make_header
from braggbook.radiobiology.io.sdd_write import with_counts

Floats = NDArray[np.float64]

# Haploid sizes of the human chromosomes 1 to 22, X and Y in Mbp, rounded (GRCh38); a male G1 nucleus has 46.
_AUTOSOMES = (
    249.0, 242.0, 198.0, 190.0, 182.0, 171.0, 159.0, 145.0, 138.0, 134.0, 135.0, 133.0, 114.0, 107.0, 102.0, 90.0,
    83.0, 80.0, 59.0, 64.0, 47.0, 51.0,
)  # fmt: skip
HUMAN_CHROMOSOMES_MBP = (*(size for size in _AUTOSOMES for _ in range(2)), 156.0, 57.0)
_BREAK_WINDOW_BP = 10


@dataclass(frozen=True)
class MadeDamage:
    """What the generator is asked for.

    Attributes:
        dsb_per_gy: Mean DSBs per Gy and cell, over all exposures, empty ones included.
        let_kev_um: LET of the tracks in keV/um.
        dose_gy: Dose of one exposure in Gy.
        exposures: Exposures made; those that no track crosses leave no line.
        complex_fraction: Share of the DSBs that have a third strand break.
        ssb_per_dsb: Mean single-strand breaks per DSB, as sites of their own.
        nucleus_radius_um: Radius of the spherical nucleus.
        particle: PDG code of the primaries.
        energy_mev: Mean energy per primary, for the header alone.
    """

    dsb_per_gy: float
    let_kev_um: float
    dose_gy: float = 1.0
    exposures: int = 50
    complex_fraction: float = 0.3
    ssb_per_dsb: float = 0.0
    nucleus_radius_um: float = 4.65
    particle: int = 2212
    energy_mev: float = 1.0

    def __post_init__(self) -> None:
        """Raises ScienceError, with every issue, when no damage can be made so."""
        above = ("dsb_per_gy", "let_kev_um", "dose_gy", "nucleus_radius_um", "energy_mev")
        issues = [
            Issue("not usable", where=name, wanted="above 0", got=repr(getattr(self, name)))
            for name in above
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0)
        ]
        if not 0.0 <= self.complex_fraction <= 1.0:
            issues.append(Issue("not a share", where="complex_fraction", got=repr(self.complex_fraction)))
        if not (math.isfinite(self.ssb_per_dsb) and self.ssb_per_dsb >= 0):
            issues.append(Issue("not usable", where="ssb_per_dsb", wanted="0 or more", got=repr(self.ssb_per_dsb)))
        if self.exposures < 1:
            issues.append(Issue("no exposures", wanted="1 or more", got=repr(self.exposures)))
        if issues:
            raise ScienceError("damage cannot be made", issues=issues)


def make_sdd(asked: MadeDamage, *, seed: int) -> SddFile:
    """Makes an SDD file whose header says that it was made, and how."""
    rng = np.random.default_rng(seed)
    sites = _sites(asked, rng)
    breaks = [_lesions(number, kind, rng) for number, kind in enumerate(sites["kind"].tolist())]
    lesions = pd.DataFrame(
        [row for rows in breaks for row in rows], columns=["damage", "strand", "base_pair", "kind"]
    ).astype(np.int64)
    sizes = np.array(HUMAN_CHROMOSOMES_MBP)
    chromosome = rng.choice(len(sizes), size=len(sites), p=sizes / sizes.sum()) + 1
    strand_breaks = np.array([len(rows) for rows in breaks], dtype=np.int64)
    damages = pd.DataFrame(
        {
            "line": np.zeros(len(sites), dtype=np.int64),
            "classification": sites["classification"],
            "event_id": sites["event_id"],
            **{name: sites[name].round(6) for name in ("x_um", "y_um", "z_um")},
            "dna_structure": np.ones(len(sites), dtype=np.int64),
            "chromosome": chromosome,
            "chromatid": np.ones(len(sites), dtype=np.int64),
            "arm": (rng.random(len(sites)) > 0.5).astype(np.int64),
            "chromosome_position": rng.random(len(sites)).round(12),
            "cause": np.zeros(len(sites), dtype=np.int64),
            "direct": strand_breaks,
            "indirect": np.zeros(len(sites), dtype=np.int64),
            "base_damages": np.zeros(len(sites), dtype=np.int64),
            "strand_breaks": strand_breaks,
            "dsb": (sites["kind"] > 0).astype(np.int64),
            "exposure": np.cumsum(sites["classification"] == 2) - 1,
            "primary": np.cumsum(sites["classification"] >= 1) - 1,
        }
    )
    empty = pd.DataFrame({"damage": np.empty(0, dtype=np.int64)})
    times = empty.assign(time_ns=np.empty(0))
    file = SddFile(make_header(_header(asked, seed)), damages, lesions, times, empty)
    return with_counts(file)


def _sites(asked: MadeDamage, rng: np.random.Generator) -> pd.DataFrame:
    """Returns a row per damage: exposure and primary by classification, position, kind (0 SSB, 1 DSB, 2 complex)."""
    radius = asked.nucleus_radius_um
    tracks = float(
        mean_tracks(dose_gy=asked.dose_gy, let_kev_um=asked.let_kev_um, nucleus_area_um2=math.pi * radius**2)
    )
    per_track = asked.dsb_per_gy * asked.dose_gy / tracks
    rows: list[tuple[float, ...]] = []
    for _ in range(asked.exposures):
        number = rng.poisson(tracks)
        place = radius * np.sqrt(rng.random(number))
        angle = 2.0 * math.pi * rng.random(number)
        half = np.sqrt(radius**2 - place**2)
        # The mean half chord is 2/3 of the radius: a track's DSBs go with the length of its path.
        dsb = rng.poisson(per_track * half / (radius * 2.0 / 3.0))
        ssb = rng.poisson(asked.ssb_per_dsb * per_track * half / (radius * 2.0 / 3.0))
        begun = False
        for track in np.flatnonzero(dsb + ssb > 0):
            kinds = np.concatenate(
                [1 + (rng.random(dsb[track]) < asked.complex_fraction), np.zeros(ssb[track], dtype=np.int64)]
            )
            x, y = place[track] * math.cos(angle[track]), place[track] * math.sin(angle[track])
            for index, kind in enumerate(kinds.tolist()):
                first = 0 if index else (1 if begun else 2)
                rows.append((first, float(track), x, y, half[track] * (2.0 * rng.random() - 1.0), float(kind)))
            begun = True
    table = pd.DataFrame(rows, columns=["classification", "event_id", "x_um", "y_um", "z_um", "kind"])
    whole = ("classification", "event_id", "kind")
    return table.astype({name: np.int64 if name in whole else np.float64 for name in table})


def _lesions(damage: int, kind: int, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """Returns the strand breaks of a site: one, or one on each strand, or a third beside them."""
    first = int(rng.integers(1, 5))
    if kind == 0:
        return [(damage, 1 if rng.random() < 0.5 else 4, first, 1)]
    other = first + int(rng.integers(0, _BREAK_WINDOW_BP - 5))
    breaks = [(damage, 1, first, 1), (damage, 4, other, 1)]
    if kind == 2:
        breaks.append((damage, 4, other + 1, 1))
    return breaks


def _header(asked: MadeDamage, seed: int) -> dict[str, str]:
    radius = asked.nucleus_radius_um
    sizes = ", ".join(f"{size:g}" for size in HUMAN_CHROMOSOMES_MBP)
    density = sum(HUMAN_CHROMOSOMES_MBP) / (4.0 / 3.0 * math.pi * radius**3)
    return {
        "SDD version": "SDDv1.0",
        "Software": "braggbook.testing.damage, a seeded generator, no simulation",
        "Author": "Braggbook contributors",
        "Simulation details": f"made with seed {seed}: {asked.dsb_per_gy:g} DSB per Gy and cell, "
        f"LET {asked.let_kev_um:g} keV/um, {asked.exposures} exposures",
        "Source": "parallel tracks along z",
        "Source type": "1",
        "Incident particles": str(asked.particle),
        "Mean particle energy": f"{asked.energy_mev:g}",
        "Energy distribution": "M, 0",
        "Particle fraction": "1.0",
        "Dose or fluence": f"1, {asked.dose_gy!r}",
        "Dose rate": "0.0",
        "Irradiation target": f"spherical nucleus, radius {radius:g} um",
        "Volumes": f"0, {radius:g}, {radius:g}, {radius:g}, 0, 0, 0, 1, {radius:g}, {radius:g}, {radius:g}, 0, 0, 0",
        "Chromosome sizes": f"{len(HUMAN_CHROMOSOMES_MBP)}, {sizes}",
        "DNA density": f"{density:.6g}",
        "Cell cycle phase": "0",
        "DNA structure": "0, 1",
        "In vitro / in vivo": "0",
        "Proliferation status": "1",
        "Microenvironment": "20, 0.01",
        "Damage definition": "0, 0, 10, -1, 17.5",
        "Time": "0",
        "Damage and primary count": "0, 0",
        "Data entries": "1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0",
        "Additional information": "",
    }
