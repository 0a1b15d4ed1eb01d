"""Results of the DCPT benchmark in one table: units, names, errors that are relative, and damaged folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from braggbook.errors import ScienceError
from braggbook.radiobiology.io import read_let_benchmark

PLAN = "plan02_field01_geoD_mono"


def folder(mirror: Path, code: str) -> Path:
    return mirror / "dcpt_let_benchmark" / "data" / code / "results" / PLAN


def test_let_comes_in_kev_um_and_depth_in_mm(mirror: Path) -> None:
    table = read_let_benchmark(folder(mirror, "sh12a"))
    rows = table[(table["averaging"] == "dose-averaged") & (table["quantity"] == "LET")]
    one = rows[(rows["particles"] == "all particles") & (rows["medium"] == "solid water with a PMMA plate")]
    first = one.iloc[0]  # -2.2 35.5391 0.724631 in cm and MeV/cm
    assert (first["depth_mm"], first["value"], first["units"]) == (-22.0, pytest.approx(3.55391), "keV/um")
    assert first["uncertainty"] == pytest.approx(0.0724631)
    assert one["depth_mm"].iloc[22] == 0.0


def test_columns_of_zeros_are_no_uncertainties(mirror: Path) -> None:
    for code in ("fluka.cern", "topas", "openshieldhit"):
        assert read_let_benchmark(folder(mirror, code))["uncertainty"].isna().all()


def test_relative_errors_are_made_absolute(mirror: Path) -> None:
    table = read_let_benchmark(folder(mirror, "mcnp"))
    dose = table[table["quantity"].isin(["dose"]) & (table["particles"] == "all protons")]
    phantom, water = (dose[dose["medium"].str.startswith(medium)] for medium in ("solid", "water"))
    for part in (phantom, water):
        upstream = part[part["depth_mm"] < 100]
        assert (upstream["uncertainty"] / upstream["value"]).median() == pytest.approx(0.0016, abs=1e-4)


def test_every_depth_is_there_once_per_curve(mirror: Path) -> None:
    for code in ("fluka.cern", "mcnp", "openshieldhit", "sh12a", "topas"):
        table = read_let_benchmark(folder(mirror, code))
        keys = ["quantity", "averaging", "particles", "medium"]
        assert (table.groupby(keys)["depth_mm"].nunique() == 205).all()
        assert np.isfinite(table["value"]).all()


@pytest.mark.parametrize("code", ["fluka.cern", "mcnp", "openshieldhit", "sh12a", "topas"])
def test_every_depth_profile_is_read_or_named(mirror: Path, code: str) -> None:
    """Against the manifest and the files themselves, read by pandas."""
    place = folder(mirror, code)
    table = read_let_benchmark(place)
    keys = ["quantity", "averaging", "particles", "medium"]
    curves = [part["value"].to_numpy() for _, part in table.groupby(keys)]
    left_out = set(table.attrs["left_out"])
    for output in json.loads((place / "manifest.json").read_text(encoding="utf-8"))["outputs"]:
        for entry in output["files"]:
            kind = entry.get("output_type", f"{entry['path']} (no output type)")
            if not kind.startswith("depth_Z.") or "DIRTYDOSE" in kind:
                assert kind in left_out
                continue
            assert kind not in left_out
            raw = pd.read_csv(place / entry["path"], sep=r"\s+", comment="#", header=None)
            factor = 0.1 if "LET." in kind else 1.0
            assert any(np.allclose(raw[1] * factor, known, rtol=1e-12, atol=0.0) for known in curves), entry


class TestDamage:
    def manifest(self, place: Path, files: dict[str, str], **change: object) -> Path:
        outputs = [{"files": [{"path": name, "output_type": "depth_Z.DOSE.all.mat"} for name in files]}]
        content = {"code": {"name": "X"}, "plan": "p", "outputs": outputs, **change}
        (place / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
        for name, text in files.items():
            (place / name).write_text(text, encoding="utf-8")
        return place

    def test_a_good_folder(self, tmp_path: Path) -> None:
        table = read_let_benchmark(self.manifest(tmp_path, {"a.dat": "0 1 0.1\n0.1 2 0.1\n"}))
        assert table["depth_mm"].tolist() == [0.0, 1.0]
        assert table["uncertainty"].tolist() == [0.1, 0.1]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "the file is empty"),
            ("0 one\n", "not a table of numbers"),
            ("0 1\n0.1\n", "not a table of numbers"),
            ("0 nan\n", "not a table of numbers; wanted 2 or 3 finite columns"),
            ("0\n1\n", "not a table of numbers; wanted 2 or 3 finite columns"),
        ],
    )
    def test_a_damaged_profile(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(ScienceError) as refused:
            read_let_benchmark(self.manifest(tmp_path, {"a.dat": text}))
        assert message in str(refused.value)

    def test_all_damaged_profiles_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(ScienceError) as refused:
            read_let_benchmark(self.manifest(tmp_path, {"a.dat": "x y\n", "b.dat": ""}))
        assert [issue.where for issue in refused.value.issues] == ["a.dat", "b.dat"]

    def test_manifests_that_are_none(self, tmp_path: Path) -> None:
        with pytest.raises(ScienceError, match="no such file"):
            read_let_benchmark(tmp_path)
        (tmp_path / "manifest.json").write_text("{", encoding="utf-8")
        with pytest.raises(ScienceError, match=r"manifest\.json: not JSON"):
            read_let_benchmark(tmp_path)
        (tmp_path / "manifest.json").write_text('{"plan": "p"}', encoding="utf-8")
        with pytest.raises(ScienceError, match="not a manifest of the benchmark; wanted code, outputs"):
            read_let_benchmark(tmp_path)
        with pytest.raises(ScienceError, match="no depth profile"):
            read_let_benchmark(self.manifest(tmp_path, {}))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"code": "TOPAS"}, "not a manifest of the benchmark; wanted the name of the code"),
            ({"outputs": None}, "outputs: not a manifest of the benchmark; wanted files, each with its path"),
            ({"outputs": [{"files": ["a.dat"]}]}, "not a manifest of the benchmark; wanted files"),
            ({"outputs": [{"files": [{"output_type": "x"}]}]}, "not a manifest of the benchmark; wanted files"),
        ],
    )
    def test_manifests_of_another_shape(self, tmp_path: Path, change: dict[str, object], message: str) -> None:
        with pytest.raises(ScienceError, match=message):
            read_let_benchmark(self.manifest(tmp_path, {}, **change))
