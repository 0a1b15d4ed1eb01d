"""FLUKA USRBIN, both forms, on files made from the description of the format (no output of FLUKA was at hand)."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from braggbook.errors import ScienceError, UnknownName
from braggbook.radiobiology.io import depth_curve, fluka_binnings, read_fluka_usrbin
from braggbook.radiobiology.io.fluka_usrbin import Binning
from braggbook.testing.montecarlo import usrbin_listing, usrbin_records, write_usrbin

RNG = np.random.default_rng(5)


def binning(**change: object) -> Binning:
    values = RNG.uniform(1e-6, 1e-3, 4 * 3 * 5)
    default = Binning(
        1, "DEPTH", 10, 228, ((-2.0, 2.0, 4), (-1.5, 1.5, 3), (0.0, 30.0, 5)), values, 0.1 * RNG.random(60)
    )
    return replace(default, **change)  # type: ignore[arg-type]


BOTH = pytest.mark.parametrize("formatted", [True, False], ids=["formatted", "unformatted"])
DIGITS = {True: 5e-4, False: 1e-7}  # a listing has four decimals, a record single precision


@BOTH
class TestBothForms:
    def test_values_stand_where_they_were_scored(self, tmp_path: Path, formatted: bool) -> None:
        made = binning()
        found = read_fluka_usrbin(write_usrbin(tmp_path / "f", [made], formatted=formatted), medium="water")
        assert found["dose"].dims == ("x", "y", "z")
        for ix, iy, iz in ((0, 0, 0), (3, 0, 0), (0, 2, 0), (1, 2, 3), (3, 2, 4)):
            at = ix + 4 * iy + 12 * iz  # the first axis runs fastest
            assert float(found["dose"][ix, iy, iz]) == pytest.approx(made.values[at], rel=DIGITS[formatted])
            assert made.relative_errors is not None
            error = made.values[at] * made.relative_errors[at]
            assert float(found["dose_uncertainty"][ix, iy, iz]) == pytest.approx(error, rel=2 * DIGITS[formatted])

    def test_what_the_dataset_says(self, tmp_path: Path, formatted: bool) -> None:
        path = write_usrbin(tmp_path / "f", [binning()], formatted=formatted, primaries=123_456)
        found = read_fluka_usrbin(path, medium="water")
        assert found["dose"].attrs == {
            "units": "GeV/g",
            "quantity": "dose",
            "averaging": "not applicable",
            "particles": "all",
            "medium": "water",
            "normalisation": "per primary",
            "binning": "DEPTH",
        }
        assert (found.attrs["code"], found.attrs["primaries"], found.attrs["title"]) == (
            "FLUKA",
            123_456,
            "made by code",
        )
        assert found["z_edges"].to_numpy() == pytest.approx([0, 6, 12, 18, 24, 30])
        assert found["x"].to_numpy() == pytest.approx([-1.5, -0.5, 0.5, 1.5])
        assert found["z"].attrs["units"] == "cm"

    def test_cylinders(self, tmp_path: Path, formatted: bool) -> None:
        flat = binning(kind=11, limits=((0.0, 4.0, 4), (-3.1416, 3.1416, 1), (0.0, 30.0, 15)))
        whole = binning(kind=11, limits=((0.0, 4.0, 4), (-3.1416, 3.1416, 3), (0.0, 30.0, 5)))
        found = read_fluka_usrbin(write_usrbin(tmp_path / "a", [flat], formatted=formatted), medium="water")
        assert found["dose"].dims == ("r", "z")
        found = read_fluka_usrbin(write_usrbin(tmp_path / "b", [whole], formatted=formatted), medium="water")
        assert found["dose"].dims == ("r", "phi", "z")
        assert found["phi"].attrs["units"] == "rad"

    def test_several_binnings(self, tmp_path: Path, formatted: bool) -> None:
        fluence = binning(number=2, name="PROTONS", particle=1)
        path = write_usrbin(tmp_path / "f", [binning(), fluence], formatted=formatted)
        assert fluka_binnings(path)["name"].tolist() == ["DEPTH", "PROTONS"]
        with pytest.raises(
            ScienceError, match=r"several binnings in one file; wanted binning=, got 1 \(DEPTH\), 2 \(PR"
        ):
            read_fluka_usrbin(path, medium="water")
        for key in (2, "PROTONS"):
            found = read_fluka_usrbin(path, binning=key, medium="water")
            assert found["fluence"].attrs["particles"] == "protons"
            assert found["fluence"].attrs["units"] == "1/cm2"
            assert found["fluence"].to_numpy().ravel(order="F") == pytest.approx(fluence.values, rel=DIGITS[formatted])
        with pytest.raises(UnknownName, match="no binning named 'NEUTRONS'"):
            read_fluka_usrbin(path, binning="NEUTRONS", medium="water")

    def test_without_statistics_there_is_no_uncertainty(self, tmp_path: Path, formatted: bool) -> None:
        path = write_usrbin(tmp_path / "f", [binning(relative_errors=None)], formatted=formatted)
        assert list(read_fluka_usrbin(path, medium="water").data_vars) == ["dose"]

    def test_the_medium_is_asked_for(self, tmp_path: Path, formatted: bool) -> None:
        path = write_usrbin(tmp_path / "f", [binning()], formatted=formatted)
        with pytest.raises(ScienceError, match="medium: the file does not say"):
            read_fluka_usrbin(path)

    def test_what_was_scored_is_asked_for_when_the_number_does_not_say(self, tmp_path: Path, formatted: bool) -> None:
        path = write_usrbin(tmp_path / "f", [binning(particle=242)], formatted=formatted)
        with pytest.raises(ScienceError, match="the file does not say what was scored"):
            read_fluka_usrbin(path, medium="water")
        with pytest.raises(ScienceError) as refused:
            read_fluka_usrbin(path, quantity=("LET", "keV/um"), medium="water")
        assert [issue.where for issue in refused.value.issues] == ["averaging", "particles"]
        found = read_fluka_usrbin(
            path, quantity=("LET", "keV/um"), averaging="dose-averaged", particles="all protons", medium="water"
        )
        assert found["let"].attrs["normalisation"] == "not applicable"

    def test_fluence_scored_at_points_is_not_guessed(self, tmp_path: Path, formatted: bool) -> None:
        path = write_usrbin(tmp_path / "f", [binning(kind=0, particle=1)], formatted=formatted)
        with pytest.raises(ScienceError, match="got generalized particle 1"):
            read_fluka_usrbin(path, medium="water")

    def test_it_becomes_a_curve(self, tmp_path: Path, formatted: bool) -> None:
        path = write_usrbin(tmp_path / "f", [binning()], formatted=formatted)
        found = read_fluka_usrbin(path, medium="water").isel(x=[1], y=[1])
        curve = depth_curve(found, "dose", code="FLUKA")
        assert curve.depth_mm == pytest.approx([30, 90, 150, 210, 270])

    def test_a_binning_by_region_has_no_grid(self, tmp_path: Path, formatted: bool) -> None:
        path = write_usrbin(tmp_path / "f", [binning()], formatted=False)
        if formatted:
            path.write_text(usrbin_listing([binning()]).replace("Cartesian", "Region   "), encoding="utf-8")
        else:
            path.write_bytes(usrbin_records([binning(kind=12)]))
        with pytest.raises(ScienceError, match="a binning by region has no grid"):
            read_fluka_usrbin(path, medium="water")

    @pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.95, 0.999])
    def test_a_file_that_breaks_off_is_refused(self, tmp_path: Path, formatted: bool, part: float) -> None:
        path = write_usrbin(tmp_path / "f", [binning()], formatted=formatted)
        data = path.read_bytes()
        path.write_bytes(data[: int(part * len(data))])
        with pytest.raises(ScienceError) as refused:
            read_fluka_usrbin(path, medium="water")
        assert "f" in refused.value.where


def test_both_forms_of_one_binning_agree(tmp_path: Path) -> None:
    made = [binning()]
    listing, records = (
        read_fluka_usrbin(write_usrbin(tmp_path / str(form), made, formatted=form), medium="water")
        for form in (True, False)
    )
    assert listing["dose"].to_numpy() == pytest.approx(records["dose"].to_numpy(), rel=5e-4)


def test_the_other_byte_order(tmp_path: Path) -> None:
    made = binning()
    (tmp_path / "f").write_bytes(usrbin_records([made], big_endian=True, primaries=3_000_000_001))
    found = read_fluka_usrbin(tmp_path / "f", medium="water")
    assert found["dose"].to_numpy().ravel(order="F") == pytest.approx(made.values, rel=1e-7)
    assert found.attrs["primaries"] == 3_000_000_001


def test_limits_in_single_precision_are_read_as_they_were_meant(tmp_path: Path) -> None:
    made = binning(limits=((-0.1, 0.1, 4), (-1.3, 1.7, 3), (0.0, 20.5, 5)))
    found = read_fluka_usrbin(write_usrbin(tmp_path / "f", [made], formatted=False), medium="water")
    assert found["x_edges"].to_numpy()[[0, -1]].tolist() == [-0.1, 0.1]
    assert found["z_edges"].to_numpy()[-1] == 20.5


def test_a_symmetry_is_said(tmp_path: Path) -> None:
    path = write_usrbin(tmp_path / "f", [binning(kind=13)], formatted=False)
    assert read_fluka_usrbin(path, medium="water").attrs["symmetry"] == "+/-x"


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 30), st.booleans(), st.randoms(use_true_random=False))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, nx: int, ny: int, nz: int, formatted: bool, random: object
) -> None:
    values = np.random.default_rng(nx + 10 * ny + 100 * nz).uniform(0, 1, nx * ny * nz)
    made = Binning(7, "ANY", 10, 208, ((-1.0, 1.0, nx), (-2.0, 2.0, ny), (0.0, 3.0, nz)), values)
    path = write_usrbin(tmp_path_factory.mktemp("usrbin") / "f", [made], formatted=formatted)
    found = read_fluka_usrbin(path, medium="water")["energy_density"].to_numpy()
    assert found.ravel(order="F") == pytest.approx(values, rel=6e-5, abs=1e-12)


class TestDamage:
    def test_a_listing_cut_within_its_last_number(self, tmp_path: Path) -> None:
        text = usrbin_listing([binning(relative_errors=None)])
        for less in (1, 2, 3):
            (tmp_path / "f").write_text(text[:-less], encoding="utf-8")
            with pytest.raises(ScienceError, match="the last line has no end"):
                read_fluka_usrbin(tmp_path / "f", medium="water")

    def test_lengths_that_differ(self, tmp_path: Path) -> None:
        data = bytearray(usrbin_records([binning()]))
        data[132:136] = struct.pack("<i", 127)  # the second copy of the first length
        (tmp_path / "f").write_bytes(bytes(data))
        with pytest.raises(ScienceError, match="f, record 1: a record whose two lengths differ; wanted 128"):
            read_fluka_usrbin(tmp_path / "f", medium="water")

    def test_bins_that_do_not_fit_their_values(self, tmp_path: Path) -> None:
        made = binning(limits=((-2.0, 2.0, 4), (-1.5, 1.5, 3), (0.0, 30.0, 6)))
        (tmp_path / "f").write_bytes(usrbin_records([made]))
        with pytest.raises(ScienceError, match="a record does not fit; wanted 72 numbers, got 240 bytes"):
            read_fluka_usrbin(tmp_path / "f", medium="water")
        (tmp_path / "g").write_text(usrbin_listing([made]), encoding="utf-8")
        with pytest.raises(ScienceError, match="the listing is cut off; wanted 72 numbers, got 60"):
            read_fluka_usrbin(tmp_path / "g", medium="water")

    def test_a_header_that_asks_for_too_much(self, tmp_path: Path) -> None:
        made = binning(limits=((-2.0, 2.0, 40_000), (-1.5, 1.5, 30_000), (0.0, 30.0, 50_000)))
        (tmp_path / "f").write_bytes(usrbin_records([made]))
        with pytest.raises(ScienceError, match="not a binning; wanted 1 to 100000000 bins, got 40000 x 30000 x 50000"):
            read_fluka_usrbin(tmp_path / "f", medium="water")

    def test_numbers_that_are_not_finite(self, tmp_path: Path) -> None:
        values = binning().values.copy()
        values[5] = np.inf
        (tmp_path / "f").write_bytes(usrbin_records([binning(values=values)]))
        with pytest.raises(ScienceError, match="bin 2, 2, 1: not finite"):
            read_fluka_usrbin(tmp_path / "f", medium="water")

    def test_bits_that_are_no_number_at_all(self, tmp_path: Path) -> None:
        """A signalling NaN makes NumPy warn when it is widened; it is refused like any other."""
        data = bytearray(usrbin_records([binning()]))
        at = (4 + 128 + 4) + (4 + 86 + 4) + 4  # behind the start and the binning, the first value
        data[at : at + 4] = struct.pack("<I", 0x7F800001)
        (tmp_path / "f").write_bytes(bytes(data))
        with pytest.raises(ScienceError, match="bin 1, 1, 1: not finite; got nan"):
            read_fluka_usrbin(tmp_path / "f", medium="water")

    @pytest.mark.parametrize("content", [b"hello\n", b"\x80\x00\x00\x00", b"\x78\x00\x00\x00" + b"x" * 400])
    def test_other_files(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "f").write_bytes(content)
        with pytest.raises(ScienceError):
            read_fluka_usrbin(tmp_path / "f", medium="water")

    def test_an_input_file_of_fluka_is_no_output(self, mirror: Path) -> None:
        with pytest.raises(ScienceError, match="not a USRBIN file of FLUKA"):
            read_fluka_usrbin(mirror / "mc_outputs" / "fluka" / "proton.inp", medium="water")
