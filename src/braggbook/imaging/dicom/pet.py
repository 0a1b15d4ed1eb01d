"""Standardised uptake values of PET, by a method that is named.

SUV = activity concentration / (administered activity, decayed to when the concentration is) x size of the body, where
the size is the weight, a lean body mass, or a surface, by method:

- ``bw``: weight in g.
- ``lbm_james``: lean body mass in g; W 1.10 - 128 (W/H)^2 for men, W 1.07 - 148 (W/H)^2 for women, W in kg, H in cm
  (James 1976, Research on Obesity). DICOM's SUVlbm(James128).
- ``lbm_james120``: the same with 120 for men, a misprint that many scanners follow (DICOM's SUVlbm).
- ``lbm_janmahasatian``: 9270 W / (6680 + 216 BMI) for men, 9270 W / (8780 + 244 BMI) for women (Janmahasatian et al.
  2005, Clin. Pharmacokinet. 44:1051).
- ``sul``: the one of these that the EANM's guideline asks for: Janmahasatian's (Boellaard et al. 2015, Eur. J. Nucl.
  Med. Mol. Imaging 42:328). PERCIST 1.0 used James's, which fails in the obese (Tahari et al. 2014, J. Nucl. Med.
  55:1481).
- ``bsa``: body surface in cm^2; 0.007184 W^0.425 H^0.725 m^2 (Du Bois & Du Bois 1916, Arch. Intern. Med. 17:863).
- ``ibw``: ideal body weight in g; 48.0 + 1.06 (H - 152) kg for men, 45.5 + 0.91 (H - 152) kg for women (Sugawara et
  al. 1999, Radiology 213:521).

Sources of the rest: PS3.3 C.8.9.1 (PET series), PS3.16 (126401 to 126406); QIBA's vendor-neutral calculation. The
activity that stays in the syringe is not in these tags and is not taken off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import xarray as xr
from pydicom.dataset import Dataset

from braggbook.errors import DicomError, Issue, unknown_name
from braggbook.imaging.dicom.images import tag_name
from braggbook.imaging.dicom.pet_header import as_mapping, pet_tags, private_name
from braggbook.imaging.dicom.pet_tracer import Checks, Times, read_times

_KG = 1000.0  # g
_LN2 = math.log(2.0)
_MIDDLE_ERROR = 1e-3  # of activity in the middle of a frame against its mean; below the noise of any voxel
_OTHER_UNITS = {
    "CNTS": "counts", "NONE": "no unit", "CM2": "cm2", "PCNT": "percent", "CPS": "counts per second",
    "MGMINML": "mg/min/ml", "UMOLMINML": "umol/min/ml", "MLMING": "ml/min/g", "MLG": "ml/g", "1CM": "1/cm",
    "UMOLML": "umol/ml", "PROPCNTS": "proportional to counts", "PROPCPS": "proportional to counts per second",
    "MLMINML": "ml/min/ml", "MLML": "ml/ml", "STDDEV": "standard deviations",
}  # fmt: skip
_ENHANCED = ("1.2.840.10008.5.1.4.1.1.130", "1.2.840.10008.5.1.4.1.1.128.1")  # PET, and legacy converted PET


@dataclass(frozen=True)
class Body:
    """A patient's size; NaN and an empty text for what a method does not need."""

    weight_kg: float = math.nan
    height_m: float = math.nan
    sex: str = ""


@dataclass(frozen=True)
class Method:
    """One way to normalise an uptake.

    Attributes:
        name: As reports have it.
        units: Of the values.
        source: Of the formula.
        size: Of the body, in g or cm2.
        needs: Which attributes of the body.
    """

    name: str
    units: str
    source: str
    size: Callable[[Body], float]
    needs: tuple[str, ...]


def lean_mass_james_kg(body: Body, *, men: float = 128.0) -> float:
    """Returns the lean body mass by James (1976), whose ``men`` was misprinted as 120 in places."""
    ratio = (body.weight_kg / (100 * body.height_m)) ** 2
    if body.sex == "M":
        return 1.10 * body.weight_kg - men * ratio
    return 1.07 * body.weight_kg - 148.0 * ratio


def lean_mass_janmahasatian_kg(body: Body) -> float:
    """Returns the lean body mass by Janmahasatian et al. (2005)."""
    bmi = body.weight_kg / body.height_m**2
    first, second = (6680.0, 216.0) if body.sex == "M" else (8780.0, 244.0)
    return 9270.0 * body.weight_kg / (first + second * bmi)


def body_surface_cm2(body: Body) -> float:
    """Returns the body surface by Du Bois & Du Bois (1916)."""
    return float(0.007184 * body.weight_kg**0.425 * (100 * body.height_m) ** 0.725 * 1e4)


def ideal_weight_kg(body: Body) -> float:
    """Returns the ideal body weight as Sugawara et al. (1999) have it."""
    start, slope = (48.0, 1.06) if body.sex == "M" else (45.5, 0.91)
    return start + slope * (100 * body.height_m - 152.0)


_ALL = ("weight_kg", "height_m", "sex")
_JANMAHASATIAN = "Janmahasatian et al. 2005, Clin. Pharmacokinet. 44:1051"
METHODS: Mapping[str, Method] = {
    "bw": Method("SUVbw", "g/ml", "PS3.16 126401", lambda body: _KG * body.weight_kg, ("weight_kg",)),
    "lbm_james": Method(
        "SUVlbm (James 1976)", "g/ml", "James 1976; PS3.16 126406", lambda body: _KG * lean_mass_james_kg(body), _ALL
    ),
    "lbm_james120": Method(
        "SUVlbm (James with 120)",
        "g/ml",
        "PS3.16 126402",
        lambda body: _KG * lean_mass_james_kg(body, men=120.0),
        _ALL,
    ),
    "lbm_janmahasatian": Method(
        "SUVlbm (Janmahasatian 2005)",
        "g/ml",
        f"{_JANMAHASATIAN}; PS3.16 126405",
        lambda body: _KG * lean_mass_janmahasatian_kg(body),
        _ALL,
    ),
    "sul": Method(
        "SUL (lean body mass by Janmahasatian 2005)",
        "g/ml",
        f"Boellaard et al. 2015, Eur. J. Nucl. Med. Mol. Imaging 42:328; {_JANMAHASATIAN}",
        lambda body: _KG * lean_mass_janmahasatian_kg(body),
        _ALL,
    ),
    "bsa": Method("SUVbsa", "cm2/ml", "Du Bois & Du Bois 1916; PS3.16 126403", body_surface_cm2, _ALL[:2]),
    "ibw": Method(
        "SUVibw", "g/ml", "Sugawara et al. 1999; PS3.16 126404", lambda body: _KG * ideal_weight_kg(body), _ALL[1:]
    ),
}
# What values are that are SUVs already, by Units and SUVType (PS3.3 C.8.9.1).
_ALREADY = {
    ("GML", "BW"): "bw", ("GML", "LBM"): "lbm_james120", ("GML", "LBMJAMES128"): "lbm_james",
    ("GML", "LBMJANMA"): "lbm_janmahasatian", ("GML", "IBW"): "ibw", ("CM2ML", "BSA"): "bsa",
}  # fmt: skip


def suv(
    volume: xr.Dataset | xr.DataArray,
    *,
    method: str = "bw",
    headers: Sequence[Dataset | None] | None = None,
    replace: Mapping[str, Any] | None = None,
) -> xr.DataArray:
    """Returns standardised uptake values.

    Args:
        volume: (z, y, x) or (t, z, y, x) as :func:`read_dicom` returns it: its ``image`` after every slice's own
            RescaleSlope, in what the tag Units says.
        method: One of :data:`METHODS`.
        headers: Of each slice, z inside t, None for a missing one; needed where the volume does not bring along its
            headers' values (``attrs["pet"]``).
        replace: Keyword to value of tags that are wrong or missing, such as ``{"PatientWeight": 71.0}``; None takes a
            tag away.

    Returns:
        The same shape and grid, in g/ml, or in cm2/ml for ``bsa``. Attributes: ``method`` and ``source``; ``factor``
        (what values were multiplied with) and ``decay_factor`` (what is left of the administered activity), a number
        or one for each slice; ``times``; ``used`` (all that was read); ``replaced``; ``warnings``.

    Raises:
        UnknownName: No such method.
        DicomError: A tag is missing, contradicts another or is not plausible; ``issues`` lists all of them.
    """
    if method not in METHODS:
        raise unknown_name("SUV method", method, METHODS)
    image = _image(volume)
    tags = as_mapping(_tags(volume, image, headers), replace)
    if tags.get("SOPClassUID") in _ENHANCED:
        wanted = "classic images: its times, corrections and units are in other tags"
        command = 'read_dicom(..., rescale="real_world") for activity, and the formula above'
        raise DicomError("no SUV of an enhanced PET image", where=str(image.name), wanted=wanted, next_command=command)
    checks = Checks(tags)
    _check_series(checks)
    found = _already(checks, method) or _from_activity(checks, method)
    if checks.issues:
        command = 'suv(..., replace={"PatientWeight": ...}) for a tag whose value you know'
        where = str(image.name or "")
        raise DicomError("no SUV can be computed", where=where, next_command=command, issues=checks.issues)
    return _scaled(image, found, {"replaced": dict(replace or {}), "warnings": list(dict.fromkeys(checks.warnings))})


def _image(volume: xr.Dataset | xr.DataArray) -> xr.DataArray:
    if isinstance(volume, xr.Dataset) and "image" not in volume:
        raise DicomError("no image", wanted="a PET series as read_dicom reads it", got=", ".join(map(str, volume)))
    image = volume["image"] if isinstance(volume, xr.Dataset) else volume
    if (rescale := image.attrs.get("rescale", "modality")) != "modality":
        wanted = 'read_dicom(..., rescale="modality"): values that every slice\'s own RescaleSlope was applied to'
        raise DicomError("not the values that Units speaks of", where=str(image.name), wanted=wanted, got=str(rescale))
    return image


def _tags(volume: xr.Dataset | xr.DataArray, image: xr.DataArray, headers: Any) -> Mapping[str, Any]:
    if headers is not None:
        tags: Mapping[str, Any] = pet_tags(headers)
    else:  # a part of a volume may be given: where all slices have one factor, which of them are there does not matter
        tags = volume.attrs.get("pet") or image.attrs.get("pet") or {**image.attrs, **volume.attrs}
    if headers is not None:
        _check_count(image, len(headers))
    return tags


def _check_count(image: xr.DataArray, count: int) -> None:
    wanted = math.prod(image.sizes.get(axis, 1) for axis in "tz")
    if count != wanted:
        got = f"{count} headers for {wanted} slices"
        what = "headers that do not belong to the volume"
        command = "suv(...) of the whole volume, and cut what it returns"
        raise DicomError(what, where=str(image.name), wanted="one for each slice", got=got, next_command=command)


def _check_series(checks: Checks) -> None:
    """Looks for what makes any uptake wrong: mixed headers and corrections that were not made."""
    for keyword in checks.tags.get("differing", ()):
        checks.bad("not the same in all slices", keyword, wanted="one value for the series")
    if (count := len(checks.tags["RadiopharmaceuticalInformationSequence"])) > 1:
        checks.bad(
            "more than one tracer", "RadiopharmaceuticalInformationSequence", wanted="one", got=f"{count} of them"
        )
    if checks.tags.get("Modality") not in (None, "PT"):
        checks.bad("not a PET series", "Modality", wanted="PT", got=checks.tags["Modality"])
    corrected = checks.tags.get("CorrectedImage")
    if not corrected:
        checks.warnings.append("the series does not say what it was corrected for (CorrectedImage)")
        return
    done = {str(each).upper() for each in ([corrected] if isinstance(corrected, str) else corrected)}
    if "ATTN" not in done:
        checks.bad("not corrected for attenuation", "CorrectedImage", wanted="ATTN", got=", ".join(sorted(done)))
    if "DECY" not in done and checks.text("DecayCorrection") in ("START", "ADMIN"):
        wanted = f"DECY, as {tag_name('DecayCorrection')} says {checks.text('DecayCorrection')}"
        checks.bad("not corrected for decay", "CorrectedImage", wanted=wanted, got=", ".join(sorted(done)))


@dataclass(frozen=True)
class _Found:
    """How values become uptakes: a factor for the volume, or one for each slice, and what is told about it."""

    method: Method
    factor: Any
    attrs: Mapping[str, Any]


def _body(checks: Checks, needs: Collection[str]) -> Body:
    read: dict[str, Callable[[], Any]] = {
        "weight_kg": checks.weight_kg,
        "height_m": checks.height_m,
        "sex": checks.sex,
    }
    return Body(**{name: read[name]() for name in _ALL if name in needs})


def _size(checks: Checks, method: Method, body: Body) -> float:
    """Returns the size of the body by a method; NaN and an issue when the formula does not hold for it."""
    size = method.size(body)
    if any(body.sex == "" if name == "sex" else math.isnan(getattr(body, name)) for name in method.needs):
        return math.nan
    if (
        not 0
        < size
        < (math.inf if method.units == "cm2/ml" or method.name == "SUVibw" else 1.001 * _KG * body.weight_kg)
    ):
        got = f"{size:.0f} g for {body.weight_kg:g} kg and {body.height_m:g} m"
        checks.issues.append(Issue("a formula outside its range", method.name, "a mass of the body's", got))
        return math.nan
    if "James" in method.name and body.weight_kg / body.height_m**2 > (43.0 if body.sex == "M" else 36.2):
        # the formula's maximum: from there a heavier patient would have less lean mass
        checks.warnings.append(
            f"{method.name} falls with weight in a patient as heavy as this; Janmahasatian's does not"
        )
    return size


def _already(checks: Checks, method: str) -> _Found | None:
    """Returns the factor for values that are SUVs in the file; None when they are something else."""
    units = checks.text("Units")
    factors = [None if each is None else each.get("PhilipsSUVFactor") for each in checks.slices]
    if units == "CNTS" and any(factors):
        own, kind = "bw", f"Philips' SUV factor {private_name('PhilipsSUVFactor')}"
        scale = _private(checks, "PhilipsSUVFactor")
    elif units in ("GML", "CM2ML"):
        named = checks.text("SUVType") or {"GML": "BW", "CM2ML": "BSA"}[units]
        if not checks.text("SUVType"):
            checks.warnings.append(f"the series does not say which SUV it holds: taken as {named}")
        if (units, named) not in _ALREADY:
            known = ", ".join(kind for unit, kind in _ALREADY if unit == units)
            checks.bad(f"not a type of SUV in {units}", "SUVType", wanted=f"one of {known}", got=named)
            return _Found(METHODS[method], math.nan, {})
        own, kind, scale = _ALREADY[units, named], f"SUV in the file ({units}, {named})", 1.0
    else:
        return None
    used: dict[str, Any] = {"units": units, "values": kind}
    if own != method and {own, method} != {"sul", "lbm_janmahasatian"}:
        body = _body(checks, {*METHODS[own].needs, *METHODS[method].needs, "weight_kg"})
        scale = scale * _size(checks, METHODS[method], body) / (_size(checks, METHODS[own], body) or math.nan)
        used |= _told(body)
    return _Found(METHODS[method], scale, {"decay_factor": 1.0, "times": {}, "used": used})


def _private(checks: Checks, name: str) -> Any:
    """Returns a private factor: a number, or one for each slice (NaN for a missing one)."""
    found = []
    for number, each in enumerate(checks.slices):
        text = None if each is None else each.get(name)
        try:
            value = math.nan if each is None else float(str(text))
        except ValueError:
            value = 0.0
        if not (math.isnan(value) and each is None) and not (math.isfinite(value) and value > 0):
            wanted = "a number above 0"
            checks.issues.append(Issue(f"not usable in slice {number}", private_name(name), wanted, str(text)))
        found.append(value)
    alike = {value for value in found if not math.isnan(value)}
    return alike.pop() if len(alike) == 1 else np.array(found)


def _from_activity(checks: Checks, method: str) -> _Found:
    """Returns the factor for values that are Bq/ml, or become so by Philips' factor."""
    chosen, units, scale = METHODS[method], checks.text("Units"), 1.0
    if units == "CNTS" and any(each is not None and "PhilipsActivityFactor" in each for each in checks.slices):
        scale = _private(checks, "PhilipsActivityFactor")
    elif units == "CNTS":
        wanted = " or ".join(private_name(f"Philips{kind}Factor") for kind in ("SUV", "Activity"))
        checks.bad("counts without a factor", "Units", wanted=f"BQML, GML, CM2ML, or {wanted}", got="CNTS, counts")
    elif units != "BQML":
        got = f"{units}, {_OTHER_UNITS[units]}" if units in _OTHER_UNITS else units or "nothing"
        checks.bad("no activity and no SUV", "Units", wanted="BQML, GML, CM2ML, or CNTS of Philips", got=got)
    body = _body(checks, chosen.needs)
    size, dose_bq, half_life_s = _size(checks, chosen, body), checks.dose_bq(), checks.half_life_s()
    left, times = _decayed(checks, half_life_s)
    factor = np.asarray(scale) * size / (dose_bq * left)
    used = {"units": units, **_told(body), "dose_bq": dose_bq, "half_life_s": half_life_s, "nuclide": checks.nuclide()}
    told = {"decay_factor": _plain(left), "times": times, "used": {**used, "size": size}}
    return _Found(chosen, factor, told)


def _decayed(checks: Checks, half_life_s: float) -> tuple[Any, dict[str, Any]]:
    """Returns what is left of the administered activity when the values are, and between which moments."""
    correction = checks.text("DecayCorrection")
    if correction == "ADMIN":
        return np.float64(1.0), {"decay_correction": correction, "source": "corrected to the administration"}
    if correction not in ("START", "NONE"):
        checks.bad(
            "not a decay correction", "DecayCorrection", wanted="START, ADMIN or NONE", got=correction or "nothing"
        )
        return np.float64(math.nan), {}
    times = read_times(checks, correction=correction, half_life_s=half_life_s)
    told: dict[str, Any] = {"decay_correction": correction, "source": times.source}
    if times.administered is None or all(each is None for each in times.reference):
        return np.float64(math.nan), told
    delay = np.array([_seconds(times, each) for each in times.reference])
    told["administered"] = times.administered.isoformat()
    told["reference"] = [None if each is None else each.isoformat() for each in times.reference]
    told["delay_s"] = _plain(delay)
    if len(times.reference) == 1:
        told["reference"], delay = told["reference"][0], delay[0]
    if correction == "NONE":
        _check_frames(checks, half_life_s)
    return 2.0 ** (-delay / half_life_s), told


def _seconds(times: Times, each: datetime | None) -> float:
    return math.nan if each is None or times.administered is None else (each - times.administered).total_seconds()


def _check_frames(checks: Checks, half_life_s: float) -> None:
    """Warns where the activity in the middle of a frame is not its mean over the frame."""
    durations = [each.get("ActualFrameDuration") for each in checks.slices if each is not None]
    longest = max((float(each) for each in durations if isinstance(each, (int, float))), default=0.0) / 1000
    error = (_LN2 * longest / half_life_s) ** 2 / 24  # sinh(x)/x - 1 for a frame of 2 x mean lives, to second order
    if error > _MIDDLE_ERROR:
        checks.warnings.append(
            f"frames of {longest:g} s are long for this nuclide: their middle is {error:.2%} off the mean"
        )


def _told(body: Body) -> dict[str, Any]:
    values = {name: getattr(body, name) for name in _ALL}
    return {name: value for name, value in values.items() if value and not (name != "sex" and math.isnan(value))}


def _plain(values: Any) -> Any:
    """Returns a number, or a list of numbers when they differ, as JSON has them."""
    flat = np.unique(np.asarray(values, dtype=np.float64))
    return (
        float(flat[0]) if flat.size == 1 else [None if math.isnan(each) else float(each) for each in np.ravel(values)]
    )


def _scaled(image: xr.DataArray, found: _Found, told: Mapping[str, Any]) -> xr.DataArray:
    """Multiplies, lazily, in floating point; float32 stays float32."""
    kind = image.dtype if image.dtype.kind == "f" else np.dtype(np.float32 if image.dtype.itemsize <= 2 else np.float64)
    factor = np.asarray(found.factor, dtype=np.float64)
    if factor.size == 1:
        values = image.astype(np.float64) * float(factor.reshape(-1)[0])
    else:
        _check_count(image, factor.size)
        axes = [axis for axis in ("t", "z") if axis in image.dims]
        shaped = factor.reshape([image.sizes[axis] for axis in axes])
        values = image.astype(np.float64) * xr.DataArray(shaped, dims=axes)
    values = values.astype(kind).transpose(*image.dims)
    kept = {name: image.attrs[name] for name in ("affine", "frame", "modality") if name in image.attrs}
    method = {"units": found.method.units, "method": found.method.name, "source": found.method.source}
    values.attrs = {**kept, **method, "factor": _plain(factor), **found.attrs, **told}
    return values.rename("suv")
