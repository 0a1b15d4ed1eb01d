"""The excerpt of the DCPT benchmark: every number is that of the files, with units and names as the card says."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from braggbook.radiobiology.io import read_let_benchmark

FOLDER = Path(__file__).parents[3] / "datasets" / "proton_let_five_codes"
PLANS = {"plan02_field01_geoD_mono": "160 MeV", "plan01_field01_geoA_SOBPcent": "SOBP"}
MEDIA = {"solid water with a PMMA plate": "phantom", "water, unit density": "water"}
SIZE_LIMIT = 1_000_000  # bytes, of the whole folder
DIGITS, ERROR_DIGITS = 6e-6, 6e-3  # values are rounded to 6 digits, uncertainties to 3


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def number(text: str) -> float:
    return float(text) if text else math.nan


def test_hashes_sizes_and_licence() -> None:
    card = tomllib.loads((FOLDER / "dataset.toml").read_text(encoding="utf-8"))
    assert card["license"] == "CC-BY-4.0"
    assert card["sources"][0]["doi"] == "10.5281/zenodo.10641085"
    assert {entry["path"] for entry in card["files"]} == {path.name for path in FOLDER.glob("*.csv")}
    for entry in card["files"]:
        content = (FOLDER / entry["path"]).read_bytes()
        assert (entry["sha256"], entry["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= SIZE_LIMIT


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    mirror = os.environ.get("BRAGGBOOK_DATA_MIRROR")
    if not mirror:
        pytest.skip("needs the folder named by BRAGGBOOK_DATA_MIRROR")
    results = Path(mirror) / "dcpt_let_benchmark" / "data"
    parts = [
        read_let_benchmark(folder).assign(plan=plan)
        for name, plan in PLANS.items()
        for folder in sorted(results.glob(f"*/results/{name}"))
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(medium=table["medium"].map(MEDIA))


@pytest.mark.parametrize(
    ("name", "quantity", "value", "error"),
    [
        ("dose.csv", "dose", "dose_mev_g", "uncertainty_mev_g"),
        ("let.csv", "LET", "let_kev_um", "uncertainty_kev_um"),
    ],
)
def test_profiles_are_those_of_the_files(
    source: pd.DataFrame, name: str, quantity: str, value: str, error: str
) -> None:
    keys = ["plan", "code", "averaging", "particles", "medium", "depth_mm"]
    found = source[source["quantity"] == quantity].set_index(keys)
    known = dict(zip(found.index, zip(found["value"], found["uncertainty"], strict=True), strict=True))
    assert len(known) == len(found)
    ours = rows(name)
    for row in ours:
        averaging, medium = row.get("averaging", "not applicable"), row.get("medium", "phantom")
        key = (row["plan"], row["code"], averaging, row["particles"], medium, float(row["depth_mm"]))
        wanted, spread = known[key]
        assert math.isclose(number(row[value]), wanted, rel_tol=DIGITS, abs_tol=1e-12), key
        assert math.isclose(number(row[error]), spread, rel_tol=ERROR_DIGITS) or (not row[error] and math.isnan(spread))
    curves = {tuple(row[k] for k in row if k not in ("depth_mm", value, error)) for row in ours}
    assert len(ours) == 205 * len(curves)


def test_the_detector_is_that_of_the_files(mirror: Path) -> None:
    averages = {"dose-averaged": "DLET", "track-averaged": "TLET"}
    particles = {"all particles": "all", "primary protons": "primary", "all protons": "protons"}
    media = {"phantom": "mat", "water": "H2O"}
    scored = {}
    for name, plan in PLANS.items():
        for manifest in (mirror / "dcpt_let_benchmark" / "data").glob(f"*/results/{name}/manifest.json"):
            content = json.loads(manifest.read_text(encoding="utf-8"))
            entries = [entry for output in content["outputs"] for entry in output["files"]]
            for entry in (entry for entry in entries if entry.get("output_type", "").startswith("target.")):
                lines = (manifest.parent / entry["path"]).read_text(encoding="utf-8").splitlines()
                last = [line.split() for line in lines if line.strip() and not line.startswith("#")][-1:]
                scored[plan, content["code"]["name"], entry.get("output_type")] = last[0] if last else []
    for row in rows("detector.csv"):
        output = f"target.{averages[row['averaging']]}.{particles[row['particles']]}.{media[row['medium']]}"
        cells = [float(cell) for cell in scored[row["plan"], row["code"], output]]
        value = cells[3] if len(cells) >= 4 else cells[0]  # three coordinates before it, or none
        assert math.isclose(float(row["let_kev_um"]), 0.1 * value, rel_tol=DIGITS)  # MeV/cm
    assert len(rows("detector.csv")) == 76


def test_two_legal_definitions_at_one_point() -> None:
    """MCNP, dose-averaged: all particles in the phantom, and primary protons in water."""
    here = {
        (row["particles"], row["medium"]): float(row["let_kev_um"])
        for row in rows("detector.csv")
        if (row["plan"], row["code"], row["averaging"]) == ("160 MeV", "MCNP", "dose-averaged")
    }
    assert here["all particles", "phantom"] == 0.965318
    assert here["primary protons", "water"] == 0.788847
