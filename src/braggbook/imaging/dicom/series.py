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
from braggbook.imaging.dicom.frames import Frame
from braggbook.imaging.dicom.images import ImageHeader, tag_name
from braggbook.imaging.dicom.planes import apart, distances

_SAME_COSINE = 5e-4  # of direction cosines: 0.1 mm at 200 mm from the axis
_SAME_SPACING = 1e-4  # mm, of pixel spacings
_FEW = 3  # planes at most in what is taken for a localiser without being called one
_MANY = 4  # times as many planes in the volume that it belongs to
_NEEDS_PLACE = ("CT", "MR", "PT")
_BLOCK = 1 << 20

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
KINDS = ("ImageType", "ComplexImageComponent", "ConvolutionKernel", "StackID")


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
    groups = _alike(placed)
    found = [part for group in groups for part in _unfold(group, several=len(groups) > 1)]
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
    if len({part.first.get("FrameOfReferenceUID") for part in parts}) > 1:
        return f"a series with mixed frames of reference: {tag_name('FrameOfReferenceUID')} differs"
    return f"a series with {len(parts)} volumes"


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


def _class_name(frame: Frame) -> str:
    return UID(str(frame.header.get("SOPClassUID", ""))).name


def _alike(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Groups frames that could be planes of one volume."""
    exact: dict[tuple[Any, ...], list[Frame]] = {}
    for frame in frames:
        spacing = tuple(round(value / _SAME_SPACING) for value in frame.spacing_mm)
        axes = frame.orientation
        key = (
            frame.get("FrameOfReferenceUID"),
            frame.shape,
            spacing,
            axes.tobytes(),
            _is_localiser(frame),
            _samples(frame),
        )
        exact.setdefault(key, []).append(frame)
    groups: list[tuple[Any, Any, list[Frame]]] = []
    for key, members in exact.items():
        axes, rest = members[0].orientation, (*key[:2], *key[4:])
        for other, its_rest, joined in groups:
            close = np.abs(np.subtract(members[0].spacing_mm, joined[0].spacing_mm)).max() <= _SAME_SPACING
            if rest == its_rest and close and np.abs(axes - other).max() <= _SAME_COSINE:
                joined.extend(members)
                break
        else:
            groups.append((axes, rest, list(members)))
    return [members for _, _, members in groups]


def _samples(frame: Frame) -> int:
    return int(frame.header.get("SamplesPerPixel", 1))


def _is_localiser(frame: Frame) -> bool:
    kinds = frame.get("ImageType") or []
    return "LOCALIZER" in [str(kind).upper() for kind in (kinds if isinstance(kinds, list) else [kinds])]


def _unfold(frames: Sequence[Frame], *, several: bool) -> list[Part]:
    """Makes parts of frames that are alike: duplicates of places become t, or parts of their own."""
    kind = "localiser" if _is_localiser(frames[0]) else "volume"
    note = _group_note(frames) if several else ""
    along = distances(frames)
    places = apart(along)
    if all(len(place) == 1 for place in places):
        return [Part((tuple(frames[place[0]] for place in places),), kind=kind, note=note)]
    stacked = [[frames[number] for number in place] for place in places]
    return [replace(part, kind=kind, note=", ".join(filter(None, (note, part.note)))) for part in _split(stacked)]


def _group_note(frames: Sequence[Frame]) -> str:
    axes = ", ".join("\\".join(f"{value:.3g}" for value in axis) for axis in frames[0].orientation)
    return f"frame of reference {frames[0].get('FrameOfReferenceUID', 'not written')}, rows and columns along {axes}"


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
    for keyword in (*(name for name, _, ranked in TIMES if not ranked), *KINDS):
        groups = _by(places, keyword)
        if len(groups) > 1 and all(len(place) == 1 for group in groups.values() for place in group):
            return [_note(part, keyword, value) for value, group in groups.items() for part in _split(group)]
    return [_unexplained(places)]


def _even(places: Sequence[Sequence[Frame]]) -> bool:
    return len({len(place) for place in places}) == 1


def _by(places: Iterable[Sequence[Frame]], keyword: str) -> dict[Any, list[list[Frame]]]:
    """Splits every place by a tag; places without a frame of a value are left out."""
    groups: dict[Any, list[list[Frame]]] = {}
    for place in places:
        here: dict[Any, list[Frame]] = {}
        for frame in place:
            here.setdefault(_label(frame, keyword), []).append(frame)
        for value, members in here.items():
            groups.setdefault(value, []).append(members)
    return groups


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
    finding = Finding("duplicates", Decision.SPLIT, text)
    return Part(tuple(tuple(row) for row in rows), times, findings=(finding,))


def _unexplained(places: Sequence[Sequence[Frame]]) -> Part:
    """Returns a part that says why it is no volume."""
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


def _loose_parts(frames: Sequence[Frame]) -> list[Part]:
    """Makes one part of each instance that has no place in the patient; its frames are times."""
    by_instance: dict[int, list[Frame]] = {}
    for frame in frames:
        by_instance.setdefault(id(frame.header), []).append(frame)
    parts = []
    for members in by_instance.values():
        note = str(members[0].header.source)
        parts.append(Part(tuple((frame,) for frame in members), kind="plane", note=note))
    return parts


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
