"""Dose reports made by code, read back: events, units, totals, odd reports."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from braggbook.errors import DicomError, ImagingError
from braggbook.imaging.dicom.exposure import COLUMNS, effective_dose, exposure_table, read_exposure
from braggbook.imaging.dicom.index import index_dicom
from braggbook.testing.dicom import code, example_grid, item, make_rdsr, make_series, make_uid, write_dicom
from braggbook.testing.dicom.reports import coded, container, number

EXACT = 1e-12


def node(dataset: Dataset, *path: str) -> Dataset:
    """The first content item on a path of code values."""
    for value in path:
        dataset = next(i for i in dataset.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == value)
    return dataset


def told(found: Any) -> list[str]:
    return [str(issue) for issue in found.issues]


def test_ct() -> None:
    found = read_exposure(make_rdsr("ct"))
    assert not found.issues
    assert list(found.events.columns) == list(COLUMNS)
    scout, spiral = found.events.to_dict("records")
    assert spiral["kind"] == "CT"
    assert (spiral["ctdi_vol_mgy"], spiral["dlp_mgy_cm"], spiral["scan_length_mm"]) == (8.0, 240.0, 300.0)
    assert (spiral["kvp_kv"], spiral["tube_current_ma"], spiral["exposure_time_s"]) == (120.0, 100.0, 5.0)
    assert spiral["tube_load_mas"] == 500.0
    assert spiral["pitch"] == 1.0
    assert math.isnan(scout["pitch"])
    assert spiral["phantom"] == "IEC Body Dosimetry Phantom"
    assert (spiral["region"], spiral["protocol"], spiral["acquisition"]) == ("Chest", "Chest", "Spiral Acquisition")
    assert spiral["event_uid"] == make_uid(1, "ct", "event", 1)
    assert spiral["device"] == "Braggbook Generator"
    assert math.isnan(spiral["dap_gy_cm2"])
    assert spiral["agent"] == ""
    totals = found.totals.set_index("quantity")
    assert totals.loc["dlp_mgy_cm", "reported"] == totals.loc["dlp_mgy_cm", "sum_of_events"] == 245.0
    assert totals.loc["events", "reported"] == 2


def test_projection() -> None:
    found = read_exposure(make_rdsr("projection"))
    assert not found.issues
    fluoro, cine = found.events.to_dict("records")
    assert fluoro["dap_gy_cm2"] == pytest.approx(0.2, rel=EXACT)  # 2e-5 Gy m2
    assert fluoro["dose_rp_mgy"] == pytest.approx(2.0, rel=EXACT)
    assert (fluoro["event"], cine["event"]) == ("Fluoroscopy", "Stationary Acquisition")
    assert (fluoro["plane"], fluoro["duration_s"], fluoro["exposure_time_s"]) == ("Single Plane", 4.0, 0.01)
    assert f"{fluoro['started']:%Y%m%d%H%M%S}" == "20260102101112"


def test_mammography_is_a_projection() -> None:
    event = {"average_glandular_dose_mgy": 1.25, "compression_mm": 51, "exposure_uas": 63e3}
    row = read_exposure(make_rdsr("projection", events=[event])).events.iloc[0]
    assert (row["average_glandular_dose_mgy"], row["compression_mm"]) == (1.25, 51.0)
    assert row["tube_load_mas"] == pytest.approx(63.0, rel=EXACT)


def test_radiopharmaceutical() -> None:
    event = {"activity_mbq": 312.5, "effective_dose_msv": 5.9}
    row = read_exposure(make_rdsr("radiopharmaceutical", events=[event])).events.iloc[0]
    assert (row["kind"], row["activity_mbq"], row["half_life_s"]) == ("radiopharmaceutical", 312.5, 6586.2)
    assert (row["volume_ml"], row["effective_dose_msv"]) == (5.0, 5.9)
    assert (row["agent"], row["nuclide"], row["route"]) == (
        "Fluorodeoxyglucose F^18^", "^18^Fluorine", "Intravenous route",
    )  # fmt: skip
    assert f"{row['started']:%H%M%S}" == "091112"


@pytest.mark.parametrize(
    ("kind", "event", "column", "value"),
    [
        ("ct", {"ctdi_vol_mgy": (0.008, "Gy")}, "ctdi_vol_mgy", 8.0),
        ("ct", {"dlp_mgy_cm": (0.24, "Gy.cm")}, "dlp_mgy_cm", 240.0),
        ("ct", {"dlp_mgy_cm": (240.0, "mGycm")}, "dlp_mgy_cm", 240.0),
        ("ct", {"scan_length_mm": (30.0, "cm")}, "scan_length_mm", 300.0),
        ("ct", {"exposure_time_s": (1500.0, "ms")}, "exposure_time_s", 1.5),
        ("ct", {"kvp_kv": (120_000.0, "V")}, "kvp_kv", 120.0),
        ("projection", {"dap_gy_m2": (35.0, "uGy.m2")}, "dap_gy_cm2", 0.35),
        ("projection", {"dap_gy_m2": (3.5, "dGy.cm2")}, "dap_gy_cm2", 0.35),
        ("projection", {"dap_gy_m2": (350.0, "mGy.cm2")}, "dap_gy_cm2", 0.35),
        ("projection", {"dose_rp_gy": (12.0, "mGy")}, "dose_rp_mgy", 12.0),
        ("projection", {"exposure_uas": (2.5, "mA.s")}, "tube_load_mas", 2.5),
        ("radiopharmaceutical", {"activity_mbq": (3.7e8, "Bq")}, "activity_mbq", 370.0),
        ("radiopharmaceutical", {"activity_mbq": (0.37, "GBq")}, "activity_mbq", 370.0),
    ],
)
def test_units_are_brought_together(kind: str, event: dict[str, Any], column: str, value: float) -> None:
    found = read_exposure(make_rdsr(kind, events=[event], totals={}))
    assert not found.issues
    assert found.events[column][0] == pytest.approx(value, rel=EXACT)


def test_units_that_are_not_understood_are_no_numbers() -> None:
    found = read_exposure(make_rdsr("ct", events=[{"dlp_mgy_cm": (240.0, "furlong")}], totals={}))
    assert math.isnan(found.events["dlp_mgy_cm"][0])
    assert told(found) == ["dataset 0: DLP: a unit that is not understood; wanted mGy cm, got furlong"]
    found = read_exposure(make_rdsr("ct", events=[{"dlp_mgy_cm": (240.0, "mGy")}], totals={}))
    assert math.isnan(found.events["dlp_mgy_cm"][0])


def test_totals_that_differ_are_issues() -> None:
    found = read_exposure(make_rdsr("ct", totals={"dlp_mgy_cm": 300.0, "events": 5}))
    assert any("accumulated value that is not the sum" in text and "got 300" in text for text in told(found))
    assert any("number of events that is not theirs; wanted 2, got 5" in text for text in told(found))
    assert not read_exposure(make_rdsr("ct", totals={"dlp_mgy_cm": 246.0})).issues  # rounding


def test_totals_by_plane() -> None:
    events = [
        {"plane": "A", "dap_gy_m2": 1e-4, "dose_rp_gy": 0.01},
        {"plane": "B", "dap_gy_m2": 3e-4, "dose_rp_gy": 0.02},
        {"plane": "A", "dap_gy_m2": 2e-4, "dose_rp_gy": 0.03},
    ]
    found = read_exposure(make_rdsr("projection", events=events))
    assert not found.issues
    dap = found.totals[found.totals["quantity"] == "dap_gy_cm2"].set_index("plane")
    np.testing.assert_allclose(dap.loc[["Plane A", "Plane B"], "sum_of_events"], [3.0, 3.0], rtol=EXACT)
    wrong = {"A": {"dap_gy_m2": 3e-4}, "B": {"dap_gy_m2": 1e-4}}
    text = told(read_exposure(make_rdsr("projection", events=events, totals=wrong)))
    assert len(text) == 1
    assert "dap_gy_cm2 of Plane B" in text[0]


def test_two_tubes() -> None:
    dataset = make_rdsr("ct", events=[{"dlp_mgy_cm": 10.0, "kvp_kv": 90}])
    second = container(
        ("113831", "DCM", "CT X-Ray Source Parameters"),
        number(("113733", "DCM", "KVP"), 150, "kV"),
        number(("113734", "DCM", "X-Ray Tube Current"), 60, "mA"),
    )
    node(dataset, "113819", "113822").ContentSequence.append(second)
    row = read_exposure(dataset).events.iloc[0]
    assert (row["kvp_kv"], row["second_kvp_kv"], row["second_tube_current_ma"]) == (90.0, 150.0, 60.0)
    assert row["tube_load_mas"] == 800.0


def test_pulses_are_averaged_or_summed() -> None:
    dataset = make_rdsr("projection", events=[{"kvp_kv": 70, "exposure_time_ms": 5}], totals={})
    event = node(dataset, "113706")
    event.ContentSequence.append(number(("113733", "DCM", "KVP"), 90, "kV"))
    event.ContentSequence.append(number(("113824", "DCM", "Exposure Time"), 7, "ms"))
    row = read_exposure(dataset).events.iloc[0]
    assert row["kvp_kv"] == 80.0
    assert row["exposure_time_s"] == pytest.approx(0.012, rel=EXACT)


def test_an_event_is_counted_once() -> None:
    first, again = make_rdsr("ct"), make_rdsr("ct", SOPInstanceUID=make_uid("again"))
    found = read_exposure([first, again])
    assert len(found.events) == 2
    assert sum("counted once" in text for text in told(found)) == 2
    other = make_rdsr("ct", events=[{"dlp_mgy_cm": 1.0}, {"dlp_mgy_cm": 239.0, "scan_length_mm": 300}])
    assert any("differ in" in text and "dlp_mgy_cm" in text for text in told(read_exposure([first, other])))


def test_partial_reports() -> None:
    dataset = make_rdsr("ct")
    dose = node(dataset, "113819", "113829")
    dose.ContentSequence[0].MeasuredValueSequence = Items()  # the scanner did not know it
    del dose.ContentSequence[-1]
    dataset.CompletionFlag = "PARTIAL"
    found = read_exposure(dataset)
    assert math.isnan(found.events["ctdi_vol_mgy"][0])
    assert math.isnan(found.events["dlp_mgy_cm"][0])
    assert any("not complete" in text for text in told(found))
    assert any("not the sum of its events" in text for text in told(found))


def test_reports_without_events() -> None:
    found = read_exposure(make_rdsr("ct", events=[]))
    assert len(found.events) == 0
    assert list(found.events.columns) == list(COLUMNS)
    assert any("without an event" in text for text in told(found))


def test_odd_values() -> None:
    dataset = make_rdsr("projection", totals={})
    event = node(dataset, "113706")
    node(event, "111526").DateTime = "yesterday"
    value = node(event, "122130").MeasuredValueSequence[0]
    value.NumericValue = "-1"
    node(event, "113738").MeasuredValueSequence[0].MeasurementUnitsCodeSequence = Items()
    found = read_exposure(dataset)
    row = found.events.iloc[0]
    assert row["started"] is not None
    assert np.isnat(row["started"].to_datetime64())
    assert math.isnan(row["dap_gy_cm2"])
    assert math.isnan(row["dose_rp_mgy"])
    for text in ("not a date and time", "below 0", "a unit that is not understood"):
        assert any(text in issue for issue in told(found)), told(found)


def test_reports_of_other_kinds_are_named() -> None:
    patient = make_rdsr("ct", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.73")
    with pytest.raises(DicomError) as caught:
        read_exposure(patient)
    assert "Patient Radiation Dose SR" in str(caught.value)
    with pytest.raises(DicomError, match="no radiation dose report"):
        read_exposure(Dataset())


def test_a_dose_report_of_a_general_class_is_read() -> None:
    """Scanners of before 2005 wrote TID 10011 as Enhanced SR."""
    assert len(read_exposure(make_rdsr("ct", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22")).events) == 2


def test_a_folder(tmp_path: Path) -> None:
    write_dicom(make_rdsr("ct"), tmp_path / "a" / "one")
    write_dicom(make_rdsr("projection"), tmp_path / "b" / "two.dcm")
    grid = example_grid(shape=(1, 4, 4))
    write_dicom(make_series(np.zeros((1, 4, 4), np.int16), grid)[0], tmp_path / "image.dcm")
    (tmp_path / "notes.txt").write_text("no DICOM", encoding="utf-8")
    table = exposure_table(tmp_path)
    assert sorted(table["kind"]) == ["CT", "CT", "projection", "projection"]
    assert any("notes.txt" in text for text in table.attrs["issues"])
    assert set(table["report"]) == {str(tmp_path / "a" / "one"), str(tmp_path / "b" / "two.dcm")}
    assert len(exposure_table(index_dicom(tmp_path))) == 4
    assert len(exposure_table([tmp_path / "a" / "one", tmp_path / "b"])) == 4


def test_no_report(tmp_path: Path) -> None:
    grid = example_grid(shape=(1, 4, 4))
    write_dicom(make_series(np.zeros((1, 4, 4), np.int16), grid)[0], tmp_path / "image.dcm")
    with pytest.raises(DicomError, match="no radiation dose report"):
        exposure_table(tmp_path)


def test_a_damaged_report_leaves_the_rest(tmp_path: Path) -> None:
    whole = write_dicom(make_rdsr("ct"), tmp_path / "whole.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    table = exposure_table(tmp_path)
    assert (table["report"] == str(tmp_path / "whole.dcm")).sum() == 2


def test_deep_nesting(tmp_path: Path) -> None:
    """Hundreds of containers in containers do not end the process."""
    inside = coded(("121058", "DCM", "Procedure reported"), ("1", "99X", "x"))
    for _ in range(300):
        inside = container(("113701", "DCM", "X-Ray Radiation Dose Report"), inside)
    dataset = make_rdsr("ct")
    dataset.ContentSequence.append(inside)
    assert len(read_exposure(dataset).events) == 2


def test_effective_dose_needs_its_coefficient_and_source() -> None:
    events = exposure_table([make_rdsr("ct"), make_rdsr("projection")])
    found = effective_dose(events, k_msv_per_mgy_cm=0.014, source="AAPM Report 96, table 3")
    np.testing.assert_allclose(found["e_k_dlp_msv"], [0.014 * 5.0, 0.014 * 240.0], rtol=EXACT)
    assert found.attrs["k_source"] == "AAPM Report 96, table 3"
    by_region = effective_dose(events, k_msv_per_mgy_cm={"Chest": 0.014}, source="AAPM Report 96, table 3")
    np.testing.assert_array_equal(by_region["e_k_dlp_msv"], found["e_k_dlp_msv"])
    assert "e_k_dlp_msv" not in events
    with pytest.raises(ImagingError, match="without its source"):
        effective_dose(events, k_msv_per_mgy_cm=0.014, source=" ")
    with pytest.raises(ImagingError, match="Chest: no coefficient"):
        effective_dose(events, k_msv_per_mgy_cm={"Head": 0.0021}, source="AAPM Report 96, table 3")
    with pytest.raises(ImagingError, match="not plausible"):
        effective_dose(events, k_msv_per_mgy_cm=14.0, source="AAPM Report 96, table 3")


def test_other_code_schemes() -> None:
    """Before 2016 these concepts were SNOMED-RT's."""
    dataset = make_rdsr("radiopharmaceutical")
    agent = node(dataset, "113502", "349358000")
    agent.ConceptNameCodeSequence = Items([code("F-61FDB", "SRT", "Radiopharmaceutical agent")])
    agent.ContentSequence[0].ConceptNameCodeSequence = Items([code("C-10072", "SRT", "Radionuclide")])
    agent.ContentSequence[1].ConceptNameCodeSequence = Items([code("R-42806", "SRT", "Radionuclide Half Life")])
    row = read_exposure(dataset).events.iloc[0]
    assert (row["nuclide"], row["half_life_s"]) == ("^18^Fluorine", 6586.2)


def test_content_without_a_concept() -> None:
    dataset = make_rdsr("ct")
    dataset.ContentSequence.append(item(RelationshipType="CONTAINS", ValueType="NUM"))
    assert len(read_exposure(dataset).events) == 2


def test_values_that_pydicom_cannot_convert(tmp_path: Path) -> None:
    path = write_dicom(make_rdsr("ct", totals={}), tmp_path / "report.dcm")
    raw = path.read_bytes()
    assert raw.count(b"240.0 ") == 1
    path.write_bytes(raw.replace(b"240.0 ", b"24O.0 "))
    found = read_exposure(path)
    assert math.isnan(found.events["dlp_mgy_cm"][1])
    assert found.events["ctdi_vol_mgy"][1] == 8.0
    assert any("DLP: not a number" in text for text in told(found))


def test_thousands_of_sequences_within_sequences(tmp_path: Path) -> None:
    path = write_dicom(make_rdsr("ct"), tmp_path / "a" / "whole.dcm")
    opened = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    raw = write_dicom(make_rdsr("ct", ContentSequence=...), tmp_path / "b.dcm").read_bytes()
    (tmp_path / "a" / "deep.dcm").write_bytes(raw + 5000 * opened + 5000 * closed)
    found = read_exposure(tmp_path / "a")
    assert set(found.events["report"]) == {str(path)}
    assert any("deep.dcm" in text for text in told(found))


def test_what_is_no_place() -> None:
    with pytest.raises(DicomError, match="not a place with reports"):
        exposure_table(7)
    assert len(exposure_table(iter([make_rdsr("ct")]))) == 2


def test_highdicom_reads_the_same_numbers() -> None:
    """An independent reader of structured reports walks the same tree."""
    from highdicom import sr

    def walk(node: Any) -> Any:
        for child in getattr(node, "ContentSequence", None) or ():
            yield child
            yield from walk(child)

    wanted = {"ct": ("113838", "dlp_mgy_cm", 1), "projection": ("113738", "dose_rp_mgy", 1e3)}
    for kind, (value, column, factor) in wanted.items():
        dataset = make_rdsr(kind)
        (root,) = sr.ContentSequence.from_sequence([dataset], is_root=True)
        numbers = [child for child in walk(root) if isinstance(child, sr.NumContentItem) and child.name.value == value]
        np.testing.assert_allclose(
            exposure_table(dataset)[column], [factor * float(each.value) for each in numbers], rtol=EXACT
        )
