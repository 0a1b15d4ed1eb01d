"""Uptakes against closed forms, branch by branch, on series made by code; and on a real series."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from pydicom import dcmread

from braggbook.errors import DicomError, UnknownName
from braggbook.imaging.dicom.pet import METHODS, suv
from braggbook.imaging.dicom.pet_header import date_time, moment, pet_tags
from braggbook.imaging.dicom.pet_tracer import HALF_LIVES_S, parse_nuclide
from braggbook.imaging.reading import read_dicom
from braggbook.imaging.volumes import make_volume
from braggbook.testing.dicom import code, example_grid, item, make_series, write_series

EXACT = 1e-12  # a handful of operations on doubles
SINGLE = 1e-6  # values of read_dicom are float32
WEIGHT_KG, HEIGHT_M, DOSE_BQ, HALF_LIFE_S = 70.0, 1.75, 370e6, 6586.2  # what generated series have
DELAY_S = 3600.0  # they are injected at 09:11:12 and scanned at 10:11:12
LEFT = 2 ** (-DELAY_S / HALF_LIFE_S)
GRID = example_grid(shape=(4, 3, 5))
STORED = np.random.default_rng(7).integers(0, 3000, GRID.shape).astype(np.int16)
COUNTS = STORED.astype(np.float64)


def series(*, drug: dict[str, Any] | None = None, edit: Any = None, per_slice: Any = None, **tags: Any) -> Any:
    """A PET volume with the slopes applied here, and its headers."""
    headers = make_series(STORED, GRID, modality="PET", per_slice=per_slice, **tags)
    for number, header in enumerate(headers):
        for keyword, value in (drug or {}).items():
            target = header.RadiopharmaceuticalInformationSequence[0]
            if value is None:
                delattr(target, keyword)
            else:
                setattr(target, keyword, value)
        if edit:
            edit(header, number)
    values = np.stack([h.pixel_array * float(h.RescaleSlope) + float(h.RescaleIntercept) for h in headers])
    return make_volume(values, GRID, name="image", units="Bq/ml"), headers


def issues(*, method: str = "bw", **options: Any) -> list[str]:
    volume, headers = series(**options)
    with pytest.raises(DicomError) as caught:
        suv(volume, method=method, headers=headers)
    assert caught.value.issues
    return [str(issue) for issue in caught.value.issues]


def philips(element: int, value: Any) -> Any:
    def edit(header: Any, number: int) -> None:
        block = header.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(element, "DS", value[number] if isinstance(value, list) else value)

    return edit


def test_start_counts_decay_to_the_series_time() -> None:
    volume, headers = series()
    found = suv(volume, headers=headers)
    np.testing.assert_allclose(found, COUNTS * 1000 * WEIGHT_KG / (DOSE_BQ * LEFT), rtol=EXACT)
    assert (found.attrs["units"], found.attrs["method"]) == ("g/ml", "SUVbw")
    assert found.attrs["decay_factor"] == pytest.approx(LEFT, rel=EXACT)
    times = found.attrs["times"]
    assert (times["source"], times["delay_s"]) == ("series time", DELAY_S)
    assert times["administered"] == "2026-01-02T09:11:12"
    assert times["reference"] == "2026-01-02T10:11:12"
    assert found.attrs["used"]["nuclide"] == "18F"
    assert found.attrs["warnings"] == []
    assert found.dims == volume.dims
    assert found.attrs["affine"] == volume.attrs["affine"]
    json.dumps(found.attrs)


def test_uniform_uptake_is_one() -> None:
    """The activity that is left, spread evenly over the weight, is an uptake of 1."""
    volume, headers = series()
    even = xr.full_like(volume, DOSE_BQ * LEFT / (1000 * WEIGHT_KG))
    np.testing.assert_allclose(suv(even, headers=headers), 1.0, rtol=EXACT)


def test_admin_has_no_decay_and_no_times() -> None:
    drug = {"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": None}
    volume, headers = series(DecayCorrection="ADMIN", drug=drug)
    found = suv(volume, headers=headers)
    np.testing.assert_allclose(found, COUNTS * 1000 * WEIGHT_KG / DOSE_BQ, rtol=EXACT)
    assert found.attrs["decay_factor"] == 1.0


def test_none_counts_decay_to_the_middle_of_each_frame() -> None:
    begin = ["101112", "101312", "101512", "101712"]
    durations = [120_000, 120_000, 60_000, 240_000]
    per_slice = [{"AcquisitionTime": b, "ActualFrameDuration": str(d)} for b, d in zip(begin, durations, strict=True)]
    corrected = ["ATTN", "SCAT"]
    volume, headers = series(DecayCorrection="NONE", CorrectedImage=corrected, per_slice=per_slice)
    found = suv(volume, headers=headers)
    middles = np.array([60, 180, 270, 480]) + DELAY_S
    left = 2 ** (-middles / HALF_LIFE_S)
    np.testing.assert_allclose(found, COUNTS * 1000 * WEIGHT_KG / (DOSE_BQ * left[:, None, None]), rtol=EXACT)
    assert found.attrs["times"]["delay_s"] == middles.tolist()
    np.testing.assert_allclose(found.attrs["decay_factor"], left, rtol=EXACT)


def test_none_of_a_nuclide_as_short_as_its_frames_is_said() -> None:
    drug = {
        "RadionuclideCodeSequence": [code("79197006", "SCT", "^82^Rubidium")],
        "RadionuclideHalfLife": "75.6",
        "RadiopharmaceuticalStartTime": "101100",
        "RadiopharmaceuticalStartDateTime": "20260102101100",
    }
    volume, headers = series(DecayCorrection="NONE", drug=drug)
    assert any("long for this nuclide" in text for text in suv(volume, headers=headers).attrs["warnings"])


def test_earliest_acquisition_where_the_series_was_made_later() -> None:
    times = ["101712", "101512", "101312", "101112"]
    volume, headers = series(SeriesTime="113000", per_slice=[{"AcquisitionTime": time} for time in times])
    found = suv(volume, headers=headers)
    np.testing.assert_allclose(found, COUNTS * 1000 * WEIGHT_KG / (DOSE_BQ * LEFT), rtol=EXACT)
    assert found.attrs["times"]["source"] == "earliest acquisition"
    assert any("after the first acquisition" in text for text in found.attrs["warnings"])


def test_scan_start_of_ge() -> None:
    def edit(header: Any, _number: int) -> None:
        header.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20260102100112.00")

    volume, headers = series(SeriesTime="113000", edit=edit)
    found = suv(volume, headers=headers)
    assert found.attrs["times"]["source"] == "scan start of GE"
    assert found.attrs["times"]["delay_s"] == 3000.0
    volume, headers = series(edit=edit)  # where the series time can be right, it is
    assert suv(volume, headers=headers).attrs["times"]["source"] == "series time"


def test_midnight() -> None:
    scan = {"SeriesTime": "003000", "AcquisitionTime": "003000"}
    volume, headers = series(
        drug={"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "233000.00"}, **scan
    )
    found = suv(volume, headers=headers)
    assert found.attrs["times"]["delay_s"] == 3600.0
    assert found.attrs["times"]["administered"] == "2026-01-01T23:30:00"
    assert any("midnight" in text for text in found.attrs["warnings"])


def test_acquisitions_without_a_date_after_midnight() -> None:
    scan = {"SeriesTime": "235800", "AcquisitionDate": ...}
    drug = {"RadiopharmaceuticalStartTime": "225800", "RadiopharmaceuticalStartDateTime": "20260102225800"}
    times = ["235800", "235900", "000100", "000300"]
    volume, headers = series(drug=drug, per_slice=[{"AcquisitionTime": time} for time in times], **scan)
    found = suv(volume, headers=headers)
    assert (found.attrs["times"]["source"], found.attrs["times"]["delay_s"]) == ("series time", 3600.0)
    late = {**scan, "SeriesTime": "000200"}  # made after midnight, on the date that it says
    drug["RadiopharmaceuticalStartDateTime"] = "20260101225800"
    volume, headers = series(drug=drug, per_slice=[{"AcquisitionTime": time} for time in times], **late)
    found = suv(volume, headers=headers)
    assert (found.attrs["times"]["source"], found.attrs["times"]["delay_s"]) == ("earliest acquisition", 3600.0)


def test_date_time_of_the_administration_decides() -> None:
    drug = {"RadiopharmaceuticalStartDateTime": "20260101233000.5", "RadiopharmaceuticalStartTime": "233000.5"}
    scan = {"SeriesTime": "003000", "AcquisitionTime": "003000"}
    volume, headers = series(drug=drug, **scan)
    assert suv(volume, headers=headers).attrs["times"]["delay_s"] == 3599.5


def test_time_zones_are_brought_together() -> None:
    drug = {"RadiopharmaceuticalStartDateTime": "20260102081112+0000"}
    volume, headers = series(drug=drug, TimezoneOffsetFromUTC="+0100")
    assert suv(volume, headers=headers).attrs["times"]["delay_s"] == DELAY_S


def test_every_slope_is_honoured() -> None:
    slopes = np.linspace(0.2094, 8.3578, GRID.shape[0])
    volume, headers = series(per_slice=[{"RescaleSlope": f"{slope:.6f}"} for slope in slopes])
    wanted = STORED * np.round(slopes, 6)[:, None, None] * 1000 * WEIGHT_KG / (DOSE_BQ * LEFT)
    np.testing.assert_allclose(suv(volume, headers=headers), wanted, rtol=EXACT)


def test_read_from_disk(tmp_path: Path) -> None:
    """What read_dicom returns, lazily, in whatever order the files are."""
    slopes = np.linspace(0.2094, 8.3578, GRID.shape[0])
    options = {"modality": "PET", "names": ["d", "b", "a", "c"]}
    paths = write_series(tmp_path, STORED, GRID, per_slice=lambda k: {"RescaleSlope": f"{slopes[k]:.6f}"}, **options)
    found = suv(read_dicom(tmp_path), headers=[dcmread(path) for path in paths])
    assert found.chunks is not None
    wanted = STORED * np.round(slopes, 6)[:, None, None] * 1000 * WEIGHT_KG / (DOSE_BQ * LEFT)
    np.testing.assert_allclose(found, wanted, rtol=SINGLE)


def test_attributes_of_the_volume_will_do(tmp_path: Path) -> None:
    write_series(tmp_path, STORED, GRID, modality="PET")
    data = read_dicom(tmp_path)
    alone = suv(data)
    np.testing.assert_allclose(alone, COUNTS * 1000 * WEIGHT_KG / (DOSE_BQ * LEFT), rtol=SINGLE)
    _, headers = series()
    data.attrs["pet"] = json.loads(json.dumps(pet_tags(headers)))  # as a store brings it back
    np.testing.assert_array_equal(suv(data), alone)
    assert suv(data).attrs["warnings"] == []


@pytest.mark.parametrize(
    ("method", "sex", "size"),
    [
        ("bw", "F", 70_000.0),
        ("lbm_james", "M", 1000 * (1.10 * 70 - 128 * 0.16)),
        ("lbm_james", "F", 1000 * (1.07 * 70 - 148 * 0.16)),
        ("lbm_james120", "M", 1000 * (1.10 * 70 - 120 * 0.16)),
        ("lbm_janmahasatian", "M", 1000 * 9270 * 70 / (6680 + 216 * 70 / 1.75**2)),
        ("lbm_janmahasatian", "F", 1000 * 9270 * 70 / (8780 + 244 * 70 / 1.75**2)),
        ("sul", "F", 1000 * 9270 * 70 / (8780 + 244 * 70 / 1.75**2)),
        ("bsa", "F", 71.84 * 70**0.425 * 175**0.725),
        ("ibw", "M", 1000 * (48.0 + 1.06 * 23)),
        ("ibw", "F", 1000 * (45.5 + 0.91 * 23)),
    ],
)
def test_methods(method: str, sex: str, size: float) -> None:
    volume, headers = series(PatientSex=sex)
    found = suv(volume, method=method, headers=headers)
    np.testing.assert_allclose(found, STORED * size / (DOSE_BQ * LEFT), rtol=EXACT)
    assert found.attrs["units"] == ("cm2/ml" if method == "bsa" else "g/ml")
    assert found.attrs["source"]


def test_published_lean_masses() -> None:
    """A man of 1.70 m and 80 kg: 59.65 kg by James's figures, 58.6 kg by Janmahasatian's."""
    from braggbook.imaging.dicom.pet import Body, lean_mass_james_kg, lean_mass_janmahasatian_kg

    man = Body(80.0, 1.70, "M")
    assert lean_mass_james_kg(man) == pytest.approx(88.0 - 128 * (80 / 170) ** 2, rel=EXACT)
    assert lean_mass_james_kg(man) == pytest.approx(59.65, abs=0.01)
    assert lean_mass_janmahasatian_kg(man) == pytest.approx(58.58, abs=0.01)


def test_james_is_said_to_fail_in_the_obese() -> None:
    volume, headers = series(PatientWeight="150", PatientSize="1.6")
    assert any("falls with weight" in t for t in suv(volume, method="lbm_james", headers=headers).attrs["warnings"])
    assert not suv(volume, method="sul", headers=headers).attrs["warnings"]


def test_james_that_gives_no_mass_is_refused() -> None:
    found = issues(method="lbm_james", PatientWeight="350", PatientSize="1.55")
    assert "a formula outside its range" in found[0]


def test_philips_suv_factor() -> None:
    volume, headers = series(Units="CNTS", edit=philips(0x00, "0.000547"))
    found = suv(volume, headers=headers)
    np.testing.assert_allclose(found, STORED * 0.000547, rtol=EXACT)
    assert "Philips" in found.attrs["used"]["values"]
    lean = suv(volume, method="bsa", headers=headers)
    size = METHODS["bsa"].size
    from braggbook.imaging.dicom.pet import Body

    wanted = STORED * 0.000547 * size(Body(WEIGHT_KG, HEIGHT_M, "F")) / (1000 * WEIGHT_KG)
    np.testing.assert_allclose(lean, wanted, rtol=EXACT)


def test_philips_factor_of_each_slice() -> None:
    factors = ["0.5", "0.25", "0.125", "2"]
    volume, headers = series(Units="CNTS", edit=philips(0x00, factors))
    np.testing.assert_allclose(
        suv(volume, headers=headers), STORED * np.array([0.5, 0.25, 0.125, 2])[:, None, None], rtol=EXACT
    )


def test_philips_activity_factor() -> None:
    volume, headers = series(Units="CNTS", RescaleSlope="0.5", edit=philips(0x09, "1.7"))
    wanted = STORED * 0.5 * 1.7 * 1000 * WEIGHT_KG / (DOSE_BQ * LEFT)
    np.testing.assert_allclose(suv(volume, headers=headers), wanted, rtol=EXACT)


def test_philips_factors_that_are_none() -> None:
    assert any("(7053,xx00)" in text for text in issues(Units="CNTS", edit=philips(0x00, "0")))


def test_gml_is_already_one() -> None:
    nothing = {"PatientWeight": ..., "PatientSize": ..., "SeriesTime": ..., "AcquisitionTime": ...}
    volume, headers = series(Units="GML", SUVType="BW", RescaleSlope="0.001", **nothing)
    found = suv(volume, headers=headers)
    np.testing.assert_allclose(found, STORED * 0.001, rtol=EXACT)
    assert "GML" in found.attrs["used"]["values"]


def test_gml_of_another_type_is_converted() -> None:
    volume, headers = series(Units="GML", SUVType="LBMJANMA", PatientSex="M")
    lean_kg = 9270 * 70 / (6680 + 216 * 70 / 1.75**2)
    np.testing.assert_allclose(suv(volume, headers=headers), STORED * WEIGHT_KG / lean_kg, rtol=EXACT)
    np.testing.assert_allclose(suv(volume, method="sul", headers=headers), STORED, rtol=EXACT)


def test_gml_without_a_type_is_said_to_be_taken_as_body_weight() -> None:
    volume, headers = series(Units="GML")
    assert any("taken as BW" in text for text in suv(volume, headers=headers).attrs["warnings"])


def test_cm2ml_is_a_surface() -> None:
    volume, headers = series(Units="CM2ML", SUVType="BSA")
    np.testing.assert_array_equal(suv(volume, method="bsa", headers=headers), STORED)


@pytest.mark.parametrize("units", ["CNTS", "PROPCPS", "NONE", "MLMINML", "FURLONGS", None])
def test_other_units_are_refused_by_name(units: str | None) -> None:
    found = issues(Units=units)
    assert found[0].startswith("(0054,1001) Units:")
    assert (units or "nothing") in found[0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"PatientWeight": ...}, "(0010,1030) PatientWeight: missing"),
        ({"PatientWeight": "70000"}, "seems to be in g"),
        ({"PatientWeight": "0"}, "PatientWeight: not plausible"),
        ({"PatientSize": "175", "method": "bsa"}, "seems to be in cm"),
        ({"PatientSize": ..., "method": "sul"}, "(0010,1020) PatientSize: missing"),
        ({"PatientSex": "O", "method": "sul"}, "wanted M or F, got O"),
        ({"drug": {"RadionuclideTotalDose": "370"}}, "got 370 (it seems to be in MBq)"),
        ({"drug": {"RadionuclideTotalDose": None}}, "(0018,1074) RadionuclideTotalDose: missing"),
        ({"drug": {"RadionuclideHalfLife": "109.77"}}, "seems to be in min"),
        ({"drug": {"RadionuclideHalfLife": "1221.7"}}, "RadionuclideHalfLife: not plausible"),
        ({"drug": {"RadionuclideHalfLife": None}}, "(0018,1075) RadionuclideHalfLife: missing"),
        ({"drug": {"RadiopharmaceuticalStartDateTime": "20260102101300"}}, "two times of one administration"),
        ({"drug": {"RadiopharmaceuticalStartDateTime": "20260103091112"}}, "given after the scan"),
        ({"drug": {"RadiopharmaceuticalStartDateTime": "20260101091112"}}, "given too long before the scan"),
        (
            {"drug": {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "101300"}},
            "given after the scan",
        ),
        (
            {"drug": {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": None}},
            "(0018,1078) RadiopharmaceuticalStartDateTime: missing",
        ),
        ({"SeriesTime": ..., "AcquisitionTime": ...}, "(0008,0031) SeriesTime: missing"),
        ({"SeriesTime": "256199"}, "not a date and time"),
        ({"DecayCorrection": "MAYBE"}, "wanted START, ADMIN or NONE, got MAYBE"),
        ({"DecayCorrection": ...}, "wanted START, ADMIN or NONE, got nothing"),
        ({"CorrectedImage": ["DECY"]}, "not corrected for attenuation"),
        ({"CorrectedImage": ["ATTN"]}, "not corrected for decay"),
        (
            {"DecayCorrection": "NONE", "ActualFrameDuration": "0"},
            "(0018,1242) ActualFrameDuration: not usable in slice 0",
        ),
        ({"per_slice": lambda k: {"PatientWeight": f"{70 + k}"}}, "PatientWeight: not the same in all slices"),
        ({"per_slice": lambda k: {"Units": "GML" if k else "BQML"}}, "Units: not the same in all slices"),
        ({"Units": "GML", "SUVType": "BSA"}, "not a type of SUV in GML"),
    ],
)
def test_refused(options: dict[str, Any], text: str) -> None:
    found = issues(**options)
    assert any(text in issue for issue in found), found


def test_long_lived_nuclides_need_a_date() -> None:
    drug = {
        "RadionuclideCodeSequence": [code("63360001", "SCT", "^89^Zirconium")],
        "RadionuclideHalfLife": "282276",
        "RadiopharmaceuticalStartDateTime": None,
    }
    assert any("imaged days later" in text for text in issues(drug=drug))


def test_all_issues_are_collected() -> None:
    drug = {"RadionuclideTotalDose": "370", "RadionuclideHalfLife": "109.8"}
    found = issues(PatientWeight="0", drug=drug, CorrectedImage=["NORM"])
    for word in ("PatientWeight", "RadionuclideTotalDose", "RadionuclideHalfLife", "ATTN", "DECY"):
        assert any(word in issue for issue in found)


def test_tags_may_be_replaced_and_that_is_told() -> None:
    volume, headers = series(PatientWeight="70000", drug={"RadionuclideTotalDose": "370"})
    replace = {"PatientWeight": 70.0, "RadionuclideTotalDose": 370e6}
    found = suv(volume, headers=headers, replace=replace)
    np.testing.assert_allclose(found, COUNTS * 1000 * WEIGHT_KG / (DOSE_BQ * LEFT), rtol=EXACT)
    assert found.attrs["replaced"] == replace
    with pytest.raises(DicomError, match="not a tag that an SUV depends on"):
        suv(volume, headers=headers, replace={"Weight": 70.0})


def test_dynamic_series_begin_before_the_injection() -> None:
    drug = {"RadiopharmaceuticalStartDateTime": "20260102101142", "RadiopharmaceuticalStartTime": "101142"}
    volume, headers = series(drug=drug, SeriesType=["DYNAMIC", "IMAGE"])
    found = suv(volume, headers=headers)
    assert found.attrs["times"]["delay_s"] == -30.0
    np.testing.assert_allclose(found, COUNTS * 1000 * WEIGHT_KG / (DOSE_BQ * 2 ** (30 / HALF_LIFE_S)), rtol=EXACT)


def test_frames_that_contradict_the_series_time_are_said() -> None:
    volume, headers = series(FrameReferenceTime="660000")  # the frames began at the series time
    assert any("-600 s" in text for text in suv(volume, headers=headers).attrs["warnings"])


def test_series_whose_dates_were_removed() -> None:
    drug = {"RadiopharmaceuticalStartDateTime": None}
    gone = {"SeriesDate": ..., "AcquisitionDate": ..., "StudyDate": ...}
    volume, headers = series(drug=drug, **gone)
    found = suv(volume, headers=headers)
    assert found.attrs["times"]["delay_s"] == DELAY_S
    assert any("no date" in text for text in found.attrs["warnings"])


def test_missing_slices_and_time_points() -> None:
    _, headers = series(DecayCorrection="NONE", CorrectedImage=["ATTN"])
    many: list[Any] = [*headers, *headers]
    many[2] = None
    values = np.ones((2, *GRID.shape))
    values[0, 2] = np.nan
    found = suv(make_volume(values, GRID, name="image", units="Bq/ml"), headers=many)
    assert found.dims == ("t", "z", "y", "x")
    assert np.isnan(found[0, 2]).all()
    assert np.isfinite(found[1]).all()
    with pytest.raises(DicomError, match="headers that do not belong to the volume"):
        suv(make_volume(values, GRID, name="image", units="Bq/ml"), headers=headers)


def test_a_part_of_a_volume_will_do_where_all_slices_are_alike() -> None:
    volume, headers = series()
    volume.attrs["pet"] = pet_tags(headers)
    np.testing.assert_array_equal(suv(volume[1:3]), suv(volume)[1:3])
    volume, headers = series(
        DecayCorrection="NONE", CorrectedImage=["ATTN"], per_slice=lambda k: {"AcquisitionTime": f"10{k + 12}00"}
    )
    volume.attrs["pet"] = pet_tags(headers)
    with pytest.raises(DicomError, match="cut what it returns"):
        suv(volume[1:3])


def test_stored_values_are_refused() -> None:
    volume, headers = series()
    volume.attrs["rescale"] = "stored"
    with pytest.raises(DicomError, match="RescaleSlope"):
        suv(volume, headers=headers)
    with pytest.raises(DicomError, match="no image"):
        suv(xr.Dataset({"dose": volume}))


def test_none_without_the_headers_is_refused() -> None:
    volume, headers = series(DecayCorrection="NONE", CorrectedImage=["ATTN"])
    tags = pet_tags(headers)
    volume.attrs |= {key: value for key, value in tags.items() if key != "slices"} | tags["slices"][0]
    with pytest.raises(DicomError) as caught:
        suv(volume)
    assert "headers=" in str(caught.value)


def test_unknown_method_and_no_pet() -> None:
    volume, headers = series()
    with pytest.raises(UnknownName, match="lbm_james"):
        suv(volume, method="lbm_jams", headers=headers)
    with pytest.raises(DicomError, match="no SUV"):
        suv(volume)


def test_whole_numbers_become_floating_point() -> None:
    _, headers = series()
    found = suv(make_volume(STORED, GRID, name="image", units="Bq/ml"), headers=headers)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "nuclide"),
    [
        ("^18^Fluorine", "18F"), ("18F", "18F"), ("F-18", "18F"), ("Fluorine-18", "18F"), ("F^18^[^18^Fluorine]", "18F"),
        ("^68^Gallium", "68Ga"), ("Ga-68 DOTATATE", "68Ga"), ("^82^Rubidium", "82Rb"), ("^94m^Technetium", "94mTc"),
        ("[18F]FDG", "18F"), ("FDG -- fluorodeoxyglucose", ""), ("Solution", ""), ("", ""), ("^11^Carbon", "11C"),
    ],
)  # fmt: skip
def test_nuclides_by_name(text: str, nuclide: str) -> None:
    assert parse_nuclide(text) == nuclide


def test_unknown_nuclides_are_said() -> None:
    drug = {"RadionuclideCodeSequence": None, "Radiopharmaceutical": "Something", "RadionuclideHalfLife": "5000"}
    volume, headers = series(drug=drug)
    assert any("not checked" in text for text in suv(volume, headers=headers).attrs["warnings"])


def test_half_lives_are_in_seconds() -> None:
    assert math.isclose(HALF_LIVES_S["18F"] / 60, 109.7, rel_tol=1e-3)
    assert math.isclose(HALF_LIVES_S["89Zr"] / 3600, 78.4, rel_tol=1e-3)
    assert math.isclose(HALF_LIVES_S["124I"] / 86400, 4.176, rel_tol=1e-3)


def test_times() -> None:
    assert moment("20260102", "101112.25").microsecond == 250_000
    assert moment("2026.01.02", "10:11:12") == moment("20260102", "101112")
    assert moment("20260102", "10").hour == 10
    assert date_time("20260102101112.5-0500", zone="+0100") == moment("20260102", "161112.5")
    for wrong in (("", "101112"), ("20261302", "101112"), ("20260102", "251112"), ("20260102", "1"), ("20260102", "x")):
        with pytest.raises(ValueError):
            moment(*wrong)
    for text in ("20260102", "2026", "", "20260102101112+99"):
        with pytest.raises(ValueError):
            date_time(text)


def test_real_series(mirror: Path) -> None:
    """The reference values of the notes on the IBSI's soft-tissue sarcoma: GML, 48 slopes."""
    folder = mirror / "sts002_ct_mr_pet" / "STS_002" / "PET" / "dicom" / "image"
    data = read_dicom(folder)
    found = suv(data)
    assert found.shape == (48, 27, 30)
    assert float(found.max()) == pytest.approx(21.675747, abs=1e-5)  # as the reference was printed, in float32
    assert found.attrs["method"] == "SUVbw"
    lean = suv(data, method="sul")
    lean_kg = 9270 * 99 / (6680 + 216 * 99 / 1.74**2)
    assert float(lean.max()) == pytest.approx(21.675747 * lean_kg / 99, rel=1e-6)


def test_two_tracers_are_refused_until_one_is_named() -> None:
    volume, headers = series()
    for header in headers:
        header.RadiopharmaceuticalInformationSequence.append(item(RadionuclideTotalDose="1"))
    with pytest.raises(DicomError) as caught:
        suv(volume, headers=headers)
    assert "2 of them" in str(caught.value)
    first = pet_tags(headers)["RadiopharmaceuticalInformationSequence"][:1]
    found = suv(volume, headers=headers, replace={"RadiopharmaceuticalInformationSequence": first})
    np.testing.assert_allclose(found, COUNTS * 1000 * WEIGHT_KG / (DOSE_BQ * LEFT), rtol=EXACT)


def test_a_volume_that_was_read_has_the_times_of_every_slice(tmp_path: Path) -> None:
    begin = ["101712", "101512", "101312", "101112"]  # bed positions from the feet up: the first slice is the last
    per_slice = [
        {"AcquisitionTime": b, "ActualFrameDuration": "120000", "RescaleSlope": f"{2 + k}"} for k, b in enumerate(begin)
    ]
    options = {"per_slice": per_slice, "CorrectedImage": ["ATTN"], "DecayCorrection": "NONE"}
    write_series(tmp_path, STORED, GRID, modality="PET", names=["d", "a", "c", "b"], **options)
    volume = read_dicom(tmp_path)
    left = 2 ** (-(DELAY_S + np.array([420.0, 300.0, 180.0, 60.0])) / HALF_LIFE_S)
    slopes = np.array([2.0, 3.0, 4.0, 5.0])
    wanted = COUNTS * (slopes / left)[:, None, None] * 1000 * WEIGHT_KG / DOSE_BQ
    np.testing.assert_allclose(suv(volume), wanted, rtol=SINGLE)
    json.dumps(volume.attrs["pet"], allow_nan=False)
    with pytest.raises(DicomError, match="do not belong to the volume"):
        suv(volume.isel(z=slice(1, 3)))


def test_an_unreadable_weight_keeps_nobody_from_the_image(tmp_path: Path) -> None:
    for path in write_series(tmp_path, STORED, GRID, modality="PET", PatientWeight="77.5555"):
        path.write_bytes(path.read_bytes().replace(b"77.5555", b"seventy"))
    volume = read_dicom(tmp_path)
    assert volume["image"].shape == GRID.shape
    with pytest.raises(DicomError) as caught:
        suv(volume)
    assert [issue.what for issue in caught.value.issues] == ["not a number"]
    assert "seventy" in str(caught.value)
    assert float(suv(volume, replace={"PatientWeight": WEIGHT_KG}).max()) > 0
