"""Draws cases of the challenge: ``python challenges/dicentric_dose/make_cases.py [--seed SECRET] [--cases 60] OUT``.

Writes ``OUT/inputs`` and ``OUT/truth``, two datasets with their cards. The same seed gives the same bytes.

The cases are as secret as the seed. It should be 128 random bits, as ``secrets.token_hex(16)`` gives them, and this
program draws such a one itself where none is given; whoever can guess a seed can check the guess with the inputs. Every
random number comes from SHAKE-256, keyed with the SHA-256 of the seed, and not from a generator whose state its output
tells: neither names nor counts say anything about the doses but what their distributions do.

How cases are drawn is said in docs/challenges/dicentric_dose.md; this is the code of it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from braggbook.datasets.catalogue import find_dataset
from braggbook.datasets.tables import open_table
from braggbook.errors import BraggbookError, InputError
from braggbook.files import sha256_bytes, storage, write_bytes
from braggbook.formats.common import Author
from braggbook.formats.dataset import CARD_NAME, Column, DatasetCard, DatasetFile, Source, write_card
from braggbook.radiobiology.biodosimetry import CalibrationFit, fit_calibration
from braggbook.radiobiology.biodosimetry.partial_body import SURVIVAL_DOSE

Floats = NDArray[np.float64]

PROJECT = Path(__file__).resolve().parents[2]
CELLS: tuple[int, ...] = (
    50,
    100,
    200,
    500,
    1000,
)  # from triage to a full analysis; chosen before scoring, each as often
CELLS_OF_PART = CELLS[2:]  # 50 or 100 cells hold too few irradiated ones to tell a part from the whole
UNEXPOSED, WHOLE = 0.20, 0.65  # shares of the cases; the rest was exposed in part
WHOLE_GY = ((0.1, 1.0), (1.0, 2.0), (2.0, 5.0))  # each as often, doses uniform within
PART_GY = (3.0, 5.0)
PART_FRACTION = (0.3, 0.8)  # of the lymphocytes
MOST_PER_CELL = 10  # more, about four cells in a million at 5 Gy, count as ten
_DIGITS = 2  # of a dose in Gy and of a fraction: the true ones are exactly what is written
_NAME_DIGITS = 8
_LICENSE = "CC-BY-4.0"
_AUTHORS = (Author(name="Braggbook contributors"),)
_HOW = (
    "Drawn by challenges/dicentric_dose/make_cases.py: one yield curve from the covariance of the calibration's fit "
    "for all cases, and Poisson counts around it in every cell."
)
_CALIBRATION = Source(
    id="barquinero1995",
    citation="Barquinero 1995, worked example of IAEA, EPR-Biodosimetry 2011, as distributed with biodosetools; series "
    "dicentrics_co60 of the dataset aberration_counts@1",
    url="https://github.com/biodosetools-team/biodosetools",
)


@dataclass(frozen=True)
class Case:
    """A person: the dose, and the cells that were scored.

    Attributes:
        name: Random, so that it tells nothing.
        dose_gy: Absorbed dose of the irradiated part of the body.
        exposure: "none", "whole body" or "part of the body".
        fraction: Share of the lymphocytes that was irradiated.
        counts: Cells with 0, 1, 2 ... dicentrics.
    """

    name: str
    dose_gy: float
    exposure: str
    fraction: float
    counts: tuple[int, ...]


def uniforms(seed: str, what: str, *, size: int = 1) -> Floats:
    """Returns numbers between 0 and 1, both excluded, shape (size,): always the same for a seed and a purpose."""
    key = hashlib.sha256(seed.encode()).digest()
    words = np.frombuffer(hashlib.shake_256(key + what.encode()).digest(8 * size), dtype="<u8")
    return (np.asarray(words >> 11, dtype=np.float64) + 0.5) * 2.0**-53


@cache
def calibration() -> CalibrationFit:
    """Returns the fit of the published 60Co calibration."""
    dataset = find_dataset("aberration_counts@1", project=PROJECT)
    file = dataset.file("calibration.csv")
    table = open_table(dataset.folder / file.path, file, dataset=dataset.reference)
    return fit_calibration(table[table["series"] == "dicentrics_co60"])


def true_curve(fit: CalibrationFit, seed: str) -> Floats:
    """Returns (C, alpha, beta), shape (3,), drawn from the normal distribution of the fit where none is negative."""
    spread = np.linalg.cholesky(fit.covariance)
    for attempt in range(1000):
        drawn = fit.coefficients + spread @ stats.norm.ppf(uniforms(seed, f"curve {attempt}", size=3))
        if np.all(drawn >= 0):
            return np.asarray(drawn)
    raise InputError("no curve can be drawn", where="aberration_counts@1", wanted="coefficients above 0")


def draw_cases(seed: str, cases: int) -> list[Case]:
    """Returns the cases of a seed, in the order of their names, which is none."""
    curve = true_curve(calibration(), seed)
    drawn = [_draw_case(seed, number, curve) for number in range(cases)]
    return sorted(drawn, key=lambda case: case.name)


def _draw_case(seed: str, number: int, curve: Floats) -> Case:
    name = "p" + hashlib.sha256(f"{sha256_bytes(seed.encode())} name {number}".encode()).hexdigest()[:_NAME_DIGITS]
    kind, band, place, share, size = uniforms(seed, f"case {number}", size=5)
    if kind < UNEXPOSED:
        exposure, dose, fraction, sizes = "none", 0.0, 0.0, CELLS
    elif kind < UNEXPOSED + WHOLE:
        low, high = WHOLE_GY[int(band * len(WHOLE_GY))]
        exposure, dose, fraction, sizes = "whole body", low + place * (high - low), 1.0, CELLS
    else:
        dose = PART_GY[0] + place * (PART_GY[1] - PART_GY[0])
        fraction = PART_FRACTION[0] + share * (PART_FRACTION[1] - PART_FRACTION[0])
        exposure, sizes = "part of the body", CELLS_OF_PART
    dose, fraction, cells = round(dose, _DIGITS), round(fraction, _DIGITS), sizes[int(size * len(sizes))]
    counts = _count(dose, fraction, curve, uniforms=uniforms(seed, f"cells {number}", size=2 * cells))
    return Case(name, dose, exposure, fraction, counts)


def _count(dose_gy: float, fraction: float, curve: Floats, *, uniforms: Floats) -> tuple[int, ...]:
    """Returns the cells with 0, 1, 2 ... dicentrics of a person; two uniforms for each cell."""
    survival = np.exp(-dose_gy / SURVIVAL_DOSE.value)  # of an irradiated lymphocyte, up to the metaphase
    scored = fraction * survival / (1.0 - fraction + fraction * survival)
    which, how_many = uniforms.reshape(2, -1)
    irradiated = float(np.dot(curve, (1.0, dose_gy, dose_gy**2)))
    dicentrics = stats.poisson.ppf(how_many, np.where(which < scored, irradiated, curve[0]))
    found = np.bincount(np.minimum(dicentrics, MOST_PER_CELL).astype(int), minlength=MOST_PER_CELL + 1)
    return tuple(int(number) for number in found)


def inputs_of(cases: Sequence[Case]) -> tuple[DatasetCard, bytes]:
    """Returns what a participant may see: the card, and cases.csv."""
    table = pd.DataFrame({"case": [case.name for case in cases]})
    counts = np.array([case.counts for case in cases])
    classes = np.arange(counts.shape[1])
    table["cells"], table["aberrations"] = counts.sum(axis=1), counts @ classes
    for number in classes:
        table[f"c{number}"] = counts[:, number]
    columns = {
        "case": Column(type="text", meaning="name of the case, which is random"),
        "cells": Column(type="integer", unit="1", meaning="cells scored", minimum=1),
        "aberrations": Column(type="integer", unit="1", meaning="dicentrics found in them", minimum=0),
    }
    for number in classes:
        more = " or more" if number == MOST_PER_CELL else ""
        meaning = f"cells with {number}{more} dicentrics"
        columns[f"c{number}"] = Column(type="integer", unit="1", meaning=meaning, minimum=0)
    return _card(
        "Dicentrics of persons whose dose is to be estimated", "cases.csv", table, columns,
        abstract="Cells with 0, 1, 2 ... dicentrics of persons who got no dose, or an acute dose of 60Co gamma rays to "
        "the whole body or to a part of it.",
        provenance=_HOW,
    )  # fmt: skip


def truth_of(cases: Sequence[Case]) -> tuple[DatasetCard, bytes]:
    """Returns what is asked for: the card, and truth.csv."""
    table = pd.DataFrame(
        {
            "case": [case.name for case in cases],
            "dose_gy": [case.dose_gy for case in cases],
            "exposure": [case.exposure for case in cases],
            "irradiated_fraction": [case.fraction for case in cases],
        }
    )
    dose = "absorbed dose of the irradiated part of the body; 0 without an exposure"
    share = "share of the lymphocytes that was irradiated"
    columns = {
        "case": Column(type="text", meaning="name of the case, as in inputs"),
        "dose_gy": Column(type="number", unit="Gy", meaning=dose, minimum=0, maximum=WHOLE_GY[-1][1]),
        "exposure": Column(
            type="text", meaning="what was irradiated", values=("none", "whole body", "part of the body")
        ),
        "irradiated_fraction": Column(type="number", unit="1", meaning=share, minimum=0, maximum=1),
    }
    return _card(
        "Doses behind the dicentrics", "truth.csv", table, columns,
        abstract="The dose that each person got, what was irradiated, and which share of the lymphocytes that was.",
        provenance=_HOW,
    )  # fmt: skip


def _card(
    title: str, path: str, table: pd.DataFrame, columns: dict[str, Column], *, abstract: str, provenance: str
) -> tuple[DatasetCard, bytes]:
    data = table.to_csv(index=False, lineterminator="\n").encode()
    file = DatasetFile(path=path, sha256=sha256_bytes(data), bytes=len(data), columns=columns)
    card = DatasetCard(
        title=title, version=1, license=_LICENSE, provenance=provenance, abstract=abstract, authors=_AUTHORS,
        keywords=("biological dosimetry", "dicentric assay"), sources=(_CALIBRATION,), files=(file,),
    )  # fmt: skip
    return card, data


def write_cases(out: Path, *, seed: str, cases: int, public: bool = False) -> None:
    """Writes ``inputs`` and ``truth`` below a folder.

    Args:
        out: The folder; it is made.
        seed: Any text; a secret, unless ``public``.
        cases: How many.
        public: Whether the cards name the seed, as those of the twin do.

    Raises:
        InputError: One of the two is there already, or two cases got one name.
        StorageError: The disk refuses.
    """
    there = [str(out / name) for name in ("inputs", "truth") if os.path.lexists(out / name)]
    if there:
        raise InputError("cases are there already", where=", ".join(there), wanted="another folder")
    drawn = draw_cases(seed, cases)
    if len({case.name for case in drawn}) < cases:
        raise InputError("two cases got one name", where="--seed", wanted="another seed")
    said = f" The seed is public: {seed!r}." if public else " The seed is not stated."
    for name, (card, data) in (("inputs", inputs_of(drawn)), ("truth", truth_of(drawn))):
        with storage(out / name):
            (out / name).mkdir(parents=True)
        write_bytes(out / name / card.files[0].path, data)
        write_card(out / name / CARD_NAME, card.model_copy(update={"provenance": card.provenance + said}))


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--seed", help="Any text; 128 random bits where it is to be secret. Without one it is drawn and printed.")
@click.option("--cases", type=click.IntRange(min=1), default=60, show_default=True, help="How many.")
@click.option("--public", is_flag=True, help="Name the seed on the cards.")
def main(out: Path, seed: str | None, cases: int, *, public: bool) -> None:
    """Draw cases into OUT/inputs and OUT/truth."""
    drawn = seed is None
    seed = secrets.token_hex(16) if seed is None else seed
    try:
        write_cases(out, seed=seed, cases=cases, public=public)
    except BraggbookError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"{cases} cases in {out / 'inputs'} and {out / 'truth'}")
    if drawn:
        click.echo(f"seed {seed}: keep it where the truth is kept, or nowhere")


if __name__ == "__main__":
    main()
