"""From the frames of a series to its volumes: what belongs together, what is split, what is refused.

Ten pitfalls of DICOM series and the decision for each are in ``docs/explain/dicom_geometry.md``. Nothing is dropped or
squeezed silently: every decision other than the plain case is a :class:`Finding` of the volume.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import combinations
from typing import Any

import numpy as np
from pydicom.uid import UID

from braggbook.errors import DicomError, Issue
from braggbook.imaging.dicom.frames import Frame, with_private_b_value
from braggbook.imaging.dicom.images import ImageHeader, tag_name
from braggbook.imaging.dicom.pixels import read_raw
from braggbook.imaging.dicom.planes import apart, distances
from braggbook.imaging.dicom.rescale import units_of
from braggbook.imaging.geometry import SAME_MM

_SAME_COSINE = 5e-4  # of direction cosines: 0.1 mm at 200 mm from the axis
_SAME_SPACING = 1e-4  # mm, of pixel spacings
_FEW = 3  # planes at most in what is taken for a localiser without being called one
_MANY = 4  # times as many planes in the volume that it belongs to
_NEEDS_PLACE = ("CT", "MR", "PT")
_BLOCK = 1 << 20
_SHOWN = 20
_NEVER_ONE = {  # name in messages, and the tag that says it
    "frames of reference": "FrameOfReferenceUID",
    "modalities": "Modality",
    "units": "",
    "rescaling": "RescaleSlope",
    "photometric interpretations": "PhotometricInterpretation",
}

# What tells frames at one place apart along t, first that fits: tag, unit, and whether only its order counts.
TIMES = (
    ("TemporalPositionIdentifier", "1", False),
    ("NominalPercentageOfCardiacPhase", "%", False),
    ("EchoTime", "ms", False),
    ("EchoNumbers", "1", False),
    ("InversionTime", "ms", False),
    ("FlipAngle", "deg", False),
    ("DiffusionBValue", "s/mm2", False),
    ("FrameReferenceTime", "ms", False),
    ("AcquisitionNumber", "1", False),
    ("DiffusionGradientOrientation", "1", False),
    ("TriggerTime", "ms", True),
    ("AcquisitionDateTime", "1", True),
    ("AcquisitionTime", "1", True),
)
# What makes another kind of image, and so a volume of its own.
KINDS = ("ImageType", "ComplexImageComponent", "ConvolutionKernel")


class Decision(StrEnum):
    """What was done about a pitfall. The third one, refused, is a :class:`~braggbook.errors.DicomError`."""

    RIGHT = "right"
    SPLIT = "split"
    MARKED = "marked"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Finding:
    """A pitfall that a series has, and what was done.

    Attributes:
        pitfall: Its short name, such as ``"duplicates"``.
        decision: What was done.
        text: With numbers, tags and files.
    """

    pitfall: str
    decision: Decision
    text: str

    def as_json(self) -> dict[str, str]:
        """Returns it as attributes hold it."""
        return {"pitfall": self.pitfall, "decision": str(self.decision), "text": self.text}


@dataclass(frozen=True, eq=False)
class Part:
    """The frames of one volume.

    Attributes:
        rows: (t, z) frames, in order along the normal; one row when there is no t.
        times: Tag to its values along t.
        kind: ``"volume"``, ``"localiser"``, or ``"plane"`` (no place in the patient).
        note: What tells it from the other parts of its series.
        findings: What was decided on the way.
        problem: Why it is no volume, raised when it is asked for.
    """

    rows: tuple[tuple[Frame, ...], ...]
    times: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    kind: str = "volume"
    note: str = ""
    findings: tuple[Finding, ...] = ()
    problem: DicomError | None = None

    @property
    def first(self) -> Frame:
        """Its first frame."""
        return self.rows[0][0]

    @property
    def size(self) -> int:
        """Number of frames."""
        return sum(len(row) for row in self.rows)

    def __str__(self) -> str:
        height, width = self.first.shape
        times = f"{len(self.rows)} times " if len(self.rows) > 1 else ""
        count = len(self.rows[0])
        planes = f"{count} {'plane' if count == 1 else 'planes'} of {height} x {width}"
        return f"{self.kind} of {times}{planes}" + (f" ({self.note})" if self.note else "")


def without_copies(headers: Sequence[ImageHeader]) -> tuple[list[ImageHeader], tuple[Finding, ...]]:
    """Leaves out files that are byte for byte what another one is.

    Raises:
        DicomError: Files with one SOPInstanceUID differ.
    """
    by_uid: dict[Any, list[ImageHeader]] = {}
    for header in headers:
        by_uid.setdefault(header.get("SOPInstanceUID", id(header)), []).append(header)
    copies, issues = 0, []
    for uid, found in by_uid.items():
        if len(found) > 1 and len({_digest(header) for header in found}) > 1:
            names = ", ".join(str(header.source) for header in found[1:])
            issues.append(
                Issue("one SOPInstanceUID for different images", str(found[0].source), got=f"{uid} in {names}")
            )
        copies += len(found) - 1
    if issues:
        wanted = f"another {tag_name('SOPInstanceUID')} for every image"
        raise DicomError("an identifier that is used twice", wanted=wanted, issues=issues)
    if not copies:
        return list(headers), ()
    text = f"{copies} {'file' if copies == 1 else 'files'} left out: byte for byte a copy of another"
    return [found[0] for found in by_uid.values()], (Finding("copies", Decision.LEFT_OUT, text),)


def _digest(header: ImageHeader) -> str:
    digest = hashlib.sha256()
    with header.source.open() as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def parts_of(frames: Sequence[Frame]) -> list[Part]:
    """Sorts the frames of a series into volumes, the largest first.

    Raises:
        DicomError: Frames that need a place in the patient have none.
    """
    placed = [frame for frame in frames if frame.has_place]
    loose = [frame for frame in frames if not frame.has_place]
    _check_placed(placed, loose)
    _check_mosaics(placed)
    groups = _alike(placed)
    notes = _notes(groups)
    found = [part for group, note in zip(groups, notes, strict=True) for part in _unfold(group, note=note)]
    found += _loose_parts(loose)
    return _set_localisers_apart(sorted(found, key=lambda part: -part.size))


def choose(parts: Sequence[Part], part: int | None) -> Part:
    """Returns the only volume, or the one with a number; what is set apart becomes a finding.

    Raises:
        DicomError: There are several and none was chosen, or there is none with this number.
    """
    listed = [Issue(str(each), f"part {number}") for number, each in enumerate(parts)]
    if part is not None:
        if not 0 <= part < len(parts):
            wanted = f"0 to {len(parts) - 1}"
            raise DicomError("no such part of the series", wanted=wanted, got=str(part), issues=listed)
        chosen, others = parts[part], []
    else:
        main = [each for each in parts if each.kind == "volume"] or list(parts)
        if len(main) > 1:
            where = str(main[0].first.header.source)
            what = _why_several(main)
            command = "choose with read_dicom(..., part=0), or read them all with read_volumes(...)"
            raise DicomError(what, where=where, wanted="one volume", next_command=command, issues=listed)
        chosen, others = main[0], [each for each in parts if each is not main[0]]
    if chosen.problem is not None:
        raise chosen.problem
    texts = tuple(Finding("localiser", Decision.SPLIT, f"set apart: {other}") for other in others)
    return replace(chosen, findings=chosen.findings + texts)


def _why_several(parts: Sequence[Part]) -> str:
    kinds = [_kind(part.first) for part in parts]
    mixed = [name for name in _NEVER_ONE if len({kind[name] for kind in kinds}) > 1]
    if not mixed:
        return f"a series with {len(parts)} volumes"
    tags = ", ".join(tag_name(keyword) for name in mixed if (keyword := _NEVER_ONE[name]))
    return f"a series with mixed {' and '.join(mixed)}" + (f": {tags} differs" if tags else "")


def _check_placed(placed: Sequence[Frame], loose: Sequence[Frame]) -> None:
    classes = {frame.header.get("SOPClassUID") for frame in placed}
    bad = [
        frame
        for frame in loose
        if frame.header.get("SOPClassUID") in classes
        or (frame.header.get("Modality") in _NEEDS_PLACE and "Secondary" not in _class_name(frame))
    ]
    if not bad:
        return
    issues = []
    for frame in bad:
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient"):
            if frame.get(keyword) is None:
                issues.append(Issue("no geometry", str(frame), tag_name(keyword), "no such tag"))
    wanted = f"{tag_name('ImagePositionPatient')} and {tag_name('ImageOrientationPatient')} in every image"
    raise DicomError("images that do not say where they are", where=str(bad[0]), wanted=wanted, issues=issues)


def _check_mosaics(frames: Sequence[Frame]) -> None:
    """Refuses images of Siemens MR that hold all slices of a volume side by side."""
    mosaics = [frame for frame in frames if "MOSAIC" in _image_type(frame)]
    if mosaics:
        where, got = str(mosaics[0]), f"MOSAIC in {tag_name('ImageType')} of {len(mosaics)}"
        what = "a mosaic: all slices of a volume in one image, whose places are in a private element"
        command = "dcm2niix -o FOLDER ..., which takes it apart, and read_nifti(...)"
        raise DicomError(what, where=where, wanted="one image a slice", got=got, next_command=command)


def _image_type(frame: Frame) -> list[str]:
    kinds = frame.get("ImageType") or []
    return [str(kind).upper() for kind in (kinds if isinstance(kinds, list) else [kinds])]


def _class_name(frame: Frame) -> str:
    return UID(str(frame.header.get("SOPClassUID", ""))).name


def _alike(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Groups frames that could be planes of one volume."""
    exact: dict[tuple[Any, ...], list[Frame]] = {}
    for frame in frames:
        spacing = tuple(round(value / _SAME_SPACING) for value in frame.spacing_mm)
        rest = (frame.shape, _is_localiser(frame), *_kind(frame).values())
        exact.setdefault((rest, spacing, frame.orientation.tobytes()), []).append(frame)
    groups: list[tuple[Any, Any, list[Frame]]] = []
    for (rest, _, _), members in exact.items():
        axes = members[0].orientation
        for other, its_rest, joined in groups:
            close = np.abs(np.subtract(members[0].spacing_mm, joined[0].spacing_mm)).max() <= _SAME_SPACING
            if rest == its_rest and close and np.abs(axes - other).max() <= _SAME_COSINE:
                joined.extend(members)
                break
        else:
            groups.append((axes, rest, list(members)))
    return [members for _, _, members in groups]


def _kind(frame: Frame) -> dict[str, str]:
    """Returns what must be the same for the numbers of two planes to mean the same, by its name in messages."""
    photometric = str(frame.header.get("PhotometricInterpretation", ""))
    return {
        "frames of reference": str(frame.get("FrameOfReferenceUID", "not written")),
        "modalities": str(frame.header.get("Modality", "not written")),
        "kinds of object": _class_name(frame),
        "units": units_of(frame, rescale="modality"),
        "rescaling": "without slope" if frame.get("RescaleSlope") is None else "with slope",
        "photometric interpretations": photometric if "MONO" in photometric or "PALETTE" in photometric else "colour",
        "stacks": str(frame.get("StackID", "not written")),
        "samples per pixel": str(frame.header.get("SamplesPerPixel", 1)),
    }


def _notes(groups: Sequence[Sequence[Frame]]) -> list[str]:
    """Returns what tells each group from the others; nothing for the only one."""
    told = []
    for group in groups:
        axes = ", ".join("\\".join(f"{value:.3g}" for value in axis) for axis in group[0].orientation)
        spacing = " x ".join(f"{value:.6g}" for value in group[0].spacing_mm)
        told.append({**_kind(group[0]), "rows and columns along": axes, "spacing in mm": spacing})
    differing = [name for name in (told[0] if told else ()) if len({each[name] for each in told}) > 1]
    return [", ".join(f"{name}: {each[name]}" for name in differing) for each in told]


def _is_localiser(frame: Frame) -> bool:
    return "LOCALIZER" in _image_type(frame)


def _unfold(frames: Sequence[Frame], *, note: str) -> list[Part]:
    """Makes parts of frames that are alike: duplicates of places become t, or parts of their own."""
    kind = "localiser" if _is_localiser(frames[0]) else "volume"
    along = distances(frames)
    places = apart(along)
    if all(len(place) == 1 for place in places):
        return [Part((tuple(frames[place[0]] for place in places),), kind=kind, note=note)]
    if frames[0].header.get("Modality") == "MR" and all(frame.get("DiffusionBValue") is None for frame in frames):
        frames = [with_private_b_value(frame) for frame in frames]
    stacked = [[frames[number] for number in place] for place in places]
    return [replace(part, kind=kind, note=", ".join(filter(None, (note, part.note)))) for part in _split(stacked)]


def _split(places: Sequence[Sequence[Frame]]) -> list[Part]:
    """Splits frames of which several are at one place."""
    for keyword in KINDS:  # another kind of image is never a point in time
        groups = _by(places, keyword)
        if len(groups) > 1 and all(_even(group) and len(group) == len(places) for group in groups.values()):
            return [_note(part, keyword, value) for value, group in groups.items() for part in _split(group)]
    if len(places[0]) == 1 and _even(places):
        return [Part((tuple(place[0] for place in places),))]
    if _even(places) and (found := _along_time(places)):
        return [found]
    names = (*(name for name, _, ranked in TIMES if not ranked), *KINDS)
    for chosen in (*((name,) for name in names), *combinations(names, 2)):
        groups = _by(places, *chosen)
        if len(groups) > 1 and all(len(place) == 1 for group in groups.values() for place in group):
            return [_incomplete(group, chosen, value, places) for value, group in groups.items()]
    return [_unexplained(places)]


def _incomplete(group: Sequence[Sequence[Frame]], names: Sequence[str], value: Any, places: Any) -> Part:
    """Returns the images of one value of a tag, or of two, where not every place has one."""
    part = Part((tuple(place[0] for place in group),))
    for name, each in zip(names, value if len(names) > 1 else (value,), strict=True):
        part = _note(part, name, each)
    here = {id(frame) for place in group for frame in place}
    missing = [place[0] for place in places if not any(id(frame) in here for frame in place)]
    if not missing:
        return part
    at = ", ".join(f"{z:.2f}" for z in distances([places[0][0], *missing])[1:])
    text = f"no image of this kind at {at} mm along the normal, where others are"
    return replace(part, findings=(*part.findings, Finding("incomplete", Decision.SPLIT, text)))


def _even(places: Sequence[Sequence[Frame]]) -> bool:
    return len({len(place) for place in places}) == 1


def _by(places: Iterable[Sequence[Frame]], *keywords: str) -> dict[Any, list[list[Frame]]]:
    """Splits every place by a tag, or by several; places without a frame of a value are left out."""
    groups: dict[Any, list[list[Frame]]] = {}
    for place in places:
        here: dict[Any, list[Frame]] = {}
        for frame in place:
            labels = tuple(_label(frame, keyword) for keyword in keywords)
            here.setdefault(labels[0] if len(labels) == 1 else labels, []).append(frame)
        for value, members in here.items():
            groups.setdefault(value, []).append(members)
    return dict(sorted(groups.items(), key=lambda item: _order(item[0])))


def _order(value: Any) -> tuple[Any, ...]:
    return tuple(map(_sortable, value)) if isinstance(value, tuple) else (_sortable(value),)


def _label(frame: Frame, keyword: str) -> Any:
    value = frame.get(keyword)
    return tuple(value) if isinstance(value, list) else value


def _note(part: Part, keyword: str, value: Any) -> Part:
    shown = "\\".join(map(str, value)) if isinstance(value, tuple) else value
    text = f"several volumes share their places: told apart by {tag_name(keyword)}"
    note = ", ".join(filter(None, (f"{keyword} {shown}", part.note)))
    return replace(part, note=note, findings=(*part.findings, Finding("duplicates", Decision.SPLIT, text)))


def _along_time(places: Sequence[Sequence[Frame]]) -> Part | None:
    """Returns a part with t, by the first tag, or pair of tags, that names each frame of a place differently."""
    extra = sorted({name for place in places for frame in place for name in frame.tags if name.startswith("index of")})
    exact = [*(name for name, _, ranked in TIMES if not ranked), *extra]
    for names in (*((name,) for name in exact), *combinations(exact, 2)):
        if part := _by_labels(places, names):
            return part
    for name in (name for name, _, ranked in TIMES if ranked):
        if part := _by_rank(places, name):
            return part
    return None


def _by_labels(places: Sequence[Sequence[Frame]], names: tuple[str, ...]) -> Part | None:
    wanted: set[Any] | None = None
    rows: list[dict[Any, Frame]] = []
    for place in places:
        here = {tuple(_label(frame, name) for name in names): frame for frame in place}
        if len(here) < len(place) or (wanted is not None and set(here) != wanted) or (None,) * len(names) in here:
            return None
        wanted = set(here)
        rows.append(here)
    assert wanted is not None
    order = sorted(wanted, key=lambda label: tuple(_sortable(value) for value in label))
    times = {name: tuple(label[number] for label in order) for number, name in enumerate(names)}
    return _with_time([[row[label] for row in rows] for label in order], times)


def _by_rank(places: Sequence[Sequence[Frame]], name: str) -> Part | None:
    rows = []
    for place in places:
        labels = [_label(frame, name) for frame in place]
        if None in labels or len(set(labels)) < len(labels):
            return None
        rows.append(sorted(place, key=lambda frame: _sortable(_label(frame, name))))
    times = {name: tuple(_label(frame, name) for frame in rows[0])}
    return _with_time([[row[number] for row in rows] for number in range(len(rows[0]))], times)


def _sortable(value: Any) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, (int, float)) else (2, 0.0, str(value))


def _with_time(rows: Sequence[Sequence[Frame]], times: Mapping[str, tuple[Any, ...]]) -> Part:
    tags = " and ".join(tag_name(name) for name in times)
    text = f"{len(rows)} frames at every place: along t by {tags}"
    off = float(
        np.abs(distances([frame for row in rows for frame in row]).reshape(len(rows), -1) - distances(rows[0])).max()
    )
    if off > SAME_MM:
        text += f"; they are up to {off:.3f} mm apart, and stand where the first of them is"
    finding = Finding("duplicates", Decision.SPLIT, text)
    return Part(tuple(tuple(row) for row in rows), times, findings=(finding,))


def _unexplained(places: Sequence[Sequence[Frame]]) -> Part:
    """Returns a part without the images that are there twice, or one that says why it is no volume."""
    again = [frame for place in places for frame in place[1:]]
    if all(len({_content(frame) for frame in place}) == 1 for place in places if len(place) > 1):
        names = ", ".join(str(frame) for frame in again[:_SHOWN])
        text = f"{len(again)} left out: the same pixels at the same place under another identifier: {names}"
        finding = Finding("copies", Decision.LEFT_OUT, text)
        return Part((tuple(place[0] for place in places),), findings=(finding,))
    issues = []
    along = distances([place[0] for place in places])
    usual = min(len(place) for place in places)
    for place, z in zip(places, along, strict=True):
        if len(place) > usual or usual > 1:
            names = ", ".join(str(frame) for frame in place[1:])
            issues.append(Issue(f"{len(place)} frames at z = {z:.2f} mm", str(place[0]), "one", f"also {names}"))
    tags = ", ".join(name for name, _, _ in TIMES)
    what = "duplicate slices that no tag tells apart"
    wanted = f"one frame at a place, or as many at every place, different in {tags} or {', '.join(KINDS)}"
    problem = DicomError(what, where=issues[0].where if issues else "", wanted=wanted, issues=issues)
    row = tuple(place[0] for place in places)
    return Part((row,), note="duplicate slices that no tag tells apart", problem=problem)


def _content(frame: Frame) -> tuple[Any, ...]:
    """Returns what two images have in common only when one is a copy of the other."""
    try:
        pixels = hashlib.sha256(read_raw(frame.header, frame.number).tobytes()).digest()
    except DicomError:  # what cannot be read is nobody's copy
        return (id(frame),)
    return pixels, *(frame.get(keyword) for keyword in ("RescaleSlope", "RescaleIntercept"))


def _loose_parts(frames: Sequence[Frame]) -> list[Part]:
    """Makes one part of each instance that has no place in the patient; its frames are times."""
    by_instance: dict[int, list[Frame]] = {}
    for frame in frames:
        by_instance.setdefault(id(frame.header), []).append(frame)
    parts = []
    for members in by_instance.values():
        note = str(members[0].header.source)
        parts.append(Part(tuple((frame,) for frame in members), kind="plane", note=note, problem=_tiles(members[0])))
    return parts


def _tiles(frame: Frame) -> DicomError | None:
    """Returns why the frames of a slide, or of ultrasound in three dimensions, are no times."""
    if frame.header.frames > 1 and "PlanePositionVolumeSequence" in frame.groups:
        what, got = "a volume in coordinates of its own", tag_name("PlanePositionVolumeSequence")
        return DicomError(what, where=str(frame), wanted=tag_name("PlanePositionSequence"), got=got)
    if frame.header.frames == 1 or frame.header.dataset.get("TotalPixelMatrixColumns") is None:
        return None
    got = f"{frame.header.frames} tiles, {tag_name('TotalPixelMatrixColumns')}"
    return DicomError("a whole slide in tiles", where=str(frame.header.source), wanted="whole images", got=got)


def _set_localisers_apart(parts: Sequence[Part]) -> list[Part]:
    """Marks small parts of another orientation as the localisers that they are."""
    if not parts or parts[0].kind != "volume":
        return list(parts)
    main = parts[0]
    found = []
    for part in parts:
        small = part.size <= _FEW and main.size >= _MANY * part.size
        turned = part.first.has_place and np.abs(part.first.orientation - main.first.orientation).max() > _SAME_COSINE
        same_space = part.first.get("FrameOfReferenceUID") == main.first.get("FrameOfReferenceUID")
        found.append(
            replace(part, kind="localiser") if part.kind == "volume" and small and turned and same_space else part
        )
    return found
