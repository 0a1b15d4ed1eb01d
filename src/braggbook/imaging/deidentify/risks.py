"""What no table of attributes can clean: objects that are documents, text burnt into pixels, faces.

Which objects carry burnt-in text is decided by kind, default-deny: only kinds of images that scanners write without
text are passed; for all others a person must have looked, or regions be blanked. A device's own BurnedInAnnotation NO
is not believed.
"""

from __future__ import annotations

from dataclasses import dataclass

from braggbook.imaging.deidentify.options import Options
from braggbook.imaging.deidentify.tables import is_known

_IMAGES = "1.2.840.10008.5.1.4.1.1."
DICOMDIR = "1.2.840.10008.1.3.10"
_TEXT_FREE = {f"{_IMAGES}{end}" for end in (
    "2", "2.1", "2.2", "4", "4.1", "4.4", "128", "128.1", "130", "20", "30", "66.4", "66.7", "481.2", "4.2",
)}  # fmt: skip
_FACES = {f"{_IMAGES}{end}" for end in ("2", "2.1", "2.2", "4", "4.1", "4.4", "128", "128.1", "130")}
_REFUSED = {  # beginnings of SOP class UIDs after _IMAGES, and why
    "104.": "an encapsulated document can hold anything and cannot be cleaned",
    "9.": "a waveform with its annotations cannot be cleaned",
    "11.": "a presentation state holds graphics and text drawn over images",
    "66": "raw data can hold anything and cannot be cleaned",
    "66.6": "tractography results are not described in the tables",
    "77.1.1.1": "a video cannot be looked through", "77.1.2.1": "a video cannot be looked through",
    "77.1.4.1": "a video cannot be looked through",
}  # fmt: skip
_HEAD = {
    "HEAD", "BRAIN", "SKULL", "FACE", "HEADNECK", "NECK", "ORBIT", "EYE", "EYELID", "NOSE", "MAXILLA", "MANDIBLE",
    "JAW", "EAR", "SINUS",
    "PARANASALSINUS", "FRONTALSINUS", "TMJ", "IAC", "MOUTH", "TONGUE", "WHOLEBODY", "WHOLE BODY", "CSPINE", "C SPINE",
    "SELLA",
    "PITUITARY", "NASOPHARYNX", "PAROTID", "BODY", "CAROTID", "CEREBELLUM", "LARYNX", "PHARYNX",
}  # fmt: skip
_NO_HEAD = {
    "CHEST", "THORAX", "ABDOMEN", "PELVIS", "BREAST", "EXTREMITY", "LIVER", "PROSTATE", "KIDNEY", "LEG", "ARM",
    "HAND", "FOOT", "KNEE",
    "ANKLE", "HIP", "SHOULDER", "ELBOW", "WRIST", "LSPINE", "L SPINE", "TSPINE", "T SPINE", "HEART", "LUNG",
    "PANCREAS", "UTERUS", "BLADDER",
    "COLON", "SSPINE", "FEMUR", "TIBIA", "HUMERUS", "SPLEEN", "STOMACH", "ABDOMENPELVIS", "CHESTABDOMEN",
    "CHESTABDPELVIS", "RECTUM",
    "CERVIX", "OVARY", "THIGH", "CALF", "UPPER LIMB", "LOWER LIMB", "LIMB", "SACRUM", "COCCYX", "STERNUM", "RIB",
    "SCAPULA", "CLAVICLE",
}  # fmt: skip
_CAPTURES = {"SCREEN SAVE", "SCREENSAVE", "SCREEN_SAVE", "DOSE_INFO", "REPORT", "GRAPH", "CAPTURE", "LOCALIZER CAPTURE"}


@dataclass(frozen=True)
class Findings:
    """What is open about one object; empty strings where nothing is."""

    refused: str = ""  # it cannot be cleaned at all
    text: str = ""  # text may be burnt in
    face: str = ""  # a face may be recognisable
    head: bool = False  # the object says that it shows a head

    @property
    def quarantined(self) -> str:
        """Why the object does not go out, empty when it may."""
        return self.refused or self.text


@dataclass(frozen=True)
class Subject:
    """What an object says about its pixels."""

    sop_class_uid: str
    body_part: str
    image_type: tuple[str, ...]
    burned_in: str
    samples_per_pixel: str
    pixels: bool


def judge(subject: Subject, options: Options) -> Findings:
    """Returns what is open about an object under the given options."""
    refused = _refusal(subject.sop_class_uid)
    if refused or not subject.pixels:
        return Findings(refused=refused)
    text = "" if options.regions or options.pixels_reviewed else _burnt_in(subject)
    if subject.sop_class_uid not in _FACES or options.faces_removed:
        return Findings(text=text)
    part = subject.body_part.upper()
    if part in _HEAD:
        return Findings(text=text, face="NOT DONE: shows a head, and recognizable features were not cleaned", head=True)
    if part in _NO_HEAD:
        return Findings(text=text)
    return Findings(
        text=text, face="NOT ASSESSED: does not say which part of the body it shows; if the head, a face is in it"
    )


def _refusal(sop_class_uid: str) -> str:
    if not sop_class_uid:
        return "the object does not say of what class it is (0008,0016)"
    if not is_known(sop_class_uid):
        return "no standard SOP class of the tables: nothing says what may stay"
    end = sop_class_uid.removeprefix(_IMAGES)
    for beginning, reason in _REFUSED.items():
        if end == beginning or (beginning.endswith(".") and end.startswith(beginning)):
            return reason
    return ""


def _burnt_in(subject: Subject) -> str:
    if subject.sop_class_uid not in _TEXT_FREE:
        return "images of this kind often have text burnt into their pixels"
    if subject.burned_in.upper() == "YES":
        return "the object says that text is burnt into its pixels"
    if _CAPTURES & {part.upper() for part in subject.image_type}:
        return "the object says that it is a capture of a screen"
    if subject.samples_per_pixel not in ("", "1"):
        return "a colour image of a kind that has none: probably a capture of a screen"
    return ""
