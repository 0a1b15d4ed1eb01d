"""What is in a folder of DICOM of unknown quality, from headers alone.

Sources of the hierarchy and its identifiers: DICOM PS3.3 A.1.2 and C.7, C.12.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from braggbook.errors import DicomError, Issue, StorageError
from braggbook.imaging.dicom.archives import ZipSource
from braggbook.imaging.dicom.elements import label
from braggbook.imaging.dicom.findings import frame_step_mm, stack_of, warnings_of
from braggbook.imaging.dicom.header import Header
from braggbook.imaging.dicom.instances import Instance, Patient, Series, Study
from braggbook.imaging.dicom.places import Listed, Place, is_directory, list_places, named, paths_of
from braggbook.imaging.dicom.scan import Found, read_files, read_member
from braggbook.imaging.dicom.sources import FileSource, Source, printable
from braggbook.progress import Progress, Silent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Index", "Instance", "Patient", "Series", "Study", "index_dicom"]

_STEP = 50  # objects between two reports of progress
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Index:
    """What is there.

    Attributes:
        where: What was indexed.
        instances: By their place.
        issues: What could not be read, is not all there, or contradicts something else; each with its file and, where
            one is to blame, its tag.
    """

    where: str
    instances: tuple[Instance, ...]
    issues: tuple[Issue, ...]

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """All series, by patient, study date, study, number and UID."""
        groups: dict[tuple[str, str], list[Instance]] = {}
        for instance in self.instances:
            groups.setdefault((instance.study_uid, instance.series_uid), []).append(instance)
        found = [_series(members) for members in groups.values()]
        return tuple(sorted(found, key=_series_order))

    @cached_property
    def studies(self) -> tuple[Study, ...]:
        """All studies, by patient and date."""
        groups: dict[str, list[Series]] = {}
        for series in self.series:
            groups.setdefault(series.study_uid, []).append(series)
        return tuple(_study(members) for members in groups.values())

    @cached_property
    def patients(self) -> tuple[Patient, ...]:
        """All patients, by ID."""
        groups: dict[str, list[Study]] = {}
        for study in self.studies:
            groups.setdefault(study.patient_id, []).append(study)
        return tuple(
            Patient(name, str(studies[0].series[0].tags.get("PatientName", "")), tuple(studies))
            for name, studies in groups.items()
        )

    def find(self, name: str) -> Series:
        """Returns the only series with a UID, modality or description, or with a UID that begins or ends so.

        Raises:
            DicomError: There is none, or several.
        """
        exact = [one for one in self.series if name in (one.uid, one.modality, one.description)]
        found = exact or [one for one in self.series if name and (one.uid.startswith(name) or one.uid.endswith(name))]
        if len(found) == 1:
            return found[0]
        raise DicomError(
            f"{len(found) or 'no'} series {printable(name)!r}",
            where=self.where,
            wanted="one of these",
            next_command=f"braggbook dicom inspect {self.where}",
            issues=[Issue(f"{one.modality} {one.description}".strip(), one.uid) for one in found or self.series],
        )

    def as_table(self) -> pd.DataFrame:
        """Returns one row a series.

        Columns: ``patient``, ``name``, ``study_date``, ``modality``, ``number``, ``description``, ``count`` (of
        instances), ``size`` (planes or frames x rows x columns), ``orientation``, ``spacing_mm`` (slices x rows x
        columns), ``warnings`` (joined by ``"; "``), ``series_uid`` and ``study_uid``.
        """
        import pandas as pd  # noqa: PLC0415 - slow to import, and not every index is shown

        return pd.DataFrame(map(_row, self.series), columns=list(_COLUMNS)).astype({"number": "Int64"})

    def __len__(self) -> int:
        return len(self.instances)

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.instances)

    def __repr__(self) -> str:
        counts = f"{len(self.patients)} patients, {len(self.studies)} studies, {len(self.series)} series"
        return f"<Index of {self.where}: {counts}, {len(self.instances)} instances, {len(self.issues)} issues>"


_COLUMNS = (
    "patient", "name", "study_date", "modality", "number", "description", "count", "size", "orientation", "spacing_mm",
    "warnings", "series_uid", "study_uid",
)  # fmt: skip


def index_dicom(
    path: Place | Iterable[Place] | Mapping[str, Place], *, workers: int | None = None, progress: Progress | None = None
) -> Index:
    """Reads the headers of everything in a place, and no pixels.

    Args:
        path: A folder of any depth with anything beside the images; one file; a DICOMDIR (only what it refers to); a
            zip; or the address of a DICOMweb service, with ``/studies/UID`` or ``/studies/UID/series/UID`` behind it
            for a part of it. Or several files, folders and zips: their paths, or a mapping of names to paths as
            ``bb.load(..., to="paths")`` returns it. A link that is named here is followed; one that is found in a
            folder and leads out of it is not.
        workers: Processes that read files; by default one for each processor when the files are many.
        progress: Is told how far it is.

    Raises:
        DicomError: Nothing there is DICOM, and its issues say why not; or a path leads nowhere.
        NetworkError: A DICOMweb service does not answer as it should.
    """
    told = progress or Silent()
    paths = paths_of(path)
    where = named(paths)
    if len(paths) == 1 and paths[0].startswith(("http://", "https://")):
        from braggbook.imaging.dicom.web import index_web  # noqa: PLC0415 - the client is an optional extra

        where, objects = index_web(paths[0], progress=told)
        found: Iterator[Entry] = iter(objects)
    else:
        found = _read_all(list(list_places(paths)), workers, told)
    instances, issues = _sorted(found)
    if not instances:
        raise DicomError("no DICOM object here", where=where, wanted="at least one", issues=issues)
    return Index(where, tuple(instances), (*issues, *_contradictions(instances)))


Entry = tuple[Source, Found] | Issue


def _sorted(found: Iterable[Entry]) -> tuple[list[Instance], list[Issue]]:
    instances: list[Instance] = []
    issues: list[Issue] = []
    for entry in found:
        if isinstance(entry, Issue):
            issues.append(entry)
        elif isinstance(entry[1], Issue):
            issues.append(entry[1])
        else:
            issues += entry[1].issues
            made = _instance(entry[0], entry[1])
            if isinstance(made, Issue):
                issues.append(made)
            elif made:
                instances.append(made)
                issues += _without_uids(made)
    return instances, issues


def _read_all(places: Sequence[Listed], workers: int | None, progress: Progress) -> Iterator[Entry]:
    """Reads the headers of what was listed, and passes on what was refused."""
    yield from (place for place in places if isinstance(place, Issue))
    files = [place for place in places if isinstance(place, str)]
    members = [place for place in places if isinstance(place, ZipSource)]
    progress.start("reading headers", len(files) + len(members))
    try:
        for done, (file, found) in enumerate(zip(files, read_files(files, workers=workers), strict=True), start=1):
            yield FileSource(Path(file)), found
            if done % _STEP == 0 or done == len(files) + len(members):
                progress.step(done)
        for done, member in enumerate(members, start=len(files) + 1):
            yield member, read_member(member)
            if done % _STEP == 0 or done == len(files) + len(members):
                progress.step(done)
    finally:
        progress.stop()


def _instance(source: Source, header: Header) -> Instance | Issue | None:
    """Returns an instance; None for a DICOMDIR, whose files are in the folder; or what it lacks to be one."""
    values = header.values  # noqa: PD011 - of a header, not of a data frame
    if is_directory(header):
        return None
    kind = _text(values, "SOPClassUID") or _text(values, "MediaStorageSOPClassUID")
    uid = _text(values, "SOPInstanceUID") or _text(values, "MediaStorageSOPInstanceUID")
    if not kind or not uid:
        missing = label(0x00080018) if kind else label(0x00080016)
        return Issue("not usable without its identifier", f"{source}, {missing}", "a UID", "none")
    return Instance(
        source=source,
        sop_class_uid=kind,
        sop_instance_uid=uid,
        study_uid=_text(values, "StudyInstanceUID"),
        series_uid=_text(values, "SeriesInstanceUID") or f"none:{uid}",
        frame_of_reference_uid=_text(values, "FrameOfReferenceUID") or None,
        modality=_text(values, "Modality"),
        patient_id=_text(values, "PatientID"),
        transfer_syntax_uid=header.transfer_syntax_uid,
        tags=values,
        pixel_offset=header.pixel_offset,
        pixel_bytes=header.pixel_bytes,
        issues=header.issues,
    )


def _text(values: Mapping[str, Any], keyword: str) -> str:
    value = values.get(keyword, "")
    return str(value[0] if isinstance(value, tuple) else value)


def _without_uids(instance: Instance) -> list[Issue]:
    given = {0x0020000D: instance.study_uid, 0x0020000E: instance.tags.get("SeriesInstanceUID")}
    return [
        Issue("without an identifier; kept on its own", f"{instance.source}, {label(tag)}", "a UID", "none")
        for tag, uid in given.items()
        if not uid
    ]


def _contradictions(instances: Sequence[Instance]) -> Iterator[Issue]:
    """Finds identifiers that stand for more than one thing."""
    yield from _used_twice(instances)
    series = [(one, one.series_uid, one.study_uid) for one in instances if one.study_uid]
    yield from _shared(series, what="one series in more than one study", tag=0x0020000E, other="StudyInstanceUID")
    studies = [(one, one.study_uid, one.patient_id) for one in instances if one.study_uid]
    yield from _shared(studies, what="one study of more than one patient", tag=0x0020000D, other="PatientID")
    named = [(one, one.patient_id, name) for one in instances if one.patient_id and (name := _name(one))]
    yield from _shared(named, what="one patient with more than one name", tag=0x00100020, other="PatientName")


def _name(one: Instance) -> str:
    return _text(one.tags, "PatientName").upper().rstrip("^ ")


def _shared(owned: list[tuple[Instance, str, str]], *, what: str, tag: int, other: str) -> Iterator[Issue]:
    """Finds an identifier below another one of which it is found again; told once for each pair."""
    first: dict[str, tuple[Instance, str]] = {}
    told: set[tuple[str, str]] = set()
    for one, uid, owner in owned:
        source, known = first.setdefault(uid, (one, owner))
        if known != owner and (uid, owner) not in told:
            told.add((uid, owner))
            wanted = f"the {other} {known!r} of {source.source}"
            yield Issue(what, f"{one.source}, {label(tag)} {uid}", wanted, repr(owner))


def _used_twice(instances: Sequence[Instance]) -> Iterator[Issue]:
    """Finds SOP instances that are there more than once, as copies or with other content."""
    seen: dict[str, Instance] = {}
    for one in instances:
        first = seen.setdefault(one.sop_instance_uid, one)
        if first is one:
            continue
        where = f"{one.source}, {label(0x00080018)} {one.sop_instance_uid}"
        copy = _digest(first.source) == _digest(one.source)
        what = "the same object again" if copy else "the same identifier as another object, with other content"
        yield Issue(what, where, got=f"also {first.source}")


def _digest(source: Source) -> tuple[int, bytes]:
    """Returns size and SHA-256 of an object, or something that is like nothing else when it cannot be read."""
    digest, size = hashlib.sha256(), 0
    try:
        with source.open() as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
    except (DicomError, StorageError, OSError):
        return -1, str(source).encode()
    return size, digest.digest()


def _series(members: list[Instance]) -> Series:
    members.sort(key=_instance_order)
    tags = members[0].tags
    number = tags.get("SeriesNumber")
    return Series(
        uid=members[0].series_uid,
        study_uid=members[0].study_uid,
        patient_id=members[0].patient_id,
        modality=members[0].modality,
        description=_text(tags, "SeriesDescription"),
        number=number if isinstance(number, int) else None,
        instances=tuple(members),
        warnings=warnings_of(members),
    )


def _instance_order(one: Instance) -> tuple[float, str, str]:
    number = one.tags.get("InstanceNumber")
    return number if isinstance(number, int) else float("inf"), one.sop_instance_uid, str(one.source)


def _series_order(series: Series) -> tuple[str, str, str, float, str]:
    number = float("inf") if series.number is None else series.number
    return series.patient_id, _text(series.tags, "StudyDate"), series.study_uid, number, series.uid


def _study(members: Sequence[Series]) -> Study:
    tags = members[0].tags
    date, description = _text(tags, "StudyDate"), _text(tags, "StudyDescription")
    return Study(members[0].study_uid, members[0].patient_id, date, description, tuple(members))


def _row(series: Series) -> tuple[Any, ...]:
    shape = describe_series(series)
    name, date = _text(series.tags, "PatientName"), _text(series.tags, "StudyDate")
    return (
        series.patient_id, name, date, series.modality, series.number, series.description, len(series), shape["size"],
        shape["orientation"], shape["spacing_mm"], "; ".join(series.warnings), series.uid, series.study_uid,
    )  # fmt: skip


def describe_series(series: Series) -> dict[str, str]:
    """Returns a series' ``size``, ``orientation`` and ``spacing_mm`` as texts; see :meth:`Index.as_table`."""
    images = [one for one in series if one.frames]
    single = [one for one in images if one.frames == 1]
    stack = stack_of(single or images)
    tags = images[0].tags if images else {}
    step = stack.step_mm if single else frame_step_mm(tags)
    steps = [*([] if step is None else [step]), *(tags.get("PixelSpacing") or ())]
    one_stack = single and stack.planes + stack.repeated == len(images)
    planes = stack.planes if one_stack else series.frames
    sized = "Rows" in tags and "Columns" in tags
    return {
        "size": f"{planes} x {tags['Rows']} x {tags['Columns']}" if sized else "",
        "orientation": stack.orientation,
        "spacing_mm": " x ".join(f"{step:.4g}" for step in steps),
    }
