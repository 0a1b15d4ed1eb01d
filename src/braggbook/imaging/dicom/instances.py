"""What an index holds: instances in series, in studies, of patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from braggbook.errors import Issue
from braggbook.imaging.dicom.sources import Source


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One SOP instance as its header has it, without pixels.

    Attributes:
        source: Where its bytes are.
        sop_class_uid: What kind of object it is.
        sop_instance_uid: Which one it is.
        study_uid: Its study; empty when the object names none.
        series_uid: Its series; made of the instance's UID when the object names none.
        frame_of_reference_uid: The space that its positions are in.
        modality: ``CT``, ``MR``, ``PT``, ``RTDOSE``, ...
        patient_id: As written, which may be empty.
        transfer_syntax_uid: How it is encoded.
        tags: Keyword to value of what else the index keeps (:data:`braggbook.imaging.dicom.elements.KEPT`): float, int
            or str; a tuple of these where the standard allows several values. Absent and empty elements are not there.
        pixel_offset: Where in the source the pixel element's value begins; None without pixels, or not known.
        pixel_bytes: Length of that value; None when it is encapsulated or not known.
        issues: Values of it that cannot be read, and pixel data that are cut off.
    """

    source: Source
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str | None
    modality: str
    patient_id: str
    transfer_syntax_uid: str
    tags: Mapping[str, Any]
    pixel_offset: int | None = None
    pixel_bytes: int | None = None
    issues: tuple[Issue, ...] = ()

    @property
    def frames(self) -> int:
        """Images in it: 0 without pixels, 1 unless it says more."""
        return max(1, int(self.tags.get("NumberOfFrames", 1))) if "Rows" in self.tags else 0

    @property
    def in_series(self) -> bool:
        """Whether it names the series that it belongs to."""
        return "SeriesInstanceUID" in self.tags

    def __repr__(self) -> str:
        return f"<Instance {self.modality} {self.sop_instance_uid} in {self.source}>"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Instances with one SeriesInstanceUID in one study, by InstanceNumber, then UID.

    Attributes:
        uid: SeriesInstanceUID.
        study_uid: StudyInstanceUID.
        patient_id: Of its first instance.
        modality: Of its first instance.
        description: SeriesDescription, or an empty text.
        number: SeriesNumber.
        instances: At least one.
        warnings: What its headers show to be wrong with it, each a sentence.
    """

    uid: str
    study_uid: str
    patient_id: str
    modality: str
    description: str
    number: int | None
    instances: tuple[Instance, ...]
    warnings: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """Images in all its instances."""
        return sum(instance.frames for instance in self.instances)

    @property
    def tags(self) -> Mapping[str, Any]:
        """What the first instance says."""
        return self.instances[0].tags

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.instances)

    def __len__(self) -> int:
        return len(self.instances)

    def __repr__(self) -> str:
        return f"<Series {self.modality} {self.description!r}, {len(self)} instances, {self.uid}>"


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Series with one StudyInstanceUID."""

    uid: str
    patient_id: str
    date: str
    description: str
    series: tuple[Series, ...]

    def __repr__(self) -> str:
        return f"<Study {self.date} {self.description!r}, {len(self.series)} series, {self.uid}>"


@dataclass(frozen=True, slots=True, eq=False)
class Patient:
    """Studies with one PatientID."""

    id: str
    name: str
    studies: tuple[Study, ...]

    def __repr__(self) -> str:
        return f"<Patient {self.id}, {len(self.studies)} studies>"
