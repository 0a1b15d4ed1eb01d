"""From stored values to the quantity that they stand for: slope and intercept, tables, real world values, padding.

Sources: DICOM PS3.3 C.11.1 (modality LUT), C.7.6.16.2.9 (pixel value transformation), C.7.6.16.2.11 (real world value
mapping), C.7.5.1.1.2 (pixel padding), C.8.9.1 (units of PET); for Philips MR: Chenevert et al., Errors in quantitative
image analysis due to platform-dependent image scaling, Transl Oncol 2014;7:65-71.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from braggbook.errors import DicomError
from braggbook.imaging.dicom.frames import Frame
from braggbook.imaging.dicom.images import plain, tag_name
from braggbook.imaging.dicom.pixels import stored_dtype, stored_range

Array = npt.NDArray[Any]
Rescale = Literal["modality", "stored", "real_world", "philips"]
Padding = Literal["nan", "keep"]

_PHILIPS = "Philips MR Imaging DD 001"
_PET_UNITS = {
    "BQML": "Bq/ml", "GML": "g/ml", "CNTS": "1", "CPS": "1/s", "NONE": "1", "PCNT": "%", "CM2ML": "cm2/ml",
    "CM2": "cm2", "MGMINML": "mg/min/ml", "UMOLMINML": "umol/min/ml", "MLMINML": "ml/min/ml", "MLG": "ml/g",
    "1CM": "1/cm", "UMOLML": "umol/ml", "PROPCNTS": "1", "PROPCPS": "1", "MLMING": "ml/min/g", "STDDEV": "1",
    "SUV": "g/ml",
}  # fmt: skip
_RESCALE_UNITS = {"HU": "HU", "MGML": "mg/ml", "PCT": "%", "HU_MOD": "HU"}
_CODE_UNITS = {
    "[hnsf'U]": "HU",
    "{SUVbw}g/ml": "g/ml",
    "g/ml{SUVbw}": "g/ml",
    "no units": "1",
    "um2/s": "um2/s",
    "mm2/s": "mm2/s",
}


@dataclass(frozen=True)
class Scale:
    """How one frame's stored values become what they stand for.

    Attributes:
        slope: What a stored value is multiplied with.
        intercept: What is added to it then.
        first: Stored value of the first entry of ``table``.
        table: Values to look up, clipped at both ends; None without a table.
        known: Smallest and largest stored value for which this holds; outside is NaN. None for all.
        padding: Smallest and largest stored value that means "no value here"; None without padding.
    """

    slope: float = 1.0
    intercept: float = 0.0
    first: int = 0
    table: tuple[float, ...] | None = None
    known: tuple[float, float] | None = None
    padding: tuple[int, int] | None = None

    @property
    def needs_nan(self) -> bool:
        """Whether some voxels may have no value."""
        return self.padding is not None or self.known is not None

    def apply(self, raw: Array, stored: Array, *, dtype: npt.DTypeLike) -> Array:
        """Returns values of a type.

        Args:
            raw: Any shape, as written, with the bits that are not in use: padding may have been written there.
            stored: The same without these bits.
            dtype: What :func:`dtype_of` found for the volume.
        """
        values = self._values(stored, np.dtype(dtype))
        if self.known is not None:
            values[(stored < self.known[0]) | (stored > self.known[1])] = np.nan
        if self.padding is not None:
            for written in (raw,) if raw is stored else (raw, stored):
                values[(written >= self.padding[0]) & (written <= self.padding[1])] = np.nan
        return values

    def _values(self, stored: Array, dtype: np.dtype[Any]) -> Array:
        if self.table is not None:
            number = np.clip(stored.astype(np.int64) - self.first, 0, len(self.table) - 1)
            return np.asarray(self.table)[number].astype(dtype)
        if dtype.kind in "iu":
            values = stored.astype(dtype, copy=not stored.flags.writeable)  # what was cleaned is ours
            if self.slope != 1:
                values *= dtype.type(self.slope)
            if self.intercept:
                values += dtype.type(self.intercept)
            return values
        if self.slope == 1 and self.intercept == 0:
            return stored.astype(dtype)
        return np.asarray(stored * np.float64(self.slope) + self.intercept).astype(dtype)


def scale_of(frame: Frame, *, rescale: Rescale = "modality", padding: Padding = "nan") -> Scale:
    """Returns how a frame's values are found; every frame has its own.

    Args:
        frame: The frame.
        rescale: ``"modality"``: Modality LUT, or RescaleSlope and RescaleIntercept; ``"stored"``: none;
            ``"real_world"``: Real World Value Mapping; ``"philips"``: Philips MR's floating-point value.
        padding: Whether PixelPaddingValue becomes NaN or is kept as the number it would be.

    Raises:
        DicomError: What was asked for is not in the file, or is no finite number.
    """
    empty = padding_of(frame) if padding == "nan" else None
    if rescale == "stored" or int(frame.header.get("SamplesPerPixel", 1)) > 1:
        return Scale(padding=empty if rescale != "stored" else None)
    if rescale == "real_world":
        return _real_world(frame, empty)
    if rescale == "philips":
        return _philips(frame, empty)
    if "RescaleSlope" not in frame.tags and _may_have_table(frame) and (found := _modality_table(frame, empty)):
        return found
    slope, intercept = _number(frame, "RescaleSlope", 1.0), _number(frame, "RescaleIntercept", 0.0)
    if slope == 0:
        raise DicomError(
            "a slope of 0 would erase the image", where=str(frame), wanted=tag_name("RescaleSlope"), got="0"
        )
    return Scale(slope, intercept, padding=empty)


def dtype_of(frames: Sequence[Frame], scales: Sequence[Scale], *, gaps: bool) -> np.dtype[Any]:
    """Returns the smallest type that holds every value: integers where all are whole, else floating point.

    float32 holds 24 bits: enough for 16 stored bits times a slope; wider values get float64.
    """
    checked: dict[Any, np.dtype[Any]] = {}
    for frame, scale in zip(frames, scales, strict=True):
        stored = stored_dtype(frame.header)
        limits = stored_range(frame.header) if stored.kind in "iu" else (0, 0)
        key = (stored.str, limits, scale)
        if key not in checked:
            checked[key] = _dtype(stored, limits, scale, where=str(frame))
    found = np.result_type(*checked.values())
    if gaps and found.kind in "iu":
        found = np.dtype(np.float32 if found.itemsize <= 2 else np.float64)
    return found


def _dtype(stored: np.dtype[Any], limits: tuple[int, int], scale: Scale, *, where: str) -> np.dtype[Any]:
    if stored.kind == "f":
        return stored
    largest = max(abs(limit * scale.slope + scale.intercept) for limit in limits)
    if not largest < np.finfo(np.float64).max:
        got = f"{scale.slope:g} and {scale.intercept:g}"
        name = f"{tag_name('RescaleSlope')} and {tag_name('RescaleIntercept')}"
        raise DicomError("values beyond what numbers can hold", where=where, wanted=f"{name} in reason", got=got)
    wide = np.dtype(np.float64 if stored.itemsize > 2 or largest > np.finfo(np.float32).max else np.float32)
    if scale.table is not None or scale.needs_nan or scale.slope % 1 or scale.intercept % 1:
        return wide
    ends = [limit * int(scale.slope) + int(scale.intercept) for limit in (*limits, 0)]
    for candidate in (stored, np.dtype(np.int16), np.dtype(np.uint16), np.dtype(np.int32), np.dtype(np.int64)):
        room = np.iinfo(candidate)
        if room.min <= min(ends) and max(ends) <= room.max and _holds(candidate, limits):
            return candidate
    return wide


def _holds(candidate: np.dtype[Any], limits: tuple[int, int]) -> bool:
    room = np.iinfo(candidate)
    return bool(room.min <= limits[0] and limits[1] <= room.max)


def padding_of(frame: Frame) -> tuple[int, int] | None:
    """Returns the stored values that stand for no value: PixelPaddingValue, or up to PixelPaddingRangeLimit."""
    value = frame.header.get("PixelPaddingValue")
    if value is None or int(frame.header.get("SamplesPerPixel", 1)) > 1:
        return None
    limit = frame.header.get("PixelPaddingRangeLimit", value)
    if not isinstance(value, int) or not isinstance(limit, int):
        got = f"{value}, {limit}"
        raise DicomError(
            f"{tag_name('PixelPaddingValue')} is not usable", where=str(frame), wanted="whole numbers", got=got
        )
    ends = sorted(_as_stored(number, frame) for number in (value, limit))
    return ends[0], ends[1]


def _as_stored(value: int, frame: Frame) -> int:
    """Returns a padding value as pixels hold it: US and SS are often confused."""
    bits = int(frame.header.need("BitsAllocated"))
    value &= (1 << bits) - 1
    signed = frame.header.get("PixelRepresentation", 0) == 1
    return value - (1 << bits) if signed and value >> (bits - 1) else value


def units_of(frame: Frame, *, rescale: Rescale) -> str:
    """Returns the unit of a frame's values; ``"1"`` for numbers of no unit, as in MR."""
    if rescale == "stored":
        return "1"
    if rescale == "real_world":
        return _code_unit(_mapping(frame))
    modality = frame.header.get("Modality")
    if modality == "PT":
        return pet_unit(frame.get("Units", "NONE")) or "1"
    kind = str(frame.get("RescaleType", "")).upper()
    if modality == "CT" and kind in ("", "US"):  # US, unspecified, is what some scanners write for Hounsfield units
        return "HU" if frame.get("RescaleIntercept") is not None else "1"
    return _RESCALE_UNITS.get(kind, "1")


def pet_unit(code: object) -> str | None:
    """Returns the unit that a value of (0054,1001) Units stands for (PS3.3 C.8.9.1.1.3); None for no term of it."""
    return _PET_UNITS.get(str(code).upper())


def _number(frame: Frame, keyword: str, default: float) -> float:
    value = frame.get(keyword, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise DicomError(
            f"{tag_name(keyword)} is not usable", where=str(frame), wanted="a finite number", got=str(value)
        )
    return float(value)


def _may_have_table(frame: Frame) -> bool:
    """Whether it is worth to read the whole header: a table takes the place of the slope."""
    return frame.header.get("RescaleSlope") is None and frame.header.get("Modality") != "MR"


def _modality_table(frame: Frame, empty: tuple[int, int] | None) -> Scale | None:
    sequence = frame.header.dataset.get("ModalityLUTSequence")
    if not sequence:
        return None
    count, first, bits = (int(value) for value in sequence[0].LUTDescriptor)
    count = count or 1 << 16
    data = sequence[0].LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, "<u2")
    table = [int(value) for value in data]
    if len(table) * 2 == count:  # two 8-bit entries in each word
        table = np.asarray(table, "<u2").view("u1").tolist()
    if len(table) < count:
        got = f"{len(table)} of {bits} bits"
        raise DicomError("a Modality LUT that is too short", where=str(frame), wanted=f"{count} entries", got=got)
    signed = frame.header.get("PixelRepresentation", 0) == 1
    first = first - (1 << 16) if signed and first >= 1 << 15 else first
    return Scale(first=first, table=tuple(map(float, table[:count])), padding=empty)


def mappings_of(frame: Frame) -> list[str]:
    """Returns the unit and label of every Real World Value Mapping that a frame could be read with."""
    if frame.groups.get("RealWorldValueMappingSequence") is not None:
        return [_code_unit(_mapping(frame))]
    items = frame.header.dataset.get("RealWorldValueMappingSequence") or []
    return [f"{_code_unit(item)} {item.get('LUTLabel', '')}".strip() for item in items]


def _mapping(frame: Frame) -> Any:
    found = frame.groups.get("RealWorldValueMappingSequence")
    if found is None:
        sequence = frame.header.dataset.get("RealWorldValueMappingSequence")
        found = sequence[0] if sequence else None
    if found is None:
        wanted = tag_name("RealWorldValueMappingSequence")
        raise DicomError("no real world values", where=str(frame), wanted=wanted, next_command='rescale="modality"')
    return found


def _real_world(frame: Frame, empty: tuple[int, int] | None) -> Scale:
    """Returns the first Real World Value Mapping (PS3.3 C.7.6.16.2.11); it starts from stored values."""
    item = _mapping(frame)
    ends = [plain(item.get(f"{prefix}{end}ValueMapped")) for end in ("First", "Last") for prefix in ("RealWorldValue",)]
    if None in ends:
        ends = [plain(item.get(f"DoubleFloatRealWorldValue{end}ValueMapped")) for end in ("First", "Last")]
    known = (float(ends[0]), float(ends[1])) if None not in ends else None
    table = plain(item.get("RealWorldValueLUTData"))
    if table and known:
        return Scale(first=int(known[0]), table=tuple(map(float, table)), known=known, padding=empty)
    slope, intercept = plain(item.get("RealWorldValueSlope")), plain(item.get("RealWorldValueIntercept"))
    if slope is None or intercept is None:
        wanted = f"{tag_name('RealWorldValueSlope')} and {tag_name('RealWorldValueIntercept')}"
        raise DicomError("a real world value mapping without numbers", where=str(frame), wanted=wanted)
    return Scale(float(slope), float(intercept), known=known, padding=empty)


def _code_unit(item: Any) -> str:
    codes = item.get("MeasurementUnitsCodeSequence")
    code = str(codes[0].get("CodeValue", "1")) if codes else "1"
    return _CODE_UNITS.get(code, code)


def _philips(frame: Frame, empty: tuple[int, int] | None) -> Scale:
    """Returns Philips' floating-point value: (stored RS + RI) / (RS SS), with SS in (2005,xx0E) (Chenevert 2014)."""
    dataset = frame.header.dataset
    nested = frame.groups.get("PrivatePerFrameSq")
    for place in (nested, dataset):
        if place is None:
            continue
        try:
            scale = float(place.private_block(0x2005, _PHILIPS)[0x0E].value)
        except (KeyError, TypeError, ValueError):
            continue
        slope, intercept = _number(frame, "RescaleSlope", 1.0), _number(frame, "RescaleIntercept", 0.0)
        if scale > 0 and slope:
            return Scale(1 / scale, intercept / (slope * scale), padding=empty)
    wanted = f"(2005,xx0E) Scale Slope of the private creator {_PHILIPS!r}"
    raise DicomError("no private scale of Philips", where=str(frame), wanted=wanted, next_command='rescale="modality"')
