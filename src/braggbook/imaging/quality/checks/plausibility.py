"""Plausibility: can these values be those of a person, a scanner, a treatment?

Ranges are wide: outside them a wrong unit or a wrong scale is far likelier than the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from braggbook.errors import DicomError
from braggbook.imaging.dicom.images import header_of, tag_name
from braggbook.imaging.dicom.pet import suv
from braggbook.imaging.geometry import Grid
from braggbook.imaging.quality.evidence import Evidence, Head, SeriesEvidence, value_of
from braggbook.imaging.quality.registry import PLACED, Finding, NotApplicable, NotAssessed, check
from braggbook.imaging.quality.statistics import sample_of, threshold_of
from braggbook.imaging.volumes import make_volume

# Manual of the Catphan 503: air -1046 to -986 HU in a phantom; beside a patient there is noise, cloth and scatter
_AIR_HU = (-1050.0, -950.0)
_TISSUE_HU = (-150.0, 150.0)  # fat is -100, muscle 50; the median of a body lies between, with contrast agent too
_BODY_HU = -500.0
_BIN_HU = 20.0  # of a histogram: below the noise of air
_AIR_CONTRAST_HU = 800.0  # tissue less air is 1000; bone less tissue some hundreds
_LEAST_SHARE = 0.005  # of voxels, for a median of them
_RANGE_HU = (-1100.0, 33000.0)  # below air there is nothing; extended scales of metal end at 32767
_PLATEAU = 1e-3
_FLOOR_HU = -900.0  # air is lower; a crop within a body has one lowest voxel, not a plateau
_SUV = (0.5, 200.0)  # of the hottest voxel: below, nothing was taken up; bladders reach 100
_LARGEST_GY = 200.0  # high-dose brachytherapy grids aside, which have no prescription to compare with
_OF_PRESCRIPTION = (0.8, 2.0)
_RANGES: dict[str, tuple[float, float, str, str]] = {
    "PatientWeight": (0.3, 400.0, "kg", "infants that survive weigh 0.3 kg; scanners' tables carry 300 kg"),
    "PatientSize": (0.25, 2.6, "m", "smallest infants to tallest persons"),
    "SliceThickness": (0.05, 20.0, "mm", "micro-CT of small animals to thick radiographic slices"),
    "KVP": (20.0, 200.0, "kV", "mammography to orthovoltage imaging"),
    "MagneticFieldStrength": (0.01, 21.1, "T", "portable to small-animal magnets; larger numbers are gauss"),
}
_NAMED_ELSEWHERE = ("missing", "not the same in all slices")  # by completeness and consistency
_SPACING_MM = (0.01, 10.0)
_AGE = re.compile(r"(\d{3})([DWMY])")
_OLDEST = 120.0
_YEARS = {"D": 1 / 365.25, "W": 1 / 52.18, "M": 1 / 12, "Y": 1.0}


def _sample(series: SeriesEvidence) -> Any:
    if not series.slices:
        raise NotApplicable
    if not series.measured:
        raise NotAssessed("pixels were not read" if not series.pixels_read else "no pixels can be read")
    return sample_of([each for _, each in series.measured])


def _is_shifted(sample: Any) -> bool:
    """Whether nothing is below -500 HU in an image whose two halves are as far apart as air and tissue."""
    if (sample < _BODY_HU).sum() >= _LEAST_SHARE * sample.size:
        return False
    threshold = threshold_of(sample)
    if threshold is None:
        return False
    return float(np.median(sample[sample > threshold]) - np.median(sample[sample <= threshold])) > _AIR_CONTRAST_HU


def _name(series: SeriesEvidence) -> str:
    return f"{series.modality} series {series.series.uid}"


@check(
    "plausibility.air",
    "Air has -1000 HU",
    dimension="plausibility",
    scope="series",
    modalities=("CT",),
    source="the highest peak below -500 HU within -1050 to -950 HU; in the Catphan 503 -1046 to -986 HU, by its manual",
)
def _check_air(series: SeriesEvidence) -> Iterable[Finding]:
    sample = _sample(series)
    found = sample[sample < _BODY_HU]
    wanted = f"{_AIR_HU[0]:.0f} to {_AIR_HU[1]:.0f} HU"
    if found.size < _LEAST_SHARE * sample.size:
        if not _is_shifted(sample):
            raise NotAssessed("no air in the field of view")
        yield Finding(
            _name(series), wanted, "nothing below -500 HU, though the image has the contrast of air", _INTERCEPT
        )
        return
    counts, edges = np.histogram(found, bins=np.arange(np.floor(found.min()), _BODY_HU + _BIN_HU, _BIN_HU))
    value = float(edges[int(np.argmax(counts))]) + _BIN_HU / 2  # lung has a broad peak, air a high one
    if not _AIR_HU[0] <= value <= _AIR_HU[1]:
        yield Finding(_name(series), wanted, f"{value:.0f} HU", _INTERCEPT)


_INTERCEPT = tag_name("RescaleIntercept")


@check(
    "plausibility.tissue",
    "The median of the body has the HU of soft tissue",
    dimension="plausibility",
    scope="series",
    modalities=("CT",),
    source="ICRU 44: fat -100, water 0, muscle 50 HU; voxels above -500 HU",
)
def _check_tissue(series: SeriesEvidence) -> Iterable[Finding]:
    sample = _sample(series)
    threshold = (threshold_of(sample) or _BODY_HU) if _is_shifted(sample) else _BODY_HU
    body = sample[sample > threshold]
    if body.size < _LEAST_SHARE * sample.size:
        yield Finding(_name(series), "a body above -500 HU", "nothing there", _INTERCEPT)
        return
    value = float(np.median(body))
    if not _TISSUE_HU[0] <= value <= _TISSUE_HU[1]:
        yield Finding(_name(series), f"{_TISSUE_HU[0]:.0f} to {_TISSUE_HU[1]:.0f} HU", f"{value:.0f} HU", _INTERCEPT)


@check(
    "plausibility.hu_range",
    "HU are within what they can be",
    dimension="plausibility",
    scope="series",
    modalities=("CT",),
    source="nothing attenuates less than air; extended scales end at 32767; named padding is left out",
)
def _check_hu_range(series: SeriesEvidence) -> Iterable[Finding]:
    _sample(series)
    for one, found in series.measured:
        if found.low < _RANGE_HU[0] or found.high > _RANGE_HU[1]:
            wanted = f"{_RANGE_HU[0]:.0f} to {_RANGE_HU[1]:.0f} HU"
            yield Finding(one.where, wanted, f"{found.low:.0f} to {found.high:.0f} HU", tag_name("PixelPaddingValue"))


@check(
    "plausibility.hu_clipped",
    "HU are not cut off, of bone and metal or of air",
    dimension="plausibility",
    scope="series",
    modalities=("CT",),
    source=f"more than {_PLATEAU:.1%} of voxels at the largest HU of the series, or at the smallest if it is above "
    f"{_FLOOR_HU:.0f} HU; twelve bits end at 3071 HU, air at -1000 HU",
)
def _check_hu_clipped(series: SeriesEvidence) -> Iterable[Finding]:
    _sample(series)
    frames = series.measured
    top, bottom = max(each.high for _, each in frames), min(each.low for _, each in frames)
    if top == bottom:
        raise NotAssessed("all voxels are equal")
    at_bottom = sum(each.at_low for _, each in frames if each.low == bottom) / sum(each.count for _, each in frames)
    if bottom > _FLOOR_HU and at_bottom > _PLATEAU:
        worst = max(((one, each) for one, each in frames if each.low == bottom), key=lambda pair: pair[1].at_low)[0]
        wanted = f"at most {_PLATEAU:.1%} at the bottom"
        yield Finding(f"worst in {worst.where}", wanted, f"{at_bottom:.2%} at {bottom:.0f} HU")
    at_top = [(one, each) for one, each in frames if each.high == top]
    share = sum(each.at_high for _, each in at_top) / sum(each.count for _, each in frames)
    if share > _PLATEAU:
        worst = max(at_top, key=lambda pair: pair[1].at_high)[0]
        yield Finding(f"worst in {worst.where}", f"at most {_PLATEAU:.1%} at the top", f"{share:.2%} at {top:.0f} HU")


@check(
    "plausibility.suv",
    "The largest SUV is that of a living tissue",
    dimension="plausibility",
    scope="series",
    modalities=("PT",),
    uses=("suv",),
    source=f"{_SUV[0]} to {_SUV[1]:.0f} g/ml: physiological uptake to a full bladder",
)
def _check_suv_range(series: SeriesEvidence) -> Iterable[Finding]:
    _sample(series)
    factor = _suv_factor(series)
    top = max(((one, each.high * factor) for one, each in series.measured), key=lambda pair: pair[1])
    if not _SUV[0] <= top[1] <= _SUV[1]:
        yield Finding(top[0].where, f"{_SUV[0]} to {_SUV[1]:.0f} g/ml", f"{top[1]:.4g} g/ml", tag_name("Units"))


def _suv_factor(series: SeriesEvidence) -> float:
    """Returns SUVbw over stored activity concentration, without decay: a check of orders of magnitude needs no more."""
    stated = {each.tags.get("Units") for each in series.slices}
    if len(stated) > 1:
        raise NotAssessed("slices are in several units")
    units = stated.pop()
    if units == "GML":
        return 1.0
    if units != "BQML":
        raise NotAssessed(f"values are in {units or 'no stated unit'}, which no rule of ours makes SUV")
    dataset = header_of(series.series.instances[0]).dataset
    weight = value_of(dataset, "PatientWeight")
    dose = value_of(dataset, "RadiopharmaceuticalInformationSequence/RadionuclideTotalDose")
    if not isinstance(weight, float) or not isinstance(dose, float) or dose <= 0:
        raise NotAssessed("weight or activity is missing")
    return weight * 1000.0 / dose


@check(
    "plausibility.suv_header",
    "What SUV are computed from is plausible: nuclide, half-life, activity, weight, times, corrections",
    dimension="plausibility",
    scope="series",
    modalities=("PT",),
    uses=("suv",),
    source="the SUV of Braggbook, which refuses what this names; docs/how-to/suv.md has its rules and their sources",
)
def _check_suv_header(series: SeriesEvidence) -> Iterable[Finding]:
    headers = [header_of(each).dataset for each in series.series]
    if any(each.get("SharedFunctionalGroupsSequence") for each in headers):
        raise NotAssessed("no SUV of enhanced PET images is computed")
    one = Grid.from_axes((len(headers), 1, 1), spacing_mm=(1.0, 1.0, 1.0))
    try:
        suv(make_volume(np.ones(one.shape), one, name="image", units="1"), headers=headers)
    except DicomError as error:
        told = [issue for issue in error.issues if issue.what not in _NAMED_ELSEWHERE]
        if not told:
            raise NotAssessed("tags that it needs are missing, or differ between slices") from error
        for issue in told:
            yield Finding(_name(series), issue.wanted or issue.what, issue.got or issue.what, issue.where)


@check(
    "plausibility.dose",
    "The largest dose fits the prescription",
    dimension="plausibility",
    scope="all",
    uses=("dvh",),
    source=f"{_OF_PRESCRIPTION[0]} to {_OF_PRESCRIPTION[1]} times the largest prescription (stereotactic hot spots); "
    f"without a plan at most {_LARGEST_GY:.0f} Gy",
)
def _check_dose(evidence: Evidence) -> Iterable[Finding]:
    grids = [each for each in evidence.of("RTDOSE") if each.measured]
    if not grids:
        raise NotApplicable
    where, top = max(((one.where, each.high) for grid in grids for one, each in grid.measured), key=lambda p: p[1])
    name = tag_name("DoseGridScaling")
    prescribed = max((each for each in evidence.prescriptions_gy if each > 0), default=None)
    if prescribed is None:
        if not 0 < top <= _LARGEST_GY:
            yield Finding(where, f"above 0, at most {_LARGEST_GY:.0f} Gy", f"{top:.4g} Gy", name)
        return
    low, high = _OF_PRESCRIPTION[0] * prescribed, _OF_PRESCRIPTION[1] * prescribed
    if not low <= top <= high:
        yield Finding(where, f"{low:.4g} to {high:.4g} Gy ({prescribed:.4g} Gy prescribed)", f"{top:.4g} Gy", name)


@check(
    "plausibility.ranges",
    "Weight, height, thickness, voltage and field are within their ranges",
    dimension="plausibility",
    scope="instance",
    source="; ".join(f"{name} {low} to {high} {unit}: {why}" for name, (low, high, unit, why) in _RANGES.items()),
)
def _check_ranges(head: Head) -> Iterable[Finding]:
    known = False
    for keyword, (low, high, unit, _) in _RANGES.items():
        value = value_of(head.dataset, keyword)
        if isinstance(value, (int, float)):
            known = True
            if not low <= value <= high and not (keyword == "PatientWeight" and value == 0):
                yield Finding(head.where, f"{low} to {high} {unit}", f"{value:g} {unit}", tag_name(keyword))
    if not known:
        raise NotApplicable


@check(
    "plausibility.spacing",
    "Pixels have a size that scanners make",
    dimension="plausibility",
    scope="series",
    modalities=(*PLACED, "RTDOSE"),
    source=f"{_SPACING_MM[0]} to {_SPACING_MM[1]} mm: micro-CT to whole-body PET",
)
def _check_spacing(series: SeriesEvidence) -> Iterable[Finding]:
    known = [(each, each.tags["PixelSpacing"]) for each in series.slices if each.tags.get("PixelSpacing")]
    if not known:
        raise NotApplicable
    for each, value in known:
        if not all(_SPACING_MM[0] <= float(part) <= _SPACING_MM[1] for part in value):
            found = " x ".join(f"{float(part):g}" for part in value)
            yield Finding(
                each.where, f"{_SPACING_MM[0]} to {_SPACING_MM[1]} mm", f"{found} mm", tag_name("PixelSpacing")
            )


@check(
    "plausibility.age",
    "The age is that of a person, and fits the birth date",
    dimension="plausibility",
    scope="instance",
    source="DICOM PS3.5 6.2 (AS); 0 to 120 years; within a year and a month of study date less birth date",
)
def _check_age(head: Head) -> Iterable[Finding]:
    found = _AGE.fullmatch(str(head.instance.tags.get("PatientAge", "")))
    if found is None:
        raise NotApplicable
    years = int(found[1]) * _YEARS[found[2]]
    if years > _OLDEST:
        yield Finding(head.where, f"at most {_OLDEST:.0f} years", "more", tag_name("PatientAge"))
    birth, study = (str(head.instance.tags.get(name, "")) for name in ("PatientBirthDate", "StudyDate"))
    if len(birth) == 8 and len(study) == 8 and birth.isdigit() and study.isdigit():
        between = (int(study[:4]) - int(birth[:4])) + (int(study[4:6]) - int(birth[4:6])) / 12
        if abs(between - years) > 1 + 1 / 12:
            yield Finding(head.where, "study date less birth date", "another age", tag_name("PatientAge"))
